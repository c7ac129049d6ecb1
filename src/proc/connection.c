/* SPDX-License-Identifier: MIT */
/* Connections: how they begin and end, and what can be asked of them. proc/connection.h has their
 * states. */
#include "proc/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/seconds.h"
#include "io/socket.h"
#include "park/scope.h"

int hkti_connection_make(hkt_connection **connection, int fd, enum hkti_channel_kind kind)
{
    hkt_connection *made = hkti_allocate(sizeof *made);
    if (made == NULL) {
        hkti_os_close(fd);
        return -ENOMEM;
    }
    hkti_channel_open(&made->channel, fd, kind);
    made->readable = made->writable = true;
    made->fd_came = -1;
    *connection = made;
    return 0;
}

static int make_two(hkt_connection *made[2], const int fds[2], enum hkti_channel_kind kind)
{
    int err = hkti_connection_make(&made[0], fds[0], kind);
    if (err < 0) {
        hkti_os_close(fds[1]);
        return err;
    }
    err = hkti_connection_make(&made[1], fds[1], kind);
    if (err < 0)
        hkt_connection_destroy(made[0]);
    return err;
}

/* The fds block, as other programs expect those that they are passed. Sockets need no O_NONBLOCK
 * here, and pipes that are shared do without. */
int hkt_pipe_create(hkt_connection **first, hkt_connection **second, bool duplex)
{
    int fds[2], saved = errno, err = 0;
    if ((duplex ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) : pipe2(fds, O_CLOEXEC)) <
        0)
        err = -errno;
    errno = saved;
    hkt_connection *made[2] = { NULL, NULL };
    if (err == 0)
        err = make_two(made, fds, duplex ? HKTI_CHANNEL_SOCKET : HKTI_CHANNEL_SHARED);
    if (err < 0)
        return err;
    made[0]->writable = made[1]->readable = duplex;
    made[0]->passes_fds = made[1]->passes_fds = duplex;
    *first = made[0];
    *second = made[1];
    return 0;
}

static int option(int fd, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &length) < 0 ? -1 : value;
}

/* What kind of channel it is, and what it is good for; or a negative errno. */
static int look_at(int fd, bool *readable, bool *writable, bool *passes_fds)
{
    struct stat about;
    if (fstat(fd, &about) < 0)
        return -errno;
    int mode = fcntl(fd, F_GETFL) & O_ACCMODE;
    *readable = mode != O_WRONLY;
    *writable = mode != O_RDONLY;
    if (S_ISFIFO(about.st_mode))
        return HKTI_CHANNEL_SHARED;
    if (!S_ISSOCK(about.st_mode))
        return hkt_fail(-EINVAL, "fd %d is no pipe and no socket, so it is no connection", fd);
    if (option(fd, SO_TYPE) != SOCK_STREAM || option(fd, SO_ACCEPTCONN) == 1)
        return hkt_fail(-EINVAL, "fd %d is no stream socket that is connected", fd);
    *passes_fds = option(fd, SO_DOMAIN) == AF_UNIX;
    return hkti_socket_kind(fd);
}

int hkt_connection_adopt(hkt_connection **connection, int fd)
{
    bool readable = false, writable = false, passes_fds = false;
    int saved = errno;
    int kind = look_at(fd, &readable, &writable, &passes_fds);
    if (kind >= 0)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    errno = saved;
    if (kind < 0) {
        if (kind == -EBADF)
            return hkt_fail(-EBADF, "hkt_connection_adopt: fd %d is not open", fd);
        hkti_os_close(fd);
        return kind;
    }
    hkt_connection *made;
    int err = hkti_connection_make(&made, fd, (enum hkti_channel_kind)kind);
    if (err < 0)
        return err;
    made->readable = readable;
    made->writable = writable;
    made->passes_fds = passes_fds;
    *connection = made;
    return 0;
}

int hkt_connection_fileno(const hkt_connection *connection)
{
    return hkt_connection_closed(connection) ? -ESHUTDOWN : connection->channel.fd;
}

bool hkt_connection_readable(const hkt_connection *connection)
{
    return connection->readable;
}

bool hkt_connection_writable(const hkt_connection *connection)
{
    return connection->writable;
}

int hkti_connection_begin(hkt_connection *connection, hkt_lock *direction, hkt_deadline deadline)
{
    bool can = direction == &connection->receiving ? connection->readable : connection->writable;
    int err = hkti_channel_enter(&connection->channel);
    if (err < 0)
        return err;
    err = can ? hkti_cancelled(deadline.ns)
              : hkt_fail(-EOPNOTSUPP, "this end of the pipe only %s",
                         connection->readable ? "receives" : "sends");
    if (err == 0)
        err = hkt_lock_acquire_until(direction, deadline);
    if (err == 0 && hkti_channel_is_closed(&connection->channel)) {
        hkt_lock_release(direction);
        err = -ESHUTDOWN;
    }
    if (err < 0)
        hkti_channel_leave(&connection->channel);
    return err;
}

void hkti_connection_end(hkt_connection *connection, hkt_lock *direction)
{
    hkt_lock_release(direction);
    hkti_channel_leave(&connection->channel);
}

int hkti_connection_await(hkt_connection *connection, short events)
{
    hkti_self()->streak = 0;
    return hkti_channel_wait(&connection->channel, events, 0);
}

/* By who receives: 1; 0 when the deadline has passed. */
static int await_something(hkt_connection *connection, int64_t deadline)
{
    int fd = connection->channel.fd;
    if (connection->fd_came >= 0 || connection->senseless ||
        (connection->sized && connection->got == connection->size))
        return 1;
    for (;;) {
        short revents = 0;
        int err = hkti_os_poll(fd, POLLIN, &revents, -1, HKTI_PASSED);
        if (err < 0 && err != -ETIMEDOUT)
            return err;
        if (err == 0 && revents)
            return 1;
        if (deadline == HKTI_PASSED)
            return 0;
        err = hkti_channel_wait(&connection->channel, POLLIN, deadline);
        if (err < 0)
            return err == -ETIMEDOUT ? 0 : err;
    }
}

int hkt_connection_poll(hkt_connection *connection, hkt_deadline deadline)
{
    int result = hkti_connection_begin(connection, &connection->receiving, deadline);
    if (result < 0)
        return result == -ETIMEDOUT ? 0 : result;
    result = await_something(connection, deadline.ns);
    hkti_connection_end(connection, &connection->receiving);
    return result;
}

void hkt_connection_close(hkt_connection *connection)
{
    (void)hkti_channel_close(&connection->channel);
}

bool hkt_connection_closed(const hkt_connection *connection)
{
    return hkti_channel_is_closed(&connection->channel);
}

void hkt_connection_destroy(hkt_connection *connection)
{
    if (connection == NULL)
        return;
    hkt_connection_close(connection);
    if (hkti_channel_is_used(&connection->channel))
        hkti_misuse("hkt_connection_destroy: somebody still sends or receives on connection %p",
                    (void *)connection);
    hkti_os_close(connection->fd_came);
    hkti_block_release(&connection->kept);
    hkti_release(connection, sizeof *connection);
}
