/* SPDX-License-Identifier: MIT */
/* Two processes of two seconds each are done in two seconds, not in four.
 * (multiprocessing.Process(target=worker, args=("A",))) */
#include <hocket.h>
#include <stdio.h>

static int worker(void *arg)
{
    const char *name = arg;
    printf("Process %s starting\n", name);
    int err = hkt_sleep(2.0);
    if (err < 0)
        return err;
    printf("Process %s finished\n", name);
    return 0;
}

int main(void)
{
    hkt_process *p1, *p2;
    int err = hkt_process_spawn(&p1, worker, "A", sizeof "A", NULL);
    if (err < 0)
        return hkt_report(err);
    err = hkt_process_spawn(&p2, worker, "B", sizeof "B", NULL);
    if (err < 0)
        return hkt_report(err);

    hkt_process_join(p1);
    hkt_process_join(p2);
    puts("All processes done!");

    hkt_process_destroy(p1);
    hkt_process_destroy(p2);
    return 0;
}
