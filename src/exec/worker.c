/* SPDX-License-Identifier: MIT */
/* A worker: finds work, runs it, sleeps. pool.h has the rules of sleeping and waking.
 *
 * There is no stack that schedules: a coroutine that has done its job looks for the next one itself
 * (`run`); one that waits lets those go on that are ready, or begins a free coroutine, which then
 * looks for work (`hkti_worker_park`). Those that are ready come before new jobs. */
#include <hocket/scope.h>

#include "base/report.h"
#include "exec/pool.h"
#include "strand/overflow.h"
#include "sync/event.h"
#include "thread/thread.h"

/* Jobs that a worker takes from the queues at a time, at the most; those it does not begin go into its
 * ring, where others may take them. It takes more than one only while they are short: twice as many
 * when the last ones took no longer than this, one when they did; so who was handed in first begins
 * first, and jobs that last do not hold up those behind them. */
#define BATCH 16
#define SHORT_NS 10000
#define EXACT_PENDING 4096
/* Every so many jobs one comes first that else comes later: in turn of the background, of the normal
 * ones, of a ring. */
#define FAIR_TICKS 61

/* The one who searched has found something: if there is more, the next one is called. */
static void stop_searching(struct hkti_worker *worker)
{
    struct hkti_pool *pool = worker->pool;
    struct hkti_call call = { NULL, NULL };
    worker->searching = false;
    hkti_guard_acquire(&pool->guard);
    hkti_store_seq_cst(&pool->searching, 0); /* pairs: idle */
    if (hkti_pool_has_work(pool))
        call = hkti_pool_choose(pool);
    hkti_guard_release(&pool->guard);
    hkti_pool_call(pool, call);
}

static size_t batch_for(struct hkti_worker *worker, size_t pending)
{
    int64_t now = hkti_os_now();
    bool quick = now - worker->taken_at < SHORT_NS;
    worker->taken_at = now;
    worker->batch = !quick ? 1 : worker->batch < BATCH ? 2 * worker->batch : BATCH;
    size_t share = pending / worker->pool->executor.max_workers / 2 + 1;
    bool room = hkti_load_relaxed(&worker->ring.tail) - hkti_load_relaxed(&worker->ring.head) <
                HKTI_RING_SIZE - BATCH;
    /* Where few may be pending, those taken and not begun would count. */
    if (!room || worker->pool->max_pending < EXACT_PENDING)
        return 1;
    return share < worker->batch ? share : worker->batch;
}

static hkt_future *take_from_queues(struct hkti_worker *worker, hkt_priority first)
{
    struct hkti_pool *pool = worker->pool;
    hkt_future *taken[BATCH];
    size_t pending = hkti_load_relaxed(&pool->pending);
    if (pending == 0)
        return NULL;
    size_t many = first == HKT_PRIORITY_HIGH ? batch_for(worker, pending) : 1;
    size_t count = hkti_pool_take(pool, taken, many, first);
    for (size_t i = 1; i < count; i++) {
        __builtin_prefetch(taken[i], 1);
        hkti_ring_put(&worker->ring, taken[i]);
    }
    if (count > 1 && !worker->searching)
        hkti_pool_notify(pool); /* for who found neither queue nor ring full */
    return count ? taken[0] : NULL;
}

static hkt_future *steal_job(struct hkti_worker *worker)
{
    struct hkti_pool *pool = worker->pool;
    uint32_t started = hkti_load_acquire(&pool->started); /* pairs: idle */
    for (uint32_t i = 1; i < started; i++) {
        struct hkti_worker *other = pool->workers[(worker->index + i) % started];
        hkt_future *future = other == worker ? NULL : hkti_ring_take(&other->ring);
        if (future)
            return future;
    }
    return NULL;
}

static hkt_future *take_any(struct hkti_worker *worker)
{
    hkt_future *future = NULL;
    switch (worker->ticks++ % (3 * FAIR_TICKS)) {
    case FAIR_TICKS - 1:
        future = take_from_queues(worker, HKT_PRIORITY_BACKGROUND);
        break;
    case 2 * FAIR_TICKS - 1:
        future = take_from_queues(worker, HKT_PRIORITY_NORMAL);
        break;
    case 3 * FAIR_TICKS - 1: /* what has been lying in a ring */
        future = hkti_ring_take(&worker->ring);
        future = future ? future : steal_job(worker);
        break;
    default:
        if (hkti_load_relaxed(&worker->pool->queues[HKT_PRIORITY_HIGH].count) > 0)
            future = take_from_queues(worker, HKT_PRIORITY_HIGH);
    }
    if (future == NULL)
        future = hkti_ring_take(&worker->ring);
    if (future == NULL)
        future = take_from_queues(worker, HKT_PRIORITY_HIGH);
    return future ? future : steal_job(worker);
}

