/* SPDX-License-Identifier: MIT */
/* The coroutine engine: loops on threads of their own, and how many jobs may run in them.
 *
 * A job is queued; or handed to a loop, and counts as `running` from then until it ends, but for
 * the time that it waits for jobs, so that jobs that wait for jobs always go on; when it has
 * waited it counts again, even beyond the limit. Whoever makes room hands the next one over.
 * `out` are all that have not ended: with none left after a close it is over, and who finds that
 * out sets `ended`, as his last touch. If it was destroyed before, he stops the loops instead,
 * and the last thread gives it back.
 *
 * Who may touch what: all that changes under the guard; under it no other. */
#include <errno.h>
#include <hocket/coroutine_pool.h>
#include <hocket/event.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "exec/jobs.h"
#include "loop/loop.h"
#include "sync/event.h"

#define MAX_TASKS 1024
#define MAX_LOOPS 1024
#define MAX_PENDING 1000000
#define PRIORITIES 3

struct pool;

struct place {
    struct pool *pool;
    hkt_thread *thread;
    hkt_loop *loop;
    int err; /* of its making */
    hkt_event made;
};

struct pool {
    hkt_executor executor;
    uint32_t guard;
    bool closed;
    bool detached;  /* destroyed before its end */
    unsigned alive; /* threads whose loop is there */
    unsigned next;  /* the loop whose turn it is */
    size_t running, out, pending, max_pending;
    struct hkti_jobs queues[PRIORITIES];
    struct hkti_wait_list full;
    hkt_event ended;
    size_t stack_size;
    double grace;
    char name[HKT_NAME_MAX];
    unsigned count;
    struct place places[];
};

static struct pool *pool_of(hkt_executor *executor)
{
    return (struct pool *)executor;
}

/* The one that the caller runs in, if it is one of these; else the next in turn. */
static hkt_loop *choose(struct pool *pool, unsigned turn)
{
    hkt_loop *own = hkt_loop_running();
    for (unsigned i = 0; own && i < pool->count; i++)
        if (pool->places[i].loop == own)
            return own;
    return pool->places[turn % pool->count].loop;
}

/* Under the guard: those that may run now, at the most n, counted. */
static size_t take(struct pool *pool, hkt_future **futures, size_t n)
{
    static const hkt_priority order[] = { HKT_PRIORITY_HIGH, HKT_PRIORITY_NORMAL,
                                          HKT_PRIORITY_BACKGROUND };
    size_t room = pool->running < pool->executor.max_workers
                      ? pool->executor.max_workers - pool->running
                      : 0;
    size_t count = 0;
    n = n < room ? n : room;
    for (int i = 0; i < PRIORITIES && count < n; i++)
        count += hkti_jobs_take(&pool->queues[order[i]], futures + count, n - count);
    pool->pending -= count;
    pool->running += count;
    return count;
}

/* Under the guard: closed, and all have ended. */
static bool is_over(const struct pool *pool)
{
    return pool->closed && pool->out == 0;
}

/* By one of its loops' threads, or when all others have left it alone. */
static void stop(struct pool *pool)
{
    for (unsigned i = 0; i < pool->count; i++)
        if (pool->places[i].loop)
            hkt_loop_stop(pool->places[i].loop);
}

#define BATCH 16

/* With the guard, which it releases: hands over what may run, and wakes who waits for room. The
 * pool may be gone after it if nothing is out. `eager`: the one that the caller hands in right
 * now, which may begin at once; who calls this for another reason may be about to wait. */
