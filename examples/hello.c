/* SPDX-License-Identifier: MIT */
/* The smallest program with a thread: made, started, awaited.
 * (threading.Thread, start, join) */
#include <hocket.h>
#include <stdio.h>

static int task(void *arg)
{
    (void)arg;
    puts("Hello World");
    return 0;
}

int main(void)
{
    hkt_thread *thread;
    int err = hkt_thread_create(&thread, task, NULL, NULL);
    if (err < 0)
        return hkt_report(err);

    err = hkt_thread_start(thread);
    if (err == 0)
        err = hkt_thread_join(thread);
    hkt_thread_destroy(thread);
    return hkt_report(err);
}
