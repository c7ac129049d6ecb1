/* SPDX-License-Identifier: MIT */
/* hocket/scheduler.h: calls at their time, by who runs it. */
#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "caller.h"
#include "waits.h"

static hkt_scheduler *must_create(void)
{
    hkt_scheduler *scheduler;
    CHECK_EQ(hkt_scheduler_create(&scheduler), 0);
    CHECK(hkt_scheduler_empty(scheduler));
    return scheduler;
}

static void destroy(hkt_scheduler *scheduler)
{
    hkt_scheduler_destroy(scheduler);
    CHECK_EQ(hkt_allocation_count(), 0);
}

/* What was called, in order. */
static struct {
    int id[100];
    double at[100];
    atomic_int count;
} called;

static int ids[100];

static int note(void *arg)
{
    int n = called.count;
    called.id[n] = (int)((int *)arg - ids);
    called.at[n] = hkt_monotonic();
    called.count++;
    return 0;
}

static uint64_t enter(hkt_scheduler *scheduler, double delay, int priority, int id)
{
    uint64_t event = 0;
    CHECK_EQ(hkt_scheduler_enter(scheduler, delay, priority, note, &ids[id], &event), 0);
    CHECK(event != 0);
    return event;
}

static uint64_t enter_at(hkt_scheduler *scheduler, hkt_deadline when, int priority, int id)
{
    uint64_t event = 0;
    CHECK_EQ(hkt_scheduler_enter_at(scheduler, when, priority, note, &ids[id], &event), 0);
    return event;
}

static void check_called(const char *order)
{
    for (int i = 0; i < called.count; i++)
        CHECK_EQ(called.id[i], i < (int)strlen(order) ? order[i] - '0' : -1);
    CHECK_EQ(called.count, strlen(order));
}

TEST(an_empty_one_is_done_at_once)
{
    hkt_scheduler *scheduler = must_create();
    double next = 0;
    CHECK_EQ(hkt_scheduler_run(scheduler), 0);
    CHECK_EQ(hkt_scheduler_run_nowait(scheduler, &next), 0);
    CHECK(next == (double)INFINITY);
    CHECK_EQ(hkt_scheduler_run_nowait(scheduler, NULL), 0);
    destroy(scheduler);
    hkt_scheduler_destroy(NULL);
}

TEST(nothing_is_called_before_its_time)
{
    hkt_scheduler *scheduler = must_create();
    double begin = hkt_monotonic();
    enter(scheduler, 0.06, 0, 2);
    enter(scheduler, 0.02, 0, 0);
    enter(scheduler, 0.04, 0, 1);
    CHECK_EQ(hkt_scheduler_size(scheduler), 3);
    CHECK_EQ(called.count, 0);
    CHECK_EQ(hkt_scheduler_run(scheduler), 0);
    check_called("012");
    for (int i = 0; i < 3; i++)
        CHECK(called.at[i] - begin >= 0.02 * (i + 1) - 1e-6);
    CHECK(hkt_monotonic() - begin < SOON);
    CHECK(hkt_scheduler_empty(scheduler));
    destroy(scheduler);
}

TEST(of_the_same_time_the_lower_priority_is_first_then_the_order_of_entering)
{
    hkt_scheduler *scheduler = must_create();
    hkt_deadline when = hkt_after(0.01);
    enter_at(scheduler, when, 1, 3);
    enter_at(scheduler, when, 2, 6);
    enter_at(scheduler, when, -5, 0);
    enter_at(scheduler, when, 1, 4);
    enter_at(scheduler, when, 0, 1);
    enter_at(scheduler, when, 1, 5);
    enter_at(scheduler, when, 0, 2);
    CHECK_EQ(hkt_scheduler_run(scheduler), 0);
    check_called("0123456");
    CHECK(called.at[0] >= (double)when.ns / 1e9 - 1e-6);
    destroy(scheduler);
}

TEST(times_that_have_passed_are_due_in_their_order)
{
    hkt_scheduler *scheduler = must_create();
    hkt_deadline soon = hkt_after(0.000001);
    await_time(hkt_monotonic() + 0.001);
    enter(scheduler, 0, 9, 5);
    enter(scheduler, -1, 9, 3);
    enter(scheduler, -2, 9, 2);
    enter(scheduler, -INFINITY, 9, 0);
    enter(scheduler, -1e300, 9, 1);
    enter_at(scheduler, soon, 9, 4);
    CHECK_EQ(hkt_sleep(0.000001), 0);
    enter_at(scheduler, hkt_after(0), 0, 6); /* now: not before those that wait for longer */
    CHECK_EQ(hkt_scheduler_run(scheduler), 0);
    check_called("0123456");
    destroy(scheduler);
}

