/* SPDX-License-Identifier: MIT */
/* The pool: made, handed jobs, closed, given back. pool.h has its rules. */
#include "exec/pool.h"

#include <errno.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/seconds.h"
#include "os/os.h"
#include "sync/event.h"

#define STACK_SIZE ((size_t)1 << 20)
#define STACK_MIN ((size_t)16 << 10)
#define STACK_MAX ((size_t)64 << 20)
#define MAX_PENDING 1000000
#define MAX_WORKERS 4096

static struct hkti_worker *make_worker(struct hkti_pool *pool, unsigned index)
{
    struct hkti_worker *worker = hkti_allocate_lines(sizeof *worker);
    if (worker == NULL)
        return NULL;
    worker->pool = pool;
    worker->index = index;
    worker->carrier.park = hkti_worker_park;
    char name[HKT_NAME_MAX + 16];
    snprintf(name, sizeof name, "%s-%u", pool->name, index + 1);
    hkt_thread_options options = { .name = name,
                                   .daemon = HKT_DAEMON_YES }; /* pools are ended by themselves */
    if (hkt_thread_create(&worker->thread, hkti_worker_main, worker, &options) == 0)
        return worker;
    hkti_release_lines(worker, sizeof *worker);
    return NULL;
}

struct hkti_call hkti_pool_choose(struct hkti_pool *pool)
{
    struct hkti_call call = { NULL, NULL };
    if (hkti_load_relaxed(&pool->searching) || hkti_load_relaxed(&pool->over))
        return call;
    call.wake = hkti_wait_list_pop(&pool->idle);
    if (call.wake) {
        pool->quiet -= call.wake->item != NULL;
        call.wake->grant = 1; /* it searches */
        hkti_store_relaxed(&pool->idle_count, pool->idle_count - 1);
        hkti_store_seq_cst(&pool->searching, 1); /* pairs: idle */
    } else if (pool->started < pool->executor.max_workers) {
        call.start = hkti_load_relaxed(&pool->workers[pool->started]);
        hkti_store_relaxed(&pool->started, pool->started + 1);
        pool->alive++;
        hkti_store_seq_cst(&pool->searching, 1); /* pairs: idle */
    }
    return call;
}

void hkti_pool_look_for_end(struct hkti_pool *pool, struct hkti_wait_list *leaving)
{
    if (!pool->closed || pool->quiet != pool->alive || hkti_pool_has_work(pool))
        return;
    hkti_store_seq_cst(&pool->over, 1); /* pairs: idle */
    hkti_wait_list_take(&pool->idle, SIZE_MAX, 0, leaving);
    hkti_store_relaxed(&pool->idle_count, 0);
    pool->quiet = 0;
}

/* A worker's thread could not be started: it is as if it had not been tried. If it would have been
 * the only one, what others have handed in meanwhile fails with it. */
static void not_started(struct hkti_pool *pool, int err)
{
    hkti_guard_acquire(&pool->guard);
    hkti_store_relaxed(&pool->started, pool->started - 1);
    bool none = --pool->alive == 0;
    bool ended = none && pool->closed;
    struct hkti_wait_list leaving = { { NULL, NULL } };
    hkti_pool_look_for_end(pool, &leaving);
    hkti_store_seq_cst(&pool->searching, 0); /* pairs: idle */
    hkti_guard_release(&pool->guard);
    hkti_wake_all(&leaving);
    if (none)
        hkti_pool_drop_jobs(pool, err);
    if (ended)
        hkt_event_set(&pool->ended);
}

/* With the stack of its first coroutine, so that a worker that has begun can work. */
static int start_worker(struct hkti_worker *worker)
{
    struct hkti_stack *stack = &worker->carrier.at_hand;
    int err = hkti_stack_take(stack, worker->pool->stack_size);
    if (err < 0)
        return err;
    err = hkt_thread_start(worker->thread);
    if (err < 0) {
        hkti_stack_give(stack);
        stack->low = NULL;
    }
    return err;
}

void hkti_pool_call(struct hkti_pool *pool, struct hkti_call call)
{
    int err = 0;
    if (call.wake)
        hkti_wake(call.wake);
    else if (call.start)
        err = start_worker(call.start);
    if (err < 0)
        not_started(pool, err);
}

void hkti_pool_notify(struct hkti_pool *pool)
{
    hkti_fence_seq_cst(); /* pairs: idle */
    if (hkti_load_relaxed(&pool->searching) ||
        (hkti_load_relaxed(&pool->idle_count) == 0 &&
         hkti_load_relaxed(&pool->started) == pool->executor.max_workers))
        return;
    hkti_guard_acquire(&pool->guard);
    struct hkti_call call = hkti_pool_choose(pool);
    hkti_guard_release(&pool->guard);
    hkti_pool_call(pool, call);
}