/* One of those that this coroutine waits for, claimed; NULL: others have them all. */
static hkt_future *claim_wanted(const struct hkti_worker *worker, struct hkti_wanted *wanted)
{
    if (wanted->claim)
        return wanted->claim(wanted, &worker->pool->executor);
    while (wanted->next < wanted->count) {
        hkt_future *future = wanted->futures[wanted->next++];
        if (future && future->executor == &worker->pool->executor &&
            hkti_future_claim(future, false))
            return future;
    }
    return NULL;
}

/* A job that a coroutine of this worker waits for, and for whom. */
static hkt_future *find_wanted(struct hkti_worker *worker, struct hkti_job_state **for_whom)
{
    while (!hkti_list_empty(&worker->wanting)) {
        struct hkti_node *first = worker->wanting.next;
        struct hkti_job_state *state = HKTI_CONTAINER(first, struct hkti_job_state, node);
        hkt_future *future = claim_wanted(worker, state->wanted);
        *for_whom = state;
        if (future)
            return future;
        hkti_list_remove(first);
    }
    *for_whom = NULL;
    return NULL;
}

/* A job to run, claimed; NULL: there is none that may begin. */
static hkt_future *find_job(struct hkti_worker *worker, struct hkti_job_state **for_whom)
{
    hkt_future *future = find_wanted(worker, for_whom);
    if (future)
        return future;
    while (worker->active == 0 && (future = take_any(worker)) != NULL)
        if (hkti_future_claim(future, true))
            return future;
    return NULL;
}

/* The current coroutine's job does not wait for jobs from now on; or does. */
static void begin_activity(struct hkti_worker *worker, const struct hkti_job_state *state)
{
    struct hkti_job_state *for_whom = state->for_whom;
    worker->active++;
    if (for_whom == NULL || for_whom->wait != state->for_wait)
        return;
    for_whom->children++;
    if (for_whom->node.next)
        hkti_list_remove(&for_whom->node);
}

static void end_activity(struct hkti_worker *worker, const struct hkti_job_state *state)
{
    struct hkti_job_state *for_whom = state->for_whom;
    worker->active--;
    if (for_whom && for_whom->wait == state->for_wait && --for_whom->children == 0)
        hkti_list_prepend(&worker->wanting, &for_whom->node);
}

static void run_job(struct hkti_worker *worker, hkt_future *future, struct hkti_job_state *for_whom)
{
    struct hkti_coroutine *self = worker->carrier.current;
    struct hkti_job_state *state = hkti_job_state(self);
    int broken = hkti_load_relaxed(&worker->pool->broken);
    if (broken) {
        hkti_future_fail(future, broken);
        return;
    }
    state->for_whom = for_whom;
    state->for_wait = for_whom ? for_whom->wait : 0;
    begin_activity(worker, state);
    self->ready.exclusive = future->no_foreign_work || worker->pool->no_foreign_work;
    hkti_future_execute(future, true);
    self->ready.exclusive = self->ready.helps = false;
    end_activity(worker, state);
    state->for_whom = NULL;
    if (self->strand.forks)
        hkti_forks_leave(&self->strand);
}

/* Finds something to do and does it: false if there is nothing. */
static bool work(struct hkti_worker *worker)
{
    struct hkti_job_state *for_whom;
    hkt_future *future = find_job(worker, &for_whom);
    if (future) {
        if (worker->searching)
            stop_searching(worker);
        run_job(worker, future, for_whom);
        return true;
    }
    if (worker->active || !hkti_forks_shared(worker->pool))
        return false;
    if (worker->searching)
        stop_searching(worker);
    worker->active++;
    bool stolen = hkti_forks_steal(worker->pool);
    worker->active--;
    hkti_forks_leave(&worker->carrier.current->strand);
    return stolen;
}

static struct hkti_worker *worker_of(const struct hkti_wait *wait)
{
    return (struct hkti_worker *)(uintptr_t)wait->object;
}

static int has_news(struct hkti_wait *wait)
{
    return hkti_carrier_has_news(&worker_of(wait)->carrier);
}

static int has_work_or_news(struct hkti_wait *wait)
{
    struct hkti_worker *worker = worker_of(wait);
    return has_news(wait) || hkti_pool_has_work(worker->pool) ||
           (worker->carrier.started == 1 &&
            hkti_load_seq_cst(&worker->pool->over)); /* pairs: idle */
}

/* It has seen something by itself. Others may have called nobody since this worker searched until it
 * went to sleep, so it searches again, unless somebody else does. */
static void left_idle(struct hkti_wait *wait)
{
    struct hkti_worker *worker = worker_of(wait);
    struct hkti_pool *pool = worker->pool;
    hkti_store_relaxed(&pool->idle_count, pool->idle_count - 1);
    pool->quiet -= worker->carrier.started == 1;
    if (!hkti_load_relaxed(&pool->searching)) {
        worker->searching = true;
        hkti_store_seq_cst(&pool->searching, 1); /* pairs: idle */
    }
}

/* Until one of the worker's coroutines may be ready, or (may_begin) there may be work. The thread's
 * own strand does the sleeping for the coroutine that runs. */
