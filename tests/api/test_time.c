/* SPDX-License-Identifier: MIT */
/* hocket/time.h: deadlines, the clock, sleeping. Lower bounds are exact; upper ones are for a
 * loaded machine. */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "waits.h"

TEST(infinity_and_huge_are_never)
{
    const double longs[] = { INFINITY, DBL_MAX, 1e300, 1e18, 9.3e9 /* 294 years */ };
    for (size_t i = 0; i < sizeof longs / sizeof *longs; i++) {
        hkt_deadline deadline = hkt_after(longs[i]);
        CHECK_EQ(deadline.ns, 0);
        CHECK(hkt_remaining(deadline) == (double)INFINITY);
        CHECK(!hkt_deadline_passed(deadline));
    }
}

TEST(almost_never_is_a_time)
{
    hkt_deadline deadline = hkt_after(9.0e9); /* 285 years */
    CHECK(deadline.ns > 0);
    CHECK(hkt_remaining(deadline) > 8.9e9);
    CHECK(hkt_remaining(deadline) <= 9.0e9);
    CHECK(!hkt_deadline_passed(deadline));
}

TEST(zero_and_less_have_passed)
{
    const double shorts[] = { 0.0, -0.0, -DBL_MIN, -1e-9, -1, -9.3e9, -1e300, -INFINITY };
    for (size_t i = 0; i < sizeof shorts / sizeof *shorts; i++) {
        hkt_deadline deadline = hkt_after(shorts[i]);
        CHECK(deadline.ns != 0);
        CHECK(hkt_deadline_passed(deadline));
        CHECK(hkt_remaining(deadline) == 0);
    }
}

TEST(the_least_time_passes)
{
    const double leasts[] = { DBL_MIN, 1e-12, 1e-9 };
    for (size_t i = 0; i < sizeof leasts / sizeof *leasts; i++) {
        hkt_deadline deadline = hkt_after(leasts[i]);
        CHECK(deadline.ns != 0);
        AWAIT(hkt_deadline_passed(deadline));
    }
}

TEST(all_zero_is_never)
{
    hkt_deadline never = { 0 };
    CHECK(hkt_remaining(never) == (double)INFINITY);
    CHECK(!hkt_deadline_passed(never));
}

TEST_ABORTS(after_nan_is_misuse, "hkt_after: the number of seconds is NaN")
{
    hkt_after(NAN);
}

TEST_ABORTS(sleeping_nan_is_misuse, "NaN")
{
    hkt_sleep(-NAN);
}

TEST(the_clock_never_goes_back)
{
    double last = hkt_monotonic();
    for (long i = 0; i < test_scaled(200000); i++) {
        double now = hkt_monotonic();
        CHECK(now >= last);
        last = now;
    }
}

TEST(a_deadline_is_so_many_seconds_from_now)
{
    double before = hkt_monotonic();
    hkt_deadline deadline = hkt_after(1000);
    double left = hkt_remaining(deadline);
    double after = hkt_monotonic();
    CHECK(left <= 1000);
    CHECK(left >= 1000 - (after - before) - 1e-6);
    CHECK((double)deadline.ns / 1e9 >= before + 1000 - 1e-6);
    CHECK((double)deadline.ns / 1e9 <= after + 1000 + 1e-6);
}

TEST(what_remains_shrinks_to_zero)
{
    hkt_deadline deadline = hkt_after(0.02);
    double last = hkt_remaining(deadline);
    CHECK(last <= 0.02);
    while (last > 0) {
        CHECK(!(hkt_deadline_passed(deadline) && hkt_remaining(deadline) > 0));
        double left = hkt_remaining(deadline);
        CHECK(left >= 0 && left <= last);
        last = left;
    }
    CHECK(hkt_deadline_passed(deadline));
}

