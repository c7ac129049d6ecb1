/* SPDX-License-Identifier: MIT */
/* The protocol of the board: job_board.h has it and why it is right. */
#include "proc/job_board.h"

#include <hocket/executor.h>

#include "os/os.h"

#define BACKGROUND_TURN 32 /* one job in so many is of the background, if there is one */

/* An entry of a ring. */
static uint64_t entry_of(unsigned block, uint64_t state)
{
    return (uint64_t)hkti_block_generation(state) << 32 | block;
}

static struct hkti_block *block_of(struct hkti_board *board, uint64_t entry)
{
    return &board->blocks[entry & (HKTI_BLOCKS - 1)];
}

static uint64_t ready_state(uint64_t entry)
{
    return hkti_block_state(HKTI_BLOCK_READY, 0, (uint32_t)(entry >> 32));
}

/* Steps over entries at the head that nobody can take any more, so that there is room. */
static bool make_room(struct hkti_board *board, struct hkti_board_ring *ring, uint64_t tail)
{
    for (;;) {
        uint64_t head = hkti_load_acquire(&ring->head); /* pairs: post */
        if (tail - head < HKTI_BLOCKS)
            return true;
        uint64_t entry = hkti_load_relaxed(&ring->entries[head % HKTI_BLOCKS]);
        if (hkti_load_relaxed(&block_of(board, entry)->state) == ready_state(entry))
            return false;
        (void)hkti_cas_acq_rel(&ring->head, head, head + 1); /* pairs: post */
    }
}

bool hkti_board_post(struct hkti_board *board, unsigned block)
{
    struct hkti_block *posted = &board->blocks[block];
    struct hkti_board_ring *ring = &board->rings[posted->priority];
    uint64_t tail = hkti_load_relaxed(&ring->tail);
    if (!make_room(board, ring, tail))
        return false;
    uint64_t state = hkti_load_relaxed(&posted->state);
    uint32_t generation = hkti_block_generation(state) + 1;
    state = hkti_block_state(HKTI_BLOCK_READY, 0, generation);
    hkti_store_release(&posted->state, state); /* pairs: post */
    hkti_store_relaxed(&ring->entries[tail % HKTI_BLOCKS], entry_of(block, state));
    hkti_store_seq_cst(&ring->tail, tail + 1); /* pairs: post, seek */
    return true;
}

bool hkti_board_recall(struct hkti_board *board, unsigned block)
{
    uint64_t state = hkti_load_relaxed(&board->blocks[block].state);
    uint64_t freed = hkti_block_state(HKTI_BLOCK_FREE, 0, hkti_block_generation(state));
    return hkti_block_step(state) == HKTI_BLOCK_READY &&
           hkti_cas_acq_rel(&board->blocks[block].state, state, freed); /* pairs: post */
}

static void set_free(struct hkti_block *block, uint64_t state)
{
    hkti_store_relaxed(&block->state,
                       hkti_block_state(HKTI_BLOCK_FREE, 0, hkti_block_generation(state)));
}

unsigned hkti_board_collect(struct hkti_board *board, uint16_t blocks[HKTI_BLOCKS])
{
    uint16_t found[HKTI_BLOCKS];
    unsigned count = 0;
    uint32_t top = hkti_exchange_acquire(&board->done, 0); /* pairs: done */
    while (top != 0 && top <= HKTI_BLOCKS && count < HKTI_BLOCKS) {
        struct hkti_block *block = &board->blocks[top - 1];
        uint64_t state = hkti_load_relaxed(&block->state);
        if (hkti_block_step(state) != HKTI_BLOCK_DONE)
            break; /* somebody has written where he must not */
        set_free(block, state);
        found[count++] = (uint16_t)(top - 1);
        top = hkti_load_relaxed(&block->next);
        if (top != 0 && top <= HKTI_BLOCKS)
            __builtin_prefetch(&board->blocks[top - 1]);
    }
    for (unsigned i = 0; i < count; i++)
        blocks[i] = found[count - 1 - i];
    return count;
}

bool hkti_board_lost(struct hkti_board *board, unsigned block, unsigned worker, bool *ended)
{
    uint64_t state = hkti_load_acquire(&board->blocks[block].state); /* pairs: done */
    unsigned step = hkti_block_step(state);
    if (hkti_block_worker(state) != worker ||
        (step != HKTI_BLOCK_TAKEN && step != HKTI_BLOCK_DONE && step != HKTI_BLOCK_CONDEMNED))
        return false;
    *ended = step == HKTI_BLOCK_DONE;
    set_free(&board->blocks[block], state);
    return true;
}

static int take_from(struct hkti_board *board, struct hkti_board_ring *ring, unsigned worker)
{
    for (;;) {
        uint64_t head = hkti_load_acquire(&ring->head); /* pairs: post */
        uint64_t tail = hkti_load_seq_cst(&ring->tail); /* pairs: post, seek */
        if ((int64_t)(tail - head) <= 0)
            return -1;
        uint64_t entry = hkti_load_relaxed(&ring->entries[head % HKTI_BLOCKS]);
        struct hkti_block *block = block_of(board, entry);
        uint64_t taken = hkti_block_state(HKTI_BLOCK_TAKEN, worker, (uint32_t)(entry >> 32));
        bool got = hkti_cas_acq_rel(&block->state, ready_state(entry), taken); /* pairs: post */
        (void)hkti_cas_seq_cst(&ring->head, head, head + 1); /* pairs: post, room */
        if (!got)
            continue;
        if (tail - head > 1) {
            uint64_t ahead = hkti_load_relaxed(&ring->entries[(head + 1) % HKTI_BLOCKS]);
            __builtin_prefetch(block_of(board, ahead), 1);
        }
        return (int)(block - board->blocks);
    }
}

