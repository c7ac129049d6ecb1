/* SPDX-License-Identifier: MIT */
/* Bad days: the clock at its limits. Deadlines of any number of nanoseconds, given by hand. */
#include <errno.h>
#include <stdio.h>

#include "waits.h"

static const int64_t past[] = { 1, 2, 3, -1, -2, -1000000000, INT64_MIN + 1, INT64_MIN };
static const int64_t future[] = { INT64_MAX, INT64_MAX - 1, INT64_MAX / 2, INT64_MAX / 2 + 1 };
#define COUNT(array) (sizeof(array) / sizeof *(array))

static int64_t now(void)
{
    return (int64_t)(hkt_monotonic() * 1e9);
}

TEST(past_deadlines_have_passed)
{
    for (size_t i = 0; i < COUNT(past); i++) {
        hkt_deadline deadline = { past[i] };
        CHECK(hkt_deadline_passed(deadline));
        CHECK(hkt_remaining(deadline) == 0);
        CHECK_EQ(hkt_sleep_until(deadline), 0);
    }
}

TEST(far_deadlines_have_not)
{
    for (size_t i = 0; i < COUNT(future); i++) {
        hkt_deadline deadline = { future[i] };
        CHECK(!hkt_deadline_passed(deadline));
        CHECK(hkt_remaining(deadline) > 1e9);
        CHECK(hkt_remaining(deadline) < 9.3e9);
    }
}

TEST(deadlines_around_now)
{
    for (int64_t off = -1000; off <= 1000; off += 50) {
        hkt_deadline deadline = { now() + off };
        CHECK(hkt_remaining(deadline) >= 0);
        CHECK(hkt_remaining(deadline) < 0.001);
        CHECK_EQ(hkt_sleep_until(deadline), 0);
        CHECK(hkt_deadline_passed(deadline));
    }
}

TEST(each_wait_ends_at_a_past_deadline)
{
    struct place place;
    place_open(&place);
    double before = hkt_monotonic();
    for (size_t i = 0; i < wait_kind_count; i++) {
        const struct wait_kind *kind = &wait_kinds[i];
        printf("%s\n", kind->name);
        for (size_t k = 0; kind->wait_until && k < COUNT(past); k++) {
            CHECK_EQ(kind->wait_until(&place, (hkt_deadline){ past[k] }), kind->timed_out);
            hkt_barrier_reset(&place.barrier);
        }
        for (int64_t off = -20; kind->wait_until && off <= 20; off += 10) {
            hkt_deadline deadline = { now() + off * 1000 };
            CHECK_EQ(kind->wait_until(&place, deadline), kind->timed_out);
            CHECK(hkt_deadline_passed(deadline));
            hkt_barrier_reset(&place.barrier);
        }
    }
    CHECK(hkt_monotonic() - before < SOON);
    place_close(&place);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST_TIMEOUT(each_wait_goes_on_until_a_far_deadline, 60)
{
    struct place place;
    place_open(&place);
    for (size_t i = 0; i < wait_kind_count; i++) {
        for (size_t k = 0; wait_kinds[i].wait_until && k < COUNT(future); k++) {
            struct waiter waiter = { .place = &place,
                                     .kind = &wait_kinds[i],
                                     .deadline = { future[k] } };
            waiter_start(&waiter);
            await_asleep(waiter.thread);
            CHECK_EQ(hkt_thread_get_state(waiter.thread), HKT_THREAD_TIMED_WAITING);
            hkt_scope_cancel(&waiter.scope);
            waiter_join(&waiter);
            CHECK_EQ(waiter.result, -ECANCELED);
            hkt_barrier_reset(&place.barrier);
        }
    }
    place_close(&place);
}

TEST(scopes_with_past_deadlines)
{
    for (size_t i = 0; i < COUNT(past); i++) {
        hkt_scope scope;
        hkt_scope_options options = { .deadline = { past[i] } };
        hkt_scope_enter(&scope, &options);
        CHECK_EQ(hkt_sleep(100), -ECANCELED);
        CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
        hkt_scope_enter(&scope, &options);
        CHECK_EQ(hkt_checkpoint(), -ECANCELED);
        CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    }
}

TEST(scopes_with_far_deadlines)
{
    for (size_t i = 0; i < COUNT(future); i++) {
        hkt_scope outer, inner;
        hkt_scope_enter(&outer, &(hkt_scope_options){ .deadline = { future[i] } });
        hkt_scope_enter(&inner, &(hkt_scope_options){ .deadline = { INT64_MAX } });
        CHECK_EQ(hkt_sleep(0.001), 0);
        CHECK_EQ(hkt_checkpoint(), 0);
        hkt_scope_reschedule(&inner, (hkt_deadline){ INT64_MIN });
        CHECK_EQ(hkt_sleep(100), -ECANCELED);
        CHECK_EQ(hkt_scope_leave(&inner), -ETIMEDOUT);
        CHECK_EQ(hkt_scope_leave(&outer), 0);
    }
}

/* The border of what the clock can count to: a time, or never; nothing in between overflows. */
TEST(seconds_at_the_border)
{
    double left = (double)(INT64_MAX - now()) / 1e9;
    const double factors[] = { 0.9, 0.999, 0.999999, 1, 1.000001, 1.001, 1.1 };
    for (size_t i = 0; i < COUNT(factors); i++) {
        hkt_deadline deadline = hkt_after(left * factors[i]);
        CHECK(deadline.ns == 0 || deadline.ns > INT64_MAX / 2);
        CHECK(!hkt_deadline_passed(deadline));
        CHECK(hkt_remaining(deadline) > 8e9);
    }
    for (int i = -5; i <= 5; i++) {
        hkt_deadline deadline = hkt_after(9223372036.854775807 + i * 1e-6);
        CHECK(deadline.ns == 0 || deadline.ns > INT64_MAX / 2);
    }
}
