/* SPDX-License-Identifier: MIT */
/* The contract of every lock, first part: mutual exclusion, order, no starvation, waits that end by
 * success alone. Compiled for each lock by a test_<lock>.c, which says before:
 *
 *     typedef hkt_x subject;
 *     static void subject_init(subject *lock);
 *     static int subject_acquire(subject *lock);          the plain form; 0
 *     static void subject_release(subject *lock);
 *     #define SUBJECT_ANY_THREAD_RELEASES 1               or 0: only its holder may
 *     #define SUBJECT_ACQUIRE_IS_CANCELLED 1              or 0: never
 *     #define SUBJECT_HAS_NO_ORDER                        those who wait get it in any order
 */
#ifndef HOCKET_TEST_LOCK_EXCLUSION_H
#define HOCKET_TEST_LOCK_EXCLUSION_H

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "caller.h"
#include "random.h"
#include "test.h"

/* A lock, and what it guards: plain memory, so that a hole in it is a data race for TSan, too. */
struct guarded {
    subject lock;
    long count;
    long turns;    /* that each thread takes */
    bool released; /* said by the holder, right before it releases */
    int order[8];  /* who came in, in this order */
    int entered;
};

static inline struct guarded *guarded_init(struct guarded *guarded)
{
    *guarded = (struct guarded){ .count = 0 };
    subject_init(&guarded->lock);
    return guarded;
}

static int count_up(void *arg)
{
    struct guarded *guarded = arg;
    for (long turn = 0; turn < guarded->turns; turn++) {
        CHECK_EQ(subject_acquire(&guarded->lock), 0);
        long seen = guarded->count;
        if (turn % 64 == 0)
            sched_yield();
        guarded->count = seen + 1;
        subject_release(&guarded->lock);
    }
    return 0;
}

TEST(one_thread_at_a_time)
{
    struct guarded guarded;
    guarded_init(&guarded)->turns = test_scaled(20000);
    call_in_threads(4, count_up, &guarded, 0);
    CHECK_EQ(guarded.count, 4 * guarded.turns);
}

/* Takes the lock, which must have been released by then, and gives it back. */
static int take_when_released(void *arg)
{
    struct guarded *guarded = arg;
    int err = subject_acquire(&guarded->lock);
    if (err < 0)
        return err;
    CHECK(guarded->released);
    subject_release(&guarded->lock);
    return 0;
}

static void release_and_say(struct guarded *guarded)
{
    guarded->released = true;
    subject_release(&guarded->lock);
}

TEST(who_finds_it_taken_waits_until_it_is_released)
{
    struct guarded guarded;
    struct caller waiter;
    CHECK_EQ(subject_acquire(&guarded_init(&guarded)->lock), 0);
    caller_start(&waiter, take_when_released, &guarded);
    await_state(waiter.thread, HKT_THREAD_BLOCKED);
    CHECK(waits_for(waiter.thread, &guarded.lock));
    release_and_say(&guarded);
    CHECK_EQ(caller_end(&waiter), 0);
}

TEST(a_released_lock_can_be_taken_again)
{
    struct guarded guarded;
    guarded_init(&guarded)->turns = 1000;
    CHECK_EQ(count_up(&guarded), 0);
    CHECK_EQ(call_elsewhere(count_up, &guarded), 0);
    CHECK_EQ(guarded.count, 2000);
}

#ifndef SUBJECT_HAS_NO_ORDER
struct comer {
    struct guarded *guarded;
    int number;
};

static int write_my_number(void *arg)
{
    struct comer *comer = arg;
    struct guarded *guarded = comer->guarded;
    CHECK_EQ(subject_acquire(&guarded->lock), 0);
    guarded->order[guarded->entered++] = comer->number;
    subject_release(&guarded->lock);
    return 0;
}

TEST(who_waits_gets_it_in_the_order_of_coming)
{
    struct guarded guarded;
    struct caller waiters[8];
    struct comer comers[8];
    CHECK_EQ(subject_acquire(&guarded_init(&guarded)->lock), 0);
    for (int i = 0; i < 8; i++) {
        comers[i] = (struct comer){ &guarded, i };
        caller_start_waiting(&waiters[i], write_my_number, &comers[i], &guarded.lock);
    }
    subject_release(&guarded.lock);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(caller_end(&waiters[i]), 0);
    CHECK_EQ(guarded.entered, 8);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(guarded.order[i], i);
}
#endif

