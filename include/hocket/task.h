/* SPDX-License-Identifier: MIT */
/* Tasks. A task is a future whose job runs in a loop: everything that takes an hkt_future takes
 * it, so it is waited for, asked for its result, cancelled and destroyed as in hocket/future.h.
 * The loop owns it until it has ended, whether or not somebody holds it; a failure that nobody
 * looks at is told to the report sink.
 *
 *     hkt_task *task;
 *     int err = hkt_task_spawn(&task, download, &page);
 *     ...
 *     err = hkt_future_finish(task);
 *
 * Where tasks belong together, hocket/task_group.h has what is better than a spawn. The model is
 * asyncio.Task. */
#ifndef HOCKET_TASK_H
#define HOCKET_TASK_H

#include <hocket/executor.h>
#include <hocket/thread.h>

HKT_BEGIN_DECLS

typedef struct hkt_future hkt_task;

/* Starts job(arg) beside the caller, on the executor that he is a job of, a loop as a rule: 0
 * and the task, in *task unless that is NULL. It begins when the caller waits next; with
 * `eager_start` at once. -EINVAL: the caller is in no task or job (hkt_run begins one). Errors
 * of hkt_submit. A cancellation point. (create_task) */
HKT_API int hkt_task_spawn(hkt_task **task, hkt_job *job, void *arg);
HKT_API int hkt_task_spawn_with(hkt_task **task, hkt_job *job, void *arg,
                                const hkt_submit_options *options);

/* The task, or the job of a pool, that the caller is in: good as long as he is in it, and not
 * his to destroy; NULL: in none. (current_task) */
HKT_API hkt_task *hkt_task_current(void);

/* Its name: the one given, or "Task-3". To give it another one: 0, -ENOMEM, -EINVAL of a job
 * that is no task. While it runs, by the task's own thread alone. (Task.get_name, set_name) */
HKT_API void hkt_task_get_name(const hkt_task *task, char name[HKT_NAME_MAX]);
HKT_API int hkt_task_set_name(hkt_task *task, const char *name);

/* The others that are ready get their turn: a task goes behind them, a thread gives its
 * processor away. 0, or -ECANCELED if the caller's scope has ended. A cancellation point.
 * (asyncio.sleep(0)) */
HKT_API int hkt_yield(void);

/* Runs job(arg) in a scope with that deadline: what it returned; or -ETIMEDOUT if the deadline
 * ended it, that is, if the job then returned -ECANCELED. A result that came all the same is not
 * lost. A cancellation point if the job has one. (wait_for) */
HKT_API HKT_MUST_USE int hkt_wait_for(hkt_job *job, void *arg, double seconds);
HKT_API HKT_MUST_USE int hkt_wait_for_until(hkt_job *job, void *arg, hkt_deadline deadline);

/* What a task does now. */
typedef struct hkt_task_info {
    uint64_t number; /* in its loop, from 1 on */
    uint64_t parent; /* of the task that spawned it; 0: none of this loop */
    bool begun;
    const char *waits_for; /* "lock", "future", ...; NULL when it is ready or runs */
    const void *object;    /* what it waits for, as far as that has an address */
    uint64_t awaits;       /* the number of the task that it waits for; 0: it waits for none */
    char name[HKT_NAME_MAX];
    uint64_t reserved[3];
} hkt_task_info;

/* The tasks of the calling task's loop that have not ended, in the order in which they were
 * made: their number, of which the first `n` are written to `infos`, none without memory. 0
 * outside a loop. (all_tasks, capture_call_graph) */
HKT_API size_t hkt_task_all(hkt_task_info *infos, size_t n);

/* The same as a tree, each task below the one that spawned it, with what each waits for, as text
 * of several lines: its length, of which at the most size - 1 bytes are written.
 * (format_call_graph) */
HKT_API size_t hkt_task_tree_format(char *text, size_t size);

/* Writes the tree of every loop to the report sink, a line a task; from any thread, and by the
 * report that hkt_thread_report_on_signal makes. A loop that does not answer within half a
 * second, since a task of it does not wait, is told so. Waits. (print_call_graph; python -m
 * asyncio pstree) */
HKT_API void hkt_task_tree(void);

HKT_END_DECLS
#endif
