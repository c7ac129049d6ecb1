/* SPDX-License-Identifier: MIT */
/* Streams: how they begin, what they have in common, and what can be asked of them. io/stream.h has their
 * states. */
#include "io/stream.h"

#include <errno.h>
#include <hocket/task.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/socket.h"

static int plain_read(hkt_stream *stream, void *data, size_t size, short *wants)
{
    (void)wants;
    return hkti_channel_read(&stream->channel, data, size);
}

static int plain_write(hkt_stream *stream, const struct iovec *pieces, int count, short *wants)
{
    (void)wants;
    return hkti_channel_write(&stream->channel, pieces, count);
}

const struct hkti_stream_layer hkti_stream_plain = { .read = plain_read, .write = plain_write };

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
        hkti_os_close(fd);
        return -ENOMEM;
    }
    hkti_stream_open(made, fd, kind);
    *stream = made;
    return 0;
}

int hkti_stream_of_socket(hkt_stream **stream, int fd)
{
    return hkti_stream_make(stream, fd, (enum hkti_channel_kind)hkti_socket_kind(fd));
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
