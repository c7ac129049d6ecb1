/* SPDX-License-Identifier: MIT */
/* The smallest program with a process: a function of this program, in a process of its own.
 * (multiprocessing.Process, start, join) */
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
    hkt_process *process;
    int err = hkt_process_create(&process, task, NULL, 0, NULL);
    if (err < 0)
        return hkt_report(err);

    err = hkt_process_start(process);
    if (err == 0)
        err = hkt_process_join(process);
    hkt_process_destroy(process);
    return hkt_report(err);
}
