/* SPDX-License-Identifier: MIT */
/* The process pool: made, closed, given back. process_pool.h has its rules. */
#include "proc/process_pool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/seconds.h"
#include "proc/arena.h"
#include "proc/process_map.h"
#include "sync/event.h"
#include "thread/thread.h"

#define MAX_WORKERS 256
#define MAX_PENDING 1000000
#define RETRIES 3
#define GRACE 5.0
#define PATIENCE 1.0 /* at the end of the process */

int hkti_process_pool_check(const struct hkti_process_pool *pool)
{
    if (hkti_family_token() == pool->token)
        return 0;
    return hkt_fail(-EPERM,
                    "pool \"%s\" is of another process: one that is to run jobs, too, makes "
                    "a pool of its own",
                    pool->name);
}

static void release(struct hkti_process_pool *pool)
{
    if (pool->server)
        hkti_server_destroy(pool->server);
    if (pool->board && pool->board->initializer_arg)
        hkti_shared_release(pool->board->initializer_arg);
    if (pool->board)
        hkti_shared_release(pool->board);
    hkti_release_lines(pool, sizeof *pool);
}

void hkti_process_pool_hold(struct hkti_process_pool *pool)
{
    hkti_fetch_add_relaxed(&pool->users, 1);
}

void hkti_process_pool_drop(struct hkti_process_pool *pool)
{
    if (hkti_fetch_add_acq_rel(&pool->users, (uint32_t)-1) == 1) /* pairs: pool-users */
        release(pool);
}

static void close_pool(hkt_executor *executor, bool cancel_futures)
{
    struct hkti_process_pool *pool = (struct hkti_process_pool *)executor;
    struct hkti_wait_list wake = { { NULL, NULL } };
    if (hkti_process_pool_check(pool) < 0)
        return;
    hkti_guard_acquire(&pool->guard);
    pool->closed = true;
    pool->cancel_all |= cancel_futures;
    hkti_wait_list_take(&pool->full, SIZE_MAX, 0, &wake);
    hkti_guard_release(&pool->guard);
    hkti_wake_all(&wake);
    if (cancel_futures)
        hkti_process_pool_end_pending(pool, NULL);
    hkti_process_pool_attend_to(pool);
}

static int await(hkt_executor *executor, hkt_deadline deadline)
{
    struct hkti_process_pool *pool = (struct hkti_process_pool *)executor;
    int err = hkti_process_pool_check(pool);
    if (err < 0)
        return err;
    if (hkt_thread_current() == hkti_load_relaxed(&pool->watcher))
        return -EDEADLK; /* in a callback of one of its jobs */
    return hkti_event_wait_as(&pool->ended, deadline, "the end of pool", pool);
}

static void destroy(hkt_executor *executor)
{
    struct hkti_process_pool *pool = (struct hkti_process_pool *)executor;
    if (hkti_process_pool_check(pool) < 0) {
        hkti_report_line("hkt_executor_destroy: pool \"%s\" is of another process", pool->name);
        return;
    }
    hkti_exit_remove(&pool->exit);
    hkt_thread *watcher = pool->watcher;
    if (hkt_event_is_set(&pool->ended)) {
        hkt_scope scope;
        hkt_scope_enter(&scope, &(hkt_scope_options){ .shield = true });
        hkt_thread_join(watcher);
        hkt_scope_leave(&scope);
    } else {
        hkti_report_line("pool \"%s\" is destroyed, but has jobs that do not end: they are left to "
                         "themselves",
                         pool->name);
    }
    hkt_thread_destroy(watcher);
    hkti_process_pool_drop(pool);
}

static void hold(hkt_executor *executor)
{
    hkti_process_pool_hold((struct hkti_process_pool *)executor);
}

static void drop(hkt_executor *executor)
{
    hkti_process_pool_drop((struct hkti_process_pool *)executor);
}

static struct hkti_bells *bells_of(hkt_executor *executor)
{
    return &((struct hkti_process_pool *)executor)->board->bells;
}

static bool look(hkt_executor *executor)
{
    return hkti_process_pool_drain((struct hkti_process_pool *)executor) > 0;
}

static void attend(hkt_executor *executor)
{
    hkti_fetch_add_seq_cst(&bells_of(executor)->attending, 1); /* pairs: bells */
}

static void end_attending(hkt_executor *executor)
{
    hkti_fetch_add_seq_cst(&bells_of(executor)->attending, (uint32_t)-1); /* pairs: bells */
    look(executor);
}

static void sleeps(hkt_executor *executor, struct hkti_word_interest *word)
{
    struct hkti_bells *bells = bells_of(executor);
    word->value = hkti_load_seq_cst(&bells->rings); /* pairs: bells */
    word->word = &bells->rings;
    hkti_fetch_add_seq_cst(&bells->sleepers, 1); /* pairs: bells */
}

