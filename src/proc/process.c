/* SPDX-License-Identifier: MIT */
/* Handles of processes, and the record behind each.
 *
 * A handle is listed from its start until somebody has seen that it is over: who joins it, who starts
 * another one, or the supervisor, if it has to tell somebody. So a process that nobody joins keeps its
 * record until then, and a handle that is given back while it runs is found again at the end of the
 * parent. */
#include <errno.h>
#include <hocket/error.h>
#include <hocket/shared.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/report.h"
#include "os/os.h"
#include "proc/arena.h"
#include "proc/start.h"

uint32_t hkti_children_guard;
struct hkti_node hkti_children;
static uint64_t names;

/* Records. */

static struct hkti_process_record *make_record(const void *arg, size_t size,
                                               const hkt_process_options *options)
{
    size_t padded = (size + 15) & ~(size_t)15, fds = options->pass_fd_count * sizeof(int);
    struct hkti_process_record *record = size < SIZE_MAX / 2
                                             ? hkti_shared_allocate(sizeof *record + padded + fds,
                                                                    false)
                                             : NULL;
    if (record == NULL)
        return NULL;
    memset(record, 0, sizeof *record);
    record->size = size;
    record->pointer = size ? NULL : (void *)(uintptr_t)arg;
    record->fd_count = (uint32_t)options->pass_fd_count;
    record->daemon = options->daemon;
    if (size)
        memcpy(record->argument, arg, size);
    if (fds)
        memcpy(hkti_record_fds(record), options->pass_fds, fds);
    if (options->name)
        (void)snprintf(record->name, sizeof record->name, "%s", options->name);
    else
        (void)snprintf(record->name, sizeof record->name, "Process-%llu",
                       (unsigned long long)hkti_fetch_add_relaxed(&names, 1) + 1);
    return record;
}

int hkti_record_await(struct hkti_process_record *record, uint32_t *word, const char *what,
                      const void *object, int64_t deadline, bool cancellable)
{
    struct hkti_listener listener;
    int err = 0;
    if (hkti_load_seq_cst(word)) /* pairs: bell */
        return 0;
    hkti_bell_listen(&record->bell, HKTI_STAKE_WAIT, &listener);
    while (!hkti_load_seq_cst(word) && err == 0) /* pairs: bell */
        err = hkti_bell_wait(&listener, what, object, deadline, cancellable);
    hkti_bell_leave(&listener, err == 0);
    return err;
}

void hkti_record_answer(struct hkti_process_record *record, int error)
{
    record->error = error;
    if (error < 0)
        (void)snprintf(record->sentence, sizeof record->sentence, "%s", hkt_sentence(error));
    hkti_store_seq_cst(&record->answered, 1); /* pairs: bell */
    hkti_bell_ring(&record->bell, INT32_MAX);
}

void hkti_record_refuse(struct hkti_process_record *record, int error)
{
    hkti_record_answer(record, error);
    hkti_store_release(&record->left, 1); /* pairs: record-left */
}

void hkti_record_end(struct hkti_process_record *record, int status, int error)
{
    record->status = status;
    hkti_family_bury(record->token);
    if (!hkti_load_relaxed(&record->answered)) {
        record->error = error;
        hkti_store_seq_cst(&record->answered, 1); /* pairs: bell */
    }
    hkti_store_seq_cst(&record->over, 1); /* pairs: bell */
    hkti_bell_ring(&record->bell, INT32_MAX);
    hkti_store_release(&record->left, 1); /* pairs: record-left */
}

/* Whose ring it is can be killed right before its last touch: then its death is seen soon. */
void hkti_record_settle(struct hkti_process_record *record, struct hkti_server *server)
{
    for (unsigned turns = 0; !hkti_load_acquire(&record->left); turns++) { /* pairs: record-left */
        if (server && hkti_load_relaxed(&server->gone))
            return;
        hkti_os_yield(turns);
    }
}

/* Handles. */

