/* SPDX-License-Identifier: MIT */
/* Callbacks. A handle is IDLE; SOON, in the ready list, or on its way there from another thread;
 * LATER, among the timers, or (its alarm has rung) in the ready list; NEVER; it is IDLE again
 * when its callback is called, and the memory is then its owner's. A handle that the loop made
 * is given back then.
 *
 * Who may touch what: all by the loop's thread, but for what has not been handed in yet. */
#include <errno.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/seconds.h"
#include "loop/poller.h"
#include "thread/context.h"

enum { IDLE, SOON, LATER, NEVER };

/* Ready to be handed in: 0, -ENOMEM, -EALREADY. */
static int prepare(hkt_loop *loop, struct hkti_handle **handle, hkt_job *callback, void *arg)
{
    struct hkti_handle *made = *handle;
    bool owned = made == NULL;
    if (!owned && made->state != IDLE)
        return -EALREADY;
    if (owned && (made = hkti_allocate(sizeof *made)) == NULL)
        return -ENOMEM;
    *made = (struct hkti_handle){ .ready.begins = HKTI_BEGINS_CALL,
                                  .loop = loop,
                                  .callback = callback,
                                  .arg = arg,
                                  .context = hkti_context_hold(),
                                  .state = SOON,
                                  .owned = owned };
    made->alarm.ready = &made->ready;
    *handle = made;
    return 0;
}

static void let_go(struct hkti_handle *handle)
{
    hkti_context_drop(handle->context);
    handle->context = NULL;
    handle->state = IDLE;
    if (handle->owned)
        hkti_release(handle, sizeof *handle);
}

int hkt_loop_call_soon(hkt_loop *loop, hkt_handle *public, hkt_job *callback, void *arg)
{
    struct hkti_handle *handle = (struct hkti_handle *)public;
    bool here = hkti_loop_is_here(loop);
    if (public && !here)
        hkti_loop_must_be_here(loop, "hkt_loop_call_soon with a handle");
    int err = prepare(loop, &handle, callback, arg);
    if (err < 0)
        return err;
    if (here)
        hkti_carrier_add(&loop->carrier, &handle->ready);
    else
        err = hkti_loop_hand_in(loop, &handle->ready);
    if (err < 0)
        let_go(handle);
    return err;
}

int hkt_loop_call_at(hkt_loop *loop, hkt_handle *public, hkt_deadline when, hkt_job *callback,
                     void *arg)
{
    struct hkti_handle *handle = (struct hkti_handle *)public;
    hkti_loop_must_be_here(loop, "hkt_loop_call_at");
    int err = prepare(loop, &handle, callback, arg);
    if (err < 0)
        return err;
    handle->state = when.ns ? LATER : NEVER;
    if (when.ns)
        hkti_carrier_set_alarm(&loop->carrier, &handle->alarm, when.ns);
    else if (handle->owned)
        let_go(handle); /* nobody can cancel it */
    if (loop->driven && !hkti_load_relaxed(&loop->running))
        hkti_outside_alarm(loop);
    return 0;
}

int hkt_loop_call_later(hkt_loop *loop, hkt_handle *handle, double seconds, hkt_job *callback,
                        void *arg)
{
    if (seconds != seconds)
        hkti_misuse("hkt_loop_call_later: the number of seconds is NaN");
    return hkt_loop_call_at(loop, handle, hkt_after(seconds), callback, arg);
}

/* Out of the ready list, or of what others handed in. */
static void take_out(hkt_loop *loop, struct hkti_ready *ready)
{
    struct hkti_carrier *carrier = &loop->carrier;
    hkti_carrier_collect(carrier);
    struct hkti_ready **place = &carrier->ready;
    while (*place != ready)
        place = &(*place)->next;
    *place = ready->next;
    if (ready->next == NULL)
        carrier->ready_end = place;
}

bool hkt_handle_cancel(hkt_handle *public)
{
    struct hkti_handle *handle = (struct hkti_handle *)public;
    if (handle->state == IDLE)
        return false;
    hkt_loop *loop = handle->loop;
    hkti_loop_must_be_here(loop, "hkt_handle_cancel");
    if (hkti_timer_is_set(&handle->alarm.timer))
        hkti_carrier_clear_alarm(&loop->carrier, &handle->alarm);
    else if (handle->state != NEVER)
        take_out(loop, &handle->ready);
    let_go(handle);
    return true;
}

/* No task is left, so all alarms are handles'. */
void hkti_handles_end(hkt_loop *loop)
{
    struct hkti_timer *timer;
    while ((timer = hkti_timers_pop(&loop->carrier.alarms, INT64_MAX)) != NULL)
        let_go(HKTI_CONTAINER(timer, struct hkti_handle, alarm.timer));
}

bool hkt_handle_pending(const hkt_handle *public)
{
    return ((const struct hkti_handle *)public)->state != IDLE;
}

hkt_deadline hkt_handle_when(const hkt_handle *public)
{
    const struct hkti_handle *handle = (const struct hkti_handle *)public;
    return (hkt_deadline){ handle->state == LATER ? handle->alarm.timer.deadline : 0 };
}

void hkti_handle_run(struct hkti_handle *handle)
{
    struct hkti_strand *self = hkti_self();
    hkt_loop *loop = handle->loop;
    hkt_job *callback = handle->callback;
    void *arg = handle->arg;
    struct hkti_context_node *kept = self->context;
    self->context = handle->context;
    handle->context = NULL;
    let_go(handle);
    int err = callback(arg);
    if (self->scope)
        hkti_misuse("a callback of loop \"%s\" returned without leaving scope %p", loop->name,
                    (void *)self->scope);
    if (err < 0 && err != -ECANCELED)
        hkti_report_line("a callback of loop \"%s\" failed: %s", loop->name, hkt_sentence(err));
    self->sentence_err = 0;
    hkti_context_drop(self->context);
    self->context = kept;
}
