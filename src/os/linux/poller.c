/* SPDX-License-Identifier: MIT */
/* epoll. A set that is told again for each wait (one shot) needs no care for fds that were closed, for the
 * kernel says so (ENOENT); for the others the loop's poller has it. And timerfd, for who can only wait for fds. */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/seam.h"
#include "os/os.h"

_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLRDHUP == POLLRDHUP,
               "the same bits");

int hkti_os_poller_open(void)
{
    int saved = errno;
    int fd = epoll_create1(EPOLL_CLOEXEC);
    int err = errno;
    errno = saved;
    return fd < 0 ? -err : fd;
}

/* What is watched for each event has not been watched before, as a rule; the rest has. */
int hkti_os_poller_watch(int poller, int fd, unsigned events, uint64_t token,
                         enum hkti_os_watch how)
{
    static const uint32_t flags[] = {
        [HKTI_OS_ONCE] = EPOLLONESHOT, [HKTI_OS_ALWAYS] = 0, [HKTI_OS_EACH] = EPOLLET
    };
    struct epoll_event event = { .events = events | flags[how], .data.u64 = token };
    bool fresh = how == HKTI_OS_EACH;
    int saved = errno;
    int failed = epoll_ctl(poller, fresh ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
    if (failed && errno == (fresh ? EEXIST : ENOENT))
        failed = epoll_ctl(poller, fresh ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    int err = failed ? -errno : 0;
    errno = saved;
    return err;
}

#define MOST 64

/* TSan keeps a signal until a call that it knows, and gcc 12's does not know this one. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define HKTI_NO_PWAIT2 true
#else
#define HKTI_NO_PWAIT2 false
#endif

/* Kernels before 5.11 count in milliseconds alone; there ppoll does the waiting. */
static int wait_for(int poller, int wake_fd, struct epoll_event *ready, int n, int64_t deadline)
{
    static bool no_pwait2 = HKTI_NO_PWAIT2;
    bool waits = deadline != 1;
#ifdef HKT_SIM
    bool simulated = hkti_seam != NULL;
#else
    bool simulated = false;
#endif
    if (waits && !no_pwait2 && !simulated) {
        int64_t left = deadline ? deadline - hkti_os_now() : 0;
        struct timespec at = { .tv_sec = left > 0 ? left / 1000000000 : 0,
                               .tv_nsec = left > 0 ? left % 1000000000 : 0 };
        int count = epoll_pwait2(poller, ready, n, deadline ? &at : NULL, NULL);
        if (count >= 0 || errno != ENOSYS)
            return count;
        no_pwait2 = true;
    }
    short revents;
    if (waits)
        (void)hkti_os_poll(poller, POLLIN, &revents, wake_fd, deadline);
    return epoll_wait(poller, ready, n, 0);
}

int hkti_os_poller_wait(int poller, int wake_fd, struct hkti_os_event *events, int n,
                        int64_t deadline)
{
    struct epoll_event ready[MOST];
    int saved = errno;
    int count = wait_for(poller, wake_fd, ready, n < MOST ? n : MOST, deadline);
    errno = saved;
    for (int i = 0; i < count; i++)
        events[i] = (struct hkti_os_event){ ready[i].data.u64, ready[i].events };
    return count < 0 ? 0 : count;
}

int hkti_os_timer_fd_open(void)
{
    int saved = errno;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    int err = errno;
    errno = saved;
    return fd < 0 ? -err : fd;
}

void hkti_os_timer_fd_set(int fd, int64_t deadline)
{
    struct itimerspec at = { .it_value = { deadline / 1000000000, deadline % 1000000000 } };
    int saved = errno;
    (void)timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL);
    errno = saved;
}
