/* SPDX-License-Identifier: MIT */
/* Four processes count with one counter. Without its lock counts are lost, as several read the same
 * number and all write the next one; with it none is. (multiprocessing.Value, get_lock) */
#include <hocket.h>
#include <stdio.h>

enum { PROCESSES = 4, COUNTS = 20 };

static void count_one(long *counter)
{
    long seen = *counter;
    hkt_sleep(0.001); /* a moment in which others may count */
    *counter = seen + 1;
}

static int count(void *counter)
{
    for (int i = 0; i < COUNTS; i++)
        count_one(counter);
    return 0;
}

static int count_with_lock(void *counter)
{
    for (int i = 0; i < COUNTS; i++) {
        int err = hkt_shared_rlock_acquire(hkt_shared_lock_of(counter));
        if (err < 0) /* -EOWNERDEAD: one died with it, and it is ours until we end */
            return err;
        count_one(counter);
        hkt_shared_rlock_release(hkt_shared_lock_of(counter));
    }
    return 0;
}

static int run(hkt_job *function, long *total)
{
    hkt_process *processes[PROCESSES] = { NULL };
    long *counter = hkt_shared_value_create(sizeof *counter, NULL);
    int err = counter ? 0 : -ENOMEM;
    for (int i = 0; i < PROCESSES && err == 0; i++)
        err = hkt_process_spawn(&processes[i], function, counter, 0, NULL);
    for (int i = 0, end; i < PROCESSES; i++)
        if ((end = hkt_process_finish(processes[i])) < 0)
            err = end;
    *total = counter ? *counter : 0;
    hkt_shared_value_destroy(counter);
    return err;
}

int main(void)
{
    long total = 0;
    int err = run(count, &total);
    if (total < PROCESSES * COUNTS)
        puts("Without the lock counts are lost.");
    if (err == 0)
        err = run(count_with_lock, &total);
    printf("With the lock: %ld\n", total);
    return hkt_report(err);
}