bool hkti_pool_has_work(struct hkti_pool *pool)
{
    if (hkti_load_seq_cst(&pool->pending) > 0) /* pairs: idle */
        return true;
    uint32_t started = hkti_load_relaxed(&pool->started);
    for (uint32_t i = 0; i < started; i++)
        if (!hkti_ring_empty(&pool->workers[i]->ring))
            return true;
    return hkti_forks_shared(pool);
}

/* Room for one more job, or why not. Takes the guard, and on success keeps it. */
static int await_room(struct hkti_pool *pool, bool inside)
{
    hkti_guard_acquire(&pool->guard);
    for (;;) {
        int err = hkti_load_relaxed(&pool->broken);
        if (err == 0 && pool->closed && !inside)
            err = -ESHUTDOWN;
        if (err == 0 && (inside || pool->pending < pool->max_pending))
            return 0;
        if (err < 0) {
            hkti_guard_release(&pool->guard);
            return err;
        }
        struct hkti_wait wait = { .what = "room in pool",
                                  .object = pool,
                                  .list = &pool->full,
                                  .guard = &pool->guard,
                                  .cancellable = true };
        err = hkti_wait(&wait);
        if (err < 0)
            return err;
        hkti_guard_acquire(&pool->guard);
    }
}

/* The first worker is started before the job is taken, so that a job taken will be run. With the
 * guard, which it gives back: the pool may be another after it. */
static int begin_pool(struct hkti_pool *pool)
{
    struct hkti_call call = hkti_pool_choose(pool);
    hkti_guard_release(&pool->guard);
    int err = call.start ? start_worker(call.start) : 0;
    if (err < 0)
        not_started(pool, err);
    return err;
}

/* Who was called since there is room does not take it: the next one is. */
static void pass_on(struct hkti_pool *pool)
{
    struct hkti_strand *next = NULL;
    hkti_guard_acquire(&pool->guard);
    if (pool->pending < pool->max_pending)
        next = hkti_wait_list_pop(&pool->full);
    hkti_guard_release(&pool->guard);
    if (next)
        hkti_wake(next);
}

static int submit_to_queue(struct hkti_pool *pool, hkt_future *future, bool inside)
{
    int err;
    while ((err = await_room(pool, inside)) == 0 && pool->started == 0)
        if ((err = begin_pool(pool)) < 0)
            break;
    if (err < 0) {
        pass_on(pool);
        return err;
    }
    err = hkti_jobs_put(&pool->queues[future->priority], future);
    struct hkti_call call = { NULL, NULL };
    if (err == 0) {
        hkti_store_seq_cst(&pool->pending, pool->pending + 1); /* pairs: idle */
        call = hkti_pool_choose(pool);
    }
    hkti_guard_release(&pool->guard);
    hkti_pool_call(pool, call);
    if (err < 0)
        pass_on(pool);
    return err;
}

static int submit(hkt_executor *executor, hkt_future *future, const hkt_submit_options *options)
{
    (void)options;
    struct hkti_pool *pool = (struct hkti_pool *)executor;
    struct hkti_worker *worker = hkti_worker_self();
    bool inside = worker && worker->pool == pool;
    if (inside && future->priority == HKT_PRIORITY_NORMAL && hkti_ring_put(&worker->ring, future)) {
        hkti_pool_notify(pool);
        return 0;
    }
    return submit_to_queue(pool, future, inside);
}

size_t hkti_pool_take(struct hkti_pool *pool, hkt_future **futures, size_t n, hkt_priority first)
{
    const hkt_priority order[] = { first, HKT_PRIORITY_HIGH, HKT_PRIORITY_NORMAL,
                                   HKT_PRIORITY_BACKGROUND };
    struct hkti_wait_list taken = { { NULL, NULL } };
    size_t count = 0;
    hkti_guard_acquire(&pool->guard);
    for (int i = 0; i < 4 && count == 0; i++)
        count = hkti_jobs_take(&pool->queues[order[i]], futures, n);
    size_t left = pool->pending - count;
    hkti_store_relaxed(&pool->pending, left);
    if (left < pool->max_pending)
        hkti_wait_list_take(&pool->full, pool->max_pending - left, 0, &taken);
    hkti_guard_release(&pool->guard);
    hkti_wake_all(&taken);
    return count;
}

static void drop(hkt_future *future, int err)
{
    if (err == 0)
        hkt_future_cancel(future);
    if (hkti_future_claim(future, true))
        hkti_future_fail(future, err);
}

void hkti_pool_drop_jobs(struct hkti_pool *pool, int err)
{
    hkt_future *future;
    while (hkti_pool_take(pool, &future, 1, HKT_PRIORITY_HIGH) == 1)
        drop(future, err);
    uint32_t started = hkti_load_acquire(&pool->started); /* pairs: idle */
    for (uint32_t i = 0; i < started; i++)
        while ((future = hkti_ring_take(&pool->workers[i]->ring)) != NULL)
            drop(future, err);
}

