/* SPDX-License-Identifier: MIT */
/* hkt_shared_condition between processes: exact counts, and waiters that are killed. */
#include <hocket/shared_condition.h>

#include "shared_tests.h"

#define WAITERS 6

struct hall {
    hkt_shared_lock lock;
    hkt_shared_condition changed;
    int waiting, phase, woken[3];
    long items, taken;
    int stop;
    atomic_int told;
};

/* The lock, whatever has become of its last holder. */
static void enter(struct hall *hall)
{
    int err = hkt_shared_lock_acquire(&hall->lock);
    if (err == -EOWNERDEAD) {
        atomic_fetch_add(&hall->told, 1);
        hkt_shared_lock_consistent(&hall->lock);
    } else
        CHECK_EQ(err, 0);
}

static void leave(struct hall *hall)
{
    hkt_shared_lock_release(&hall->lock);
}

static int wait_once(void *arg)
{
    struct hall *hall = ((struct member *)arg)->shared;
    if (hkt_shared_lock_acquire(&hall->lock) < 0)
        return 1;
    hall->waiting++;
    if (hkt_shared_condition_wait(&hall->changed, &hall->lock) < 0)
        return 2;
    hall->woken[hall->phase]++;
    leave(hall);
    return 0;
}

static bool are(struct hall *hall, const int *count, int expected)
{
    enter(hall);
    bool so = *count == expected;
    leave(hall);
    return so;
}

/* So many have begun to wait, and have released the lock since. */
static void start_waiters(struct hall *hall, hkt_process **waiters, int count)
{
    enter(hall);
    hall->waiting = hall->phase = hall->woken[0] = hall->woken[1] = 0;
    leave(hall);
    for (int i = 0; i < count; i++)
        waiters[i] = member_start(wait_once, hall, i);
    AWAIT(are(hall, &hall->waiting, count));
}

static void notify_in_turn(struct hall *hall, int phase, size_t n)
{
    enter(hall);
    hall->phase = phase;
    hkt_shared_condition_notify(&hall->changed, n);
    leave(hall);
}

TEST(of_waiting_processes_exactly_n_are_woken)
{
    struct hall *hall = shared_new(sizeof *hall);
    for (int n = 1; n < WAITERS; n++) {
        hkt_process *waiters[WAITERS];
        start_waiters(hall, waiters, WAITERS);
        for (int i = 0; i < n; i++)
            notify_in_turn(hall, 0, 1);
        AWAIT(are(hall, &hall->woken[0], n));
        notify_in_turn(hall, 1, SIZE_MAX);
        for (int i = 0; i < WAITERS; i++)
            CHECK_EQ(member_end(waiters[i]), 0);
        CHECK_EQ(hall->woken[0], n);
        CHECK_EQ(hall->woken[1], WAITERS - n);
    }
    shared_end(hall);
}

TEST_TIMEOUT(a_waiter_that_is_killed_counts_no_more, 120)
{
    struct hall *hall = shared_new(sizeof *hall);
    struct test_random random = random_of(0);
    for (long round = test_scaled(60); round > 0; round--) {
        hkt_process *waiters[WAITERS];
        int killed = 1 + (int)random_below(&random, WAITERS - 2);
        int n = 1 + (int)random_below(&random, (uint64_t)(WAITERS - killed - 1));
        start_waiters(hall, waiters, WAITERS);
        for (int i = 0; i < killed; i++)
            member_kill(waiters[i]);
        notify_in_turn(hall, 0, (size_t)n);
        AWAIT(are(hall, &hall->woken[0], n));
        notify_in_turn(hall, 1, (size_t)(WAITERS - killed - n));
        for (int i = killed; i < WAITERS; i++)
            CHECK_EQ(member_end(waiters[i]), 0);
        CHECK_EQ(hall->woken[0], n);
        CHECK_EQ(hall->woken[1], WAITERS - killed - n);
    }
    CHECK_EQ(atomic_load(&hall->told), 0);
    shared_end(hall);
}

/* Notified and killed before it could go on: its notify is another's. */
TEST_TIMEOUT(a_killed_waiter_takes_no_notify_with_it, 120)
{
    struct hall *hall = shared_new(sizeof *hall);
    struct test_random random = random_of(1);
    for (long round = test_scaled(60); round > 0; round--) {
        hkt_process *waiters[2];
        start_waiters(hall, waiters, 2);
        enter(hall); /* so that whoever is woken comes no further than to the lock */
        hkt_shared_condition_notify(&hall->changed, 1);
        rest(&random, 0.0002);
        member_kill(waiters[0]);
        leave(hall);
        /* The notify is the other's; or it was taken by the killed one, which was on its way to the
         * lock. */
        hkt_shared_condition_notify(&hall->changed, 1);
        CHECK_EQ(member_end(waiters[1]), 0);
        CHECK_EQ(hall->woken[0], 1);
    }
    shared_end(hall);
}

static int consume(void *arg)
{
    struct hall *hall = ((struct member *)arg)->shared;
    enter(hall);
    while (!hall->stop) {
        if (hall->items > 0) {
            hall->items--;
            continue;
        }
        int err = hkt_shared_condition_wait(&hall->changed, &hall->lock);
        if (err == -EOWNERDEAD) {
            atomic_fetch_add(&hall->told, 1);
            hkt_shared_lock_consistent(&hall->lock);
        } else if (err < 0)
            return 1;
    }
    leave(hall);
    return 0;
}

/* Each item is notified once, for one; consumers are killed at any moment. Were a notify lost with
 * one of them, an item would be left while others wait. (One that was woken already, and is killed
 * with the notify in its hand, tells by the lock or not at all: so the next item notifies, too.) */
TEST_TIMEOUT(whoever_is_killed_at_any_moment_the_others_go_on, 120)
{
    struct hall *hall = shared_new(sizeof *hall);
    struct test_random random = random_of(2);
    hkt_process *consumers[WAITERS];
    long kills = test_scaled(200);
    for (int i = 0; i < WAITERS; i++)
        consumers[i] = member_start(consume, hall, i);
    for (long kill = 0; kill < kills; kill++) {
        int victim = (int)random_below(&random, WAITERS);
        for (int i = 0; i < 4; i++) {
            enter(hall);
            hall->items++;
            hkt_shared_condition_notify(&hall->changed, 1);
            leave(hall);
            if (i == 1)
                member_kill(consumers[victim]);
        }
        consumers[victim] = member_start(consume, hall, (int)kill + WAITERS);
        for (bool empty = false; !empty; leave(hall)) {
            enter(hall);
            empty = hall->items == 0;
            if (!empty)
                await_moment();
        }
    }
    enter(hall);
    hall->stop = 1;
    hkt_shared_condition_notify_all(&hall->changed);
    leave(hall);
    for (int i = 0; i < WAITERS; i++)
        CHECK_EQ(member_end(consumers[i]), 0);
    CHECK(atomic_load(&hall->told) <= kills);
    shared_end(hall);
}
