/* SPDX-License-Identifier: MIT */
/* Processes: what is told of them, raw forks, and signals. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/os.h"

/* A line of /proc/N/stat: the number, a name in parentheses that may hold anything, the state, then
 * numbers: of these the third is the group, the eighteenth counts threads, the twentieth is the start. */
static int parse(const char *line, struct hkti_os_process *process)
{
    const char *rest = strrchr(line, ')');
    unsigned long long start;
    if (rest == NULL ||
        sscanf(rest + 1,
               " %c %*d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d %llu",
               &process->state, &process->group, &process->threads, &start) != 4)
        return -EIO;
    process->start = start;
    return 0;
}

/* Where /proc says nothing: at least whether there is one of that number. */
static int ask_by_signal(int pid)
{
    return kill(pid, 0) < 0 && errno == ESRCH ? -ESRCH : -ENOSYS;
}

int hkti_os_process_look(int pid, struct hkti_os_process *process)
{
    char path[32], line[1024];
    int saved = errno;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC), err = fd < 0 ? -errno : 0;
    ssize_t n = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
    if (n < 0)
        err = -errno;
    hkti_os_close(fd);
    if (err == -ENOENT && access("/proc/self/stat", F_OK) == 0)
        err = -ESRCH;
    else if (err == -ENOENT || (err == 0 && n == 0))
        err = ask_by_signal(pid);
    line[n > 0 ? n : 0] = '\0';
    if (err == 0)
        err = parse(line, process);
    errno = saved;
    return err;
}

int hkti_os_at_fork(void (*in_child)(void))
{
    return -pthread_atfork(NULL, NULL, in_child);
}

int hkti_os_signal(int signo, void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler ? handler : SIG_DFL, .sa_flags = SA_RESTART };
    int saved = errno;
    sigemptyset(&action.sa_mask);
    int err = sigaction(signo, &action, NULL) < 0 ? errno : 0;
    errno = saved;
    return -err;
}

bool hkti_os_signal_is_default(int signo)
{
    struct sigaction action;
    int saved = errno;
    bool is = sigaction(signo, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) &&
              action.sa_handler == SIG_DFL;
    errno = saved;
    return is;
}
