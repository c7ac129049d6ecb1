/* SPDX-License-Identifier: MIT */
/* What every executor is, seen from inside: the engine's functions, and how many jobs at a time. The
 * thread pool has its own; engines of users are all behind those of open.c. */
#ifndef HKTI_EXEC_EXECUTOR_H
#define HKTI_EXEC_EXECUTOR_H

#include "exec/future.h"

struct hkti_executor_ops {
    /* Takes the future, to run it once; a negative result refuses it. */
    int (*submit)(hkt_executor *executor, hkt_future *future);
    void (*close)(hkt_executor *executor, bool cancel_futures);
    /* Waits until all jobs have ended after a close: 0, -ETIMEDOUT, -ECANCELED. */
    int (*await)(hkt_executor *executor, hkt_deadline deadline);
    void (*destroy)(hkt_executor *executor);
    /* A future that hkt_future_run was called for has been dealt with. NULL: nothing to do. */
    void (*ran)(hkt_executor *executor);
    /* A job of it begins to wait for jobs; or has. NULL: nothing to do. */
    void (*waits)(hkt_executor *executor, bool begins);
    /* A job that waits for jobs of its own executor runs those that nobody has begun. */
    bool runs_wanted;
};

struct hkt_executor {
    const struct hkti_executor_ops *ops;
    unsigned max_workers;
    bool tasks;       /* its futures are tasks */
    uint32_t gave_up; /* a shutdown_until ended before the jobs did */
};

#endif