TEST(what_makes_no_sense_is_refused)
{
    hkt_scheduler *scheduler = must_create();
    uint64_t event = 4711;
    CHECK_EQ(hkt_scheduler_enter(scheduler, NAN, 0, note, NULL, &event), -EINVAL);
    CHECK_EQ(hkt_scheduler_enter(scheduler, 1, 0, NULL, NULL, &event), -EINVAL);
    CHECK_EQ(hkt_scheduler_enter_at(scheduler, hkt_after(1), 0, NULL, NULL, &event), -EINVAL);
    CHECK_EQ(event, 4711);
    CHECK_EQ(hkt_scheduler_cancel(scheduler, 0), -ENOENT);
    CHECK_EQ(hkt_scheduler_cancel(scheduler, UINT64_MAX), -ENOENT);
    CHECK_EQ(hkt_scheduler_cancel(scheduler, UINT64_C(1) << 32), -ENOENT);
    CHECK(hkt_scheduler_empty(scheduler));
    destroy(scheduler);
}

TEST(a_cancelled_one_is_not_called)
{
    hkt_scheduler *scheduler = must_create();
    hkt_deadline when = hkt_after(0.01);
    uint64_t events[9];
    for (int i = 0; i < 9; i++) /* all equal */
        events[i] = enter_at(scheduler, when, 0, i);
    CHECK_EQ(hkt_scheduler_cancel(scheduler, events[4]), 0);
    CHECK_EQ(hkt_scheduler_cancel(scheduler, events[0]), 0);
    CHECK_EQ(hkt_scheduler_cancel(scheduler, events[8]), 0);
    CHECK_EQ(hkt_scheduler_cancel(scheduler, events[4]), -ENOENT); /* not twice */
    CHECK_EQ(hkt_scheduler_size(scheduler), 6);
    uint64_t late = enter(scheduler, 1000, 0, 9); /* in one of their places, perhaps */
    CHECK_EQ(hkt_scheduler_cancel(scheduler, events[4]), -ENOENT);
    CHECK_EQ(hkt_scheduler_cancel(scheduler, events[8]), -ENOENT);
    CHECK_EQ(hkt_scheduler_cancel(scheduler, late), 0);
    CHECK_EQ(hkt_scheduler_run(scheduler), 0);
    check_called("123567");
    for (int i = 0; i < 9; i++)
        CHECK_EQ(hkt_scheduler_cancel(scheduler, events[i]), -ENOENT);
    destroy(scheduler);
}

TEST(a_number_is_not_used_again)
{
    hkt_scheduler *scheduler = must_create();
    uint64_t before[1000];
    for (int i = 0; i < 1000; i++) {
        before[i] = enter(scheduler, 1000, 0, 0);
        for (int k = 0; k < i; k++)
            CHECK(before[k] != before[i]);
        if (i % 3)
            CHECK_EQ(hkt_scheduler_cancel(scheduler, before[i]), 0);
    }
    CHECK_EQ(hkt_scheduler_size(scheduler), 334);
    destroy(scheduler); /* what is in it is dropped */
    CHECK_EQ(called.count, 0);
}

static int fail(void *arg)
{
    note(arg);
    return -EIO;
}

TEST(a_failing_action_ends_the_run_and_the_rest_stays)
{
    hkt_scheduler *scheduler = must_create();
    double next = 0;
    enter(scheduler, -3, 0, 0);
    CHECK_EQ(hkt_scheduler_enter(scheduler, -2, 0, fail, &ids[1], NULL), 0);
    enter(scheduler, -1, 0, 2);
    CHECK_EQ(hkt_scheduler_enter(scheduler, -0.5, 0, fail, &ids[3], NULL), 0);
    CHECK_EQ(hkt_scheduler_run(scheduler), -EIO);
    check_called("01");
    CHECK_EQ(hkt_scheduler_size(scheduler), 2);
    CHECK_EQ(hkt_scheduler_run_nowait(scheduler, &next), -EIO);
    check_called("0123");
    CHECK_EQ(hkt_scheduler_run(scheduler), 0);
    CHECK(next == 0);
    destroy(scheduler);
}

