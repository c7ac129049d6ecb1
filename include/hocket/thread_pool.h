/* SPDX-License-Identifier: MIT */
/* The thread engine: a pool of threads that runs jobs.
 *
 * Each worker runs its jobs on stacks of its own. A job that waits for jobs (a future, a map)
 * gives its worker free to run others meanwhile, so one worker is enough for jobs that wait for
 * jobs, to any depth; a job that waits for anything else (a lock, a queue, a sleep) keeps its
 * worker, so max_workers bounds the jobs that do not wait for jobs. A job stays on the thread
 * that began it. */
#ifndef HOCKET_THREAD_POOL_H
#define HOCKET_THREAD_POOL_H

#include <hocket/executor.h>

HKT_BEGIN_DECLS

typedef struct hkt_thread_pool_options {
    unsigned max_workers;  /* 0: as many as processors that the process may use, by affinity and by
                               the quota of its control group; -EINVAL above 4096 */
    const char *name;      /* of the threads: "NAME-1" and so on; copied; NULL: "pool" */
    hkt_job *initializer;  /* run by each worker before its first job; a failure breaks the pool: */
    void *initializer_arg; /* all jobs, now and later, end with that error */
    size_t stack_size;     /* bytes, of each job; 0: 1 MiB; -EINVAL below 16 KiB or above 64 MiB */
    size_t max_pending;    /* jobs that have not begun, after which outsiders wait in hkt_submit; 0:
                               a million; above some thousands it is not exact */
    bool no_foreign_work;  /* as if each job were submitted so */
    bool daemon;           /* the end of the process does not wait for its jobs */
    uint64_t reserved[4];  /* zero */
} hkt_thread_pool_options;

/* A pool ends by hkt_executor_destroy. A program that ends without it, by return from main or
 * exit, is held for up to a second while its jobs run; then the sink is told, and it ends. For
 * hkt_join_all its threads are daemons.
 *
 * NULL options: the defaults. Threads are started when jobs come and no worker is idle. 0,
 * -ENOMEM, -EINVAL. (ThreadPoolExecutor) */
HKT_API HKT_MUST_USE int hkt_thread_pool_create(hkt_executor **executor,
                                                const hkt_thread_pool_options *options);

HKT_END_DECLS
#endif
