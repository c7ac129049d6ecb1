/* SPDX-License-Identifier: MIT */
/* The lock between processes, under all schedules of threads: one at a time, nobody forgotten, nothing
 * left over; and holders that die, each told of once. A process is a token here, and its death the
 * moment in which it is buried. */
#include <hocket/shared.h>

#include "base/atomic.h"
#include "proc/family.h"
#include "proc/shared_lock.h"
#include "proof.h"

static hkt_shared_lock *lock; /* in shared memory, as those must be who are rung for a death */
static hkt_scope *scope;
static int inside, entered, told;
static uint32_t other; /* the token of another process */

static void *word(void)
{
    return &((struct hkti_shared_lock *)lock)->word;
}

static int pass(int err)
{
    if (err == -EOWNERDEAD) {
        told++;
        hkt_shared_lock_consistent(lock);
    } else if (err < 0)
        return err;
    err = pass_alone(&inside);
    entered++;
    hkt_shared_lock_release(lock);
    return err;
}

static int once(void *arg)
{
    (void)arg;
    return pass(hkt_shared_lock_acquire(lock));
}

static int twice(void *arg)
{
    int err = once(arg);
    return err < 0 ? err : once(arg);
}

static int reset(void)
{
    *lock = (hkt_shared_lock){ { 0 } };
    inside = entered = told = 0;
    scope = NULL;
    return 0;
}

static int free_at_the_end(int err)
{
    if (err < 0)
        return err;
    MUST(!hkt_shared_lock_locked(lock));
    MUST(((struct hkti_shared_lock *)lock)->bell.sleepers == 0);
    MUST(hkt_shared_lock_acquire_nowait(lock) == 0);
    hkt_shared_lock_release(lock);
    return 0;
}

/* The family is there before the first schedule. */
static void prove_in_family(int (*scenario)(void *), bool deaths)
{
    lock = hkt_shared_alloc(sizeof *lock);
    CHECK(lock);
    if (deaths) { /* the table has the dead of earlier schedules: none is the same again */
        prove_by(HKT_SIMULATE_RANDOM, (uint64_t)test_scaled(1000), scenario);
        prove_by(HKT_SIMULATE_PCT, (uint64_t)test_scaled(1000), scenario);
    } else
        prove(scenario);
    hkt_shared_free(lock);
    CHECK_EQ(hkt_finalize(), 0);
}

static int three_threads(void *arg)
{
    (void)arg;
    reset();
    int err = TOGETHER(twice, twice, twice);
    MUST(err < 0 || entered == 6);
    return free_at_the_end(err);
}

TEST_TIMEOUT(one_at_a_time_and_all_get_in, 120)
{
    prove_in_family(three_threads, false);
}

/* Sleeps with the lock, so that waiters become old, and newcomers let them go first. */
static int keeps_it_long(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        int err = hkt_shared_lock_acquire(lock);
        MUST(err == 0 && ++inside == 1);
        hkt_sleep(0.001);
        inside--;
        hkt_shared_lock_release(lock);
    }
    return 0;
}

static int old_ones(void *arg)
{
    (void)arg;
    reset();
    return free_at_the_end(TOGETHER(keeps_it_long, keeps_it_long, twice));
}

TEST_TIMEOUT(those_who_have_waited_long_are_forgotten_neither, 120)
{
    prove_in_family(old_ones, false);
}

static int tries_for_a_while(void *arg)
{
    (void)arg;
    int err = pass(hkt_shared_lock_acquire_until(lock, hkt_after(20e-6)));
    return err == -ETIMEDOUT ? 0 : err;
}

static int with_deadlines(void *arg)
{
    (void)arg;
    reset();
    return free_at_the_end(TOGETHER(tries_for_a_while, twice, tries_for_a_while));
}

TEST_TIMEOUT(who_gives_up_takes_no_ring_with_it, 120)
{
    prove_in_family(with_deadlines, false);
}

static int is_cancelled(void *arg)
{
    (void)arg;
    hkt_scope mine;
    hkt_scope_enter(&mine, NULL);
    int err = hkt_shared_lock_acquire(lock);
    scope = &mine;
    hkt_shared_lock_release(lock);
    err = err < 0 ? err : pass(hkt_shared_lock_acquire_until(lock, (hkt_deadline){ 0 }));
    int again = hkt_shared_lock_acquire(lock); /* never cancelled */
    MUST(again == 0);
    scope = NULL;
    hkt_shared_lock_release(lock);
    hkt_scope_leave(&mine);
    return err == -ECANCELED ? 0 : err;
}

static int cancels(void *arg)
{
    (void)arg;
    int err = hkt_shared_lock_acquire(lock);
    if (scope)
        hkt_scope_cancel(scope);
    hkt_shared_lock_release(lock);
    return err;
}

static int with_cancels(void *arg)
{
    (void)arg;
    reset();
    return free_at_the_end(TOGETHER(is_cancelled, cancels, twice));
}

TEST_TIMEOUT(who_is_cancelled_takes_no_ring_with_it, 120)
{
    prove_in_family(with_cancels, false);
}

/* The other process has the lock, and is buried. */
static int dies(void *arg)
{
    (void)arg;
    hkti_family_bury(other);
    return 0;
}

static int held_by_the_dead(void *arg)
{
    (void)arg;
    reset();
    other = hkti_family_reserve(0);
    MUST(other != 0);
    hkti_store_seq_cst((uint32_t *)word(), other);
    int err = TOGETHER(once, dies, once);
    MUST(err < 0 || (entered == 2 && told == 1));
    return free_at_the_end(err);
}

TEST_TIMEOUT(of_those_who_wait_for_the_dead_one_is_told_and_all_get_in, 120)
{
    prove_in_family(held_by_the_dead, true);
}

/* It dies when it has taken the lock of another dead one, and has not said so yet. */
static int takes_over_and_dies(void *arg)
{
    uint32_t heir = hkti_family_reserve(0);
    MUST(heir != 0);
    (void)arg;
    hkti_family_bury(other);
    hkti_cas_seq_cst((uint32_t *)word(), other, heir);
    hkti_family_bury(heir);
    return 0;
}

static int held_by_the_heir_of_the_dead(void *arg)
{
    (void)arg;
    reset();
    other = hkti_family_reserve(0);
    MUST(other != 0);
    hkti_store_seq_cst((uint32_t *)word(), other);
    int err = TOGETHER(once, takes_over_and_dies, once);
    MUST(err < 0 || (entered == 2 && told >= 1 && told <= 2));
    return free_at_the_end(err);
}

TEST_TIMEOUT(who_dies_before_it_has_said_what_it_found_is_a_dead_holder, 120)
{
    prove_in_family(held_by_the_heir_of_the_dead, true);
}
