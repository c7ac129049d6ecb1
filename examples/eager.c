/* SPDX-License-Identifier: MIT */
/* A task that begins at once: what is in the cache is there before the spawn
 * returns, and only what must be fetched ever waits for its turn.
 * (asyncio.eager_task_factory) */
#include <hocket.h>
#include <stdio.h>
#include <string.h>

struct book {
    const char *title;
    bool cached;
};

static int look_up(void *arg)
{
    struct book *book = arg;
    if (book->cached)
        return (int)strlen(book->title);
    int err = hkt_sleep(0.2); /* to the archive, and back */
    if (err < 0)
        return err;
    book->cached = true;
    return (int)strlen(book->title);
}

static int ask(void *arg)
{
    hkt_task *task;
    const struct book *book = arg;
    int err = hkt_task_spawn_with(&task, look_up, arg,
                                  &(hkt_submit_options){ .eager_start = true });
    if (err < 0)
        return err;
    printf("%s: %s\n", book->title, hkt_future_done(task) ? "at hand" : "is being fetched");
    return hkt_future_finish(task);
}

static int read_books(void *arg)
{
    (void)arg;
    struct book emma = { .title = "Emma" };
    int err = ask(&emma);
    if (err >= 0)
        err = ask(&emma);
    return err;
}

int main(void)
{
    return hkt_report(hkt_run(read_books, NULL));
}
