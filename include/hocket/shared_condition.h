/* SPDX-License-Identifier: MIT */
/* Conditions between processes, with a shared lock, which lies in shared memory too. All zero is one
 * that nobody waits on. A waiter that is killed takes no notify with it. */
#ifndef HOCKET_SHARED_CONDITION_H
#define HOCKET_SHARED_CONDITION_H

#include <hocket/shared_lock.h>

HKT_BEGIN_DECLS

typedef struct hkt_shared_condition {
    uint64_t hkt_private[6];
} hkt_shared_condition;

/* Releases `lock`, waits to be notified, and takes the lock again: 0; -EOWNERDEAD: somebody died with
 * it meanwhile; -ECANCELED, -ETIMEDOUT; always with the lock held (then hkt_shared_lock_consistent
 * is still owed, and the next acquire says -EOWNERDEAD). Taking it again is not cancelled. A
 * cancellation point. (multiprocessing.Condition.wait) */
HKT_API HKT_MUST_USE int hkt_shared_condition_wait(hkt_shared_condition *condition,
                                                   hkt_shared_lock *lock);
HKT_API HKT_MUST_USE int hkt_shared_condition_wait_until(hkt_shared_condition *condition,
                                                         hkt_shared_lock *lock,
                                                         hkt_deadline deadline);
/* The same with an rlock: gives back all its levels, and takes as many again. */
HKT_API HKT_MUST_USE int hkt_shared_condition_wait_rlock(hkt_shared_condition *condition,
                                                         hkt_shared_rlock *lock);
HKT_API HKT_MUST_USE int hkt_shared_condition_wait_rlock_until(hkt_shared_condition *condition,
                                                               hkt_shared_rlock *lock,
                                                               hkt_deadline deadline);

/* Waits until `predicate(arg)` is true, as hkt_condition_wait_for. -EOWNERDEAD comes at once: what
 * the predicate would look at is to be mended first. (Condition.wait_for) */
HKT_API HKT_MUST_USE int hkt_shared_condition_wait_for(hkt_shared_condition *condition,
                                                       hkt_shared_lock *lock,
                                                       bool (*predicate)(void *), void *arg);
HKT_API HKT_MUST_USE int hkt_shared_condition_wait_for_until(hkt_shared_condition *condition,
                                                             hkt_shared_lock *lock,
                                                             bool (*predicate)(void *), void *arg,
                                                             hkt_deadline deadline);

/* Wakes up to `n` of those who wait now, or all; with the lock held or not. Never waits.
 * (Condition.notify) */
HKT_API void hkt_shared_condition_notify(hkt_shared_condition *condition, size_t n);
HKT_API void hkt_shared_condition_notify_all(hkt_shared_condition *condition);

HKT_END_DECLS
#endif
