/* SPDX-License-Identifier: MIT */
/* Something to compute, in four threads and in four processes, and the clock. Threads are as quick
 * here, since C has no GIL. (threading.Thread, multiprocessing.Process) */
#include <hocket.h>
#include <stdio.h>

struct task {
    long n, total;
};

static int cpu_task(void *arg)
{
    struct task *task = arg;
    volatile long total = 0; /* so that no compiler does away with the loop */
    for (long i = 0; i < 1000000; i++)
        total = total + i * task->n;
    task->total = total;
    return 0;
}

static int in_threads(struct task tasks[])
{
    hkt_thread *threads[4] = { NULL };
    int err = 0;
    for (int i = 0; i < 4 && err == 0; i++)
        err = hkt_thread_spawn(&threads[i], cpu_task, &tasks[i], NULL);
    for (int i = 0; i < 4; i++)
        hkt_thread_join(threads[i]), hkt_thread_destroy(threads[i]);
    return err;
}

static int in_processes(struct task tasks[])
{
    hkt_process *processes[4] = { NULL };
    int err = 0;
    for (int i = 0; i < 4 && err == 0; i++)
        err = hkt_process_spawn(&processes[i], cpu_task, &tasks[i], 0, NULL);
    for (int i = 0, end; i < 4; i++)
        if ((end = hkt_process_finish(processes[i])) < 0)
            err = end;
    return err;
}

int main(void)
{
    struct task *tasks = hkt_shared_array_create(8, sizeof *tasks, NULL); /* all can write there */
    if (tasks == NULL)
        return hkt_report(-ENOMEM);
    for (int i = 0; i < 8; i++)
        tasks[i].n = i % 4;
    double start = hkt_monotonic();
    int err = in_threads(tasks);
    double middle = hkt_monotonic();
    err = err < 0 ? err : in_processes(tasks + 4);
    fprintf(stderr, "Threads: %g s, processes: %g s\n", middle - start, hkt_monotonic() - middle);
    for (int i = 0; i < 8; i++)
        printf("%s %ld: %ld\n", i < 4 ? "thread" : "process", tasks[i].n, tasks[i].total);
    hkt_shared_value_destroy(tasks);
    return hkt_report(err);
}
