/* SPDX-License-Identifier: MIT */
/* The supervisor: one thread of a process that has started others. It sleeps in poll until a server's
 * socket ends, a copy by fork ends, or its eventfd is set: there is something new to watch, or a server
 * has told that a process has ended of which somebody wants to know at once.
 *
 * When a server is gone, its children are being killed by the system. Each is over when the family's
 * table, or the system, says that it has ended.
 *
 * It is no thread of the program: it is in no list, has no signals, and is not counted when it is
 * asked whether the process may be copied. It holds no lock when it sleeps.
 *
 * Who may touch what: `running`, thread and wake under the lock of its start and stop; `entries` the
 * supervisor alone. */
#include <errno.h>
#include <hocket/lock.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/os.h"
#include "proc/start.h"
#include "thread/thread.h"

#define LOOK_MS 5        /* without pidfds: how often copies are looked at */
#define PATIENCE_MS 5000 /* with the death of a killed server's child */

static hkt_lock changing;
static uint32_t running, stopping;
static struct hkti_os_thread thread;
static struct hkt_thread record = { .daemon = true,
                                    .state = HKTI_THREAD_STARTED,
                                    .name = "hkt-supervisor" };
static int wake = -1;
static int native_id;

struct entry {
    struct hkti_server *server;
    struct hkt_process *process;
};
static struct pollfd *fds;
static struct entry *entries;
static size_t room;
static void *volatile forgotten[2]; /* the parent's, in a copy: not lost */

static void reference(struct hkt_process *process)
{
    hkti_fetch_add_relaxed(&process->refs, 1);
}

/* Servers. */

/* The first one of those that its server has left behind. */
static struct hkt_process *next_orphan(void)
{
    struct hkt_process *found = NULL;
    hkti_guard_acquire(&hkti_children_guard);
    for (struct hkti_node *node = hkti_children.next; node && node != &hkti_children && !found;
         node = node->next) {
        struct hkt_process *process = HKTI_CONTAINER(node, struct hkt_process, node);
        if (process->orphan)
            found = process;
    }
    if (found) {
        found->orphan = false;
        reference(found);
    }
    hkti_guard_release(&hkti_children_guard);
    return found;
}

static void bury_orphan(struct hkt_process *process)
{
    struct hkti_process_record *its = process->record;
    if (!hkti_load_seq_cst(&its->over)) { /* pairs: bell */
        for (int i = 0;
             i < PATIENCE_MS && hkti_family_pid(its->token) != 0 && !hkti_family_look(its->token);
             i++)
            (void)poll(NULL, 0, 1);
        hkti_record_end(its, SIGKILL, -EPIPE);
    }
    hkti_store_release(&its->left, 1); /* the server may not have; pairs: record-left */
    hkti_process_unref(process);
}

static void server_gone(struct hkti_server *server)
{
    struct hkt_process *process;
    hkti_guard_acquire(&hkti_children_guard);
    hkti_server_close(server);
    hkti_list_remove(&server->node);
    for (struct hkti_node *node = hkti_children.next; node && node != &hkti_children;
         node = node->next) {
        process = HKTI_CONTAINER(node, struct hkt_process, node);
        process->orphan = process->orphan || process->server == server;
    }
    hkti_guard_release(&hkti_children_guard);
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    hkti_family_bury(server->token);
    while ((process = next_orphan()) != NULL)
        bury_orphan(process);
    hkt_event_set(&server->ended);
    hkti_server_unref(server);
}

/* Copies by fork. */

static void look_at_copy(struct hkt_process *process)
{
    int status = 0;
    hkti_guard_acquire(&hkti_children_guard); /* a signal is sent under it, too */
    pid_t pid = process->reaped ? 0 : waitpid(process->record->pid, &status, WNOHANG);
    int told = -1;
    /* ECHILD: somebody else has waited for it, and nobody knows how it ended. */
    bool ended = pid > 0 || (pid < 0 && errno == ECHILD);
    if (ended) {
        process->reaped = true;
        told = process->told;
        process->told = -1;
    }
    hkti_guard_release(&hkti_children_guard);
    if (!ended)
        return;
    hkti_os_close(process->pidfd);
    hkti_os_close(process->leash);
    process->pidfd = process->leash = -1;
    hkti_record_end(process->record, status, 0);
    hkti_os_close(told);
}

/* News. */

/* The first one that is over and of which somebody wants to know: out of the list. Only one that its
 * server does not touch any more: should that be killed before, who waits for it here would wait for
 * himself to see that. */
static struct hkt_process *next_ended(void)
{
    struct hkt_process *found = NULL;
    hkti_guard_acquire(&hkti_children_guard);
    for (struct hkti_node *node = hkti_children.next; node && node != &hkti_children && !found;
         node = node->next) {
        struct hkt_process *process = HKTI_CONTAINER(node, struct hkt_process, node);
        if (process->ended && hkti_load_seq_cst(&process->record->over) && /* pairs: bell */
            hkti_load_acquire(&process->record->left) &&                   /* pairs: record-left */
            hkti_load_relaxed(&process->state) == HKTI_PROCESS_STARTED)
            found = process;
    }
    if (found) {
        hkti_list_remove(&found->node);
        found->listed = false;
    }
    hkti_guard_release(&hkti_children_guard);
    return found;
}

static void tell_all(void)
{
    struct hkt_process *process;
    while ((process = next_ended()) != NULL) {
        process->ended(process->arg);
        hkti_process_unref(process);
    }
}

