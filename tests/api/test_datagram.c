/* SPDX-License-Identifier: MIT */
/* hocket/datagram.h: one message and several, their ends, and what goes wrong. Waiting, closing and
 * many users at a time: test_datagram_waits.c. */
#include <fcntl.h>
#include <netinet/in.h>

#include "datagrams.h"
#include "scarce.h"

static int echo(const char *host)
{
    hkt_datagram *server, *client;
    hkt_address to, from, of_client;
    char data[64];
    int err = hkt_datagram_bind(&server, host, 0, NULL);
    if (err < 0)
        return err;
    to = local_of(server);
    CHECK(hkt_address_port(&to) > 0);
    CHECK_EQ(hkt_datagram_bind(&client, host, 0, NULL), 0);
    of_client = local_of(client);
    errno = 4711;
    CHECK_EQ(hkt_datagram_receive_nowait(server, data, sizeof data, &from), -EAGAIN);
    CHECK_EQ(hkt_datagram_send(client, "hello", 5, &to), 0);
    CHECK_EQ(hkt_datagram_receive(server, data, sizeof data, &from), 5);
    CHECK(memcmp(data, "hello", 5) == 0);
    CHECK_EQ(from.length, of_client.length);
    CHECK(memcmp(&from, &of_client, sizeof from) == 0);
    CHECK_EQ(hkt_datagram_send_nowait(server, "world", 5, &from), 0);
    CHECK_EQ(hkt_datagram_receive(client, data, sizeof data, NULL), 5);
    CHECK(memcmp(data, "world", 5) == 0);
    CHECK_EQ(errno, 4711);
    hkt_datagram_destroy(server);
    hkt_datagram_destroy(client);
    return 0;
}

static int echo_all(void *arg)
{
    (void)arg;
    CHECK_EQ(echo("127.0.0.1"), 0);
    CHECK_EQ(echo("localhost"), 0);
    int err = echo("::1");
    CHECK(err == 0 || err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT);
    return 0;
}

TEST(messages_go_and_come_with_their_senders)
{
    in_each_kind(echo_all);
}

static int use_all_interfaces(void *arg)
{
    hkt_datagram *server, *client;
    char data[8];
    hkt_address from;
    const hkt_datagram_options only[] = { { .family = 0 }, { .family = AF_INET } };
    (void)arg;
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(hkt_datagram_bind(&server, i % 2 ? "" : NULL, 0, &only[i / 2]), 0);
        hkt_address to = local_of(server);
        int port = hkt_address_port(&to);
        CHECK_EQ(hkt_datagram_connect(&client, "127.0.0.1", port, NULL), 0);
        CHECK_EQ(hkt_datagram_send(client, "four", 4, NULL), 0);
        CHECK_EQ(hkt_datagram_receive(server, data, 8, &from), 4);
        CHECK_EQ(hkt_datagram_send(server, "back", 4, &from), 0);
        CHECK_EQ(hkt_datagram_receive(client, data, 8, NULL), 4);
        CHECK(memcmp(data, "back", 4) == 0);
        hkt_datagram_destroy(server);
        hkt_datagram_destroy(client);
    }
    return 0;
}

TEST(no_host_is_all_interfaces)
{
    in_each_kind(use_all_interfaces);
}

static int send_odd_sizes(void *arg)
{
    struct pair pair = udp_pair();
    char data[64];
    hkt_address from;
    (void)arg;
    CHECK_EQ(hkt_datagram_send(pair.a, NULL, 0, NULL), 0);
    CHECK_EQ(hkt_datagram_receive(pair.b, data, sizeof data, &from), 0);
    CHECK_EQ(hkt_address_port(&from), pair.port_a);
    CHECK_EQ(hkt_datagram_send(pair.a, "", 0, NULL), 0);
    CHECK_EQ(hkt_datagram_receive(pair.b, NULL, 0, NULL), 0);
    CHECK_EQ(hkt_datagram_send(pair.a, "x", 1, NULL), 0);
    CHECK_EQ(hkt_datagram_receive(pair.b, NULL, 0, &from), -EMSGSIZE);
    CHECK_EQ(hkt_address_port(&from), pair.port_a);
    CHECK_EQ(hkt_datagram_send(pair.a, "0123456789", 10, NULL), 0);
    CHECK_EQ(hkt_datagram_send(pair.a, "next", 4, NULL), 0);
    memset(data, 0, sizeof data);
    CHECK_EQ(hkt_datagram_receive(pair.b, data, 4, NULL), -EMSGSIZE);
    CHECK_STR(data, "0123");
    CHECK_EQ(hkt_datagram_receive(pair.b, data, 4, NULL), 4); /* exactly fits */
    CHECK_STR(data, "next");
    char *big = calloc(1, 70000);
    CHECK_EQ(hkt_datagram_send(pair.a, big, 65507, NULL), 0);
    CHECK_EQ(hkt_datagram_receive(pair.b, big, 70000, NULL), 65507);
    CHECK_EQ(hkt_datagram_send(pair.a, big, 65508, NULL), -EMSGSIZE);
    CHECK_EQ(hkt_datagram_send(pair.a, big, SIZE_MAX, NULL), -EMSGSIZE);
    CHECK_EQ(hkt_datagram_send_nowait(pair.a, big, 70000, NULL), -EMSGSIZE);
    free(big);
    pair_close(&pair);
    return 0;
}

