/* SPDX-License-Identifier: MIT */
/* hkt_giant_lock: its levels, its interval, giving it away around foreign code, misuse. How it is
 * handed over: test_giant_lock_turns.c; in waiting calls: test_giant_lock_waits.c. */
#include <hocket/event.h>
#include <hocket/giant_lock.h>
#include <hocket/lock.h>
#include <math.h>
#include <sched.h>

#include "caller.h"
#include "random.h"
#include "test.h"

static int take_once(void *lock)
{
    CHECK(!hkt_giant_lock_held(lock));
    hkt_giant_lock_acquire(lock);
    CHECK(hkt_giant_lock_held(lock));
    hkt_giant_lock_release(lock);
    CHECK(!hkt_giant_lock_held(lock));
    return 0;
}

TEST(all_zero_is_a_free_giant_lock_with_an_interval_of_5_ms)
{
    static hkt_giant_lock lock;
    CHECK(!hkt_giant_lock_held(&lock));
    CHECK(fabs(hkt_giant_lock_interval(&lock) - 0.005) < 1e-9);
    CHECK_EQ(take_once(&lock), 0);
}

TEST(the_interval_is_what_was_set)
{
    hkt_giant_lock lock = { 0 };
    static const double good[] = { 1e-9, 0.001, 0.005, 1, 999.5, 1000 };
    static const double bad[] = { 0, -1, 1000.1, 1e300, (double)INFINITY, (double)NAN };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK_EQ(hkt_giant_lock_set_interval(&lock, good[i]), 0);
        CHECK(fabs(hkt_giant_lock_interval(&lock) - good[i]) <= good[i] * 1e-6 + 1e-12);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(hkt_giant_lock_set_interval(&lock, bad[i]), -EINVAL);
        CHECK(fabs(hkt_giant_lock_interval(&lock) - 1000) < 0.001);
    }
}

TEST(held_is_about_the_caller)
{
    hkt_giant_lock lock = { 0 };
    struct caller other;
    hkt_giant_lock_acquire(&lock);
    CHECK(hkt_giant_lock_held(&lock));
    caller_start_waiting(&other, take_once, &lock, &lock); /* it has looked: not held by it */
    CHECK(hkt_giant_lock_held(&lock));
    hkt_giant_lock_release(&lock);
    CHECK(!hkt_giant_lock_held(&lock));
    CHECK_EQ(caller_end(&other), 0);
}

TEST(the_last_level_given_back_frees_it)
{
    hkt_giant_lock lock = { 0 };
    struct caller other;
    for (int level = 0; level < 3; level++)
        hkt_giant_lock_acquire(&lock);
    caller_start_waiting(&other, take_once, &lock, &lock);
    for (int level = 0; level < 3; level++) {
        CHECK(hkt_giant_lock_held(&lock));
        CHECK(waits_for(other.thread, &lock));
        hkt_giant_lock_release(&lock);
    }
    CHECK_EQ(caller_end(&other), 0);
}

TEST(two_giant_locks_are_two)
{
    hkt_giant_lock first = { 0 }, second = { 0 };
    struct caller other;
    hkt_giant_lock_acquire(&first);
    hkt_giant_lock_acquire(&second);
    hkt_giant_lock_release(&second);
    caller_start(&other, take_once, &second);
    await_state(other.thread, HKT_THREAD_TERMINATED);
    CHECK(hkt_giant_lock_held(&first));
    CHECK(!hkt_giant_lock_held(&second));
    hkt_giant_lock_release(&first);
    CHECK_EQ(caller_end(&other), 0);
}

TEST(foreign_code_may_block_while_others_run)
{
    hkt_giant_lock lock = { 0 };
    struct caller other;
    for (int level = 0; level < 3; level++)
        hkt_giant_lock_acquire(&lock);
    caller_start_waiting(&other, take_once, &lock, &lock);
    hkt_giant_lock_begin_blocking(&lock);
    CHECK(!hkt_giant_lock_held(&lock));
    await_state(other.thread, HKT_THREAD_TERMINATED); /* as in foreign code: no wait of hocket */
    hkt_giant_lock_end_blocking(&lock);
    for (int level = 0; level < 3; level++) {
        CHECK(hkt_giant_lock_held(&lock));
        hkt_giant_lock_release(&lock);
    }
    CHECK(!hkt_giant_lock_held(&lock));
    CHECK_EQ(caller_end(&other), 0);
}

