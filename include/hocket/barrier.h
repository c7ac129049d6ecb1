/* SPDX-License-Identifier: MIT */
/* Barriers: a place where so many threads meet; the last one to come lets all go on. It can be used
 * again and again. When one of them cannot wait any longer (deadline, cancel, abort, a failed
 * action), the barrier is broken: all who wait and all who come get -EPIPE, until it is reset. */
#ifndef HOCKET_BARRIER_H
#define HOCKET_BARRIER_H

#include <hocket/export.h>
#include <hocket/time.h>

HKT_BEGIN_DECLS

/* Set up by hkt_barrier_init. Nothing to destroy. */
typedef struct hkt_barrier {
    uint64_t hkt_private[12];
} hkt_barrier;

typedef struct hkt_barrier_options {
    int (*action)(void *arg); /* run by the last to come, before anybody goes on; NULL: none. If it
                               * fails, its thread gets that error and the barrier is broken */
    void *arg;
    double timeout;       /* seconds that hkt_barrier_wait waits at the most; 0: no limit */
    uint64_t reserved[2]; /* zero */
} hkt_barrier_options;

/* A barrier for `parties` threads; NULL options: no action, no time limit. 0, or -EINVAL if parties
 * is 0 or above INT_MAX, or the timeout negative or NaN. (Barrier) */
HKT_API int hkt_barrier_init(hkt_barrier *barrier, size_t parties,
                             const hkt_barrier_options *options);

/* Comes to the barrier and waits for the others: a number 0 to parties - 1, another for each, in
 * the order of coming. -EPIPE when it is broken; -ETIMEDOUT or -ECANCELED for the one whose
 * deadline or scope broke it; the error of the action for the one who ran it. A cancellation
 * point. (Barrier.wait) */
HKT_API int hkt_barrier_wait(hkt_barrier *barrier);

/* The same until a deadline, which takes the place of the barrier's timeout. */
HKT_API int hkt_barrier_wait_until(hkt_barrier *barrier, hkt_deadline deadline);

/* Makes the barrier as new; those who wait now get -EPIPE. (Barrier.reset) */
HKT_API void hkt_barrier_reset(hkt_barrier *barrier);

/* Breaks the barrier. (Barrier.abort) */
HKT_API void hkt_barrier_abort(hkt_barrier *barrier);

/* Is it broken? How many wait (0 while they leave)? For how many is it? (Barrier.broken, n_waiting,
 * parties) */
HKT_API bool hkt_barrier_broken(const hkt_barrier *barrier);
HKT_API size_t hkt_barrier_n_waiting(const hkt_barrier *barrier);
HKT_API size_t hkt_barrier_parties(const hkt_barrier *barrier);

HKT_END_DECLS
#endif