static void go_on(struct pool *pool, const hkt_future *eager)
{
    hkt_future *futures[BATCH];
    size_t count;
    do {
        struct hkti_wait_list wake = { { NULL, NULL } };
        count = take(pool, futures, BATCH);
        unsigned turn = pool->next;
        pool->next += (unsigned)count;
        if (pool->pending < pool->max_pending)
            hkti_wait_list_take(&pool->full, pool->max_pending - pool->pending, 0, &wake);
        bool ended = is_over(pool), detached = pool->detached;
        hkti_guard_release(&pool->guard);
        hkti_wake_all(&wake);
        for (size_t i = 0; i < count; i++) /* its loop is open as long as something is out */
            (void)hkti_loop_submit(choose(pool, turn + (unsigned)i), futures[i],
                                   futures[i] == eager);
        if (ended && detached)
            stop(pool);
        else if (ended)
            hkt_event_set(&pool->ended);
        if (count == BATCH)
            hkti_guard_acquire(&pool->guard);
    } while (count == BATCH);
}

/* Room for one more, or why not. On success with the guard. */
static int await_room(struct pool *pool, bool inside)
{
    hkti_guard_acquire(&pool->guard);
    for (;;) {
        int err = pool->closed && !inside ? -ESHUTDOWN : 0;
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

static int submit(hkt_executor *executor, hkt_future *future, const hkt_submit_options *options)
{
    (void)options;
    struct pool *pool = pool_of(executor);
    int err = await_room(pool, hkti_is_inside(executor));
    if (err < 0)
        return err;
    err = hkti_jobs_put(&pool->queues[future->priority], future);
    if (err == 0) {
        pool->pending++;
        pool->out++;
    }
    go_on(pool, future);
    return err;
}

static void ran(hkt_executor *executor)
{
    struct pool *pool = pool_of(executor);
    hkti_guard_acquire(&pool->guard);
    pool->running--;
    pool->out--;
    go_on(pool, NULL);
}

static void waits(hkt_executor *executor, bool begins)
{
    struct pool *pool = pool_of(executor);
    hkti_guard_acquire(&pool->guard);
    pool->running += begins ? (size_t)-1 : 1;
    go_on(pool, NULL);
}

/* Takes all out that are queued, cancelled. */
static void cancel_queued(struct pool *pool)
{
    hkt_future *future;
    for (int i = 0; i < PRIORITIES;) {
        hkti_guard_acquire(&pool->guard);
        bool some = hkti_jobs_take(&pool->queues[i], &future, 1) == 1;
        pool->pending -= some;
        hkti_guard_release(&pool->guard);
        if (!some) {
            i++;
            continue;
        }
        (void)hkt_future_cancel(future);
        if (hkti_future_claim(future, true))
            hkti_future_fail(future, -ECANCELED);
        hkti_guard_acquire(&pool->guard);
        pool->out--;
        go_on(pool, NULL);
    }
}

static void close(hkt_executor *executor, bool cancel_futures)
{
    struct pool *pool = pool_of(executor);
    struct hkti_wait_list full = { { NULL, NULL } };
    hkti_guard_acquire(&pool->guard);
    pool->closed = true;
    pool->out++; /* it does not end meanwhile */
    hkti_wait_list_take(&pool->full, SIZE_MAX, 0, &full);
    hkti_guard_release(&pool->guard);
    hkti_wake_all(&full);
    if (cancel_futures)
        cancel_queued(pool);
    hkti_guard_acquire(&pool->guard);
    pool->out--;
    go_on(pool, NULL);
}

static int await(hkt_executor *executor, hkt_deadline deadline)
{
    struct pool *pool = pool_of(executor);
    if (hkti_is_inside(executor))
        return -EDEADLK;
    return hkti_event_wait_as(&pool->ended, deadline, "the end of pool", pool);
}

static void release(struct pool *pool)
{
    for (int i = 0; i < PRIORITIES; i++)
        hkti_jobs_end(&pool->queues[i]);
    hkti_release(pool, sizeof *pool + pool->count * sizeof *pool->places);
}

/* Its threads end, and it is given back. */
static void end(struct pool *pool)
{
    hkt_scope scope;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .shield = true });
    stop(pool);
    for (unsigned i = 0; i < pool->count; i++) {
        if (pool->places[i].thread)
            hkt_thread_join(pool->places[i].thread);
        hkt_thread_destroy(pool->places[i].thread);
    }
    hkt_scope_leave(&scope);
    release(pool);
}

