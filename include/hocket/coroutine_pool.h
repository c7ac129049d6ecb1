/* SPDX-License-Identifier: MIT */
/* The coroutine engine: an executor whose jobs are tasks of loops, which it runs on threads of
 * its own. For jobs that wait more than they compute: a thread pool would need a thread for
 * each.
 *
 *     hkt_executor *pool;
 *     int err = hkt_coroutine_pool_create(&pool, NULL);
 *
 * The same job runs here and on threads. Its waits park it, and its thread goes on with another
 * one; what blocks in calls that are not ours holds up all jobs of its loop (hkt_to_thread).
 * Others run in every wait of a job here, so .no_foreign_work has no effect: hold no foreign
 * lock over a wait. */
#ifndef HOCKET_COROUTINE_POOL_H
#define HOCKET_COROUTINE_POOL_H

#include <hocket/executor.h>

HKT_BEGIN_DECLS

typedef struct hkt_coroutine_pool_options {
    unsigned max_tasks; /* jobs at a time that do not wait for jobs, over all loops; 0: 1024 */
    unsigned loops;     /* threads, each with a loop; 0: 1; -EINVAL above 1024 */
    const char *name;   /* of the threads: "NAME-1" and so on; copied; NULL: "coroutines" */
    size_t stack_size;  /* bytes, of each job; 0: 64 KiB; -EINVAL below 16 KiB or above 64 MiB */
    size_t max_pending; /* jobs that have not begun, after which outsiders wait in hkt_submit; 0: a
                             million */
    double grace;       /* seconds that tasks have after the end, as in hkt_loop_options */
    uint64_t reserved[4]; /* zero */
} hkt_coroutine_pool_options;

/* NULL options: the defaults. Starts the threads. 0, -ENOMEM, -EINVAL; -EAGAIN if the system
 * gives no thread. */
HKT_API HKT_MUST_USE int hkt_coroutine_pool_create(hkt_executor **executor,
                                                   const hkt_coroutine_pool_options *options);

HKT_END_DECLS
#endif
