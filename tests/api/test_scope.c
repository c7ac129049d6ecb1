/* SPDX-License-Identifier: MIT */
/* hocket/scope.h: entering, leaving, nesting, shields, deadlines. What it does to each kind of wait
 * is in test_cancel.c. */
#include <errno.h>
#include <math.h>
#include <stdatomic.h>

#include "waits.h"

static const hkt_scope_options in_the_past = { .deadline = { 2 } };
static const hkt_scope_options shield = { .shield = true };

TEST(a_scope_that_nobody_ends_does_nothing)
{
    hkt_scope scope;
    hkt_scope_enter(&scope, NULL);
    CHECK_EQ(hkt_sleep(0.001), 0);
    CHECK_EQ(hkt_checkpoint(), 0);
    CHECK(!hkt_scope_cancelled(&scope));
    CHECK_EQ(hkt_scope_leave(&scope), 0);
    CHECK(!hkt_scope_cancelled(&scope));
}

TEST(a_cancelled_scope_ends_waits_until_it_is_left)
{
    hkt_event never = { 0 };
    hkt_scope scope;
    hkt_scope_enter(&scope, NULL);
    hkt_scope_cancel(&scope);
    CHECK(hkt_scope_cancelled(&scope));
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(hkt_sleep(100), -ECANCELED);
        CHECK_EQ(hkt_event_wait(&never), -ECANCELED);
        CHECK_EQ(hkt_checkpoint(), -ECANCELED);
    }
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
    CHECK_EQ(hkt_sleep(0.001), 0);
    CHECK_EQ(hkt_checkpoint(), 0);
}

TEST(leaving_says_cancelled_even_if_no_wait_noticed)
{
    hkt_scope scope;
    hkt_scope_enter(&scope, NULL);
    hkt_scope_cancel(&scope);
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
}

TEST(cancel_may_be_called_often)
{
    hkt_scope scope;
    hkt_scope_enter(&scope, NULL);
    for (int i = 0; i < 100; i++)
        hkt_scope_cancel(&scope);
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
}

TEST(cancel_after_leave_does_nothing)
{
    hkt_scope outer, scope;
    hkt_scope_enter(&outer, NULL);
    hkt_scope_enter(&scope, NULL);
    CHECK_EQ(hkt_scope_leave(&scope), 0);
    hkt_scope_cancel(&scope);
    CHECK_EQ(hkt_checkpoint(), 0);
    CHECK_EQ(hkt_sleep(0.001), 0);
    CHECK_EQ(hkt_scope_leave(&outer), 0);
}

TEST(a_scope_can_be_entered_again)
{
    hkt_scope scope;
    for (int i = 0; i < 3; i++) {
        hkt_scope_enter(&scope, NULL);
        CHECK(!hkt_scope_cancelled(&scope));
        CHECK_EQ(hkt_checkpoint(), 0);
        hkt_scope_cancel(&scope);
        CHECK_EQ(hkt_checkpoint(), -ECANCELED);
        CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
    }
}

TEST(a_deadline_ends_the_scope)
{
    hkt_scope scope;
    double before = hkt_monotonic();
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.03) });
    CHECK_EQ(hkt_sleep(100), -ECANCELED);
    double took = hkt_monotonic() - before;
    CHECK(took >= 0.03 - 1e-6 && took < SOON);
    CHECK(hkt_scope_cancelled(&scope));
    CHECK_EQ(hkt_sleep(100), -ECANCELED);
    CHECK_EQ(hkt_checkpoint(), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    CHECK_EQ(hkt_checkpoint(), 0);
}

TEST(a_deadline_that_no_wait_found_passed_is_not_told)
{
    hkt_event set = { 0 };
    hkt_scope scope;
    hkt_event_set(&set);
    hkt_scope_enter(&scope, &in_the_past);
    CHECK(!hkt_scope_cancelled(&scope));
    CHECK_EQ(hkt_event_wait(&set), 0); /* need not wait, so it reads no clock */
    CHECK(!hkt_scope_cancelled(&scope));
    CHECK_EQ(hkt_scope_leave(&scope), 0);
}

TEST(a_deadline_in_the_past_ends_the_first_wait)
{
    const hkt_deadline pasts[] = { { 1 }, { 2 }, { -1 }, hkt_after(0), hkt_after(-3) };
    for (size_t i = 0; i < sizeof pasts / sizeof *pasts; i++) {
        hkt_scope scope;
        hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = pasts[i] });
        CHECK_EQ(hkt_sleep(100), -ECANCELED);
        CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    }
}

TEST(a_checkpoint_finds_a_passed_deadline)
{
    hkt_scope scope;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.005) });
    double before = hkt_monotonic();
    while (hkt_checkpoint() == 0)
        CHECK(hkt_monotonic() - before < SOON);
    CHECK(hkt_scope_cancelled(&scope));
    CHECK_EQ(hkt_checkpoint(), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
}

TEST(a_checkpoint_outside_of_scopes_is_fine)
{
    CHECK_EQ(hkt_checkpoint(), 0);
}

