/* SPDX-License-Identifier: MIT */
/* hocket/timer.h: a call later, unless it is cancelled before. */
#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>

#include "waits.h"

struct called {
    double at;
    atomic_int count;
    uint64_t ident;
    bool daemon;
};

static int be_called(void *arg)
{
    struct called *called = arg;
    called->at = hkt_monotonic();
    called->ident = hkt_ident();
    called->daemon = hkt_thread_daemon(hkt_thread_current());
    called->count++;
    return 0;
}

TEST(the_function_is_called_once_after_the_time)
{
    struct called called = { 0 };
    hkt_timer *timer;
    double before = hkt_monotonic();
    CHECK_EQ(hkt_timer_start(&timer, 0.03, be_called, &called), 0);
    CHECK_EQ(hkt_timer_join(timer), 0);
    double after = hkt_monotonic();
    CHECK_EQ(called.count, 1);
    CHECK(called.at >= before + 0.03 - 1e-6);
    CHECK(after - before < SOON);
    CHECK(called.ident != hkt_ident()); /* a thread of its own */
    CHECK(!called.daemon);
    hkt_timer_destroy(timer);
}

TEST(no_time_is_called_at_once)
{
    const double shorts[] = { 0, -1, -INFINITY, 1e-12 };
    for (size_t i = 0; i < sizeof shorts / sizeof *shorts; i++) {
        struct called called = { 0 };
        hkt_timer *timer;
        CHECK_EQ(hkt_timer_start(&timer, shorts[i], be_called, &called), 0);
        CHECK_EQ(hkt_timer_join(timer), 0);
        CHECK_EQ(called.count, 1);
        hkt_timer_destroy(timer);
    }
}

TEST(nan_is_refused)
{
    hkt_timer *timer = NULL;
    struct called called = { 0 };
    CHECK_EQ(hkt_timer_start(&timer, NAN, be_called, &called), -EINVAL);
    CHECK(timer == NULL);
    CHECK_EQ(hkt_thread_active_count(), 1);
    CHECK_EQ(hkt_allocation_count(), 0);
}

TEST(a_cancelled_timer_is_not_called)
{
    const double times[] = { 1000, INFINITY, 9.3e9 };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct called called = { 0 };
        hkt_timer *timer;
        CHECK_EQ(hkt_timer_start(&timer, times[i], be_called, &called), 0);
        hkt_timer_cancel(timer);
        hkt_timer_cancel(timer); /* again is fine */
        CHECK_EQ(hkt_timer_join(timer), 0);
        CHECK_EQ(hkt_timer_join(timer), 0);
        hkt_timer_cancel(timer);
        CHECK_EQ(called.count, 0);
        hkt_timer_destroy(timer);
        CHECK_EQ(hkt_allocation_count(), 0);
    }
}

static int wait_for_event(void *event)
{
    return hkt_event_wait(event);
}

TEST(a_cancel_after_the_call_began_does_nothing)
{
    hkt_event event = { 0 };
    hkt_timer *timer;
    hkt_thread_info infos[4];
    CHECK_EQ(hkt_timer_start(&timer, 0, wait_for_event, &event), 0);
    AWAIT(hkt_thread_enumerate(infos, 4) == 2 && infos[1].object == &event);
    hkt_timer_cancel(timer);
    hkt_timer_cancel(timer);
    CHECK_EQ(hkt_thread_active_count(), 2); /* it goes on */
    hkt_event_set(&event);
    CHECK_EQ(hkt_timer_join(timer), 0);
    hkt_timer_destroy(timer);
}

TEST(a_join_can_be_cancelled)
{
    struct called called = { 0 };
    hkt_timer *timer;
    hkt_scope scope;
    CHECK_EQ(hkt_timer_start(&timer, 1000, be_called, &called), 0);
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.01) });
    CHECK_EQ(hkt_timer_join(timer), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    hkt_timer_cancel(timer);
    CHECK_EQ(hkt_timer_join(timer), 0);
    hkt_timer_destroy(timer);
}

TEST(without_its_handle_the_call_is_still_made)
{
    static struct called called;
    hkt_timer *timer;
    CHECK_EQ(hkt_timer_start(&timer, 0.01, be_called, &called), 0);
    hkt_timer_destroy(timer);
    AWAIT(called.count == 1);
    CHECK_EQ(hkt_join_all(), 0);
    CHECK_EQ(hkt_allocation_count(), 0);
}

