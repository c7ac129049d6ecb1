/* SPDX-License-Identifier: MIT */
/* hkt_event: a flag that can be waited for, and who waited is released. */
#include <hocket/event.h>
#include <sched.h>
#include <stdlib.h>

#include "caller.h"
#include "random.h"
#include "test.h"

struct moment {
    hkt_event event;
    hkt_deadline deadline;
};

static int wait_plain(void *event)
{
    return hkt_event_wait(event);
}

static int wait_until(void *arg)
{
    struct moment *moment = arg;
    int err = hkt_event_wait_until(&moment->event, moment->deadline);
    CHECK(err != -ETIMEDOUT || hkt_deadline_passed(moment->deadline));
    return err;
}

TEST(all_zero_is_an_event_that_is_not_set)
{
    static hkt_event event;
    CHECK(!hkt_event_is_set(&event));
    CHECK_EQ(hkt_event_wait_until(&event, hkt_after(0)), -ETIMEDOUT);
}

TEST(is_set_tells_what_set_and_clear_did)
{
    hkt_event event = { 0 };
    for (int i = 0; i < 3; i++) {
        hkt_event_set(&event);
        CHECK(hkt_event_is_set(&event));
        hkt_event_set(&event);
        CHECK(hkt_event_is_set(&event));
        hkt_event_clear(&event);
        CHECK(!hkt_event_is_set(&event));
        hkt_event_clear(&event);
        CHECK(!hkt_event_is_set(&event));
    }
}

TEST(a_wait_for_a_set_event_returns_at_once)
{
    hkt_event event = { 0 };
    hkt_event_set(&event);
    CHECK_EQ(hkt_event_wait(&event), 0);
    CHECK_EQ(hkt_event_wait_until(&event, hkt_after(0)), 0);
    CHECK_EQ(hkt_event_wait_until(&event, hkt_after(-1)), 0);
    CHECK_EQ(hkt_event_wait_until(&event, (hkt_deadline){ 0 }), 0);
    CHECK(hkt_event_is_set(&event));
}

TEST(set_releases_all_who_wait)
{
    struct moment moment = { { { 0 } }, hkt_after(1000) };
    struct caller waiters[8];
    for (int i = 0; i < 8; i++)
        caller_start(&waiters[i], i % 2 ? wait_plain : wait_until, &moment);
    for (int i = 0; i < 8; i++)
        await_state(waiters[i].thread, i % 2 ? HKT_THREAD_BLOCKED : HKT_THREAD_TIMED_WAITING);
    hkt_event_set(&moment.event);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(caller_end(&waiters[i]), 0);
}

TEST(who_waited_is_released_even_if_it_is_cleared_right_after)
{
    hkt_event event = { 0 };
    for (long round = test_scaled(200); round > 0; round--) {
        struct caller waiters[4];
        for (int i = 0; i < 4; i++)
            caller_start_waiting(&waiters[i], wait_plain, &event, &event);
        hkt_event_set(&event);
        hkt_event_clear(&event);
        for (int i = 0; i < 4; i++)
            CHECK_EQ(caller_end(&waiters[i]), 0);
        CHECK(!hkt_event_is_set(&event));
    }
}

TEST(who_comes_after_the_clear_waits_for_the_next_set)
{
    struct moment moment = { { { 0 } }, hkt_after(0.01) };
    struct caller waiter;
    hkt_event_set(&moment.event);
    hkt_event_clear(&moment.event);
    CHECK_EQ(wait_until(&moment), -ETIMEDOUT);
    caller_start_waiting(&waiter, wait_plain, &moment.event, &moment.event);
    hkt_event_set(&moment.event);
    CHECK_EQ(caller_end(&waiter), 0);
}

TEST(a_wait_for_an_event_ends_at_its_deadline_and_not_before)
{
    struct moment moment = { { { 0 } }, hkt_after(0.03) };
    double begin = hkt_monotonic();
    CHECK_EQ(wait_until(&moment), -ETIMEDOUT);
    CHECK(hkt_monotonic() - begin < 10);
    CHECK_EQ(hkt_event_wait_until(&moment.event, hkt_after(0)), -ETIMEDOUT);
    hkt_event_set(&moment.event);
    CHECK_EQ(hkt_event_wait_until(&moment.event, moment.deadline), 0);
}

TEST(a_cancelled_wait_for_an_event_leaves_the_others)
{
    struct moment moment = { { { 0 } }, { 0 } };
    struct caller cancelled, other;
    caller_start_waiting(&cancelled, wait_plain, &moment, &moment);
    caller_start_waiting(&other, wait_until, &moment, &moment);
    caller_cancel(&cancelled);
    CHECK_EQ(caller_end(&cancelled), -ECANCELED);
    CHECK(waits_for(other.thread, &moment));
    hkt_event_set(&moment.event);
    CHECK_EQ(caller_end(&other), 0);
}

