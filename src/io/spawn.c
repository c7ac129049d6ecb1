/* SPDX-License-Identifier: MIT */
/* Starting programs, by posix_spawn: the child shares our memory until it has become the program,
 * so nothing is copied, and what fails in it (no such program, no such folder) is told as an error.
 *
 * What the child gets is said in three lists that it goes through itself: signals, group, fds.
 * Sources of its fds that lie among 0, 1 and 2 themselves could be overwritten before they are
 * used, and are moved up first.
 *
 * The pidfd is opened right after the start. If somebody else waited for the child before that
 * (SIGCHLD is ignored, say), there is no process of that number, or one that is not ours to wait
 * for: this is found out at once, and then it has ended, nobody knows how. Else the pidfd is the
 * child's. */
#include "io/spawn.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <hocket/error.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/stream.h"

#define PATIENCE 5.0
#define LIMIT ((size_t)64 << 20)

static int make_pipe(int fds[2], int ours)
{
    int saved = errno;
    int err = pipe2(fds, O_CLOEXEC) < 0 ? -errno : 0;
    if (err == 0)
        (void)fcntl(fds[ours], F_SETFL, O_NONBLOCK); /* cannot fail: it is open */
    errno = saved;
    return err;
}

/* What becomes fd `target` in the child: an fd of ours, moved out of the way if need be, which
 * *moved then is. */
static int take_source(posix_spawn_file_actions_t *actions, int source, int target, int *moved)
{
    if (source <= STDERR_FILENO && source != target) {
        source = *moved = fcntl(source, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (source < 0)
            return errno;
    }
    return posix_spawn_file_actions_adddup2(actions, source, target);
}

static int add_fds(posix_spawn_file_actions_t *actions, const hkt_subprocess_options *options,
                   const int fds[3], int moved[3])
{
    const hkt_redirect redirects[3] = { options->input, options->output, options->error };
    int err = 0;
    for (int i = 0; err == 0 && i < 3; i++) {
        if (fds[i] >= 0)
            err = take_source(actions, fds[i], i, &moved[i]);
        else if (redirects[i] == HKT_REDIRECT_NULL)
            err = posix_spawn_file_actions_addopen(actions, i, "/dev/null",
                                                   i == 0 ? O_RDONLY : O_WRONLY, 0);
        else if (redirects[i] == HKT_REDIRECT_OUTPUT)
            err = posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, i);
    }
    if (err == 0 && options->directory)
        err = posix_spawn_file_actions_addchdir_np(actions, options->directory);
    if (err == 0)
        err = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
    return err;
}

static void set_attributes(posix_spawnattr_t *attributes, const hkt_subprocess_options *options)
{
    int flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    sigset_t set;
    memset(&set, 0xff,
           sizeof set); /* sigfillset leaves out two, which the child would then ignore */
    (void)posix_spawnattr_setsigdefault(attributes, &set);
    sigemptyset(&set);
    (void)posix_spawnattr_setsigmask(attributes, &set);
    if (options->new_session)
        flags |= POSIX_SPAWN_SETSID;
    else if (options->new_group)
        flags |= POSIX_SPAWN_SETPGROUP; /* its own: 0, as at the beginning */
    (void)posix_spawnattr_setflags(attributes, (short)flags);
}

/* 0, or a positive errno. */
static int start(pid_t *pid, char *const argv[], const hkt_subprocess_options *options,
                 const int fds[3])
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int moved[3] = { -1, -1, -1 };
    int err = posix_spawn_file_actions_init(&actions);
    if (err != 0)
        return err;
    err = posix_spawnattr_init(&attributes);
    if (err == 0) {
        set_attributes(&attributes, options);
        err = add_fds(&actions, options, fds, moved);
        if (err == 0)
            err = posix_spawnp(pid, argv[0], &actions, &attributes, argv,
                               options->environment ? options->environment : environ);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    for (int i = 0; i < 3; i++)
        hkti_os_close(moved[i]);
    return err;
}

/* Why a program could not be entered, in words; NULL: ask the system. */
static const char *reason_of(int err)
{
    switch (err) {
    case ENOENT:
        return "no such program";
    case EACCES:
        return "it may not be executed";
    case ENOTDIR:
        return "a part of its path is no directory";
    case ENOEXEC:
        return "it is no program";
    case E2BIG:
        return "its arguments and environment are too long";
    case EAGAIN:
        return "there are too many processes";
    case EMFILE:
    case ENFILE:
        return "there are too many open files";
    default:
        return NULL;
    }
}

