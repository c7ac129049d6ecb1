/* SPDX-License-Identifier: MIT */
/* The condition, under all schedules: no notify is lost, also to one who gives up, and the waiters
 * come back with the lock, one at a time. */
#include "proof.h"

static hkt_lock lock;
static hkt_condition changed;
static int tokens, inside, taken;

static int reset(void)
{
    lock = (hkt_lock){ { 0 } };
    changed = (hkt_condition){ { 0 } };
    tokens = inside = taken = 0;
    return 0;
}

static int takes(void *arg)
{
    (void)arg;
    int err = 0;
    hkt_lock_acquire(&lock);
    while (tokens == 0 && err == 0)
        err = hkt_condition_wait(&changed, &lock);
    if (err == 0) {
        tokens--;
        taken++;
        err = pass_alone(&inside);
    }
    hkt_lock_release(&lock);
    return err;
}

static int takes_or_gives_up(void *arg)
{
    (void)arg;
    int err = 0;
    hkt_lock_acquire(&lock);
    while (tokens == 0 && err == 0)
        err = hkt_condition_wait_until(&changed, &lock, hkt_after(20e-6));
    MUST(hkt_lock_locked(&lock));
    int alone = pass_alone(&inside);
    if (err == 0) {
        tokens--;
        taken++;
    }
    hkt_lock_release(&lock);
    return err == -ETIMEDOUT ? alone : err;
}

static int gives_two_one_by_one(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        hkt_lock_acquire(&lock);
        tokens++;
        hkt_condition_notify(&changed, 1);
        hkt_lock_release(&lock);
    }
    return 0;
}

static int gives_two_at_once_without_the_lock(void *arg)
{
    (void)arg;
    hkt_lock_acquire(&lock);
    tokens += 2;
    hkt_lock_release(&lock);
    hkt_condition_notify_all(&changed);
    return 0;
}

static int one_by_one(void *arg)
{
    (void)arg;
    reset();
    int err = TOGETHER(takes, takes, gives_two_one_by_one);
    MUST(err < 0 || (taken == 2 && !hkt_lock_locked(&lock)));
    return err;
}

TEST_TIMEOUT(each_notify_reaches_somebody, 120)
{
    prove(one_by_one);
}

static int all_at_once(void *arg)
{
    (void)arg;
    reset();
    int err = TOGETHER(takes, takes, gives_two_at_once_without_the_lock);
    MUST(err < 0 || (taken == 2 && !hkt_lock_locked(&lock)));
    return err;
}

TEST_TIMEOUT(a_notify_of_all_reaches_all, 120)
{
    prove(all_at_once);
}

static int with_one_who_gives_up(void *arg)
{
    (void)arg;
    reset();
    int err = TOGETHER(takes, takes_or_gives_up, gives_two_one_by_one);
    MUST(err < 0 || (taken >= 1 && !hkt_lock_locked(&lock)));
    return err;
}

TEST_TIMEOUT(who_gives_up_takes_no_notify_with_it, 120)
{
    prove(with_one_who_gives_up);
}