TEST(messages_may_be_empty_or_too_long)
{
    in_each_kind(send_odd_sizes);
}

/* A port at which nobody is. */
static int free_port(void)
{
    hkt_datagram *socket;
    CHECK_EQ(hkt_datagram_bind(&socket, "127.0.0.1", 0, NULL), 0);
    hkt_address address = local_of(socket);
    hkt_datagram_destroy(socket);
    return hkt_address_port(&address);
}

static int send_to_nobody(void *arg)
{
    hkt_datagram *client, *server;
    char data[8];
    hkt_message messages[2] = { { .data = data, .size = 8 }, { .data = data, .size = 8 } };
    int port = free_port();
    (void)arg;
    CHECK_EQ(hkt_datagram_connect(&client, "127.0.0.1", port, NULL), 0);
    CHECK_EQ(hkt_datagram_send(client, "x", 1, NULL), 0);
    CHECK_EQ(hkt_datagram_receive(client, data, 8, NULL), -ECONNREFUSED);
    CHECK_EQ(hkt_datagram_receive_nowait(client, data, 8, NULL), -EAGAIN);
    CHECK_EQ(hkt_datagram_send(client, "x", 1, NULL), 0);
    CHECK_EQ(hkt_datagram_send(client, "x", 1, NULL), -ECONNREFUSED);
    CHECK_EQ(hkt_datagram_send(client, "x", 1, NULL), 0);
    CHECK_EQ(hkt_datagram_receive_many(client, messages, 2), -ECONNREFUSED);
    CHECK_EQ(hkt_datagram_bind(&server, "127.0.0.1", port, NULL), 0);
    hkt_address to = local_of(client);
    CHECK_EQ(hkt_datagram_send(client, "y", 1, NULL), 0);
    CHECK_EQ(hkt_datagram_receive(server, data, 8, NULL), 1);
    CHECK_EQ(hkt_datagram_send(server, "z", 1, &to), 0);
    CHECK_EQ(hkt_datagram_receive(client, data, 8, NULL), 1);
    CHECK_EQ(data[0], 'z');
    hkt_datagram_destroy(client);
    hkt_datagram_destroy(server);
    return 0;
}

TEST(with_nobody_there_a_connected_socket_is_told_and_works_again)
{
    in_each_kind(send_to_nobody);
}

static int set_options(void *arg)
{
    hkt_datagram *plain, *broad, *first, *second, *third = NULL;
    hkt_address all;
    const hkt_datagram_options broadcast = { .broadcast = true }, shared = { .reuse_port = true };
    (void)arg;
    CHECK_EQ(hkt_address_parse(&all, "127.255.255.255", 9), 0);
    CHECK_EQ(hkt_datagram_bind(&plain, "127.0.0.1", 0, NULL), 0);
    CHECK_EQ(hkt_datagram_send(plain, "x", 1, &all), -EACCES);
    CHECK_EQ(hkt_datagram_bind(&broad, "127.0.0.1", 0, &broadcast), 0);
    CHECK_EQ(hkt_datagram_send(broad, "x", 1, &all), 0);
    CHECK_EQ(hkt_datagram_bind(&first, "127.0.0.1", 0, &shared), 0);
    hkt_address address = local_of(first);
    int port = hkt_address_port(&address);
    CHECK_EQ(hkt_datagram_bind(&second, "127.0.0.1", port, &shared), 0);
    CHECK_EQ(hkt_datagram_bind(&third, "127.0.0.1", port, NULL), -EADDRINUSE);
    CHECK(strstr(hkt_sentence(-EADDRINUSE), "127.0.0.1 port ") != NULL);
    CHECK(third == NULL);
    hkt_datagram_destroy(plain);
    hkt_datagram_destroy(broad);
    hkt_datagram_destroy(first);
    hkt_datagram_destroy(second);
    return 0;
}

TEST(broadcasts_and_shared_ports_are_asked_for)
{
    in_each_kind(set_options);
}

