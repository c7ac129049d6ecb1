/* SPDX-License-Identifier: MIT */
/* Waiting for jobs, and for one future. On a pool's worker such a wait lets the worker begin other
 * jobs: first, and in any case, those that are waited for and that nobody has begun. A job that must
 * not let others run on its thread runs these itself, on its own stack; so does a job of an engine of
 * the user's. */
#include <errno.h>
#include <hocket/scope.h>

#include "base/seconds.h"
#include "exec/attend.h"
#include "exec/pool.h"
#include "park/wait.h"

/* One who waits for one future: in a list of his own, under the future's guard. */
struct waiter {
    struct hkti_watch watch;
    struct hkti_wait_list list;
    struct hkti_wait wait;
    hkt_future *future;
};

/* Under the future's guard, which is all that is needed. */
static void done(struct hkti_watch *watch, hkt_future *future)
{
    struct waiter *waiter = HKTI_CONTAINER(watch, struct waiter, watch);
    (void)future;
    hkti_wake(hkti_wait_list_pop(&waiter->list));
}

static void left(struct hkti_wait *wait)
{
    struct waiter *waiter = HKTI_CONTAINER(wait, struct waiter, wait);
    hkti_future_unwatch_guarded(waiter->future, &waiter->watch);
}

bool hkti_future_is_own(hkt_future *future)
{
    struct hkti_scope *scope = hkti_self()->scope;
    if (scope == NULL || hkti_future_is_remote(future) || !hkt_future_running(future))
        return false;
    struct hkti_scope *running = hkti_load_acquire(&future->scope); /* pairs: future-scope */
    while (scope && scope != running)
        scope = scope->parent;
    return scope != NULL;
}

/* The caller, or a job that waits for it, must not let others run on its thread, but for what it waits
 * for: what nobody has begun is run here and now, and coroutines of this thread that have begun it may
 * go on; and what these wait for, in turn. */
static void help(struct hkti_worker *worker, struct hkti_wanted *wanted, bool cancels)
{
    hkt_future *claimed;
    while (wanted->claim && (claimed = wanted->claim(wanted, &worker->pool->executor)) != NULL)
        hkti_future_execute(claimed, !cancels);
    for (size_t i = 0; i < wanted->count; i++) {
        hkt_future *future = wanted->futures[i];
        if (future == NULL || future->executor != &worker->pool->executor)
            continue;
        if (hkti_future_claim(future, false)) {
            hkti_future_execute(future, !cancels);
            continue;
        }
        struct hkti_coroutine *other = hkti_future_coroutine(future, worker->carrier.base);
        if (other == NULL || other == worker->carrier.current || other->ready.helps)
            continue;
        other->ready.helps = worker->helpers = true;
        struct hkti_wanted *others = hkti_job_state(other)->wanted;
        if (others)
            help(worker, others, false);
    }
}

static void end_help(struct hkti_worker *worker)
{
    struct hkti_coroutine *coroutine = worker->carrier.made;
    for (; coroutine; coroutine = coroutine->next_made)
        coroutine->ready.helps = false;
    worker->helpers = false;
}

/* A job of an engine of the user's, whose threads might all wait for jobs that none of them begins: it
 * runs those that nobody has begun. The engine finds them done. */
static void run_here(struct hkti_wanted *wanted)
{
    hkt_executor *executor = hkt_executor_current();
    hkt_future *claimed;
    if (wanted->claim && executor && executor->ops->runs_wanted)
        while ((claimed = wanted->claim(wanted, executor)) != NULL)
            hkti_future_execute(claimed, !wanted->cancels);
    for (size_t i = 0; i < wanted->count; i++) {
        hkt_future *future = wanted->futures[i];
        /* Only an executor that the caller is inside is there for certain. */
        if (future && future->executor && hkti_is_inside(future->executor) &&
            future->executor->ops->runs_wanted && hkti_future_claim(future, false))
            hkti_future_execute(future, !wanted->cancels);
    }
}