struct stage {
    hkt_giant_lock lock;
    hkt_event entered, go_on;
    bool released;
};

/* Holds it in a way that no wait gives it away: waits without hocket. */
static int hold_until_told(void *arg)
{
    struct stage *stage = arg;
    hkt_giant_lock_acquire(&stage->lock);
    hkt_event_set(&stage->entered);
    AWAIT(hkt_event_is_set(&stage->go_on));
    stage->released = true;
    hkt_giant_lock_release(&stage->lock);
    return 0;
}

static int set_go_on(void *arg)
{
    struct stage *stage = arg;
    hkt_event_set(&stage->go_on);
    return 0;
}

TEST(the_end_of_blocking_waits_for_its_turn)
{
    struct stage stage = { .released = false };
    struct caller other, herald;
    hkt_giant_lock_acquire(&stage.lock);
    hkt_giant_lock_begin_blocking(&stage.lock);
    caller_start(&other, hold_until_told, &stage);
    CHECK_EQ(hkt_event_wait(&stage.entered), 0);
    caller_start(&herald, set_go_on, &stage);
    hkt_giant_lock_end_blocking(&stage.lock);
    CHECK(stage.released);
    hkt_giant_lock_release(&stage.lock);
    CHECK_EQ(caller_end(&other), 0);
    CHECK_EQ(caller_end(&herald), 0);
}

static int wait_for_go_on(void *arg)
{
    struct stage *stage = arg;
    hkt_giant_lock_acquire(&stage->lock);
    hkt_giant_lock_begin_blocking(&stage->lock);
    CHECK_EQ(hkt_event_wait(&stage->go_on), 0);
    CHECK(!hkt_giant_lock_held(&stage->lock));
    hkt_giant_lock_end_blocking(&stage->lock);
    CHECK(hkt_giant_lock_held(&stage->lock));
    hkt_giant_lock_release(&stage->lock);
    return 0;
}

TEST(a_wait_of_hocket_between_begin_and_end_does_not_take_it)
{
    struct stage stage = { .released = false };
    struct caller other;
    caller_start_waiting(&other, wait_for_go_on, &stage, &stage.go_on);
    hkt_giant_lock_acquire(&stage.lock);
    hkt_event_set(&stage.go_on);
    await_waiting_for(other.thread, &stage.lock);
    hkt_giant_lock_release(&stage.lock);
    CHECK_EQ(caller_end(&other), 0);
}

/* A pile of code that was never meant for threads. */
struct library {
    hkt_giant_lock lock;
    hkt_lock fine; /* some use this one too, under the giant one */
    long count;
    long turns;
};

/* Gives way in one of several ways, or in none, and then counts. */
static void use(struct library *library, uint64_t how)
{
    hkt_giant_lock_acquire(&library->lock);
    switch (how) {
    case 0:
        hkt_giant_lock_begin_blocking(&library->lock);
        hkt_giant_lock_end_blocking(&library->lock);
        break;
    case 1:
        use(library, 2);
        break;
    case 2:
        hkt_giant_lock_checkpoint(&library->lock);
        break;
    case 3:
        hkt_lock_acquire(&library->fine);
        hkt_lock_release(&library->fine);
        break;
    case 4:
        CHECK_EQ(hkt_sleep(1e-6), 0);
        break;
    default:
        break;
    }
    long seen = library->count;
    if (how == 5)
        sched_yield();
    library->count = seen + 1;
    hkt_giant_lock_release(&library->lock);
}

struct user {
    struct library *library;
    long used;
    struct test_random random;
};

static int use_often(void *arg)
{
    struct user *user = arg;
    for (long turn = 0; turn < user->library->turns; turn++) {
        uint64_t how = random_below(&user->random, 12);
        use(user->library, how);
        user->used += how == 1 ? 2 : 1;
    }
    return 0;
}

