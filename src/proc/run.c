/* SPDX-License-Identifier: MIT */
/* In a process that was started: who it is, its function, and its end.
 *
 * A copy, by the fork server or by fork, ends by _exit: what its forker has registered with atexit is
 * the forker's. A program anew ends by exit. Both are preceded by what is promised: threads and
 * children that are no daemons are waited for, and files are written out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/report.h"
#include "park/strand.h"
#include "proc/start.h"

static struct hkti_process_record root = { .name = "MainProcess" };
static struct hkt_process current = { .record = &root, .state = HKTI_PROCESS_STARTED };
static struct hkt_process parent;
static void *argument; /* reachable, for those who look for leaks when the function calls exit */

void hkti_run_enter(struct hkti_process_record *record)
{
    hkti_family_become(record->token);
    if (hkti_family_is_dead(record->token))
        _exit(1); /* who started it was killed, and it is buried already */
    current.record = record;
    parent.state = HKTI_PROCESS_STARTED;
    current.daemon = record->daemon;
    parent.record = record;
    (void)prctl(PR_SET_NAME, record->name);
}

hkt_process *hkti_run_current(void)
{
    return &current;
}

hkt_process *hkti_run_parent(void)
{
    return parent.record ? &parent : NULL;
}

bool hkti_run_is_root(void)
{
    return parent.record == NULL;
}

void hkti_run_forget(void)
{
    current.record = &root;
    current.daemon = false;
    parent.record = NULL;
}

/* Its function: what it returned, or an error before it, with a sentence. */
static int run_function(struct hkti_process_record *record)
{
    hkt_job *function;
    int err = hkti_function_decode(record->function, &function);
    if (err < 0)
        return err;
    argument = record->pointer;
    if (record->size) {
        argument = hkti_allocate(record->size);
        if (argument == NULL)
            return hkt_fail(-ENOMEM, "there is no memory for the argument of process \"%.40s\"",
                            record->name);
        memcpy(argument, record->argument, record->size);
    }
    return function(argument);
}

static void tell_failure(struct hkti_process_record *record, int result)
{
    (void)snprintf(record->sentence, sizeof record->sentence, "%s", hkt_sentence(result));
    if (result != -ECANCELED)
        hkti_report_line("process \"%s\" failed: %s", record->name, record->sentence);
}

_Noreturn void hkti_run(struct hkti_process_record *record, enum hkti_run_end end)
{
    int result = run_function(record);
    const struct hkti_strand *self = hkti_os_local();
    if (self->scope)
        hkti_misuse("process \"%s\" returned without leaving scope %p", record->name,
                    (void *)self->scope);
    if (result < 0)
        tell_failure(record, result);
    record->result = result;
    record->returned = 1;
    int code = result >= 0 && result <= 255 ? result : 1;
    hkti_proc_leave();
    if (record->size)
        hkti_release(argument, record->size);
    argument = NULL;
    if (end == HKTI_RUN_EXIT)
        exit(code);
    if (!hkti_load_relaxed(&hkti_forked))
        (void)fflush(NULL);
    else
        (void)fflush(stdout); /* another one may be held by a thread that is not here */
    _exit(code);
}
