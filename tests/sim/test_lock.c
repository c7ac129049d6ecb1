/* SPDX-License-Identifier: MIT */
/* The lock, the rlock and the rwlock, under all schedules: one at a time, nobody forgotten,
 * nothing left over, and nobody touches a lock that its last user has freed. */
#include <stdlib.h>

#include "proof.h"

static hkt_lock lock;
static hkt_scope *scope;
static int inside, entered;

static int twice(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        hkt_lock_acquire(&lock);
        int err = pass_alone(&inside);
        entered++;
        hkt_lock_release(&lock);
        if (err < 0)
            return err;
    }
    return 0;
}

static int reset(void)
{
    lock = (hkt_lock){ { 0 } };
    inside = entered = 0;
    scope = NULL;
    return 0;
}

static int free_at_the_end(int err)
{
    if (err < 0)
        return err;
    MUST(!hkt_lock_locked(&lock));
    MUST(hkt_lock_acquire_nowait(&lock) == 0);
    hkt_lock_release(&lock);
    return 0;
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
    prove(three_threads);
}

/* Sleeps with the lock, so that waiters become old and are handed it. */
static int keeps_it_long(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        hkt_lock_acquire(&lock);
        inside++;
        MUST(inside == 1);
        hkt_sleep(0.001);
        inside--;
        hkt_lock_release(&lock);
    }
    return 0;
}

static int handed_over(void *arg)
{
    (void)arg;
    reset();
    return free_at_the_end(TOGETHER(keeps_it_long, keeps_it_long, twice));
}

TEST_TIMEOUT(a_lock_is_handed_over_to_who_has_waited_long, 120)
{
    prove(handed_over);
}

static int tries_for_a_while(void *arg)
{
    (void)arg;
    int err = hkt_lock_acquire_until(&lock, hkt_after(20e-6));
    if (err == 0) {
        err = pass_alone(&inside);
        hkt_lock_release(&lock);
    }
    return err == -ETIMEDOUT ? 0 : err;
}

static int with_deadlines(void *arg)
{
    (void)arg;
    reset();
    return free_at_the_end(TOGETHER(tries_for_a_while, twice, tries_for_a_while));
}

TEST_TIMEOUT(who_gives_up_takes_no_wake_up_with_it, 120)
{
    prove(with_deadlines);
}

static int is_cancelled(void *arg)
{
    (void)arg;
    hkt_scope mine;
    hkt_scope_enter(&mine, NULL);
    hkt_lock_acquire(&lock);
    scope = &mine;
    hkt_lock_release(&lock);
    int err = hkt_lock_acquire_until(&lock, (hkt_deadline){ 0 });
    if (err == 0) {
        err = pass_alone(&inside);
        hkt_lock_release(&lock);
    }
    hkt_lock_acquire(&lock); /* never cancelled */
    scope = NULL;
    hkt_lock_release(&lock);
    hkt_scope_leave(&mine);
    return err == -ECANCELED ? 0 : err;
}

static int cancels(void *arg)
{
    (void)arg;
    hkt_lock_acquire(&lock);
    if (scope)
        hkt_scope_cancel(scope);
    hkt_lock_release(&lock);
    return 0;
}

static int with_cancels(void *arg)
{
    (void)arg;
    reset();
    return free_at_the_end(TOGETHER(is_cancelled, cancels, twice));
}

TEST_TIMEOUT(who_is_cancelled_takes_no_wake_up_with_it, 120)
{
    prove(with_cancels);
}

/* A counted object with its lock inside: the last one out frees it, here by writing over it. */
static struct {
    hkt_lock lock;
    int users;
} * object;

static int leaves(void *arg)
{
    (void)arg;
    hkt_lock_acquire(&object->lock);
    int left = --object->users;
    hkt_lock_release(&object->lock);
    if (left == 0)
        memset(object, 0x5a, sizeof *object);
    return 0;
}

static int last_one_frees(void *arg)
{
    (void)arg;
    static char memory[sizeof *object];
    object = (void *)memory;
    memset(object, 0, sizeof *object);
    object->users = 3;
    int err = TOGETHER(leaves, leaves, leaves);
    for (size_t i = 0; err == 0 && i < sizeof(hkt_lock); i++)
        MUST(memory[i] == 0x5a);
    return err;
}

TEST_TIMEOUT(a_lock_may_be_freed_as_soon_as_it_is_released, 120)
{
    prove(last_one_frees);
}

/* The rwlock. */

static hkt_rwlock rwlock;
static int readers, writers;

static int reads(void *arg)
{
    (void)arg;
    hkt_rwlock_acquire_read(&rwlock);
    readers++;
    hkt_simulate_point();
    MUST(writers == 0);
    readers--;
    hkt_rwlock_release_read(&rwlock);
    return 0;
}

static int writes(void *arg)
{
    (void)arg;
    hkt_rwlock_acquire_write(&rwlock);
    writers++;
    hkt_simulate_point();
    MUST(writers == 1 && readers == 0);
    writers--;
    hkt_rwlock_release_write(&rwlock);
    return 0;
}

static int writes_if_it_can(void *arg)
{
    (void)arg;
    int err = hkt_rwlock_acquire_write_until(&rwlock, hkt_after(20e-6));
    if (err == 0) {
        writers++;
        hkt_simulate_point();
        MUST(writers == 1 && readers == 0);
        writers--;
        hkt_rwlock_release_write(&rwlock);
    }
    return err == -ETIMEDOUT ? 0 : err;
}

static int readers_and_writers(void *arg)
{
    (void)arg;
    rwlock = (hkt_rwlock){ { 0 } };
    readers = writers = 0;
    int err = TOGETHER(reads, writes, reads, writes_if_it_can);
    MUST(err < 0 || hkt_rwlock_acquire_write_nowait(&rwlock) == 0);
    return err;
}

TEST_TIMEOUT(many_readers_or_one_writer_and_a_writer_that_leaves_lets_readers_in, 120)
{
    prove(readers_and_writers);
}

/* A reader stays inside until another one has been in. In between may be a writer who gives up. */
static hkt_event other_was_in;

static int stays_inside(void *arg)
{
    (void)arg;
    hkt_rwlock_acquire_read(&rwlock);
    int err = hkt_event_wait(&other_was_in);
    hkt_rwlock_release_read(&rwlock);
    return err;
}

static int goes_in(void *arg)
{
    (void)arg;
    hkt_rwlock_acquire_read(&rwlock);
    hkt_event_set(&other_was_in);
    hkt_rwlock_release_read(&rwlock);
    return 0;
}

static int a_writer_in_between(void *arg)
{
    (void)arg;
    rwlock = (hkt_rwlock){ { 0 } };
    other_was_in = (hkt_event){ { 0 } };
    readers = writers = 0;
    return TOGETHER(stays_inside, writes_if_it_can, goes_in);
}

TEST_TIMEOUT(readers_behind_a_writer_who_gives_up_go_in, 120)
{
    prove(a_writer_in_between);
}
