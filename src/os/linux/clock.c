/* SPDX-License-Identifier: MIT */
/* The monotonic clock, and how to spin. */
#include <errno.h>
#include <sched.h>
#include <time.h>

#include "base/seam.h"
#include "os/os.h"

int64_t hkti_os_now(void)
{
#ifdef HKT_SIM
    if (hkti_seam)
        return hkti_seam->now();
#endif
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    /* A clock that has just started would say 0 or 1, which are words of deadlines. */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec + 2;
}

void hkti_os_pause(void)
{
#ifdef HKT_SIM
    if (hkti_seam) {
        hkti_seam->pause();
        return;
    }
#endif
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

void hkti_os_yield(unsigned turns)
{
#ifdef HKT_SIM
    if (hkti_seam) {
        hkti_seam->pause();
        return;
    }
#endif
    int saved = errno;
    if (turns < 64)
        sched_yield();
    else
        nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
    errno = saved;
}