/* What is watched, each with a reference: how many, with the eventfd; `needed`: there is no room for so many. *look: copies must be looked at now and then. */
static size_t gather(size_t *needed, bool *look)
{
    size_t count = 1;
    *look = false;
    fds[0] = (struct pollfd){ .fd = wake, .events = POLLIN };
    entries[0] = (struct entry){ .server = NULL };
    hkti_guard_acquire(&hkti_children_guard);
    for (struct hkti_node *node = hkti_servers.next; node && node != &hkti_servers;
         node = node->next, count++) {
        struct hkti_server *server = HKTI_CONTAINER(node, struct hkti_server, node);
        if (count < room) {
            fds[count] = (struct pollfd){ .fd = server->control, .events = POLLIN };
            entries[count] = (struct entry){ .server = server };
        }
    }
    for (struct hkti_node *node = hkti_children.next; node && node != &hkti_children;
         node = node->next) {
        struct hkt_process *process = HKTI_CONTAINER(node, struct hkt_process, node);
        if (process->server || process->reaped ||
            hkti_load_relaxed(&process->state) != HKTI_PROCESS_STARTED)
            continue;
        if (count < room) {
            fds[count] = (struct pollfd){ .fd = process->pidfd, .events = POLLIN };
            entries[count] = (struct entry){ .process = process };
            reference(process);
            *look = *look || process->pidfd < 0;
        }
        count++;
    }
    hkti_guard_release(&hkti_children_guard);
    *needed = count;
    return count < room ? count : room;
}

static bool make_room(size_t needed)
{
    struct pollfd *more_fds = hkti_allocate(needed * sizeof *fds);
    struct entry *more = hkti_allocate(needed * sizeof *entries);
    if (more_fds == NULL || more == NULL) {
        hkti_release(more_fds, needed * sizeof *fds);
        hkti_release(more, needed * sizeof *entries);
        return false;
    }
    hkti_release(fds, room * sizeof *fds);
    hkti_release(entries, room * sizeof *entries);
    fds = more_fds;
    entries = more;
    room = needed;
    return true;
}

static void turn(void)
{
    size_t needed;
    bool look;
    size_t count = gather(&needed, &look);
    bool all = needed <= room;
    look = look || !all; /* without room some are not watched */
    if (poll(fds, count, look ? LOOK_MS : -1) < 0)
        hkti_os_yield(0);
    if (fds[0].revents)
        hkti_os_wake_fd_clear(wake);
    for (size_t i = 1; i < count; i++) {
        if (entries[i].server && fds[i].revents)
            server_gone(entries[i].server);
        if (entries[i].process) {
            if (fds[i].revents || entries[i].process->pidfd < 0)
                look_at_copy(entries[i].process);
            hkti_process_unref(entries[i].process);
        }
    }
    tell_all();
    if (!all)
        (void)make_room(2 * needed);
}

static void run(void *arg)
{
    (void)arg;
    struct hkti_strand *strand = hkti_os_local();
    strand->thread = &record;
    hkti_os_set_name(record.name);
    hkti_store_release(&native_id, hkti_os_native_id()); /* pairs: supervisor-begun */
    while (!hkti_load_acquire(&stopping))                /* pairs: supervisor-stop */
        turn();
    strand->thread = NULL;
}

/* Its start and stop. */

static int start(void)
{
    sigset_t all, before;
    if ((wake = hkti_os_wake_fd_open()) < 0)
        return hkt_fail(wake, "there are no fds to watch processes: look at ulimit -n");
    int err = make_room(16) ? 0 : -ENOMEM;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    if (err == 0)
        err = hkti_os_thread_start(&thread, run, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err < 0) {
        hkti_os_close(wake);
        wake = -1;
        return hkt_fail(err,
                        "the system gives no thread to watch processes: look at ulimit -u, -v");
    }
    hkti_store_release(&running, 1); /* pairs: supervisor-runs */
    return 0;
}

int hkti_supervisor_start(void)
{
    if (hkti_load_acquire(&running)) /* pairs: supervisor-runs */
        return 0;
    int err = 0;
    hkt_lock_acquire(&changing);
    if (!hkti_load_relaxed(&running))
        err = start();
    hkt_lock_release(&changing);
    return err;
}

void hkti_supervisor_wake(void)
{
    hkti_os_wake_fd_set(wake);
}

int hkti_supervisor_fd(void)
{
    return wake;
}

bool hkti_supervisor_is(int id)
{
    /* pairs: supervisor-runs */
    return hkti_load_acquire(&running) && hkti_load_relaxed(&native_id) == id;
}

void hkti_supervisor_stop(void)
{
    hkt_lock_acquire(&changing);
    if (hkti_load_relaxed(&running)) {
        hkti_store_release(&stopping, 1); /* pairs: supervisor-stop */
        hkti_os_wake_fd_set(wake);
        unsigned turns = 0;
        while (!hkti_load_acquire(&native_id)) /* pairs: supervisor-begun */
            hkti_os_yield(turns++);            /* only then its handle is known */
        hkti_os_thread_join(&thread);
        native_id = 0;
        hkti_os_close(wake);
        wake = -1;
        hkti_release(fds, room * sizeof *fds);
        hkti_release(entries, room * sizeof *entries);
        fds = NULL;
        entries = NULL;
        room = 0;
        hkti_store_relaxed(&stopping, 0);
        hkti_store_relaxed(&running, 0);
    }
    hkt_lock_release(&changing);
}

void hkti_supervisor_forget(void)
{
    if (running)
        hkti_os_close(wake);
    wake = -1;
    running = stopping = 0;
    native_id = 0;
    memset(&changing, 0, sizeof changing);
    /* What it watches with stays: it may just have been at it. */
    forgotten[0] = fds;
    forgotten[1] = entries;
    fds = NULL;
    entries = NULL;
    room = 0;
}
