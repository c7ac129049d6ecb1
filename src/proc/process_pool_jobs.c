/* SPDX-License-Identifier: MIT */
/* Jobs of a process pool on their way: handed in, parked, posted, and taken off the board again.
 * process_pool.h has who may touch what. */
#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "exec/member.h"
#include "proc/arena.h"
#include "proc/process_map.h"
#include "proc/process_pool_argument.h"

/* So much of the arena is for arguments on their way; one may be larger. */
#define BYTES_MAX ((size_t)64 << 20)
#define BACKGROUND_TURN 32 /* one block in so many is for the background, if that waits */

struct hkti_parcel *hkti_parcel_make(hkt_future *future, void *arg, size_t size, int64_t deadline)
{
    struct hkti_parcel *parcel = hkti_line_allocate();
    struct hkti_parcel_timer *timer = parcel && deadline ? hkti_line_allocate() : NULL;
    if (parcel == NULL || (deadline && timer == NULL)) {
        if (parcel)
            hkti_line_release(parcel);
        return NULL;
    }
    *parcel = (struct hkti_parcel){
        .future = future, .arg = arg, .size = size, .timer = timer, .block = HKTI_NO_BLOCK
    };
    if (timer)
        *timer = (struct hkti_parcel_timer){ .parcel = parcel, .deadline = deadline };
    return parcel;
}

void hkti_parcel_release(struct hkti_process_pool *pool, struct hkti_parcel *parcel)
{
    if (parcel->timer) {
        if (hkti_timer_is_set(&parcel->timer->timer))
            hkti_timers_remove(&pool->timers, &parcel->timer->timer);
        hkti_line_release(parcel->timer);
    }
    if (parcel->memory) {
        pool->bytes -= parcel->size;
        hkti_shared_release(parcel->memory);
    }
    hkti_line_release(parcel);
}

void hkti_process_pool_count_down(struct hkti_process_pool *pool)
{
    pool->ended_jobs++;
    if (--pool->out == 0 && pool->closed)
        hkti_process_pool_attend_to(pool);
}

static void park(struct hkti_process_pool *pool, struct hkti_parcel *parcel)
{
    parcel->next = NULL;
    parcel->flags |= HKTI_PARCEL_PARKED;
    *pool->parked[parcel->priority].end = parcel;
    pool->parked[parcel->priority].end = &parcel->next;
    pool->parked_count++;
}

void hkti_process_pool_repark(struct hkti_process_pool *pool, struct hkti_parcel *parcel)
{
    parcel->block = HKTI_NO_BLOCK;
    parcel->flags |= HKTI_PARCEL_PARKED;
    parcel->next = pool->parked[parcel->priority].first;
    if (parcel->next == NULL)
        pool->parked[parcel->priority].end = &parcel->next;
    pool->parked[parcel->priority].first = parcel;
    pool->parked_count++;
}

static struct hkti_parcel *unpark(struct hkti_process_pool *pool)
{
    bool background = pool->posted % BACKGROUND_TURN == 0;
    const hkt_priority order[] = { background ? HKT_PRIORITY_BACKGROUND : HKT_PRIORITY_HIGH,
                                   HKT_PRIORITY_HIGH, HKT_PRIORITY_NORMAL,
                                   HKT_PRIORITY_BACKGROUND };
    for (int i = 0; i < HKTI_BOARD_RINGS + 1; i++) {
        struct hkti_parcel *parcel = pool->parked[order[i]].first;
        if (parcel == NULL)
            continue;
        pool->parked[order[i]].first = parcel->next;
        if (parcel->next == NULL)
            pool->parked[order[i]].end = &pool->parked[order[i]].first;
        parcel->flags &= (uint8_t)~HKTI_PARCEL_PARKED;
        pool->parked_count--;
        return parcel;
    }
    return NULL;
}

/* It ends here, without having been begun. With the guard, which is free meanwhile. */
static void drop(struct hkti_process_pool *pool, struct hkti_parcel *parcel,
                 const struct hkti_outcome *outcome)
{
    hkt_future *future = parcel->future;
    if (future)
        future->parcel = NULL;
    hkti_guard_release(&pool->guard);
    if (parcel->flags & HKTI_PARCEL_PART)
        hkti_map_part_ended(pool, parcel, outcome);
    else if (future && outcome->recalled)
        hkti_future_recalled(future);
    else if (future)
        hkti_future_settle(future, outcome->result, outcome->sentence);
    hkti_guard_acquire(&pool->guard);
    hkti_parcel_release(pool, parcel);
    hkti_process_pool_count_down(pool);
}