/* Threads that take it again at once, until each has had its turns. */
struct greedy {
    struct guarded guarded;
    atomic_int hungry;
};

static int take_until_all_had_their_turns(void *arg)
{
    struct greedy *greedy = arg;
    struct guarded *guarded = &greedy->guarded;
    for (long turn = 1; atomic_load(&greedy->hungry) > 0; turn++) {
        CHECK_EQ(subject_acquire(&guarded->lock), 0);
        guarded->count++;
        subject_release(&guarded->lock);
        if (turn == guarded->turns)
            atomic_fetch_sub(&greedy->hungry, 1);
    }
    return 0;
}

TEST(nobody_starves)
{
    struct greedy greedy = { .hungry = 3 };
    guarded_init(&greedy.guarded)->turns = test_scaled(100);
    call_in_threads(3, take_until_all_had_their_turns, &greedy, 0);
    CHECK(greedy.guarded.count >= 3 * greedy.guarded.turns);
}

#if SUBJECT_ACQUIRE_IS_CANCELLED
TEST(the_plain_wait_is_cancelled)
{
    struct guarded guarded;
    struct caller waiter;
    CHECK_EQ(subject_acquire(&guarded_init(&guarded)->lock), 0);
    caller_start_waiting(&waiter, take_when_released, &guarded, &guarded.lock);
    caller_cancel(&waiter);
    CHECK_EQ(caller_end(&waiter), -ECANCELED);
    release_and_say(&guarded);
    CHECK_EQ(call_cancelled(take_when_released, &guarded), -ECANCELED);
    CHECK_EQ(take_when_released(&guarded), 0);
}
#else
TEST(the_plain_wait_is_not_cancelled)
{
    struct guarded guarded;
    struct caller waiter;
    CHECK_EQ(subject_acquire(&guarded_init(&guarded)->lock), 0);
    caller_start_waiting(&waiter, take_when_released, &guarded, &guarded.lock);
    caller_cancel(&waiter);
    release_and_say(&guarded);
    CHECK_EQ(caller_end(&waiter), 0);
    CHECK_EQ(call_cancelled(take_when_released, &guarded), 0);
}
#endif

/* Signals, as at any time: their handler runs, and the wait goes on. */
static atomic_int signals_taken;

static void take_signal(int signo)
{
    (void)signo;
    atomic_fetch_add(&signals_taken, 1);
}

/* `count` signals to this thread, one after another; no system call is restarted after them. */
static inline void interrupt(hkt_thread *thread, int count)
{
    struct sigaction action = { .sa_handler = take_signal };
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    for (int i = 0; i < count; i++) {
        if (syscall(SYS_tgkill, getpid(), hkt_thread_native_id(thread), SIGUSR1) < 0)
            CHECK_EQ(errno, ESRCH); /* it has ended */
        await_moment();
    }
}

TEST(signals_do_not_end_a_wait)
{
    struct guarded guarded;
    struct caller waiter;
    CHECK_EQ(subject_acquire(&guarded_init(&guarded)->lock), 0);
    caller_start_waiting(&waiter, take_when_released, &guarded, &guarded.lock);
    interrupt(waiter.thread, 20);
    CHECK(waits_for(waiter.thread, &guarded.lock));
    release_and_say(&guarded);
    CHECK_EQ(caller_end(&waiter), 0);
    CHECK(atomic_load(&signals_taken) > 0);
}

#if SUBJECT_ANY_THREAD_RELEASES
static int release_it(void *arg)
{
    subject_release(arg);
    return 0;
}

TEST(any_thread_may_release_it)
{
    struct guarded guarded;
    CHECK_EQ(subject_acquire(&guarded_init(&guarded)->lock), 0);
    CHECK_EQ(call_elsewhere(release_it, &guarded.lock), 0);
    CHECK_EQ(subject_acquire(&guarded.lock), 0);
    CHECK_EQ(call_elsewhere(release_it, &guarded.lock), 0);
    guarded.released = true;
    CHECK_EQ(take_when_released(&guarded), 0);
}
#endif

#endif
