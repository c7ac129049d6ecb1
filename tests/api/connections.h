/* SPDX-License-Identifier: MIT */
/* What tests of connections use: two ends of each kind, one end and a plain socket to say to it
 * whatever one likes, and calls for somebody beside the test. */
#ifndef HOCKET_TESTS_CONNECTIONS_H
#define HOCKET_TESTS_CONNECTIONS_H

#include "streams.h"

enum { DUPLEX, SIMPLEX, OVER_TCP, LINKS };

static inline hkt_connection_listener *must_invite(const char *address,
                                                   const hkt_connection_options *options)
{
    hkt_connection_listener *listener = NULL;
    CHECK_EQ(hkt_connection_listener_create(&listener, address, options), 0);
    return listener;
}

struct acceptance {
    hkt_connection_listener *listener;
    hkt_connection *connection;
};

static inline int call_accept(void *arg)
{
    struct acceptance *acceptance = arg;
    return hkt_connection_listener_accept(acceptance->listener, &acceptance->connection);
}

struct visit {
    const char *address;
    const hkt_connection_options *options;
    hkt_connection *connection;
};

static inline int call_connect(void *arg)
{
    struct visit *visit = arg;
    return hkt_connection_connect(&visit->connection, visit->address, visit->options);
}

/* c[0] receives what c[1] sends; the other way round too, but for SIMPLEX. */
static inline void must_link(int link, hkt_connection *c[2])
{
    if (link != OVER_TCP) {
        CHECK_EQ(hkt_pipe_create(&c[0], &c[1], link == DUPLEX), 0);
        return;
    }
    struct acceptance acceptance = { must_invite("127.0.0.1:0", NULL), NULL };
    struct beside host;
    beside_start(&host, call_accept, &acceptance);
    CHECK_EQ(
        hkt_connection_connect(&c[1], hkt_connection_listener_address(acceptance.listener), NULL),
        0);
    CHECK_EQ(beside_end(&host), 0);
    c[0] = acceptance.connection;
    hkt_connection_listener_destroy(acceptance.listener);
}

static inline void unlink_both(hkt_connection *c[2])
{
    hkt_connection_destroy(c[0]);
    hkt_connection_destroy(c[1]);
}

/* A connection, and the bare fd at its other end. */
static inline hkt_connection *must_face(int *fd)
{
    int fds[2];
    hkt_connection *connection = NULL;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    CHECK_EQ(hkt_connection_adopt(&connection, fds[0]), 0);
    *fd = fds[1];
    return connection;
}

static inline void utter(int fd, const void *bytes, size_t size)
{
    CHECK_EQ(send(fd, bytes, size, MSG_NOSIGNAL), size);
}

static inline void say(hkt_connection *connection, const char *text)
{
    CHECK_EQ(hkt_connection_send(connection, text, strlen(text)), 0);
}

static inline void hear(hkt_connection *connection, const char *text)
{
    char data[256] = { 0 };
    CHECK_EQ(hkt_connection_recv(connection, data, sizeof data - 1), strlen(text));
    CHECK_STR(data, text);
}

/* A call with a connection and memory. */
struct parcel {
    hkt_connection *connection;
    void *data;
    size_t size;
    hkt_deadline deadline;
};

static inline int call_send(void *arg)
{
    struct parcel *parcel = arg;
    return hkt_connection_send(parcel->connection, parcel->data, parcel->size);
}

static inline int call_recv(void *arg)
{
    struct parcel *parcel = arg;
    return hkt_connection_recv(parcel->connection, parcel->data, parcel->size);
}

static inline int call_recv_alloc(void *arg)
{
    struct parcel *parcel = arg;
    return hkt_connection_recv_alloc(parcel->connection, &parcel->data, &parcel->size, 0);
}

static inline int call_next_size(void *arg)
{
    struct parcel *parcel = arg;
    return hkt_connection_next_size(parcel->connection);
}

static inline int call_poll(void *arg)
{
    struct parcel *parcel = arg;
    return hkt_connection_poll(parcel->connection, parcel->deadline);
}

static inline int call_recv_fd(void *arg)
{
    struct parcel *parcel = arg;
    return hkt_connection_recv_fd(parcel->connection);
}

#endif
