/* SPDX-License-Identifier: MIT */
/* What every executor is, seen from inside: the engine's functions, and how many jobs at a time. The
 * thread pool has its own; engines of users are all behind those of open.c. */
#ifndef HKTI_EXEC_EXECUTOR_H
#define HKTI_EXEC_EXECUTOR_H

#include "exec/attend.h"
#include "exec/future.h"

/* What an engine has besides whose jobs run in another address space. Of its futures `parcel` is the
 * engine's. A future that it is asked about is BUSY meanwhile, unless it says otherwise: it does not
 * end. */
struct hkti_remote_ops {
    int (*map)(hkt_executor *executor, hkt_job *job, void *items, size_t count, size_t size,
               const hkt_map_options *options);
    /* Takes back the job of a running future that has not begun: 0, and the caller ends the future,
     * then gives *parcel back by `recalled`; -EBUSY: it has begun; -EAGAIN: it is about to end. */
    int (*recall)(hkt_executor *executor, hkt_future *future, void **parcel);
    void (*recalled)(hkt_executor *executor, void *parcel);
    /* Has the job of a running future begun? */
    bool (*began)(hkt_executor *executor, hkt_future *future);
    /* The engine is to end the job, soon. Not BUSY, but sure not to be given back; takes no guards but
     * the engine's own. */
    void (*request)(hkt_executor *executor, hkt_future *future);
    struct hkti_attend_ops attend;
};

struct hkti_executor_ops {
    /* Takes the future, to run it once; a negative result refuses it. The options, which may be NULL,
     * are in the future, but for the size of the argument and the deadline. */
    int (*submit)(hkt_executor *executor, hkt_future *future, const hkt_submit_options *options);
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
    const struct hkti_remote_ops *remote; /* NULL: its jobs run in this process */
};

struct hkt_executor {
    const struct hkti_executor_ops *ops;
    unsigned max_workers;
    bool tasks;           /* its futures are tasks */
    uint32_t gave_up;     /* a shutdown_until ended before the jobs did */
    uint32_t future_bits; /* HKTI_FUTURE_REMOTE, if its futures are; else 0 */
};

#endif
