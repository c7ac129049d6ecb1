/* SPDX-License-Identifier: MIT */
/* The condition: a list of its own. A waiter queues there before it releases the lock, so that a
 * notify by whoever takes the lock next finds it.
 *
 * A notify takes the longest waiting out and passes each to its lock (hkti_lock_adopt): while the
 * lock is held, it is queued there without having woken, so that a notify of all does not send a
 * herd against the lock. From then on it is notified: its deadline and its scope mean nothing any
 * more, since it is not in the list where it would give up (park/wait.c), and it returns 0.
 *
 * Lock order: the guard of the condition is released before that of the lock is taken. */
#include <errno.h>
#include <hocket/condition.h>

#include "base/report.h"
#include "base/seconds.h"
#include "park/scope.h"
#include "sync/lock.h"

/* What hkt_condition is. */
struct __attribute__((may_alias)) hkti_condition {
    struct hkti_wait_list waiters;
    uint32_t guard;
    uint32_t reserved[3];
};

_Static_assert(sizeof(struct hkti_condition) == sizeof(hkt_condition), "these are one");

int hkt_condition_wait_until(hkt_condition *public, hkt_lock *public_lock, hkt_deadline deadline)
{
    struct hkti_condition *condition = (struct hkti_condition *)public;
    struct hkti_lock *lock = (struct hkti_lock *)public_lock;
    if (!hkt_lock_locked(public_lock))
        hkti_misuse("hkt_condition_wait: lock %p of condition %p is not held", (void *)lock,
                    (void *)condition);
    int err = hkti_cancelled(deadline.ns);
    if (err < 0)
        return err;
    if (deadline.ns == HKTI_PASSED)
        return -ETIMEDOUT;
    struct hkti_strand *self = hkti_self();
    struct hkti_wait wait = { .what = "condition",
                              .object = condition,
                              .list = &condition->waiters,
                              .guard = &condition->guard,
                              .deadline = deadline.ns,
                              .cancellable = true };
    self->item = lock;
    self->grant = 0;
    hkti_guard_acquire(&condition->guard);
    hkti_wait_begin(self, &wait);
    hkti_guard_release(&condition->guard);
    hkt_lock_release(public_lock);
    err = hkti_wait_finish(self, &wait);
    hkti_lock_resume(lock, self);
    return err;
}

int hkt_condition_wait(hkt_condition *condition, hkt_lock *lock)
{
    return hkt_condition_wait_until(condition, lock, (hkt_deadline){ 0 });
}

int hkt_condition_wait_rlock_until(hkt_condition *condition, hkt_rlock *public_lock,
                                   hkt_deadline deadline)
{
    struct hkti_rlock *lock = (struct hkti_rlock *)public_lock;
    struct hkti_strand *self = hkti_self();
    if (hkti_load_relaxed(&lock->owner) != self)
        hkti_misuse("hkt_condition_wait_rlock: rlock %p of condition %p is not held by the caller",
                    (void *)lock, (void *)condition);
    uint64_t count = lock->count;
    hkti_store_relaxed(&lock->owner, (struct hkti_strand *)0);
    int err = hkt_condition_wait_until(condition, &lock->lock, deadline);
    hkti_store_relaxed(&lock->owner, self);
    lock->count = count;
    return err;
}

int hkt_condition_wait_rlock(hkt_condition *condition, hkt_rlock *lock)
{
    return hkt_condition_wait_rlock_until(condition, lock, (hkt_deadline){ 0 });
}

int hkt_condition_wait_for_until(hkt_condition *condition, hkt_lock *lock,
                                 bool (*predicate)(void *), void *arg, hkt_deadline deadline)
{
    int err = 0;
    while (!predicate(arg)) {
        if (err < 0)
            return err;
        err = hkt_condition_wait_until(condition, lock, deadline);
    }
    return 0;
}

int hkt_condition_wait_for(hkt_condition *condition, hkt_lock *lock, bool (*predicate)(void *),
                           void *arg)
{
    return hkt_condition_wait_for_until(condition, lock, predicate, arg, (hkt_deadline){ 0 });
}

void hkt_condition_notify(hkt_condition *public, size_t n)
{
    struct hkti_condition *condition = (struct hkti_condition *)public;
    struct hkti_wait_list taken = { 0 };
    struct hkti_strand *strand;
    hkti_guard_acquire(&condition->guard);
    hkti_wait_list_take(&condition->waiters, n, 0, &taken);
    hkti_guard_release(&condition->guard);
    while ((strand = hkti_wait_list_pop(&taken)) != NULL)
        hkti_lock_adopt(strand->item, strand);
}

void hkt_condition_notify_all(hkt_condition *condition)
{
    hkt_condition_notify(condition, SIZE_MAX);
}
