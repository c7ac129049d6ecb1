/* SPDX-License-Identifier: MIT */
/* Semaphores between processes. They lie in shared memory, all zero is one with no permit. A permit
 * has no owner: one that a process has taken when it is killed stays taken; a waiter that is killed
 * takes none. */
#ifndef HOCKET_SHARED_SEMAPHORE_H
#define HOCKET_SHARED_SEMAPHORE_H

#include <hocket/export.h>
#include <hocket/time.h>

HKT_BEGIN_DECLS

typedef struct hkt_shared_semaphore {
    uint64_t hkt_private[4];
} hkt_shared_semaphore;

/* `value` permits, bounded: no release may lift it above that. 0; -EINVAL if it is negative or above
 * INT_MAX. (multiprocessing.Semaphore, BoundedSemaphore) */
HKT_API int hkt_shared_semaphore_init(hkt_shared_semaphore *semaphore, long value);
HKT_API int hkt_shared_bounded_semaphore_init(hkt_shared_semaphore *semaphore, long value);

/* Takes one permit, waiting for it if need be: 0 or -ECANCELED; -ETIMEDOUT; _nowait: -EAGAIN.
 * The first two are cancellation points. (Semaphore.acquire) */
HKT_API HKT_MUST_USE int hkt_shared_semaphore_acquire(hkt_shared_semaphore *semaphore);
HKT_API HKT_MUST_USE int hkt_shared_semaphore_acquire_until(hkt_shared_semaphore *semaphore,
                                                            hkt_deadline deadline);
HKT_API HKT_MUST_USE int hkt_shared_semaphore_acquire_nowait(hkt_shared_semaphore *semaphore);

/* Gives `n` permits back: 0; -EINVAL, with nothing changed, if n < 1 or a bounded semaphore would
 * have more than at its start; -EOVERFLOW above INT_MAX. By any process, never waits. */
HKT_API int hkt_shared_semaphore_release(hkt_shared_semaphore *semaphore, long n);

/* The permits that were free a moment ago. (Semaphore.get_value) */
HKT_API long hkt_shared_semaphore_value(const hkt_shared_semaphore *semaphore);

HKT_END_DECLS
#endif
