/* SPDX-License-Identifier: MIT */
/* Waiting for a file descriptor: first a look without waiting, then asleep in ppoll. */
#include <errno.h>
#include <hocket/fd.h>
#include <poll.h>

#include "base/seconds.h"
#include "park/scope.h"
#include "park/wait.h"

static int events_of(short revents, unsigned wanted)
{
    if (revents & POLLNVAL)
        return -EBADF;
    unsigned events = 0;
    if (revents & (POLLIN | POLLHUP | POLLERR))
        events |= HKT_READABLE;
    if (revents & (POLLOUT | POLLHUP | POLLERR))
        events |= HKT_WRITABLE;
    return (int)(events & wanted);
}

int hkt_fd_wait_until(int fd, unsigned events, hkt_deadline deadline)
{
    if (fd < 0)
        return -EBADF;
    if (events == 0 || events & ~(unsigned)(HKT_READABLE | HKT_WRITABLE))
        return -EINVAL;
    int err = hkti_cancelled(deadline.ns);
    if (err < 0)
        return err;
    struct hkti_fd_interest interest = { .fd = fd };
    interest.events = (short)((events & HKT_READABLE ? POLLIN : 0) |
                              (events & HKT_WRITABLE ? POLLOUT : 0));
    err = hkti_os_poll(fd, interest.events, &interest.revents, -1, HKTI_PASSED);
    if (err == 0 && interest.revents)
        return events_of(interest.revents, events);
    if ((err < 0 && err != -ETIMEDOUT) || deadline.ns == HKTI_PASSED)
        return err < 0 ? err : -ETIMEDOUT;

    struct hkti_wait wait = { .what = "fd",
                              .object = (const void *)(intptr_t)fd,
                              .deadline = deadline.ns,
                              .fd = &interest,
                              .cancellable = true,
                              .no_spin = true };
    err = hkti_wait(&wait);
    return err == 1 ? events_of(interest.revents, events) : err;
}

int hkt_fd_wait(int fd, unsigned events)
{
    return hkt_fd_wait_until(fd, events, (hkt_deadline){ 0 });
}
