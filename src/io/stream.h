/* SPDX-License-Identifier: MIT */
/* The stream inside: a channel; what lies between it and the user: two buffers, and perhaps TLS.
 *
 * Reading: the channel's one reader alone touches `in`. Writing: who holds `out_lock` writes,
 * and touches `out`. TLS is one object for both directions, under a lock of its own (tls.c).
 *
 * A layer (hkti_stream_layer) is one try each: how many bytes; 0: the end; -EAGAIN with the
 * events of poll that must come before another try makes sense in *wants; other errors. Both by
 * users of the channel. */
#ifndef HKTI_IO_STREAM_H
#define HKTI_IO_STREAM_H

#include <hocket/lock.h>
#include <hocket/stream.h>

#include "io/channel.h"

struct hkti_stream_layer {
    int (*read)(hkt_stream *stream, void *data, size_t size, short *wants);
    int (*write)(hkt_stream *stream, const struct iovec *pieces, int count, short *wants);
    /* Sends what the layer has taken and the system has not: 0, -EAGAIN, errors. NULL: nothing
     * is kept. */
    int (*flush)(hkt_stream *stream, short *wants);
    /* Takes leave of the other side, for writing: 0, -EAGAIN, errors. */
    int (*finish)(hkt_stream *stream, short *wants);
    /* The stream is given back. */
    void (*release)(hkt_stream *stream);
    /* The stream is about to be closed in good order, and nobody reads: drops what came. NULL:
     * nothing. */
    void (*discard)(hkt_stream *stream);
    /* A try to read makes sense without news of the fd. NULL: never. */
    bool (*pending)(hkt_stream *stream);
};
extern const struct hkti_stream_layer hkti_stream_plain;

/* Bytes from `begin` up to `end`. */
struct hkti_bytes {
    char *data; /* NULL: none yet */
    size_t room, begin, end;
};

/* What every read and write touches comes first: two lines. */
struct hkt_stream {
    struct hkti_channel channel;
    const struct hkti_stream_layer *layer;
    hkt_lock out_lock;
    uint64_t taken, written;
    size_t out_limit; /* 0: no buffer */
    struct hkti_bytes in, out;
    bool eof_sent;
    void *tls; /* the layer's own */
};

/* A stream of an fd, which is closed if there is no memory. */
int hkti_stream_make(hkt_stream **stream, int fd, enum hkti_channel_kind kind);
/* The same of a socket that is connected. */
int hkti_stream_of_socket(hkt_stream **stream, int fd);
/* The same in two steps: the memory (NULL: there is none), to be given back by
 * hkti_release_lines; and the fd. */
hkt_stream *hkti_stream_allocate(void);
void hkti_stream_open(hkt_stream *stream, int fd, enum hkti_channel_kind kind);

/* Between two tries of the layer: waits for what it wants; 0, or why not. */
int hkti_stream_await(hkt_stream *stream, short wants);
/* After a try that brought something: a task that has never to wait lets the others go on, now
 * and then. */
void hkti_stream_give_way(void);

/* The caller is the reader, a writer, from begin to end: 0; -ESHUTDOWN, -ECANCELED; -EBUSY of
 * readers. */
int hkti_stream_begin_read(hkt_stream *stream);
void hkti_stream_end_read(hkt_stream *stream);
int hkti_stream_begin_write(hkt_stream *stream);
void hkti_stream_end_write(hkt_stream *stream);
/* By a writer: sends what is kept, then the pieces: 0. */
int hkti_stream_send(hkt_stream *stream, const struct iovec *pieces, int count);
/* By a writer: sends what is kept, and the layer takes leave: 0. */
int hkti_stream_finish(hkt_stream *stream);

#endif
