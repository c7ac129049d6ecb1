/* SPDX-License-Identifier: MIT */
/* The loop inside. A loop is a carrier; its ready list has, in the order of coming, coroutines
 * that may go on, tasks that are to begin, and callbacks that are to be called.
 *
 * A turn: the thread's own strand (the base) takes in what other threads handed in, looks at the
 * timers and the fds, and switches to the first in the ready list. From there on no scheduler's
 * stack is needed: who parks or ends takes out the next one and switches to it, or begins it, on
 * a fresh stack or (who ended) on his own. When the list is empty, or the turn's budget is used
 * up, the base goes on, so fds, timers and other threads get their turn however busy the tasks
 * are.
 *
 * With nothing ready the base sleeps: on a futex, or in the poller once there are fds; for
 * others to ring the doorbell (a nudge of the base, after they have pushed: strand/carrier.h has
 * why none is missed), for the first timer, for an fd, for the end of the scope around
 * hkt_loop_run.
 *
 * Driven by a foreign loop there is nobody who sleeps: between two steps the doorbell is a
 * strand of the loop's own, `outside`, that pretends to sleep in the poller; so who rings writes
 * to its eventfd, which is in the poller's set, as is a timerfd; the set is the fd that the
 * foreign loop waits for. The doorbell is changed first, then the loop looks at what was handed
 * in.
 *
 * The end: `closed` is set, then nobody outside hands in any more (who does, says so in
 * `visitors` first, then looks at closed; sequentially consistent, so the loop sees what was
 * handed in).
 *
 * Who may touch what (others than the loop's thread as visitors): closed, stop, running,
 * signals, carrier.remote, carrier.visitors by anybody, atomically; node under the guard of
 * loops; the rest by the loop's thread. */
#ifndef HKTI_LOOP_LOOP_H
#define HKTI_LOOP_LOOP_H

#include <hocket/loop.h>
#include <hocket/task.h>

#include "exec/executor.h"
#include "park/wait.h"
#include "strand/carrier.h"

/* What may be begun: hkti_ready.begins. */
enum { HKTI_BEGINS_TASK = 1, HKTI_BEGINS_CALL = 2 };

/* How many go on in a turn. */
enum { HKTI_LOOP_BUDGET = 64 };

/* What hkt_handle is. */
struct __attribute__((may_alias)) hkti_handle {
    struct hkti_ready ready;
    struct hkti_alarm alarm;
    hkt_loop *loop;
    hkt_job *callback;
    void *arg;
    struct hkti_context_node *context;
    uint8_t state; /* of handle.c */
    bool owned;    /* the loop's memory */
};
_Static_assert(sizeof(struct hkti_handle) <= sizeof(hkt_handle), "hkt_handle has room");

struct hkti_poller;
struct hkti_watcher;

struct hkt_loop {
    struct hkti_carrier carrier; /* first */
    struct hkt_executor executor;
    unsigned budget;            /* what may still go on in this turn */
    uint32_t numbers;           /* of tasks, so far */
    size_t live;                /* tasks and callbacks that have begun and not ended */
    struct hkti_ready *first;   /* what a fresh coroutine begins with */
    hkt_future *main;           /* of hkt_loop_run; NULL */
    struct hkti_poller *poller; /* NULL: nobody waits for fds */
    struct hkti_watcher *watchers;
    uint32_t closed, stop, running;
    uint64_t signals; /* that came, a bit each; atomic */
    bool cancellable; /* the end of the base's scope has not been seen */
    bool forever;     /* hkt_loop_run_forever runs: `stop` is heard */
    bool hot;         /* the last one who ended its sleep was another thread */
    bool driven;      /* by a foreign loop */
    bool debug;
    int64_t slow, resumed_at; /* debug: ns */
    int64_t grace;            /* ns */
    struct hkti_node node;    /* of all loops */
    struct hkti_strand outside;
    char name[HKT_NAME_MAX];
};

extern const struct hkti_executor_ops hkti_loop_ops;
void hkti_loop_park(struct hkti_carrier *carrier, struct hkti_coroutine *self, bool for_jobs);

/* Is the caller on the loop's thread? */
static inline bool hkti_loop_is_here(const hkt_loop *loop)
{
    return ((struct hkti_strand *)hkti_os_local())->home == loop->carrier.base;
}
/* Else abort. */
void hkti_loop_must_be_here(const hkt_loop *loop, const char *call);

/* Hands in what is to begin, from any thread: 0, -ESHUTDOWN. */
int hkti_loop_hand_in(hkt_loop *loop, struct hkti_ready *ready);

/* A task of the loop, whosever executor its future has. From any thread: 0, -ESHUTDOWN. */
int hkti_loop_submit(hkt_loop *loop, hkt_future *future, bool may_be_eager);

/* One turn: what is ready goes on, at the most as much as the budget says. How many did. */
unsigned hkti_loop_turn(hkt_loop *loop);
/* Turns until main has ended, or (NULL) stop, or (drain) nothing is left, or the deadline. */
void hkti_loop_drive(hkt_loop *loop, bool drain, int64_t deadline);

/* Runs a callback that is ready; lets go those whose time has not come. (handle.c) */
void hkti_handle_run(struct hkti_handle *handle);
void hkti_handles_end(hkt_loop *loop);

/* Cancels all tasks; how many there were. Tells the sink which have not ended. (task.c) */
size_t hkti_loop_cancel_tasks(hkt_loop *loop);
void hkti_loop_complain(hkt_loop *loop);

/* The poller, made at its first use: 0, -EMFILE, -ENOMEM. (poller.c) */
int hkti_poller_open(hkt_loop *loop);
void hkti_poller_close(hkt_loop *loop);
int hkti_poller_watch(struct hkti_carrier *carrier, struct hkti_fd_watch *watch);
void hkti_poller_unwatch(struct hkti_carrier *carrier, struct hkti_fd_watch *watch);
/* Looks at the fds without waiting. */
void hkti_poller_look(hkt_loop *loop);
extern const struct hkti_sleeper hkti_sleeper_poller;

/* Watchers and signal handlers are taken back. (watcher.c, signal.c) */
void hkti_watchers_end(hkt_loop *loop);
void hkti_signals_end(hkt_loop *loop);

/* All loops, for the task tree. (tree.c) */
void hkti_loops_add(hkt_loop *loop);
void hkti_loops_remove(hkt_loop *loop);

#endif