TEST(run_nowait_calls_what_is_due_and_says_when_the_next_is)
{
    hkt_scheduler *scheduler = must_create();
    double next = 0;
    enter(scheduler, 0, 0, 0);
    uint64_t event = enter(scheduler, 100, 0, 2);
    enter(scheduler, 0, 0, 1);
    CHECK_EQ(hkt_scheduler_run_nowait(scheduler, &next), 0);
    check_called("01");
    CHECK(next > 100 - SOON && next <= 100);
    CHECK_EQ(hkt_scheduler_cancel(scheduler, event), 0);
    enter_at(scheduler, (hkt_deadline){ 0 }, 0, 3); /* never */
    enter(scheduler, INFINITY, 0, 3);
    enter(scheduler, 1e300, 0, 3);
    CHECK_EQ(hkt_scheduler_run_nowait(scheduler, &next), 0);
    CHECK(next == (double)INFINITY);
    CHECK_EQ(hkt_scheduler_size(scheduler), 3);
    check_called("01");
    destroy(scheduler);
}

/* Actions that enter, cancel, and run. */
static hkt_scheduler *current;
static uint64_t victim;

static int enter_more(void *arg)
{
    note(arg);
    CHECK_EQ(hkt_scheduler_run(current), -EBUSY);
    CHECK_EQ(hkt_scheduler_run_nowait(current, NULL), -EBUSY);
    CHECK_EQ(hkt_scheduler_cancel(current, victim), 0);
    CHECK_EQ(hkt_scheduler_cancel(current, victim), -ENOENT);
    enter(current, 0, 0, 2);
    enter(current, 0.01, 0, 4);
    enter(current, -1000, 0, 1);
    return 5; /* no failure */
}

static int cancel_itself(void *arg)
{
    note(arg);
    CHECK_EQ(hkt_scheduler_cancel(current, victim), -ENOENT); /* it is being called */
    return 0;
}

TEST(actions_may_enter_and_cancel)
{
    current = must_create();
    victim = enter(current, 1000, 0, 9);
    CHECK_EQ(hkt_scheduler_enter(current, 0, 0, enter_more, &ids[0], NULL), 0);
    enter_at(current, hkt_after(0.000001), 100, 3);
    CHECK_EQ(hkt_scheduler_run(current), 0);
    CHECK_EQ(called.count, 5);
    CHECK_EQ(called.id[0], 0);
    CHECK_EQ(called.id[1], 1); /* 2 and 3 came in the order of their times */
    CHECK_EQ(called.id[4], 4);
    called.count = 0;
    CHECK_EQ(hkt_scheduler_enter(current, 0, 0, cancel_itself, &ids[0], &victim), 0);
    CHECK_EQ(hkt_scheduler_run(current), 0);
    check_called("0");
    destroy(current);
}

static int run_it(void *scheduler)
{
    return hkt_scheduler_run(scheduler);
}

TEST(an_earlier_one_wakes_the_runner)
{
    hkt_scheduler *scheduler = must_create();
    struct caller runner;
    uint64_t late = enter(scheduler, 1000, 0, 9);
    caller_start_waiting(&runner, run_it, scheduler, scheduler);
    double begin = hkt_monotonic();
    enter(scheduler, 0.01, 0, 0);
    AWAIT(called.count == 1);
    CHECK(called.at[0] >= begin + 0.01 - 1e-6 && called.at[0] < begin + SOON);
    await_waiting_for(runner.thread, scheduler);
    enter(scheduler, 2000, 0, 9); /* a later one does not matter */
    enter(scheduler, 0, 0, 1);
    AWAIT(called.count == 2);
    CHECK_EQ(hkt_scheduler_run(scheduler), -EBUSY);
    CHECK_EQ(hkt_scheduler_cancel(scheduler, late), 0);
    await_waiting_for(runner.thread, scheduler);
    caller_cancel(&runner);
    CHECK_EQ(caller_end(&runner), -ECANCELED);
    CHECK_EQ(hkt_scheduler_size(scheduler), 1);
    destroy(scheduler);
}

