/* SPDX-License-Identifier: MIT */
/* The end of hocket in a process: what it keeps for the process and the calling thread is given back. */
#include <errno.h>
#include <hocket/memory.h>

#include "park/guard.h"
#include "thread/thread.h"

static bool ours_run(void)
{
    bool found = false;
    hkti_guard_acquire(&hkti_registry_guard);
    for (struct hkti_node *node = hkti_registry.next; node && node != &hkti_registry;
         node = node->next)
        found |= !HKTI_CONTAINER(node, struct hkt_thread, node)->foreign;
    hkti_guard_release(&hkti_registry_guard);
    return found;
}

int hkt_finalize(void)
{
    int err = hkti_signal_report_stop();
    if (err < 0 || ours_run())
        return err < 0 ? err : -EBUSY;
    hkti_strand_forget(hkti_self());
    return 0;
}
