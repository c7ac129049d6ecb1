/* SPDX-License-Identifier: MIT */
/* Timers: a thread that calls a function once, later, unless it is cancelled before.
 * (threading.Timer) */
#ifndef HOCKET_TIMER_H
#define HOCKET_TIMER_H

#include <hocket/export.h>

HKT_BEGIN_DECLS

typedef struct hkt_timer hkt_timer;

/* Calls function(arg) in a thread of its own `seconds` after this call. 0; -EINVAL for NaN; -ENOMEM
 * or -EAGAIN without memory or thread. (Timer, Timer.start) */
HKT_API HKT_MUST_USE int hkt_timer_start(hkt_timer **timer, double seconds, int (*function)(void *),
                                         void *arg);

/* Keeps the function from being called, if it has not begun; after that it does nothing.
 * (Timer.cancel) */
HKT_API void hkt_timer_cancel(hkt_timer *timer);

/* Waits until the function has ended, or was cancelled: 0, -ECANCELED if the caller's scope ended.
 * A cancellation point. (Timer.join) */
HKT_API int hkt_timer_join(hkt_timer *timer);

/* Gives the handle back; NULL is fine. The call is still made, unless it was cancelled. */
HKT_API void hkt_timer_destroy(hkt_timer *timer);

HKT_END_DECLS
#endif
