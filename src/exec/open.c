/* SPDX-License-Identifier: MIT */
/* Executors with an engine of the user's: counts the jobs that are out, so that shutting down is the
 * same for all. `ended` is set when it is closed and none is out; so jobs that still run may submit.
 *
 * Who may touch what: out, closed under the guard. */
#include <errno.h>
#include <hocket/event.h>

#include "base/memory.h"
#include "base/report.h"
#include "exec/executor.h"
#include "sync/event.h"

struct open {
    hkt_executor executor;
    const hkt_engine *vtable;
    void *engine;
    uint32_t guard;
    bool closed;
    size_t out;
    hkt_event ended;
};

/* One fewer is out. */
static void put_back(struct open *open)
{
    hkti_guard_acquire(&open->guard);
    bool ended = --open->out == 0 && open->closed;
    hkti_guard_release(&open->guard);
    if (ended)
        hkt_event_set(&open->ended);
}

static int submit(hkt_executor *executor, hkt_future *future, const hkt_submit_options *options)
{
    struct open *open = (struct open *)executor;
    hkt_submit_options passed = { .priority = (hkt_priority)future->priority,
                                  .no_foreign_work = future->no_foreign_work,
                                  .arg_size = options ? options->arg_size : 0 };
    bool inside = hkti_is_inside(executor);
    hkti_guard_acquire(&open->guard);
    bool refused = open->closed && !inside;
    open->out += !refused;
    hkti_guard_release(&open->guard);
    if (refused)
        return -ESHUTDOWN;
    int err = open->vtable->submit(open->engine, future, &passed);
    if (err < 0)
        put_back(open);
    return err;
}

static void ran(hkt_executor *executor)
{
    put_back((struct open *)executor);
}

static void close(hkt_executor *executor, bool cancel_futures)
{
    struct open *open = (struct open *)executor;
    hkti_guard_acquire(&open->guard);
    bool again = open->closed && !cancel_futures;
    open->closed = true;
    bool ended = open->out == 0;
    hkti_guard_release(&open->guard);
    if (!again && open->vtable->close)
        open->vtable->close(open->engine, cancel_futures);
    if (ended)
        hkt_event_set(&open->ended);
}

static int await(hkt_executor *executor, hkt_deadline deadline)
{
    struct open *open = (struct open *)executor;
    if (hkti_is_inside(executor))
        return -EDEADLK;
    return hkti_event_wait_as(&open->ended, deadline, "the end of executor", executor);
}

static void destroy(hkt_executor *executor)
{
    struct open *open = (struct open *)executor;
    if (!hkt_event_is_set(&open->ended)) {
        hkti_report_line("executor \"%s\" has jobs that do not end: it is left to itself",
                         open->vtable->name ? open->vtable->name : "?");
        return;
    }
    if (open->vtable->destroy)
        open->vtable->destroy(open->engine);
    hkti_release(open, sizeof *open);
}

static const struct hkti_executor_ops ops = { .submit = submit,
                                              .close = close,
                                              .await = await,
                                              .destroy = destroy,
                                              .ran = ran,
                                              .runs_wanted = true };

int hkt_executor_create(hkt_executor **executor, const hkt_engine *vtable, void *engine)
{
    if (vtable == NULL || vtable->submit == NULL)
        return -EINVAL;
    struct open *open = hkti_allocate(sizeof *open);
    if (open == NULL)
        return -ENOMEM;
    open->executor.ops = &ops;
    open->executor.max_workers = vtable->max_workers ? vtable->max_workers : 1;
    open->vtable = vtable;
    open->engine = engine;
    *executor = &open->executor;
    return 0;
}
