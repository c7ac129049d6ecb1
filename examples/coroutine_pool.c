/* SPDX-License-Identifier: MIT */
/* One program, three engines: which one is chosen by its argument, and else all
 * are tried in turn. What they differ in is how many downloads are under way at
 * a time. The jobs know nothing of it. */
#include <hocket.h>
#include <stdio.h>
#include <string.h>

enum { FILES = 40 };

static hkt_lock lock;
static int under_way, most;

static int download(void *item)
{
    (void)item;
    hkt_lock_acquire(&lock);
    under_way++;
    most = under_way > most ? under_way : most;
    hkt_lock_release(&lock);
    int err = hkt_sleep(0.05);
    hkt_lock_acquire(&lock);
    under_way--;
    hkt_lock_release(&lock);
    return err;
}

static int create(hkt_executor **executor, const char *engine)
{
    if (strcmp(engine, "threads") == 0)
        return hkt_thread_pool_create(executor, &(hkt_thread_pool_options){ .max_workers = 8 });
    if (strcmp(engine, "coroutines") == 0)
        return hkt_coroutine_pool_create(executor, NULL);
    return hkt_inline_executor_create(executor);
}

static int download_all(const char *engine)
{
    char files[FILES] = { 0 };
    hkt_executor *executor;
    int err = create(&executor, engine);
    if (err < 0)
        return err;
    most = 0;
    err = hkt_map(executor, download, HKT_ARRAY(files));
    hkt_executor_destroy(executor);
    printf("%s: %d files, at most %d at a time\n", engine, FILES, most);
    return err;
}

int main(int argc, char *argv[])
{
    const char *engines[] = { "inline", "threads", "coroutines" };
    int err = argc > 1 ? download_all(argv[1]) : 0;
    for (int i = 0; i < 3 && argc < 2 && err == 0; i++)
        err = download_all(engines[i]);
    return hkt_report(err);
}
