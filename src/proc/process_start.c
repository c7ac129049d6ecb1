/* SPDX-License-Identifier: MIT */
/* Starts: which way, and the answer.
 *
 * A start that its server did not live to answer is tried again by a new server: what the old one may
 * have begun is dead by then, since the supervisor has seen to that before it says so. */
#include <errno.h>
#include <hocket/error.h>
#include <string.h>

#include "os/os.h"
#include "park/strand.h"
#include "proc/arena.h"
#include "proc/start.h"

#define TRIES 4

static uint32_t chosen_method = HKT_START_FORKSERVER;

/* Every start begins with a clean record, and a slot in the family. */
int hkti_process_prepare(struct hkt_process *process)
{
    struct hkti_process_record *record = process->record;
    record->over = record->answered = record->left = record->returned = 0;
    record->error = 0;
    record->pid = 0;
    record->method = process->method;
    record->tell = process->ended != NULL;
    record->parent = hkti_family_token();
    record->parent_pid = hkt_process_pid(hkt_process_current());
    memcpy(record->parent_name, hkt_process_name(hkt_process_current()), HKT_NAME_MAX);
    if (record->parent == 0)
        return -ENOMEM;
    hkti_records_take_out(record); /* of an earlier try */
    record->token = hkti_family_reserve(record->parent);
    if (record->token == 0)
        return hkt_fail(-EAGAIN, "the family has %d processes already", HKTI_FAMILY_MAX);
    hkti_records_enter(record);
    int err = hkti_function_encode(process->function, &record->function);
    if (err < 0)
        hkti_family_bury(record->token);
    return err;
}

void hkti_process_list(struct hkt_process *process)
{
    static uint64_t serials; /* under the guard */
    hkti_fetch_add_relaxed(&process->refs, 1);
    hkti_guard_acquire(&hkti_children_guard);
    process->serial = ++serials;
    process->listed = true;
    process->orphan = process->server && process->server->gone;
    hkti_list_append(&hkti_children, &process->node);
    hkti_guard_release(&hkti_children_guard);
}

/* A start that failed. False: the supervisor is at it, and will set `left`. */
static bool unlist(struct hkt_process *process)
{
    hkti_guard_acquire(&hkti_children_guard);
    bool ours = !(process->server && process->server->gone) || process->orphan;
    process->orphan = false;
    hkti_list_remove(&process->node);
    process->listed = false;
    hkti_guard_release(&hkti_children_guard);
    hkti_process_unref(process);
    return ours;
}

static int ask_once(struct hkt_process *process)
{
    struct hkti_process_record *record = process->record;
    int err = hkti_process_prepare(process);
    if (err < 0)
        return err;
    hkti_process_list(process);
    err = hkti_server_ask(process->server, HKTI_ASK_START, record, 0, hkti_record_fds(record),
                          record->fd_count);
    if (err == 0) {
        (void)hkti_record_await(record, &record->answered, "start of process", process, 0, false);
        if (record->error == 0)
            return 0;
        hkti_record_settle(record, process->server);
        err = record->error;
        if (err != -EPIPE)
            (void)hkt_fail(err, "%s", record->sentence);
    } else if (err != -EPIPE) {
        (void)hkt_fail(err, err == -EBADF ? "one of the fds to be passed is not open"
                                          : "the fds cannot be passed: look at ulimit -n");
    }
    if (!unlist(process))
        while (!hkti_load_acquire(&record->left)) /* pairs: record-left */
            hkti_os_yield(1);
    hkti_family_bury(record->token);
    return err;
}

