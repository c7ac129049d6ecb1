/* SPDX-License-Identifier: MIT */
/* Channels: io/channel.h has their states.
 *
 * Closing races with entering: `users` has the closed bit, so one atomic word decides who is in
 * and who closes the fd: who makes it "closed, no users", by closing or by leaving. Closing
 * races with waiting: who is about to wait looks at the bit under the guard, under which it
 * joins the list; who closes sets the bit first, and then takes the guard to empty the list.
 * Lock order: nothing is taken under the guard. */
#include "io/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "park/scope.h"

#define CLOSED UINT32_C(0x80000000)
#define READER UINT32_C(0x40000000)

static uint64_t serials;

void hkti_channel_open(struct hkti_channel *channel, int fd, enum hkti_channel_kind kind)
{
    *channel = (struct hkti_channel){ .fd = fd,
                                      .kind = kind,
                                      .serial = hkti_fetch_add_relaxed(&serials, UINT64_C(1)) + 1 };
}

static void gone(struct hkti_channel *channel)
{
    if (!channel->borrowed)
        hkti_os_close(channel->fd);
}

/* One more, with that bit, which nobody else may have. */
static int enter(struct hkti_channel *channel, uint32_t bit)
{
    for (;;) {
        uint32_t users = hkti_load_relaxed(&channel->users);
        if (users & CLOSED)
            return -ESHUTDOWN;
        if (users & bit)
            return -EBUSY;
        if (hkti_cas_acq_rel(&channel->users, users, (users + 1) | bit)) /* pairs: channel-users */
            return 0;
    }
}

static void leave(struct hkti_channel *channel, uint32_t bit)
{
    uint32_t mine = bit + 1;
    if (hkti_fetch_add_acq_rel(&channel->users, -mine) ==
        (CLOSED | mine)) /* pairs: channel-users */
        gone(channel);
}

int hkti_channel_enter(struct hkti_channel *channel)
{
    return enter(channel, 0);
}

void hkti_channel_leave(struct hkti_channel *channel)
{
    leave(channel, 0);
}

int hkti_channel_enter_reader(struct hkti_channel *channel)
{
    return enter(channel, READER);
}

void hkti_channel_leave_reader(struct hkti_channel *channel)
{
    leave(channel, READER);
}

bool hkti_channel_is_closed(const struct hkti_channel *channel)
{
    return hkti_load_acquire(&channel->users) & CLOSED; /* pairs: channel-users */
}

bool hkti_channel_is_used(const struct hkti_channel *channel)
{
    return hkti_load_acquire(&channel->users) & ~CLOSED; /* pairs: channel-users */
}

int hkti_channel_end_output(struct hkti_channel *channel)
{
    int saved = errno, err = 0;
    if (channel->kind <= HKTI_CHANNEL_SOCKET)
        err = shutdown(channel->fd, SHUT_WR) < 0 ? -errno : 0;
    else if ((fcntl(channel->fd, F_GETFL) & O_ACCMODE) == O_WRONLY)
        (void)hkti_channel_close(channel); /* the one half that it has */
    else
        err = -EOPNOTSUPP;
    errno = saved;
    return err;
}

bool hkti_channel_close(struct hkti_channel *channel)
{
    /* The caller is a user until those who wait have been woken, or the last one could close the
     * fd, and its owner give the channel back, meanwhile. */
    if (hkti_channel_enter(channel) < 0)
        return false;
    uint32_t before = hkti_fetch_or_seq_cst(&channel->users, CLOSED); /* pairs: channel-users */
    struct hkti_wait_list woken = { { 0 } };
    hkti_guard_acquire(&channel->guard);
    hkti_wait_list_take(&channel->waiting, SIZE_MAX, 0, &woken);
    hkti_guard_release(&channel->guard);
    hkti_wake_all(&woken);
    hkti_channel_leave(channel);
    return !(before & CLOSED);
}

int hkti_channel_wait(struct hkti_channel *channel, short events, int64_t deadline)
{
    struct hkti_fd_interest interest = { .fd = channel->fd,
                                         .events = events,
                                         .serial = hkti_load_relaxed(&channel->serial) };
    struct hkti_wait wait = { .what = events == POLLOUT ? "write" : "read",
                              .object = channel,
                              .list = &channel->waiting,
                              .guard = &channel->guard,
                              .deadline = deadline,
                              .fd = &interest,
                              .cancellable = true,
                              .no_spin = true };
    hkti_guard_acquire(&channel->guard);
    if (hkti_channel_is_closed(channel)) {
        hkti_guard_release(&channel->guard);
        return -ESHUTDOWN;
    }
    int err = hkti_wait(&wait);
    if (err == 0)
        return -ESHUTDOWN; /* only closing wakes */
    if (err < 0)
        return err;
    if (events & POLLIN)
        hkti_store_relaxed(&channel->quiet[HKTI_IN], (uint8_t)0);
    if (events & POLLOUT)
        hkti_store_relaxed(&channel->quiet[HKTI_OUT], (uint8_t)0);
    if (interest.revents & (POLLRDHUP | POLLHUP))
        hkti_store_relaxed(&channel->ended, (uint8_t)HKTI_ENDED);
    else if (interest.revents & (POLLPRI | POLLERR) && !hkti_load_relaxed(&channel->ended))
        hkti_store_relaxed(&channel->ended, (uint8_t)HKTI_STOPS_SHORT);
    return 0;
}

/* Of a pipe or terminal that others have too, O_NONBLOCK is not ours to set: the system is asked
 * not to wait in this call; where it cannot (terminals, old kernels), it is asked first whether
 * it would. */
