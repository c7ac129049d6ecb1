/* SPDX-License-Identifier: MIT */
/* The contract of every lock, second part: the forms that do not wait, that wait until a deadline,
 * that are cancelled; and the lock after that. Beside what lock_exclusion.h asks for, the test
 * says before:
 *
 *     static int subject_acquire_until(subject *lock, hkt_deadline deadline);
 *     static int subject_acquire_nowait(subject *lock);
 */
#ifndef HOCKET_TEST_LOCK_DEADLINE_H
#define HOCKET_TEST_LOCK_DEADLINE_H

#include "lock_exclusion.h"

/* A lock, and until when somebody shall try for it. */
struct attempt {
    subject lock;
    hkt_deadline deadline;
};

static inline struct attempt *attempt_init(struct attempt *attempt, hkt_deadline deadline)
{
    subject_init(&attempt->lock);
    attempt->deadline = deadline;
    return attempt;
}

/* One that is held by the caller. */
static inline struct attempt *attempt_init_held(struct attempt *attempt, hkt_deadline deadline)
{
    CHECK_EQ(subject_acquire(&attempt_init(attempt, deadline)->lock), 0);
    return attempt;
}

/* Take it and give it back, or the error. */
static int try_nowait(void *arg)
{
    struct attempt *attempt = arg;
    int err = subject_acquire_nowait(&attempt->lock);
    if (err == 0)
        subject_release(&attempt->lock);
    return err;
}

static int try_until(void *arg)
{
    struct attempt *attempt = arg;
    int err = subject_acquire_until(&attempt->lock, attempt->deadline);
    CHECK(err != -ETIMEDOUT || hkt_deadline_passed(attempt->deadline));
    if (err == 0)
        subject_release(&attempt->lock);
    return err;
}

static int take_it(void *arg)
{
    struct attempt *attempt = arg;
    int err = subject_acquire(&attempt->lock);
    if (err == 0)
        subject_release(&attempt->lock);
    return err;
}

/* After whatever happened, it is free, and works. */
static inline void check_usable(struct attempt *attempt)
{
    CHECK_EQ(subject_acquire_nowait(&attempt->lock), 0);
    CHECK_EQ(call_elsewhere(try_nowait, attempt), -EAGAIN);
    struct caller waiter;
    attempt->deadline = (hkt_deadline){ 0 };
    caller_start_waiting(&waiter, try_until, attempt, &attempt->lock);
    subject_release(&attempt->lock);
    CHECK_EQ(caller_end(&waiter), 0);
    CHECK_EQ(call_elsewhere(try_nowait, attempt), 0);
}

TEST(nowait_takes_what_is_free_and_only_that)
{
    struct attempt attempt;
    attempt_init(&attempt, (hkt_deadline){ 0 });
    CHECK_EQ(call_elsewhere(try_nowait, &attempt), 0);
    CHECK_EQ(subject_acquire_nowait(&attempt.lock), 0);
    CHECK_EQ(call_elsewhere(try_nowait, &attempt), -EAGAIN);
    CHECK_EQ(call_elsewhere(try_nowait, &attempt), -EAGAIN);
    subject_release(&attempt.lock);
    CHECK_EQ(call_elsewhere(try_nowait, &attempt), 0);
}

TEST(a_deadline_that_has_passed_takes_what_is_free_and_only_that)
{
    struct attempt attempt;
    attempt_init(&attempt, hkt_after(0));
    CHECK_EQ(call_elsewhere(try_until, &attempt), 0);
    attempt.deadline = hkt_after(-1);
    CHECK_EQ(call_elsewhere(try_until, &attempt), 0);
    CHECK_EQ(subject_acquire(&attempt.lock), 0);
    CHECK_EQ(call_elsewhere(try_until, &attempt), -ETIMEDOUT);
    attempt.deadline = hkt_after(0);
    CHECK_EQ(call_elsewhere(try_until, &attempt), -ETIMEDOUT);
    attempt.deadline = hkt_after(1e-9);
    AWAIT(hkt_deadline_passed(attempt.deadline));
    CHECK_EQ(call_elsewhere(try_until, &attempt), -ETIMEDOUT);
    subject_release(&attempt.lock);
    check_usable(&attempt);
}

TEST(a_wait_ends_at_its_deadline_and_not_before)
{
    struct attempt attempt;
    double begin = hkt_monotonic();
    attempt_init_held(&attempt, hkt_after(0.03));
    CHECK_EQ(call_elsewhere(try_until, &attempt), -ETIMEDOUT);
    CHECK(hkt_deadline_passed(attempt.deadline));
    CHECK(hkt_monotonic() - begin >= 0.03);
    CHECK(hkt_monotonic() - begin < 10);
    subject_release(&attempt.lock);
    check_usable(&attempt);
}

TEST(signals_do_not_move_the_deadline)
{
    struct attempt attempt;
    struct caller waiter;
    attempt_init_held(&attempt, hkt_after(0.1));
    caller_start(&waiter, try_until, &attempt);
    while (!hkt_deadline_passed(attempt.deadline))
        interrupt(waiter.thread, 1);
    CHECK_EQ(caller_end(&waiter), -ETIMEDOUT);
    CHECK(atomic_load(&signals_taken) > 0);
    subject_release(&attempt.lock);
    check_usable(&attempt);
}

