/* SPDX-License-Identifier: MIT */
/* ppoll with an absolute deadline, and the eventfd that wakes one who sleeps in it. */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/report.h"
#include "base/seam.h"
#include "os/os.h"

/* The time left, for ppoll: NULL for never, 0 for what has passed. */
static struct timespec *left(struct timespec *buffer, int64_t deadline)
{
    if (deadline == 0)
        return NULL;
    int64_t ns = deadline - hkti_os_now();
    if (ns < 0)
        ns = 0;
    *buffer = (struct timespec){ .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };
    return buffer;
}

int hkti_os_poll(int fd, short events, short *revents, int wake_fd, int64_t deadline)
{
#ifdef HKT_SIM
    if (hkti_seam)
        return hkti_seam->poll(fd, events, revents, wake_fd, deadline);
#endif
    struct pollfd fds[2] = { { .fd = fd, .events = events }, { .fd = wake_fd, .events = POLLIN } };
    struct timespec buffer;
    int saved = errno;
    int ready = ppoll(fds, wake_fd < 0 ? 1 : 2, left(&buffer, deadline), NULL);
    int err = ready < 0 ? errno : 0;
    errno = saved;
    *revents = ready > 0 ? fds[0].revents : 0;
    if (ready == 0)
        return -ETIMEDOUT;
    return err == EINTR || err == EAGAIN ? 0 : -err;
}

int hkti_os_wake_fd_open(void)
{
    int saved = errno;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = errno;
    errno = saved;
    return fd < 0 ? -err : fd;
}

void hkti_os_wake_fd_set(int fd)
{
    int saved = errno;
    int err;
    while ((err = eventfd_write(fd, 1) < 0 ? errno : 0) == EINTR)
        ;
    errno = saved;
    if (err == EBADF || err == EINVAL)
        hkti_misuse("fd %d, by which hocket wakes a thread, was closed by somebody", fd);
}

void hkti_os_wake_fd_clear(int fd)
{
    eventfd_t count;
    int saved = errno;
    while (eventfd_read(fd, &count) < 0 && errno == EINTR)
        ;
    errno = saved;
}

void hkti_os_close(int fd)
{
    int saved = errno;
    if (fd >= 0)
        (void)close(fd);
    errno = saved;
}
