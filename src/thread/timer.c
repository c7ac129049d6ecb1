/* SPDX-License-Identifier: MIT */
/* A timer is a thread that waits for an event, cancelled, until the time has come. Who changes the
 * state from WAITING first decides: the thread to CALLED, a cancel to CANCELLED. References: the
 * handle, and the thread. */
#include <errno.h>
#include <hocket/timer.h>

#include "base/memory.h"
#include "thread/thread.h"

enum { WAITING, CALLED, CANCELLED };

struct hkt_timer {
    hkt_thread *thread;
    hkt_event cancelled;
    hkt_deadline deadline;
    int (*function)(void *);
    void *arg;
    uint32_t state;
    uint32_t refs;
};

static void unref(struct hkt_timer *timer)
{
    if (hkti_fetch_add_acq_rel(&timer->refs, (uint32_t)-1) == 1) /* pairs: timer-refs */
        hkti_release(timer, sizeof *timer);
}

static int wait_and_call(void *arg)
{
    struct hkt_timer *timer = arg;
    int err = 0;
    if (hkt_event_wait_until(&timer->cancelled, timer->deadline) == -ETIMEDOUT &&
        hkti_cas_relaxed(&timer->state, WAITING, CALLED))
        err = timer->function(timer->arg);
    unref(timer);
    return err;
}

int hkt_timer_start(hkt_timer **timer, double seconds, int (*function)(void *), void *arg)
{
    if (seconds != seconds || function == NULL)
        return -EINVAL;
    struct hkt_timer *made = hkti_allocate(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->deadline = hkt_after(seconds);
    made->function = function;
    made->arg = arg;
    hkti_init(&made->refs, 2);
    int err = hkt_thread_spawn(&made->thread, wait_and_call, made, NULL);
    if (err < 0)
        hkti_release(made, sizeof *made);
    else
        *timer = made;
    return err;
}

void hkt_timer_cancel(hkt_timer *timer)
{
    if (hkti_cas_relaxed(&timer->state, WAITING, CANCELLED))
        hkt_event_set(&timer->cancelled);
}

int hkt_timer_join(hkt_timer *timer)
{
    return hkt_thread_join(timer->thread);
}

void hkt_timer_destroy(hkt_timer *timer)
{
    if (timer == NULL)
        return;
    hkt_thread_destroy(timer->thread);
    unref(timer);
}
