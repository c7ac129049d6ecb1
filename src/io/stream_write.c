/* SPDX-License-Identifier: MIT */
/* Writing to streams. A writer has the stream's lock until his pieces have gone, so writes do
 * not mix. What is kept in the buffer goes first; after an error what has not gone is still
 * there, so the order of bytes holds whatever happens. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/memory.h"
#include "io/stream.h"
#include "park/scope.h"

#define BATCH 16

int hkti_stream_begin_write(hkt_stream *stream)
{
    int err = hkti_channel_enter(&stream->channel);
    if (err < 0)
        return err;
    err = hkti_cancelled(0);
    if (err == 0)
        err = hkt_lock_acquire_until(&stream->out_lock, (hkt_deadline){ 0 });
    if (err == 0 && hkti_channel_is_closed(&stream->channel)) {
        hkt_lock_release(&stream->out_lock);
        err = -ESHUTDOWN;
    }
    if (err < 0)
        hkti_channel_leave(&stream->channel);
    return err;
}

void hkti_stream_end_write(hkt_stream *stream)
{
    hkt_lock_release(&stream->out_lock);
    hkti_channel_leave(&stream->channel);
}

/* Pieces, from a point in the first of them on. */
struct cursor {
    const struct iovec *pieces;
    int count;
    size_t offset;
};

static void skip_empty(struct cursor *at)
{
    while (at->count > 0 && at->pieces->iov_len == at->offset) {
        at->pieces++;
        at->count--;
        at->offset = 0;
    }
}

static void advance(struct cursor *at, size_t n)
{
    while (n > 0) {
        size_t left = at->pieces->iov_len - at->offset;
        size_t step = n < left ? n : left;
        at->offset += step;
        n -= step;
        skip_empty(at);
    }
}

/* What is kept, and pieces, as many as fit. */
static int collect(hkt_stream *stream, const struct cursor *at, struct iovec batch[BATCH])
{
    int count = 0;
    size_t total = 0;
    struct hkti_bytes *out = &stream->out;
    if (out->end > out->begin)
        batch[count++] = (struct iovec){ out->data + out->begin, out->end - out->begin };
    for (int i = 0; i < at->count && count < BATCH && total < INT_MAX / 2; i++) {
        size_t offset = i == 0 ? at->offset : 0;
        struct iovec piece = { (char *)at->pieces[i].iov_base + offset,
                               at->pieces[i].iov_len - offset };
        if (piece.iov_len > INT_MAX / 2)
            piece.iov_len = INT_MAX / 2;
        total += piece.iov_len;
        batch[count++] = piece;
        if (piece.iov_len < at->pieces[i].iov_len - offset)
            break;
    }
    return count;
}

/* n bytes have gone. */
static void sent(hkt_stream *stream, struct cursor *at, size_t n)
{
    struct hkti_bytes *out = &stream->out;
    size_t kept = out->end - out->begin < n ? out->end - out->begin : n;
    hkti_store_relaxed(&stream->written, stream->written + n);
    out->begin += kept;
    if (out->begin == out->end)
        out->begin = out->end = 0;
    advance(at, n - kept);
}

/* One try: -EAGAIN, errors, 1: there is more, 0: all has gone. */
static int attempt(hkt_stream *stream, struct cursor *at, short *wants)
{
    struct iovec batch[BATCH];
    skip_empty(at);
    int count = collect(stream, at, batch);
    if (count == 0)
        return stream->layer->flush ? stream->layer->flush(stream, wants) : 0;
    int n = stream->layer->write(stream, batch, count, wants);
    if (n < 0)
        return n;
    sent(stream, at, (size_t)n);
    return at->count > 0 || stream->out.end > 0 || stream->layer->flush;
}

/* The rest, from there on. */
static __attribute__((noinline)) int send_from(hkt_stream *stream, struct cursor at)
{
    skip_empty(&at);
    if (stream->layer == &hkti_stream_plain && at.count == 0 && stream->out.end == 0)
        return 0; /* though a try would find no room */
    for (;;) {
        short wants = POLLOUT;
        int err = stream->layer == &hkti_stream_plain &&
                          hkti_load_relaxed(&stream->channel.quiet[HKTI_OUT])
                      ? -EAGAIN
                      : attempt(stream, &at, &wants);
        if (err == -EAGAIN) {
            err = hkti_stream_await(stream, wants);
            if (err < 0)
                return err;
            continue;
        }
        if (err >= 0)
            hkti_stream_give_way(); /* also when one try is enough each time */
        if (err <= 0)
            return err;
    }
}

/* One piece of a plain stream goes by the first try, as a rule, and this is the short way for
 * it. */
int hkti_stream_send(hkt_stream *stream, const struct iovec *pieces, int count)
{
    struct cursor at = { pieces, count, 0 };
    if (count == 1 && pieces->iov_len > 0 && stream->layer == &hkti_stream_plain &&
        stream->out.end == 0 && !hkti_load_relaxed(&stream->channel.quiet[HKTI_OUT])) {
        int n = hkti_channel_write(&stream->channel, pieces, 1);
        if (n < 0 && n != -EAGAIN)
            return n;
        if (n > 0)
            hkti_store_relaxed(&stream->written, stream->written + (size_t)n);
        if (n > 0 && (size_t)n == pieces->iov_len)
            return hkti_stream_give_way(), 0;
        at.offset = n > 0 ? (size_t)n : 0;
    }
    return send_from(stream, at);
}

