/* SPDX-License-Identifier: MIT */
/* What a handle tells of a process that runs or has ended, and signals to it. */
#include <errno.h>
#include <fcntl.h>
#include <hocket/error.h>
#include <hocket/lock.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/seconds.h"
#include "os/os.h"
#include "park/scope.h"
#include "park/wait.h"
#include "proc/start.h"

static bool is_started(const struct hkt_process *process)
{
    return hkti_load_acquire(&process->state) == HKTI_PROCESS_STARTED; /* pairs: process-start */
}

static int not_started(const struct hkt_process *process)
{
    return hkt_fail(-EINVAL, "process \"%.60s\" has not been started", process->record->name);
}

/* The parent is waited for by its pidfd; by looking now and then where there is none. */
static int await_parent(hkt_process *process, int64_t deadline)
{
    pid_t pid = process->record->parent_pid;
    int saved = errno, err = 0;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    bool gone = fd < 0 && errno == ESRCH;
    errno = saved;
    struct hkti_fd_interest interest = { .fd = fd, .events = POLLIN };
    /* Its number is its own as long as the family's table has it alive. */
    while (err == 0 && !gone && !hkti_family_look(process->record->parent)) {
        struct hkti_wait wait = {
            .what = "parent process", .object = process, .deadline = deadline, .cancellable = true
        };
        if (fd >= 0)
            wait.fd = &interest;
        else
            wait.deadline = deadline == HKTI_PASSED ? deadline : hkt_after(0.01).ns;
        err = hkti_wait(&wait);
        if (err == -ETIMEDOUT && fd < 0 && (deadline == 0 || hkti_os_now() < deadline))
            err = 0;
        gone = err > 0;
    }
    hkti_os_close(fd);
    return err < 0 ? err : 0;
}

int hkt_process_join_until(hkt_process *process, hkt_deadline deadline)
{
    if (process == NULL)
        return 0;
    int err = hkti_cancelled(deadline.ns);
    if (err < 0)
        return err;
    if (process == hkti_run_parent())
        return await_parent(process, deadline.ns);
    if (process == hkti_run_current())
        return -EDEADLK;
    if (!is_started(process))
        return not_started(process);
    err = hkti_record_await(process->record, &process->record->over, "process", process,
                            deadline.ns, true);
    if (err == 0)
        (void)hkti_process_over(process);
    return err;
}

int hkt_process_join(hkt_process *process)
{
    return hkt_process_join_until(process, (hkt_deadline){ 0 });
}

/* 0: it has ended; -EBUSY, -EINVAL. */
static int look(hkt_process *process)
{
    if (process == hkti_run_current())
        return -EBUSY;
    if (process == hkti_run_parent())
        return hkti_family_look(process->record->parent) ? 0 : -EBUSY;
    if (!is_started(process))
        return not_started(process);
    return hkti_process_over(process) ? 0 : -EBUSY;
}

static int code_of(int status)
{
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int hkt_process_exit_code(hkt_process *process, int *code)
{
    int err = look(process);
    if (err == 0)
        *code = process == hkti_run_parent() ? -SIGKILL : code_of(process->record->status);
    return err;
}

int hkt_process_result(hkt_process *process, int *result)
{
    int err = look(process);
    if (err < 0)
        return err;
    const struct hkti_process_record *record = process->record;
    if (process == hkti_run_parent()) {
        *result = hkt_fail(-EOWNERDEAD, "the parent process has ended");
    } else if (record->returned) {
        *result = record->result;
        if (record->result < 0)
            (void)hkt_fail(record->result, "%s", record->sentence);
    } else if (WIFSIGNALED(record->status)) {
        int signo = WTERMSIG(record->status);
        const char *name = sigabbrev_np(signo);
        *result = hkt_fail(-EOWNERDEAD, "process \"%.60s\" was ended by signal %d (SIG%s)",
                           record->name, signo, name ? name : "RT");
    } else {
        *result = hkt_fail(-EOWNERDEAD, "process \"%.60s\" called exit(%d)", record->name,
                           WEXITSTATUS(record->status));
    }
    return 0;
}

int hkt_process_finish(hkt_process *process)
{
    int result = 0;
    if (process == NULL)
        return 0;
    int err = hkt_process_join(process);
    if (err == 0)
        err = hkt_process_result(process, &result);
    if (err < 0)
        return err;
    hkt_process_destroy(process);
    return result;
}

bool hkt_process_is_alive(hkt_process *process)
{
    return look(process) == -EBUSY;
}

/* Signals. */

/* A copy by fork, which is ours to wait for: its number is its own until it has been. */
static void signal_copy(struct hkt_process *process, int signo)
{
    int saved = errno;
    hkti_guard_acquire(&hkti_children_guard);
    if (!process->reaped)
        (void)kill(process->record->pid, signo);
    hkti_guard_release(&hkti_children_guard);
    errno = saved;
}

int hkt_process_send_signal(hkt_process *process, int signo)
{
    if (signo < 0 || signo > SIGRTMAX)
        return hkt_fail(-EINVAL, "%d is no signal", signo);
    if (process == hkti_run_current())
        return raise(signo) == 0 ? 0 : -EINVAL;
    if (process == hkti_run_parent()) {
        int pid = hkti_family_pid(process->record->parent);
        if (pid > 0)
            (void)kill(pid, signo);
        return 0;
    }
    if (!is_started(process))
        return not_started(process);
    if (hkti_process_over(process))
        return 0;
    if (process->server == NULL) {
        signal_copy(process, signo);
        return 0;
    }
    int err = hkti_server_ask(process->server, HKTI_ASK_SIGNAL, process->record, signo, NULL, 0);
    return err == -EPIPE ? 0 : err; /* it is being killed with its server */
}

int hkt_process_terminate(hkt_process *process)
{
    return hkt_process_send_signal(process, SIGTERM);
}

int hkt_process_kill(hkt_process *process)
{
    return hkt_process_send_signal(process, SIGKILL);
}

int hkt_process_interrupt(hkt_process *process)
{
    return hkt_process_send_signal(process, SIGINT);
}

/* The sentinel: a pipe, whose other end is closed by who sees the end of the process. Made when it is
 * first asked for, as few do. */

static hkt_lock making;

static int make_sentinel(struct hkt_process *process)
{
    int ends[2], saved = errno;
    int err = pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0;
    errno = saved;
    if (err == 0 && process->server && !hkti_process_over(process)) {
        err = hkti_server_ask(process->server, HKTI_ASK_SENTINEL, process->record, 0, &ends[1], 1);
        err = err == -EPIPE ? 0 : err; /* closed here, it is readable: the process is dying */
        if (err < 0)
            hkti_os_close(ends[0]);
    }
    if (err < 0)
        return hkt_fail(err, "there are no fds for a sentinel: look at ulimit -n");
    hkti_guard_acquire(&hkti_children_guard);
    process->sentinel = ends[0];
    if (process->server == NULL && !process->reaped) {
        process->told = ends[1];
        ends[1] = -1;
    }
    hkti_guard_release(&hkti_children_guard);
    hkti_os_close(ends[1]);
    return ends[0];
}

int hkt_process_sentinel(hkt_process *process)
{
    if (process == hkti_run_current() || process == hkti_run_parent())
        return hkt_fail(-EINVAL, "only children have a sentinel");
    if (!is_started(process))
        return not_started(process);
    hkt_lock_acquire(&making);
    int fd = process->sentinel >= 0 ? process->sentinel : make_sentinel(process);
    hkt_lock_release(&making);
    return fd;
}
