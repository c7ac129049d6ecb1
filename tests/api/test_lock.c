/* SPDX-License-Identifier: MIT */
/* hkt_lock beyond the contract of locks (tests/contract): what it is at rest, how it is handed
 * over, when its memory may go, misuse. */
#include <hocket/event.h>
#include <hocket/lock.h>
#include <stdlib.h>

#include "caller.h"
#include "random.h"
#include "test.h"

static int acquire_and_release(void *lock)
{
    hkt_lock_acquire(lock);
    hkt_lock_release(lock);
    return 0;
}

TEST(all_zero_is_a_free_lock)
{
    static hkt_lock lock;
    hkt_lock local = { 0 };
    CHECK(!hkt_lock_locked(&lock));
    CHECK_EQ(hkt_lock_acquire_nowait(&lock), 0);
    CHECK_EQ(hkt_lock_acquire_nowait(&local), 0);
}

TEST(locked_tells_whether_anybody_holds_it)
{
    hkt_lock lock = { 0 };
    struct caller waiter;
    hkt_lock_acquire(&lock);
    CHECK(hkt_lock_locked(&lock));
    caller_start_waiting(&waiter, acquire_and_release, &lock, &lock);
    CHECK(hkt_lock_locked(&lock));
    hkt_lock_release(&lock);
    CHECK_EQ(caller_end(&waiter), 0);
    CHECK(!hkt_lock_locked(&lock));
}

TEST(the_holder_itself_does_not_get_it_again)
{
    hkt_lock lock = { 0 };
    hkt_lock_acquire(&lock);
    CHECK_EQ(hkt_lock_acquire_nowait(&lock), -EAGAIN);
    CHECK_EQ(hkt_lock_acquire_until(&lock, hkt_after(0)), -ETIMEDOUT);
    CHECK_EQ(hkt_lock_acquire_until(&lock, hkt_after(0.001)), -ETIMEDOUT);
    hkt_lock_release(&lock);
    CHECK_EQ(hkt_lock_acquire_nowait(&lock), 0);
}

struct handed {
    hkt_lock lock;
    hkt_event go_on;
};

static int hold_until_told(void *arg)
{
    struct handed *handed = arg;
    hkt_lock_acquire(&handed->lock);
    CHECK_EQ(hkt_event_wait(&handed->go_on), 0);
    hkt_lock_release(&handed->lock);
    return 0;
}

TEST(who_has_waited_half_a_millisecond_is_given_it_directly)
{
    struct handed handed = { 0 };
    struct caller waiter;
    hkt_lock_acquire(&handed.lock);
    caller_start_waiting(&waiter, hold_until_told, &handed, &handed.lock);
    await_time(waits_since(waiter.thread) + 0.0005);
    hkt_lock_release(&handed.lock);
    /* It is the waiter's by now, whether that has woken or not. */
    CHECK_EQ(hkt_lock_acquire_nowait(&handed.lock), -EAGAIN);
    CHECK(hkt_lock_locked(&handed.lock));
    hkt_event_set(&handed.go_on);
    CHECK_EQ(caller_end(&waiter), 0);
}

struct sequence {
    hkt_lock lock;
    atomic_int next;
    int order[2];
};

static int take_first_place(void *arg)
{
    struct sequence *sequence = arg;
    hkt_lock_acquire(&sequence->lock);
    sequence->order[0] = atomic_fetch_add(&sequence->next, 1);
    hkt_lock_release(&sequence->lock);
    return 0;
}

static int take_second_place(void *arg)
{
    struct sequence *sequence = arg;
    hkt_lock_acquire(&sequence->lock);
    sequence->order[1] = atomic_fetch_add(&sequence->next, 1);
    hkt_lock_release(&sequence->lock);
    return 0;
}

