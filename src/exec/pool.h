/* SPDX-License-Identifier: MIT */
/* The thread engine. A pool has workers; a worker is a thread that carries coroutines, and runs each
 * job on one of them.
 *
 * Jobs lie in the pool's queues (handed in by outsiders, or with a priority), in the workers' rings
 * (handed in by jobs), and as shared forks in arrays (forks.h). Who takes one out claims its future.
 *
 * A worker has at the most one free coroutine: one that looks for work. `active` counts those that
 * have a job and do not wait for jobs; only at 0 does the worker begin another job. So a wait for
 * jobs lets others begin, and no other wait does. But those others may then wait for what the first
 * would do; so a job that waits for jobs may at any time have one of these begun by its worker, if
 * none of them that the worker has begun is active: `wanting` has the coroutines that may. So each
 * wait for jobs goes on, whatever else has been begun meanwhile.
 *
 * Sleeping and waking: `idle` has the workers that may begin a job and have found none, the last one
 * first; `searching` says that one of them has been woken (or started) and has not found anything
 * yet. Who adds work wakes one if nobody searches; who searched and found wakes the next if there is
 * more. A worker that goes to sleep enters `idle`, then looks once more at everything; who adds work
 * adds it, then looks at `idle` and `searching`: sequentially consistent, so one of them sees the
 * other.
 *
 * The end: when the pool is closed and all its workers are quiet, idle and without a parked coroutine,
 * it is over: they leave, and the last one sets `ended`, its last touch. Until then none leaves, for
 * the jobs that run may submit.
 *
 * Who may touch what: the queues, pending, idle, searching, closed, broken, the counts under the
 * guard; those marked atomic are also looked at without. A worker's ring: ring.h; the rest of it by
 * its thread. Lock order: the pool's guard is innermost, but for those of memory. */
#ifndef HKTI_EXEC_POOL_H
#define HKTI_EXEC_POOL_H

#include <hocket/event.h>
#include <hocket/thread.h>
#include <hocket/thread_pool.h>

#include "exec/executor.h"
#include "exec/exit.h"
#include "exec/forks.h"
#include "exec/jobs.h"
#include "exec/ring.h"
#include "park/wait.h"
#include "strand/carrier.h"

enum { HKTI_QUEUES = 3 }; /* by hkt_priority */

struct hkti_worker;

struct hkti_pool {
    hkt_executor executor;
    struct hkti_worker **workers; /* max_workers of them; started from the first on */
    struct hkti_fork_places forks;
    struct hkti_exit_entry exit;
    hkt_event ended;
    hkt_job *initializer;
    void *initializer_arg;
    size_t stack_size, max_pending;
    bool no_foreign_work;
    char name[HKT_NAME_MAX];

    uint32_t guard __attribute__((aligned(64)));
    uint32_t searching;      /* atomic */
    uint32_t idle_count;     /* atomic */
    uint32_t closed;         /* atomic */
    uint32_t started, alive; /* workers; started is atomic */
    uint32_t quiet;          /* workers in idle that have no coroutine parked */
    uint32_t over;           /* closed, and all were quiet: they leave; atomic */
    struct hkti_wait_list idle;
    struct hkti_wait_list full; /* outsiders that wait for room */
    size_t pending;             /* in the queues; atomic */
    struct hkti_jobs queues[HKTI_QUEUES];
    int broken;    /* the initializer's failure; atomic */
    bool detached; /* destroyed before its end: the last worker gives it back */
};

struct hkti_worker {
    struct hkti_carrier carrier; /* first */
    struct hkti_pool *pool;
    unsigned index;
    unsigned active;
    unsigned ticks;
    unsigned batch; /* how many jobs it took from the queues at a time, and when */
    int64_t taken_at;
    bool searching;
    struct hkti_node wanting; /* coroutines, by their hkti_job_state; the last one first */
    uint64_t waits;           /* waits for jobs so far */
    bool helpers;             /* some coroutines help one without foreign work */
    hkt_thread *thread;
    struct hkti_ring ring;
};

/* What the engine keeps for a coroutine. */
struct hkti_job_state {
    struct hkti_node node;           /* in `wanting`, or in no list */
    struct hkti_wanted *wanted;      /* what it waits for; NULL */
    uint64_t wait;                   /* the number of that wait */
    struct hkti_job_state *for_whom; /* who waited for what it runs, in that wait; NULL */
    uint64_t for_wait;
    uint64_t children; /* those active that were begun for it, in this wait */
};
_Static_assert(sizeof(struct hkti_job_state) <= sizeof(uint64_t[8]), "it is in the coroutine");

static inline struct hkti_job_state *hkti_job_state(struct hkti_coroutine *coroutine)
{
    return (struct hkti_job_state *)(void *)coroutine->engine;
}

/* What to do when the guard has been released. */
struct hkti_call {
    struct hkti_strand *wake;
    struct hkti_worker *start;
};

/* Under the guard: somebody should come for the work that is there. Then, without it: calls him. */
struct hkti_call hkti_pool_choose(struct hkti_pool *pool);
void hkti_pool_call(struct hkti_pool *pool, struct hkti_call call);
/* Under the guard: if the pool is closed and all its workers are quiet, they may leave: takes them out
 * of idle, to be woken. */
void hkti_pool_look_for_end(struct hkti_pool *pool, struct hkti_wait_list *leaving);
/* Work was added without the guard. */
void hkti_pool_notify(struct hkti_pool *pool);

/* The pool that an executor is; NULL: it has another engine. */
struct hkti_pool *hkti_pool_of(hkt_executor *executor);

/* Is there work to be seen? */
bool hkti_pool_has_work(struct hkti_pool *pool);

/* The worker's thread. */
int hkti_worker_main(void *worker);
void hkti_worker_park(struct hkti_carrier *carrier, struct hkti_coroutine *self, bool for_jobs);

/* The worker that the caller is a job of; NULL. */
static inline struct hkti_worker *hkti_worker_self(void)
{
    struct hkti_carrier *carrier = hkti_carrier_self();
    if (carrier == NULL || carrier->park != hkti_worker_park)
        return NULL;
    return (struct hkti_worker *)carrier;
}

/* All queued jobs end: with `err`, or (0) cancelled. */
void hkti_pool_drop_jobs(struct hkti_pool *pool, int err);
/* Up to n jobs out of the queues, of `first` if there are any, else by their priorities; how many. */
size_t hkti_pool_take(struct hkti_pool *pool, hkt_future **futures, size_t n, hkt_priority first);
/* The pool is over and nobody uses it. */
void hkti_pool_release(struct hkti_pool *pool);

#endif
