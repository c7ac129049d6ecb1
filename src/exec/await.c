/* SPDX-License-Identifier: MIT */
/* Waiting for one future. On a pool's worker such a wait lets the worker begin other jobs, the one
 * that is waited for first and in any case if nobody has taken it. A job that must not let others run on its thread
 * runs that one itself, on its own stack. */
#include <errno.h>
#include <hocket/scope.h>

#include "base/seconds.h"
#include "exec/pool.h"
#include "park/wait.h"

struct waiter {
    struct hkti_watch watch;
    struct hkti_wait_list list;
    uint32_t guard;
};

static void done(struct hkti_watch *watch, hkt_future *future)
{
    struct waiter *waiter = HKTI_CONTAINER(watch, struct waiter, watch);
    (void)future;
    hkti_guard_acquire(&waiter->guard);
    struct hkti_strand *strand = hkti_wait_list_pop(&waiter->list);
    hkti_guard_release(&waiter->guard);
    if (strand)
        hkti_wake(strand);
}

/* The job that this future is of is one that the caller is in. */
static bool is_own(hkt_future *future)
{
    struct hkti_scope *scope = hkti_self()->scope;
    if (scope == NULL || !hkt_future_running(future))
        return false;
    struct hkti_scope *running = hkti_load_acquire(&future->scope); /* pairs: future-scope */
    while (scope && scope != running)
        scope = scope->parent;
    return scope != NULL;
}

/* The caller must not let others run on its thread: it runs those of these that nobody has taken. */
static void help(struct hkti_worker *worker, const struct hkti_wanted *wanted)
{
    for (size_t i = wanted->next; i < wanted->count; i++)
        if (wanted->futures[i] && wanted->futures[i]->executor == &worker->pool->executor &&
            hkti_future_claim(wanted->futures[i], false))
            hkti_future_execute(wanted->futures[i]);
}

int hkti_futures_prepare(struct hkti_wanted *wanted, bool *for_jobs)
{
    struct hkti_worker *worker = hkti_worker_self();
    *for_jobs = worker != NULL;
    if (worker == NULL)
        return 0;
    if (worker->carrier.current->exclusive) {
        help(worker, wanted);
        return 0;
    }
    if (!hkti_coroutine_reserve(&worker->carrier))
        return -ENOMEM;
    struct hkti_job_state *state = hkti_job_state(worker->carrier.current);
    state->wanted = wanted;
    state->wait = ++worker->waits;
    state->children = 0;
    hkti_list_prepend(&worker->wanting, &state->node);
    return 0;
}

void hkti_futures_waited(void)
{
    struct hkti_worker *worker = hkti_worker_self();
    if (worker == NULL)
        return;
    struct hkti_job_state *state = hkti_job_state(worker->carrier.current);
    if (state->node.next)
        hkti_list_remove(&state->node);
    state->wanted = NULL;
    state->wait = 0;
}

static int await(hkt_future *future, int64_t deadline, bool cancellable, bool for_jobs)
{
    struct waiter waiter = { .watch.done = done };
    if (hkti_future_watch(future, &waiter.watch) == 1)
        return 0;
    struct hkti_wait wait = { .what = "future",
                              .object = future,
                              .list = &waiter.list,
                              .guard = &waiter.guard,
                              .deadline = deadline,
                              .cancellable = cancellable,
                              .for_jobs = for_jobs };
    hkti_guard_acquire(&waiter.guard);
    int err = 0;
    if (hkt_future_done(future))
        hkti_guard_release(&waiter.guard);
    else
        err = hkti_wait(&wait);
    hkti_future_unwatch(future, &waiter.watch);
    return hkt_future_done(future) ? 0 : err;
}

int hkti_future_await(hkt_future *future, int64_t deadline, bool cancellable)
{
    struct hkti_wanted wanted = { .futures = &future, .count = 1 };
    bool for_jobs;
    if (is_own(future))
        return -EDEADLK;
    int err = hkti_futures_prepare(&wanted, &for_jobs);
    if (err < 0)
        return err;
    err = await(future, deadline, cancellable, for_jobs);
    hkti_futures_waited();
    return err;
}

void hkti_future_await_end(hkt_future *future)
{
    if (hkti_future_await(future, 0, false) == -ENOMEM)
        await(future, 0, false, false);
}

int hkt_future_wait_until(hkt_future *future, hkt_deadline deadline)
{
    int err = hkti_cancelled(deadline.ns);
    if (err < 0 || hkt_future_done(future))
        return err;
    if (deadline.ns == HKTI_PASSED)
        return -ETIMEDOUT;
    return hkti_future_await(future, deadline.ns, true);
}

int hkt_future_wait(hkt_future *future)
{
    return hkt_future_wait_until(future, (hkt_deadline){ 0 });
}

int hkt_future_finish(hkt_future *future)
{
    if (future == NULL)
        return 0;
    int err = hkt_future_wait(future);
    if (err < 0 && err != -EDEADLK) {
        hkt_future_request_cancel(future);
        hkti_future_await_end(future);
        err = 0;
    }
    if (err == 0)
        err = hkti_future_code(future);
    if (err < 0)
        hkti_future_adopt_sentence(future);
    hkt_future_destroy(future);
    return err;
}
