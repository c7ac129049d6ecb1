/* SPDX-License-Identifier: MIT */
/* The future: one cache line. Its life is in its state, a word of bits:
 *
 *   PENDING   nobody has taken the job
 *   RUNNING   somebody has; once it is not NULL, `scope` is its scope
 *   SETTING   a producer is writing down the result
 *   CANCELLED, FINISHED   done, for good
 *
 *   WATCHED   there are watches: who finishes it must look under the guard
 *   BUSY      somebody is at the running job's scope, or its parcel: it must not finish
 *   SETTLED   who finished it touches it no more
 *   DETACHED  the user touches it no more
 *   QUEUED    an engine still has it in a queue
 *   SEEN      somebody has looked at the result
 *   REMOTE    from the start: its engine has hkti_remote_ops
 *
 * PENDING goes to another step by whoever changes it first. A future is given back by who
 * makes the last of SETTLED, DETACHED and not QUEUED true.
 *
 * Who may touch what: job, arg, executor before it is handed in, and by who takes the job; scope as
 * BUSY; result and sentence by who finishes it, before; by all after. watches under the guard.
 * Guards: that of a future before that of a watcher; no other inside. */
#ifndef HKTI_EXEC_FUTURE_H
#define HKTI_EXEC_FUTURE_H

#include <hocket/executor.h>
#include <hocket/future.h>
#include <hocket/thread.h>

#include "exec/lines.h"
#include "park/guard.h"
#include "park/scope.h"
#include "strand/carrier.h"

struct hkti_member;
struct hkti_context_node;

enum {
    HKTI_FUTURE_PENDING,
    HKTI_FUTURE_RUNNING,
    HKTI_FUTURE_SETTING,
    HKTI_FUTURE_CANCELLED,
    HKTI_FUTURE_FINISHED,
    HKTI_FUTURE_STEP = 7,

    HKTI_FUTURE_WATCHED = 8,
    HKTI_FUTURE_BUSY = 16,
    HKTI_FUTURE_SETTLED = 32,
    HKTI_FUTURE_DETACHED = 64,
    HKTI_FUTURE_QUEUED = 128,
    HKTI_FUTURE_SEEN = 256,
    HKTI_FUTURE_REMOTE = 512,
};

/* Somebody who wants to know that a future is done; lies with him. */
struct hkti_watch {
    struct hkti_watch *next;
    /* Called once, by who finishes or cancels it, under the future's guard: may take guards of its
     * own and hkti_wake, no more. */
    void (*done)(struct hkti_watch *watch, hkt_future *future);
    bool late; /* `done` is called after that, without the guard, the future still being there */
};

struct hkt_future {
    hkt_job *job;
    void *arg;
    hkt_executor *executor; /* NULL: of a producer */
    uint32_t state;
    uint32_t guard;
    int result;
    uint8_t priority;
    bool no_foreign_work;
    bool is_task; /* `arg` is its hkti_task */
    bool eager_start;
    struct hkti_watch *watches; /* the last added first */
    char *sentence;             /* HKT_SENTENCE_MAX bytes, or NULL */
    union {
        struct hkti_scope *scope; /* of the running job */
        void *parcel;             /* of a remote one: its engine's */
        struct hkt_future *next;  /* while nobody uses it */
    };
};

_Static_assert(sizeof(struct hkt_future) == 64, "a future is one cache line");

/* What the future of a task has besides, and that of any job that has a name, a context or a group. One
 * line, given back with the future. Its engine may touch it until the job has begun; the job's own
 * thread after that. */
struct hkti_task {
    hkt_future *future;
    void *arg;                         /* the user's */
    struct hkti_context_node *context; /* that it will begin in */
    char *name;                        /* a line; NULL: it has none */
    struct hkti_ready ready;           /* the engine's */
    uint32_t number, parent;    /* of the engine: from 1 on; who spawned it, 0: none of these */
    struct hkti_member *member; /* of a task group; NULL */
};
_Static_assert(sizeof(struct hkti_task) == HKTI_LINE, "one line");

/* A future becomes a task's: false without memory, and what there is goes with the future. Its line is
 * given back. Its job is run, if its group lets it begin. (task.c) */
bool hkti_task_add(hkt_future *future, const char *name, struct hkti_member *member);
void hkti_task_release(struct hkti_task *task);
int hkti_task_run(struct hkti_task *task, struct hkti_scope *scope);

/* For who is in a signal handler: the name that the calling strand's job has, else its thread's; NULL. */
const char *hkti_job_name(void);

/* Cut to its size: false without memory. */
bool hkti_task_keep_name(struct hkti_task *task, const char *name);

/* The name of a future's job, given or "Task-N"; it must stay meanwhile. */
void hkti_task_name(const hkt_future *future, char name[HKT_NAME_MAX]);

