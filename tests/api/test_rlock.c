/* SPDX-License-Identifier: MIT */
/* hkt_rlock beyond the contract of locks (tests/contract): its levels and its owner. */
#include <hocket/lock.h>

#include "caller.h"
#include "random.h"
#include "test.h"

static int try_nowait(void *lock)
{
    int err = hkt_rlock_acquire_nowait(lock);
    if (err == 0)
        hkt_rlock_release(lock);
    return err;
}

static int take_once(void *lock)
{
    hkt_rlock_acquire(lock);
    CHECK(hkt_rlock_owned(lock));
    hkt_rlock_release(lock);
    return 0;
}

TEST(all_zero_is_a_free_rlock)
{
    static hkt_rlock lock;
    CHECK(!hkt_rlock_locked(&lock));
    CHECK(!hkt_rlock_owned(&lock));
    CHECK_EQ(hkt_rlock_acquire_nowait(&lock), 0);
}

TEST(the_holder_takes_it_as_often_as_it_likes)
{
    hkt_rlock lock = { 0 };
    for (int level = 0; level < 100000; level++)
        hkt_rlock_acquire(&lock);
    for (int level = 0; level < 100000; level++) {
        CHECK(hkt_rlock_locked(&lock));
        hkt_rlock_release(&lock);
    }
    CHECK(!hkt_rlock_locked(&lock));
}

TEST(the_holder_takes_it_in_all_forms_without_waiting)
{
    hkt_rlock lock = { 0 };
    CHECK_EQ(hkt_rlock_acquire_nowait(&lock), 0);
    CHECK_EQ(hkt_rlock_acquire_nowait(&lock), 0);
    CHECK_EQ(hkt_rlock_acquire_until(&lock, hkt_after(0)), 0);
    CHECK_EQ(hkt_rlock_acquire_until(&lock, (hkt_deadline){ 0 }), 0);
    hkt_rlock_acquire(&lock);
    for (int level = 0; level < 5; level++) {
        CHECK(hkt_rlock_owned(&lock));
        hkt_rlock_release(&lock);
    }
    CHECK(!hkt_rlock_owned(&lock));
}

TEST(only_the_last_release_frees_it)
{
    hkt_rlock lock = { 0 };
    struct caller waiter;
    hkt_rlock_acquire(&lock);
    hkt_rlock_acquire(&lock);
    hkt_rlock_acquire(&lock);
    caller_start_waiting(&waiter, take_once, &lock, &lock);
    hkt_rlock_release(&lock);
    CHECK_EQ(call_elsewhere(try_nowait, &lock), -EAGAIN);
    hkt_rlock_release(&lock);
    CHECK_EQ(call_elsewhere(try_nowait, &lock), -EAGAIN);
    CHECK(waits_for(waiter.thread, &lock));
    hkt_rlock_release(&lock);
    CHECK_EQ(caller_end(&waiter), 0);
    CHECK_EQ(call_elsewhere(try_nowait, &lock), 0);
}

static int look_at_the_lock_of_another(void *lock)
{
    CHECK(hkt_rlock_locked(lock));
    CHECK(!hkt_rlock_owned(lock));
    return 0;
}

TEST(locked_is_for_anybody_and_owned_for_the_caller)
{
    hkt_rlock lock = { 0 };
    hkt_rlock_acquire(&lock);
    CHECK(hkt_rlock_locked(&lock));
    CHECK(hkt_rlock_owned(&lock));
    CHECK_EQ(call_elsewhere(look_at_the_lock_of_another, &lock), 0);
    hkt_rlock_release(&lock);
    CHECK(!hkt_rlock_locked(&lock));
    CHECK(!hkt_rlock_owned(&lock));
}

struct levels {
    hkt_rlock lock;
    long count;
    long turns;
};

static void climb(struct levels *levels, unsigned height)
{
    hkt_rlock_acquire(&levels->lock);
    if (height)
        climb(levels, height - 1);
    levels->count++;
    hkt_rlock_release(&levels->lock);
}

static int climb_often(void *arg)
{
    struct levels *levels = arg;
    for (long turn = 0; turn < levels->turns; turn++)
        climb(levels, 4);
    return 0;
}

TEST(levels_of_several_threads_do_not_mix)
{
    struct levels levels = { .turns = test_scaled(5000) };
    call_in_threads(4, climb_often, &levels, 0);
    CHECK_EQ(levels.count, 4 * levels.turns * 5);
    CHECK(!hkt_rlock_locked(&levels.lock));
}

static int release_it(void *lock)
{
    hkt_rlock_release(lock);
    return 0;
}

TEST_ABORTS(releasing_the_rlock_of_another_thread_is_misuse, "hkt_rlock_release: rlock 0x")
{
    hkt_rlock lock = { 0 };
    hkt_rlock_acquire(&lock);
    call_elsewhere(release_it, &lock);
}

TEST_ABORTS(releasing_a_free_rlock_is_misuse, "is not held by the calling thread")
{
    static hkt_rlock lock;
    hkt_rlock_release(&lock);
}

TEST_ABORTS(releasing_a_level_too_many_is_misuse, "is not held by the calling thread")
{
    static hkt_rlock lock;
    hkt_rlock_acquire(&lock);
    hkt_rlock_acquire(&lock);
    hkt_rlock_release(&lock);
    hkt_rlock_release(&lock);
    hkt_rlock_release(&lock);
}
