/* SPDX-License-Identifier: MIT */
/* The belt at the end of the process, for pools that were not destroyed: they are closed, their jobs
 * get a second altogether to end, then those that still run are named. As for threads, the end of a
 * process must not hang because of a job that never ends.
 *
 * Who may touch what: the list, and a pool's `visited`, under the guard; a pool is not given back
 * while it is visited. */
#include <errno.h>
#include <hocket/scope.h>
#include <stdlib.h>

#include "base/report.h"
#include "exec/executor.h"
#include "exec/exit.h"
#include "os/os.h"
#include "park/guard.h"

#define PATIENCE 1.0 /* seconds */

static uint32_t guard;
static struct hkti_node pools;

static void end_pool(const struct hkti_exit_entry *pool, hkt_deadline deadline)
{
    hkt_executor *executor = pool->executor;
    if (executor->ops->await(executor, (hkt_deadline){ 1 }) == -EDEADLK)
        return; /* one of its jobs called exit */
    executor->ops->close(executor, false);
    if (executor->ops->await(executor, deadline) == -ETIMEDOUT)
        hkti_report_line("the process ends while pool \"%s\" still runs jobs: hkt_executor_destroy "
                         "waits for them, .daemon gives them up at once",
                         pool->name);
    if (pool->finish)
        pool->finish(executor, executor->ops->await(executor, (hkt_deadline){ 1 }) == 0);
}

void hkti_exit_run(void)
{
    if (hkti_load_relaxed(&hkti_forked))
        return;
    hkt_deadline deadline = hkt_after(PATIENCE);
    hkt_scope shield;
    hkt_scope_enter(&shield, &(hkt_scope_options){ .shield = true });
    hkti_guard_acquire(&guard);
    for (struct hkti_node *node; (node = hkti_list_pop(&pools)) != NULL;) {
        struct hkti_exit_entry *pool = HKTI_CONTAINER(node, struct hkti_exit_entry, node);
        if (pool->daemon)
            continue;
        pool->visited = true;
        hkti_guard_release(&guard);
        end_pool(pool, deadline);
        hkti_guard_acquire(&guard);
        pool->visited = false;
    }
    hkti_guard_release(&guard);
    hkt_scope_leave(&shield);
}

void hkti_exit_add(struct hkti_exit_entry *pool)
{
    static uint32_t watched;
#ifdef HKT_SIM
    if (hkti_seam) /* a simulation that fails leaves its pools */
        return;
#endif
    if (hkti_cas_relaxed(&watched, 0, 1))
        (void)atexit(
            hkti_exit_run); /* without memory for it the program ends as if it had no belt */
    hkti_guard_acquire(&guard);
    hkti_list_append(&pools, &pool->node);
    hkti_guard_release(&guard);
}

void hkti_exit_remove(struct hkti_exit_entry *pool)
{
    for (unsigned turns = 0;; turns++) {
        hkti_guard_acquire(&guard);
        bool visited = pool->visited;
        if (!visited && pool->node.next)
            hkti_list_remove(&pool->node);
        hkti_guard_release(&guard);
        if (!visited)
            return;
        hkti_os_yield(turns);
    }
}
