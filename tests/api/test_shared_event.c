/* SPDX-License-Identifier: MIT */
/* hkt_shared_event: set, cleared and waited for by threads and processes, some of them killed. */
#include <hocket/shared_event.h>

#include "caller.h"
#include "shared_tests.h"

#define WAITERS 4

struct signal {
    hkt_shared_event event, back;
    hkt_deadline deadline;
    atomic_int ready, released;
    long turns;
};

static int wait_until(void *arg)
{
    struct signal *signal = arg;
    int err = hkt_shared_event_wait_until(&signal->event, signal->deadline);
    CHECK(err != -ETIMEDOUT || hkt_deadline_passed(signal->deadline));
    if (err == 0)
        atomic_fetch_add(&signal->released, 1);
    return err;
}

TEST(it_is_set_and_cleared)
{
    struct signal *signal = shared_new(sizeof *signal);
    CHECK(!hkt_shared_event_is_set(&signal->event));
    hkt_shared_event_clear(&signal->event);
    for (int i = 0; i < 2; i++) {
        hkt_shared_event_set(&signal->event);
        CHECK(hkt_shared_event_is_set(&signal->event));
        CHECK_EQ(hkt_shared_event_wait(&signal->event), 0);
        CHECK_EQ(hkt_shared_event_wait_until(&signal->event, hkt_after(0)), 0);
    }
    hkt_shared_event_clear(&signal->event);
    CHECK(!hkt_shared_event_is_set(&signal->event));
    CHECK_EQ(hkt_shared_event_wait_until(&signal->event, hkt_after(0)), -ETIMEDOUT);
    shared_end(signal);
}

TEST(who_waited_is_released_even_if_it_is_cleared_at_once)
{
    struct signal *signal = shared_new(sizeof *signal);
    struct caller waiters[WAITERS];
    for (int i = 0; i < WAITERS; i++)
        caller_start_waiting(&waiters[i], wait_until, signal, &signal->event);
    hkt_shared_event_set(&signal->event);
    hkt_shared_event_clear(&signal->event);
    for (int i = 0; i < WAITERS; i++)
        CHECK_EQ(caller_end(&waiters[i]), 0);
    CHECK_EQ(hkt_shared_event_wait_until(&signal->event, hkt_after(0)), -ETIMEDOUT);
    shared_end(signal);
}

TEST(a_wait_ends_at_its_deadline_and_not_before)
{
    struct signal *signal = shared_new(sizeof *signal);
    double begin = hkt_monotonic();
    signal->deadline = hkt_after(0.03);
    CHECK_EQ(call_elsewhere(wait_until, signal), -ETIMEDOUT);
    CHECK(hkt_monotonic() - begin >= 0.03);
    shared_end(signal);
}

TEST(a_wait_is_cancelled)
{
    struct signal *signal = shared_new(sizeof *signal);
    struct caller waiter;
    caller_start_waiting(&waiter, wait_until, signal, &signal->event);
    caller_cancel(&waiter);
    CHECK_EQ(caller_end(&waiter), -ECANCELED);
    hkt_shared_event_set(&signal->event);
    CHECK_EQ(call_cancelled(wait_until, signal), -ECANCELED);
    signal->deadline = hkt_after(0);
    CHECK_EQ(call_cancelled(wait_until, signal), 0);
    shared_end(signal);
}

static int answer(void *arg)
{
    struct signal *signal = ((struct member *)arg)->shared;
    for (long turn = 0; turn < signal->turns; turn++) {
        if (hkt_shared_event_wait(&signal->event) < 0)
            return 1;
        hkt_shared_event_clear(&signal->event);
        hkt_shared_event_set(&signal->back);
    }
    return 0;
}

TEST(two_processes_call_each_other)
{
    struct signal *signal = shared_new(sizeof *signal);
    signal->turns = test_scaled(2000);
    hkt_process *other = member_start(answer, signal, 0);
    for (long turn = 0; turn < signal->turns; turn++) {
        hkt_shared_event_set(&signal->event);
        CHECK_EQ(hkt_shared_event_wait_until(&signal->back, hkt_after(20)), 0);
        hkt_shared_event_clear(&signal->back);
    }
    CHECK_EQ(member_end(other), 0);
    shared_end(signal);
}

static int wait_in_a_process(void *arg)
{
    struct signal *signal = ((struct member *)arg)->shared;
    atomic_fetch_add(&signal->ready, 1);
    return wait_until(signal) < 0;
}

TEST_TIMEOUT(waiters_that_are_killed_harm_nobody, 120)
{
    struct signal *signal = shared_new(sizeof *signal);
    struct test_random random = random_of(0);
    for (long round = test_scaled(70); round > 0; round--) {
        hkt_process *waiters[WAITERS];
        atomic_store(&signal->ready, 0);
        atomic_store(&signal->released, 0);
        hkt_shared_event_clear(&signal->event);
        for (int i = 0; i < WAITERS; i++)
            waiters[i] = member_start(wait_in_a_process, signal, i);
        AWAIT(atomic_load(&signal->ready) == WAITERS);
        rest(&random, 0.0005);
        bool late = random_below(&random, 2);
        if (late)
            hkt_shared_event_set(&signal->event);
        for (int i = 0; i < WAITERS - 1; i++)
            member_kill(waiters[i]);
        hkt_shared_event_set(&signal->event);
        CHECK_EQ(member_end(waiters[WAITERS - 1]), 0);
        CHECK(late || atomic_load(&signal->released) == 1);
    }
    shared_end(signal);
}