static void close(hkt_executor *executor, bool cancel_futures)
{
    struct hkti_pool *pool = (struct hkti_pool *)executor;
    struct hkti_wait_list idle = { { NULL, NULL } }, full = { { NULL, NULL } };
    hkti_guard_acquire(&pool->guard);
    hkti_store_seq_cst(&pool->closed, 1); /* pairs: idle */
    hkti_wait_list_take(&pool->idle, SIZE_MAX, 0, &idle);
    hkti_store_relaxed(&pool->idle_count, 0);
    pool->quiet = 0;
    hkti_wait_list_take(&pool->full, SIZE_MAX, 0, &full);
    bool ended = pool->alive == 0;
    if (ended)
        hkti_store_seq_cst(&pool->over, 1); /* pairs: idle */
    hkti_guard_release(&pool->guard);
    hkti_wake_all(&idle);
    hkti_wake_all(&full);
    if (cancel_futures)
        hkti_pool_drop_jobs(pool, 0);
    if (ended)
        hkt_event_set(&pool->ended);
}

static int await(hkt_executor *executor, hkt_deadline deadline)
{
    struct hkti_pool *pool = (struct hkti_pool *)executor;
    struct hkti_worker *worker = hkti_worker_self();
    if (worker && worker->pool == pool)
        return -EDEADLK;
    return hkti_event_wait_as(&pool->ended, deadline, "the end of pool", pool);
}

void hkti_pool_release(struct hkti_pool *pool)
{
    hkti_exit_remove(&pool->exit);
    for (unsigned i = 0; pool->workers && i < pool->executor.max_workers && pool->workers[i]; i++) {
        hkt_thread_destroy(pool->workers[i]->thread);
        hkti_release_lines(pool->workers[i], sizeof(struct hkti_worker));
    }
    for (int i = 0; i < HKTI_QUEUES; i++)
        hkti_jobs_end(&pool->queues[i]);
    hkti_forks_end(&pool->forks);
    hkti_release(pool->workers, pool->executor.max_workers * sizeof *pool->workers);
    hkti_release_lines(pool, sizeof *pool);
}

static void destroy(hkt_executor *executor)
{
    struct hkti_pool *pool = (struct hkti_pool *)executor;
    hkti_guard_acquire(&pool->guard);
    pool->detached = pool->alive > 0;
    bool detached = pool->detached;
    hkti_guard_release(&pool->guard);
    if (hkti_load_relaxed(&pool->forks.guests))
        hkti_misuse(
            "hkt_executor_destroy: a thread is in hkt_fork_run on pool \"%s\", or has left it "
            "by longjmp: it must return",
            pool->name);
    if (detached) {
        hkti_report_line("pool \"%s\" is destroyed, but has jobs that do not end: they are left to "
                         "themselves",
                         pool->name);
        return;
    }
    hkt_scope scope;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .shield = true });
    for (unsigned i = 0; i < pool->started; i++)
        hkt_thread_join(pool->workers[i]->thread);
    hkt_scope_leave(&scope);
    hkti_pool_release(pool);
}

static const struct hkti_executor_ops ops = {
    .submit = submit, .close = close, .await = await, .destroy = destroy
};

struct hkti_pool *hkti_pool_of(hkt_executor *executor)
{
    return executor->ops == &ops ? (struct hkti_pool *)executor : NULL;
}

static int make_workers(struct hkti_pool *pool)
{
    pool->workers = hkti_allocate(pool->executor.max_workers * sizeof *pool->workers);
    if (pool->workers == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < pool->executor.max_workers; i++) {
        pool->workers[i] = make_worker(pool, i);
        if (pool->workers[i] == NULL)
            return -ENOMEM;
    }
    return 0;
}

int hkt_thread_pool_create(hkt_executor **executor, const hkt_thread_pool_options *options)
{
    hkt_thread_pool_options chosen = options ? *options : (hkt_thread_pool_options){ 0 };
    if (chosen.max_workers > MAX_WORKERS || chosen.stack_size > STACK_MAX ||
        (chosen.stack_size && chosen.stack_size < STACK_MIN))
        return -EINVAL;
    struct hkti_pool *pool = hkti_allocate_lines(sizeof *pool);
    if (pool == NULL)
        return -ENOMEM;
    pool->executor.ops = &ops;
    pool->executor.max_workers = chosen.max_workers ? chosen.max_workers : hkti_os_cpu_count();
    pool->initializer = chosen.initializer;
    pool->initializer_arg = chosen.initializer_arg;
    pool->stack_size = chosen.stack_size ? chosen.stack_size : STACK_SIZE;
    pool->max_pending = chosen.max_pending ? chosen.max_pending : MAX_PENDING;
    pool->no_foreign_work = chosen.no_foreign_work;
    pool->exit = (struct hkti_exit_entry){ .daemon = chosen.daemon,
                                           .executor = &pool->executor,
                                           .name = pool->name };
    snprintf(pool->name, sizeof pool->name, "%s", chosen.name ? chosen.name : "pool");
    int err = make_workers(pool);
    if (err < 0) {
        hkti_pool_release(pool);
        return err;
    }
    hkti_exit_add(&pool->exit);
    *executor = &pool->executor;
    return 0;
}
