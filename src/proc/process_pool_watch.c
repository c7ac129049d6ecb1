/* SPDX-License-Identifier: MIT */
/* The watcher of a process pool: one thread, which sleeps until something is to be seen to that nobody
 * else sees to, or a time has come.
 *
 * While jobs are out it looks again now and then, first after 10 ms, then ever more seldom, down to once
 * a second: whether a worker that was called has come, for it may have been stopped just then. When
 * none is out, and none was for a look, it sleeps for good (`watcher_sleeps` is 2), and who posts a job
 * rings.
 *
 * Under load it does not let itself be woken for each job that ends: who has found many at once naps,
 * and finds many more. Who waits for one of them does not wait for the watcher (exec/attend.h). */
#include <errno.h>
#include <string.h>

#include "base/seconds.h"
#include "os/os.h"
#include "proc/process_map.h"

#define FIRST_TICK (10 * HKTI_MILLISECOND)
#define LAST_TICK HKTI_SECOND
#define MANY 8          /* jobs that ended at once: it naps */
#define NAP (50 * 1000) /* nanoseconds */

struct watch {
    struct hkti_process_pool *pool;
    int64_t tick, tick_at; /* how long, and when it is over; 0: none */
    uint64_t posted;       /* as last seen */
    uint64_t heads;
    bool stalled; /* a tick has passed, jobs are ready, and none was begun */
};

void hkti_process_pool_attend_to(struct hkti_process_pool *pool)
{
    hkti_store_seq_cst(&pool->attention, 1); /* pairs: bells */
    hkti_board_ring_watcher(pool->board);
}

static uint64_t heads_of(struct hkti_board *board)
{
    uint64_t heads = 0;
    for (int i = 0; i < HKTI_BOARD_RINGS; i++)
        heads += hkti_load_relaxed(&board->rings[i].head);
    return heads;
}

static void look_at_ticks(struct watch *watch, int64_t now)
{
    struct hkti_process_pool *pool = watch->pool;
    hkti_guard_acquire(&pool->guard);
    size_t out = pool->out;
    uint64_t posted = pool->posted;
    hkti_guard_release(&pool->guard);
    watch->stalled = false;
    if (watch->tick_at && watch->tick_at > now)
        return;
    uint64_t heads = heads_of(pool->board);
    bool moved = heads != watch->heads || posted != watch->posted;
    if (watch->tick_at && !moved && hkti_board_ready(pool->board) > 0) {
        watch->stalled = true;
        hkti_board_call_again(pool->board);
    }
    watch->posted = posted;
    watch->heads = heads;
    if (moved || watch->tick_at == 0)
        watch->tick = FIRST_TICK;
    else if (watch->tick < LAST_TICK)
        watch->tick *= 2;
    watch->tick_at = out > 0 || moved ? now + watch->tick : 0;
}

/* Closed, and nothing is out: tells; and when no worker is left, true. */
static bool is_over(struct hkti_process_pool *pool, int64_t now)
{
    hkti_guard_acquire(&pool->guard);
    bool ended = pool->closed && pool->out == 0;
    hkti_guard_release(&pool->guard);
    if (!ended)
        return false;
    hkti_process_pool_send_away(pool, now);
    if (!hkt_event_is_set(&pool->ended))
        hkt_event_set(&pool->ended);
    for (int i = 0; i < HKTI_BOARD_PLACES; i++)
        if (pool->places[i].process)
            return false;
    return true;
}

static int64_t leave_time(const struct hkti_process_pool *pool)
{
    int64_t first = 0;
    unsigned places = hkti_load_relaxed(&pool->board->max_place);
    for (unsigned i = 0; i < places; i++)
        if (pool->places[i].process)
            first = hkti_earlier(first, pool->places[i].leave_by);
    return first;
}

/* Until it is rung, or `deadline`. */
static void sleep_until_rung(struct watch *watch, int64_t deadline)
{
    struct hkti_process_pool *pool = watch->pool;
    struct hkti_bells *bells = &pool->board->bells;
    uint32_t rings = hkti_load_seq_cst(&bells->watcher_rings); /* pairs: bells */
    bool for_good = watch->tick_at == 0;
    hkti_store_seq_cst(&bells->watcher_sleeps, for_good ? 2 : 1); /* pairs: bells */
    bool news = hkti_load_seq_cst(&pool->attention) ||            /* pairs: bells */
                (hkti_process_pool_has_ended_jobs(pool) &&
                 hkti_load_seq_cst(&bells->attending) == 0) || /* pairs: bells */
                (for_good && hkti_board_ready(pool->board) > 0);
    if (!news)
        (void)hkti_os_futex_wait_either(NULL, 0, &bells->watcher_rings, rings, deadline);
    hkti_store_seq_cst(&bells->watcher_sleeps, 0); /* pairs: bells */
}

int hkti_process_watcher_main(void *arg)
{
    struct watch watch = { .pool = arg };
    struct hkti_process_pool *pool = arg;
    for (;;) {
        hkti_exchange_seq_cst(&pool->attention, 0); /* pairs: bells */
        bool many = hkti_process_pool_drain(pool) >= MANY;
        int64_t now = hkti_os_now();
        hkti_process_pool_look_at_workers(pool, now);
        hkti_process_pool_look_at_flags(pool, now);
        look_at_ticks(&watch, now);
        int64_t next = hkti_process_pool_look_at_timers(pool, now);
        next = hkti_earlier(next, hkti_process_pool_start_workers(pool, now, watch.stalled));
        if (is_over(pool, now))
            break;
        next = hkti_earlier(hkti_earlier(next, watch.tick_at), leave_time(pool));
        if (many)
            (void)hkti_os_futex_wait_either(NULL, 0, &pool->board->bells.watcher_rings,
                                            hkti_load_relaxed(&pool->board->bells.watcher_rings),
                                            now + NAP);
        else
            sleep_until_rung(&watch, next);
    }
    hkti_process_pool_drop(pool);
    return 0;
}
