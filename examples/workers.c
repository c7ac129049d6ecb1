/* SPDX-License-Identifier: MIT */
/* Two workers of two seconds each are done in two seconds, not in four: they wait side by side.
 * (threading.Thread(target=worker, args=("A",))) */
#include <hocket.h>
#include <stdio.h>

static int worker(void *arg)
{
    const char *name = arg;
    printf("Thread %s starting\n", name);
    int err = hkt_sleep(2.0);
    if (err < 0)
        return err;
    printf("Thread %s finished\n", name);
    return 0;
}

int main(void)
{
    hkt_thread *a, *b;
    int err = hkt_thread_spawn(&a, worker, "A", NULL);
    if (err < 0)
        return hkt_report(err);
    err = hkt_thread_spawn(&b, worker, "B", NULL);
    if (err < 0)
        return hkt_report(err);

    hkt_thread_join(a);
    hkt_thread_join(b);
    puts("All threads done!");

    hkt_thread_destroy(a);
    hkt_thread_destroy(b);
    return 0;
}
