/* SPDX-License-Identifier: MIT */
/* A cancel against a completion: in each round one task makes a call in which it waits, somebody completes
 * it, and somebody cancels it, in the same loop or from other threads, by a seed. The call says which of the
 * two it was; and then what it waited for must be intact: no permit, item or wake-up is lost, and none is
 * there twice. */
#ifndef HOCKET_TESTS_TASK_RACES_H
#define HOCKET_TESTS_TASK_RACES_H

#include <stdlib.h>

#include "groups.h"
#include "random.h"

enum { BY_TASK, BY_SCOPE, BY_DEADLINE, CANCELS };

struct round {
    const struct race *race;
    struct test_random of_completer, of_canceller;
    hkt_executor *others; /* threads beside the loop */
    /* The call. */
    hkt_scope scope;
    hkt_event entered, ready; /* the caller is in its scope; what he waits for is as it should be */
    hkt_deadline deadline;
    unsigned yields;
    double spin;
    int result, completed;
    int cancels; /* who cancels, and how */
    hkt_future *caller, *completer, *canceller;
    /* What is waited for. */
    hkt_lock lock;
    hkt_rlock rlock;
    hkt_rwlock rwlock;
    hkt_condition condition;
    hkt_semaphore semaphore;
    hkt_event event;
    hkt_barrier barrier;
    hkt_queue *queue;
    hkt_future *futures[2];
    hkt_as_completed *iterator;
    hkt_task_group group;
    atomic_int ran;
    int notified, pipe[2];
    int item;
};

struct race {
    void (*open)(struct round *);    /* by the main task, before all; NULL: nothing */
    void (*prepare)(struct round *); /* by who completes, before the call; NULL: nothing */
    int (*call)(struct round *);
    int (*complete)(struct round *);
    void (*check)(struct round *); /* by the main task, when all have ended */
    int success;                   /* what the call returns then */
};

/* A moment of chance: turns of the loop in a task of it, time on another thread. */
static inline void dally(struct test_random *random)
{
    if (hkt_loop_running() == NULL)
        await_spinning(random_seconds(random, 4e-5));
    else
        for (uint64_t i = random_below(random, 4); i > 0; i--)
            CHECK_EQ(hkt_yield(), 0);
}

static inline int be_caller(void *arg)
{
    struct round *round = arg;
    hkt_scope shield;
    hkt_deadline none = { 0 };
    hkt_scope_enter(&round->scope, &(hkt_scope_options){ .deadline = round->cancels == BY_DEADLINE
                                                                         ? hkt_after(round->spin)
                                                                         : none });
    hkt_event_set(&round->entered);
    hkt_scope_enter(&shield, &(hkt_scope_options){ .shield = true });
    for (unsigned i = 0; i < round->yields; i++)
        CHECK_EQ(hkt_yield(), 0);
    hkt_scope_leave(&shield);
    round->result = round->race->call(round);
    hkt_scope_leave(&round->scope);
    return 0;
}

static inline int be_completer(void *arg)
{
    struct round *round = arg;
    if (round->race->prepare)
        round->race->prepare(round);
    hkt_event_set(&round->ready);
    CHECK_EQ(hkt_event_wait(&round->entered), 0);
    dally(&round->of_completer);
    round->completed = round->race->complete(round);
    return 0;
}

static inline int be_canceller(void *arg)
{
    struct round *round = arg;
    CHECK_EQ(hkt_event_wait(&round->entered), 0);
    dally(&round->of_canceller);
    if (round->cancels == BY_TASK)
        (void)hkt_future_request_cancel(round->caller);
    else if (round->cancels == BY_SCOPE)
        hkt_scope_cancel(&round->scope);
    return 0;
}

struct course {
    const struct race *race;
    hkt_executor *others;
    struct test_random random;
    long rounds, completed, cancelled;
};

static inline void run_round(struct course *course)
{
    struct round *round = calloc(1, sizeof *round); /* fresh memory, for sanitizers to see */
    struct test_random *random = &course->random;
    hkt_executor *here = hkt_executor_current();
    round->race = course->race;
    round->others = course->others;
    round->of_completer.state = random_next(random);
    round->of_canceller.state = random_next(random);
    round->yields = (unsigned)random_below(random, 3);
    round->spin = random_seconds(random, 1e-4);
    round->cancels = (int)random_below(random, CANCELS);
    if (round->race->open)
        round->race->open(round);
    round->completer = must_submit(random_below(random, 2) ? here : round->others, be_completer,
                                   round);
    CHECK_EQ(hkt_event_wait(&round->ready), 0);
    round->caller = must_submit(here, be_caller, round);
    CHECK_EQ(hkt_event_wait(&round->entered), 0);
    round->canceller = must_submit(random_below(random, 2) ? here : round->others, be_canceller,
                                   round);
    CHECK_EQ(hkt_future_wait(round->caller), 0);
    CHECK_EQ(hkt_future_finish(round->canceller), 0);
    CHECK_EQ(hkt_future_finish(round->completer), 0);
    CHECK_EQ(hkt_future_finish(round->caller), 0);
    if (round->result != -ECANCELED)
        CHECK_EQ(round->result, round->race->success);
    course->completed += round->result != -ECANCELED;
    course->cancelled += round->result == -ECANCELED;
    round->race->check(round);
    free(round);
}

static inline int run_course(void *arg)
{
    struct course *course = arg;
    for (long i = 0; i < course->rounds; i++)
        run_round(course);
    return 0;
}

static inline void race(const struct race *race)
{
    struct course course = { .race = race, .random = random_of(0), .others = must_pool(3) };
    course.rounds = test_scaled(1000);
    CHECK_EQ(hkt_run(run_course, &course), 0);
    hkt_executor_destroy(course.others);
    CHECK_EQ(course.completed + course.cancelled, course.rounds);
    printf("%ld were completed, %ld cancelled\n", course.completed, course.cancelled);
    check_finalized();
}

#endif
