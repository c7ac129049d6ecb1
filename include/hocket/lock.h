/* SPDX-License-Identifier: MIT */
/* Locks: one holder at a time.
 *
 * hkt_lock is the plain one. It is not tied to a thread: any thread may release it. Waiting
 * for it is never cancelled, unless you ask with `_until`. Locks barge: a running thread may take
 * a free lock before one that waits, which is fast; but whoever has waited for half a millisecond
 * is given the lock directly, so nobody starves.
 *
 * hkt_rlock may be taken again by the thread that holds it, and belongs to it. */
#ifndef HOCKET_LOCK_H
#define HOCKET_LOCK_H

#include <hocket/export.h>
#include <hocket/time.h>

HKT_BEGIN_DECLS

/* All zero is a free lock: `static hkt_lock lock;` or `= { 0 }`. Nothing to destroy. It may go away
 * as soon as nobody holds it or waits for it, also by the hand that has just released it. */
typedef struct hkt_lock {
    uint64_t hkt_private[4];
} hkt_lock;

/* Takes the lock, waiting as long as it takes. Not a cancellation point. (Lock.acquire) */
HKT_API void hkt_lock_acquire(hkt_lock *lock);

/* The same until a deadline: 0, -ETIMEDOUT, or -ECANCELED. A cancellation point, unless the
 * deadline is hkt_after(0). */
HKT_API HKT_MUST_USE int hkt_lock_acquire_until(hkt_lock *lock, hkt_deadline deadline);

/* Takes the lock if it is free now: 0 or -EAGAIN. Never waits. */
HKT_API HKT_MUST_USE int hkt_lock_acquire_nowait(hkt_lock *lock);

/* Gives the lock back. Releasing a lock that nobody holds is misuse (abort). (Lock.release) */
HKT_API void hkt_lock_release(hkt_lock *lock);

/* Does anybody hold it? True a moment ago. (Lock.locked) */
HKT_API bool hkt_lock_locked(const hkt_lock *lock);

/* All zero is free. */
typedef struct hkt_rlock {
    uint64_t hkt_private[6];
} hkt_rlock;

/* As of hkt_lock; the holder takes it once more, which never waits. (RLock.acquire) */
HKT_API void hkt_rlock_acquire(hkt_rlock *lock);
HKT_API HKT_MUST_USE int hkt_rlock_acquire_until(hkt_rlock *lock, hkt_deadline deadline);
HKT_API HKT_MUST_USE int hkt_rlock_acquire_nowait(hkt_rlock *lock);

/* Gives one level back; the last one frees the lock. By another thread than the holder it is misuse
 * (abort). (RLock.release) */
HKT_API void hkt_rlock_release(hkt_rlock *lock);

/* Does anybody hold it? Does the caller? (RLock.locked) */
HKT_API bool hkt_rlock_locked(const hkt_rlock *lock);
HKT_API bool hkt_rlock_owned(const hkt_rlock *lock);

HKT_END_DECLS
#endif
