/* SPDX-License-Identifier: MIT */
/* Taking jobs of a process pool back, and ending those that run. What has not begun is recalled from
 * the board at once, by anybody; one that runs is flagged, and the watcher tells its worker, and when
 * the grace is over condemns the block and kills the worker.
 *
 * Who is asked about a future (recall, began) has it BUSY, so its parcel is there, or is taken from it
 * under the guard. */
#include <errno.h>

#include "base/seconds.h"
#include "os/os.h"
#include "proc/process_map.h"

/* When a flagged job that is just between list and block is looked at again. */
#define SOON HKTI_MILLISECOND

/* Under the guard; who concludes the parcel's job meanwhile reads them without it. */
static void raise_flag(struct hkti_parcel *parcel, unsigned flag)
{
    hkti_store_relaxed(&parcel->flags, (uint8_t)(parcel->flags | flag));
}

static unsigned step_of(struct hkti_process_pool *pool, const struct hkti_parcel *parcel)
{
    return hkti_block_step(hkti_load_relaxed(&pool->board->blocks[parcel->block].state));
}

int hkti_process_pool_recall(hkt_executor *executor, hkt_future *future, void **taken)
{
    struct hkti_process_pool *pool = (struct hkti_process_pool *)executor;
    int err = -EAGAIN;
    hkti_guard_acquire(&pool->guard);
    struct hkti_parcel *parcel = future->parcel;
    if (parcel && parcel->flags & HKTI_PARCEL_PARKED) {
        parcel->future = NULL; /* the list keeps it */
        err = 0;
    } else if (parcel && parcel->block != HKTI_NO_BLOCK) {
        err = -EBUSY;
        if (hkti_board_recall(pool->board, parcel->block)) {
            hkti_process_pool_free(pool, parcel->block);
            *taken = parcel;
            err = 0;
        }
    }
    if (err == 0) {
        future->parcel = NULL;
        hkti_process_pool_hold(pool);
    }
    hkti_guard_release(&pool->guard);
    return err;
}

void hkti_process_pool_recalled(hkt_executor *executor, void *parcel)
{
    struct hkti_process_pool *pool = (struct hkti_process_pool *)executor;
    hkti_guard_acquire(&pool->guard);
    if (parcel) {
        hkti_parcel_release(pool, parcel);
        hkti_process_pool_count_down(pool);
    }
    hkti_process_pool_refill(pool);
    hkti_process_pool_drop(pool);
}

bool hkti_process_pool_began(hkt_executor *executor, hkt_future *future)
{
    struct hkti_process_pool *pool = (struct hkti_process_pool *)executor;
    hkti_guard_acquire(&pool->guard);
    const struct hkti_parcel *parcel = future->parcel;
    bool began = parcel && parcel->block != HKTI_NO_BLOCK &&
                 step_of(pool, parcel) != HKTI_BLOCK_READY;
    hkti_guard_release(&pool->guard);
    return began;
}

void hkti_process_pool_flag(struct hkti_process_pool *pool, struct hkti_parcel *parcel)
{
    raise_flag(parcel, HKTI_PARCEL_CANCEL);
    pool->look_at_flags = true;
    hkti_process_pool_attend_to(pool);
}

void hkti_process_pool_request(hkt_executor *executor, hkt_future *future)
{
    struct hkti_process_pool *pool = (struct hkti_process_pool *)executor;
    hkti_guard_acquire(&pool->guard);
    if (future->parcel)
        hkti_process_pool_flag(pool, future->parcel);
    hkti_guard_release(&pool->guard);
}

/* Under the guard, which is free meanwhile: the job of a block that was just recalled ends so. */
static void conclude(struct hkti_process_pool *pool, unsigned block,
                     const struct hkti_outcome *outcome)
{
    struct hkti_parcel *parcel = pool->parcels[block];
    if (parcel->future)
        parcel->future->parcel = NULL;
    hkti_guard_release(&pool->guard);
    hkti_process_pool_conclude(pool, block, outcome);
    hkti_guard_acquire(&pool->guard);
    hkti_process_pool_free(pool, block);
    hkti_parcel_release(pool, parcel);
    hkti_process_pool_count_down(pool);
}

void hkti_process_pool_end_pending(struct hkti_process_pool *pool,
                                   const struct hkti_outcome *outcome)
{
    static const struct hkti_outcome cancelled = { .result = -ECANCELED, .recalled = true };
    hkti_guard_acquire(&pool->guard);
    if (outcome)
        pool->end_with = *outcome;
    pool->ending = outcome != NULL;
    for (unsigned i = 0; i < HKTI_BLOCKS; i++)
        if (pool->parcels[i] && hkti_board_recall(pool->board, i))
            conclude(pool, i, outcome ? outcome : &cancelled);
    hkti_process_pool_refill(pool);
    hkti_guard_acquire(&pool->guard);
    pool->ending = false;
    hkti_guard_release(&pool->guard);
}

