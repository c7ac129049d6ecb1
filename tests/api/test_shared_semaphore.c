/* SPDX-License-Identifier: MIT */
/* hkt_shared_semaphore: bounds, permits between processes, waiters that are killed. As a lock:
 * tests/contract. */
#include <hocket/shared_semaphore.h>
#include <limits.h>

#include "caller.h"
#include "shared_tests.h"

struct store {
    hkt_shared_semaphore permits;
    atomic_int ready, taken, inside, most, stop;
    long turns;
};

TEST(values_have_their_limits)
{
    struct store *store = shared_new(sizeof *store);
    hkt_shared_semaphore *semaphore = &store->permits;
    CHECK_EQ(hkt_shared_semaphore_init(semaphore, -1), -EINVAL);
    CHECK_EQ(hkt_shared_semaphore_init(semaphore, (long)INT_MAX + 1), -EINVAL);
    CHECK_EQ(hkt_shared_semaphore_init(semaphore, INT_MAX - 1), 0);
    CHECK_EQ(hkt_shared_semaphore_release(semaphore, 2), -EOVERFLOW);
    CHECK_EQ(hkt_shared_semaphore_release(semaphore, LONG_MAX), -EOVERFLOW);
    CHECK_EQ(hkt_shared_semaphore_release(semaphore, 0), -EINVAL);
    CHECK_EQ(hkt_shared_semaphore_release(semaphore, LONG_MIN), -EINVAL);
    CHECK_EQ(hkt_shared_semaphore_value(semaphore), INT_MAX - 1);
    CHECK_EQ(hkt_shared_semaphore_release(semaphore, 1), 0);
    CHECK_EQ(hkt_shared_semaphore_value(semaphore), INT_MAX);
    shared_end(store);
}

TEST(a_bounded_one_is_not_lifted_above_its_start)
{
    struct store *store = shared_new(sizeof *store);
    hkt_shared_semaphore *semaphore = &store->permits;
    CHECK_EQ(hkt_shared_bounded_semaphore_init(semaphore, 2), 0);
    CHECK_EQ(hkt_shared_semaphore_release(semaphore, 1), -EINVAL);
    CHECK_EQ(hkt_shared_semaphore_acquire(semaphore), 0);
    CHECK_EQ(hkt_shared_semaphore_acquire_nowait(semaphore), 0);
    CHECK_EQ(hkt_shared_semaphore_acquire_nowait(semaphore), -EAGAIN);
    CHECK_EQ(hkt_shared_semaphore_release(semaphore, 3), -EINVAL);
    CHECK_EQ(hkt_shared_semaphore_value(semaphore), 0);
    CHECK_EQ(hkt_shared_semaphore_release(semaphore, 2), 0);
    CHECK_EQ(hkt_shared_semaphore_release(semaphore, 1), -EINVAL);
    CHECK_EQ(hkt_shared_bounded_semaphore_init(semaphore, 0), 0);
    CHECK_EQ(hkt_shared_semaphore_release(semaphore, 1), -EINVAL);
    shared_end(store);
}

TEST(all_zero_is_one_without_permits)
{
    struct store *store = shared_new(sizeof *store);
    CHECK_EQ(hkt_shared_semaphore_acquire_nowait(&store->permits), -EAGAIN);
    CHECK_EQ(hkt_shared_semaphore_acquire_until(&store->permits, hkt_after(0)), -ETIMEDOUT);
    CHECK_EQ(hkt_shared_semaphore_release(&store->permits, 1), 0);
    CHECK_EQ(hkt_shared_semaphore_acquire(&store->permits), 0);
    shared_end(store);
}

static int take_one(void *arg)
{
    struct store *store = arg;
    int err = hkt_shared_semaphore_acquire(&store->permits);
    if (err == 0)
        atomic_fetch_add(&store->taken, 1);
    return err;
}

TEST(a_release_of_n_lets_n_go_on)
{
    enum { WAITERS = 6 };
    struct store *store = shared_new(sizeof *store);
    struct caller waiters[WAITERS];
    for (int i = 0; i < WAITERS; i++)
        caller_start_waiting(&waiters[i], take_one, store, &store->permits);
    CHECK_EQ(hkt_shared_semaphore_release(&store->permits, 4), 0);
    AWAIT(atomic_load(&store->taken) == 4);
    for (int i = 0; i < WAITERS; i++)
        caller_cancel(&waiters[i]);
    int cancelled = 0;
    for (int i = 0; i < WAITERS; i++)
        cancelled += caller_end(&waiters[i]) == -ECANCELED;
    CHECK_EQ(cancelled, 2);
    CHECK_EQ(hkt_shared_semaphore_value(&store->permits), 0);
    shared_end(store);
}