/* A parcel just unparked: may it be posted? Else it has ended. */
static bool claim(struct hkti_process_pool *pool, struct hkti_parcel *parcel)
{
    struct hkti_outcome outcome = { .result = -ECANCELED, .recalled = true };
    hkt_future *future = parcel->future;
    bool part = parcel->flags & HKTI_PARCEL_PART;
    if (!part && future && !(parcel->flags & HKTI_PARCEL_CLAIMED)) {
        if (pool->cancel_all)
            parcel->flags |= HKTI_PARCEL_CANCEL;
        future->parcel = NULL; /* it may be gone */
        if (!hkti_future_claim(future, true))
            parcel->future = future = NULL;
        else
            future->parcel = parcel;
        parcel->flags |= HKTI_PARCEL_CLAIMED;
    }
    if (!part && future == NULL)
        outcome.recalled = false;
    else if (pool->ending)
        outcome = pool->end_with;
    else if (pool->broken)
        outcome = (struct hkti_outcome){ pool->broken, pool->broken_sentence, false, false };
    else if (!(parcel->flags & HKTI_PARCEL_CANCEL) && !pool->cancel_all)
        return true;
    drop(pool, parcel, &outcome);
    return false;
}

/* What the block has no room for is copied without the guard. False: not now, or never. */
static bool copy_out(struct hkti_process_pool *pool, struct hkti_parcel *parcel)
{
    if (parcel->size <= HKTI_BLOCK_BYTES || parcel->memory)
        return true;
    if (pool->bytes > 0 && pool->bytes + parcel->size > BYTES_MAX) {
        hkti_process_pool_repark(pool, parcel);
        return false;
    }
    pool->bytes += parcel->size;
    hkti_guard_release(&pool->guard);
    void *memory = hkti_shared_allocate(parcel->size, false);
    if (memory)
        memcpy(memory, parcel->arg, parcel->size);
    hkti_guard_acquire(&pool->guard);
    parcel->memory = memory;
    if (memory)
        return true;
    pool->bytes -= parcel->size;
    struct hkti_outcome outcome = { .result = -ENOMEM,
                                    .sentence = "no shared memory for the job's argument" };
    if (pool->bytes > 0)
        hkti_process_pool_repark(pool, parcel); /* some will come back */
    else
        drop(pool, parcel, &outcome);
    return false;
}

/* False: there is no room in the ring. */
static bool post(struct hkti_process_pool *pool, struct hkti_parcel *parcel)
{
    unsigned index = pool->free_blocks[pool->free_count - 1];
    struct hkti_block *block = &pool->board->blocks[index];
    bool in_line = parcel->size > 0 && parcel->memory == NULL;
    block->function = parcel->function;
    block->size = parcel->size;
    block->argument = parcel->memory ? parcel->memory : parcel->arg;
    block->flags = in_line ? HKTI_BLOCK_INLINE : 0;
    if (parcel->flags & HKTI_PARCEL_PART)
        block->flags = HKTI_BLOCK_MAP;
    block->deadline = parcel->timer ? parcel->timer->deadline : 0;
    block->priority = parcel->priority;
    if (in_line)
        memcpy(block->bytes, parcel->arg, parcel->size);
    pool->parcels[index] = parcel;
    parcel->block = index;
    if (!hkti_board_post(pool->board, index)) {
        pool->parcels[index] = NULL;
        hkti_process_pool_repark(pool, parcel);
        return false;
    }
    pool->free_count--;
    pool->posted++;
    if (parcel->flags & HKTI_PARCEL_CANCEL) {
        pool->look_at_flags = true;
        hkti_process_pool_attend_to(pool);
    }
    return true;
}

/* Under the guard: those who wait for room, and may have it. */
static void make_room(struct hkti_process_pool *pool, struct hkti_wait_list *wake)
{
    if (hkti_list_empty(&pool->full.head))
        return;
    size_t pending = pool->parked_count + hkti_board_ready(pool->board);
    if (pool->broken || pool->closed || pool->terminated)
        hkti_wait_list_take(&pool->full, SIZE_MAX, 0, wake);
    else if (pending < pool->max_pending)
        hkti_wait_list_take(&pool->full, pool->max_pending - pending, 0, wake);
    hkti_store_relaxed(&pool->board->bells.room_wanted, !hkti_list_empty(&pool->full.head));
}

void hkti_process_pool_refill(struct hkti_process_pool *pool)
{
    struct hkti_wait_list wake = { { NULL, NULL } };
    struct hkti_parcel *parcel;
    unsigned posted = 0;
    while (pool->free_count > 0 && (parcel = unpark(pool)) != NULL) {
        if (!claim(pool, parcel))
            continue;
        if (!copy_out(pool, parcel))
            break;
        if (pool->free_count == 0) { /* while it was copied */
            hkti_process_pool_repark(pool, parcel);
            break;
        }
        if (!post(pool, parcel))
            break;
        posted++;
    }
    make_room(pool, &wake);
    bool may_start = hkti_load_relaxed(&pool->alive) < pool->executor.max_workers;
    hkti_guard_release(&pool->guard);
    hkti_wake_all(&wake);
    if (posted == 0)
        return;
    if (!hkti_board_call(pool->board) && may_start)
        hkti_process_pool_attend_to(pool);
    else if (hkti_load_seq_cst(&pool->board->bells.watcher_sleeps) == 2) /* pairs: bells */
        hkti_board_ring_watcher(pool->board);
}

