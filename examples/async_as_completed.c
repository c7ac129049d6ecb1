/* SPDX-License-Identifier: MIT */
/* Four pages are on their way, and each is shown when it is there: nobody waits
 * for the slowest, nor in the order in which they were asked for.
 * (asyncio.as_completed) */
#include <hocket.h>
#include <stdio.h>

struct page {
    const char *name;
    double seconds;
};

static int download(void *arg)
{
    const struct page *page = arg;
    return hkt_sleep(page->seconds);
}

static int show_all(void *arg)
{
    (void)arg;
    struct page pages[] = { { "weather", 0.4 }, { "news", 0.1 }, { "cats", 0.5 }, { "maps", 0.2 } };
    hkt_task *tasks[4] = { NULL }, *next;
    hkt_as_completed *ended = NULL;

    int err = 0;
    for (int i = 0; i < 4 && err == 0; i++)
        err = hkt_task_spawn(&tasks[i], download, &pages[i]);
    if (err == 0)
        err = hkt_as_completed_create(&ended, tasks, 4);
    while (err >= 0 && (err = hkt_as_completed_next(ended, &next)) > 0) {
        const struct page *page = hkt_future_arg(next);
        printf("Here is \"%s\".\n", page->name);
    }

    hkt_as_completed_destroy(ended);
    for (int i = 0; i < 4; i++)
        hkt_future_finish(tasks[i]);
    return err;
}

int main(void)
{
    return hkt_report(hkt_run(show_all, NULL));
}
