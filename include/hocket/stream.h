/* SPDX-License-Identifier: MIT */
/* Streams of bytes: TCP and Unix sockets, pipes, terminals, TLS. The calls are those of plain
 * blocking code, and wait as every call of hocket does: in a task the task is parked, elsewhere
 * the thread waits.
 *
 *     hkt_stream *stream;
 *     int err = hkt_stream_connect(&stream, "example.org", 80, NULL);
 *     if (err < 0)
 *         return err;
 *     hkt_stream_printf(stream, "GET / HTTP/1.0\r\nHost: example.org\r\n\r\n");
 *     char data[4096];
 *     int n;
 *     while ((n = hkt_stream_read(stream, data, sizeof data)) > 0)
 *         fwrite(data, 1, (size_t)n, stdout);
 *     hkt_stream_destroy(stream);
 *     return n;
 *
 * All calls here that wait are cancellation points, and return -ECANCELED when the caller's
 * scope has ended; a deadline is a scope's (hkt_wait_for, hkt_scope_enter). A stream is used by
 * one reader and any number of writers at a time, tasks or threads, of any loop. A second reader
 * is told -EBUSY. Writes do not mix: each is sent whole, before the next one. When a call is
 * cancelled, no byte of the input is lost, and of the output hkt_stream_written tells how much
 * went out. SIGPIPE is not raised.
 *
 * Errors are those of the system (-ECONNRESET, -EPIPE, -ETIMEDOUT of TCP itself, ...), and
 * -ESHUTDOWN once the stream has been closed, also for those who wait in it.
 * (asyncio.StreamReader, StreamWriter) */
#ifndef HOCKET_STREAM_H
#define HOCKET_STREAM_H

#include <hocket/address.h>
#include <hocket/time.h>

HKT_BEGIN_DECLS

struct iovec;

typedef struct hkt_stream hkt_stream;
typedef struct hkt_tls hkt_tls; /* hocket/tls.h */

typedef struct hkt_connect_options {
    const hkt_address *local; /* to come from; NULL: any */
    hkt_deadline deadline;    /* for names, connection and TLS together; {0}: none */
    int family;               /* AF_INET or AF_INET6 alone; 0: both */
    double delay;             /* seconds after which the next address is tried beside those before;
                                 0: 0.25 (RFC 8305) */
    hkt_tls *tls;             /* TLS from the beginning; NULL: none */
    const char *server_name;  /* whom the certificate must name; NULL: the host */
    size_t write_buffer;      /* as by hkt_stream_set_write_buffer */
    uint64_t reserved[3];     /* zero */
} hkt_connect_options;

/* Connects to a host, a name or a number, at a port: 0. Its addresses are tried in turn, IPv6
 * and IPv4 alternating, each beside those that have not answered within the delay; the first
 * that answers is it, the others are closed. The failure is that of the first address, with a
 * sentence that names host and port. -ETIMEDOUT: the deadline; errors of hkt_resolve, of
 * connect(2), of hkt_stream_start_tls. After an error *stream is as it was. NULL options: the
 * defaults. TCP_NODELAY is on. (open_connection) */
HKT_API HKT_MUST_USE int hkt_stream_connect(hkt_stream **stream, const char *host, int port,
                                            const hkt_connect_options *options);
/* To the Unix socket of that path, "@name" for an abstract one; to an address of any family.
 * (open_unix_connection) */
HKT_API HKT_MUST_USE int hkt_stream_connect_unix(hkt_stream **stream, const char *path,
                                                 const hkt_connect_options *options);
HKT_API HKT_MUST_USE int hkt_stream_connect_address(hkt_stream **stream, const hkt_address *address,
                                                    const hkt_connect_options *options);

/* A stream of a socket, pipe or terminal that you have: from now on it owns the fd, and closes
 * it, also if it cannot be made. With `borrow` it is never closed. Flags of the fd are left as
 * they are. 0; -EINVAL for a regular file or folder (hocket/file.h); -EBADF, -ENOMEM.
 * (connect_read_pipe, connect_write_pipe, connect_accepted_socket) */
HKT_API HKT_MUST_USE int hkt_stream_adopt(hkt_stream **stream, int fd, bool borrow);

/* Two streams: what is written to one is read from the other. A pipe, one way; a pair of
 * sockets, both ways. 0, -EMFILE, -ENFILE, -ENOMEM. */
HKT_API HKT_MUST_USE int hkt_stream_pipe(hkt_stream **reader, hkt_stream **writer);
HKT_API HKT_MUST_USE int hkt_stream_pair(hkt_stream *streams[2]);

/* Reads what is there, at the most `size` bytes (and INT_MAX), after waiting for the first: how
 * many; 0 at the end. `size` 0: 0. (StreamReader.read) */
HKT_API HKT_MUST_USE int hkt_stream_read(hkt_stream *stream, void *data, size_t size);
/* The same without waiting: -EAGAIN if nothing is there. */
HKT_API HKT_MUST_USE int hkt_stream_read_nowait(hkt_stream *stream, void *data, size_t size);
/* Reads `size` bytes: 0. -ENODATA: the end came before. How many are in `data`, also after an
 * error, is in *count unless that is NULL. (readexactly) */
HKT_API HKT_MUST_USE int hkt_stream_read_exactly(hkt_stream *stream, void *data, size_t size,
                                                 size_t *count);