static int start_by_server(struct hkt_process *process)
{
    bool given = process->server != NULL;
    int err = -EPIPE;
    for (int i = 0; err == -EPIPE && i < TRIES; i++) {
        if (!given) {
            err = hkti_server_get(&process->server);
            if (err < 0)
                return err;
        }
        err = ask_once(process);
        if (err < 0 && !given) {
            if (err == -EPIPE)
                hkti_server_await(process->server);
            hkti_server_unref(process->server);
            process->server = NULL;
        }
        if (given)
            break;
    }
    if (err == -EPIPE)
        err = hkt_fail(-EAGAIN,
                       "the fork server ends as soon as it has begun: has a constructor, or "
                       "the preload function, ended it?");
    return err;
}

static int start(struct hkt_process *process)
{
    if (process->method == HKT_START_DEFAULT)
        process->method = hkt_process_start_method();
    if (hkti_load_relaxed(&hkti_forked))
        return hkt_fail(-EBUSY,
                        "this is a copy, by fork, of a process whose threads ran: it starts "
                        "no processes");
    hkti_proc_watch();
    hkti_processes_sweep();
    if (process->method == HKT_START_FORK && process->server == NULL)
        return hkti_fork_start(process);
    return start_by_server(process);
}

int hkt_process_start(hkt_process *process)
{
    if (process == hkt_process_current() || process == hkt_process_parent())
        return -EALREADY;
    /* pairs: process-start */
    if (!hkti_cas_acquire(&process->state, HKTI_PROCESS_NEW, HKTI_PROCESS_STARTING))
        return -EALREADY;
    int err = start(process);
    /* pairs: process-start */
    hkti_store_release(&process->state, err < 0 ? HKTI_PROCESS_NEW : HKTI_PROCESS_STARTED);
    if (err == 0 && (process->ended || process->method == HKT_START_FORK))
        hkti_supervisor_wake(); /* it waits for this state */
    return err;
}

int hkti_process_spawn(hkt_process **process, hkt_job *function, const void *arg, size_t size,
                       const hkt_process_options *options, struct hkti_server *server,
                       bool ignore_interrupts, void (*ended)(void *arg), void *arg_of_ended)
{
    hkt_process *made;
    int err = hkt_process_create(&made, function, arg, size, options);
    if (err < 0)
        return err;
    made->record->ignore_interrupts = ignore_interrupts;
    made->ended = ended;
    made->arg = arg_of_ended;
    if (server) {
        hkti_fetch_add_relaxed(&server->refs, 1);
        made->server = server;
    }
    err = hkt_process_start(made);
    if (err < 0)
        hkt_process_destroy(made);
    else
        *process = made;
    return err;
}

int hkt_process_spawn(hkt_process **process, hkt_job *function, const void *arg, size_t size,
                      const hkt_process_options *options)
{
    return hkti_process_spawn(process, function, arg, size, options, NULL, false, NULL, NULL);
}

/* Methods. */

int hkt_process_set_start_method(hkt_start_method method)
{
    if ((unsigned)method > HKT_START_FORK)
        return hkt_fail(-EINVAL, "%d is no method of start", (int)method);
    hkti_store_relaxed(&chosen_method, method == HKT_START_DEFAULT ? HKT_START_FORKSERVER : method);
    return 0;
}

hkt_start_method hkt_process_start_method(void)
{
    return (hkt_start_method)hkti_load_relaxed(&chosen_method);
}

size_t hkt_process_start_methods(hkt_start_method methods[], size_t room)
{
    hkt_start_method first = hkt_process_start_method();
    size_t count = 0;
    for (int turn = 0; turn < 2; turn++)
        for (int method = HKT_START_FORKSERVER; method <= HKT_START_FORK; method++) {
            if ((method == (int)first) != (turn == 0) ||
                (method != HKT_START_FORK && !hkti_load_relaxed(&hkti_start_linked)))
                continue;
            if (count < room)
                methods[count] = (hkt_start_method)method;
            count++;
        }
    return count;
}

const char *hkt_start_method_name(hkt_start_method method)
{
    static const char *const names[] = { "default", "forkserver", "spawn", "fork" };
    return (unsigned)method < sizeof names / sizeof *names ? names[method] : "unknown";
}
