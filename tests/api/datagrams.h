/* SPDX-License-Identifier: MIT */
/* What tests of datagrams use: pairs of sockets that send to each other. */
#ifndef HOCKET_TESTS_DATAGRAMS_H
#define HOCKET_TESTS_DATAGRAMS_H

#include <hocket/datagram.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "groups.h"

static inline hkt_address local_of(hkt_datagram *socket)
{
    hkt_address address;
    CHECK_EQ(hkt_datagram_local(socket, &address), 0);
    return address;
}

struct pair {
    hkt_datagram *a, *b; /* a is connected with b; of Unix sockets each with the other */
    int port_a;
};

static inline struct pair udp_pair(void)
{
    struct pair pair;
    CHECK_EQ(hkt_datagram_bind(&pair.b, "127.0.0.1", 0, NULL), 0);
    hkt_address address = local_of(pair.b);
    CHECK_EQ(hkt_datagram_connect(&pair.a, "127.0.0.1", hkt_address_port(&address), NULL), 0);
    address = local_of(pair.a);
    pair.port_a = hkt_address_port(&address);
    return pair;
}

static inline struct pair unix_pair(int type)
{
    struct pair pair = { .port_a = -1 };
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
    CHECK_EQ(hkt_datagram_adopt(&pair.a, fds[0]), 0);
    CHECK_EQ(hkt_datagram_adopt(&pair.b, fds[1]), 0);
    return pair;
}

static inline void pair_close(struct pair *pair)
{
    hkt_datagram_destroy(pair->a);
    hkt_datagram_destroy(pair->b);
}

#endif