int hkti_futures_prepare(struct hkti_wanted *wanted, bool *for_jobs)
{
    struct hkti_worker *worker = hkti_worker_self();
    *for_jobs = hkti_self()->coroutine != NULL;
    if (worker == NULL) {
        run_here(wanted);
        return 0;
    }
    struct hkti_job_state *state = hkti_job_state(worker->carrier.current);
    state->wanted = wanted;
    state->wait = ++worker->waits;
    state->children = 0;
    if (worker->carrier.current->ready.exclusive || worker->carrier.exclusive) {
        help(worker, wanted, wanted->cancels);
        state->wanted = wanted; /* jobs that were run here have waited too */
        return 0;
    }
    if (!hkti_coroutine_reserve(&worker->carrier))
        return -ENOMEM;
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
    if (worker->helpers && worker->carrier.current->ready.exclusive)
        end_help(worker);
}

static bool is_done(void *arg)
{
    return hkt_future_done(arg);
}

/* 0; why not; 1: to be asked again. */
static int await_once(struct waiter *waiter)
{
    hkt_future *future = waiter->future;
    waiter->wait.list = &waiter->list;
    hkti_guard_acquire(&future->guard);
    if (hkti_future_watch_guarded(future, &waiter->watch) == 0)
        return hkti_wait(&waiter->wait);
    hkti_guard_release(&future->guard);
    return 0;
}

static int await_remote(struct waiter *waiter)
{
    struct hkti_attendance attendance = { .executor = NULL };
    int err;
    hkti_attend_hold(&attendance, waiter->future);
    hkti_attend_begin(&attendance, waiter->wait.deadline);
    do {
        hkti_attend_prepare(&attendance, &waiter->wait, is_done, waiter->future);
        err = await_once(waiter);
    } while (err == 1);
    hkti_attend_end(&attendance);
    hkti_attend_drop(&attendance);
    return err;
}

static int await(hkt_future *future, int64_t deadline, bool cancellable, bool for_jobs)
{
    struct waiter waiter = { .watch.done = done, .future = future };
    waiter.wait = (struct hkti_wait){ .what = "future",
                                      .object = future,
                                      .guard = &future->guard,
                                      .left = left,
                                      .deadline = deadline,
                                      .cancellable = cancellable,
                                      .for_jobs = for_jobs };
    int err = hkti_future_is_remote(future) ? await_remote(&waiter) : await_once(&waiter);
    return hkt_future_done(future) ? 0 : err;
}

static int await_with_help(hkt_future *future, int64_t deadline, bool cancellable, bool cancels)
{
    struct hkti_wanted wanted = { .futures = &future, .count = 1, .cancels = cancels };
    bool for_jobs;
    if (hkti_future_is_own(future))
        return -EDEADLK;
    int err = hkti_futures_prepare(&wanted, &for_jobs);
    if (err == 0)
        err = await(future, deadline, cancellable, for_jobs);
    hkti_futures_waited();
    return err;
}

int hkti_future_await(hkt_future *future, int64_t deadline, bool cancels)
{
    int err = hkti_cancelled(deadline);
    if (err < 0 || hkt_future_done(future))
        return err;
    if (deadline == HKTI_PASSED)
        return -ETIMEDOUT;
    return await_with_help(future, deadline, true, cancels);
}

void hkti_future_await_end(hkt_future *future)
{
    if (await_with_help(future, 0, false, true) == -ENOMEM)
        await(future, 0, false, false);
}

int hkt_future_wait_until(hkt_future *future, hkt_deadline deadline)
{
    return hkti_future_await(future, deadline.ns, false);
}

int hkt_future_wait(hkt_future *future)
{
    return hkti_future_await(future, 0, false);
}

int hkt_future_finish(hkt_future *future)
{
    if (future == NULL)
        return 0;
    int err = hkti_future_await(future, 0, true);
    if (err == -ENOMEM && hkt_future_cancel(future) == 0) {
        hkt_future_destroy(future);
        return err;
    }
    if (err == -EDEADLK)
        return err;
    if (err == -ECANCELED)
        hkt_future_request_cancel(future);
    if (err == -ECANCELED || err == -ENOMEM) {
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
