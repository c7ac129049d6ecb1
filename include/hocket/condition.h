/* SPDX-License-Identifier: MIT */
/* Conditions: wait, with a lock held, until somebody says that something has changed.
 *
 *     int err = 0;
 *     hkt_lock_acquire(&lock);
 *     while (!ready && err == 0)
 *         err = hkt_condition_wait(&changed, &lock);
 *     hkt_lock_release(&lock);
 *
 * A waiter wakes only because of a notify, a deadline or a cancel; a notify reaches those who wait
 * at that moment, the longest waiting first, never later comers. Look again at what you waited for
 * all the same, another thread may have been quicker; and look at the error: in an ended scope
 * each wait returns at once. */
#ifndef HOCKET_CONDITION_H
#define HOCKET_CONDITION_H

#include <hocket/export.h>
#include <hocket/lock.h>
#include <hocket/time.h>

HKT_BEGIN_DECLS

/* All zero is one that nobody waits on. Nothing to destroy. All its waiters use one lock. */
typedef struct hkt_condition {
    uint64_t hkt_private[4];
} hkt_condition;

/* Releases `lock`, waits to be notified, and takes the lock again: 0 or -ECANCELED, always with the
 * lock held. Taking it again is not cancelled. The lock must be held (else abort). A cancellation
 * point. (Condition.wait) */
HKT_API HKT_MUST_USE int hkt_condition_wait(hkt_condition *condition, hkt_lock *lock);

/* The same until a deadline: -ETIMEDOUT when it passes. */
HKT_API HKT_MUST_USE int hkt_condition_wait_until(hkt_condition *condition, hkt_lock *lock,
                                                  hkt_deadline deadline);

/* The same with an rlock: gives back all its levels, and takes as many again. */
HKT_API HKT_MUST_USE int hkt_condition_wait_rlock(hkt_condition *condition, hkt_rlock *lock);
HKT_API HKT_MUST_USE int hkt_condition_wait_rlock_until(hkt_condition *condition, hkt_rlock *lock,
                                                        hkt_deadline deadline);

/* Waits until `predicate(arg)` is true, calling it with the lock held, first before any waiting.
 * 0 when it is; else the error of the wait that failed, unless the predicate is true by then.
 * (Condition.wait_for) */
HKT_API HKT_MUST_USE int hkt_condition_wait_for(hkt_condition *condition, hkt_lock *lock,
                                                bool (*predicate)(void *), void *arg);
HKT_API HKT_MUST_USE int hkt_condition_wait_for_until(hkt_condition *condition, hkt_lock *lock,
                                                      bool (*predicate)(void *), void *arg,
                                                      hkt_deadline deadline);

/* Wakes up to `n` waiters, or all. Call it with the lock held or not; held, the woken are queued on
 * the lock, and do not run against it all at once. Never waits. (Condition.notify) */
HKT_API void hkt_condition_notify(hkt_condition *condition, size_t n);
HKT_API void hkt_condition_notify_all(hkt_condition *condition);

HKT_END_DECLS
#endif
