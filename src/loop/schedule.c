/* SPDX-License-Identifier: MIT */
/* Who goes on next: the hot half of the loop. loop.h has the rules. */
#include <errno.h>
#include <stdio.h>

#include "base/report.h"
#include "base/seconds.h"
#include "loop/signal.h"

static hkt_loop *loop_of(struct hkti_carrier *carrier)
{
    return (hkt_loop *)carrier;
}

/* Debug mode: what ran until now has run for long. */
static void look_at_clock(hkt_loop *loop, const char *who)
{
    int64_t now = hkti_os_now();
    int64_t took = now - loop->resumed_at;
    struct hkti_coroutine *current = loop->carrier.current;
    if (current && loop->resumed_at && took >= loop->slow) {
        char name[HKT_NAME_MAX];
        snprintf(name, sizeof name, "%s", who);
        if (current->strand.run)
            hkti_task_name(current->strand.run->future, name);
        hkti_report_line("loop \"%s\": %s ran for %.3f s without a wait; the others had to wait",
                         loop->name, name, (double)took / 1e9);
    }
    loop->resumed_at = now;
}

/* Called into the cache: the frames of the one after the next, and the record of the one after
 * that. Among many tasks each of these would be a wait for memory. */
static inline void prefetch(const struct hkti_ready *next)
{
    const struct hkti_ready *second = next ? next->next : NULL;
    if (second == NULL || second->begins)
        return;
    __builtin_prefetch(second->next);
    hkti_coroutine_prefetch((
        const struct hkti_coroutine *)((uintptr_t)second - offsetof(struct hkti_coroutine, ready)));
}

static inline struct hkti_ready *next_of(hkt_loop *loop)
{
    if (loop->debug)
        look_at_clock(loop, "a callback");
    if (loop->budget == 0)
        return NULL;
    struct hkti_ready *next = hkti_carrier_pop(&loop->carrier);
    if (next == NULL)
        return NULL;
    loop->budget--;
    prefetch(loop->carrier.ready);
    return next;
}

/* The future may be gone when its job has ended. */
static void execute_watched(hkt_loop *loop, hkt_future *future)
{
    char name[HKT_NAME_MAX];
    hkti_task_name(future, name);
    hkti_future_execute(future, true);
    if (loop->debug)
        look_at_clock(loop, name);
}

static void begin_task(hkt_loop *loop, struct hkti_task *task)
{
    hkt_future *future = task->future;
    hkt_executor *executor = future->executor;
    if (task->number == 0)
        task->number = ++loop->numbers;
    if (hkti_future_claim(future, true)) {
        loop->live++;
        if (loop->debug)
            execute_watched(loop, future);
        else
            hkti_future_execute(future, true);
        loop->live--;
    }
    if (executor->ops->ran)
        executor->ops->ran(executor);
}

static void begin(hkt_loop *loop, struct hkti_ready *ready)
{
    if (ready->begins == HKTI_BEGINS_TASK) {
        begin_task(loop, HKTI_CONTAINER(ready, struct hkti_task, ready));
        return;
    }
    loop->live++;
    hkti_handle_run(HKTI_CONTAINER(ready, struct hkti_handle, ready));
    loop->live--;
}

/* A fresh coroutine: begins what it was made for, and then what comes, as long as that is to
 * begin. */
static struct hkti_coroutine *run(void *value)
{
    hkt_loop *loop = value;
    struct hkti_ready *next = loop->first;
    for (;;) {
        begin(loop, next);
        next = next_of(loop);
        if (next == NULL || !next->begins)
            return next ? hkti_ready_coroutine(next) : NULL;
    }
}

/* There is no memory for a stack. A callback is tried again later, for its memory is the
 * caller's. */
static void cannot_begin(hkt_loop *loop, struct hkti_ready *ready)
{
    if (ready->begins != HKTI_BEGINS_TASK) {
        hkti_carrier_append(&loop->carrier, ready);
        loop->budget = 0;
        return;
    }
    hkt_future *future = HKTI_CONTAINER(ready, struct hkti_task, ready)->future;
    hkt_executor *executor = future->executor;
    if (hkti_future_claim(future, true)) {
        int err = hkt_fail(-ENOMEM, "loop \"%s\" has no memory for another task's stack",
                           loop->name);
        hkti_future_fail(future, err);
    }
    if (executor->ops->ran)
        executor->ops->ran(executor);
}

/* Begins it on a fresh coroutine: false if it could not be begun. */
static bool begin_fresh(hkt_loop *loop, struct hkti_ready *next)
{
    struct hkti_coroutine *fresh = hkti_coroutine_take(&loop->carrier);
    if (fresh == NULL) {
        cannot_begin(loop, next);
        return false;
    }
    loop->first = next;
    hkti_coroutine_run(fresh, run, loop);
    return true;
}

