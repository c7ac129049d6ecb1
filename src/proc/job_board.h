/* SPDX-License-Identifier: MIT */
/* The board: what a process pool and its workers share. It lies in the arena; the pool's process, the
 * parent, has its own part in process_pool.h.
 *
 * A job lies in a block. A block's state is one word: a step, the worker, and a generation that counts
 * up each time that the block is filled.
 *
 *   FREE       the parent's: free, being filled, or being emptied
 *   READY      posted: the first worker that comes takes it, or the parent takes it back
 *   TAKEN      a worker's
 *   DONE       it has been run; the worker puts the block on the stack `done`
 *   CONDEMNED  the parent is about to kill the worker for it
 *
 * READY goes to TAKEN, or back to FREE, by one compare-and-swap, so each posted job is begun once or
 * recalled once; and TAKEN to DONE or CONDEMNED, so that no worker is killed for a job that it has
 * left behind. There is no lock that a worker takes, and no list of which it could leave a half:
 *
 * A ring of positions, one for each priority, says in which order blocks are to be taken. An entry
 * names a block and its generation. Who wants a job reads the entry at the head, swaps the block's
 * state from READY of that generation to TAKEN, and whether that worked or not moves the head on by
 * a compare-and-swap. So a worker that dies between the two leaves a block that says who had it, and
 * an entry that the next one steps over. An entry read late is of a later position, or of a generation
 * that is gone: taking the first is out of turn but right, taking the second fails. (pairs: post)
 *
 * The stack `done` is pushed to by workers, and taken as a whole by the parent, by one exchange: there
 * is nothing to go wrong between. A worker that dies between DONE and the push leaves a block that
 * the parent finds when it has emptied the stack after that worker's end. (pairs: done)
 *
 * No wake-up is lost: who posts a job does so, then looks at the workers' states; a worker says ASLEEP,
 * then looks at the rings; sequentially consistent, so one sees the other. (pairs: seek) So it is
 * between a worker that has pushed a block and those in the parent who sleep at one of the two bells:
 * `attending` has threads of the parent that wait for a future and look at the stack themselves, and
 * promise to do so once more when they leave; while there are none the watcher is rung. (pairs: bells)
 * Whoever dies after the change and before the ring is buried, which rings the watcher.
 *
 * Who may touch what: rings' tails, free blocks, cancel, and all that begins with `max_` by the parent;
 * heads, `done` and states of workers by all; a taken block, and a worker's record, by that worker.
 * What the parent reads of it is not trusted further than that no index leads outside. */
#ifndef HKTI_PROC_JOB_BOARD_H
#define HKTI_PROC_JOB_BOARD_H

#include <hocket/error.h>
#include <stddef.h>

#include "base/atomic.h"
#include "proc/identity.h"

enum {
    HKTI_BLOCKS = 1024, /* a power of two */
    HKTI_BLOCK_BYTES = 192,
    HKTI_BOARD_RINGS = 3,    /* by hkt_priority */
    HKTI_BOARD_PLACES = 512, /* for workers: those who leave need theirs until they are buried */
};

enum { HKTI_BLOCK_FREE, HKTI_BLOCK_READY, HKTI_BLOCK_TAKEN, HKTI_BLOCK_DONE, HKTI_BLOCK_CONDEMNED };

/* Flags of a block. */
enum {
    HKTI_BLOCK_INLINE = 1,   /* the argument is in it */
    HKTI_BLOCK_MAP = 2,      /* it is a part of a map (process_map.h) */
    HKTI_BLOCK_SENTENCE = 4, /* by the worker: there is one */
};

struct hkti_block {
    uint64_t state;
    hkti_function_name function;
    void *argument; /* in the arena, unless it is inline */
    uint64_t size;
    uint32_t next; /* in the stack: 1 + an index; 0: none */
    int32_t result;
    uint32_t flags;
    uint32_t unused;
    char bytes[HKTI_BLOCK_BYTES];
    int64_t deadline; /* 0: none */
    uint32_t cancel;  /* the generation that is to be cancelled */
    uint32_t priority;
};
_Static_assert(sizeof(struct hkti_block) == 256, "four lines");

struct hkti_board_ring {
    uint64_t head __attribute__((aligned(64)));
    uint64_t tail __attribute__((aligned(64)));
    uint64_t entries[HKTI_BLOCKS] __attribute__((aligned(64)));
};