/* An error of the start, positive, with its sentence; the directory's errors come first, as in the
 * child. */
static int fail_start(int err, const char *program, const char *directory)
{
    struct stat entry;
    const char *reason = reason_of(err);
    if (directory && (err == ENOENT || err == ENOTDIR || err == EACCES)) {
        bool found = stat(directory, &entry) == 0;
        if (!found || !S_ISDIR(entry.st_mode) || access(directory, X_OK) < 0) {
            reason = !found && errno == ENOENT ? "there is no" : "it cannot begin in";
            return hkt_fail(-err, "cannot start \"%.40s\": %s directory \"%.40s\"", program, reason,
                            directory);
        }
    }
    if (reason == NULL)
        return hkt_fail(-err, "cannot start \"%.50s\": %s", program, hkt_strerror(-err));
    const char *where = err == ENOENT && strchr(program, '/') == NULL ? " in PATH" : "";
    return hkt_fail(-err, "cannot start \"%.60s\": %s%s", program, reason, where);
}

/* It runs, but could not be watched. */
static int give_up(const struct hkti_process *process, const char *program, int err)
{
    (void)kill(process->leads ? -process->pid : process->pid, SIGKILL);
    while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (err == ENOSYS)
        return hkt_fail(-err, "cannot start \"%.50s\": the system has no pidfd (Linux 5.4)",
                        program);
    return fail_start(err, program, NULL);
}

static int spawn(struct hkti_process *process, char *const argv[],
                 const hkt_subprocess_options *options, const int fds[3])
{
    int saved = errno;
    process->leads = options->new_group || options->new_session;
    int err = start(&process->pid, argv, options, fds);
    if (err != 0) {
        err = fail_start(err, argv[0], options->directory);
    } else {
        process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
        if (process->pidfd < 0 && errno != ESRCH)
            err = give_up(process, argv[0], errno);
    }
    errno = saved;
    return err;
}

int hkti_process_look(const struct hkti_process *process, bool kept, int *code)
{
    siginfo_t info = { .si_pid = 0 };
    int saved = errno, result;
    while ((result = waitid(P_PIDFD, (id_t)process->pidfd, &info,
                            WEXITED | WNOHANG | (kept ? WNOWAIT : 0)) < 0
                         ? -errno
                         : 0) == -EINTR)
        ;
    errno = saved;
    if (result < 0 || info.si_pid == 0)
        return result;
    *code = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    return 1;
}

static int signal_one(const struct hkti_process *process, int signo)
{
    return (int)syscall(SYS_pidfd_send_signal, process->pidfd, signo, NULL, 0);
}

int hkti_process_signal(const struct hkti_process *process, int signo)
{
    int saved = errno;
    /* A leader may have left its group: what must not fail goes to it, too. Else of a group the
     * pidfd only says whether its leader, and so its number, is still there. */
    bool alone = !process->leads || signo == SIGKILL;
    int err = signal_one(process, alone ? signo : 0);
    if (err == 0 && process->leads && kill(-process->pid, signo) < 0) {
        err = errno == ESRCH ? 0 : -1; /* there is no group */
        if (err == 0 && !alone)
            err = signal_one(process, signo);
    }
    err = err < 0 ? -errno : 0;
    errno = saved;
    return err;
}

static bool is_member(pid_t pid, pid_t group)
{
    struct hkti_os_process process;
    return hkti_os_process_look(pid, &process) == 0 && process.group == group &&
           process.state != 'Z' && process.state != 'X';
}

int hkti_process_member(const struct hkti_process *process)
{
    int saved = errno, found = -ESRCH;
    DIR *all = opendir("/proc");
    struct dirent *entry;
    while (all && found < 0 && (entry = readdir(all)) != NULL) {
        pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
        if (pid == 0 || pid == process->pid || !is_member(pid, process->pid))
            continue;
        int fd = (int)syscall(SYS_pidfd_open, pid, 0);
        /* Another one may have got the number meanwhile. */
        if (fd >= 0 && is_member(pid, process->pid))
            found = fd;
        else
            hkti_os_close(fd);
    }
    if (all)
        (void)closedir(all);
    errno = saved;
    return found;
}

