/* SPDX-License-Identifier: MIT */
/* The tasks lie in memory that threads and processes share, and their totals are left there. */
#include "textbook.h"

#include "measure.h"

#include <hocket/error.h>
#include <hocket/process.h>
#include <hocket/shared.h>
#include <hocket/thread.h>
#include <hocket/time.h>

#include <errno.h>
#include <stdlib.h>

#define STEPS 1000000L
#define LONGER 10

struct task {
    long steps, n, total;
};

static int cpu_task(void *arg)
{
    struct task *task = arg;
    volatile long total = 0; /* so that no compiler does away with the loop */

    for (long i = 0; i < task->steps; i++)
        total = total + i * task->n;
    task->total = total;
    return 0;
}

static int in_threads(struct task tasks[])
{
    hkt_thread *threads[TEXTBOOK_TASKS] = { NULL };
    int err = 0;

    for (int i = 0; i < TEXTBOOK_TASKS && err == 0; i++)
        err = hkt_thread_spawn(&threads[i], cpu_task, &tasks[i], NULL);
    for (int i = 0; i < TEXTBOOK_TASKS; i++) {
        hkt_thread_join(threads[i]);
        hkt_thread_destroy(threads[i]);
    }
    return err;
}

static int in_processes(struct task tasks[])
{
    hkt_process *processes[TEXTBOOK_TASKS] = { NULL };
    int err = 0;

    for (int i = 0; i < TEXTBOOK_TASKS && err == 0; i++)
        err = hkt_process_spawn(&processes[i], cpu_task, &tasks[i], 0, NULL);
    for (int i = 0; i < TEXTBOOK_TASKS; i++) {
        hkt_process_join(processes[i]);
        hkt_process_destroy(processes[i]);
    }
    return err;
}

/* All totals are what Gauss says. */
static bool right(const struct task tasks[])
{
    for (int i = 0; i < TEXTBOOK_TASKS; i++)
        if (tasks[i].total != tasks[i].steps * (tasks[i].steps - 1) / 2 * tasks[i].n)
            return false;
    return true;
}

static int once(struct textbook *textbook, struct task tasks[], long steps,
                int (*run)(struct task tasks[]), double *seconds)
{
    for (int i = 0; i < TEXTBOOK_TASKS; i++)
        tasks[i] = (struct task){ .steps = steps, .n = i };
    double start = hkt_monotonic();
    int err = run(tasks);

    *seconds = hkt_monotonic() - start;
    textbook->equal = textbook->equal && right(tasks);
    return err;
}

/* `times`: room for the rounds of both. */
static int repeat(struct textbook *textbook, struct textbook_run *run, struct task tasks[],
                  size_t rounds, double times[])
{
    int err = 0;

    for (size_t i = 0; i < rounds && err == 0; i++) {
        err = once(textbook, tasks, run->steps, in_threads, &times[i]);
        if (err == 0 && textbook->has_processes)
            err = once(textbook, tasks, run->steps, in_processes, &times[rounds + i]);
    }
    if (err == 0)
        err = measure_median(&run->threads, times, rounds);
    if (err == 0 && textbook->has_processes)
        err = measure_median(&run->processes, times + rounds, rounds);
    return err;
}

int textbook_run(struct textbook *textbook, size_t rounds, bool has_processes)
{
    size_t most = rounds ? rounds : MEASURE_ROUNDS;
    size_t size = TEXTBOOK_TASKS * sizeof(struct task);
    double *times = calloc(2 * most, sizeof *times);
    struct task *tasks = has_processes ? hkt_shared_alloc(size) : malloc(size);
    int err = times && tasks ? 0 : -ENOMEM;

    *textbook = (struct textbook){ .has_processes = has_processes, .equal = true };
    textbook->runs[0].steps = STEPS;
    textbook->runs[1].steps = STEPS * LONGER;
    if (err == 0)
        err = repeat(textbook, &textbook->runs[0], tasks, most, times);
    if (err == 0)
        err = repeat(textbook, &textbook->runs[1], tasks, most, times);
    if (has_processes)
        hkt_shared_free(tasks);
    else
        free(tasks);
    free(times);
    return err;
}
