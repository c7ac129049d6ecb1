/* SPDX-License-Identifier: MIT */
/* Sockets as the system has them. */
#include "io/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int hkti_socket_open(int family, int type)
{
    int saved = errno;
    int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err = errno;
    errno = saved;
    return fd < 0 ? -err : fd;
}

int hkti_socket_set(int fd, int level, int option, int value)
{
    int saved = errno;
    int err = setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
    errno = saved;
    return err;
}

/* Small pieces leave at once; what is not TCP does not know the option. */
int hkti_socket_kind(int fd)
{
    bool tcp = hkti_socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1) == 0;
    return tcp ? HKTI_CHANNEL_TCP : HKTI_CHANNEL_SOCKET;
}

typedef int name_call(int fd, struct sockaddr *address, socklen_t *length);

static int name(const struct hkti_channel *channel, name_call *call, hkt_address *address)
{
    struct hkti_channel *entered = (struct hkti_channel *)(uintptr_t)channel;
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    int err = hkti_channel_enter(entered), saved = errno;
    if (err < 0)
        return err;
    if (call(entered->fd, (struct sockaddr *)&storage, &length) < 0)
        err = -errno;
    errno = saved;
    hkti_channel_leave(entered);
    return err < 0 ? err : hkt_address_from_sockaddr(address, (struct sockaddr *)&storage, length);
}

int hkti_socket_local(const struct hkti_channel *channel, hkt_address *address)
{
    return name(channel, getsockname, address);
}

int hkti_socket_peer(const struct hkti_channel *channel, hkt_address *address)
{
    return name(channel, getpeername, address);
}
