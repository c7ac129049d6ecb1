/* SPDX-License-Identifier: MIT */
/* Semaphores: so many permits, and who finds none waits. A released permit goes to who has waited
 * longest. */
#ifndef HOCKET_SEMAPHORE_H
#define HOCKET_SEMAPHORE_H

#include <hocket/export.h>
#include <hocket/time.h>

HKT_BEGIN_DECLS

/* Set up by an init; all zero is one with no permit. Nothing to destroy. */
typedef struct hkt_semaphore {
    uint64_t hkt_private[6];
} hkt_semaphore;

/* `value` permits: 0, or -EINVAL if it is negative. (Semaphore) */
HKT_API int hkt_semaphore_init(hkt_semaphore *semaphore, long value);

/* The same, and no release may lift it above `value`. (BoundedSemaphore) */
HKT_API int hkt_bounded_semaphore_init(hkt_semaphore *semaphore, long value);

/* Takes one permit, waiting for it if need be: 0 or -ECANCELED. A cancellation point.
 * (Semaphore.acquire) */
HKT_API HKT_MUST_USE int hkt_semaphore_acquire(hkt_semaphore *semaphore);

/* The same until a deadline: -ETIMEDOUT when it passes. */
HKT_API HKT_MUST_USE int hkt_semaphore_acquire_until(hkt_semaphore *semaphore,
                                                     hkt_deadline deadline);

/* Takes one permit if there is one now: 0 or -EAGAIN. */
HKT_API HKT_MUST_USE int hkt_semaphore_acquire_nowait(hkt_semaphore *semaphore);

/* Gives `n` permits back: 0; -EINVAL, with nothing changed, if n < 1 or a bounded semaphore would
 * have more than at its start, -EOVERFLOW above LONG_MAX. By any thread, never waits.
 * (Semaphore.release) */
HKT_API int hkt_semaphore_release(hkt_semaphore *semaphore, long n);

/* The permits that were free a moment ago. (multiprocessing.Semaphore.get_value) */
HKT_API long hkt_semaphore_value(const hkt_semaphore *semaphore);

HKT_END_DECLS
#endif