TEST(without_its_handle_a_cancelled_call_is_not_made)
{
    static struct called called;
    hkt_timer *timer;
    CHECK_EQ(hkt_timer_start(&timer, 1000, be_called, &called), 0);
    hkt_timer_cancel(timer);
    hkt_timer_destroy(timer);
    CHECK_EQ(hkt_join_all(), 0); /* its thread ends now */
    CHECK_EQ(called.count, 0);
    CHECK_EQ(hkt_allocation_count(), 0);
}

TEST(timers_fire_in_the_order_of_their_times)
{
    struct called called[5] = { 0 };
    hkt_timer *timers[5];
    for (int i = 0; i < 5; i++)
        CHECK_EQ(hkt_timer_start(&timers[i], 0.25 - 0.05 * i, be_called, &called[i]), 0);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(hkt_timer_join(timers[i]), 0);
        hkt_timer_destroy(timers[i]);
    }
    /* Each is late by chance, but none early; so the first to be due was called first, or the
     * machine stood still for 50 ms between them. */
    for (int i = 0; i < 5; i++)
        CHECK_EQ(called[i].count, 1);
    CHECK(called[4].at < called[0].at);
}

static int cancel_own(void *arg)
{
    hkt_timer *_Atomic *timer = arg;
    hkt_timer *self;
    AWAIT((self = *timer) != NULL);
    hkt_timer_cancel(self);
    CHECK_EQ(hkt_timer_join(self), -EDEADLK);
    hkt_timer_destroy(self);
    return 0;
}

TEST(a_function_may_cancel_and_destroy_its_timer)
{
    static hkt_timer *_Atomic shared;
    hkt_timer *timer;
    CHECK_EQ(hkt_timer_start(&timer, 0, cancel_own, &shared), 0);
    shared = timer;
    CHECK_EQ(hkt_join_all(), 0);
    CHECK_EQ(hkt_allocation_count(), 0);
}

TEST_TIMEOUT(a_cancel_races_with_the_call, 60)
{
    for (long i = 0; i < test_scaled(1000); i++) {
        struct called called = { 0 };
        hkt_timer *timer;
        CHECK_EQ(hkt_timer_start(&timer, 0.00005, be_called, &called), 0);
        if (i % 2)
            CHECK_EQ(hkt_sleep(0.00005), 0);
        hkt_timer_cancel(timer);
        int before = called.count;
        CHECK_EQ(hkt_timer_join(timer), 0);
        CHECK(called.count >= before && called.count <= 1);
        hkt_timer_destroy(timer);
    }
    CHECK_EQ(hkt_allocation_count(), 0);
}

static atomic_int failures, last_err;

static void note_failure(hkt_thread *thread, int err, const char *sentence)
{
    (void)thread;
    (void)sentence;
    failures++;
    last_err = err;
}

static int fail_as_told(void *arg)
{
    return *(int *)arg;
}

TEST(a_failing_function_is_reported_as_of_any_thread)
{
    const int errors[] = { -EIO, -ETIMEDOUT, -EBUSY };
    hkt_thread_set_excepthook(note_failure);
    for (int i = 0; i < 3; i++) {
        int err = errors[i];
        hkt_timer *timer;
        CHECK_EQ(hkt_timer_start(&timer, 0, fail_as_told, &err), 0);
        CHECK_EQ(hkt_timer_join(timer), 0); /* the join went well */
        hkt_timer_destroy(timer);
        CHECK_EQ(failures, i + 1);
        CHECK_EQ(last_err, errors[i]);
    }
}

static int start_timer(void *arg)
{
    hkt_timer *timer;
    CHECK_EQ(hkt_timer_start(&timer, 0, be_called, arg), 0);
    CHECK_EQ(hkt_timer_join(timer), 0);
    hkt_timer_destroy(timer);
    return 0;
}

TEST(the_thread_of_a_timer_is_a_daemon_if_its_creator_is)
{
    struct called called = { 0 };
    must_join(must_spawn(start_timer, &called, &(hkt_thread_options){ .daemon = HKT_DAEMON_YES }));
    CHECK(called.daemon);
}
