/* SPDX-License-Identifier: MIT */
/* hkt_semaphore: so many permits, never more, never fewer. With one permit it is a lock, and keeps
 * the contract of locks too (tests/contract). */
#include <hocket/event.h>
#include <hocket/semaphore.h>
#include <limits.h>

#include "caller.h"
#include "random.h"
#include "test.h"

#define COMERS 6

static int acquire(void *semaphore)
{
    return hkt_semaphore_acquire(semaphore);
}

TEST(all_zero_is_a_semaphore_without_permit)
{
    static hkt_semaphore semaphore;
    CHECK_EQ(hkt_semaphore_value(&semaphore), 0);
    CHECK_EQ(hkt_semaphore_acquire_nowait(&semaphore), -EAGAIN);
    CHECK_EQ(hkt_semaphore_release(&semaphore, 1), 0);
    CHECK_EQ(hkt_semaphore_acquire_nowait(&semaphore), 0);
}

TEST(it_begins_with_the_permits_it_was_given)
{
    hkt_semaphore semaphore;
    for (long value = 0; value < 5; value++) {
        CHECK_EQ(hkt_semaphore_init(&semaphore, value), 0);
        for (long left = value; left > 0; left--) {
            CHECK_EQ(hkt_semaphore_value(&semaphore), left);
            CHECK_EQ(hkt_semaphore_acquire(&semaphore), 0);
        }
        CHECK_EQ(hkt_semaphore_acquire_nowait(&semaphore), -EAGAIN);
        CHECK_EQ(hkt_semaphore_acquire_until(&semaphore, hkt_after(0)), -ETIMEDOUT);
    }
}

TEST(a_negative_number_of_permits_is_refused)
{
    hkt_semaphore semaphore;
    CHECK_EQ(hkt_semaphore_init(&semaphore, -1), -EINVAL);
    CHECK_EQ(hkt_semaphore_init(&semaphore, LONG_MIN), -EINVAL);
    CHECK_EQ(hkt_bounded_semaphore_init(&semaphore, -1), -EINVAL);
}

TEST(released_permits_add_up)
{
    hkt_semaphore semaphore = { { 0 } };
    CHECK_EQ(hkt_semaphore_release(&semaphore, 3), 0);
    CHECK_EQ(hkt_semaphore_release(&semaphore, 1), 0);
    CHECK_EQ(hkt_semaphore_value(&semaphore), 4);
}

TEST(a_release_of_less_than_one_changes_nothing)
{
    hkt_semaphore semaphore;
    CHECK_EQ(hkt_semaphore_init(&semaphore, 2), 0);
    CHECK_EQ(hkt_semaphore_release(&semaphore, 0), -EINVAL);
    CHECK_EQ(hkt_semaphore_release(&semaphore, -1), -EINVAL);
    CHECK_EQ(hkt_semaphore_release(&semaphore, LONG_MIN), -EINVAL);
    CHECK_EQ(hkt_semaphore_value(&semaphore), 2);
}

TEST(a_release_beyond_what_a_long_holds_changes_nothing)
{
    hkt_semaphore semaphore;
    CHECK_EQ(hkt_semaphore_init(&semaphore, LONG_MAX - 1), 0);
    CHECK_EQ(hkt_semaphore_release(&semaphore, 2), -EOVERFLOW);
    CHECK_EQ(hkt_semaphore_release(&semaphore, LONG_MAX), -EOVERFLOW);
    CHECK_EQ(hkt_semaphore_value(&semaphore), LONG_MAX - 1);
    CHECK_EQ(hkt_semaphore_release(&semaphore, 1), 0);
    CHECK_EQ(hkt_semaphore_release(&semaphore, 1), -EOVERFLOW);
    CHECK_EQ(hkt_semaphore_value(&semaphore), LONG_MAX);
}

TEST(a_bounded_one_never_has_more_than_at_its_start)
{
    hkt_semaphore semaphore;
    CHECK_EQ(hkt_bounded_semaphore_init(&semaphore, 3), 0);
    CHECK_EQ(hkt_semaphore_release(&semaphore, 1), -EINVAL);
    CHECK_EQ(hkt_semaphore_acquire(&semaphore), 0);
    CHECK_EQ(hkt_semaphore_acquire(&semaphore), 0);
    CHECK_EQ(hkt_semaphore_release(&semaphore, 3), -EINVAL);
    CHECK_EQ(hkt_semaphore_value(&semaphore), 1);
    CHECK_EQ(hkt_semaphore_release(&semaphore, LONG_MAX), -EINVAL);
    CHECK_EQ(hkt_semaphore_release(&semaphore, 2), 0);
    CHECK_EQ(hkt_semaphore_value(&semaphore), 3);
    CHECK_EQ(hkt_semaphore_release(&semaphore, 1), -EINVAL);
    CHECK_EQ(hkt_semaphore_value(&semaphore), 3);
}

TEST(a_bounded_one_without_permits_takes_no_release)
{
    hkt_semaphore semaphore;
    CHECK_EQ(hkt_bounded_semaphore_init(&semaphore, 0), 0);
    CHECK_EQ(hkt_semaphore_release(&semaphore, 1), -EINVAL);
    CHECK_EQ(hkt_semaphore_acquire_nowait(&semaphore), -EAGAIN);
}