static inline bool hkti_future_is_remote(const hkt_future *future)
{
    return hkti_load_relaxed(&future->state) & HKTI_FUTURE_REMOTE;
}

static inline struct hkti_task *hkti_future_task(const hkt_future *future)
{
    return future->is_task ? (struct hkti_task *)future->arg : NULL;
}

/* A pending one, to be queued and run; NULL: no memory. */
hkt_future *hkti_future_make(hkt_job *job, void *arg, hkt_executor *executor,
                             const hkt_submit_options *options, struct hkti_member *member);
/* It was not handed in after all. */
void hkti_future_unmake(hkt_future *future);

/* hkt_submit_with, of a group's child too; NULL: of none. */
int hkti_submit(hkt_executor *executor, hkt_future **future, hkt_job *job, void *arg,
                const hkt_submit_options *options, struct hkti_member *member);

/* Takes the job of a pending future: true if nobody was quicker. `queued`: the caller takes it out of
 * its engine's queue, and if somebody was quicker has nothing more to do with it. */
bool hkti_future_claim(hkt_future *future, bool queued);

/* Runs the job of a claimed future in the calling strand, in a scope of its own, which the caller's
 * scopes reach unless it is shielded, and finishes it. */
void hkti_future_execute(hkt_future *future, bool shield);

/* The jobs that a strand is in: more than one where jobs run inside the waits of others. */
struct hkti_run {
    hkt_future *future;
    struct hkti_run *outer;
};
/* Is the caller in a job of this executor? */
bool hkti_is_inside(const hkt_executor *executor);

/* The coroutine that runs it, if its thread is that of this strand; else NULL. */
struct hkti_coroutine *hkti_future_coroutine(hkt_future *future, const struct hkti_strand *home);

/* Ends a claimed future with an error, its job not run. */
void hkti_future_fail(hkt_future *future, int err);
/* Ends a claimed future whose job has run elsewhere, or was taken back; `sentence` NULL: none. */
void hkti_future_settle(hkt_future *future, int result, const char *sentence);
void hkti_future_recalled(hkt_future *future);

/* Sets BUSY, unless it is done: false. It does not end, so its executor stays, until the release. */
bool hkti_future_hold(hkt_future *future);
void hkti_future_unhold(hkt_future *future);
/* Of a remote one that is claimed: takes the job back, if it has not begun; false if it has. And has
 * it? (remote.c) */
bool hkti_future_recall(hkt_future *future);
bool hkti_future_began(hkt_future *future);

/* 0: it will be told; 1: it is done already, and will not be told. */
int hkti_future_watch(hkt_future *future, struct hkti_watch *watch);
/* After this it is not told and nobody is telling it. */
void hkti_future_unwatch(hkt_future *future, struct hkti_watch *watch);
/* The same for who has the future's guard. */
int hkti_future_watch_guarded(hkt_future *future, struct hkti_watch *watch);
void hkti_future_unwatch_guarded(hkt_future *future, struct hkti_watch *watch);

static inline bool hkti_future_step_is_done(uint32_t state)
{
    return (state & HKTI_FUTURE_STEP) >= HKTI_FUTURE_CANCELLED;
}

/* Done: what the job returned; marks a failure as seen. */
int hkti_future_code(hkt_future *future);
/* Copies the sentence that the failed job left (none: nothing) to the calling strand as its own. */
void hkti_future_adopt_sentence(hkt_future *future);

/* Is this the future of a job that the caller is in? */
bool hkti_future_is_own(hkt_future *future);
/* Waits, for the end of the caller's scope too, and for the other things that hkt_future_wait_until
 * says. `cancels`: the caller cancels the job then. */
int hkti_future_await(hkt_future *future, int64_t deadline, bool cancels);
/* Waits for the end in any case; not for that of a job that the caller is in. */
void hkti_future_await_end(hkt_future *future);

/* What a job waits for: futures, NULL among them for none. It stays for as long as it is waited for,
 * again and again; those before `next` need no look any more. */
struct hkti_wanted {
    hkt_future *const *futures;
    size_t count, next;
    bool cancels; /* the end of the caller's scope ends them */
    /* Others than those: one that nobody has begun, claimed, of this executor; NULL: none. */
    hkt_future *(*claim)(struct hkti_wanted *wanted, const hkt_executor *executor);
};

/* Before a wait for these by a job: its worker gets ready to run others meanwhile, and these in any
 * case; if the job must not let others run on its thread, it runs these here and now. *for_jobs: what
 * to say in the wait. 0, -ENOMEM. And after the wait. (await.c) */
int hkti_futures_prepare(struct hkti_wanted *wanted, bool *for_jobs);
void hkti_futures_waited(void);

#endif