/* The fds that the options name, -1 for what is none; the redirects are known ones. */
static int check_options(const hkt_subprocess_options *options, int fds[3])
{
    const hkt_redirect redirects[3] = { options->input, options->output, options->error };
    const int named[3] = { options->input_fd, options->output_fd, options->error_fd };
    for (int i = 0; i < 3; i++) {
        fds[i] = -1;
        if ((unsigned)redirects[i] > (i == 2 ? HKT_REDIRECT_OUTPUT : HKT_REDIRECT_FD))
            return hkt_fail(-EINVAL, "a subprocess's fd %d has the redirect %d", i,
                            (int)redirects[i]);
        if (redirects[i] == HKT_REDIRECT_FD && (fds[i] = named[i]) < 0)
            return hkt_fail(-EBADF, "a subprocess's fd %d cannot be our fd %d", i, named[i]);
    }
    if (isnan(options->patience) || options->patience < 0)
        return hkt_fail(-EINVAL, "the patience with a subprocess is %g", options->patience);
    return 0;
}

/* Makes the pipes that are asked for: the child's ends are in fds and theirs[], ours in streams. */
static int make_pipes(hkt_subprocess *child, const hkt_subprocess_options *options, int fds[3],
                      int theirs[3])
{
    const hkt_redirect redirects[3] = { options->input, options->output, options->error };
    int err = 0;
    for (int i = 0; err == 0 && i < 3; i++) {
        int ends[2], ours = i == 0 ? 1 : 0;
        if (redirects[i] != HKT_REDIRECT_PIPE)
            continue;
        err = make_pipe(ends, ours);
        if (err < 0)
            return hkt_fail(err, "a pipe for a subprocess: %s", hkt_strerror(err));
        fds[i] = theirs[i] = ends[1 - ours];
        err = hkti_stream_make(&child->streams[i], ends[ours], HKTI_CHANNEL_OWN);
    }
    return err;
}

void hkti_subprocess_give_back(hkt_subprocess *child)
{
    for (int i = 0; i < 3; i++) {
        if (child->streams[i]) /* what is kept for writing is dropped: perhaps nobody reads */
            hkt_stream_abort(child->streams[i]);
        hkt_stream_destroy(child->streams[i]);
    }
    hkti_os_close(child->process.pidfd);
    hkti_release(child, sizeof *child);
}

int hkt_subprocess_exec(hkt_subprocess **child, char *const argv[],
                        const hkt_subprocess_options *options)
{
    static const hkt_subprocess_options none = { .patience = 0 };
    int fds[3], theirs[3] = { -1, -1, -1 };
    options = options ? options : &none;
    if (argv == NULL || argv[0] == NULL)
        return hkt_fail(-EINVAL, "hkt_subprocess_exec: no program");
    int err = check_options(options, fds);
    if (err < 0)
        return err;
    hkt_subprocess *made = hkti_allocate(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->process.pidfd = -1;
    made->patience = options->patience > 0 ? options->patience : PATIENCE;
    made->limit = options->limit ? options->limit : LIMIT;
    err = make_pipes(made, options, fds, theirs);
    if (err == 0)
        err = spawn(&made->process, argv, options, fds);
    for (int i = 0; i < 3; i++)
        hkti_os_close(theirs[i]);
    if (err < 0) {
        hkti_subprocess_give_back(made);
        return err;
    }
    int code;
    if (made->process.pidfd < 0 || hkti_process_look(&made->process, true, &code) < 0) {
        made->gone = true;
        made->result = -ECHILD;
    }
    *child = made;
    return 0;
}

int hkt_subprocess_shell(hkt_subprocess **child, const char *command,
                         const hkt_subprocess_options *options)
{
    if (command == NULL)
        return hkt_fail(-EINVAL, "hkt_subprocess_shell: no command");
    char *argv[] = { (char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
                     (char *)(uintptr_t) "--", (char *)(uintptr_t)command, NULL };
    return hkt_subprocess_exec(child, argv, options);
}

int hkt_subprocess_pid(const hkt_subprocess *child)
{
    return child->process.pid;
}

hkt_stream *hkt_subprocess_input(hkt_subprocess *child)
{
    return child->streams[0];
}

hkt_stream *hkt_subprocess_output(hkt_subprocess *child)
{
    return child->streams[1];
}

hkt_stream *hkt_subprocess_error(hkt_subprocess *child)
{
    return child->streams[2];
}
