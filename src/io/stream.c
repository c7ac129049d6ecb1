/* SPDX-License-Identifier: MIT */
/* Streams: how they begin and end, and what can be asked of them. io/stream.h has their states. */
#include "io/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <hocket/task.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/report.h"
#include "io/socket.h"
#include "park/scope.h"

hkt_stream *hkti_stream_allocate(void)
{
    return hkti_allocate_lines(sizeof(hkt_stream));
}

void hkti_stream_open(hkt_stream *stream, int fd, enum hkti_channel_kind kind)
{
    hkti_channel_open(&stream->channel, fd, kind);
    stream->layer = &hkti_stream_plain;
}

int hkti_stream_make(hkt_stream **stream, int fd, enum hkti_channel_kind kind)
{
    hkt_stream *made = hkti_stream_allocate();
    if (made == NULL) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
        return -ENOMEM;
    }
    hkti_stream_open(made, fd, kind);
    *stream = made;
    return 0;
}

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
    hkt_stream *made = kind < 0 ? NULL : hkti_stream_allocate();
    if (made == NULL) {
        if (!borrow && kind != -EBADF)
            (void)close(fd);
        errno = saved;
        return kind < 0 ? kind : -ENOMEM;
    }
    errno = saved;
    hkti_stream_open(made, fd, (enum hkti_channel_kind)kind);
    made->channel.borrowed = borrow;
    *stream = made;
    return 0;
}

static int make_two(hkt_stream *made[2], const int fds[2], enum hkti_channel_kind kind)
{
    int err = hkti_stream_make(&made[0], fds[0], kind);
    if (err < 0) {
        int saved = errno;
        (void)close(fds[1]);
        errno = saved;
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

int hkti_stream_await(hkt_stream *stream, short wants)
{
    hkti_self()->streak = 0;
    return hkti_channel_wait(&stream->channel, wants, 0);
}

#define STREAK 32
void hkti_stream_give_way(void)
{
    struct hkti_strand *self = hkti_self();
    if (self->coroutine == NULL || ++self->streak < STREAK)
        return;
    self->streak = 0;
    /* That the scope has ended is for the next call to tell: this one has succeeded. */
    (void)hkt_yield();
}

/* Leave is taken by writing; others who write come first. */
static int take_leave(hkt_stream *stream)
{
    int err = hkti_stream_begin_write(stream);
    if (err < 0)
        return err == -ESHUTDOWN ? 0 : err;
    if (!stream->eof_sent)
        err = hkti_stream_send(stream, NULL, 0);
    while (err == 0 && stream->layer->finish) {
        short wants = POLLOUT;
        err = stream->layer->finish(stream, &wants);
        if (err != -EAGAIN)
            break;
        err = hkti_stream_await(stream, wants);
    }
    if (err == 0 && stream->layer->discard && hkti_channel_enter_reader(&stream->channel) == 0) {
        stream->layer->discard(stream);
        hkti_channel_leave_reader(&stream->channel);
    }
    hkti_stream_end_write(stream);
    return err;
}

int hkt_stream_close(hkt_stream *stream)
{
    if (hkti_channel_is_closed(&stream->channel))
        return 0;
    bool keeps = hkti_load_relaxed(&stream->out_limit) > 0;
    bool speaks = hkti_load_relaxed(&stream->layer) != &hkti_stream_plain;
    int err = keeps || speaks ? take_leave(stream) : 0;
    (void)hkti_channel_close(&stream->channel);
    return err;
}

void hkt_stream_abort(hkt_stream *stream)
{
    struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    if (hkti_channel_enter(&stream->channel) < 0)
        return;
    int saved = errno;
    if (stream->channel.kind == HKTI_CHANNEL_TCP && !stream->channel.borrowed)
        (void)setsockopt(stream->channel.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    errno = saved;
    (void)hkti_channel_close(&stream->channel);
    hkti_channel_leave(&stream->channel);
}

void hkt_stream_destroy(hkt_stream *stream)
{
    if (stream == NULL)
        return;
    (void)hkt_stream_close(stream);
    if (hkti_channel_is_used(&stream->channel))
        hkti_misuse("hkt_stream_destroy: somebody still reads or writes stream %p", (void *)stream);
    if (stream->layer->release)
        stream->layer->release(stream);
    hkti_release(stream->in.data, stream->in.room);
    hkti_release(stream->out.data, stream->out.room);
    hkti_release_lines(stream, sizeof *stream);
}

uint64_t hkt_stream_written(const hkt_stream *stream)
{
    return hkti_load_relaxed(&stream->written);
}

uint64_t hkt_stream_taken(const hkt_stream *stream)
{
    return hkti_load_relaxed(&stream->taken);
}

int hkt_stream_fd(const hkt_stream *stream)
{
    return hkti_channel_is_closed(&stream->channel) ? -ESHUTDOWN : stream->channel.fd;
}

int hkt_stream_local(const hkt_stream *stream, hkt_address *address)
{
    return hkti_socket_local(&stream->channel, address);
}

int hkt_stream_peer(const hkt_stream *stream, hkt_address *address)
{
    return hkti_socket_peer(&stream->channel, address);
}

static int set(hkt_stream *stream, int level, int option, int value)
{
    if (stream->channel.kind != HKTI_CHANNEL_TCP)
        return hkti_channel_is_closed(&stream->channel) ? -ESHUTDOWN : -EOPNOTSUPP;
    int err = hkti_channel_enter(&stream->channel), saved = errno;
    if (err < 0)
        return err;
    if (setsockopt(stream->channel.fd, level, option, &value, sizeof value) < 0)
        err = -errno;
    errno = saved;
    hkti_channel_leave(&stream->channel);
    return err;
}

int hkt_stream_set_nodelay(hkt_stream *stream, bool on)
{
    return set(stream, IPPROTO_TCP, TCP_NODELAY, on);
}

/* Probes that are not answered are sent again, four times, each after a quarter of the time. */
int hkt_stream_set_keepalive(hkt_stream *stream, int seconds)
{
    if (seconds < 0)
        return -EINVAL;
    int err = set(stream, SOL_SOCKET, SO_KEEPALIVE, seconds > 0);
    if (err < 0 || seconds == 0)
        return err;
    int between = seconds < 4 ? 1 : seconds / 4;
    err = set(stream, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
    if (err == 0)
        err = set(stream, IPPROTO_TCP, TCP_KEEPINTVL, between);
    return err < 0 ? err : set(stream, IPPROTO_TCP, TCP_KEEPCNT, 4);
}