TEST(in_an_ended_scope_a_wait_is_cancelled_even_if_the_event_is_set)
{
    struct moment moment = { { { 0 } }, { 0 } };
    CHECK_EQ(call_cancelled(wait_plain, &moment), -ECANCELED);
    hkt_event_set(&moment.event);
    CHECK_EQ(call_cancelled(wait_plain, &moment), -ECANCELED);
    CHECK_EQ(call_cancelled(wait_until, &moment), -ECANCELED);
}

TEST(in_an_ended_scope_a_look_at_an_event_is_not_cancelled)
{
    struct moment moment = { { { 0 } }, hkt_after(0) };
    CHECK_EQ(call_cancelled(wait_until, &moment), -ETIMEDOUT);
    hkt_event_set(&moment.event);
    CHECK_EQ(call_cancelled(wait_until, &moment), 0);
}

/* One sets and clears all the time: whoever waits sees it in the end. */
struct flicker {
    hkt_event event;
    atomic_int waiting;
    long turns;
};

static int wait_often(void *arg)
{
    struct flicker *flicker = arg;
    for (long turn = 0; turn < flicker->turns; turn++)
        CHECK_EQ(hkt_event_wait(&flicker->event), 0);
    atomic_fetch_sub(&flicker->waiting, 1);
    return 0;
}

TEST(a_flickering_event_is_seen_by_all_who_wait)
{
    struct flicker flicker = { .waiting = 3, .turns = test_scaled(3000) };
    struct caller waiters[3];
    for (int i = 0; i < 3; i++)
        caller_start(&waiters[i], wait_often, &flicker);
    while (atomic_load(&flicker.waiting) > 0) {
        hkt_event_set(&flicker.event);
        hkt_event_clear(&flicker.event);
    }
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&waiters[i]), 0);
}

/* Two threads, two events: the one answers the other, and what each wrote is seen. */
struct rally {
    hkt_event ping, pong;
    long turns;
    long ball;
};

static int answer(void *arg)
{
    struct rally *rally = arg;
    for (long turn = 0; turn < rally->turns; turn++) {
        CHECK_EQ(hkt_event_wait(&rally->ping), 0);
        hkt_event_clear(&rally->ping);
        CHECK_EQ(rally->ball, 2 * turn + 1);
        rally->ball++;
        hkt_event_set(&rally->pong);
    }
    return 0;
}

TEST(two_threads_answer_each_other)
{
    struct rally rally = { .turns = test_scaled(5000) };
    struct caller other;
    caller_start(&other, answer, &rally);
    for (long turn = 0; turn < rally.turns; turn++) {
        rally.ball++;
        hkt_event_set(&rally.ping);
        CHECK_EQ(hkt_event_wait(&rally.pong), 0);
        hkt_event_clear(&rally.pong);
        CHECK_EQ(rally.ball, 2 * turn + 2);
    }
    CHECK_EQ(caller_end(&other), 0);
}

/* One set for each wait, at any moment of it. */
struct meeting {
    hkt_event *event;                 /* that of the round */
    atomic_long waiter_at, setter_at; /* rounds begun */
    long rounds;
    bool fleeting; /* who has waited frees it at once */
    struct test_random random;
};

static int wait_once_a_round(void *arg)
{
    struct meeting *meeting = arg;
    hkt_event lasting = { 0 };
    for (long round = 1; round <= meeting->rounds; round++) {
        meeting->event = meeting->fleeting ? calloc(1, sizeof lasting) : &lasting;
        CHECK(meeting->event);
        atomic_store(&meeting->waiter_at, round);
        while (atomic_load(&meeting->setter_at) < round)
            sched_yield();
        CHECK_EQ(hkt_event_wait(meeting->event), 0);
        if (meeting->fleeting)
            free(meeting->event);
        hkt_event_clear(&lasting);
    }
    return 0;
}

static int set_once_a_round(void *arg)
{
    struct meeting *meeting = arg;
    for (long round = 1; round <= meeting->rounds; round++) {
        while (atomic_load(&meeting->waiter_at) < round)
            sched_yield();
        hkt_event *event = meeting->event;
        atomic_store(&meeting->setter_at, round);
        for (uint64_t i = random_below(&meeting->random, 200); i > 0; i--)
            atomic_load(&meeting->waiter_at); /* some nanoseconds */
        hkt_event_set(event);
    }
    return 0;
}

TEST_TIMEOUT(a_set_at_any_moment_is_seen, 60)
{
    struct meeting meeting = { .rounds = test_scaled(50000), .random = random_of(0) };
    struct caller waiter;
    caller_start(&waiter, wait_once_a_round, &meeting);
    CHECK_EQ(set_once_a_round(&meeting), 0);
    CHECK_EQ(caller_end(&waiter), 0);
}

/* As a join does, while the setter may still be on its way out. */
TEST_TIMEOUT(who_has_waited_may_free_the_event_at_once, 60)
{
    struct meeting meeting = { .rounds = test_scaled(50000),
                               .fleeting = true,
                               .random = random_of(0) };
    struct caller waiter;
    caller_start(&waiter, wait_once_a_round, &meeting);
    CHECK_EQ(set_once_a_round(&meeting), 0);
    CHECK_EQ(caller_end(&waiter), 0);
}
