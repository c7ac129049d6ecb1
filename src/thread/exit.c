/* SPDX-License-Identifier: MIT */
/* The belt at the end of the process: threads, and children, that hkt_join_all would have waited for get a
 * second, then they are named and the process ends without them. The end of a process is C's, and
 * exit must not hang because of a thread that never ends. Children, which are of a layer above, take part
 * by a hook. */
#include <hocket/scope.h>
#include <stdlib.h>

#include "base/report.h"
#include "thread/thread.h"

#define PATIENCE 1.0 /* seconds */
#define NAMED 16     /* threads at the most */

const struct hkti_exit_hook *hkti_exit_hook;

static void report(void)
{
    hkt_thread_info infos[NAMED];
    size_t count = hkt_thread_enumerate(infos, NAMED);
    for (size_t i = 0; i < count && i < NAMED; i++)
        if (!infos[i].foreign && !infos[i].daemon && infos[i].ident != hkt_ident())
            hkti_report_line(
                "the process ends while thread \"%s\" is %s%s%s: hkt_join_all at the end "
                "of main waits for it, a daemon is not waited for",
                infos[i].name, hkt_thread_state_name(infos[i].state),
                infos[i].waits_for ? ", for " : "", infos[i].waits_for ? infos[i].waits_for : "");
}

static void at_exit(void)
{
    if (hkti_load_relaxed(&hkti_forked))
        return;
    const struct hkti_exit_hook *hook = hkti_load_acquire(&hkti_exit_hook); /* pairs: exit-hook */
    hkt_scope shield;
    if (hook)
        hook->begins();
    hkt_scope_enter(&shield, &(hkt_scope_options){ .shield = true });
    int err = hkt_join_all_until(hkt_after(PATIENCE));
    hkt_scope_leave(&shield);
    if (err < 0)
        report();
    if (err < 0 && hook)
        hook->report();
    if (hook)
        hook->ends();
}

void hkti_exit_watch(void)
{
    static uint32_t watched;
    if (hkti_cas_relaxed(&watched, 0, 1))
        (void)atexit(at_exit); /* without memory for it the program ends as if it had no belt */
}