static void destroy(hkt_executor *executor)
{
    struct pool *pool = pool_of(executor);
    char name[HKT_NAME_MAX];
    memcpy(name, pool->name, sizeof name);
    hkti_guard_acquire(&pool->guard);
    bool over = is_over(pool);
    for (unsigned i = 0; !over && i < pool->count; i++)
        hkt_thread_destroy(pool->places[i].thread);
    pool->detached = !over;
    hkti_guard_release(&pool->guard);
    if (!over) {
        hkti_report_line("pool \"%s\" is destroyed, but has jobs that do not end: they are left to "
                         "themselves",
                         name);
        return;
    }
    hkt_scope scope;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .shield = true });
    (void)hkt_event_wait(&pool->ended); /* who found that it is over is about to say so */
    hkt_scope_leave(&scope);
    end(pool);
}

static const struct hkti_executor_ops ops = {
    .submit = submit, .close = close, .await = await, .destroy = destroy, .ran = ran, .waits = waits
};

static int serve(void *arg)
{
    struct place *place = arg;
    hkt_loop_options options = { .name = place->pool->name,
                                 .stack_size = place->pool->stack_size,
                                 .grace = place->pool->grace };
    hkt_loop *loop = NULL;
    place->err = hkt_loop_create(&loop, &options);
    place->loop = loop;
    hkti_guard_acquire(&place->pool->guard);
    place->pool->alive += loop != NULL;
    hkti_guard_release(&place->pool->guard);
    hkt_event_set(&place->made);
    if (loop == NULL)
        return 0;
    int err = hkt_loop_run_forever(loop);
    struct pool *pool = place->pool;
    hkt_loop_destroy(loop);
    hkti_guard_acquire(&pool->guard);
    bool last = --pool->alive == 0 && pool->detached;
    hkti_guard_release(&pool->guard);
    if (last)
        release(pool);
    return err;
}

static int start(struct pool *pool, unsigned index)
{
    struct place *place = &pool->places[index];
    char name[HKT_NAME_MAX + 12];
    snprintf(name, sizeof name, "%s-%u", pool->name, index + 1);
    hkt_thread_options options = { .name = name, .daemon = HKT_DAEMON_YES };
    place->pool = pool;
    int err = hkt_thread_spawn(&place->thread, serve, place, &options);
    if (err < 0)
        return err;
    hkt_scope scope;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .shield = true });
    (void)hkt_event_wait(&place->made);
    hkt_scope_leave(&scope);
    return place->err;
}

int hkt_coroutine_pool_create(hkt_executor **executor, const hkt_coroutine_pool_options *options)
{
    hkt_coroutine_pool_options chosen = options ? *options : (hkt_coroutine_pool_options){ 0 };
    unsigned count = chosen.loops ? chosen.loops : 1;
    if (count > MAX_LOOPS)
        return -EINVAL;
    struct pool *pool = hkti_allocate(sizeof *pool + count * sizeof *pool->places);
    if (pool == NULL)
        return -ENOMEM;
    pool->executor.ops = &ops;
    pool->executor.tasks = true;
    pool->executor.max_workers = chosen.max_tasks ? chosen.max_tasks : MAX_TASKS;
    pool->max_pending = chosen.max_pending ? chosen.max_pending : MAX_PENDING;
    pool->stack_size = chosen.stack_size;
    pool->grace = chosen.grace;
    pool->count = count;
    snprintf(pool->name, sizeof pool->name, "%s", chosen.name ? chosen.name : "coroutines");
    int err = 0;
    for (unsigned i = 0; err == 0 && i < count; i++)
        err = start(pool, i);
    if (err < 0) {
        end(pool);
        return err;
    }
    *executor = &pool->executor;
    return 0;
}