static inline void park(hkt_loop *loop, struct hkti_coroutine *self)
{
    for (;;) {
        struct hkti_ready *next = next_of(loop);
        if (next == &self->ready)
            return;
        if (next == NULL || !next->begins) {
            hkti_carrier_switch(&loop->carrier, next ? hkti_ready_coroutine(next) : NULL);
            return;
        }
        if (begin_fresh(loop, next))
            return;
    }
}

void hkti_loop_park(struct hkti_carrier *carrier, struct hkti_coroutine *self, bool for_jobs)
{
    struct hkti_run *job = for_jobs ? self->strand.run : NULL;
    hkt_executor *executor = job ? job->future->executor : NULL;
    if (executor == NULL || executor->ops->waits == NULL) {
        park(loop_of(carrier), self);
        return;
    }
    executor->ops->waits(executor, true);
    park(loop_of(carrier), self);
    executor->ops->waits(executor, false);
}

/* The new task runs now; who spawned it is the next one after it. */
static void begin_at_once(hkt_loop *loop, struct hkti_coroutine *self, struct hkti_ready *ready)
{
    struct hkti_carrier *carrier = &loop->carrier;
    self->ready.next = carrier->ready;
    if (carrier->ready == NULL)
        carrier->ready_end = &self->ready.next;
    carrier->ready = &self->ready;
    loop->budget++;
    if (!begin_fresh(loop, ready)) /* it has failed: its future tells */
        (void)hkti_carrier_pop(carrier);
}

int hkti_loop_submit(hkt_loop *loop, hkt_future *future, bool may_be_eager)
{
    struct hkti_task *task = hkti_future_task(future);
    task->ready.begins = HKTI_BEGINS_TASK;
    if (!hkti_loop_is_here(loop))
        return hkti_loop_hand_in(loop, &task->ready);
    task->number = ++loop->numbers;
    struct hkti_coroutine *self = loop->carrier.current;
    if (future->eager_start && may_be_eager && self)
        begin_at_once(loop, self, &task->ready);
    else
        hkti_carrier_add(&loop->carrier, &task->ready);
    return 0;
}

static int submit(hkt_executor *executor, hkt_future *future, const hkt_submit_options *options)
{
    (void)options;
    return hkti_loop_submit(HKTI_CONTAINER(executor, struct hkt_loop, executor), future, true);
}

static void close(hkt_executor *executor, bool cancel_futures)
{
    hkt_loop *loop = HKTI_CONTAINER(executor, struct hkt_loop, executor);
    (void)cancel_futures;                 /* nothing stays pending for longer than a turn */
    hkti_store_seq_cst(&loop->closed, 1); /* pairs: loop-closed */
}

static int await(hkt_executor *executor, hkt_deadline deadline)
{
    (void)executor;
    (void)deadline;
    return -EDEADLK;
}

static void destroy(hkt_executor *executor)
{
    hkti_misuse("hkt_executor_destroy: executor %p is a loop's, and ends with it: hkt_loop_destroy",
                (void *)executor);
}

const struct hkti_executor_ops hkti_loop_ops = {
    .submit = submit, .close = close, .await = await, .destroy = destroy
};

hkt_executor *hkt_loop_executor(hkt_loop *loop)
{
    return &loop->executor;
}

int hkti_loop_hand_in(hkt_loop *loop, struct hkti_ready *ready)
{
    hkti_fetch_add_acq_rel(&loop->carrier.visitors, 1); /* pairs: visitors */
    hkti_fence_seq_cst();                               /* pairs: loop-closed */
    bool closed = hkti_load_seq_cst(&loop->closed);     /* pairs: loop-closed */
    if (!closed)
        hkti_carrier_hand_in(&loop->carrier, ready);
    hkti_fetch_add_acq_rel(&loop->carrier.visitors, (uint32_t)-1); /* pairs: visitors */
    return closed ? -ESHUTDOWN : 0;
}

unsigned hkti_loop_turn(hkt_loop *loop)
{
    struct hkti_carrier *carrier = &loop->carrier;
    hkti_carrier_collect(carrier);
    if (hkti_load_relaxed(&loop->signals))
        hkti_signals_take(loop);
    if (!hkti_timers_empty(&carrier->alarms))
        hkti_carrier_ring(carrier, hkti_os_now(), HKTI_LOOP_BUDGET);
    loop->budget = HKTI_LOOP_BUDGET;
    struct hkti_ready *next;
    while ((next = next_of(loop)) != NULL)
        if (next->begins)
            begin_fresh(loop, next);
        else
            hkti_carrier_switch(carrier, hkti_ready_coroutine(next));
    return HKTI_LOOP_BUDGET - loop->budget;
}
