/* SPDX-License-Identifier: MIT */
/* The process: raw forks, and signals. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "os/os.h"

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
