/* SPDX-License-Identifier: MIT */
/* hkt_shared_rlock: levels, owners in this and other processes, holders that die. */
#include <hocket/shared_event.h>
#include <hocket/shared_lock.h>

#include "caller.h"
#include "shared_tests.h"

struct levels {
    hkt_shared_rlock lock;
    hkt_shared_event held;
    long count, turns;
};

static int look_from_elsewhere(void *arg)
{
    struct levels *levels = arg;
    CHECK(hkt_shared_rlock_locked(&levels->lock));
    CHECK(!hkt_shared_rlock_owned(&levels->lock));
    return hkt_shared_rlock_acquire_nowait(&levels->lock);
}

static int look_from_another_process(void *arg)
{
    return look_from_elsewhere(((struct member *)arg)->shared) == -EAGAIN ? 0 : 1;
}

TEST(its_owner_takes_it_again_and_others_wait)
{
    struct levels *levels = shared_new(sizeof *levels);
    CHECK(!hkt_shared_rlock_owned(&levels->lock));
    CHECK_EQ(hkt_shared_rlock_acquire(&levels->lock), 0);
    CHECK_EQ(hkt_shared_rlock_acquire_until(&levels->lock, hkt_after(0)), 0);
    CHECK_EQ(hkt_shared_rlock_acquire_nowait(&levels->lock), 0);
    for (int level = 3; level > 0; level--) {
        CHECK(hkt_shared_rlock_owned(&levels->lock));
        CHECK_EQ(call_elsewhere(look_from_elsewhere, levels), -EAGAIN);
        CHECK_EQ(member_end(member_start(look_from_another_process, levels, 0)), 0);
        hkt_shared_rlock_release(&levels->lock);
    }
    CHECK(!hkt_shared_rlock_locked(&levels->lock));
    CHECK(!hkt_shared_rlock_owned(&levels->lock));
    shared_end(levels);
}

static int count_in_levels(void *arg)
{
    struct levels *levels = arg;
    for (long turn = 0; turn < levels->turns; turn++) {
        if (hkt_shared_rlock_acquire(&levels->lock) < 0 ||
            hkt_shared_rlock_acquire(&levels->lock) < 0)
            return 1;
        levels->count++;
        hkt_shared_rlock_release(&levels->lock);
        levels->count++;
        hkt_shared_rlock_release(&levels->lock);
    }
    return 0;
}

static int count_in_a_process(void *arg)
{
    return count_in_levels(((struct member *)arg)->shared);
}

TEST(threads_and_processes_take_turns)
{
    struct levels *levels = shared_new(sizeof *levels);
    hkt_process *others[2];
    levels->turns = test_scaled(5000);
    for (int i = 0; i < 2; i++)
        others[i] = member_start(count_in_a_process, levels, i);
    call_in_threads(2, count_in_levels, levels, 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(member_end(others[i]), 0);
    CHECK_EQ(levels->count, 4 * 2 * levels->turns);
    shared_end(levels);
}

static int hold_twice(void *arg)
{
    struct levels *levels = ((struct member *)arg)->shared;
    if (hkt_shared_rlock_acquire(&levels->lock) < 0 || hkt_shared_rlock_acquire(&levels->lock) < 0)
        return 1;
    hkt_shared_event_set(&levels->held);
    for (;;)
        pause();
}

static void let_its_holder_die(struct levels *levels)
{
    hkt_shared_event_clear(&levels->held);
    hkt_process *holder = member_start(hold_twice, levels, 0);
    CHECK_EQ(hkt_shared_event_wait_until(&levels->held, hkt_after(20)), 0);
    CHECK(!hkt_shared_rlock_owned(&levels->lock));
    CHECK_EQ(hkt_shared_rlock_acquire_nowait(&levels->lock), -EAGAIN);
    member_kill(holder);
}

TEST(after_the_death_of_its_holder_the_levels_begin_anew)
{
    struct levels *levels = shared_new(sizeof *levels);
    let_its_holder_die(levels);
    CHECK(!hkt_shared_rlock_owned(&levels->lock));
    CHECK(!hkt_shared_rlock_locked(&levels->lock));
    CHECK_EQ(hkt_shared_rlock_acquire(&levels->lock), -EOWNERDEAD);
    CHECK(hkt_shared_rlock_owned(&levels->lock));
    CHECK_EQ(hkt_shared_rlock_acquire(&levels->lock), -EOWNERDEAD);
    hkt_shared_rlock_consistent(&levels->lock);
    CHECK_EQ(hkt_shared_rlock_acquire_nowait(&levels->lock), 0);
    for (int level = 3; level > 0; level--) {
        CHECK(hkt_shared_rlock_locked(&levels->lock));
        hkt_shared_rlock_release(&levels->lock);
    }
    CHECK(!hkt_shared_rlock_locked(&levels->lock));
    CHECK_EQ(hkt_shared_rlock_acquire(&levels->lock), 0);
    hkt_shared_rlock_release(&levels->lock);
    shared_end(levels);
}

TEST(what_nobody_mends_is_told_to_the_next_one)
{
    struct levels *levels = shared_new(sizeof *levels);
    let_its_holder_die(levels);
    CHECK_EQ(hkt_shared_rlock_acquire_until(&levels->lock, hkt_after(0)), -EOWNERDEAD);
    hkt_shared_rlock_release(&levels->lock);
    CHECK_EQ(hkt_shared_rlock_acquire_nowait(&levels->lock), -EOWNERDEAD);
    hkt_shared_rlock_consistent(&levels->lock);
    hkt_shared_rlock_release(&levels->lock);
    CHECK_EQ(hkt_shared_rlock_acquire_nowait(&levels->lock), 0);
    hkt_shared_rlock_release(&levels->lock);
    shared_end(levels);
}

static int release_of_another(void *levels)
{
    hkt_shared_rlock_release(&((struct levels *)levels)->lock);
    return 0;
}

TEST_ABORTS(a_release_by_another_thread_is_misuse, "is not held by the calling thread")
{
    struct levels *levels = shared_new(sizeof *levels);
    CHECK_EQ(hkt_shared_rlock_acquire(&levels->lock), 0);
    call_elsewhere(release_of_another, levels);
}

TEST_ABORTS(to_call_consistent_what_another_holds_is_misuse, "hkt_shared_rlock_consistent")
{
    struct levels *levels = shared_new(sizeof *levels);
    hkt_shared_rlock_consistent(&levels->lock);
}
