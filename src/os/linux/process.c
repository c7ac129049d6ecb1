/* SPDX-License-Identifier: MIT */
/* The process: raw forks, and signals.
 *
 * fork_armed is set while threads of ours run; the child of a raw fork then finds itself `forked`:
 * its copy of our locks may be held by threads that it does not have. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "base/atomic.h"
#include "os/os.h"

static uint32_t fork_armed;
static uint32_t forked;

static void in_child(void)
{
    if (hkti_load_relaxed(&fork_armed))
        hkti_store_relaxed(&forked, 1);
}

static void watch_forks(void)
{
    /* Without memory for it a fork goes unnoticed, which breaks only a program that breaks a rule. */
    (void)pthread_atfork(NULL, NULL, in_child);
}

bool hkti_os_forked(void)
{
    return hkti_load_relaxed(&forked);
}

void hkti_os_fork_arm(bool armed)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
#ifdef HKT_SIM
    if (hkti_seam)
        return;
#endif
    pthread_once(&once, watch_forks);
    hkti_store_relaxed(&fork_armed, armed);
}

int hkti_os_signal(int signo, void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
    int saved = errno;
    sigemptyset(&action.sa_mask);
    int err = sigaction(signo, &action, NULL) < 0 ? errno : 0;
    errno = saved;
    return -err;
}
