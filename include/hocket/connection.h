/* SPDX-License-Identifier: MIT */
/* Connections: two ends of a pipe or socket, over which whole messages go.
 *
 *     hkt_connection *ours, *theirs;
 *     int err = hkt_pipe_create(&ours, &theirs, true);
 *     ...                              a child that has passed the fd of theirs adopts it
 *     err = hkt_connection_send(ours, HKT_ITEM(question));
 *     int n = hkt_connection_recv(ours, &answer, sizeof answer);
 *
 * A message is its size, 4 bytes with the highest first (or -1 and 8 bytes), and its bytes: what
 * Python's connections send with send_bytes. Several strands may send, and several receive, on one
 * end: each message stays whole. Waits park coroutines and block threads; all that wait are
 * cancellation points. (multiprocessing.connection) */
#ifndef HOCKET_CONNECTION_H
#define HOCKET_CONNECTION_H

#include <hocket/item.h>
#include <hocket/time.h>

HKT_BEGIN_DECLS

typedef struct hkt_connection hkt_connection;

/* Two ends that are joined. `duplex`: both send and receive (a pair of sockets); else *first only
 * receives and *second only sends (a pipe). 0; -EMFILE, -ENFILE, -ENOMEM. (Pipe) */
HKT_API HKT_MUST_USE int hkt_pipe_create(hkt_connection **first, hkt_connection **second,
                                         bool duplex);

/* Makes a connection of an fd, which is its own from now on, also if this fails, and close-on-exec:
 * in a child, of one that was passed. What it can do is found out. -EBADF; -EINVAL: it is no pipe
 * and no stream socket that is connected; -ENOMEM. */
HKT_API HKT_MUST_USE int hkt_connection_adopt(hkt_connection **connection, int fd);

/* Its fd, to pass it to a child or wait for it beside others; it stays the connection's. (fileno)
 * */
HKT_API int hkt_connection_fileno(const hkt_connection *connection);
HKT_API bool hkt_connection_readable(const hkt_connection *connection);
HKT_API bool hkt_connection_writable(const hkt_connection *connection);

/* Sends one message: 0. -EPIPE: nobody receives any more; -ECANCELED: not sent if nothing of it had
 * gone, else the connection can send no more; -EOPNOTSUPP: this end only receives; -ESHUTDOWN: it
 * was closed. (send_bytes) */
HKT_API HKT_MUST_USE int hkt_connection_send(hkt_connection *connection, const void *message,
                                             size_t size);

/* Receives one message of at most `room` bytes: its size. -ENODATA: the other end has gone, between
 * two messages; -EPIPE: in the middle of one; -EMSGSIZE: it is longer, or longer than INT_MAX, and
 * stays, for a larger room (hkt_connection_next_size tells) or hkt_connection_recv_alloc; -EBADMSG:
 * its size makes no sense, and so does all that follows, or an fd comes, which stays for
 * hkt_connection_recv_fd; -EOPNOTSUPP: this end only sends; -ESHUTDOWN; -ECANCELED, -ENOMEM: what
 * had come of a message is kept. (recv_bytes, recv_bytes_into) */
HKT_API HKT_MUST_USE int hkt_connection_recv(hkt_connection *connection, void *message,
                                             size_t room);
/* The same into memory that is made for it, of at most `limit` bytes (0: 1 GiB; -EMSGSIZE beyond):
 * 0, *message to be given back by hkt_connection_free, *size. -ENOMEM. More than 1 MiB is mapped,
 * and is used as the bytes come. */
HKT_API HKT_MUST_USE int hkt_connection_recv_alloc(hkt_connection *connection, void **message,
                                                   size_t *size, size_t limit);
HKT_API void hkt_connection_free(void *message);

/* The size of the next message, waiting for it: above INT_MAX -EOVERFLOW; errors as of recv. */
HKT_API HKT_MUST_USE int hkt_connection_next_size(hkt_connection *connection);

/* Is there something to receive, or the end? 1, 0 when the deadline has passed; -ECANCELED.
 * hkt_after(0) looks. (poll) */
HKT_API HKT_MUST_USE int hkt_connection_poll(hkt_connection *connection, hkt_deadline deadline);