int hkt_process_create(hkt_process **process, hkt_job *function, const void *arg, size_t size,
                       const hkt_process_options *options)
{
    static const hkt_process_options none = { .name = NULL };
    options = options ? options : &none;
    if (function == NULL || (unsigned)options->method > HKT_START_FORK)
        return hkt_fail(-EINVAL, "hkt_process_create: no function, or an unknown method of start");
    if (size ? arg == NULL : arg != NULL && !hkt_shared_contains(arg))
        return hkt_fail(-EINVAL,
                        size ? "hkt_process_create: the argument is NULL, but its size is not 0"
                             : "hkt_process_create: an argument of size 0 lies in shared "
                               "memory (hkt_shared_alloc), others are copied (HKT_ITEM)");
    if (options->pass_fd_count > HKTI_PASSED_MAX)
        return hkt_fail(-EINVAL,
                        "hkt_process_create: %zu fds are more than the %d that can be passed",
                        options->pass_fd_count, HKTI_PASSED_MAX);
    int err = hkti_arena_open();
    if (err < 0)
        return err;
    struct hkt_process *made = hkti_allocate(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->record = make_record(arg, size, options);
    if (made->record == NULL) {
        hkti_release(made, sizeof *made);
        return hkt_fail(-ENOMEM, "there is no shared memory for a process and its argument");
    }
    made->function = function;
    made->method = options->method;
    made->daemon = options->daemon;
    made->with_threads = options->with_threads;
    made->pidfd = made->sentinel = made->told = made->leash = -1;
    hkti_init(&made->refs, 1);
    *process = made;
    return 0;
}

void hkti_process_unref(struct hkt_process *process)
{
    if (hkti_fetch_add_acq_rel(&process->refs, (uint32_t)-1) != 1) /* pairs: process-refs */
        return;
    if (hkti_load_relaxed(&process->state) == HKTI_PROCESS_STARTED)
        hkti_record_settle(process->record, process->server);
    hkti_os_close(process->sentinel);
    hkti_os_close(process->told);
    hkti_records_leave(process->record);
    hkti_server_unref(process->server);
    hkti_release(process, sizeof *process);
}

static bool is_child(const struct hkt_process *process)
{
    return process != hkti_run_current() && process != hkti_run_parent();
}

/* Takes it out of the list if it is over and nobody is to be told. With the guard held; true: a
 * reference is owed. */
static bool unlist(struct hkt_process *process)
{
    if (!process->listed || process->ended || process->orphan ||
        hkti_load_relaxed(&process->state) != HKTI_PROCESS_STARTED)
        return false;
    hkti_list_remove(&process->node);
    process->listed = false;
    return true;
}

bool hkti_process_over(struct hkt_process *process)
{
    if (!hkti_load_seq_cst(&process->record->over)) /* pairs: bell */
        return false;
    hkti_guard_acquire(&hkti_children_guard);
    bool owed = unlist(process);
    hkti_guard_release(&hkti_children_guard);
    if (owed)
        hkti_process_unref(process);
    return true;
}

void hkti_processes_sweep(void)
{
    struct hkt_process *found;
    do {
        found = NULL;
        hkti_guard_acquire(&hkti_children_guard);
        for (struct hkti_node *node = hkti_children.next; node && node != &hkti_children && !found;
             node = node->next) {
            struct hkt_process *process = HKTI_CONTAINER(node, struct hkt_process, node);
            if (hkti_load_seq_cst(&process->record->over) && unlist(process)) /* pairs: bell */
                found = process;
            if (found)
                break;
        }
        hkti_guard_release(&hkti_children_guard);
        if (found)
            hkti_process_unref(found);
    } while (found);
}

void hkt_process_destroy(hkt_process *process)
{
    if (process == NULL)
        return;
    if (!is_child(process))
        hkti_misuse("hkt_process_destroy: process \"%s\" is the caller or its parent",
                    process->record->name);
    if (hkti_load_relaxed(&process->state) == HKTI_PROCESS_STARTED)
        (void)hkti_process_over(process);
    hkti_process_unref(process);
}

int hkt_process_close(hkt_process *process)
{
    if (process && hkt_process_is_alive(process))
        return hkt_fail(-EBUSY, "process \"%.60s\" has not ended", process->record->name);
    hkt_process_destroy(process);
    return 0;
}

const struct hkti_process_record *hkti_process_record(const hkt_process *process)
{
    return process->record;
}

int hkt_process_pid(const hkt_process *process)
{
    if (process == hkti_run_parent())
        return process->record->parent_pid;
    if (process == hkti_run_current())
        return getpid();
    return hkti_load_relaxed(&process->record->pid);
}

const char *hkt_process_name(const hkt_process *process)
{
    return process == hkti_run_parent() ? process->record->parent_name : process->record->name;
}

bool hkt_process_daemon(const hkt_process *process)
{
    return process->daemon;
}

hkt_process *hkt_process_current(void)
{
    return hkti_run_current();
}

hkt_process *hkt_process_parent(void)
{
    return hkti_run_parent();
}

size_t hkt_process_active_children(hkt_process *children[], size_t room)
{
    size_t count = 0;
    hkti_processes_sweep();
    hkti_guard_acquire(&hkti_children_guard);
    for (struct hkti_node *node = hkti_children.next; node && node != &hkti_children;
         node = node->next) {
        struct hkt_process *process = HKTI_CONTAINER(node, struct hkt_process, node);
        /* pairs: bell */
        if (hkti_load_seq_cst(&process->record->over) ||
            hkti_load_relaxed(&process->state) != HKTI_PROCESS_STARTED)
            continue;
        if (count < room) {
            hkti_fetch_add_relaxed(&process->refs, 1);
            children[count] = process;
        }
        count++;
    }
    hkti_guard_release(&hkti_children_guard);
    return count;
}
