/* SPDX-License-Identifier: MIT */
/* Locks between processes. They lie in shared memory, all zero is free, nothing to destroy.
 *
 *     struct account { hkt_shared_lock lock; long balance; };
 *     struct account *account = hkt_shared_alloc(sizeof *account);
 *     ...
 *     int err = hkt_shared_lock_acquire(&account->lock);
 *     if (err == -EOWNERDEAD) {                  its holder died: we have it, and look
 *         repair(account);
 *         hkt_shared_lock_consistent(&account->lock);
 *     }
 *     account->balance += 10;
 *     hkt_shared_lock_release(&account->lock);
 *
 * Mind that a negative result may mean that the lock is yours: -EOWNERDEAD, and no other. Where what
 * it guards is whole at any moment, `if (err == -EOWNERDEAD) hkt_shared_lock_consistent(&lock);`
 * is all there is to do.
 *
 * A holder that dies, by a signal or an exit, gives the lock to the next one, who is told. Those who
 * wait get it in no particular order, and all of them get it: who has waited for half a millisecond
 * goes before newcomers. Coroutines that wait let their loop go on. The memory of a lock, as of
 * everything in the shared_ headers, is freed when no call on it is under way any more, a release
 * included. */
#ifndef HOCKET_SHARED_LOCK_H
#define HOCKET_SHARED_LOCK_H

#include <hocket/export.h>
#include <hocket/time.h>

HKT_BEGIN_DECLS

/* A plain lock: any strand of any process of the family may release it. */
typedef struct hkt_shared_lock {
    uint64_t hkt_private[4];
} hkt_shared_lock;

/* Takes the lock, waiting as long as it takes: 0; -EOWNERDEAD: taken too, but a process died while
 * it held it, and nobody has said hkt_shared_lock_consistent since; -ENOMEM, without it: the child of
 * a plain fork found no place in the family, which has 4096. Not a cancellation point.
 * (multiprocessing.Lock.acquire) */
HKT_API HKT_MUST_USE int hkt_shared_lock_acquire(hkt_shared_lock *lock);
/* The same until a deadline: also -ETIMEDOUT, -ECANCELED, which do not have it. A cancellation
 * point, unless the deadline is hkt_after(0). */
HKT_API HKT_MUST_USE int hkt_shared_lock_acquire_until(hkt_shared_lock *lock,
                                                       hkt_deadline deadline);
/* Takes the lock if it is free now: 0, -EOWNERDEAD; -EAGAIN. Never waits. */
HKT_API HKT_MUST_USE int hkt_shared_lock_acquire_nowait(hkt_shared_lock *lock);

/* What the lock guards is in order again: said by who holds it after -EOWNERDEAD. Without it the
 * next one is told so too. */
HKT_API void hkt_shared_lock_consistent(hkt_shared_lock *lock);

/* Gives the lock back. Releasing one that nobody holds is misuse (abort). */
HKT_API void hkt_shared_lock_release(hkt_shared_lock *lock);

/* Does anybody hold it? True a moment ago. (Lock.locked) */
HKT_API bool hkt_shared_lock_locked(const hkt_shared_lock *lock);

/* The number of the process that holds it, 0 if none does or it has died. */
HKT_API int hkt_shared_lock_holder(const hkt_shared_lock *lock);

/* May be taken again by the strand (thread or job) that holds it, and belongs to it. */
typedef struct hkt_shared_rlock {
    uint64_t hkt_private[6];
} hkt_shared_rlock;

/* As above; the holder takes it once more, which never waits. (multiprocessing.RLock) */
HKT_API HKT_MUST_USE int hkt_shared_rlock_acquire(hkt_shared_rlock *lock);
HKT_API HKT_MUST_USE int hkt_shared_rlock_acquire_until(hkt_shared_rlock *lock,
                                                        hkt_deadline deadline);
HKT_API HKT_MUST_USE int hkt_shared_rlock_acquire_nowait(hkt_shared_rlock *lock);
HKT_API void hkt_shared_rlock_consistent(hkt_shared_rlock *lock);
/* Gives one level back. By another strand than the holder it is misuse (abort). */
HKT_API void hkt_shared_rlock_release(hkt_shared_rlock *lock);
HKT_API bool hkt_shared_rlock_locked(const hkt_shared_rlock *lock);
HKT_API bool hkt_shared_rlock_owned(const hkt_shared_rlock *lock);

HKT_END_DECLS
#endif
