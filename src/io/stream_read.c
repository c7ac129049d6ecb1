/* SPDX-License-Identifier: MIT */
/* Reading from streams. What is read goes straight to the caller's memory, unless more may come
 * than he wants (lines, separators, a look ahead): then to the stream's buffer, which is there
 * only as long as it has something. So nothing is lost when a call is cancelled: it has taken
 * nothing, or returns what it has. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

#include "base/memory.h"
#include "io/stream.h"
#include "park/scope.h"

#define ROOM ((size_t)4096)
#define PEEK ((size_t)65536)

int hkti_stream_begin_read(hkt_stream *stream)
{
    int err = hkti_channel_enter_reader(&stream->channel);
    if (err < 0)
        return err;
    err = hkti_cancelled(0);
    if (err < 0)
        hkti_stream_end_read(stream);
    return err;
}

void hkti_stream_end_read(hkt_stream *stream)
{
    hkti_channel_leave_reader(&stream->channel);
}

/* Before a reader waits, what is kept for writing is sent, or the other side could wait for it.
 * Another one who writes does that himself. */
static int send_kept(hkt_stream *stream)
{
    if (hkti_load_relaxed(&stream->out_limit) == 0)
        return 0;
    return hkt_stream_drain(stream);
}

/* One try, unless it makes no sense; -EAGAIN. */
static int attempt(hkt_stream *stream, void *data, size_t size, short *wants)
{
    *wants = POLLIN;
    if (hkti_load_relaxed(&stream->channel.quiet[HKTI_IN]) &&
        (stream->layer->pending == NULL || !stream->layer->pending(stream)))
        return -EAGAIN;
    return stream->layer->read(stream, data, size, wants);
}

static int await_more(hkt_stream *stream, short wants)
{
    int err = send_kept(stream);
    return err < 0 ? err : hkti_stream_await(stream, wants);
}

/* Straight from the layer: at least one byte, or the end. */
static int receive(hkt_stream *stream, void *data, size_t size)
{
    for (;;) {
        short wants;
        int n = attempt(stream, data, size, &wants);
        if (n > 0)
            hkti_stream_give_way();
        if (n != -EAGAIN)
            return n;
        int err = await_more(stream, wants);
        if (err < 0)
            return err;
    }
}

static size_t buffered(const hkt_stream *stream)
{
    return stream->in.end - stream->in.begin;
}

static void took(hkt_stream *stream, size_t n)
{
    hkti_store_relaxed(&stream->taken, stream->taken + n);
}

static void drop_buffer(struct hkti_bytes *in)
{
    hkti_release(in->data, in->room);
    *in = (struct hkti_bytes){ 0 };
}

/* Moves from the buffer. */
static size_t take(hkt_stream *stream, void *data, size_t size)
{
    struct hkti_bytes *in = &stream->in;
    size_t n = buffered(stream) < size ? buffered(stream) : size;
    if (n)
        memcpy(data, in->data + in->begin, n);
    in->begin += n;
    took(stream, n);
    if (in->data && in->begin == in->end)
        drop_buffer(in);
    return n;
}

/* Room for more in the buffer: 0, -ENOMEM. */
static int make_room(struct hkti_bytes *in)
{
    size_t length = in->end - in->begin;
    if (in->data && in->end < in->room)
        return 0;
    if (in->begin > in->room / 2) {
        memmove(in->data, in->data + in->begin, length);
    } else {
        size_t room = in->room ? 2 * in->room : ROOM;
        char *more = hkti_allocate(room);
        if (more == NULL)
            return -ENOMEM;
        if (length)
            memcpy(more, in->data + in->begin, length);
        hkti_release(in->data, in->room);
        in->data = more;
        in->room = room;
    }
    in->begin = 0;
    in->end = length;
    return 0;
}

/* More into the buffer: how many bytes, 0 at the end. */
static int fill(hkt_stream *stream)
{
    struct hkti_bytes *in = &stream->in;
    for (;;) {
        short wants = POLLIN;
        int n = -EAGAIN;
        if (in->data || !hkti_load_relaxed(&stream->channel.quiet[HKTI_IN]) ||
            stream->layer != &hkti_stream_plain) {
            int err = make_room(in);
            if (err < 0)
                return err;
            n = attempt(stream, in->data + in->end, in->room - in->end, &wants);
        }
        if (n > 0) {
            in->end += (size_t)n;
            hkti_stream_give_way();
            return n;
        }
        if (in->data && in->begin == in->end)
            drop_buffer(in);
        if (n != -EAGAIN)
            return n;
        int err = await_more(stream, wants);
        if (err < 0)
            return err;
    }
}

