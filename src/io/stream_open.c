/* SPDX-License-Identifier: MIT */
/* Streams of what there is already, and streams that belong together. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/stream.h"

/* What kind of channel an fd is, or a negative errno. */
static int kind_of(int fd)
{
    struct stat about;
    int domain = 0;
    socklen_t length = sizeof domain;
    if (fstat(fd, &about) < 0)
        return -errno;
    if (S_ISREG(about.st_mode) || S_ISDIR(about.st_mode) || S_ISBLK(about.st_mode))
        return -EINVAL;
    if (!S_ISSOCK(about.st_mode))
        return HKTI_CHANNEL_SHARED;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
        (domain == AF_INET || domain == AF_INET6))
        return HKTI_CHANNEL_TCP;
    return HKTI_CHANNEL_SOCKET;
}

int hkt_stream_adopt(hkt_stream **stream, int fd, bool borrow)
{
    if (fd < 0)
        return -EBADF;
    int saved = errno;
    int kind = kind_of(fd);
    errno = saved;
    hkt_stream *made = kind < 0 ? NULL : hkti_stream_allocate();
    if (made == NULL) {
        if (!borrow && kind != -EBADF)
            hkti_os_close(fd);
        return kind < 0 ? kind : -ENOMEM;
    }
    hkti_stream_open(made, fd, (enum hkti_channel_kind)kind);
    made->channel.borrowed = borrow;
    *stream = made;
    return 0;
}

static int make_two(hkt_stream *made[2], const int fds[2], enum hkti_channel_kind kind)
{
    int err = hkti_stream_make(&made[0], fds[0], kind);
    if (err < 0) {
        hkti_os_close(fds[1]);
        return err;
    }
    err = hkti_stream_make(&made[1], fds[1], kind);
    if (err < 0)
        hkt_stream_destroy(made[0]);
    return err;
}

int hkt_stream_pipe(hkt_stream **reader, hkt_stream **writer)
{
    int fds[2], saved = errno;
    int err = pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
    errno = saved;
    hkt_stream *made[2];
    if (err == 0)
        err = make_two(made, fds, HKTI_CHANNEL_OWN);
    if (err < 0)
        return err;
    *reader = made[0];
    *writer = made[1];
    return 0;
}

int hkt_stream_pair(hkt_stream *streams[2])
{
    int fds[2], saved = errno;
    int err = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0 ? -errno
                                                                                          : 0;
    errno = saved;
    hkt_stream *made[2];
    if (err == 0)
        err = make_two(made, fds, HKTI_CHANNEL_SOCKET);
    if (err < 0)
        return err;
    streams[0] = made[0];
    streams[1] = made[1];
    return 0;
}
