/* SPDX-License-Identifier: MIT */
/* Fds that go over connections: proc/connection.h says how they are told from messages.
 *
 * A Unix socket does not read on behind a byte that an fd comes with, and gives an fd away once: so
 * who wants one looks at it first (MSG_PEEK installs a second fd for the same file), and takes the
 * byte away when he has it. What cannot be had now, as with -EMFILE, stays for later. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "io/stream.h"
#include "proc/connection.h"

#define FD_BYTE 1
#define FDS_MAX 4 /* more than one makes no sense; beyond that the kernel drops them */

union control {
    struct cmsghdr aligned;
    char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
};

/* What has come with a read. */
struct arrival {
    int fds[FDS_MAX];
    int count;
    bool cut; /* there was more, or no number was free for it */
};

static void drop(struct arrival *arrival)
{
    for (int i = 0; i < arrival->count; i++)
        hkti_os_close(arrival->fds[i]);
    arrival->count = 0;
}

static void find_fds(struct msghdr *message, struct arrival *arrival)
{
    arrival->count = 0;
    arrival->cut = message->msg_flags & MSG_CTRUNC;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t bytes = part->cmsg_len - CMSG_LEN(0);
        int count = (int)(bytes / sizeof(int));
        memcpy(arrival->fds + arrival->count, CMSG_DATA(part), (size_t)count * sizeof(int));
        arrival->count += count;
    }
}

/* One try: how many bytes, 0 at the end, -EAGAIN, other errors. */
static int try_read(hkt_connection *connection, void *data, size_t size, int flags,
                    struct arrival *arrival)
{
    union control control;
    struct iovec piece = { data, size };
    struct msghdr message = { .msg_iov = &piece,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof control };
    int saved = errno;
    ssize_t n;
    do
        n = recvmsg(connection->channel.fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | flags);
    while (n < 0 && errno == EINTR);
    int err = errno;
    errno = saved;
    *arrival = (struct arrival){ .count = 0 };
    if (n < 0) {
        if (err == EAGAIN)
            hkti_store_relaxed(&connection->channel.quiet[HKTI_IN], (uint8_t)1);
        return -err;
    }
    find_fds(&message, arrival);
    return (int)n;
}

int hkti_connection_read_first(hkt_connection *connection, void *data, size_t size)
{
    struct arrival arrival;
    int n = try_read(connection, data, size, 0, &arrival);
    if (n <= 0 || (arrival.count == 0 && !arrival.cut))
        return n;
    if (n == 1 && arrival.count == 1 && !arrival.cut && *(unsigned char *)data == FD_BYTE) {
        connection->fd_came = arrival.fds[0];
        return -EBADMSG;
    }
    drop(&arrival);
    if (n == 1 && arrival.cut && *(unsigned char *)data == FD_BYTE)
        return hkt_fail(-EMFILE, "an fd came where a message was expected, and had no place");
    connection->senseless = true;
    return -EBADMSG;
}

/* With the byte looked at: the fd. */
static int take_looked_at(hkt_connection *connection, unsigned char byte, struct arrival *arrival)
{
    int fd = arrival->fds[0], saved = errno;
    bool one = byte == FD_BYTE && arrival->count == 1 && !arrival->cut;
    if (!one) {
        bool no_place = byte == FD_BYTE && arrival->count == 0 && arrival->cut;
        drop(arrival);
        return no_place ? -EMFILE : -EBADMSG;
    }
    ssize_t n;
    do
        n = recv(connection->channel.fd, &byte, 1, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    errno = saved;
    return fd;
}

static int receive_fd(hkt_connection *connection)
{
    unsigned char byte = 0;
    struct arrival arrival;
    int fd = connection->fd_came;
    connection->fd_came = -1;
    if (fd >= 0)
        return fd;
    if (connection->header_got > 0 || connection->senseless)
        return -EBADMSG;
    for (;;) {
        int n = hkti_load_relaxed(&connection->channel.quiet[HKTI_IN])
                    ? -EAGAIN
                    : try_read(connection, &byte, 1, MSG_PEEK, &arrival);
        if (n > 0)
            return take_looked_at(connection, byte, &arrival);
        if (n == 0 || n == -ECONNRESET)
            return -ENODATA;
        if (n == -EAGAIN)
            n = hkti_connection_await(connection, POLLIN);
        if (n < 0)
            return n;
    }
}

int hkt_connection_recv_fd(hkt_connection *connection)
{
    if (!connection->passes_fds)
        return hkt_connection_closed(connection) ? -ESHUTDOWN : -EOPNOTSUPP;
    int fd = hkti_connection_begin(connection, &connection->receiving, (hkt_deadline){ 0 });
    if (fd < 0)
        return fd;
    fd = receive_fd(connection);
    hkti_connection_end(connection, &connection->receiving);
    if (fd >= 0)
        hkti_stream_give_way();
    return fd;
}

static int try_send(hkt_connection *connection, int fd)
{
    unsigned char byte = FD_BYTE;
    union control control = { .bytes = { 0 } };
    struct iovec piece = { &byte, 1 };
    struct msghdr message = { .msg_iov = &piece,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = CMSG_SPACE(sizeof fd) };
    struct cmsghdr *part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(part), &fd, sizeof fd);
    int saved = errno;
    ssize_t n;
    do
        n = sendmsg(connection->channel.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    int err = n < 0 ? -errno : 0;
    errno = saved;
    return err;
}

int hkt_connection_send_fd(hkt_connection *connection, int fd)
{
    if (!connection->passes_fds)
        return hkt_connection_closed(connection) ? -ESHUTDOWN : -EOPNOTSUPP;
    int err = hkti_connection_begin(connection, &connection->sending, (hkt_deadline){ 0 });
    if (err < 0)
        return err;
    err = connection->torn ? -EPIPE : try_send(connection, fd);
    while (err == -EAGAIN) {
        err = hkti_connection_await(connection, POLLOUT);
        if (err == 0)
            err = try_send(connection, fd);
    }
    hkti_connection_end(connection, &connection->sending);
    if (err == 0)
        hkti_stream_give_way();
    return err == -ECONNRESET ? -EPIPE : err;
}