/* Into the buffer, if it all fits. */
static bool keep(hkt_stream *stream, const struct iovec *pieces, int count)
{
    struct hkti_bytes *out = &stream->out;
    size_t limit = stream->out_limit, total = 0;
    for (int i = 0; i < count; i++) {
        total += pieces[i].iov_len;
        if (total > limit)
            return false;
    }
    if (total > limit - (out->end - out->begin))
        return false;
    if (total > out->room - out->end) {
        memmove(out->data, out->data + out->begin, out->end - out->begin);
        out->end -= out->begin;
        out->begin = 0;
    }
    for (int i = 0; i < count; i++) {
        if (pieces[i].iov_len)
            memcpy(out->data + out->end, pieces[i].iov_base, pieces[i].iov_len);
        out->end += pieces[i].iov_len;
    }
    return true;
}

static int write_pieces(hkt_stream *stream, const struct iovec *pieces, int count, bool more)
{
    if (count < 0)
        return -EINVAL;
    int err = hkti_stream_begin_write(stream);
    if (err < 0)
        return err;
    stream->channel.more = more;
    if (stream->eof_sent)
        err = -EPIPE;
    else if (stream->out_limit == 0 || !keep(stream, pieces, count))
        err = hkti_stream_send(stream, pieces, count);
    stream->channel.more = false;
    hkti_stream_end_write(stream);
    return err;
}

int hkt_stream_write_many(hkt_stream *stream, const struct iovec *pieces, int count)
{
    return write_pieces(stream, pieces, count, false);
}

int hkt_stream_write(hkt_stream *stream, const void *data, size_t size)
{
    struct iovec piece = { (void *)(uintptr_t)data, size };
    return write_pieces(stream, &piece, 1, false);
}

int hkt_stream_write_more(hkt_stream *stream, const void *data, size_t size)
{
    struct iovec piece = { (void *)(uintptr_t)data, size };
    return write_pieces(stream, &piece, 1, true);
}

int hkt_stream_printf(hkt_stream *stream, const char *format, ...)
{
    char text[512], *long_text = NULL;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length < 0)
        return -EINVAL;
    if ((size_t)length >= sizeof text) {
        long_text = hkti_allocate((size_t)length + 1);
        if (long_text == NULL)
            return -ENOMEM;
        va_start(args, format);
        (void)vsnprintf(long_text, (size_t)length + 1, format, args);
        va_end(args);
    }
    int err = hkt_stream_write(stream, long_text ? long_text : text, (size_t)length);
    hkti_release(long_text, (size_t)length + 1);
    return err;
}

int hkt_stream_write_nowait(hkt_stream *stream, const void *data, size_t size)
{
    int err = hkti_channel_enter(&stream->channel);
    if (err < 0)
        return err;
    err = hkt_lock_acquire_nowait(&stream->out_lock);
    if (err < 0) {
        hkti_channel_leave(&stream->channel);
        return err;
    }
    struct cursor none = { NULL, 0, 0 };
    short wants;
    struct iovec piece = { (void *)(uintptr_t)data, size < INT_MAX ? size : INT_MAX };
    while ((err = attempt(stream, &none, &wants)) > 0)
        ;
    if (err == 0)
        err = stream->eof_sent ? -EPIPE : 0;
    if (err == 0 && size > 0) {
        err = stream->layer->write(stream, &piece, 1, &wants);
        if (err > 0)
            hkti_store_relaxed(&stream->written, stream->written + (size_t)err);
    }
    hkti_stream_end_write(stream);
    return err;
}

int hkt_stream_drain(hkt_stream *stream)
{
    int err = hkti_stream_begin_write(stream);
    if (err < 0)
        return err;
    err = hkti_stream_send(stream, NULL, 0);
    hkti_stream_end_write(stream);
    return err;
}

int hkt_stream_set_write_buffer(hkt_stream *stream, size_t size)
{
    char *data = NULL;
    int err = hkti_stream_begin_write(stream);
    if (err < 0)
        return err;
    err = hkti_stream_send(stream, NULL, 0);
    if (err == 0 && size > 0 && (data = hkti_allocate(size)) == NULL)
        err = -ENOMEM;
    if (err == 0) {
        hkti_release(stream->out.data, stream->out.room);
        stream->out = (struct hkti_bytes){ .data = data, .room = size };
        hkti_store_relaxed(&stream->out_limit, size);
    }
    hkti_stream_end_write(stream);
    return err;
}

int hkti_stream_finish(hkt_stream *stream)
{
    int err = hkti_stream_send(stream, NULL, 0);
    while (err == 0 && stream->layer->finish) {
        short wants = POLLOUT;
        err = stream->layer->finish(stream, &wants);
        if (err != -EAGAIN)
            break;
        err = hkti_stream_await(stream, wants);
    }
    return err;
}

int hkt_stream_write_eof(hkt_stream *stream)
{
    int err = hkti_stream_begin_write(stream);
    if (err < 0)
        return err;
    if (!stream->eof_sent)
        err = hkti_stream_finish(stream);
    if (err == 0 && !stream->eof_sent && stream->layer == &hkti_stream_plain)
        err = hkti_channel_end_output(&stream->channel);
    if (err == 0)
        stream->eof_sent = true;
    hkti_stream_end_write(stream);
    return err;
}