TEST(the_last_one_cancelled_ends_the_run)
{
    hkt_scheduler *scheduler = must_create();
    struct caller runner;
    const hkt_deadline times[] = { { 0 }, hkt_after(1000) };
    for (int i = 0; i < 2; i++) {
        uint64_t event = enter_at(scheduler, times[i], 0, 0);
        caller_start_waiting(&runner, run_it, scheduler, scheduler);
        CHECK_EQ(hkt_scheduler_cancel(scheduler, event), 0);
        CHECK_EQ(caller_end(&runner), 0);
    }
    check_called("");
    destroy(scheduler);
}

static int enter_itself(void *arg)
{
    note(arg);
    if (called.count == 3)
        hkt_scope_cancel((hkt_scope *)current);
    return 0;
}

TEST(the_end_of_the_scope_ends_the_run)
{
    hkt_scheduler *scheduler = must_create();
    hkt_scope scope;
    double begin = hkt_monotonic();
    enter(scheduler, 0, 0, 0);
    CHECK_EQ(call_cancelled(run_it, scheduler), -ECANCELED);
    check_called("");
    enter(scheduler, 1000, 0, 1);
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.02) });
    CHECK_EQ(hkt_scheduler_run(scheduler), -ECANCELED);
    CHECK(hkt_monotonic() - begin >= 0.02 - 1e-6);
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    check_called("0");
    CHECK_EQ(hkt_scheduler_size(scheduler), 1);
    destroy(scheduler);
}

/* Also if it never comes to wait. */
TEST(the_end_of_the_scope_is_seen_between_actions)
{
    hkt_scheduler *scheduler = must_create();
    hkt_scope scope;
    current = (hkt_scheduler *)&scope;
    for (int i = 0; i < 5; i++)
        CHECK_EQ(hkt_scheduler_enter(scheduler, 0, 0, enter_itself, &ids[i], NULL), 0);
    hkt_scope_enter(&scope, NULL);
    CHECK_EQ(hkt_scheduler_run(scheduler), -ECANCELED);
    check_called("012");
    CHECK_EQ(hkt_scheduler_run_nowait(scheduler, NULL), 0); /* does not wait */
    check_called("01234");
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
    destroy(scheduler);
}

static int destroy_it(void *scheduler)
{
    hkt_scheduler_destroy(scheduler);
    return 0;
}

TEST_ABORTS(one_that_runs_is_not_destroyed, "hkt_scheduler_destroy: scheduler")
{
    hkt_scheduler *scheduler = must_create();
    CHECK_EQ(hkt_scheduler_enter(scheduler, 0, 0, destroy_it, scheduler, NULL), 0);
    (void)hkt_scheduler_run(scheduler);
}

static long calls, fail_from, fail_to;

static void *allocate(void *context, size_t size)
{
    (void)context;
    calls++;
    return calls >= fail_from && calls <= fail_to ? NULL : malloc(size);
}

static void give_back(void *context, void *memory, size_t size)
{
    (void)context;
    memset(memory, 0xa5, size);
    free(memory);
}

TEST(without_memory_what_is_in_it_stays)
{
    const hkt_allocator failing = { allocate, give_back, NULL, { 0 } };
    hkt_scheduler *scheduler = NULL;
    CHECK_EQ(hkt_set_allocator(&failing), 0);
    fail_from = fail_to = 1;
    CHECK_EQ(hkt_scheduler_create(&scheduler), -ENOMEM);
    CHECK(scheduler == NULL);
    for (int allowed = 1; allowed <= 4; allowed++) {
        calls = 0;
        called.count = 0;
        fail_from = allowed + 1;
        fail_to = INT32_MAX;
        scheduler = must_create();
        int count = 0;
        uint64_t event = 0;
        while (hkt_scheduler_enter(scheduler, 0, 0, note, &ids[0], &event) == 0)
            count++;
        CHECK_EQ(count, allowed == 1 ? 0 : 8 << (allowed - 1));
        CHECK_EQ(hkt_scheduler_enter(scheduler, 0, 0, note, ids, NULL), -ENOMEM);
        CHECK_EQ(hkt_scheduler_size(scheduler), count);
        if (count > 0) {
            CHECK_EQ(hkt_scheduler_cancel(scheduler, event), 0);
            enter(scheduler, 0, 0, 0); /* there is room for one again */
            CHECK_EQ(hkt_scheduler_enter(scheduler, 0, 0, note, ids, NULL), -ENOMEM);
        }
        CHECK_EQ(hkt_scheduler_run(scheduler), 0);
        CHECK_EQ(called.count, count);
        fail_to = 0;
        enter(scheduler, 0, 0, 0);
        destroy(scheduler);
    }
}