static void sleep(struct hkti_worker *worker, bool may_begin)
{
    struct hkti_pool *pool = worker->pool;
    struct hkti_strand *base = worker->carrier.base;
    struct hkti_wait wait = { .what = may_begin ? "work" : "its jobs' waits",
                              .object = worker,
                              .deadline = hkti_carrier_alarm(&worker->carrier),
                              .reason = may_begin ? has_work_or_news : has_news,
                              .no_hooks = true };
    if (!may_begin) {
        if (worker->searching)
            stop_searching(worker);
        hkti_wait_begin(base, &wait);
        hkti_wait_finish(base, &wait);
        return;
    }
    wait.list = &pool->idle;
    wait.guard = &pool->guard;
    wait.in_front = true;
    wait.left = left_idle;
    hkti_guard_acquire(&pool->guard);
    if (worker->searching)
        hkti_store_seq_cst(&pool->searching, 0); /* pairs: idle */
    worker->searching = false;
    bool quiet = worker->carrier.started == 1;
    base->item = quiet ? worker : NULL;
    hkti_wait_begin(base, &wait);
    hkti_store_seq_cst(&pool->idle_count, pool->idle_count + 1); /* pairs: idle */
    pool->quiet += quiet;
    struct hkti_wait_list leaving = { { NULL, NULL } };
    hkti_pool_look_for_end(pool, &leaving);
    hkti_guard_release(&pool->guard);
    hkti_wake_all(&leaving);
    hkti_forks_ask(pool);
    if (hkti_wait_finish(base, &wait) == 0)
        worker->searching = base->grant;
}

/* The pool is closed and nothing is left for anybody: the worker goes. */
static bool may_leave(struct hkti_worker *worker)
{
    return hkti_load_acquire(&worker->pool->over); /* pairs: idle */
}

/* A free coroutine. */
static struct hkti_coroutine *run(void *value)
{
    struct hkti_worker *worker = value;
    struct hkti_carrier *carrier = &worker->carrier;
    for (;;) {
        struct hkti_coroutine *next = hkti_carrier_next(carrier);
        if (next && worker->searching)
            stop_searching(worker); /* it may be long until the next look */
        if (next)
            return next;
        if (work(worker))
            continue;
        if (may_leave(worker))
            return NULL;
        sleep(worker, worker->active == 0);
    }
}

void hkti_worker_park(struct hkti_carrier *carrier, struct hkti_coroutine *self, bool for_jobs)
{
    struct hkti_worker *worker = (struct hkti_worker *)carrier;
    struct hkti_job_state *state = hkti_job_state(self);
    if (for_jobs)
        end_activity(worker, state);
    for (;;) {
        struct hkti_coroutine *next = hkti_carrier_next(carrier);
        if (next == self)
            break;
        if (next) {
            hkti_carrier_switch(carrier, next);
            break;
        }
        struct hkti_coroutine *fresh = NULL;
        bool may_begin = worker->active == 0 || !hkti_list_empty(&worker->wanting);
        if (may_begin && carrier->exclusive == NULL)
            fresh = hkti_coroutine_take(carrier);
        if (fresh) {
            hkti_coroutine_run(fresh, run, worker);
            break;
        }
        sleep(worker, false);
    }
    if (for_jobs)
        begin_activity(worker, state);
}

static void break_pool(struct hkti_pool *pool, int err)
{
    hkti_guard_acquire(&pool->guard);
    bool first = pool->broken == 0;
    if (first)
        hkti_store_relaxed(&pool->broken, err);
    hkti_guard_release(&pool->guard);
    if (first)
        hkti_pool_drop_jobs(pool, err);
}

/* The last one gives a pool back that was destroyed before. */
static void leave_pool(struct hkti_worker *worker)
{
    struct hkti_pool *pool = worker->pool;
    hkti_guard_acquire(&pool->guard);
    if (worker->searching)
        hkti_store_relaxed(&pool->searching, 0);
    bool ended = --pool->alive == 0;
    bool detached = pool->detached;
    struct hkti_wait_list leaving = { { NULL, NULL } };
    if (!ended)
        hkti_pool_look_for_end(pool, &leaving);
    hkti_guard_release(&pool->guard);
    hkti_wake_all(&leaving);
    if (ended && detached)
        hkti_pool_release(pool);
    else if (ended)
        hkt_event_set(&pool->ended);
}

int hkti_worker_main(void *value)
{
    struct hkti_worker *worker = value;
    struct hkti_pool *pool = worker->pool;
    hkti_store_relaxed(&hkti_overflow_name, hkti_job_name);
    hkti_overflow_watch();
    (void)hkti_overflow_thread(); /* without memory for it an overflow has no report */
    hkti_carrier_begin(&worker->carrier, pool->stack_size);
    worker->searching = true;
    int err = pool->initializer ? pool->initializer(pool->initializer_arg) : 0;
    if (err < 0)
        break_pool(pool, err);
    hkti_coroutine_run(hkti_coroutine_take(&worker->carrier), run, worker);
    hkti_carrier_end(&worker->carrier);
    hkti_overflow_thread_end();
    leave_pool(worker);
    return 0;
}