TEST(who_waits_until_a_deadline_gets_it_when_it_is_released)
{
    struct attempt attempt;
    struct caller waiter;
    attempt_init_held(&attempt, hkt_after(1000));
    caller_start(&waiter, try_until, &attempt);
    await_state(waiter.thread, HKT_THREAD_TIMED_WAITING);
    CHECK(waits_for(waiter.thread, &attempt.lock));
    subject_release(&attempt.lock);
    CHECK_EQ(caller_end(&waiter), 0);
    check_usable(&attempt);
}

TEST(no_deadline_is_a_wait_without_end)
{
    struct attempt attempt;
    struct caller waiter;
    attempt_init_held(&attempt, (hkt_deadline){ 0 });
    caller_start(&waiter, try_until, &attempt);
    await_state(waiter.thread, HKT_THREAD_BLOCKED);
    subject_release(&attempt.lock);
    CHECK_EQ(caller_end(&waiter), 0);
}

TEST(a_cancelled_wait_ends_and_the_lock_is_as_before)
{
    struct attempt attempt;
    struct caller waiter;
    attempt_init_held(&attempt, (hkt_deadline){ 0 });
    caller_start_waiting(&waiter, try_until, &attempt, &attempt.lock);
    caller_cancel(&waiter);
    CHECK_EQ(caller_end(&waiter), -ECANCELED);
    subject_release(&attempt.lock);
    check_usable(&attempt);
}

TEST(in_an_ended_scope_even_a_free_one_is_not_taken)
{
    struct attempt attempt;
    attempt_init(&attempt, hkt_after(1000));
    CHECK_EQ(call_cancelled(try_until, &attempt), -ECANCELED);
    CHECK_EQ(call_cancelled(try_until, &attempt), -ECANCELED);
    check_usable(&attempt);
}

TEST(what_does_not_wait_is_not_cancelled)
{
    struct attempt attempt;
    attempt_init(&attempt, hkt_after(0));
    CHECK_EQ(call_cancelled(try_nowait, &attempt), 0);
    CHECK_EQ(call_cancelled(try_until, &attempt), 0);
    check_usable(&attempt);
}

static int try_nowait_cancelled(void *attempt)
{
    return call_cancelled(try_nowait, attempt);
}

static int try_until_cancelled(void *attempt)
{
    return call_cancelled(try_until, attempt);
}

TEST(what_does_not_wait_says_so_in_an_ended_scope_too)
{
    struct attempt attempt;
    attempt_init_held(&attempt, hkt_after(0));
    CHECK_EQ(call_elsewhere(try_nowait_cancelled, &attempt), -EAGAIN);
    CHECK_EQ(call_elsewhere(try_until_cancelled, &attempt), -ETIMEDOUT);
    subject_release(&attempt.lock);
}

/* In a scope with a deadline: the wait says cancelled, the scope says why. */
static int try_in_a_short_scope(void *arg)
{
    hkt_scope scope;
    hkt_deadline deadline = hkt_after(0.02);
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = deadline });
    int err = try_until(arg);
    CHECK(hkt_deadline_passed(deadline));
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    return err;
}

TEST(the_deadline_of_a_scope_ends_the_wait_as_cancelled)
{
    struct attempt attempt;
    attempt_init_held(&attempt, (hkt_deadline){ 0 });
    CHECK_EQ(call_elsewhere(try_in_a_short_scope, &attempt), -ECANCELED);
    attempt.deadline = hkt_after(1000);
    CHECK_EQ(call_elsewhere(try_in_a_short_scope, &attempt), -ECANCELED);
    subject_release(&attempt.lock);
    check_usable(&attempt);
}

TEST(who_gives_up_does_not_stop_those_behind)
{
    struct attempt attempt;
    struct caller first, second, third;
    attempt_init_held(&attempt, (hkt_deadline){ 0 });
    caller_start_waiting(&first, try_until, &attempt, &attempt.lock);
    caller_start_waiting(&second, try_until, &attempt, &attempt.lock);
    caller_start_waiting(&third, take_it, &attempt, &attempt.lock);
    caller_cancel(&first);
    CHECK_EQ(caller_end(&first), -ECANCELED);
    subject_release(&attempt.lock);
    CHECK_EQ(caller_end(&second), 0);
    CHECK_EQ(caller_end(&third), 0);
    check_usable(&attempt);
}

/* One gives up (by cancel or by its deadline) in the very moment of the release: if the release had
 * chosen it, and it went off with that, the one behind would wait for ever. */
TEST(who_gives_up_as_it_is_chosen_passes_the_lock_on)
{
    struct test_random random = random_of(0);
    struct attempt attempt;
    attempt_init(&attempt, (hkt_deadline){ 0 });
    for (long round = test_scaled(1000); round > 0; round--) {
        struct caller quitter, waiter;
        bool by_deadline = random_below(&random, 2);
        CHECK_EQ(subject_acquire(&attempt.lock), 0);
        attempt.deadline = by_deadline ? hkt_after(0.0002) : (hkt_deadline){ 0 };
        caller_start(&quitter, try_until, &attempt);
        caller_start_waiting(&waiter, take_it, &attempt, &attempt.lock);
        if (by_deadline)
            AWAIT(hkt_remaining(attempt.deadline) < 0.00002);
        else if (random_below(&random, 2))
            caller_cancel(&quitter);
        subject_release(&attempt.lock);
        caller_cancel(&quitter);
        int err = caller_end(&quitter);
        CHECK(err == 0 || err == -ECANCELED || (by_deadline && err == -ETIMEDOUT));
        CHECK_EQ(caller_end(&waiter), 0);
        CHECK_EQ(call_elsewhere(try_nowait, &attempt), 0);
    }
}

#endif
