/* SPDX-License-Identifier: MIT */
/* Datagrams: UDP and Unix sockets that send messages, which arrive whole or not at all.
 *
 *     hkt_datagram *socket;
 *     int err = hkt_datagram_bind(&socket, "127.0.0.1", 5353, NULL);
 *     char data[1500];
 *     hkt_address from;
 *     int n = hkt_datagram_receive(socket, data, sizeof data, &from);
 *     if (n >= 0)
 *         err = hkt_datagram_send(socket, data, (size_t)n, &from);
 *
 * Used by any number of tasks and threads at a time. Calls that wait are cancellation points.
 * (create_datagram_endpoint, DatagramTransport) */
#ifndef HOCKET_DATAGRAM_H
#define HOCKET_DATAGRAM_H

#include <hocket/address.h>

HKT_BEGIN_DECLS

typedef struct hkt_datagram hkt_datagram;

typedef struct hkt_datagram_options {
    bool broadcast;       /* may send to all of a network */
    bool reuse_port;      /* several sockets share the port */
    int family;           /* AF_INET or AF_INET6, for names and for no host; 0: any */
    uint64_t reserved[2]; /* zero */
} hkt_datagram_options;

/* A socket with that address; host "" or NULL: all interfaces; port 0: one that is free. 0;
 * errors of hkt_resolve and bind(2), with a sentence. */
HKT_API HKT_MUST_USE int hkt_datagram_bind(hkt_datagram **socket, const char *host, int port,
                                           const hkt_datagram_options *options);
/* A socket that sends to that address, and receives only from it. */
HKT_API HKT_MUST_USE int hkt_datagram_connect(hkt_datagram **socket, const char *host, int port,
                                              const hkt_datagram_options *options);
HKT_API HKT_MUST_USE int hkt_datagram_connect_address(hkt_datagram **socket,
                                                      const hkt_address *address,
                                                      const hkt_datagram_options *options);
/* A socket of your own, of type SOCK_DGRAM or SOCK_SEQPACKET: it owns the fd from now on, on
 * every path. */
HKT_API HKT_MUST_USE int hkt_datagram_adopt(hkt_datagram **socket, int fd);

/* Waits for a message: its length, which may be 0. -EMSGSIZE: it was longer than `size`, which
 * is filled; the rest is lost. The sender in *from, unless that is NULL. Errors that an earlier
 * message met (-ECONNREFUSED of a connected socket) come here or from send; the socket is as
 * good as before. -ESHUTDOWN: closed. (sock_recvfrom) */
HKT_API HKT_MUST_USE int hkt_datagram_receive(hkt_datagram *socket, void *data, size_t size,
                                              hkt_address *from);
/* Sends a message, to a connected socket's peer if `to` is NULL: 0. Waits while the system has
 * no room. -EMSGSIZE: longer than the network takes. -EDESTADDRREQ. (sendto) */
HKT_API int hkt_datagram_send(hkt_datagram *socket, const void *data, size_t size,
                              const hkt_address *to);
/* Without waiting: -EAGAIN. */
HKT_API HKT_MUST_USE int hkt_datagram_receive_nowait(hkt_datagram *socket, void *data, size_t size,
                                                     hkt_address *from);
HKT_API HKT_MUST_USE int hkt_datagram_send_nowait(hkt_datagram *socket, const void *data,
                                                  size_t size, const hkt_address *to);

/* Several in one call of the system. */
typedef struct hkt_message {
    void *data;
    size_t size;         /* room; of a message to be sent, its length */
    size_t length;       /* of the message that came */
    hkt_address address; /* whom it came from, or goes to; all zero: the peer */
    bool truncated;      /* it was longer than the room */
} hkt_message;
/* Waits for the first, and takes what is there: how many, at least one. */
HKT_API HKT_MUST_USE int hkt_datagram_receive_many(hkt_datagram *socket, hkt_message *messages,
                                                   int count);
/* Sends all: 0. After an error some may have been sent: how many is in *sent, unless that is
 * NULL. */
HKT_API int hkt_datagram_send_many(hkt_datagram *socket, const hkt_message *messages, int count,
                                   int *sent);

/* Where it is; its port alone, -1 if it is no IP socket. 0; -ESHUTDOWN. */
HKT_API int hkt_datagram_local(const hkt_datagram *socket, hkt_address *address);
HKT_API int hkt_datagram_port(const hkt_datagram *socket);
/* To be asked and set up (setsockopt: multicast), not to be read, written, or closed;
 * -ESHUTDOWN. */
HKT_API int hkt_datagram_fd(const hkt_datagram *socket);
/* Those who wait get -ESHUTDOWN. From any thread; never waits. destroy closes, too, when
 * nobody uses it any more; NULL is fine. */
HKT_API void hkt_datagram_close(hkt_datagram *socket);
HKT_API void hkt_datagram_destroy(hkt_datagram *socket);

HKT_END_DECLS

#endif