/* Reads a line with its '\n', and puts a zero behind it: its length without that zero; the last
 * line may have no '\n'; 0 at the end. -EMSGSIZE: it is longer than size - 1; nothing has been
 * taken. After another error nothing has been taken either. (readline) */
HKT_API HKT_MUST_USE int hkt_stream_read_line(hkt_stream *stream, char *line, size_t size);
/* Reads up to a separator of `length` bytes, with it: how many bytes. -EMSGSIZE: it is not among
 * the first `size`; -ENODATA: the end came before it. After an error nothing has been taken.
 * (readuntil) */
HKT_API HKT_MUST_USE int hkt_stream_read_until(hkt_stream *stream, void *data, size_t size,
                                               const void *separator, size_t length);
/* As hkt_stream_read, but what is read stays: of at the most 64 KiB. More than before comes only
 * when something has been taken. */
HKT_API HKT_MUST_USE int hkt_stream_peek(hkt_stream *stream, void *data, size_t size);

/* Writes all of it: 0 when the system has it. So who writes faster than the other side reads
 * waits, and nothing piles up. After an error part of it may have been sent
 * (hkt_stream_written). (StreamWriter.write and drain) */
HKT_API int hkt_stream_write(hkt_stream *stream, const void *data, size_t size);
/* The same of what is followed by more at once, as a head is by its file: the system may send
 * them together. */
HKT_API int hkt_stream_write_more(hkt_stream *stream, const void *data, size_t size);
/* The same of several pieces, in one call of the system where they fit. (writelines) */
HKT_API int hkt_stream_write_many(hkt_stream *stream, const struct iovec *pieces, int count);
/* The same of a text as by printf. */
HKT_API int hkt_stream_printf(hkt_stream *stream, const char *format, ...) HKT_PRINTF(2, 3);
/* Writes what the system takes now: how many bytes, at least one of more than none; -EAGAIN. Not a
 * cancellation point. */
HKT_API HKT_MUST_USE int hkt_stream_write_nowait(hkt_stream *stream, const void *data, size_t size);
/* For many small writes: up to `size` bytes are kept and sent together, when they are more than
 * that, by hkt_stream_drain, before the stream's reader waits, and by close. 0: off, as at the
 * beginning; what is kept is sent first. 0, -ENOMEM, errors of write. */
HKT_API int hkt_stream_set_write_buffer(hkt_stream *stream, size_t size);
/* Sends what is kept. (StreamWriter.drain) */
HKT_API int hkt_stream_drain(hkt_stream *stream);
/* Sends `count` bytes of a file, from `offset` on, without copying them where the system can: 0.
 * -ENODATA: the file is shorter. How many were sent, also after an error, is in *sent unless
 * that is NULL. The file's own position does not matter, and stays. -EOPNOTSUPP: fd is no file.
 * (loop.sendfile) */
HKT_API int hkt_stream_send_file(hkt_stream *stream, int fd, uint64_t offset, uint64_t count,
                                 uint64_t *sent);
/* Reads from one stream and writes to the other until the end of it: 0. How many bytes were
 * written, also after an error, is in *count unless that is NULL. Both may be the same: that is
 * an echo. */
HKT_API int hkt_stream_copy(hkt_stream *from, hkt_stream *to, uint64_t *count);
/* Says that no more will be written, and goes on reading: 0. A pipe that is written has only
 * this half, and is closed; -EOPNOTSUPP of one that is read, and of a terminal. (write_eof) */
HKT_API int hkt_stream_write_eof(hkt_stream *stream);

/* Bytes that the system, or TLS, has taken, and that readers have taken, since the beginning. */
HKT_API uint64_t hkt_stream_written(const hkt_stream *stream);
HKT_API uint64_t hkt_stream_taken(const hkt_stream *stream);

/* Sends what is kept, takes leave of the other side (TLS), closes the fd: 0, or what went wrong
 * with that; it is closed in any case. Those who wait in it get -ESHUTDOWN. Again: 0.
 * (StreamWriter.close, wait_closed) */
HKT_API int hkt_stream_close(hkt_stream *stream);
/* Closes it without leave: what is kept is dropped, a TCP connection is reset. From any thread;
 * never waits. (transport.abort) */
HKT_API void hkt_stream_abort(hkt_stream *stream);
/* Closes it, if it is not, and gives it back; NULL is fine. When nobody uses it any more. */
HKT_API void hkt_stream_destroy(hkt_stream *stream);

/* The fd, to be asked and set up (setsockopt), not to be read, written, or closed; -ESHUTDOWN. */
HKT_API int hkt_stream_fd(const hkt_stream *stream);
/* Where it comes from, and goes to: 0; -ENOTSOCK, -ENOTCONN, -ESHUTDOWN. (get_extra_info) */
HKT_API int hkt_stream_local(const hkt_stream *stream, hkt_address *address);
HKT_API int hkt_stream_peer(const hkt_stream *stream, hkt_address *address);
/* TCP_NODELAY: small pieces leave at once; on at the beginning. SO_KEEPALIVE: a peer that is
 * gone is found out after `seconds` of silence and some more; 0: off, as at the beginning. 0,
 * -EOPNOTSUPP of what is not TCP. */
HKT_API int hkt_stream_set_nodelay(hkt_stream *stream, bool on);
HKT_API int hkt_stream_set_keepalive(hkt_stream *stream, int seconds);

HKT_END_DECLS

#endif
