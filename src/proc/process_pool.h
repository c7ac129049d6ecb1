/* SPDX-License-Identifier: MIT */
/* The process engine, as its own process, the parent, has it. job_board.h is what it shares with its
 * workers, who are in worker.c.
 *
 * A job has a parcel. It is parked, in a list of its priority, until there is a block for it; then its
 * bytes are copied, and the block is posted. Its future is claimed at that moment: while it is
 * pending nobody has it but the list, and while it is running the block says whether it has begun.
 *
 * Whoever looks at the board (hkti_pool_drain) takes all jobs that have ended, copies their arguments
 * back, ends their futures, and fills the blocks again. That is a thread that waits for a future of the
 * pool (exec/attend.h: the result goes from the worker to it, with nobody between), or else the watcher: a
 * thread of the pool's own, which also sees to all that is rare (process_pool_watch.c): workers to be
 * started, that have died, that do not come; cancels and deadlines; the end.
 *
 * States of a place for a worker: FREE, ALIVE from when its process is asked for, and FREE again when
 * it has been seen to end and what it had is settled.
 *
 * Who may touch what: all that is not said to be another's under the guard, which is innermost but for
 * those of memory; a parcel's bytes by who has taken it off the board. Who ends a future holds no
 * guard. A future that is BUSY does not end, so its parcel stays (exec/future.h). */
#ifndef HKTI_PROC_PROCESS_POOL_H
#define HKTI_PROC_PROCESS_POOL_H

#include <hocket/event.h>
#include <hocket/process_pool.h>

#include "base/timers.h"
#include "exec/executor.h"
#include "exec/exit.h"
#include "park/wait.h"
#include "proc/job_board.h"
#include "proc/process.h"

#define HKTI_NO_BLOCK UINT32_MAX

/* Flags of a parcel. */
enum {
    HKTI_PARCEL_CANCEL = 1,    /* somebody has asked for its end */
    HKTI_PARCEL_TOLD = 2,      /* its worker has been told */
    HKTI_PARCEL_TIMED_OUT = 4, /* its deadline has passed */
    HKTI_PARCEL_KILLED = 8,    /* its worker was killed for it */
    HKTI_PARCEL_PART = 16,     /* it is a part of a map, and has no future */
    HKTI_PARCEL_CLAIMED = 32,  /* its future is not pending any more */
    HKTI_PARCEL_PARKED = 64,   /* it is in a list */
};

/* One line. */
struct hkti_parcel {
    struct hkti_parcel *next; /* while it is parked */
    hkt_future *future;       /* NULL: it has ended already, or it is a part */
    void *arg;                /* the user's; of a part its map */
    uint64_t size;            /* to be copied; 0: passed as it is */
    hkti_function_name function;
    void *memory; /* in the arena, for what the block has no room for */
    struct hkti_parcel_timer *timer;
    uint32_t block;
    uint16_t lost; /* workers that have died of it */
    uint8_t priority;
    uint8_t flags;
};
_Static_assert(sizeof(struct hkti_parcel) == HKTI_LINE, "one line");

/* Its deadline, then the end of its grace. One line. */
struct hkti_parcel_timer {
    struct hkti_timer timer;
    struct hkti_parcel *parcel;
    int64_t deadline;
};
_Static_assert(sizeof(struct hkti_parcel_timer) <= HKTI_LINE, "one line");

/* What became of a job. */
struct hkti_outcome {
    int result;
    const char *sentence; /* NULL: none */
    bool recalled;        /* it was not begun */
    bool lost;            /* with its worker */
};

struct hkti_place {
    hkt_process *process; /* NULL: free */
    struct hkti_process_pool *pool;
    uint32_t gone;    /* it has ended; atomic, by who saw it; */
    uint32_t told;    /* who does not touch the pool any more */
    bool leaving;     /* it was seen to leave: is not counted any more */
    bool continued;   /* it was sent SIGCONT, since it may have been stopped */
    int64_t leave_by; /* it is continued then, or killed; 0: not yet */
};

struct hkti_process_pool {
    hkt_executor executor;
    struct hkti_exit_entry exit;
    struct hkti_board *board;
    uint32_t token; /* of its process */
    struct hkti_server *server;
    hkt_start_method method;
    char name[HKT_NAME_MAX];
    hkt_lost_worker on_lost_worker;
    unsigned retries;
    double grace;
    size_t max_pending;
    hkt_thread *watcher;
    hkt_event ended; /* it is closed, and no job is out */

