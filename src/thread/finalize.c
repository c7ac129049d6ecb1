/* SPDX-License-Identifier: MIT */
/* The end of hocket in a process: what it keeps for the process and the calling thread is given
 * back. */
#include <errno.h>
#include <hocket/memory.h>

#include "thread/thread.h"

int hkt_finalize(void)
{
    hkti_signal_report_stop();
    bool all = hkti_strand_events_finalize();
    size_t departing;
    for (unsigned turns = 0; hkti_registry_ours(&departing) > 0; turns++) {
        if (departing == 0)
            return -EBUSY;
        hkti_os_yield(turns);
    }
    hkti_strand_forget(hkti_self());
    return all ? 0 : -EBUSY;
}
