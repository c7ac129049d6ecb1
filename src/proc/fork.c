/* SPDX-License-Identifier: MIT */
/* Copies of this process by fork. Only while it has one thread: of other threads the copy has what they
 * held, and not them. The supervisor is not counted; it holds nothing while it sleeps, and what it may
 * hold is made new in the copy.
 *
 * The copy dies with its parent: by the parent-death signal, if the thread that forked is the main
 * one, which lives as long as the process. Else by a leash, a pipe that the parent alone has the other
 * end of: the system sends the copy SIGKILL for it when that is closed. (A thread that watches would be
 * one more in the copy, and sanitizers allow none after some forks.) Copies that are made later have the
 * other end too, but end likewise, the last one first. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <hocket/error.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/os.h"
#include "park/strand.h"
#include "proc/ear.h"
#include "proc/start.h"

#define SETTLE_TURNS                                                                               \
    40 /* of a millisecond at the most: a joined thread is still listed for a moment */

/* Threads of the system but the caller, the supervisor, and one that a sanitizer has for itself. */
static int other_threads(void)
{
    int count = 0;
    DIR *all = opendir("/proc/self/task");
    struct dirent *entry;
    while (all && (entry = readdir(all)) != NULL) {
        int id = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
        count += id && id != hkti_os_native_id() && !hkti_supervisor_is(id);
    }
    if (all)
        (void)closedir(all);
#if defined(__SANITIZE_THREAD__)
    count -= count > 0;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
    count -= count > 0;
#endif
#endif
    return count;
}

int hkti_fork_allowed(bool with_threads)
{
    const struct hkti_strand *self = hkti_os_local();
    int saved = errno, others = 0;
    if (self->coroutine)
        return hkt_fail(-EBUSY,
                        "a job on a coroutine cannot be copied by fork: start it by the fork "
                        "server");
    if (!with_threads)
        (void)hkti_ear_stop(); /* it begins again when it is needed */
    for (int i = 0; i < SETTLE_TURNS && !with_threads && (others = other_threads()) > 0; i++) {
        struct timespec pause = { .tv_nsec = 1000000 };
        (void)nanosleep(&pause, NULL);
    }
    errno = saved;
    if (others)
        return hkt_fail(-EBUSY,
                        "a fork beside %d other thread%s, of pools or your own, would copy what "
                        "they hold: use the fork server, or .with_threads",
                        others, others == 1 ? "" : "s");
    return 0;
}

int hkti_fork(pid_t *pid, bool with_threads)
{
    int saved = errno;
    sigset_t all, before;
    int err = hkti_fork_allowed(with_threads);
    if (err < 0)
        return err;
    /* What is in the buffers shall not be written twice. Other threads may hold files. */
    (void)fflush(with_threads ? stdout : NULL);
    bool lone = !with_threads || other_threads() == 0;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    *pid = fork();
    err = *pid < 0 ? -errno : 0;
    if (*pid == 0 && !lone)
        hkti_store_relaxed(&hkti_forked, 1);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return err;
}

/* `leash`: the end that is read, or -1 in a copy by the main thread. */
static void die_with(pid_t parent, int leash)
{
    bool held = leash < 0 ? prctl(PR_SET_PDEATHSIG, SIGKILL) == 0
                          : fcntl(leash, F_SETOWN, getpid()) == 0 &&
                                fcntl(leash, F_SETSIG, SIGKILL) == 0 &&
                                fcntl(leash, F_SETFL, O_ASYNC) == 0;
    if (!held || getppid() != parent)
        _exit(1);
}

/* In the copy, from here to its end. */
_Noreturn static void begin(struct hkti_process_record *record, pid_t parent, const int leash[2])
{
    hkti_os_close(leash[1]);
    die_with(parent, leash[0]);
    if (record->ignore_interrupts) {
        (void)signal(SIGINT, SIG_IGN);
        (void)signal(SIGQUIT, SIG_IGN);
    }
    hkti_run_enter(record);
    hkti_run(record, HKTI_RUN_QUICK);
}

static int fail_start(int err, const char *name)
{
    if (err == -EBUSY)
        return err;
    if (err == -EMFILE || err == -ENFILE)
        return hkt_fail(-EMFILE, "there are no fds for process \"%.40s\": look at ulimit -n", name);
    return hkt_fail(
        err, "the system gives no process for \"%.40s\": look at ulimit -u, -v, pids.max", name);
}

/* In the parent: it is there. */
static void keep(struct hkt_process *process, pid_t pid)
{
    struct hkti_process_record *record = process->record;
    int saved = errno;
    hkti_store_relaxed(&record->pid, pid);
    hkti_family_born(record->token, pid);
    hkti_store_relaxed(&record->answered, 1);
    process->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    errno = saved;
    hkti_process_list(process);
}

int hkti_fork_start(struct hkt_process *process)
{
    struct hkti_process_record *record = process->record;
    pid_t pid = -1, parent = getpid();
    int leash[2] = { -1, -1 }, saved = errno;
    int err = hkti_fork_allowed(process->with_threads);
    if (err == 0)
        err = hkti_supervisor_start();
    if (err == 0)
        err = hkti_process_prepare(process);
    if (err < 0)
        return err;
    if (!hkti_os_is_main() && pipe2(leash, O_CLOEXEC) < 0)
        err = -errno;
    errno = saved;
    if (err == 0)
        err = hkti_fork(&pid, process->with_threads);
    if (err == 0 && pid == 0)
        begin(record, parent, leash);
    hkti_os_close(leash[0]);
    if (err < 0) {
        hkti_os_close(leash[1]);
        hkti_family_bury(record->token);
        return fail_start(err, record->name);
    }
    process->leash = leash[1];
    keep(process, pid);
    return 0;
}