    uint32_t guard __attribute__((aligned(64)));
    uint32_t users; /* of its memory: the owner, the watcher, others; atomic */
    unsigned free_count;
    size_t out;   /* jobs that have not ended */
    size_t bytes; /* of arguments in the arena */
    size_t parked_count;
    struct {
        struct hkti_parcel *first, **end;
    } parked[HKTI_BOARD_RINGS];
    struct hkti_wait_list full;
    bool closed;
    bool cancel_all;     /* what has not begun is to be cancelled */
    bool ending;         /* what has not begun ends so: `end_with`; for the moment */
    bool look_at_flags;  /* some parcels have CANCEL */
    int terminated;      /* by this signal: no more workers are started; 0 */
    int signal;          /* is to be sent to all; 0 */
    int broken;          /* why every job ends; 0 */
    uint32_t attention;  /* something for the watcher; atomic */
    unsigned alive;      /* places that are not free and not leaving; atomic */
    unsigned starts_bad; /* in a row */
    int64_t start_at;    /* not before; 0: at once */
    int64_t bad_since;   /* no worker could be had from then on; 0 */
    uint64_t posted, ended_jobs, lost_jobs, started;
    struct hkti_timers timers;
    struct hkti_outcome end_with;
    char broken_sentence[HKT_SENTENCE_MAX];
    struct hkti_parcel *parcels[HKTI_BLOCKS]; /* of the blocks that are not free */
    uint16_t free_blocks[HKTI_BLOCKS];
    struct hkti_place places[HKTI_BOARD_PLACES];
};

/* Its memory stays until drop; the last one gives it back. */
void hkti_process_pool_hold(struct hkti_process_pool *pool);
void hkti_process_pool_drop(struct hkti_process_pool *pool);
/* The pool that an executor is; NULL: it has another engine. */
struct hkti_process_pool *hkti_process_pool_of(hkt_executor *executor);
/* -EPERM with a sentence in a process that is not the pool's own. */
int hkti_process_pool_check(const struct hkti_process_pool *pool);

/* process_pool_jobs.c */

/* NULL: no memory. `deadline` 0: none. And its end; under the guard, if it was the pool's. */
struct hkti_parcel *hkti_parcel_make(hkt_future *future, void *arg, size_t size, int64_t deadline);
void hkti_parcel_release(struct hkti_process_pool *pool, struct hkti_parcel *parcel);
int hkti_process_pool_submit(hkt_executor *executor, hkt_future *future,
                             const hkt_submit_options *options);
/* Hands in a parcel: 0, and it is the pool's; or why not. Waits for room. */
int hkti_process_pool_add(struct hkti_process_pool *pool, struct hkti_parcel *parcel);
/* Under the guard. Parks it, in front; it counts as out already. */
void hkti_process_pool_repark(struct hkti_process_pool *pool, struct hkti_parcel *parcel);
/* Fills blocks from the lists, as long as there are any of both; calls workers, and those who wait for
 * room. Under the guard, which it releases. */
void hkti_process_pool_refill(struct hkti_process_pool *pool);
/* Takes what has ended off the board: how many. */
unsigned hkti_process_pool_drain(struct hkti_process_pool *pool);
static inline bool hkti_process_pool_has_ended_jobs(struct hkti_process_pool *pool)
{
    return hkti_load_seq_cst(&pool->board->done) != 0; /* pairs: bells */
}
/* Without the guard: the job of a block that is FREE has ended; `outcome` NULL: as the block says. */
void hkti_process_pool_conclude(struct hkti_process_pool *pool, unsigned block,
                                const struct hkti_outcome *outcome);
/* Under the guard: gives a block back whose job has been concluded, or parked again. */
void hkti_process_pool_free(struct hkti_process_pool *pool, unsigned block);
/* Under the guard: one job less is out. */
void hkti_process_pool_count_down(struct hkti_process_pool *pool);

/* process_pool_watch.c: the watcher, and what it does about workers (process_pool_workers.c). Without the guard,
 * unless it is said. */
int hkti_process_watcher_main(void *pool);
/* By anybody, under the guard or not: there is something for it to look at. */
void hkti_process_pool_attend_to(struct hkti_process_pool *pool);
/* Starts one: 0, or why not. Also by who makes the pool. */
int hkti_process_pool_start_worker(struct hkti_process_pool *pool);
/* Looks for those that have ended, or leave, and settles what they had; and at how many there should
 * be. The next time to look; 0: never. */
void hkti_process_pool_look_at_workers(struct hkti_process_pool *pool, int64_t now);
int64_t hkti_process_pool_start_workers(struct hkti_process_pool *pool, int64_t now, bool stalled);
/* All that may leave are told to. */
void hkti_process_pool_send_away(struct hkti_process_pool *pool, int64_t now);

/* process_pool_cancel.c: the executor's operations on a job that is on its way. */
int hkti_process_pool_recall(hkt_executor *executor, hkt_future *future, void **parcel);
void hkti_process_pool_recalled(hkt_executor *executor, void *parcel);
bool hkti_process_pool_began(hkt_executor *executor, hkt_future *future);
void hkti_process_pool_request(hkt_executor *executor, hkt_future *future);
/* Under the guard: the parcel is to be cancelled soon. */
void hkti_process_pool_flag(struct hkti_process_pool *pool, struct hkti_parcel *parcel);
/* Ends all that has not begun: so, or (NULL) cancelled. */
void hkti_process_pool_end_pending(struct hkti_process_pool *pool,
                                   const struct hkti_outcome *outcome);
/* By the watcher: cancels and deadlines. The next time to look; 0: never. */
void hkti_process_pool_look_at_flags(struct hkti_process_pool *pool, int64_t now);
int64_t hkti_process_pool_look_at_timers(struct hkti_process_pool *pool, int64_t now);

/* worker.c */
struct hkti_worker_arg {
    struct hkti_board *board;
    uint32_t place;
};
int hkti_process_worker_main(void *arg);

#endif
