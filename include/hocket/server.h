/* SPDX-License-Identifier: MIT */
/* Servers: a function for each client, in a task of its own.
 *
 *     static int echo(hkt_stream *client, void *arg)
 *     {
 *         return hkt_stream_copy(client, client, NULL);
 *     }
 *
 *     hkt_server *server;
 *     int err = hkt_server_start(&server, "127.0.0.1", 8080, echo, NULL, NULL);
 *     if (err == 0)
 *         err = hkt_server_wait(server);
 *     hkt_server_destroy(server);
 *
 * A server runs in the loop that starts it, which must run until the server has ended; started
 * outside of any, it has a thread with a loop of its own. All calls here may come from any
 * thread. (asyncio.Server) */
#ifndef HOCKET_SERVER_H
#define HOCKET_SERVER_H

#include <hocket/executor.h>
#include <hocket/stream.h>

HKT_BEGIN_DECLS

/* Serves one client. The stream is closed, in good order, and given back when it returns. A
 * negative result, but for -ECANCELED and a client that went away (-EPIPE, -ECONNRESET), goes to
 * the report sink with the client's address; the server goes on. */
typedef int hkt_stream_handler(hkt_stream *client, void *arg);

typedef struct hkt_listen_options {
    int backlog;     /* connections that wait to be accepted; 0: 511, the system may have less */
    bool reuse_port; /* several sockets, of this or other processes, share the port */
    bool ipv6_only;  /* else "" and "::" take IPv4 clients too */
    int mode;        /* of a Unix socket's file, 0: as the umask says */
    uint64_t reserved[2]; /* zero */
} hkt_listen_options;

/* A socket that is listened on, for who accepts himself. The host is a name or a number, "" or
 * NULL: all interfaces; of a name the first address. Port 0: one that is free. SO_REUSEADDR is
 * on. 0; -EADDRINUSE, -EACCES, ..., errors of hkt_resolve; with a sentence that names it. For a
 * Unix socket the file of one that nobody listens on any more is replaced; of another one, or a
 * file of another kind: -EADDRINUSE. It is removed at the end, if it still is the same. "@name":
 * abstract, without a file. */
typedef struct hkt_listener hkt_listener;
HKT_API HKT_MUST_USE int hkt_listener_create(hkt_listener **listener, const char *host, int port,
                                             const hkt_listen_options *options);
HKT_API HKT_MUST_USE int hkt_listener_create_unix(hkt_listener **listener, const char *path,
                                                  const hkt_listen_options *options);
/* Of a socket that is listened on already, as from systemd: it owns the fd from now on, on every
 * path. */
HKT_API HKT_MUST_USE int hkt_listener_adopt(hkt_listener **listener, int fd);
/* Waits for a client: 0. A client that went away meanwhile is none. -EMFILE, -ENFILE, -ENOMEM:
 * not now; the client waits on. -ESHUTDOWN: closed. A cancellation point. (sock_accept) */
HKT_API HKT_MUST_USE int hkt_listener_accept(hkt_listener *listener, hkt_stream **stream);
/* Where it listens; its port alone, -1 of a Unix socket. 0; -ESHUTDOWN. */
HKT_API int hkt_listener_address(const hkt_listener *listener, hkt_address *address);
HKT_API int hkt_listener_port(const hkt_listener *listener);
/* No more: those who wait get -ESHUTDOWN. From any thread; never waits. destroy closes, too;
 * NULL is fine. */
HKT_API void hkt_listener_close(hkt_listener *listener);
HKT_API void hkt_listener_destroy(hkt_listener *listener);

typedef struct hkt_server_options {
    size_t max_clients; /* at a time; others are connected, and wait to be accepted; 0: no limit */
    hkt_executor *executor; /* where handlers run; NULL: as above */
    hkt_tls *tls;           /* handlers get streams with TLS, after the handshake; one that fails is
                               the client's affair, and is not reported */
    double tls_timeout; /* seconds for a handshake, and for a client to take what is kept for him
                           and the leave, after which he is cut off; 0: 60 */
    const char *name;   /* for reports; copied; NULL: "server" */
    hkt_listen_options listen;
    uint64_t reserved[4]; /* zero */
} hkt_server_options;

typedef struct hkt_server hkt_server;
/* Listens, and serves from now on in the background, beside the caller: 0. Errors of
 * hkt_listener_create, hkt_submit. When no fds are left, accepting pauses until a client has
 * gone, a second at the longest, with one line of report; nothing spins. (start_server,
 * start_unix_server) */
HKT_API HKT_MUST_USE int hkt_server_start(hkt_server **server, const char *host, int port,
                                          hkt_stream_handler *handler, void *arg,
                                          const hkt_server_options *options);
HKT_API HKT_MUST_USE int hkt_server_start_unix(hkt_server **server, const char *path,
                                               hkt_stream_handler *handler, void *arg,
                                               const hkt_server_options *options);
/* The same on a listener, which is the server's from now on, on every path. */
HKT_API HKT_MUST_USE int hkt_server_start_on(hkt_server **server, hkt_listener *listener,
                                             hkt_stream_handler *handler, void *arg,
                                             const hkt_server_options *options);
/* The port that it listens on, -1 of a Unix socket; the address; how many clients it serves now. */
HKT_API int hkt_server_port(const hkt_server *server);
HKT_API int hkt_server_address(const hkt_server *server, hkt_address *address);
HKT_API size_t hkt_server_clients(const hkt_server *server);
/* Waits until it has been closed and all handlers have ended: 0, or what made it stop listening.
 * -ECANCELED: the caller's scope has ended, and the server goes on. A cancellation point.
 * (serve_forever, wait_closed) */
HKT_API HKT_MUST_USE int hkt_server_wait(hkt_server *server);
/* Listens no more; gives the handlers `grace` seconds to end by themselves, then cancels them
 * and resets their connections, and waits until they have ended: 0 if all ended by themselves,
 * else -ETIMEDOUT. With the end of the caller's scope the grace is over: -ECANCELED. A handler
 * that ignores both is told to the report sink after 5 seconds, and awaited. Again, and by
 * several: the shortest grace counts. Not by a handler: -EDEADLK. (Server.close, wait_closed,
 * close_clients, abort_clients) */
HKT_API int hkt_server_close(hkt_server *server, double grace);
/* Closes it without grace, and gives it back; NULL is fine. Not by a handler. */
HKT_API void hkt_server_destroy(hkt_server *server);

HKT_END_DECLS

#endif
