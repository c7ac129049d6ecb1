/* SPDX-License-Identifier: MIT */
/* The giant lock: one thread at a time runs the code that it guards, as under Python's GIL. It
 * makes code safe that was never meant for threads, at the price of its parallelism: computing
 * gains nothing from more threads, waiting everything, since the holder gives way
 *   - in every call of hocket that waits (sleep, lock, queue, join, ...), by itself,
 *   - at each hkt_giant_lock_checkpoint, if somebody has waited for a switch interval,
 *   - between hkt_giant_lock_begin_blocking and _end_blocking, around foreign calls that block.
 * It is handed over in the order of asking, so each of N threads runs within N intervals. */
#ifndef HOCKET_GIANT_LOCK_H
#define HOCKET_GIANT_LOCK_H

#include <hocket/export.h>

HKT_BEGIN_DECLS

/* All zero is free, with an interval of 5 ms. Nothing to destroy. */
typedef struct hkt_giant_lock {
    uint64_t hkt_private[16];
} hkt_giant_lock;

/* Takes the giant lock, waiting as long as it takes. A thread that has it takes one more level,
 * as of an rlock. Not a cancellation point. */
HKT_API void hkt_giant_lock_acquire(hkt_giant_lock *lock);

/* Gives it back, to who has waited longest. By another than the holder it is misuse (abort). */
HKT_API void hkt_giant_lock_release(hkt_giant_lock *lock);

/* Does the calling thread have it now? */
HKT_API bool hkt_giant_lock_held(const hkt_giant_lock *lock);

/* For the holder, in long computations: lets those who have waited for a switch interval run first.
 * One load when nobody waits. Not a cancellation point. */
HKT_API void hkt_giant_lock_checkpoint(hkt_giant_lock *lock);

/* Around foreign code that blocks (read, a database call): gives the lock away, all levels of it,
 * and takes it again. (Py_BEGIN_ALLOW_THREADS) */
HKT_API void hkt_giant_lock_begin_blocking(hkt_giant_lock *lock);
HKT_API void hkt_giant_lock_end_blocking(hkt_giant_lock *lock);

/* The switch interval in seconds: 0, or -EINVAL if it is not above 0 or above 1000. Set it while
 * nobody has the lock. (sys.setswitchinterval, getswitchinterval) */
HKT_API int hkt_giant_lock_set_interval(hkt_giant_lock *lock, double seconds);
HKT_API double hkt_giant_lock_interval(const hkt_giant_lock *lock);

/* A holder that never gives way is reported once, to the report sink, when somebody has waited for
 * this many intervals: 1 s with the default. */
#define HKT_GIANT_LOCK_REPORT_INTERVALS 200

HKT_END_DECLS
#endif