TEST(a_bounded_one_hands_permits_to_who_waits)
{
    hkt_semaphore semaphore;
    struct caller waiter;
    CHECK_EQ(hkt_bounded_semaphore_init(&semaphore, 1), 0);
    CHECK_EQ(hkt_semaphore_acquire(&semaphore), 0);
    caller_start_waiting(&waiter, acquire, &semaphore, &semaphore);
    CHECK_EQ(hkt_semaphore_release(&semaphore, 2), -EINVAL);
    CHECK_EQ(hkt_semaphore_release(&semaphore, 1), 0);
    CHECK_EQ(caller_end(&waiter), 0);
    CHECK_EQ(hkt_semaphore_value(&semaphore), 0);
    CHECK_EQ(hkt_semaphore_release(&semaphore, 1), 0);
    CHECK_EQ(hkt_semaphore_release(&semaphore, 1), -EINVAL);
}

/* Who was not chosen can still be cancelled; who was, not. */
TEST(a_release_lets_exactly_n_through_and_those_who_have_waited_longest)
{
    for (int n = 1; n <= COMERS + 2; n++) {
        hkt_semaphore semaphore = { { 0 } };
        struct caller comers[COMERS];
        for (int i = 0; i < COMERS; i++)
            caller_start_waiting(&comers[i], acquire, &semaphore, &semaphore);
        CHECK_EQ(hkt_semaphore_release(&semaphore, n), 0);
        for (int i = 0; i < COMERS; i++)
            caller_cancel(&comers[i]);
        for (int i = 0; i < COMERS; i++)
            CHECK_EQ(caller_end(&comers[i]), i < n ? 0 : -ECANCELED);
        CHECK_EQ(hkt_semaphore_value(&semaphore), n > COMERS ? n - COMERS : 0);
    }
}

TEST(a_released_permit_is_not_for_who_comes_later)
{
    for (long round = test_scaled(100); round > 0; round--) {
        hkt_semaphore semaphore = { { 0 } };
        struct caller waiter;
        caller_start_waiting(&waiter, acquire, &semaphore, &semaphore);
        CHECK_EQ(hkt_semaphore_release(&semaphore, 1), 0);
        CHECK_EQ(hkt_semaphore_acquire_nowait(&semaphore), -EAGAIN);
        CHECK_EQ(caller_end(&waiter), 0);
    }
}

/* A place for some, and how many are in it. */
struct pool {
    hkt_semaphore permits;
    hkt_event go_on;
    atomic_long inside;
    long most;
    long turns;
};

static int stay_inside(void *arg)
{
    struct pool *pool = arg;
    CHECK_EQ(hkt_semaphore_acquire(&pool->permits), 0);
    atomic_fetch_add(&pool->inside, 1);
    CHECK_EQ(hkt_event_wait(&pool->go_on), 0);
    CHECK_EQ(hkt_semaphore_release(&pool->permits, 1), 0);
    return 0;
}

TEST(as_many_are_inside_at_once_as_there_are_permits)
{
    struct pool pool = { .inside = 0 };
    struct caller comers[5];
    CHECK_EQ(hkt_semaphore_init(&pool.permits, 3), 0);
    for (int i = 0; i < 3; i++)
        caller_start_waiting(&comers[i], stay_inside, &pool, &pool.go_on);
    for (int i = 3; i < 5; i++)
        caller_start_waiting(&comers[i], stay_inside, &pool, &pool.permits);
    CHECK_EQ(atomic_load(&pool.inside), 3);
    hkt_event_set(&pool.go_on);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(caller_end(&comers[i]), 0);
    CHECK_EQ(hkt_semaphore_value(&pool.permits), 3);
}

static int go_in_and_out(void *arg)
{
    struct pool *pool = arg;
    for (long turn = 0; turn < pool->turns; turn++) {
        CHECK_EQ(hkt_semaphore_acquire(&pool->permits), 0);
        CHECK(atomic_fetch_add(&pool->inside, 1) < pool->most);
        CHECK(hkt_semaphore_value(&pool->permits) < pool->most);
        atomic_fetch_sub(&pool->inside, 1);
        CHECK_EQ(hkt_semaphore_release(&pool->permits, 1), 0);
    }
    return 0;
}

TEST(never_more_are_inside_than_there_are_permits)
{
    struct pool pool = { .most = 2, .turns = test_scaled(5000) };
    CHECK_EQ(hkt_bounded_semaphore_init(&pool.permits, pool.most), 0);
    call_in_threads(4, go_in_and_out, &pool, 0);
    CHECK_EQ(hkt_semaphore_value(&pool.permits), pool.most);
}

/* Some put permits in, others take them out, with deadlines that pass at the same time. */
struct trader {
    hkt_semaphore *semaphore;
    long balance; /* taken less given */
    long turns;
    struct test_random random;
};

static int give_and_take(void *arg)
{
    struct trader *trader = arg;
    for (long turn = 0; turn < trader->turns; turn++) {
        if (random_below(&trader->random, 3) == 0) {
            long n = (long)random_below(&trader->random, 4) + 1;
            CHECK_EQ(hkt_semaphore_release(trader->semaphore, n), 0);
            trader->balance -= n;
            continue;
        }
        hkt_deadline deadline = hkt_after(random_seconds(&trader->random, 0.0001));
        int err = hkt_semaphore_acquire_until(trader->semaphore, deadline);
        CHECK(err == 0 || (err == -ETIMEDOUT && hkt_deadline_passed(deadline)));
        trader->balance += err == 0;
    }
    return 0;
}

TEST_TIMEOUT(no_permit_is_lost_or_made, 60)
{
    hkt_semaphore semaphore = { { 0 } };
    struct trader traders[4];
    long taken = 0;
    for (unsigned i = 0; i < 4; i++)
        traders[i] = (struct trader){ .semaphore = &semaphore,
                                      .turns = test_scaled(10000),
                                      .random = random_of(i) };
    call_in_threads(4, give_and_take, traders, sizeof *traders);
    for (unsigned i = 0; i < 4; i++)
        taken += traders[i].balance;
    CHECK_EQ(hkt_semaphore_value(&semaphore), -taken);
}