/* What a worker is about: a word, on which it sleeps. */
enum {
    HKTI_WORKER_NONE,     /* the place is free */
    HKTI_WORKER_STARTING, /* asked for; not here yet */
    HKTI_WORKER_AWAKE,    /* runs a job */
    HKTI_WORKER_SEEKING,  /* looks for one */
    HKTI_WORKER_ASLEEP,
    HKTI_WORKER_LEAVING, /* takes no more */
};

struct hkti_worker_record {
    uint32_t control;      /* counts up: look at what you run (by the parent) */
    uint32_t initializing; /* it is in the initializer, or has failed in it: */
    int32_t result;
    uint32_t unused;
    char sentence[HKT_SENTENCE_MAX];
} __attribute__((aligned(64)));

struct hkti_bells {
    uint32_t attending, sleepers; /* of the parent: who looks at `done`; of them asleep */
    uint32_t rings;               /* their bell */
    uint32_t watcher_sleeps;
    uint32_t watcher_rings;
    uint32_t room_wanted;   /* tell the watcher when a job is begun */
    uint32_t worker_wanted; /* tell it when no one is there to be woken */
    uint32_t closing;       /* workers leave when nothing is ready */
};

struct hkti_board {
    struct hkti_board_ring rings[HKTI_BOARD_RINGS];
    uint32_t done __attribute__((aligned(64))); /* 1 + the index of the top; 0: empty */
    struct hkti_bells bells __attribute__((aligned(64)));
    /* Written before the first worker begins. */
    hkti_function_name initializer __attribute__((aligned(64))); /* 0: none */
    uint64_t initializer_size;
    void *initializer_arg;
    uint64_t max_jobs;  /* of a worker; 0: no limit */
    int64_t max_idle;   /* nanoseconds; 0: no limit */
    uint32_t max_place; /* no place from there on has been used; atomic */
    uint32_t states[HKTI_BOARD_PLACES] __attribute__((aligned(64)));
    struct hkti_worker_record workers[HKTI_BOARD_PLACES];
    struct hkti_block blocks[HKTI_BLOCKS];
    char sentences[HKTI_BLOCKS][HKT_SENTENCE_MAX];
};

static inline unsigned hkti_block_step(uint64_t state)
{
    return (unsigned)(state & 0xff);
}

static inline unsigned hkti_block_worker(uint64_t state)
{
    return (unsigned)(state >> 8 & 0xffff);
}

static inline uint32_t hkti_block_generation(uint64_t state)
{
    return (uint32_t)(state >> 32);
}

static inline uint64_t hkti_block_state(unsigned step, unsigned worker, uint32_t generation)
{
    return (uint64_t)generation << 32 | (uint64_t)worker << 8 | step;
}

/* By the parent, under its guard. Posts a block that it has filled; false: the ring has no room, so
 * that it must wait until another has ended. */
bool hkti_board_post(struct hkti_board *board, unsigned block);
/* Takes a posted one back: true if no worker was quicker; it is FREE then. */
bool hkti_board_recall(struct hkti_board *board, unsigned block);
/* Marks a taken one: its worker (returned) may be killed for it; -1: it is not taken any more. */
int hkti_board_condemn(struct hkti_board *board, unsigned block);
/* Those on the stack, in the order in which they came to it; how many. They are FREE then. */
unsigned hkti_board_collect(struct hkti_board *board, uint16_t blocks[HKTI_BLOCKS]);
/* The worker is dead and the stack has been emptied since: is this block one that it had? Then it is
 * FREE, and *ended says whether it had run the job. */
bool hkti_board_lost(struct hkti_board *board, unsigned block, unsigned worker, bool *ended);

/* By a worker: the next job's block, or -1. `turn` counts its jobs: now and then one of the background
 * is next. */
int hkti_board_take(struct hkti_board *board, unsigned worker, uint64_t turn);
/* It has been run: tells the parent. False: the worker is to end, and not to touch it. */
bool hkti_board_end(struct hkti_board *board, unsigned block);

/* By anybody: how many entries no one has taken; recalled ones, too. */
size_t hkti_board_ready(struct hkti_board *board);
/* Something was posted: wakes a worker, unless one seeks; false if there was none of either kind. */
bool hkti_board_call(struct hkti_board *board);
/* By the parent: whoever was called may have died or been stopped, or who called him: calls one more,
 * and once more those that were called. */
void hkti_board_call_again(struct hkti_board *board);
/* Wakes the watcher, if it sleeps. */
void hkti_board_ring_watcher(struct hkti_board *board);
/* A worker has found nothing, and says ASLEEP: false if there is something after all, or it has been
 * called. */
bool hkti_board_doze(struct hkti_board *board, unsigned worker);

#endif