static ssize_t read_shared(struct hkti_channel *channel, void *data, size_t size)
{
    struct iovec piece = { data, size };
    ssize_t n = preadv2(channel->fd, &piece, 1, -1, RWF_NOWAIT);
    if (n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
        return n;
    struct pollfd look = { .fd = channel->fd, .events = POLLIN };
    if (poll(&look, 1, 0) > 0)
        return read(channel->fd, data, size);
    errno = EAGAIN;
    return -1;
}

/* A pipe that says it can be written takes PIPE_BUF bytes. */
static ssize_t write_shared(struct hkti_channel *channel, const struct iovec *pieces, int count)
{
    ssize_t n = pwritev2(channel->fd, pieces, count, -1, RWF_NOWAIT);
    if (n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
        return n;
    struct pollfd look = { .fd = channel->fd, .events = POLLOUT };
    if (poll(&look, 1, 0) > 0) {
        while (count > 1 && pieces->iov_len == 0)
            pieces++, count--;
        return write(channel->fd, pieces->iov_base,
                     pieces->iov_len < PIPE_BUF ? pieces->iov_len : PIPE_BUF);
    }
    errno = EAGAIN;
    return -1;
}

static ssize_t try_read(struct hkti_channel *channel, void *data, size_t size)
{
    if (size > INT_MAX)
        size = INT_MAX;
    if (channel->kind <= HKTI_CHANNEL_SOCKET)
        return recv(channel->fd, data, size, MSG_DONTWAIT);
    if (channel->kind == HKTI_CHANNEL_OWN)
        return read(channel->fd, data, size);
    return read_shared(channel, data, size);
}

static ssize_t try_write(struct hkti_channel *channel, const struct iovec *pieces, int count)
{
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (channel->more ? MSG_MORE : 0);
    if (channel->kind <= HKTI_CHANNEL_SOCKET && count == 1)
        return send(channel->fd, pieces->iov_base, pieces->iov_len, flags);
    struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)pieces,
                              .msg_iovlen = (size_t)count };
    if (channel->kind <= HKTI_CHANNEL_SOCKET)
        return sendmsg(channel->fd, &message, flags);
    if (channel->kind == HKTI_CHANNEL_OWN)
        return writev(channel->fd, pieces, count);
    return write_shared(channel, pieces, count);
}

/* A pipe with a name, or a terminal, that had ended has somebody at the other side again. With a
 * new serial the poller forgets the end, which it would tell for ever. */
static void begin_again(struct hkti_channel *channel)
{
    hkti_store_relaxed(&channel->ended, (uint8_t)0);
    hkti_store_relaxed(&channel->serial, hkti_fetch_add_relaxed(&serials, UINT64_C(1)) + 1);
}

/* What a try has said; `short_of`: it could have been more. */
static int outcome(struct hkti_channel *channel, int direction, ssize_t n, bool short_of)
{
    int err = n < 0 ? -errno : 0;
    if (err == -EWOULDBLOCK)
        err = -EAGAIN;
    if (err == -EAGAIN || (short_of && !hkti_load_relaxed(&channel->ended)))
        hkti_store_relaxed(&channel->quiet[direction], (uint8_t)1);
    if (err == -EAGAIN && direction == HKTI_IN && hkti_load_relaxed(&channel->ended) == HKTI_ENDED)
        begin_again(channel);
    return err < 0 ? err : (int)n;
}

int hkti_channel_read(struct hkti_channel *channel, void *data, size_t size)
{
    int saved = errno;
    ssize_t n;
    do
        n = try_read(channel, data, size);
    while (n < 0 && errno == EINTR);
    bool tells = channel->kind == HKTI_CHANNEL_TCP && n > 0 && (size_t)n < size;
    int result = outcome(channel, HKTI_IN, n, tells);
    errno = saved;
    return result;
}

void hkti_sigpipe_hold(struct hkti_sigpipe *held)
{
    sigset_t pipe_alone, pending;
    sigemptyset(&pipe_alone);
    sigaddset(&pipe_alone, SIGPIPE);
    sigpending(&pending);
    held->waiting = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_alone, &held->before);
}

void hkti_sigpipe_release(const struct hkti_sigpipe *held, bool perhaps)
{
    sigset_t pipe_alone;
    sigemptyset(&pipe_alone);
    sigaddset(&pipe_alone, SIGPIPE);
    if (perhaps && !held->waiting)
        while (sigtimedwait(&pipe_alone, NULL, &(struct timespec){ 0, 0 }) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &held->before, NULL);
}

/* There is no flag against SIGPIPE of a pipe. */
static ssize_t write_quietly(struct hkti_channel *channel, const struct iovec *pieces, int count)
{
    struct hkti_sigpipe held;
    hkti_sigpipe_hold(&held);
    ssize_t n = try_write(channel, pieces, count);
    int err = errno;
    hkti_sigpipe_release(&held, true); /* it comes with a success too, of a part */
    errno = err;
    return n;
}

int hkti_channel_write(struct hkti_channel *channel, const struct iovec *pieces, int count)
{
    int saved = errno;
    bool socket = channel->kind <= HKTI_CHANNEL_SOCKET;
    ssize_t n;
    if (count > IOV_MAX)
        count = IOV_MAX;
    do
        n = socket ? try_write(channel, pieces, count) : write_quietly(channel, pieces, count);
    while (n < 0 && errno == EINTR);
    int result = outcome(channel, HKTI_OUT, n, false);
    errno = saved;
    return result;
}
