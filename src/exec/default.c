/* SPDX-License-Identifier: MIT */
/* The executor of the process, and what this layer keeps for the process and its threads: it is made
 * at the first use, and ended by hkt_finalize. The one who sets `made` from NULL has made it; who
 * comes second gives his own back, which has started no thread yet. */
#include <hocket/thread_pool.h>

#include "base/report.h"
#include "exec/executor.h"
#include "strand/stack.h"

static hkt_executor *made;

hkt_executor *hkt_default_executor(void)
{
    hkt_executor *found = hkti_load_acquire(&made); /* pairs: default-executor */
    if (__builtin_expect(found != NULL, 1))
        return found;
    hkt_thread_pool_options options = { .name = "hocket", .daemon = true };
    if (hkt_thread_pool_create(&found, &options) < 0)
        return NULL;
    if (hkti_cas_acq_rel(&made, (hkt_executor *)0, found)) /* pairs: default-executor */
        return found;
    hkt_executor_destroy(found);
    return hkti_load_acquire(&made); /* pairs: default-executor */
}

/* A thread ends while one of its coroutines runs: jobs are left by return alone. */
static void ends(struct hkti_strand *self)
{
    if (hkti_os_local() != self)
        hkti_misuse("a job on thread %d called pthread_exit: it must return", self->native_id);
    if (self->forks)
        hkti_misuse("thread %d called pthread_exit in hkt_fork_run: it must return",
                    self->native_id);
    hkti_future_cache_empty(self);
}

static bool finalize(void)
{
    hkt_executor *found = hkti_exchange_acq_rel(&made,
                                                (hkt_executor *)0); /* pairs: default-executor */
    hkt_executor_destroy(found);
    hkti_stacks_trim();
    return hkti_future_cache_finalize();
}

static struct hkti_strand_events events = { .ends = ends, .finalize = finalize };

__attribute__((constructor)) static void begin(void)
{
    hkti_strand_events_add(&events);
}
