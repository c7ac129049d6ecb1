/* SPDX-License-Identifier: MIT */
/* What tests of process pools use: pools that must be had, jobs, a gate in shared memory, and the
 * proof at the end that nothing is left. */
#ifndef HOCKET_TESTS_PROCESS_POOLS_H
#define HOCKET_TESTS_PROCESS_POOLS_H

#include <hocket.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

struct square {
    int number, squared;
};

static inline int square(void *arg)
{
    struct square *item = arg;
    item->squared = item->number * item->number;
    return 0;
}

/* Which process runs it? */
static inline int tell_pid(void *arg)
{
    *(int *)arg = getpid();
    return 0;
}

/* Waits for what never comes: -ECANCELED when its scope ends. */
static inline int wait_for_ever(void *arg)
{
    int *entered = *(int **)arg; /* in shared memory */
    __atomic_store_n(entered, getpid(), __ATOMIC_SEQ_CST);
    return hkt_sleep(3600);
}

/* Never looks at its scope. */
static inline int spin_for_ever(void *arg)
{
    int *entered = *(int **)arg;
    __atomic_store_n(entered, getpid(), __ATOMIC_SEQ_CST);
    for (;;)
        usleep(1000);
    return 0;
}

static inline int die_by_kill(void *arg)
{
    (void)arg;
    raise(SIGKILL);
    return 0;
}

static inline hkt_executor *must_process_pool(const hkt_process_pool_options *options)
{
    hkt_executor *pool = NULL;
    int err = hkt_process_pool_create(&pool, options);
    if (err < 0)
        test_fail(__FILE__, __LINE__, "%s", hkt_sentence(err));
    return pool;
}

static inline hkt_executor *must_workers(unsigned max_workers)
{
    return must_process_pool(&(hkt_process_pool_options){ .max_workers = max_workers });
}

/* Until a job has written there; what. */
static inline int await_entered(int *entered)
{
    int value;
    while ((value = __atomic_load_n(entered, __ATOMIC_SEQ_CST)) == 0)
        usleep(100);
    return value;
}

static inline hkt_future *must_apply_async(hkt_executor *pool, hkt_job *job, void *arg, size_t size)
{
    hkt_future *future = NULL;
    CHECK_EQ(hkt_apply_async(pool, &future, job, arg, size), 0);
    return future;
}

static inline void end_process_pool(hkt_executor *pool)
{
    hkt_executor_destroy(pool);
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(hkt_allocation_count(), 0);
}

#endif