TEST(who_came_first_ended_the_scope)
{
    hkt_scope scope;
    hkt_scope_enter(&scope, &in_the_past);
    hkt_scope_cancel(&scope);
    CHECK_EQ(hkt_sleep(100), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
    hkt_scope_enter(&scope, &in_the_past);
    CHECK_EQ(hkt_sleep(100), -ECANCELED);
    hkt_scope_cancel(&scope);
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
}

TEST(the_end_of_an_outer_scope_reaches_inner_ones)
{
    hkt_scope outer, middle, inner;
    hkt_scope_enter(&outer, NULL);
    hkt_scope_enter(&middle, NULL);
    hkt_scope_enter(&inner, NULL);
    hkt_scope_cancel(&outer);
    CHECK_EQ(hkt_sleep(100), -ECANCELED);
    CHECK(!hkt_scope_cancelled(&inner));
    CHECK(!hkt_scope_cancelled(&middle));
    CHECK_EQ(hkt_scope_leave(&inner), 0); /* what an outer scope did is not told */
    CHECK_EQ(hkt_sleep(100), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&middle), 0);
    CHECK_EQ(hkt_sleep(100), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&outer), -ECANCELED);
    CHECK_EQ(hkt_sleep(0.001), 0);
}

TEST(the_end_of_an_inner_scope_ends_it_alone)
{
    hkt_scope outer, inner;
    hkt_scope_enter(&outer, NULL);
    hkt_scope_enter(&inner, NULL);
    hkt_scope_cancel(&inner);
    CHECK_EQ(hkt_sleep(100), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&inner), -ECANCELED);
    CHECK_EQ(hkt_sleep(0.001), 0);
    CHECK_EQ(hkt_checkpoint(), 0);
    CHECK_EQ(hkt_scope_leave(&outer), 0);
}

TEST(the_deadline_of_an_outer_scope_reaches_inner_ones)
{
    hkt_scope outer, inner;
    double before = hkt_monotonic();
    hkt_scope_enter(&outer, &(hkt_scope_options){ .deadline = hkt_after(0.03) });
    hkt_scope_enter(&inner, &(hkt_scope_options){ .deadline = hkt_after(100) });
    CHECK_EQ(hkt_sleep(100), -ECANCELED);
    double took = hkt_monotonic() - before;
    CHECK(took >= 0.03 - 1e-6 && took < SOON);
    CHECK_EQ(hkt_scope_leave(&inner), 0);
    CHECK_EQ(hkt_scope_leave(&outer), -ETIMEDOUT);
}

TEST(the_deadline_of_an_inner_scope_is_its_own)
{
    hkt_scope outer, inner;
    hkt_scope_enter(&outer, &(hkt_scope_options){ .deadline = hkt_after(100) });
    hkt_scope_enter(&inner, &(hkt_scope_options){ .deadline = hkt_after(0.01) });
    CHECK_EQ(hkt_sleep(100), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&inner), -ETIMEDOUT);
    CHECK_EQ(hkt_sleep(0.001), 0);
    CHECK_EQ(hkt_scope_leave(&outer), 0);
}

TEST(two_deadlines_that_have_passed_are_both_told)
{
    hkt_scope outer, inner;
    hkt_scope_enter(&outer, &in_the_past);
    hkt_scope_enter(&inner, &in_the_past);
    CHECK_EQ(hkt_sleep(100), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&inner), -ETIMEDOUT);
    CHECK_EQ(hkt_scope_leave(&outer), -ETIMEDOUT);
}

TEST(a_shield_keeps_outer_ends_away)
{
    hkt_scope outer, inner;
    hkt_scope_enter(&outer, NULL);
    hkt_scope_cancel(&outer);
    hkt_scope_enter(&inner, &shield);
    CHECK_EQ(hkt_checkpoint(), 0);
    CHECK_EQ(hkt_sleep(0.005), 0);
    CHECK(hkt_scope_cancelled(&outer));
    CHECK_EQ(hkt_scope_leave(&inner), 0);
    CHECK_EQ(hkt_sleep(0.001), -ECANCELED); /* the outer end is still there */
    CHECK_EQ(hkt_scope_leave(&outer), -ECANCELED);
}

TEST(a_shield_keeps_outer_deadlines_away)
{
    hkt_scope outer, inner;
    hkt_scope_enter(&outer, &in_the_past);
    hkt_scope_enter(&inner, &shield);
    CHECK_EQ(hkt_sleep(0.005), 0);
    CHECK_EQ(hkt_checkpoint(), 0);
    CHECK_EQ(hkt_scope_leave(&inner), 0);
    CHECK_EQ(hkt_checkpoint(), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&outer), -ETIMEDOUT);
}

TEST(a_shield_has_ends_of_its_own)
{
    hkt_scope outer, inner;
    hkt_scope_enter(&outer, NULL);
    hkt_scope_cancel(&outer);
    hkt_scope_enter(&inner, &(hkt_scope_options){ .shield = true, .deadline = hkt_after(0.01) });
    CHECK_EQ(hkt_sleep(100), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&inner), -ETIMEDOUT);
    hkt_scope_enter(&inner, &shield);
    hkt_scope_cancel(&inner);
    CHECK_EQ(hkt_sleep(100), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&inner), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&outer), -ECANCELED);
}