static int refuse(void *arg)
{
    hkt_datagram *socket = NULL;
    hkt_datagram_options options = { .family = AF_INET6 };
    (void)arg;
    CHECK_EQ(hkt_datagram_bind(&socket, "127.0.0.1", 65536, NULL), -EINVAL);
    CHECK(strstr(hkt_sentence(-EINVAL), "65536") != NULL);
    CHECK_EQ(hkt_datagram_connect(&socket, "127.0.0.1", -1, NULL), -EINVAL);
    CHECK_EQ(hkt_datagram_bind(&socket, "127.0.0.1", 0, &options), -ENOENT);
    CHECK_EQ(hkt_datagram_bind(&socket, "192.0.2.1", 0, NULL), -EADDRNOTAVAIL);
    CHECK(strstr(hkt_sentence(-EADDRNOTAVAIL), "192.0.2.1") != NULL);
    CHECK_EQ(hkt_datagram_connect(&socket, "255.255.255.255", 9, NULL), -EACCES);
    options.family = AF_UNIX;
    CHECK_EQ(hkt_datagram_bind(&socket, NULL, 0, &options), -EINVAL);
    CHECK(socket == NULL);
    CHECK_EQ(hkt_datagram_bind(&socket, "127.0.0.1", 0, NULL), 0);
    CHECK_EQ(hkt_datagram_send(socket, "x", 1, NULL), -EDESTADDRREQ);
    CHECK_EQ(hkt_datagram_send_nowait(socket, "x", 1, &(hkt_address){ 0 }), -EDESTADDRREQ);
    CHECK_EQ(hkt_datagram_receive_many(socket, NULL, 0), -EINVAL);
    CHECK_EQ(hkt_datagram_send_many(socket, NULL, -1, NULL), -EINVAL);
    CHECK_EQ(hkt_datagram_send_many(socket, NULL, 0, NULL), 0);
    hkt_datagram_destroy(socket);
    hkt_datagram_destroy(NULL);
    return 0;
}

TEST(what_cannot_be_is_refused)
{
    in_each_kind(refuse);
}

static int adopt_each(void *arg)
{
    hkt_datagram *socket = NULL;
    int ends[2];
    (void)arg;
    CHECK_EQ(hkt_datagram_adopt(&socket, -1), -EBADF);
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    CHECK_EQ(hkt_datagram_adopt(&socket, ends[0]), -ENOTSOCK); /* closed */
    CHECK_EQ(hkt_datagram_adopt(&socket, ends[1]), -ENOTSOCK);
    CHECK_EQ(fcntl(ends[0], F_GETFD), -1);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    CHECK_EQ(hkt_datagram_adopt(&socket, ends[0]), -EINVAL);
    CHECK_EQ(hkt_datagram_adopt(&socket, ends[1]), -EINVAL);
    CHECK_EQ(fcntl(ends[1], F_GETFD), -1);
    CHECK(socket == NULL);
    return 0;
}

TEST(only_sockets_of_messages_are_adopted_and_all_are_closed)
{
    in_each_kind(adopt_each);
}

static int use_sequenced(void *arg)
{
    struct pair pair = unix_pair(SOCK_SEQPACKET);
    char data[8];
    hkt_message messages[4];
    (void)arg;
    for (int i = 0; i < 4; i++)
        messages[i] = (hkt_message){ .data = data, .size = sizeof data };
    CHECK_EQ(hkt_datagram_send(pair.a, "one", 3, NULL), 0);
    CHECK_EQ(hkt_datagram_send(pair.a, "", 0, NULL), 0);
    CHECK_EQ(hkt_datagram_send(pair.a, "three and more", 14, NULL), 0);
    CHECK_EQ(hkt_datagram_receive(pair.b, data, 8, NULL), 3);
    CHECK_EQ(hkt_datagram_receive(pair.b, data, 8, NULL), 0);
    CHECK_EQ(hkt_datagram_receive(pair.b, data, 8, NULL), -EMSGSIZE);
    CHECK_EQ(hkt_datagram_send(pair.a, "four", 4, NULL), 0);
    CHECK_EQ(hkt_datagram_send(pair.a, "five", 4, NULL), 0);
    hkt_datagram_close(pair.a);
    CHECK_EQ(hkt_datagram_receive_many(pair.b, messages, 4), 2);
    CHECK_EQ(messages[1].length, 4);
    CHECK_EQ(hkt_datagram_receive_many(pair.b, messages, 4), -EPIPE); /* its end */
    CHECK_EQ(hkt_datagram_receive(pair.b, data, 8, NULL), -EPIPE);
    CHECK_EQ(hkt_datagram_send(pair.b, "x", 1, NULL), -EPIPE); /* and no signal */
    pair_close(&pair);
    return 0;
}

