/* SPDX-License-Identifier: MIT */
/* Starts, in the fork server: a fork, or the program anew.
 *
 * Who is killed by the server's death must not miss it: the signal is asked for first, and then it is
 * looked whether the server is still there. (It is sent when the thread that forked ends; the
 * server has but one.) Passed fds have been moved above all numbers that they are to get, so that
 * none is overwritten before its turn. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"
#include "park/strand.h"
#include "proc/arena.h"
#include "proc/start.h"

/* Moves the passed fds out of the way; those that are replaced are closed. */
static int move_fds(struct hkti_process_record *record, int *fds, size_t count)
{
    const int *targets = hkti_record_fds(record);
    struct rlimit limit = { .rlim_cur = RLIM_INFINITY };
    int above = STDERR_FILENO + 1;
    if (count != record->fd_count)
        return hkt_fail(-EMFILE, "process \"%.40s\" cannot have %u fds passed: look at ulimit -n",
                        record->name, record->fd_count);
    if (count)
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    for (size_t i = 0; i < count; i++)
        above = targets[i] >= above ? targets[i] + 1 : above;
    for (size_t i = 0; i < count; i++) {
        int moved = (rlim_t)above <= limit.rlim_cur ? fcntl(fds[i], F_DUPFD_CLOEXEC, above) : -1;
        if (moved < 0)
            return hkt_fail(-EMFILE,
                            "the fds of process \"%.40s\" cannot be moved: look at "
                            "ulimit -n",
                            record->name);
        hkti_os_close(fds[i]);
        fds[i] = moved;
    }
    return 0;
}

static void set_signals(const struct hkti_process_record *record)
{
    sigset_t none;
    (void)signal(SIGCHLD, SIG_DFL);
    if (record->ignore_interrupts) {
        (void)signal(SIGINT, SIG_IGN);
        (void)signal(SIGQUIT, SIG_IGN);
    }
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The child, from here to its end. */
_Noreturn static void begin(const struct hkti_serving *serving, struct hkti_process_record *record,
                            const int *fds, size_t count)
{
    int kept[HKTI_PASSED_MAX + 1] = { hkti_arena_fd() };
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != serving->self)
        _exit(1);
    set_signals(record);
    for (size_t i = 0; i < count; i++) {
        kept[i + 1] = hkti_record_fds(record)[i];
        (void)dup2(fds[i], kept[i + 1]);
    }
    if (!serving->copy) {
        hkti_close_others(kept, count + 1);
    } else {
        hkti_os_close(serving->control);
        hkti_os_close(serving->wake);
    }
    hkti_run_enter(record);
    hkti_run(record, HKTI_RUN_QUICK);
}

static int fail_start(const struct hkti_process_record *record, int err)
{
    switch (err) {
    case 0:
        return 0;
    case -EAGAIN:
        return hkt_fail(err,
                        "the system gives no process for \"%.40s\": look at ulimit -u, pids.max",
                        record->name);
    case -ENOMEM:
        return hkt_fail(err, "the system has no memory for process \"%.40s\"", record->name);
    case -EMFILE:
        return hkt_fail(err, "there are no fds for process \"%.40s\": look at ulimit -n",
                        record->name);
    default:
        return hkt_fail(err, "the program cannot be started anew: %s", hkt_strerror(err));
    }
}

static int fork_child(const struct hkti_serving *serving, struct hkti_process_record *record,
                      const int *fds, size_t count, pid_t *pid)
{
    hkt_job *function;
    int err = hkti_function_decode(record->function, &function);
    if (err < 0)
        return err;
    *pid = fork();
    if (*pid == 0)
        begin(serving, record, fds, count);
    return fail_start(record, *pid < 0 ? -errno : 0);
}

/* `proof` is a copy of the control socket, which says where the order is from. */
static int add_fds(posix_spawn_file_actions_t *actions, int proof, const int *targets,
                   const int *fds, size_t count)
{
    int err = posix_spawn_file_actions_adddup2(actions, hkti_arena_fd(), hkti_arena_fd());
    for (size_t i = 0; err == 0 && i < count; i++)
        err = posix_spawn_file_actions_adddup2(actions, fds[i], targets[i]);
    return err ? err : posix_spawn_file_actions_adddup2(actions, proof, proof);
}

static int spawn_child(const struct hkti_serving *serving, struct hkti_process_record *record,
                       const int *fds, size_t count, pid_t *pid)
{
    char start[128];
    posix_spawn_file_actions_t actions;
    int above = STDERR_FILENO + 1;
    const int *targets = hkti_record_fds(record);
    for (size_t i = 0; i < count; i++)
        above = targets[i] >= above ? targets[i] + 1 : above;
    int proof = fcntl(serving->control, F_DUPFD_CLOEXEC, above);
    if (proof < 0)
        return fail_start(record, -EMFILE);
    (void)snprintf(start, sizeof start, "C,%x,%x,%x,%x,0,%x,0,%llx", (unsigned)serving->owner,
                   (unsigned)serving->self, (unsigned)hkti_arena_fd(), (unsigned)proof,
                   (unsigned)serving->owner_token, (unsigned long long)(uintptr_t)record);
    int err = posix_spawn_file_actions_init(&actions);
    if (err == 0) {
        err = add_fds(&actions, proof, targets, fds, count);
        err = err == 0 ? -hkti_program_spawn(pid, start, &actions, true) : err;
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    hkti_os_close(proof);
    return fail_start(record, -err);
}

pid_t hkti_serve_start(const struct hkti_serving *serving, struct hkti_process_record *record,
                       int *fds, size_t count)
{
    pid_t pid = 0;
    bool anew = record->method == HKT_START_SPAWN;
    int err = move_fds(record, fds, count);
    if (err == 0)
        err = anew ? spawn_child(serving, record, fds, count, &pid)
                   : fork_child(serving, record, fds, count, &pid);
    if (err < 0) {
        hkti_record_refuse(record, err);
        return 0;
    }
    hkti_store_relaxed(&record->pid, pid);
    hkti_family_born(record->token, pid);
    if (!anew)
        hkti_record_answer(record, 0);
    return pid;
}
