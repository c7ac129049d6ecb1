/* SPDX-License-Identifier: MIT */
/* The end of this process, and what its children have to do with it; and what a copy of it forgets.
 *
 * At exit daemons are sent SIGTERM, the others are waited for as threads are. What still runs then ends
 * with us: its server is asked to end, and kills it. hkt_finalize ends servers and supervisor when no
 * child runs any more. */
#include <errno.h>
#include <hocket/scope.h>
#include <stdio.h>
#include <string.h>

#include "base/report.h"
#include "exec/exit.h"
#include "park/strand.h"
#include "proc/arena.h"
#include "proc/start.h"
#include "thread/thread.h"

static struct hkti_node *volatile forgotten; /* the parent's children, in a copy: not lost */

/* The first child that runs and was started after that one, by whether it is a daemon: with a
 * reference. */
static struct hkt_process *somebody(bool daemon, uint64_t after)
{
    struct hkt_process *found = NULL;
    hkti_guard_acquire(&hkti_children_guard);
    for (struct hkti_node *node = hkti_children.next; node && node != &hkti_children && !found;
         node = node->next) {
        struct hkt_process *process = HKTI_CONTAINER(node, struct hkt_process, node);
        if (process->daemon == daemon && process->serial > after &&
            hkti_load_relaxed(&process->state) == HKTI_PROCESS_STARTED &&
            !hkti_load_seq_cst(&process->record->over)) /* pairs: bell */
            found = process;
    }
    if (found)
        hkti_fetch_add_relaxed(&found->refs, 1);
    hkti_guard_release(&hkti_children_guard);
    return found;
}

static void each(bool daemon, void (*function)(struct hkt_process *process))
{
    struct hkt_process *process;
    for (uint64_t after = 0; (process = somebody(daemon, after)) != NULL;) {
        after = process->serial;
        function(process);
        hkti_process_unref(process);
    }
}

static void terminate(struct hkt_process *process)
{
    (void)hkt_process_terminate(process);
}

static void begins(void)
{
    each(true, terminate);
}

static int join_until(hkt_deadline deadline)
{
    struct hkt_process *process;
    int err = 0;
    while (err == 0 && (process = somebody(false, 0)) != NULL) {
        err = hkt_process_join_until(process, deadline);
        hkti_process_unref(process);
    }
    return err;
}

static void report_one(struct hkt_process *process)
{
    hkti_report_line("the process ends while its child \"%s\" (%d) runs, which ends with it: "
                     "hkt_join_all at the end of main waits for it, a daemon is not waited for",
                     process->record->name, process->record->pid);
}

static void report(void)
{
    each(false, report_one);
}

static void ends(void)
{
    hkti_servers_end();
}

void hkti_proc_watch(void)
{
    static const struct hkti_exit_hook hook = {
        .begins = begins, .join_until = join_until, .report = report, .ends = ends
    };
    if (hkti_load_relaxed(&hkti_exit_hook))
        return;
    hkti_store_release(&hkti_exit_hook, &hook); /* pairs: exit-hook */
    hkti_exit_watch();
}

void hkti_proc_leave(void)
{
    hkt_scope shield;
    if (hkti_load_relaxed(&hkti_forked))
        return;
    hkt_scope_enter(&shield, &(hkt_scope_options){ .shield = true });
    if (hkti_load_relaxed(&hkti_exit_hook))
        begins();
    hkti_exit_run();
    (void)hkt_join_all();
    if (hkti_load_relaxed(&hkti_exit_hook))
        ends();
    hkti_processes_sweep(); /* daemons have ended with their server */
    (void)hkt_scope_leave(&shield);
}

static bool finalize(void)
{
    hkti_processes_sweep();
    hkti_guard_acquire(&hkti_children_guard);
    bool some = !hkti_list_empty(&hkti_children);
    hkti_guard_release(&hkti_children_guard);
    if (some)
        return false;
    hkti_servers_end();
    hkti_supervisor_stop();
    if (hkti_arena_is_open())
        hkti_records_sweep(0);
    hkti_function_forget();
    return true;
}

/* A copy keeps no child's sentinel from being readable. */
static void close_sentinels(void)
{
    for (struct hkti_node *node = hkti_children.next; node && node != &hkti_children;
         node = node->next)
        hkti_os_close(HKTI_CONTAINER(node, struct hkt_process, node)->told);
}

static void in_fork_child(void)
{
    close_sentinels();
    hkti_children_guard = 0;
    forgotten = hkti_children.next;
    hkti_children = (struct hkti_node){ 0 };
    hkti_servers_forget();
    hkti_supervisor_forget();
    hkti_run_forget();
}

static struct hkti_strand_events events = { .finalize = finalize };

__attribute__((constructor(200))) static void begin(void)
{
    hkti_strand_events_add(&events);
    (void)hkti_os_at_fork(in_fork_child);
}