TEST_TIMEOUT(a_random_mix_under_the_giant_lock_keeps_the_count_exact, 60)
{
    struct library library = { .turns = test_scaled(5000) };
    struct user users[4];
    CHECK_EQ(hkt_giant_lock_set_interval(&library.lock, 1e-5), 0);
    for (unsigned i = 0; i < 4; i++)
        users[i] = (struct user){ &library, 0, random_of(i) };
    call_in_threads(4, use_often, users, sizeof *users);
    CHECK_EQ(library.count, users[0].used + users[1].used + users[2].used + users[3].used);
    CHECK_EQ(take_once(&library.lock), 0);
}

TEST_ABORTS(releasing_a_free_giant_lock_is_misuse, "hkt_giant_lock_release: giant lock 0x")
{
    static hkt_giant_lock lock;
    hkt_giant_lock_release(&lock);
}

static int release_it(void *lock)
{
    hkt_giant_lock_release(lock);
    return 0;
}

TEST_ABORTS(releasing_the_giant_lock_of_another_is_misuse, "is not held by the calling thread")
{
    static hkt_giant_lock lock;
    struct caller other;
    hkt_giant_lock_acquire(&lock);
    caller_start(&other, release_it, &lock);
    await_state(other.thread, HKT_THREAD_TERMINATED);
}

TEST_ABORTS(releasing_a_level_too_many_is_misuse, "is not held by the calling thread")
{
    static hkt_giant_lock lock;
    hkt_giant_lock_acquire(&lock);
    hkt_giant_lock_release(&lock);
    hkt_giant_lock_release(&lock);
}

TEST_ABORTS(beginning_to_block_without_it_is_misuse, "hkt_giant_lock_begin_blocking: giant lock 0x")
{
    static hkt_giant_lock lock;
    hkt_giant_lock_begin_blocking(&lock);
}

TEST_ABORTS(beginning_to_block_twice_is_misuse, "hkt_giant_lock_begin_blocking: giant lock 0x")
{
    static hkt_giant_lock lock;
    hkt_giant_lock_acquire(&lock);
    hkt_giant_lock_begin_blocking(&lock);
    hkt_giant_lock_begin_blocking(&lock);
}

TEST_ABORTS(ending_what_was_not_begun_is_misuse, "hkt_giant_lock_end_blocking: giant lock 0x")
{
    static hkt_giant_lock lock;
    hkt_giant_lock_acquire(&lock);
    hkt_giant_lock_end_blocking(&lock);
}

TEST_ABORTS(releasing_it_while_it_is_given_away_is_misuse, "hkt_giant_lock_release: giant lock 0x")
{
    static hkt_giant_lock lock;
    hkt_giant_lock_acquire(&lock);
    hkt_giant_lock_begin_blocking(&lock);
    hkt_giant_lock_release(&lock);
}

TEST_ABORTS(acquiring_it_while_it_is_given_away_is_misuse, "was given away by begin_blocking")
{
    static hkt_giant_lock lock;
    hkt_giant_lock_acquire(&lock);
    hkt_giant_lock_begin_blocking(&lock);
    hkt_giant_lock_acquire(&lock);
}

/* It would hand over what another holds. Nobody looks while nobody waits: a checkpoint is one
 * load. */
TEST_ABORTS(a_checkpoint_by_another_than_the_holder_is_misuse,
            "hkt_giant_lock_checkpoint: giant lock 0x")
{
    static struct stage stage;
    struct caller holder, waiter;
    CHECK_EQ(hkt_giant_lock_set_interval(&stage.lock, 1e-6), 0);
    caller_start(&holder, hold_until_told, &stage);
    CHECK_EQ(hkt_event_wait(&stage.entered), 0);
    caller_start_waiting(&waiter, take_once, &stage.lock, &stage.lock);
    await_time(hkt_monotonic() + 0.001);
    hkt_giant_lock_checkpoint(&stage.lock);
}