TEST(a_sequence_of_messages_has_an_end)
{
    in_each_kind(use_sequenced);
}

/* Several at a time. */
#define MANY 100

static int send_and_receive_many(void *arg)
{
    static _Thread_local char texts[MANY][8], data[MANY][8];
    struct pair pair = udp_pair();
    hkt_message *out = calloc(MANY, sizeof *out), *in = calloc(MANY + 10, sizeof *in);
    int sent = 4711, count = 0;
    (void)arg;
    for (int i = 0; i < MANY; i++) {
        snprintf(texts[i], sizeof texts[i], "%d", i);
        out[i] = (hkt_message){ .data = texts[i], .size = strlen(texts[i]) };
        in[i] = (hkt_message){ .data = data[i], .size = i == 50 ? 1 : sizeof data[i] };
    }
    out[7].size = 0;
    CHECK_EQ(hkt_datagram_send_many(pair.a, out, MANY, &sent), 0);
    CHECK_EQ(sent, MANY);
    while (count < MANY) {
        int n = hkt_datagram_receive_many(pair.b, in + count, MANY - count);
        CHECK(n > 0);
        count += n;
    }
    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(in[i].truncated, i == 50);
        CHECK_EQ(in[i].length, i == 7 ? 0 : i == 50 ? 1 : strlen(texts[i]));
        CHECK(memcmp(data[i], texts[i], in[i].length) == 0);
        CHECK_EQ(hkt_address_port(&in[i].address), pair.port_a);
    }
    free(out);
    free(in);
    pair_close(&pair);
    return 0;
}

TEST(many_messages_are_sent_and_received_in_one_call)
{
    in_each_kind(send_and_receive_many);
}

static int fail_in_the_middle(void *arg)
{
    hkt_datagram *from, *to[2];
    hkt_message messages[50];
    char *big = calloc(1, 70000), data[8];
    int sent = 4711;
    (void)arg;
    CHECK_EQ(hkt_datagram_bind(&from, "127.0.0.1", 0, NULL), 0);
    CHECK_EQ(hkt_datagram_bind(&to[0], "127.0.0.1", 0, NULL), 0);
    CHECK_EQ(hkt_datagram_bind(&to[1], "127.0.0.1", 0, NULL), 0);
    for (int i = 0; i < 50; i++)
        messages[i] = (hkt_message){ .data = big, .size = 1, .address = local_of(to[i % 2]) };
    messages[40].size = 70000;
    CHECK_EQ(hkt_datagram_send_many(from, messages, 50, &sent), -EMSGSIZE);
    CHECK_EQ(sent, 40);
    for (int i = 0; i < 40; i++)
        CHECK_EQ(hkt_datagram_receive(to[i % 2], data, 8, NULL), 1);
    CHECK_EQ(hkt_datagram_receive_nowait(to[0], data, 8, NULL), -EAGAIN);
    CHECK_EQ(hkt_datagram_receive_nowait(to[1], data, 8, NULL), -EAGAIN);
    free(big);
    hkt_datagram_destroy(from);
    hkt_datagram_destroy(to[0]);
    hkt_datagram_destroy(to[1]);
    return 0;
}

TEST(after_an_error_it_is_told_how_many_were_sent)
{
    in_each_kind(fail_in_the_middle);
}

static int use_scarcely(void *arg)
{
    hkt_datagram *socket, *peer;
    char data[4];
    (void)arg;
    int err = hkt_datagram_bind(&socket, "127.0.0.1", 0, NULL);
    if (err < 0)
        return err;
    hkt_address to = local_of(socket);
    err = hkt_datagram_connect(&peer, "127.0.0.1", hkt_address_port(&to), NULL);
    if (err == 0) {
        CHECK_EQ(hkt_datagram_send(peer, "x", 1, NULL), 0);
        CHECK_EQ(hkt_datagram_receive(socket, data, 4, NULL), 1);
        hkt_scope scope;
        hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.001) });
        err = hkt_datagram_receive(socket, data, 4, NULL); /* its wait may need some */
        CHECK(err == -ECANCELED || err == -ENOMEM);
        hkt_scope_leave(&scope);
        err = err == -ECANCELED ? 0 : err;
        hkt_datagram_destroy(peer);
    }
    hkt_datagram_destroy(socket);
    return err;
}

TEST(without_memory_no_socket_is_left)
{
    with_scarce_memory(ON_THREAD, use_scarcely);
    with_scarce_memory(IN_LOOP, use_scarcely);
}