int hkti_board_take(struct hkti_board *board, unsigned worker, uint64_t turn)
{
    static const hkt_priority order[] = { HKT_PRIORITY_HIGH, HKT_PRIORITY_NORMAL,
                                          HKT_PRIORITY_BACKGROUND };
    int block = -1;
    if (turn % BACKGROUND_TURN == BACKGROUND_TURN - 1)
        block = take_from(board, &board->rings[HKT_PRIORITY_BACKGROUND], worker);
    for (int i = 0; block < 0 && i < HKTI_BOARD_RINGS; i++)
        block = take_from(board, &board->rings[order[i]], worker);
    return block;
}

int hkti_board_condemn(struct hkti_board *board, unsigned block)
{
    uint64_t state = hkti_load_relaxed(&board->blocks[block].state);
    unsigned worker = hkti_block_worker(state);
    uint64_t condemned = hkti_block_state(HKTI_BLOCK_CONDEMNED, worker,
                                          hkti_block_generation(state));
    if (hkti_block_step(state) != HKTI_BLOCK_TAKEN || worker >= HKTI_BOARD_PLACES ||
        !hkti_cas_acq_rel(&board->blocks[block].state, state, condemned)) /* pairs: done */
        return -1;
    return (int)worker;
}

bool hkti_board_end(struct hkti_board *board, unsigned block)
{
    struct hkti_block *ended = &board->blocks[block];
    uint64_t state = hkti_load_relaxed(&ended->state);
    uint64_t done = hkti_block_state(HKTI_BLOCK_DONE, hkti_block_worker(state),
                                     hkti_block_generation(state));
    uint32_t top;
    if (hkti_block_step(state) != HKTI_BLOCK_TAKEN ||
        !hkti_cas_acq_rel(&ended->state, state, done)) /* pairs: done */
        return false;
    do {
        top = hkti_load_relaxed(&board->done);
        hkti_store_relaxed(&ended->next, top);
    } while (!hkti_cas_seq_cst(&board->done, top, block + 1)); /* pairs: done, bells */
    struct hkti_bells *bells = &board->bells;
    if (hkti_load_seq_cst(&bells->attending) == 0) { /* pairs: bells */
        hkti_board_ring_watcher(board);
    } else if (hkti_load_seq_cst(&bells->sleepers) != 0) { /* pairs: bells */
        hkti_fetch_add_seq_cst(&bells->rings, 1);          /* pairs: bells */
        hkti_os_shared_futex_wake(&bells->rings, 1);
    }
    return true;
}

size_t hkti_board_ready(struct hkti_board *board)
{
    size_t count = 0;
    for (int i = 0; i < HKTI_BOARD_RINGS; i++) {
        uint64_t head = hkti_load_seq_cst(&board->rings[i].head); /* pairs: post, room */
        uint64_t tail = hkti_load_seq_cst(&board->rings[i].tail); /* pairs: post, seek */
        if ((int64_t)(tail - head) > 0)
            count += tail - head;
    }
    return count;
}

bool hkti_board_call(struct hkti_board *board)
{
    unsigned places = hkti_load_relaxed(&board->max_place);
    unsigned asleep = places;
    for (unsigned i = 0; i < places; i++) {
        uint32_t state = hkti_load_seq_cst(&board->states[i]); /* pairs: seek */
        if (state == HKTI_WORKER_SEEKING)
            return true;
        if (state == HKTI_WORKER_ASLEEP && asleep == places)
            asleep = i;
    }
    for (unsigned i = asleep; i < places; i++)
        if (hkti_load_relaxed(&board->states[i]) == HKTI_WORKER_ASLEEP &&
            hkti_cas_seq_cst(&board->states[i], HKTI_WORKER_ASLEEP,
                             HKTI_WORKER_SEEKING)) { /* pairs: seek */
            hkti_os_shared_futex_wake(&board->states[i], 1);
            return true;
        }
    return false;
}

void hkti_board_call_again(struct hkti_board *board)
{
    unsigned places = hkti_load_relaxed(&board->max_place);
    bool called = false;
    for (unsigned i = 0; i < places; i++) {
        uint32_t state = hkti_load_seq_cst(&board->states[i]); /* pairs: seek */
        if (state == HKTI_WORKER_ASLEEP && !called)
            called = hkti_cas_seq_cst(&board->states[i], HKTI_WORKER_ASLEEP,
                                      HKTI_WORKER_SEEKING); /* pairs: seek */
        else if (state != HKTI_WORKER_SEEKING)
            continue;
        hkti_os_shared_futex_wake(&board->states[i], 1);
    }
}

void hkti_board_ring_watcher(struct hkti_board *board)
{
    if (hkti_load_seq_cst(&board->bells.watcher_sleeps) == 0) /* pairs: bells */
        return;
    hkti_fetch_add_seq_cst(&board->bells.watcher_rings, 1); /* pairs: bells */
    hkti_os_shared_futex_wake(&board->bells.watcher_rings, 1);
}

bool hkti_board_doze(struct hkti_board *board, unsigned worker)
{
    uint32_t *state = &board->states[worker];
    if (!hkti_cas_seq_cst(state, HKTI_WORKER_SEEKING, HKTI_WORKER_ASLEEP)) /* pairs: seek */
        return false;
    if (hkti_board_ready(board) == 0 && !hkti_load_seq_cst(&board->bells.closing)) /* pairs: seek */
        return true;
    (void)hkti_cas_seq_cst(state, HKTI_WORKER_ASLEEP, HKTI_WORKER_SEEKING); /* pairs: seek */
    return false;
}