/* Under the guard: the worker ends the scope of the job, and has the grace to return. */
static void tell(struct hkti_process_pool *pool, struct hkti_parcel *parcel, int64_t now)
{
    struct hkti_block *block = &pool->board->blocks[parcel->block];
    uint64_t state = hkti_load_relaxed(&block->state);
    unsigned worker = hkti_block_worker(state);
    if (hkti_block_step(state) != HKTI_BLOCK_TAKEN || worker >= HKTI_BOARD_PLACES)
        return;
    if (parcel->timer == NULL && (parcel->timer = hkti_line_allocate()) != NULL)
        *parcel->timer = (struct hkti_parcel_timer){ .parcel = parcel };
    if (parcel->timer == NULL) {
        pool->look_at_flags = true; /* no memory now */
        return;
    }
    if (hkti_timer_is_set(&parcel->timer->timer))
        hkti_timers_remove(&pool->timers, &parcel->timer->timer);
    int64_t end = hkti_deadline_after(now, pool->grace);
    if (pool->grace >= 0 && end > 0)
        hkti_timers_add(&pool->timers, &parcel->timer->timer, end);
    raise_flag(parcel, HKTI_PARCEL_TOLD);
    hkti_store_release(&block->cancel, hkti_block_generation(state)); /* pairs: told */
    hkti_fetch_add_seq_cst(&pool->board->workers[worker].control, 1); /* pairs: told */
    hkti_os_shared_futex_wake(&pool->board->workers[worker].control, 1);
}

/* Is it to be cancelled, and does nobody know? */
static bool is_flagged(const struct hkti_parcel *parcel)
{
    return parcel && parcel->flags & HKTI_PARCEL_CANCEL && !(parcel->flags & HKTI_PARCEL_TOLD);
}

/* Those that have not begun first: a worker that is told is soon free, and would begin one of them. */
void hkti_process_pool_look_at_flags(struct hkti_process_pool *pool, int64_t now)
{
    static const struct hkti_outcome cancelled = { .result = -ECANCELED, .recalled = true };
    hkti_guard_acquire(&pool->guard);
    bool look = pool->look_at_flags;
    pool->look_at_flags = false;
    for (unsigned i = 0; look && i < HKTI_BLOCKS; i++)
        if (is_flagged(pool->parcels[i]) && hkti_board_recall(pool->board, i))
            conclude(pool, i, &cancelled);
    for (unsigned i = 0; look && i < HKTI_BLOCKS; i++)
        if (is_flagged(pool->parcels[i]))
            tell(pool, pool->parcels[i], now);
    if (look)
        hkti_process_pool_refill(pool);
    else
        hkti_guard_release(&pool->guard);
}

/* Under the guard, which is free meanwhile: a deadline has passed. */
static void time_out(struct hkti_process_pool *pool, struct hkti_parcel *parcel, int64_t now)
{
    static const struct hkti_outcome late = { .result = -ETIMEDOUT,
                                              .sentence = "the job's deadline passed before it "
                                                          "began" };
    hkt_future *future = parcel->future;
    raise_flag(parcel, HKTI_PARCEL_TIMED_OUT);
    if (parcel->flags & HKTI_PARCEL_PARKED) {
        parcel->future = NULL; /* the list keeps it */
        if (future)
            future->parcel = NULL;
        if (future == NULL ||
            (!(parcel->flags & HKTI_PARCEL_CLAIMED) && !hkti_future_claim(future, true)))
            return;
        hkti_guard_release(&pool->guard);
        hkti_future_settle(future, late.result, late.sentence);
        hkti_guard_acquire(&pool->guard);
    } else if (parcel->block == HKTI_NO_BLOCK) {
        hkti_timers_add(&pool->timers, &parcel->timer->timer, now + SOON);
    } else if (hkti_board_recall(pool->board, parcel->block)) {
        conclude(pool, parcel->block, &late);
    } else {
        tell(pool, parcel, now);
    }
}

int64_t hkti_process_pool_look_at_timers(struct hkti_process_pool *pool, int64_t now)
{
    struct hkti_timer *due;
    hkti_guard_acquire(&pool->guard);
    while ((due = hkti_timers_pop(&pool->timers, now)) != NULL) {
        struct hkti_parcel *parcel = HKTI_CONTAINER(due, struct hkti_parcel_timer, timer)->parcel;
        if (!(parcel->flags & HKTI_PARCEL_TOLD)) {
            time_out(pool, parcel, now);
            continue;
        }
        int worker = hkti_board_condemn(pool->board, parcel->block);
        if (worker < 0)
            continue; /* it has just ended */
        raise_flag(parcel, HKTI_PARCEL_KILLED);
        hkti_guard_release(&pool->guard);
        if (pool->places[worker].process)
            hkt_process_kill(pool->places[worker].process);
        hkti_guard_acquire(&pool->guard);
    }
    int64_t next = hkti_timers_first(&pool->timers);
    hkti_guard_release(&pool->guard);
    return next;
}
