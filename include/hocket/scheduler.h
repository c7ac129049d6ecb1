/* SPDX-License-Identifier: MIT */
/* Schedulers: calls that are to be made at their time, one after the other, by who runs the
 * scheduler.
 *
 *     hkt_scheduler *day;
 *     int err = hkt_scheduler_create(&day);
 *     if (err == 0)
 *         err = hkt_scheduler_enter(day, 2.0, 0, ring, &bell, NULL);
 *     if (err == 0)
 *         err = hkt_scheduler_run(day);           waits, calls ring(&bell), and is done
 *     hkt_scheduler_destroy(day);
 *
 * All calls may come from any thread and from the actions themselves, also while it runs. A timer
 * (hocket/timer.h) is a thread for one call; this is one thread for many. The model is Python's
 * sched. */
#ifndef HOCKET_SCHEDULER_H
#define HOCKET_SCHEDULER_H

#include <hocket/export.h>
#include <hocket/time.h>

HKT_BEGIN_DECLS

typedef struct hkt_scheduler hkt_scheduler;

/* Makes one with nothing in it. 0 or -ENOMEM. (scheduler) */
HKT_API HKT_MUST_USE int hkt_scheduler_create(hkt_scheduler **scheduler);

/* What is still in it is dropped, and not called. NULL is fine. While it runs: misuse (abort). */
HKT_API void hkt_scheduler_destroy(hkt_scheduler *scheduler);

/* Enters action(arg), to be called `delay` seconds from now, by who runs the scheduler. Of those at
 * the same time the one of lower `priority` comes first, of equal ones the one entered first. A
 * negative delay is a time that has passed. `event`, unless NULL, gets a number to cancel it with:
 * never 0, and never used again for another event of this scheduler. 0; -ENOMEM; -EINVAL: the delay
 * is NaN, or the action NULL. Never waits. (scheduler.enter) */
HKT_API HKT_MUST_USE int hkt_scheduler_enter(hkt_scheduler *scheduler, double delay, int priority,
                                             int (*action)(void *arg), void *arg, uint64_t *event);

/* The same at a point in time. {0}: never, so that it only keeps the scheduler from being empty;
 * one made by hkt_after(0): now. (scheduler.enterabs) */
HKT_API HKT_MUST_USE int hkt_scheduler_enter_at(hkt_scheduler *scheduler, hkt_deadline when,
                                                int priority, int (*action)(void *arg), void *arg,
                                                uint64_t *event);

/* Takes an event out before it is called. 0; -ENOENT: it is not in, since it was called, is being
 * called, or was cancelled. Never waits. (scheduler.cancel) */
HKT_API int hkt_scheduler_cancel(hkt_scheduler *scheduler, uint64_t event);

/* Nothing is in it; how many are. The one that is being called is not in any more.
 * (scheduler.empty, len(scheduler.queue)) */
HKT_API bool hkt_scheduler_empty(const hkt_scheduler *scheduler);
HKT_API size_t hkt_scheduler_size(const hkt_scheduler *scheduler);

/* Calls what is in it, each at its time or right after it, never before, and waits in between; who
 * enters an earlier one is heard meanwhile. 0: nothing is in it any more. An action's negative
 * result, at once: the rest stays in, and it may be run again. -ECANCELED: the caller's scope has
 * ended, likewise. -EBUSY: it is being run already. A cancellation point, between actions too.
 * (scheduler.run) */
HKT_API int hkt_scheduler_run(hkt_scheduler *scheduler);

/* Calls only those whose time has come, and does not wait. 0, and in *next_delay, unless NULL, the
 * seconds until the next one's time: infinity if there is none. An action's negative result, at
 * once; -EBUSY. (scheduler.run(blocking=False)) */
HKT_API int hkt_scheduler_run_nowait(hkt_scheduler *scheduler, double *next_delay);

HKT_END_DECLS
#endif
