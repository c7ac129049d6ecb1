/* SPDX-License-Identifier: MIT */
/* The executors of the process, and what this layer keeps for the process and its threads. They are
 * made at the first use, and ended by hkt_finalize. The one who sets the place from NULL has made it;
 * who comes second gives his own back, which has started no thread yet. */
#include <errno.h>
#include <hocket/task_group.h>
#include <hocket/thread_pool.h>

#include "base/report.h"
#include "exec/executor.h"
#include "exec/lines.h"
#include "strand/stack.h"

#define BLOCKING_WORKERS 32

static hkt_executor *made;     /* for jobs that compute */
static hkt_executor *blocking; /* for jobs that block in calls that are not ours */

static hkt_executor *find(hkt_executor **place, const hkt_thread_pool_options *options)
{
    hkt_executor *found = hkti_load_acquire(place); /* pairs: default-executor */
    if (__builtin_expect(found != NULL, 1))
        return found;
    if (hkt_thread_pool_create(&found, options) < 0)
        return NULL;
    if (hkti_cas_acq_rel(place, (hkt_executor *)0, found)) /* pairs: default-executor */
        return found;
    hkt_executor_destroy(found);
    return hkti_load_acquire(place); /* pairs: default-executor */
}

hkt_executor *hkt_default_executor(void)
{
    return find(&made, &(hkt_thread_pool_options){ .name = "hocket", .daemon = true });
}

int hkt_to_thread(hkt_job *job, void *arg)
{
    hkt_executor *pool = find(
        &blocking, &(hkt_thread_pool_options){
                       .max_workers = BLOCKING_WORKERS, .name = "blocking", .daemon = true });
    hkt_future *future;
    if (pool == NULL)
        return -ENOMEM;
    int err = hkt_submit(pool, &future, job, arg);
    return err < 0 ? err : hkt_future_finish(future);
}

/* A thread ends while one of its coroutines runs: jobs are left by return alone. */
static void ends(struct hkti_strand *self)
{
    if (hkti_os_local() != self)
        hkti_misuse("a job on thread %d called pthread_exit: it must return", self->native_id);
    if (self->forks)
        hkti_misuse("thread %d called pthread_exit in hkt_fork_run: it must return",
                    self->native_id);
    hkti_lines_empty(self);
}

static bool finalize(void)
{
    /* pairs: default-executor */
    hkt_executor_destroy(hkti_exchange_acq_rel(&made, (hkt_executor *)0));
    /* pairs: default-executor */
    hkt_executor_destroy(hkti_exchange_acq_rel(&blocking, (hkt_executor *)0));
    hkti_stacks_trim();
    return hkti_lines_finalize();
}

static struct hkti_strand_events events = { .ends = ends, .finalize = finalize };

__attribute__((constructor(200))) static void begin(void)
{
    hkti_strand_events_add(&events);
}