static void woke(hkt_executor *executor)
{
    hkti_fetch_add_seq_cst(&bells_of(executor)->sleepers, (uint32_t)-1); /* pairs: bells */
}

static const struct hkti_remote_ops remote = {
    .map = hkti_process_pool_map,
    .recall = hkti_process_pool_recall,
    .recalled = hkti_process_pool_recalled,
    .began = hkti_process_pool_began,
    .request = hkti_process_pool_request,
    .attend = { .hold = hold,
                .drop = drop,
                .begin = attend,
                .end = end_attending,
                .look = look,
                .sleeps = sleeps,
                .woke = woke },
};

static const struct hkti_executor_ops ops = { .submit = hkti_process_pool_submit,
                                              .close = close_pool,
                                              .await = await,
                                              .destroy = destroy,
                                              .remote = &remote };

struct hkti_process_pool *hkti_process_pool_of(hkt_executor *executor)
{
    return executor && executor->ops == &ops ? (struct hkti_process_pool *)executor : NULL;
}

static int make_board(struct hkti_process_pool *pool, const hkt_process_pool_options *options)
{
    int err = hkti_arena_open();
    if (err < 0)
        return err;
    struct hkti_board *board = hkti_shared_allocate(sizeof *board, true);
    pool->board = board;
    if (board == NULL)
        return hkt_fail(-ENOMEM, "no shared memory for a process pool");
    board->max_jobs = options->max_tasks_per_child;
    if (options->idle_timeout > 0)
        board->max_idle = options->idle_timeout < 1e9 ? (int64_t)(options->idle_timeout * 1e9) : 0;
    if (options->initializer == NULL)
        return 0;
    err = hkti_function_encode(options->initializer, &board->initializer);
    if (err < 0 || options->initializer_size == 0)
        return err;
    board->initializer_size = options->initializer_size;
    board->initializer_arg = hkti_shared_allocate(options->initializer_size, false);
    if (board->initializer_arg == NULL)
        return hkt_fail(-ENOMEM, "no shared memory for the argument of a pool's initializer");
    memcpy(board->initializer_arg, options->initializer_arg, options->initializer_size);
    return 0;
}

/* The process ends: no worker is to be started any more, and those that there are leave. */
static void finish(hkt_executor *executor, bool ended)
{
    struct hkti_process_pool *pool = (struct hkti_process_pool *)executor;
    if (!ended)
        hkt_process_pool_kill_workers(executor);
    hkt_thread *watcher = pool->watcher;
    if (hkt_thread_join_until(watcher, hkt_after(PATIENCE)) < 0) {
        hkti_store_relaxed(&pool->watcher, (hkt_thread *)NULL); /* nobody will join it */
        hkt_thread_destroy(watcher);
    }
}

static void set_options(struct hkti_process_pool *pool, const hkt_process_pool_options *options)
{
    pool->executor.ops = &ops;
    pool->executor.future_bits = HKTI_FUTURE_REMOTE;
    pool->executor.max_workers = options->max_workers ? options->max_workers
                                                      : hkt_process_cpu_count();
    if (pool->executor.max_workers > MAX_WORKERS)
        pool->executor.max_workers = MAX_WORKERS;
    pool->users = 1;
    pool->method = options->method;
    pool->on_lost_worker = options->on_lost_worker;
    pool->retries = options->retries ? options->retries : RETRIES;
    if (pool->retries > UINT16_MAX - 1)
        pool->retries = UINT16_MAX - 1;
    pool->grace = options->grace == 0 ? GRACE : options->grace;
    pool->max_pending = options->max_pending ? options->max_pending : MAX_PENDING;
    snprintf(pool->name, sizeof pool->name, "%s", options->name ? options->name : "worker");
    pool->exit = (struct hkti_exit_entry){
        .executor = &pool->executor, .daemon = options->daemon, .finish = finish, .name = pool->name
    };
    for (int i = 0; i < HKTI_BOARD_RINGS; i++)
        pool->parked[i].end = &pool->parked[i].first;
    pool->free_count = HKTI_BLOCKS;
    for (unsigned i = 0; i < HKTI_BLOCKS; i++)
        pool->free_blocks[i] = (uint16_t)(HKTI_BLOCKS - 1 - i);
}