/* Nobody else competes in the end, so the two go in the order of coming, whatever was before. */
TEST(who_is_beaten_to_it_keeps_its_place)
{
    for (long round = test_scaled(500); round > 0; round--) {
        struct sequence sequence = { .next = 0 };
        struct caller first, second;
        hkt_lock_acquire(&sequence.lock);
        caller_start_waiting(&first, take_first_place, &sequence, &sequence.lock);
        caller_start_waiting(&second, take_second_place, &sequence, &sequence.lock);
        hkt_lock_release(&sequence.lock);
        if (hkt_lock_acquire_nowait(&sequence.lock) == 0) {
            await_time(hkt_monotonic() + 0.0001);
            hkt_lock_release(&sequence.lock);
        }
        CHECK_EQ(caller_end(&first), 0);
        CHECK_EQ(caller_end(&second), 0);
        CHECK_EQ(sequence.order[0], 0);
        CHECK_EQ(sequence.order[1], 1);
    }
}

struct limited {
    hkt_lock lock;
    hkt_deadline deadline;
};

static int take_in_time(void *arg)
{
    struct limited *limited = arg;
    int err = hkt_lock_acquire_until(&limited->lock, limited->deadline);
    CHECK(err != -ETIMEDOUT || hkt_deadline_passed(limited->deadline));
    if (err == 0)
        hkt_lock_release(&limited->lock);
    return err;
}

/* Woken at its deadline, and beaten to the lock by another, which keeps it. */
TEST(who_is_beaten_to_it_keeps_its_deadline)
{
    struct test_random random = random_of(0);
    for (long round = test_scaled(1000); round > 0; round--) {
        struct limited limited = { .deadline = hkt_after(0.0003) };
        struct caller waiter;
        hkt_lock_acquire(&limited.lock);
        caller_start(&waiter, take_in_time, &limited);
        AWAIT(hkt_remaining(limited.deadline) < 0.00003);
        await_spinning(random_seconds(&random, 0.0001));
        hkt_lock_release(&limited.lock);
        bool beaten = hkt_lock_acquire_nowait(&limited.lock) == 0;
        int err = caller_end(&waiter); /* it must not wait for our release */
        CHECK(err == 0 || err == -ETIMEDOUT);
        if (beaten)
            hkt_lock_release(&limited.lock);
    }
}

/* The last one to hold it frees its memory at once, while the one before may still be on its way
 * out of the release. */
struct fleeting {
    hkt_lock lock;
    bool last; /* under the lock: the next one to hold it is the last */
};

static void leave(struct fleeting *fleeting)
{
    bool last = fleeting->last;
    fleeting->last = true;
    hkt_lock_release(&fleeting->lock);
    if (last)
        free(fleeting);
}

static int hold_and_leave(void *arg)
{
    struct fleeting *fleeting = arg;
    hkt_lock_acquire(&fleeting->lock);
    leave(fleeting);
    return 0;
}

TEST(its_memory_may_go_by_the_hand_that_released_it_last)
{
    struct test_random random = random_of(0);
    for (long round = test_scaled(2000); round > 0; round--) {
        struct fleeting *fleeting = calloc(1, sizeof *fleeting);
        struct caller last;
        CHECK(fleeting);
        hkt_lock_acquire(&fleeting->lock);
        caller_start(&last, hold_and_leave, fleeting);
        if (random_below(&random, 2))
            await_waiting_for(last.thread, &fleeting->lock);
        if (random_below(&random, 4) == 0)
            await_time(hkt_monotonic() + 0.0005);
        leave(fleeting);
        CHECK_EQ(caller_end(&last), 0);
    }
}

TEST_ABORTS(releasing_a_lock_that_nobody_holds_is_misuse, "hkt_lock_release: lock 0x")
{
    static hkt_lock lock;
    hkt_lock_release(&lock);
}

TEST_ABORTS(releasing_a_lock_twice_is_misuse, "is not held by anybody")
{
    static hkt_lock lock;
    hkt_lock_acquire(&lock);
    hkt_lock_release(&lock);
    hkt_lock_release(&lock);
}