TEST(a_shield_covers_the_scopes_in_it)
{
    hkt_scope outer, middle, inner;
    hkt_scope_enter(&outer, NULL);
    hkt_scope_enter(&middle, &shield);
    hkt_scope_enter(&inner, NULL);
    hkt_scope_cancel(&outer);
    CHECK_EQ(hkt_sleep(0.002), 0);
    hkt_scope_cancel(&middle); /* the end of the shielded scope itself reaches in */
    CHECK_EQ(hkt_sleep(100), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&inner), 0);
    CHECK_EQ(hkt_scope_leave(&middle), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&outer), -ECANCELED);
}

TEST(two_hundred_scopes_nest)
{
    enum { DEPTH = 200 };
    static hkt_scope scopes[DEPTH];
    for (int i = 0; i < DEPTH; i++)
        hkt_scope_enter(&scopes[i], NULL);
    CHECK_EQ(hkt_sleep(0.001), 0);
    hkt_scope_cancel(&scopes[DEPTH / 2]);
    for (int i = DEPTH - 1; i >= 0; i--) {
        CHECK_EQ(hkt_checkpoint(), i >= DEPTH / 2 ? -ECANCELED : 0);
        CHECK_EQ(hkt_sleep(0), i >= DEPTH / 2 ? -ECANCELED : 0);
        CHECK_EQ(hkt_scope_leave(&scopes[i]), i == DEPTH / 2 ? -ECANCELED : 0);
    }
}

TEST_ABORTS(leaving_another_than_the_innermost_is_misuse, "is not the innermost of this thread")
{
    hkt_scope outer, inner;
    hkt_scope_enter(&outer, NULL);
    hkt_scope_enter(&inner, NULL);
    hkt_scope_leave(&outer);
}

TEST_ABORTS(leaving_twice_is_misuse, "is not the innermost of this thread")
{
    hkt_scope scope;
    hkt_scope_enter(&scope, NULL);
    hkt_scope_leave(&scope);
    hkt_scope_leave(&scope);
}

static int leave_it(void *scope)
{
    return hkt_scope_leave(scope);
}

TEST_ABORTS(leaving_the_scope_of_another_thread_is_misuse, "is not the innermost of this thread")
{
    static hkt_scope scope;
    hkt_scope_enter(&scope, NULL);
    hkt_thread_join(must_spawn(leave_it, &scope, NULL));
}

static int stay_in(void *scope)
{
    hkt_scope_enter(scope, NULL);
    return 0;
}

TEST_ABORTS(a_thread_that_ends_in_a_scope_is_misuse, "returned without leaving scope")
{
    static hkt_scope scope;
    hkt_thread_join(must_spawn(stay_in, &scope, NULL));
}

static int look_around(void *arg)
{
    (void)arg;
    CHECK_EQ(hkt_checkpoint(), 0);
    return hkt_sleep(0.001);
}

TEST(a_new_thread_is_in_no_scope)
{
    hkt_scope scope;
    hkt_scope_enter(&scope, NULL);
    hkt_scope_cancel(&scope);
    hkt_thread *thread = must_spawn(look_around, NULL, NULL);
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
    must_join(thread);
}

TEST(only_the_thread_in_the_scope_is_cancelled)
{
    struct place place;
    place_open(&place);
    struct waiter one = { .place = &place, .kind = &wait_kinds[1] };
    struct waiter other = { .place = &place, .kind = &wait_kinds[1] };
    waiter_start(&one);
    waiter_start(&other);
    await_asleep(one.thread);
    await_asleep(other.thread);
    hkt_scope_cancel(&one.scope);
    waiter_join(&one);
    CHECK_EQ(one.result, -ECANCELED);
    CHECK_EQ(hkt_thread_get_state(other.thread), HKT_THREAD_BLOCKED);
    hkt_event_set(&place.event);
    waiter_join(&other);
    CHECK_EQ(other.result, 0);
    CHECK_EQ(other.left, 0);
    place_close(&place);
}

TEST(an_ended_scope_stays_ended)
{
    hkt_scope scope;
    hkt_scope_enter(&scope, &in_the_past);
    CHECK_EQ(hkt_sleep(1), -ECANCELED);
    hkt_scope_reschedule(&scope, hkt_after(100));
    CHECK_EQ(hkt_sleep(1), -ECANCELED);
    hkt_scope_reschedule(&scope, (hkt_deadline){ 0 });
    CHECK_EQ(hkt_checkpoint(), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    hkt_scope_enter(&scope, NULL);
    hkt_scope_cancel(&scope);
    hkt_scope_reschedule(&scope, hkt_after(100));
    CHECK_EQ(hkt_sleep(1), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
}

TEST(a_passed_deadline_that_nobody_found_can_be_put_off)
{
    hkt_scope scope;
    hkt_scope_enter(&scope, &in_the_past);
    hkt_scope_reschedule(&scope, hkt_after(100));
    CHECK_EQ(hkt_sleep(0.002), 0);
    CHECK_EQ(hkt_scope_leave(&scope), 0);
}