TEST(a_sleep_is_never_too_short)
{
    srand48((long)test_seed());
    for (long i = 0; i < test_scaled(300); i++) {
        double seconds = drand48() * 0.002;
        double before = hkt_monotonic();
        CHECK_EQ(hkt_sleep(seconds), 0);
        double took = hkt_monotonic() - before;
        CHECK(took >= seconds - 1e-9);
        CHECK(took < SOON);
    }
}

TEST(a_sleep_until_ends_after_its_deadline)
{
    for (long i = 0; i < test_scaled(200); i++) {
        hkt_deadline deadline = hkt_after(0.0005);
        CHECK_EQ(hkt_sleep_until(deadline), 0);
        CHECK(hkt_deadline_passed(deadline));
    }
}

TEST(no_time_is_slept_at_once)
{
    double before = hkt_monotonic();
    for (long i = 0; i < 1000; i++) {
        CHECK_EQ(hkt_sleep(0), 0);
        CHECK_EQ(hkt_sleep(-1), 0);
        CHECK_EQ(hkt_sleep(-INFINITY), 0);
        CHECK_EQ(hkt_sleep_until(hkt_after(0)), 0);
        CHECK_EQ(hkt_sleep_until(hkt_after(-5)), 0);
    }
    CHECK(hkt_monotonic() - before < SOON);
}

TEST(sleeping_until_the_past_is_success)
{
    hkt_deadline past = hkt_after(1e-9);
    AWAIT(hkt_deadline_passed(past));
    double before = hkt_monotonic();
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(hkt_sleep_until(past), 0);
    CHECK(hkt_monotonic() - before < SOON);
}

struct sleeper {
    hkt_scope scope;
    hkt_event entered;
};

static int sleep_for_ever(void *arg)
{
    struct sleeper *sleeper = arg;
    hkt_scope_enter(&sleeper->scope, NULL);
    hkt_event_set(&sleeper->entered);
    int err = hkt_sleep_until((hkt_deadline){ 0 });
    CHECK_EQ(hkt_sleep(INFINITY), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&sleeper->scope), -ECANCELED);
    return err;
}

TEST(a_sleep_for_ever_ends_by_cancel)
{
    static struct sleeper sleeper;
    hkt_thread *thread = must_spawn(sleep_for_ever, &sleeper, NULL);
    CHECK_EQ(hkt_event_wait(&sleeper.entered), 0);
    await_asleep(thread);
    CHECK_EQ(hkt_thread_get_state(thread), HKT_THREAD_BLOCKED);
    hkt_scope_cancel(&sleeper.scope);
    CHECK_EQ(join_result(thread), -ECANCELED);
}

TEST(a_sleep_of_no_time_looks_at_the_scope)
{
    hkt_scope scope;
    hkt_scope_enter(&scope, NULL);
    CHECK_EQ(hkt_sleep(0), 0);
    hkt_scope_cancel(&scope);
    CHECK_EQ(hkt_sleep(0), -ECANCELED);
    CHECK_EQ(hkt_sleep(-1), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
    CHECK_EQ(hkt_sleep(0), 0);
}

static int sleep_a_fifth(void *arg)
{
    (void)arg;
    return hkt_sleep(0.2);
}

TEST(sleeps_of_several_threads_overlap)
{
    hkt_thread *threads[20];
    double before = hkt_monotonic();
    for (int i = 0; i < 20; i++)
        threads[i] = must_spawn(sleep_a_fifth, NULL, NULL);
    for (int i = 0; i < 20; i++)
        must_join(threads[i]);
    double took = hkt_monotonic() - before;
    CHECK(took >= 0.2);
    CHECK(took < 2); /* half of one after another */
}

TEST(several_waits_keep_one_limit)
{
    hkt_event never = { 0 };
    double before = hkt_monotonic();
    hkt_deadline deadline = hkt_after(0.1);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(hkt_event_wait_until(&never, deadline), -ETIMEDOUT);
    double took = hkt_monotonic() - before;
    CHECK(took >= 0.1);
    CHECK(took < 0.55); /* ten limits would be a second */
}