/* Closes it: who waits in it gets -ESHUTDOWN, the other end sees the end. And gives it back; NULL
 * is fine. (close) */
HKT_API void hkt_connection_close(hkt_connection *connection);
HKT_API bool hkt_connection_closed(const hkt_connection *connection);
HKT_API void hkt_connection_destroy(hkt_connection *connection);

/* Sends an fd over a Unix socket, which stays the caller's: 0, errors of send, -EBADF. Receives
 * one, which is the caller's, close-on-exec: the fd, errors of recv. -EBADMSG: something else came,
 * a message stays; -EMFILE: it stays, too; -EOPNOTSUPP: it is no Unix socket. (send_handle,
 * recv_handle) */
HKT_API HKT_MUST_USE int hkt_connection_send_fd(hkt_connection *connection, int fd);
HKT_API HKT_MUST_USE int hkt_connection_recv_fd(hkt_connection *connection);

/* Waits until some of `count` fds can be read or have ended (of connections hkt_connection_fileno,
 * of processes hkt_process_sentinel, sockets): how many, with ready[i] set for those. 0 fds: waits
 * for the deadline. -ETIMEDOUT, -ECANCELED; -EBADF; -EMFILE, -ENOMEM. (connection.wait) */
HKT_API HKT_MUST_USE int hkt_wait_many(const int fds[], bool ready[], size_t count);
HKT_API HKT_MUST_USE int hkt_wait_many_until(const int fds[], bool ready[], size_t count,
                                             hkt_deadline deadline);

/* Listening for connections from programs that know the key. */
typedef struct hkt_connection_listener hkt_connection_listener;

typedef struct hkt_connection_options {
    const void *authkey; /* NULL: none, on both sides; one that is empty is a key */
    size_t authkey_size;
    double timeout;       /* seconds for connecting and showing that one has the key; 0: 10 */
    int backlog;          /* of a listener; 0: 128 */
    uint64_t reserved[4]; /* zero */
} hkt_connection_options;

/* Both sides are hocket's: Python's Client and Listener greet in another way (for those, adopt a
 * socket). At "host:port" or "[address]:port" (port 0: any that is free), or at "/path" or "./path" of a
 * Unix socket, which is removed at the end; "@name": abstract, of which nothing is left. NULL: such
 * a name that is free, for processes of this user (and root's) alone, which both sides check. 0;
 * -EADDRINUSE, -EINVAL, -EACCES, ...; -ENOSYS with a key: this build or system has no OpenSSL.
 * (Listener) */
HKT_API HKT_MUST_USE int hkt_connection_listener_create(hkt_connection_listener **listener,
                                                        const char *address,
                                                        const hkt_connection_options *options);
/* Where it listens, in a form for hkt_connection_connect; the listener's. (address) */
HKT_API const char *hkt_connection_listener_address(const hkt_connection_listener *listener);
/* Waits for somebody: 0. -EKEYREJECTED: he has not shown that he has the key; others may come, call
 * again. -ETIMEDOUT: he did not in time; -ESHUTDOWN: closed; -ECANCELED, -EMFILE, -ENFILE, -ENOMEM.
 * Several may do so, and then one silent guest keeps no other one waiting. (accept) */
HKT_API HKT_MUST_USE int hkt_connection_listener_accept(hkt_connection_listener *listener,
                                                        hkt_connection **connection);
HKT_API void hkt_connection_listener_close(hkt_connection_listener *listener);
HKT_API void hkt_connection_listener_destroy(hkt_connection_listener *listener);

/* Connects to such a listener: 0. Each shows the other that it has the key, by HMAC-SHA-256 over
 * what both have chosen, its role and the algorithm; the key itself is not sent. What follows is
 * neither encrypted nor signed. -EKEYREJECTED: it has not, or does not take ours; -ECONNREFUSED,
 * -ENOENT, -ETIMEDOUT, -ECANCELED, ... (Client) */
HKT_API HKT_MUST_USE int hkt_connection_connect(hkt_connection **connection, const char *address,
                                                const hkt_connection_options *options);

HKT_END_DECLS
#endif