int hkt_stream_read(hkt_stream *stream, void *data, size_t size)
{
    int n = hkti_stream_begin_read(stream);
    if (n < 0)
        return n;
    if (size > INT_MAX)
        size = INT_MAX;
    if (size == 0) {
        n = 0;
    } else if (stream->in.data) {
        n = (int)take(stream, data, size);
    } else {
        n = receive(stream, data, size);
        if (n > 0)
            took(stream, (size_t)n);
    }
    hkti_stream_end_read(stream);
    return n;
}

int hkt_stream_read_nowait(hkt_stream *stream, void *data, size_t size)
{
    int n = hkti_channel_enter_reader(&stream->channel);
    if (n < 0)
        return n;
    short wants;
    if (size == 0) {
        n = 0;
    } else if (stream->in.data) {
        n = (int)take(stream, data, size < INT_MAX ? size : INT_MAX);
    } else {
        n = stream->layer->read(stream, data, size, &wants);
        if (n > 0)
            took(stream, (size_t)n);
    }
    hkti_stream_end_read(stream);
    return n;
}

int hkt_stream_read_exactly(hkt_stream *stream, void *data, size_t size, size_t *count)
{
    size_t got = 0;
    int n = hkti_stream_begin_read(stream);
    if (n == 0) {
        if (stream->in.data)
            got = take(stream, data, size);
        while (got < size && (n = receive(stream, (char *)data + got, size - got)) > 0) {
            took(stream, (size_t)n);
            got += (size_t)n;
        }
        hkti_stream_end_read(stream);
    }
    if (count)
        *count = got;
    if (n < 0)
        return n;
    return got == size ? 0 : -ENODATA;
}

/* Reads until the separator is in the buffer: how many bytes up to its end; 0: the end came first;
 * -EMSGSIZE: it is not among the first `most`. */
static int find(hkt_stream *stream, const void *separator, size_t length, size_t most)
{
    size_t seen = 0;
    if (most > INT_MAX)
        most = INT_MAX;
    for (;;) {
        const char *data = stream->in.data ? stream->in.data + stream->in.begin : "";
        size_t has = buffered(stream) < most ? buffered(stream) : most;
        size_t from = seen < length ? 0 : seen - length + 1; /* it may lie across what was seen */
        const char *at = has > from ? memmem(data + from, has - from, separator, length) : NULL;
        if (at)
            return (int)((size_t)(at - data) + length);
        if (has == most)
            return -EMSGSIZE;
        seen = has;
        int n = fill(stream);
        if (n <= 0)
            return n;
    }
}

int hkt_stream_read_line(hkt_stream *stream, char *line, size_t size)
{
    if (size < 2)
        return -EINVAL;
    int n = hkti_stream_begin_read(stream);
    if (n < 0)
        return n;
    n = find(stream, "\n", 1, size - 1);
    if (n == -EMSGSIZE && buffered(stream) == size - 1) {
        n = fill(stream); /* perhaps it is the last line, and fits */
        if (n > 0)
            n = -EMSGSIZE;
    }
    if (n == 0)
        n = (int)buffered(stream); /* the last line, without its end */
    if (n >= 0)
        line[take(stream, line, (size_t)n)] = 0;
    hkti_stream_end_read(stream);
    return n;
}

int hkt_stream_read_until(hkt_stream *stream, void *data, size_t size, const void *separator,
                          size_t length)
{
    if (length == 0)
        return -EINVAL;
    int n = hkti_stream_begin_read(stream);
    if (n < 0)
        return n;
    n = find(stream, separator, length, size);
    if (n > 0)
        (void)take(stream, data, (size_t)n);
    hkti_stream_end_read(stream);
    return n == 0 ? -ENODATA : n;
}

int hkt_stream_peek(hkt_stream *stream, void *data, size_t size)
{
    int n = hkti_stream_begin_read(stream);
    if (n < 0)
        return n;
    if (size > PEEK)
        size = PEEK;
    if (size && stream->in.data == NULL)
        n = fill(stream);
    if (n >= 0) {
        n = (int)(buffered(stream) < size ? buffered(stream) : size);
        if (n)
            memcpy(data, stream->in.data + stream->in.begin, (size_t)n);
    }
    hkti_stream_end_read(stream);
    return n;
}
