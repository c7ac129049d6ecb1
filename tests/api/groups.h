/* SPDX-License-Identifier: MIT */
/* What tests of task groups use: bodies that run on each kind of executor, and groups that must be
 * had. */
#ifndef HOCKET_TESTS_GROUPS_H
#define HOCKET_TESTS_GROUPS_H

#include <math.h>

#include "pools.h"

/* Where the owner of a group is. Those with one place for jobs run one at a time; the others run at
 * least three side by side. */
enum kind {
    IN_LOOP,
    IN_POOL,
    IN_COROUTINES,
    SIDE_BY_SIDE,
    ON_THREAD = SIDE_BY_SIDE,
    IN_POOL_OF_ONE,
    IN_COROUTINES_OF_ONE,
    KINDS
};

static inline hkt_executor *must_coroutines(unsigned max_tasks, unsigned loops)
{
    hkt_executor *pool = NULL;
    hkt_coroutine_pool_options options = { .max_tasks = max_tasks, .loops = loops };
    CHECK_EQ(hkt_coroutine_pool_create(&pool, &options), 0);
    return pool;
}

static inline hkt_executor *executor_of(int kind)
{
    switch (kind) {
    case IN_POOL:
        return must_pool(4);
    case IN_POOL_OF_ONE:
        return must_pool(1);
    case IN_COROUTINES:
        return must_coroutines(0, 2);
    default:
        return must_coroutines(1, 1);
    }
}

/* What the job returns there. */
static inline int run_in(int kind, hkt_job *job, void *arg)
{
    if (kind == IN_LOOP)
        return hkt_run(job, arg);
    if (kind == ON_THREAD)
        return job(arg);
    hkt_executor *executor = executor_of(kind);
    int result = hkt_future_finish(must_submit(executor, job, arg));
    hkt_executor_destroy(executor);
    return result;
}

/* The job must return 0 in each kind up to `kinds`, and leave nothing behind. */
static inline void in_kinds(int kinds, hkt_job *job)
{
    for (int kind = 0; kind < kinds; kind++) {
        CHECK_EQ(run_in(kind, job, NULL), 0);
        check_finalized();
    }
}

static inline void in_each_kind(hkt_job *job)
{
    in_kinds(KINDS, job);
}

static inline void side_by_side(hkt_job *job)
{
    in_kinds(SIDE_BY_SIDE, job);
}

static inline void must_spawn_into(hkt_task_group *group, hkt_job *job, void *arg)
{
    CHECK_EQ(hkt_task_group_spawn(group, NULL, job, arg), 0);
}

static inline hkt_future *must_spawn_child(hkt_task_group *group, hkt_job *job, void *arg)
{
    hkt_future *task = NULL;
    CHECK_EQ(hkt_task_group_spawn(group, &task, job, arg), 0);
    CHECK(task != NULL);
    return task;
}

/* A child that sleeps until it is cancelled, and says that it was there. */
struct sleeper {
    hkt_event asleep;
    atomic_int began, cancelled;
    int result; /* what it returns then; 0: -ECANCELED */
};

static inline int sleep_in_group(void *arg)
{
    struct sleeper *sleeper = arg;
    atomic_fetch_add(&sleeper->began, 1);
    hkt_event_set(&sleeper->asleep);
    int err = hkt_sleep_until((hkt_deadline){ 0 });
    CHECK_EQ(err, -ECANCELED);
    CHECK_EQ(hkt_checkpoint(), -ECANCELED);
    atomic_fetch_add(&sleeper->cancelled, 1);
    return sleeper->result ? sleeper->result : err;
}

static inline int yield_and_count(void *arg)
{
    CHECK_EQ(hkt_yield(), 0);
    return count_up(arg);
}

/* A child that has two children in the same group, and so on; each counts. */
struct tree {
    hkt_task_group *group;
    int depth;
    atomic_int *ran;
};

static inline int grow(void *arg)
{
    struct tree *tree = arg;
    struct tree *below = tree + 1;
    CHECK_EQ(hkt_yield(), 0);
    for (int i = 0; i < 2 && tree->depth > 0; i++)
        must_spawn_into(tree->group, grow, below);
    return count_up(tree->ran);
}

#endif