/* Waits for room, and says why there is none for ever. Takes the guard, and on success keeps it. */
static int await_room(struct hkti_process_pool *pool)
{
    hkti_guard_acquire(&pool->guard);
    for (;;) {
        int err = pool->broken ? pool->broken : pool->closed ? -ESHUTDOWN : 0;
        if (pool->broken && pool->broken_sentence[0])
            hkt_fail(err, "%s", pool->broken_sentence);
        if (err == 0 && pool->parked_count + hkti_board_ready(pool->board) < pool->max_pending)
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
        hkti_store_seq_cst(&pool->board->bells.room_wanted, 1); /* pairs: room */
        if (pool->parked_count + hkti_board_ready(pool->board) < pool->max_pending)
            return 0;
        err = hkti_wait(&wait);
        if (err < 0)
            return err;
        hkti_guard_acquire(&pool->guard);
    }
}

int hkti_process_pool_add(struct hkti_process_pool *pool, struct hkti_parcel *parcel)
{
    int err = await_room(pool);
    if (err < 0)
        return err;
    struct hkti_task *task = parcel->future ? hkti_future_task(parcel->future) : NULL;
    pool->out++;
    if (parcel->future)
        parcel->future->parcel = parcel;
    if (task && task->member && hkti_member_has_ended(task->member))
        parcel->flags |= HKTI_PARCEL_CANCEL;
    if (parcel->timer) {
        hkti_timers_add(&pool->timers, &parcel->timer->timer, parcel->timer->deadline);
        if (hkti_timers_first(&pool->timers) == parcel->timer->deadline)
            hkti_process_pool_attend_to(pool);
    }
    park(pool, parcel);
    hkti_process_pool_refill(pool);
    return 0;
}

int hkti_process_pool_submit(hkt_executor *executor, hkt_future *future,
                             const hkt_submit_options *options)
{
    struct hkti_process_pool *pool = (struct hkti_process_pool *)executor;
    void *arg = hkt_future_arg(future);
    size_t size = options ? options->arg_size : 0;
    hkti_function_name function;
    int err = hkti_process_pool_check(pool);
    if (err == 0)
        err = hkti_argument_check(arg, &size);
    if (err == 0)
        err = hkti_function_encode(future->job, &function);
    if (err < 0)
        return err;
    struct hkti_parcel *parcel = hkti_parcel_make(future, arg, size,
                                                  options ? options->deadline.ns : 0);
    if (parcel == NULL)
        return -ENOMEM;
    parcel->priority = future->priority;
    parcel->function = function;
    err = hkti_process_pool_add(pool, parcel);
    if (err < 0)
        hkti_parcel_release(pool, parcel);
    return err;
}

void hkti_process_pool_conclude(struct hkti_process_pool *pool, unsigned index,
                                const struct hkti_outcome *outcome)
{
    struct hkti_block *block = &pool->board->blocks[index];
    struct hkti_parcel *parcel = pool->parcels[index];
    unsigned flags = hkti_load_relaxed(&parcel->flags);
    struct hkti_outcome told;
    char sentence[HKT_SENTENCE_MAX];
    if (outcome == NULL) {
        told = (struct hkti_outcome){ .result = block->result };
        if (told.result == -ECANCELED && flags & HKTI_PARCEL_TIMED_OUT &&
            !(flags & HKTI_PARCEL_CANCEL))
            told.result = -ETIMEDOUT; /* the watcher was quicker than the job's own clock */
        if (block->flags & HKTI_BLOCK_SENTENCE) {
            memcpy(sentence, pool->board->sentences[index], sizeof sentence);
            sentence[sizeof sentence - 1] = 0;
            told.sentence = sentence;
        }
        if (parcel->size > 0 && !(flags & HKTI_PARCEL_PART))
            memcpy(parcel->arg, parcel->memory ? parcel->memory : block->bytes, parcel->size);
        outcome = &told;
    }
    if (flags & HKTI_PARCEL_PART)
        hkti_map_part_ended(pool, parcel, outcome);
    else if (outcome->recalled)
        hkti_future_recalled(parcel->future);
    else
        hkti_future_settle(parcel->future, outcome->result, outcome->sentence);
}

void hkti_process_pool_free(struct hkti_process_pool *pool, unsigned block)
{
    pool->parcels[block] = NULL;
    pool->free_blocks[pool->free_count++] = (uint16_t)block;
}

unsigned hkti_process_pool_drain(struct hkti_process_pool *pool)
{
    uint16_t blocks[HKTI_BLOCKS];
    if (!hkti_process_pool_has_ended_jobs(pool))
        return 0;
    hkti_guard_acquire(&pool->guard);
    unsigned count = hkti_board_collect(pool->board, blocks);
    hkti_guard_release(&pool->guard);
    for (unsigned i = 0; i < count; i++) {
        if (i + 2 < count)
            __builtin_prefetch(pool->parcels[blocks[i + 2]]->future, 1);
        hkti_process_pool_conclude(pool, blocks[i], NULL);
    }
    hkti_guard_acquire(&pool->guard);
    for (unsigned i = 0; i < count; i++) {
        struct hkti_parcel *parcel = pool->parcels[blocks[i]];
        hkti_process_pool_free(pool, blocks[i]);
        hkti_parcel_release(pool, parcel);
        hkti_process_pool_count_down(pool);
    }
    hkti_process_pool_refill(pool);
    return count;
}