static int visit(void *arg)
{
    struct store *store = ((struct member *)arg)->shared;
    for (long turn = 0; turn < store->turns; turn++) {
        if (hkt_shared_semaphore_acquire(&store->permits) < 0)
            return 1;
        int inside = atomic_fetch_add(&store->inside, 1) + 1;
        if (inside > atomic_load(&store->most))
            atomic_store(&store->most, inside);
        atomic_fetch_sub(&store->inside, 1);
        if (hkt_shared_semaphore_release(&store->permits, 1) < 0)
            return 1;
    }
    return 0;
}

TEST(as_many_processes_are_inside_as_there_are_permits)
{
    enum { VISITORS = 5 };
    struct store *store = shared_new(sizeof *store);
    hkt_process *visitors[VISITORS];
    CHECK_EQ(hkt_shared_bounded_semaphore_init(&store->permits, 2), 0);
    store->turns = test_scaled(5000);
    for (int i = 0; i < VISITORS; i++)
        visitors[i] = member_start(visit, store, i);
    for (int i = 0; i < VISITORS; i++)
        CHECK_EQ(member_end(visitors[i]), 0);
    CHECK(atomic_load(&store->most) <= 2);
    CHECK_EQ(hkt_shared_semaphore_value(&store->permits), 2);
    shared_end(store);
}

static int take_one_in_a_process(void *arg)
{
    struct store *store = ((struct member *)arg)->shared;
    atomic_fetch_add(&store->ready, 1);
    return take_one(store) < 0;
}

/* Some of those who wait are killed, before or after they sleep; then there are permits for the
 * others. */
TEST_TIMEOUT(a_waiter_that_is_killed_takes_no_permit, 120)
{
    enum { WAITERS = 6 };
    struct store *store = shared_new(sizeof *store);
    struct test_random random = random_of(1);
    for (long round = test_scaled(50); round > 0; round--) {
        hkt_process *waiters[WAITERS];
        int killed = 1 + (int)random_below(&random, WAITERS - 1);
        atomic_store(&store->ready, 0);
        for (int i = 0; i < WAITERS; i++)
            waiters[i] = member_start(take_one_in_a_process, store, i);
        AWAIT(atomic_load(&store->ready) == WAITERS);
        rest(&random, 0.0005);
        for (int i = 0; i < killed; i++)
            member_kill(waiters[i]);
        for (int i = killed; i < WAITERS; i++)
            CHECK_EQ(hkt_shared_semaphore_release(&store->permits, 1), 0);
        for (int i = killed; i < WAITERS; i++)
            CHECK_EQ(member_end(waiters[i]), 0);
        CHECK_EQ(hkt_shared_semaphore_value(&store->permits), 0);
    }
    shared_end(store);
}

/* The one that is rung for may be killed right then: its permit is another's. */
TEST_TIMEOUT(a_permit_that_was_meant_for_a_killed_one_is_anothers, 120)
{
    struct store *store = shared_new(sizeof *store);
    struct test_random random = random_of(2);
    for (long round = test_scaled(100); round > 0; round--) {
        hkt_process *waiters[2];
        atomic_store(&store->ready, 0);
        atomic_store(&store->taken, 0);
        for (int i = 0; i < 2; i++)
            waiters[i] = member_start(take_one_in_a_process, store, i);
        AWAIT(atomic_load(&store->ready) == 2);
        rest(&random, 0.0005);
        CHECK_EQ(hkt_shared_semaphore_release(&store->permits, 1), 0);
        rest(&random, 0.0001);
        member_kill(waiters[0]);
        if (hkt_shared_semaphore_value(&store->permits) == 0 && atomic_load(&store->taken) == 0)
            await_moment(); /* on its way into the counter, or gone with the killed one */
        CHECK_EQ(hkt_shared_semaphore_release(&store->permits, 1), 0);
        CHECK_EQ(member_end(waiters[1]), 0);
        while (hkt_shared_semaphore_acquire_nowait(&store->permits) == 0)
            ;
    }
    shared_end(store);
}
