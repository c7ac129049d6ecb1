/* SPDX-License-Identifier: MIT */
/* What tests of executors and futures use: a gate at which a job stands until it is let through,
 * pools and jobs that must be had, the lines that the sink got, and the proof at the end that nothing
 * of hocket's is left. */
#ifndef HOCKET_TESTS_POOLS_H
#define HOCKET_TESTS_POOLS_H

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "caller.h"
#include "waits.h"

/* All zero is closed. */
struct gate {
    hkt_event entered, open;
    int result; /* of who is let through */
};

/* A job that stands at a gate: -ECANCELED if that wait is cut short. */
static inline int stand_at(void *arg)
{
    struct gate *gate = arg;
    hkt_event_set(&gate->entered);
    int err = hkt_event_wait(&gate->open);
    return err < 0 ? err : gate->result;
}

static inline int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static inline int count_up(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
    return 0;
}

static inline int fail_with_io(void *arg)
{
    return hkt_fail(-EIO, "no %s in the sea", (const char *)arg);
}

static inline hkt_executor *must_pool(unsigned max_workers)
{
    hkt_executor *pool = NULL;
    hkt_thread_pool_options options = { .max_workers = max_workers };
    CHECK_EQ(hkt_thread_pool_create(&pool, &options), 0);
    return pool;
}

static inline hkt_future *must_submit(hkt_executor *executor, hkt_job *job, void *arg)
{
    hkt_future *future = NULL;
    CHECK_EQ(hkt_submit(executor, &future, job, arg), 0);
    CHECK(future != NULL);
    return future;
}

/* A worker of the pool stands at the gate from now on. */
static inline hkt_future *hold_worker(hkt_executor *pool, struct gate *gate)
{
    hkt_future *future = must_submit(pool, stand_at, gate);
    CHECK_EQ(hkt_event_wait(&gate->entered), 0);
    return future;
}

static inline void let_through(struct gate *gate, hkt_future *future)
{
    hkt_event_set(&gate->open);
    CHECK_EQ(hkt_future_finish(future), gate->result);
}

static inline int result_of(hkt_future *future)
{
    int result = 4711;
    CHECK_EQ(hkt_future_result(future, &result), 0);
    return result;
}

/* Nothing of hocket's is left. */
static inline void check_finalized(void)
{
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(hkt_allocation_count(), 0);
}

static inline void end_pool(hkt_executor *pool)
{
    hkt_executor_destroy(pool);
    check_finalized();
}

/* What the sink got. */
struct lines {
    pthread_mutex_t mutex; /* a sink must not call hocket */
    char text[64][256];
    int count;
};

static inline void keep_line(void *context, const char *line)
{
    struct lines *lines = context;
    pthread_mutex_lock(&lines->mutex);
    CHECK(lines->count < 64);
    snprintf(lines->text[lines->count++], sizeof lines->text[0], "%s", line);
    pthread_mutex_unlock(&lines->mutex);
}

static inline void lines_open(struct lines *lines)
{
    *lines = (struct lines){ .mutex = PTHREAD_MUTEX_INITIALIZER };
    hkt_set_report_sink(keep_line, lines);
}

static inline int lines_count(struct lines *lines)
{
    pthread_mutex_lock(&lines->mutex);
    int count = lines->count;
    pthread_mutex_unlock(&lines->mutex);
    return count;
}

#endif
