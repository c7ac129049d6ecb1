/* SPDX-License-Identifier: MIT */
/* From one to the other: files into streams, by sendfile where the stream is a plain socket that
 * does not block, else by way of a buffer; streams into streams. */
#include <errno.h>
#include <fcntl.h>
#include <hocket/file.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/memory.h"
#include "io/stream.h"

#define CHUNK ((size_t)65536)
#define COPIED ((size_t)16384)
#define MOST ((uint64_t)1 << 30) /* at a time */

struct span {
    int fd;
    uint64_t offset, left, sent;
};

static void went(hkt_stream *stream, struct span *span, size_t n)
{
    span->offset += n;
    span->left -= n;
    span->sent += n;
    hkti_store_relaxed(&stream->written, stream->written + n);
}

static int try_send(hkt_stream *stream, struct span *span)
{
    off_t offset = (off_t)span->offset;
    int saved = errno;
    struct hkti_sigpipe held; /* sendfile has no MSG_NOSIGNAL */
    ssize_t n;
    hkti_sigpipe_hold(&held);
    do
        n = sendfile(stream->channel.fd, span->fd, &offset,
                     (size_t)(span->left < MOST ? span->left : MOST));
    while (n < 0 && errno == EINTR);
    int err = n < 0 ? -errno : 0;
    hkti_sigpipe_release(&held, n < 0 ? err == -EPIPE : (uint64_t)n < span->left);
    errno = saved;
    if (err == -EAGAIN)
        hkti_store_relaxed(&stream->channel.quiet[HKTI_OUT], (uint8_t)1);
    return err < 0 ? err : (int)n;
}

/* 0; -ENODATA; -EINVAL: the system cannot do it, and nothing has been sent. */
static int send_straight(hkt_stream *stream, struct span *span)
{
    while (span->left > 0) {
        int n = hkti_load_relaxed(&stream->channel.quiet[HKTI_OUT]) ? -EAGAIN
                                                                    : try_send(stream, span);
        if (n == 0)
            return -ENODATA;
        if (n > 0) {
            went(stream, span, (size_t)n);
            hkti_stream_give_way();
            continue;
        }
        if (n == -EAGAIN)
            n = hkti_stream_await(stream, POLLOUT);
        if (n < 0)
            return n;
    }
    return 0;
}

static int send_copied(hkt_stream *stream, struct span *span)
{
    int err = 0;
    char *data = span->left ? hkti_allocate(CHUNK) : NULL;
    if (data == NULL)
        return span->left ? -ENOMEM : 0;
    while (err == 0 && span->left > 0) {
        int64_t n = hkt_file_read(span->fd, data, span->left < CHUNK ? span->left : CHUNK,
                                  (int64_t)span->offset);
        uint64_t before = stream->written;
        struct iovec piece = { data, n > 0 ? (size_t)n : 0 };
        if (n > 0)
            err = hkti_stream_send(stream, &piece, 1);
        else
            err = n < 0 ? (int)n : -ENODATA;
        uint64_t sent = stream->written - before;
        span->sent += sent;
        span->offset += sent;
        span->left -= sent;
    }
    hkti_release(data, CHUNK);
    return err;
}

static bool goes_straight(const hkt_stream *stream)
{
    return stream->layer == &hkti_stream_plain && stream->channel.kind <= HKTI_CHANNEL_SOCKET &&
           (fcntl(stream->channel.fd, F_GETFL) & O_NONBLOCK);
}

static int send_span(hkt_stream *stream, struct span *span)
{
    int err = stream->eof_sent ? -EPIPE : hkti_stream_send(stream, NULL, 0);
    if (err < 0)
        return err;
    err = goes_straight(stream) ? send_straight(stream, span) : -EINVAL;
    return err == -EINVAL && span->sent == 0 ? send_copied(stream, span) : err;
}

int hkt_stream_send_file(hkt_stream *stream, int fd, uint64_t offset, uint64_t count,
                         uint64_t *sent)
{
    struct span span = { .fd = fd, .offset = offset, .left = count };
    struct stat about;
    int saved = errno;
    int err = fstat(fd, &about) < 0 ? -errno : S_ISREG(about.st_mode) ? 0 : -EOPNOTSUPP;
    errno = saved;
    if (err == 0 && count > 0 && offset > INT64_MAX - MOST)
        err = -ENODATA; /* no file reaches so far */
    if (err == 0)
        err = hkti_stream_begin_write(stream);
    if (err == 0) {
        err = send_span(stream, &span);
        hkti_stream_end_write(stream);
    }
    if (sent)
        *sent = span.sent;
    return err;
}

int hkt_stream_copy(hkt_stream *from, hkt_stream *to, uint64_t *count)
{
    uint64_t copied = 0;
    int n = -ENOMEM;
    char *data = hkti_allocate(COPIED);
    while (data && (n = hkt_stream_read(from, data, COPIED)) > 0) {
        int err = hkt_stream_write(to, data, (size_t)n);
        if (err < 0) {
            n = err;
            break;
        }
        copied += (uint64_t)n;
    }
    hkti_release(data, COPIED);
    if (count)
        *count = copied;
    return n;
}
