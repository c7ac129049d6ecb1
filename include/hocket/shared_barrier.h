/* SPDX-License-Identifier: MIT */
/* Barriers between processes, in shared memory. One that is killed while it waits breaks the
 * barrier, as does one whose deadline or scope ends: all who wait and all who come get -EPIPE,
 * until it is reset. */
#ifndef HOCKET_SHARED_BARRIER_H
#define HOCKET_SHARED_BARRIER_H

#include <hocket/export.h>
#include <hocket/time.h>

HKT_BEGIN_DECLS

/* Set up by an init. Nothing to destroy. */
typedef struct hkt_shared_barrier {
    uint64_t hkt_private[8];
} hkt_shared_barrier;

/* A barrier for `parties` strands of any processes; each waits `timeout` seconds at the most, 0: no
 * limit. 0; -EINVAL if parties is 0 or above 32767, or the timeout negative or NaN.
 * (multiprocessing.Barrier) */
HKT_API int hkt_shared_barrier_init(hkt_shared_barrier *barrier, size_t parties, double timeout);

/* Comes to the barrier and waits for the others: a number 0 to parties - 1, another for each.
 * -EPIPE when it is broken; -ETIMEDOUT or -ECANCELED for the one whose deadline or scope broke it.
 * The deadline of the second takes the place of the timeout. Cancellation points. (Barrier.wait) */
HKT_API int hkt_shared_barrier_wait(hkt_shared_barrier *barrier);
HKT_API int hkt_shared_barrier_wait_until(hkt_shared_barrier *barrier, hkt_deadline deadline);

/* Makes it as new, those who wait now get -EPIPE; breaks it. (Barrier.reset, abort) */
HKT_API void hkt_shared_barrier_reset(hkt_shared_barrier *barrier);
HKT_API void hkt_shared_barrier_abort(hkt_shared_barrier *barrier);

/* Is it broken? How many wait? For how many is it? (Barrier.broken, n_waiting, parties) */
HKT_API bool hkt_shared_barrier_broken(const hkt_shared_barrier *barrier);
HKT_API size_t hkt_shared_barrier_n_waiting(const hkt_shared_barrier *barrier);
HKT_API size_t hkt_shared_barrier_parties(const hkt_shared_barrier *barrier);

HKT_END_DECLS
#endif
