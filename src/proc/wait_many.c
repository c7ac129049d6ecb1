/* SPDX-License-Identifier: MIT */
/* Waiting for some of many fds. The system is asked about all of them, in batches, which takes
 * every kind of fd, as often as it is given; only if none is ready they are put into a poller,
 * which is itself an fd to wait for, in a task as on a thread. What ends that wait is no more than
 * a reason to ask again. */
#include <errno.h>
#include <hocket/connection.h>
#include <hocket/fd.h>
#include <poll.h>

#include "base/seconds.h"
#include "os/os.h"
#include "park/scope.h"

#define BATCH 64

static int poll_now(struct pollfd *batch, nfds_t count)
{
    int saved = errno, n;
    do
        n = poll(batch, count, 0);
    while (n < 0 && errno == EINTR);
    int err = errno;
    errno = saved;
    return n < 0 ? -err : n;
}

/* Of a batch: how many are ready; -EBADF; -EINVAL: the process may not have so many fds. */
static int look_at(const int fds[], bool ready[], size_t count)
{
    struct pollfd batch[BATCH];
    for (size_t i = 0; i < count; i++) {
        if (fds[i] < 0)
            return hkt_fail(-EBADF, "hkt_wait_many: %d is no fd", fds[i]);
        batch[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
    }
    int n = poll_now(batch, count);
    for (size_t i = 0; i < count && n >= 0; i++) {
        if (batch[i].revents & POLLNVAL)
            return hkt_fail(-EBADF, "hkt_wait_many: fd %d is not open", fds[i]);
        ready[i] = batch[i].revents != 0;
    }
    return n;
}

/* Which of them are ready: how many; -EBADF. */
static int look(const int fds[], bool ready[], size_t count)
{
    size_t most = BATCH;
    int total = 0;
    for (size_t begin = 0; begin < count;) {
        size_t size = count - begin < most ? count - begin : most;
        int n = look_at(fds + begin, ready + begin, size);
        if (n == -EINVAL && size > 1) {
            most = 1;
            continue;
        }
        if (n < 0)
            return n;
        total += n;
        begin += size;
    }
    return total;
}

static int watch_all(int poller, const int fds[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int err = hkti_os_poller_watch(poller, fds[i], POLLIN, i, HKTI_OS_ALWAYS);
        if (err < 0)
            return err;
    }
    return 0;
}

static int wait_for_some(const int fds[], bool ready[], size_t count, hkt_deadline deadline)
{
    int poller = hkti_os_poller_open();
    if (poller < 0)
        return poller;
    int result = watch_all(poller, fds, count);
    while (result == 0) {
        int err = hkt_fd_wait_until(poller, HKT_READABLE, deadline);
        result = look(fds, ready, count); /* also when the deadline has just passed */
        if (result == 0 && err < 0)
            result = err;
    }
    hkti_os_close(poller);
    return result;
}

int hkt_wait_many_until(const int fds[], bool ready[], size_t count, hkt_deadline deadline)
{
    int result = hkti_cancelled(deadline.ns);
    if (result < 0)
        return result;
    result = look(fds, ready, count);
    if (result != 0)
        return result;
    if (deadline.ns == HKTI_PASSED)
        return -ETIMEDOUT;
    if (count > 0)
        return wait_for_some(fds, ready, count, deadline);
    result = hkt_sleep_until(deadline);
    return result < 0 ? result : -ETIMEDOUT;
}

int hkt_wait_many(const int fds[], bool ready[], size_t count)
{
    return hkt_wait_many_until(fds, ready, count, (hkt_deadline){ 0 });
}
