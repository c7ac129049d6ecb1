/* SPDX-License-Identifier: MIT */
/* The condition, the event and the semaphore between processes, under all schedules of threads: no
 * notify is lost, also to one who gives up, n of them wake n, and the waiters come back with the lock,
 * one at a time. */
#include <hocket/shared.h>
#include <hocket/shared_condition.h>
#include <hocket/shared_event.h>
#include <hocket/shared_semaphore.h>

#include "proof.h"

static hkt_shared_lock lock;
static hkt_shared_condition changed;
static hkt_shared_semaphore semaphore;
static hkt_shared_event event;
static int tokens, inside, taken, waiting;

/* The family is there before the first schedule. */
static void prove_in_family(int (*scenario)(void *))
{
    hkt_shared_free(hkt_shared_alloc(1));
    prove(scenario);
    CHECK_EQ(hkt_finalize(), 0);
}

static int reset(void)
{
    lock = (hkt_shared_lock){ { 0 } };
    changed = (hkt_shared_condition){ { 0 } };
    event = (hkt_shared_event){ { 0 } };
    tokens = inside = taken = waiting = 0;
    return hkt_shared_semaphore_init(&semaphore, 0);
}

static int takes(void *arg)
{
    (void)arg;
    int err = hkt_shared_lock_acquire(&lock);
    while (tokens == 0 && err == 0)
        err = hkt_shared_condition_wait(&changed, &lock);
    if (err == 0) {
        tokens--;
        taken++;
        err = pass_alone(&inside);
    }
    hkt_shared_lock_release(&lock);
    return err;
}

static int takes_or_gives_up(void *arg)
{
    (void)arg;
    int err = hkt_shared_lock_acquire(&lock);
    while (tokens == 0 && err == 0)
        err = hkt_shared_condition_wait_until(&changed, &lock, hkt_after(20e-6));
    MUST(hkt_shared_lock_locked(&lock));
    int alone = pass_alone(&inside);
    if (err == 0) {
        tokens--;
        taken++;
    }
    hkt_shared_lock_release(&lock);
    return err == -ETIMEDOUT ? alone : err;
}

static int gives_two(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        int err = hkt_shared_lock_acquire(&lock);
        tokens++;
        hkt_shared_condition_notify(&changed, 1);
        hkt_shared_lock_release(&lock);
        if (err < 0)
            return err;
    }
    return 0;
}

static int two_and_one_who_gives_up(void *arg)
{
    (void)arg;
    reset();
    int err = TOGETHER(takes, takes_or_gives_up, gives_two);
    MUST(err < 0 || taken + tokens == 2);
    return err;
}

TEST_TIMEOUT(who_gives_up_takes_no_notify_with_it, 120)
{
    prove_in_family(two_and_one_who_gives_up);
}

/* Waits once, for no predicate. */
static int waits(void *arg)
{
    (void)arg;
    int err = hkt_shared_lock_acquire(&lock);
    waiting++;
    err = err < 0 ? err : hkt_shared_condition_wait(&changed, &lock);
    taken++;
    hkt_shared_lock_release(&lock);
    return err;
}

/* When both wait: one, without the lock; and the other one, when that has come. */
static int wakes_one_and_one(void *arg)
{
    (void)arg;
    for (int n = 0; n < 2; n++) {
        for (bool so = false; !so; hkt_sleep(10e-6)) {
            int err = hkt_shared_lock_acquire(&lock);
            MUST(err == 0 && taken <= n);
            so = waiting == 2 && taken == n;
            hkt_shared_lock_release(&lock);
        }
        hkt_shared_condition_notify(&changed, 1);
    }
    return 0;
}

static int one_and_one(void *arg)
{
    (void)arg;
    reset();
    int err = TOGETHER(waits, waits, wakes_one_and_one);
    MUST(err < 0 || taken == 2);
    return err;
}

TEST_TIMEOUT(a_notify_wakes_one_and_no_more, 240)
{
    prove_in_family(one_and_one);
}

static int takes_permit(void *arg)
{
    (void)arg;
    return hkt_shared_semaphore_acquire(&semaphore);
}

static int takes_permit_or_gives_up(void *arg)
{
    (void)arg;
    int err = hkt_shared_semaphore_acquire_until(&semaphore, hkt_after(20e-6));
    return err == -ETIMEDOUT ? hkt_shared_semaphore_acquire(&semaphore) : err;
}

static int gives_permits(void *arg)
{
    (void)arg;
    int err = hkt_shared_semaphore_release(&semaphore, 1);
    return err < 0 ? err : hkt_shared_semaphore_release(&semaphore, 2);
}

static int three_permits(void *arg)
{
    (void)arg;
    reset();
    int err = TOGETHER(takes_permit, takes_permit_or_gives_up, takes_permit, gives_permits);
    MUST(err < 0 || hkt_shared_semaphore_value(&semaphore) == 0);
    return err;
}

TEST_TIMEOUT(each_permit_is_taken, 120)
{
    prove_in_family(three_permits);
}

static int waits_for_event(void *arg)
{
    (void)arg;
    return hkt_shared_event_wait(&event);
}

static int sets_for_a_moment(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++)
        hkt_shared_event_set(&event);
    hkt_shared_event_clear(&event);
    hkt_shared_event_set(&event);
    return 0;
}

static int an_event(void *arg)
{
    (void)arg;
    reset();
    return TOGETHER(waits_for_event, sets_for_a_moment, waits_for_event);
}

TEST_TIMEOUT(who_waits_for_an_event_goes_on, 120)
{
    prove_in_family(an_event);
}