/* The first worker, then the watcher, which is a thread: a copy of this process is made before. */
static int begin(struct hkti_process_pool *pool)
{
    char name[HKT_NAME_MAX + 16];
    int err = 0;
    snprintf(name, sizeof name, "%s-watcher", pool->name);
    hkt_thread_options options = { .name = name, .daemon = HKT_DAEMON_YES };
    hkt_start_method method = pool->method;
    if (method == HKT_START_DEFAULT)
        method = hkt_process_start_method();
    if (method == HKT_START_FORK)
        err = hkti_server_fork(&pool->server);
    if (err == 0)
        err = hkt_thread_create(&pool->watcher, hkti_process_watcher_main, pool, &options);
    if (err < 0)
        return err;
    err = hkti_process_pool_start_worker(pool);
    if (err == 0) {
        hkti_process_pool_hold(pool); /* by the watcher */
        err = hkt_thread_start(pool->watcher);
        if (err == 0)
            return 0;
        hkti_process_pool_drop(pool);
    }
    hkt_process *process = pool->places[0].process;
    hkt_thread_destroy(pool->watcher);
    if (process) { /* it is started, and nobody would watch it */
        hkt_scope scope;
        hkt_scope_enter(&scope, &(hkt_scope_options){ .shield = true });
        hkt_process_kill(process);
        hkt_process_join(process);
        while (!hkti_load_acquire(&pool->places[0].told)) /* pairs: gone */
            hkti_os_yield(0);
        hkt_scope_leave(&scope);
        hkt_process_destroy(process);
    }
    return err;
}

int hkt_process_pool_create(hkt_executor **executor, const hkt_process_pool_options *options)
{
    static uint32_t watched;
    hkt_process_pool_options chosen = options ? *options : (hkt_process_pool_options){ 0 };
    if (chosen.max_workers > MAX_WORKERS || chosen.method > HKT_START_FORK ||
        chosen.on_lost_worker > HKT_LOST_RETRY || chosen.grace != chosen.grace ||
        chosen.idle_timeout != chosen.idle_timeout ||
        (chosen.initializer_size && chosen.initializer_arg == NULL))
        return hkt_fail(-EINVAL,
                        "hkt_process_pool_create: more than %d workers, or an option that is "
                        "out of its range",
                        MAX_WORKERS);
    uint32_t token = hkti_family_token();
    struct hkti_process_pool *pool = token ? hkti_allocate_lines(sizeof *pool) : NULL;
    if (pool == NULL)
        return -ENOMEM;
    set_options(pool, &chosen);
    pool->token = token;
    int err = make_board(pool, &chosen);
    if (err == 0)
        err = begin(pool);
    if (err < 0) {
        hkti_process_pool_drop(pool);
        return err;
    }
    /* After what the process layer has registered, so that it is run before it. */
    if (hkti_cas_relaxed(&watched, 0, 1))
        (void)atexit(hkti_exit_run);
    hkti_exit_add(&pool->exit);
    *executor = &pool->executor;
    return 0;
}

static int end_workers(hkt_executor *executor, int signo)
{
    struct hkti_process_pool *pool = hkti_process_pool_of(executor);
    if (pool == NULL)
        return -EINVAL;
    int err = hkti_process_pool_check(pool);
    if (err < 0)
        return err;
    hkti_guard_acquire(&pool->guard);
    pool->terminated = pool->signal = signo;
    hkti_guard_release(&pool->guard);
    close_pool(executor, true); /* and so the watcher is rung */
    return 0;
}

int hkt_process_pool_terminate_workers(hkt_executor *executor)
{
    return end_workers(executor, SIGTERM);
}

int hkt_process_pool_kill_workers(hkt_executor *executor)
{
    return end_workers(executor, SIGKILL);
}

void hkt_process_pool_look(hkt_executor *executor, hkt_process_pool_state *state)
{
    struct hkti_process_pool *pool = hkti_process_pool_of(executor);
    *state = (hkt_process_pool_state){ 0 };
    if (pool == NULL)
        return;
    hkti_guard_acquire(&pool->guard);
    for (int i = 0; i < HKTI_BOARD_PLACES; i++) {
        uint32_t worker = hkti_load_relaxed(&pool->board->states[i]);
        state->workers += pool->places[i].process != NULL;
        state->idle += worker == HKTI_WORKER_SEEKING || worker == HKTI_WORKER_ASLEEP;
    }
    for (int i = 0; i < HKTI_BLOCKS; i++) {
        unsigned step = hkti_block_step(hkti_load_relaxed(&pool->board->blocks[i].state));
        state->pending += step == HKTI_BLOCK_READY;
        state->running += step == HKTI_BLOCK_TAKEN;
    }
    state->pending += pool->parked_count;
    state->ended = pool->ended_jobs;
    state->lost = pool->lost_jobs;
    state->started = pool->started;
    hkti_guard_release(&pool->guard);
}

size_t hkt_process_pool_pids(hkt_executor *executor, int pids[], size_t room)
{
    struct hkti_process_pool *pool = hkti_process_pool_of(executor);
    size_t count = 0;
    if (pool == NULL)
        return 0;
    hkti_guard_acquire(&pool->guard);
    for (int i = 0; i < HKTI_BOARD_PLACES; i++)
        if (pool->places[i].process) {
            if (count < room)
                pids[count] = hkt_process_pid(pool->places[i].process);
            count++;
        }
    hkti_guard_release(&pool->guard);
    return count;
}
