/* SPDX-License-Identifier: MIT */
/* Time. Durations are `double` seconds. Waits with a time limit end in `_until` and take a
 * deadline: a point on the monotonic clock, made once, so that a loop of several waits keeps one
 * total limit:
 *
 *     hkt_deadline soon = hkt_after(2.0);
 *     while (!ready && err == 0)
 *         err = hkt_condition_wait_until(&changed, &lock, soon);
 */
#ifndef HOCKET_TIME_H
#define HOCKET_TIME_H

#include <hocket/export.h>

HKT_BEGIN_DECLS

/* Nanoseconds of the monotonic clock. {0} is never: it does not pass. */
typedef struct hkt_deadline {
    int64_t ns;
} hkt_deadline;

/* The deadline `seconds` from now. Zero and less: passed already; a wait with it does not sleep and
 * is not a cancellation point. Infinity, and more than 292 years: never. NaN is misuse (abort). */
HKT_API hkt_deadline hkt_after(double seconds);

/* So many seconds later than another one, for a period that does not drift:
 *
 *     for (hkt_deadline next = hkt_after(0.1);; next = hkt_deadline_after(next, 0.1))
 *         ...
 *
 * Never stays never; the passed one that hkt_after(0) makes counts from now; a negative number
 * is 0. */
HKT_API hkt_deadline hkt_deadline_after(hkt_deadline from, double seconds);

/* Seconds left until the deadline: 0 when it has passed, infinity when it is never. */
HKT_API double hkt_remaining(hkt_deadline deadline);

/* Has it passed? Never for {0}. */
HKT_API bool hkt_deadline_passed(hkt_deadline deadline);

/* Seconds on the monotonic clock, from a start of its own: subtract two. (time.monotonic) */
HKT_API double hkt_monotonic(void);

/* Waits for `seconds`; 0 and less: returns at once, but looks whether the scope has ended. 0 when
 * they have passed, -ECANCELED when the scope ended first. A cancellation point. (time.sleep) */
HKT_API int hkt_sleep(double seconds);

/* Waits until the deadline has come, which is success here: 0, or -ECANCELED, also if it has come
 * already. With {0} it waits until it is cancelled. */
HKT_API int hkt_sleep_until(hkt_deadline deadline);

HKT_END_DECLS
#endif
