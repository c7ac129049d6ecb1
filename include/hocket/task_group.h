/* SPDX-License-Identifier: MIT */
/* Task groups: jobs that belong together. A block of code starts them, and is not left before
 * all have ended; the first failure cancels the others.
 *
 *     hkt_task_group group = { 0 };
 *     hkt_task_group_enter(&group, NULL);
 *     int err = 0;
 *     for (int i = 0; err == 0 && i < 5; i++)
 *         err = hkt_task_group_spawn(&group, NULL, download, &pages[i]);
 *     err = hkt_task_group_leave(&group, err);
 *
 * The jobs are tasks of the loop that the caller runs in; or jobs of its pool; or of any
 * executor that the options name. The body between enter and leave runs in a scope of the
 * group's, which ends when the group does. The model is asyncio.TaskGroup, and trio's nursery. */
#ifndef HOCKET_TASK_GROUP_H
#define HOCKET_TASK_GROUP_H

#include <hocket/executor.h>

HKT_BEGIN_DECLS

/* Yours, on the stack as a rule; all zero before enter. Stays until leave has returned something
 * else than -ETIMEDOUT; then it may be entered again after it has been set to zero. */
typedef struct hkt_task_group {
    uint64_t hkt_private[48];
} hkt_task_group;

typedef struct hkt_task_group_options {
    hkt_executor
        *executor;   /* NULL: that of the caller, or hkt_default_executor() if he is in none */
    size_t limit;    /* children at a time, after which spawn waits; 0: no limit. Children of the
                               group that spawn into it do not wait */
    double patience; /* seconds that leave waits for cancelled children before it tells the
                               report sink which they are; 0: 10. It goes on waiting */
    uint64_t reserved[4]; /* zero */
} hkt_task_group_options;

/* The calling strand enters the group; NULL options: the defaults. Not a cancellation point.
 * (TaskGroup.__aenter__) */
HKT_API void hkt_task_group_enter(hkt_task_group *group, const hkt_task_group_options *options);

/* Starts job(arg) as a child: 0 and its task, in *task if that is not NULL, which is destroyed
 * by the caller (hkt_future_destroy), at any time. By the owner, the children, or anybody else,
 * as long as the owner is in the body or a child runs. -ECANCELED: the group has ended, by a
 * failure or a cancel, or the caller's scope has. -ESHUTDOWN: it has been left, or was not
 * entered. Errors of hkt_submit; a failed spawn leaves the group as it was. A cancellation
 * point. (TaskGroup.create_task) */
HKT_API int hkt_task_group_spawn(hkt_task_group *group, hkt_future **task, hkt_job *job, void *arg);
HKT_API int hkt_task_group_spawn_with(hkt_task_group *group, hkt_future **task, hkt_job *job,
                                      void *arg, const hkt_submit_options *options);

/* Ends the group: the body's and the children's waits return -ECANCELED from now on, children
 * that have not begun do not begin, and leave returns 0 unless something failed before. From
 * anywhere, also before enter, as often as you like, as long as the memory is there. Never
 * waits. (TaskGroup.cancel) */
HKT_API void hkt_task_group_cancel(hkt_task_group *group);

/* Has it ended, by a failure or a cancel? */
HKT_API bool hkt_task_group_cancelled(const hkt_task_group *group);

/* The owner leaves the body, with what came out of it: 0, or an error, which cancels the
 * children. Waits until all have ended, in any case. Returns the first failure in time, the
 * body's or a child's, with its sentence; a child that was cancelled has not failed. Else
 * -ECANCELED if the caller's scope ended, which cancels the children too. Else 0. Scopes entered
 * in the body have been left before. (TaskGroup.__aexit__) */
HKT_API HKT_MUST_USE int hkt_task_group_leave(hkt_task_group *group, int err);

/* The same, but waits no longer than the deadline. -ETIMEDOUT: children still run and use your
 * memory. The group stays, may be cancelled, and is left again, by either function; the body has
 * been left. */
HKT_API HKT_MUST_USE int hkt_task_group_leave_until(hkt_task_group *group, int err,
                                                    hkt_deadline deadline);

/* How many children have not ended. */
HKT_API size_t hkt_task_group_count(const hkt_task_group *group);

/* Runs job(item) for each of the `count` items of `size` bytes from `items` on, side by side, and
 * returns when all have ended: hkt_map, on the executor that the caller is in.
 *
 *     err = hkt_gather(download, HKT_ARRAY(pages));
 *
 * (asyncio.gather; `.keep_going` is return_exceptions) */
HKT_API HKT_MUST_USE int hkt_gather(hkt_job *job, void *items, size_t count, size_t size);
HKT_API HKT_MUST_USE int hkt_gather_with(hkt_job *job, void *items, size_t count, size_t size,
                                         const hkt_map_options *options);

/* Runs job(arg) on a thread, where it may block in calls that are not ours, while the caller
 * waits: what it returned, with its sentence. The threads are those of a pool of the process for
 * this purpose, up to 32, started when needed. When the caller's scope ends, so does the job's,
 * and it is awaited all the same, since it uses your memory. Errors of hkt_submit.
 * (asyncio.to_thread) */
HKT_API HKT_MUST_USE int hkt_to_thread(hkt_job *job, void *arg);

HKT_END_DECLS
#endif
