/* SPDX-License-Identifier: MIT */
/* hocket/stream.h: connecting to addresses that answer, or do not; listening, on TCP and Unix. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include "streams.h"

/* What the tests leave in folders of their own. */
struct folder {
    char name[32], path[64];
};

static void folder_open(struct folder *folder)
{
    strcpy(folder->name, "/tmp/hocket-unix-XXXXXX");
    CHECK(mkdtemp(folder->name) != NULL);
    snprintf(folder->path, sizeof folder->path, "%s/socket", folder->name);
}

/* Nothing is left in it. */
static void folder_close(struct folder *folder)
{
    CHECK_EQ(rmdir(folder->name), 0);
    check_finalized();
}

/* A socket of the loopback that is bound to a port; nobody else gets that port. */
static int bound_socket(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    *address = (struct sockaddr_in){ .sin_family = AF_INET,
                                     .sin_addr = { htonl(INADDR_LOOPBACK) } };
    CHECK_EQ(bind(fd, (struct sockaddr *)address, sizeof *address), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)address, &length), 0);
    return fd;
}

/* A listener that does not answer any more. */
struct deaf {
    int listener, fillers[16], count;
    hkt_address address;
};

static void deaf_open(struct deaf *deaf, const char *host)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    CHECK_EQ(hkt_address_parse(&deaf->address, host, 0), 0);
    int family = hkt_address_sockaddr(&deaf->address)->sa_family;
    deaf->listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK_EQ(bind(deaf->listener, hkt_address_sockaddr(&deaf->address), deaf->address.length), 0);
    CHECK_EQ(listen(deaf->listener, 0), 0);
    CHECK_EQ(getsockname(deaf->listener, (struct sockaddr *)&name, &length), 0);
    CHECK_EQ(hkt_address_from_sockaddr(&deaf->address, (struct sockaddr *)&name, length), 0);
    for (deaf->count = 0; deaf->count < 16; deaf->count++) {
        int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        deaf->fillers[deaf->count] = fd;
        (void)connect(fd, (struct sockaddr *)&name, length);
    }
}

static void deaf_close(struct deaf *deaf)
{
    while (deaf->count > 0)
        CHECK_EQ(close(deaf->fillers[--deaf->count]), 0);
    CHECK_EQ(close(deaf->listener), 0);
}

static int accept_fd(const struct deaf *deaf)
{
    return accept4(deaf->listener, NULL, NULL, SOCK_CLOEXEC);
}

struct connecting {
    const hkt_address *address;
    const char *host;
    int port;
    hkt_connect_options options;
    hkt_stream *stream;
    atomic_bool done;
};

static int call_connect(void *arg)
{
    struct connecting *to = arg;
    int err = to->address ? hkt_stream_connect_address(&to->stream, to->address, &to->options)
                          : hkt_stream_connect(&to->stream, to->host, to->port, &to->options);
    atomic_store(&to->done, true);
    return err;
}

TEST(a_connection_to_who_does_not_answer_ends_with_its_deadline_or_scope)
{
    struct deaf deaf;
    struct beside caller;
    deaf_open(&deaf, "127.0.0.1");
    struct connecting to = { .address = &deaf.address };
    double before = hkt_monotonic();
    to.options.deadline = hkt_after(0.05);
    CHECK_EQ(call_connect(&to), -ETIMEDOUT);
    CHECK(hkt_monotonic() - before >= 0.05 && hkt_monotonic() - before < SOON);
    to.options.deadline = (hkt_deadline){ 0 };
    for (int i = 0; i < 5; i++) {
        beside_start(&caller, call_connect, &to);
        CHECK_EQ(hkt_sleep(0.002 * i), 0);
        beside_cancel(&caller);
        CHECK_EQ(beside_end(&caller), -ECANCELED);
    }
    CHECK_EQ(call_cancelled(call_connect, &to), -ECANCELED);
    struct connecting named = { .host = "127.0.0.1", .port = hkt_address_port(&deaf.address) };
    named.options.deadline = hkt_after(0.02);
    CHECK_EQ(call_connect(&named), -ETIMEDOUT);
    char text[32];
    snprintf(text, sizeof text, "127.0.0.1 port %d", named.port);
    CHECK(strstr(hkt_sentence(-ETIMEDOUT), text) != NULL);
    deaf_close(&deaf);
    check_finalized();
}

/* The other side listens again, or not: who has waited long is not forgotten. */
TEST(a_connection_that_is_answered_late_is_made)
{
    struct deaf deaf;
    struct beside caller;
    deaf_open(&deaf, "127.0.0.1");
    struct connecting to = { .address = &deaf.address };
    beside_start(&caller, call_connect, &to);
    CHECK_EQ(hkt_sleep(0.05), 0);
    int fds[32], count = 0;
    while (!atomic_load(&to.done)) {
        int fd = accept_fd(&deaf);
        if (fd >= 0)
            fds[count++] = fd;
        CHECK(count < 32);
        CHECK_EQ(hkt_sleep(0.001), 0);
    }
    CHECK_EQ(beside_end(&caller), 0);
    hkt_stream_destroy(to.stream);
    CHECK(count > 0);
    while (count > 0)
        CHECK_EQ(close(fds[--count]), 0);
    deaf_close(&deaf);
    check_finalized();
}

static bool has_ipv6(void)
{
    hkt_address address;
    hkt_listener *listener;
    CHECK_EQ(hkt_address_parse(&address, "::1", 0), 0);
    int err = hkt_listener_create(&listener, "::1", 0, NULL);
    if (err == 0)
        hkt_listener_destroy(listener);
    return err == 0;
}

/* This machine has two addresses, of which the first does not answer: the other one is tried after
 * the delay. The same port is wanted in both families. */
static hkt_listener *beside_deaf(struct deaf *deaf, const hkt_address addresses[2])
{
    bool six = hkt_address_sockaddr(&addresses[0])->sa_family == AF_INET6;
    hkt_listen_options options = { .ipv6_only = true };
    for (int i = 0; i < 100; i++) {
        hkt_listener *listener;
        deaf_open(deaf, six ? "::1" : "127.0.0.1");
        if (hkt_listener_create(&listener, six ? "127.0.0.1" : "::1",
                                hkt_address_port(&deaf->address), &options) == 0)
            return listener;
        deaf_close(deaf);
    }
    return NULL;
}

TEST(the_next_address_is_tried_beside_one_that_does_not_answer)
{
    hkt_address both[4];
    struct deaf deaf;
    if (!has_ipv6() || hkt_resolve(NULL, "80", both, 4, NULL) != 2)
        TEST_SKIP("this machine has one address");
    hkt_listener *listener = beside_deaf(&deaf, both);
    CHECK(listener != NULL);
    struct connecting to = { .port = hkt_address_port(&deaf.address),
                             .options = { .delay = 0.05 } };
    double before = hkt_monotonic();
    CHECK_EQ(call_connect(&to), 0);
    CHECK(hkt_monotonic() - before >= 0.05 && hkt_monotonic() - before < SOON);
    hkt_stream_destroy(to.stream);
    to.options.delay = 0; /* by default */
    before = hkt_monotonic();
    CHECK_EQ(call_connect(&to), 0);
    CHECK(hkt_monotonic() - before >= 0.25 && hkt_monotonic() - before < SOON);
    hkt_stream_destroy(to.stream);
    hkt_listener_destroy(listener);
    to.options.delay = 0.01;
    to.options.deadline = hkt_after(0.1);
    CHECK_EQ(call_connect(&to), -ETIMEDOUT); /* one refuses, the other one does not answer */
    deaf_close(&deaf);
    check_finalized();
}

/* The first one refuses: the next is tried at once. */
TEST(the_next_address_is_tried_at_once_when_one_refuses)
{
    hkt_listener *listener;
    hkt_address address;
    CHECK_EQ(hkt_listener_create(&listener, "127.0.0.1", 0, NULL), 0);
    CHECK_EQ(hkt_listener_address(listener, &address), 0);
    struct connecting to = { .host = "localhost", .port = hkt_address_port(&address) };
    to.options.delay = 100;
    CHECK_EQ(call_connect(&to), 0);
    hkt_stream_destroy(to.stream);
    to.options.family = AF_INET;
    CHECK_EQ(call_connect(&to), 0);
    hkt_stream_destroy(to.stream);
    to.options.family = AF_INET6;
    int err = call_connect(&to);
    CHECK(err == -ECONNREFUSED || err == -ENOENT || err == -EADDRNOTAVAIL || err == -ENETUNREACH);
    hkt_listener_destroy(listener);
    check_finalized();
}

TEST(a_refused_connection_says_by_whom)
{
    struct sockaddr_in address;
    int fd = bound_socket(&address), port = ntohs(address.sin_port);
    char text[32];
    struct connecting to = { .host = "127.0.0.1", .port = port };
    errno = 4711;
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(call_connect(&to), -ECONNREFUSED);
        snprintf(text, sizeof text, "127.0.0.1 port %d", port);
        CHECK(strstr(hkt_sentence(-ECONNREFUSED), text) != NULL);
    }
    CHECK_EQ(errno, 4711);
    hkt_stream *stream;
    CHECK_EQ(hkt_stream_connect(&stream, "127.0.0.1", -1, NULL), -EINVAL);
    CHECK_EQ(hkt_stream_connect(&stream, "127.0.0.1", 65536, NULL), -EINVAL);
    CHECK_EQ(hkt_stream_connect_address(&stream, &(hkt_address){ .length = 0 }, NULL), -EINVAL);
    CHECK_EQ(hkt_stream_connect_unix(&stream, "", NULL), -EINVAL);
    CHECK_EQ(close(fd), 0);
    check_finalized();
}

TEST(a_connection_comes_from_the_address_that_it_was_told)
{
    hkt_address local, address, from;
    hkt_stream *accepted;
    struct sockaddr_in own;
    int fd = bound_socket(&own);
    hkt_listener *listener = must_listen(&address);
    CHECK_EQ(hkt_address_parse(&local, "127.0.0.2", 0), 0);
    struct connecting to = { .address = &address, .options = { .local = &local } };
    CHECK_EQ(call_connect(&to), 0);
    CHECK_EQ(hkt_listener_accept(listener, &accepted), 0);
    CHECK_EQ(hkt_stream_peer(accepted, &from), 0);
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)hkt_address_sockaddr(
        &from);
    CHECK_EQ(ntohl(in->sin_addr.s_addr), INADDR_LOOPBACK + 1);
    hkt_stream_destroy(accepted);
    hkt_stream_destroy(to.stream);
    CHECK_EQ(hkt_address_parse(&local, "127.0.0.1", ntohs(own.sin_port)), 0);
    CHECK_EQ(call_connect(&to), -EADDRINUSE);
    CHECK_EQ(close(fd), 0);
    hkt_listener_destroy(listener);
    check_finalized();
}

static void talk(hkt_listener *listener, const char *path)
{
    hkt_stream *client, *server;
    CHECK_EQ(hkt_stream_connect_unix(&client, path, &(hkt_connect_options){ .write_buffer = 10 }),
             0);
    CHECK_EQ(hkt_listener_accept(listener, &server), 0);
    put(client, "hello");
    CHECK_EQ(hkt_stream_written(client), 0);
    CHECK_EQ(hkt_stream_drain(client), 0);
    get(server, "hello");
    hkt_stream_destroy(client);
    hkt_stream_destroy(server);
}

TEST(unix_sockets_have_files_and_abstract_ones_have_none)
{
    struct folder folder;
    struct stat about;
    hkt_listener *listener, *other;
    hkt_address address;
    char text[HKT_ADDRESS_MAX], name[64];
    folder_open(&folder);
    CHECK_EQ(
        hkt_listener_create_unix(&listener, folder.path, &(hkt_listen_options){ .mode = 0640 }), 0);
    CHECK_EQ(lstat(folder.path, &about), 0);
    CHECK(S_ISSOCK(about.st_mode) && (about.st_mode & 07777) == 0640);
    CHECK_EQ(hkt_listener_address(listener, &address), 0);
    CHECK_STR(hkt_address_format(&address, text), folder.path);
    talk(listener, folder.path);
    CHECK_EQ(hkt_listener_create_unix(&other, folder.path, NULL), -EADDRINUSE);
    CHECK(strstr(hkt_sentence(-EADDRINUSE), folder.path) != NULL);
    hkt_stream *spurious;
    CHECK_EQ(hkt_listener_accept(listener, &spurious), 0); /* the question whether it is there */
    CHECK_EQ(hkt_stream_read(spurious, text, 1), 0);
    hkt_stream_destroy(spurious);
    talk(listener, folder.path);
    hkt_listener_destroy(listener);
    CHECK(lstat(folder.path, &about) < 0);
    hkt_stream *stream;
    CHECK_EQ(hkt_stream_connect_unix(&stream, folder.path, NULL), -ENOENT);
    CHECK(strstr(hkt_sentence(-ENOENT), folder.path) != NULL);
    snprintf(name, sizeof name, "@%s", folder.name);
    CHECK_EQ(hkt_stream_connect_unix(&stream, name, NULL), -ECONNREFUSED);
    CHECK_EQ(hkt_listener_create_unix(&listener, name, NULL), 0);
    CHECK_EQ(hkt_listener_create_unix(&other, name, NULL), -EADDRINUSE);
    talk(listener, name);
    hkt_listener_destroy(listener);
    folder_close(&folder);
}

TEST(a_file_of_a_socket_that_nobody_listens_on_is_replaced_and_others_are_not)
{
    struct folder folder;
    hkt_listener *listener;
    struct stat about;
    folder_open(&folder);
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    strcpy(name.sun_path, folder.path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(lstat(folder.path, &about), 0);
    CHECK_EQ(hkt_listener_create_unix(&listener, folder.path, NULL), 0);
    talk(listener, folder.path);
    hkt_listener_destroy(listener);
    /* A plain file, a folder, a link to nowhere, a socket of another kind. */
    for (int kind = 0; kind < 4; kind++) {
        int other = -1;
        if (kind == 0)
            CHECK_EQ(close(open(folder.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
        else if (kind == 1)
            CHECK_EQ(mkdir(folder.path, 0700), 0);
        else if (kind == 2)
            CHECK_EQ(symlink("nowhere", folder.path), 0);
        else
            CHECK_EQ(bind(other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0),
                          (struct sockaddr *)&name, sizeof name),
                     0);
        CHECK_EQ(hkt_listener_create_unix(&listener, folder.path, NULL), -EADDRINUSE);
        CHECK_EQ(lstat(folder.path, &about), 0);
        CHECK_EQ(kind == 1 ? rmdir(folder.path) : unlink(folder.path), 0);
        if (other >= 0)
            CHECK_EQ(close(other), 0);
    }
    CHECK_EQ(hkt_listener_create_unix(&listener, "/nowhere/at/all", NULL), -ENOENT);
    folder_close(&folder);
}

TEST(a_unix_socket_removes_its_file_only_if_it_still_is_the_same)
{
    struct folder folder;
    hkt_listener *first, *second;
    struct stat about;
    folder_open(&folder);
    CHECK_EQ(hkt_listener_create_unix(&first, folder.path, NULL), 0);
    CHECK_EQ(unlink(folder.path), 0);
    CHECK_EQ(hkt_listener_create_unix(&second, folder.path, NULL), 0);
    hkt_listener_destroy(first);
    CHECK_EQ(lstat(folder.path, &about), 0);
    talk(second, folder.path);
    CHECK_EQ(unlink(folder.path), 0);
    hkt_listener_close(second); /* there is none any more */
    hkt_listener_close(second);
    hkt_listener_destroy(second);
    folder_close(&folder);
}

/* Fills the queue of a Unix socket that listens; how many fds that took. */
static int fill_queue(const hkt_address *address, int fds[8])
{
    for (int count = 0; count < 8; count++) {
        fds[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        CHECK(fds[count] >= 0);
        if (connect(fds[count], hkt_address_sockaddr(address), address->length) < 0) {
            CHECK_EQ(errno, EAGAIN);
            CHECK_EQ(close(fds[count]), 0);
            return count;
        }
    }
    test_fail(__FILE__, __LINE__, "the queue has no end");
}

/* A Unix socket whose queue is full is waited for, as connect(2) would. */
TEST(a_full_unix_socket_is_waited_for)
{
    struct folder folder;
    hkt_listener *listener;
    hkt_stream *streams[12], *accepted;
    struct connecting to[12];
    struct beside callers[12];
    hkt_address address;
    int fillers[8];
    folder_open(&folder);
    CHECK_EQ(
        hkt_listener_create_unix(&listener, folder.path, &(hkt_listen_options){ .backlog = 1 }), 0);
    CHECK_EQ(hkt_listener_address(listener, &address), 0);
    int count = fill_queue(&address, fillers);
    for (int i = 0; i < 12; i++) {
        to[i] = (struct connecting){ .address = &address };
        beside_start(&callers[i], call_connect, &to[i]);
    }
    double before = hkt_monotonic();
    CHECK_EQ(hkt_stream_connect_unix(&accepted, folder.path,
                                     &(hkt_connect_options){ .deadline = hkt_after(0.02) }),
             -ETIMEDOUT);
    CHECK(hkt_monotonic() - before >= 0.02);
    for (int i = 0; i < 12; i++)
        CHECK(!atomic_load(&to[i].done));
    for (int i = 0; i < count; i++) {
        CHECK_EQ(hkt_listener_accept(listener, &accepted), 0);
        hkt_stream_destroy(accepted);
        CHECK_EQ(close(fillers[i]), 0);
    }
    for (int i = 0; i < 12; i++) {
        CHECK_EQ(hkt_listener_accept(listener, &accepted), 0);
        streams[i] = accepted;
    }
    for (int i = 0; i < 12; i++) {
        CHECK_EQ(beside_end(&callers[i]), 0);
        hkt_stream_destroy(to[i].stream);
        hkt_stream_destroy(streams[i]);
    }
    hkt_listener_destroy(listener);
    folder_close(&folder);
}

TEST(all_interfaces_are_listened_on_in_both_families)
{
    hkt_listener *listener;
    hkt_address address;
    static const char *const hosts[] = { NULL, "", "::", "0.0.0.0" };
    for (int i = 0; i < 4; i++) {
        if (i == 2 && !has_ipv6())
            continue;
        hkt_stream *accepted;
        CHECK_EQ(hkt_listener_create(&listener, hosts[i], 0, NULL), 0);
        CHECK_EQ(hkt_listener_address(listener, &address), 0);
        struct connecting to = { .host = "127.0.0.1", .port = hkt_address_port(&address) };
        CHECK_EQ(call_connect(&to), 0);
        CHECK_EQ(hkt_listener_accept(listener, &accepted), 0);
        hkt_stream_destroy(to.stream);
        hkt_stream_destroy(accepted);
        hkt_listener_destroy(listener);
    }
    CHECK_EQ(hkt_listener_create(&listener, "::", 0, &(hkt_listen_options){ .ipv6_only = true }),
             has_ipv6() ? 0 : -EAFNOSUPPORT);
    if (has_ipv6()) {
        CHECK_EQ(hkt_listener_address(listener, &address), 0);
        struct connecting to = { .host = "127.0.0.1", .port = hkt_address_port(&address) };
        CHECK_EQ(call_connect(&to), -ECONNREFUSED);
        hkt_listener_destroy(listener);
    }
    check_finalized();
}

TEST(addresses_and_options_are_those_of_the_socket)
{
    hkt_stream *s[2];
    hkt_address here, there;
    int value;
    socklen_t length = sizeof value;
    must_open(TCP, s);
    CHECK_EQ(hkt_stream_local(s[0], &here), 0);
    CHECK_EQ(hkt_stream_peer(s[1], &there), 0);
    CHECK(memcmp(&here, &there, sizeof here) == 0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(getsockopt(hkt_stream_fd(s[i]), IPPROTO_TCP, TCP_NODELAY, &value, &length), 0);
        CHECK(value != 0);
    }
    CHECK_EQ(hkt_stream_set_nodelay(s[0], false), 0);
    CHECK_EQ(getsockopt(hkt_stream_fd(s[0]), IPPROTO_TCP, TCP_NODELAY, &value, &length), 0);
    CHECK_EQ(value, 0);
    CHECK_EQ(hkt_stream_set_keepalive(s[0], 40), 0);
    CHECK_EQ(getsockopt(hkt_stream_fd(s[0]), IPPROTO_TCP, TCP_KEEPIDLE, &value, &length), 0);
    CHECK_EQ(value, 40);
    CHECK_EQ(hkt_stream_set_keepalive(s[0], 0), 0);
    CHECK_EQ(getsockopt(hkt_stream_fd(s[0]), SOL_SOCKET, SO_KEEPALIVE, &value, &length), 0);
    CHECK_EQ(value, 0);
    CHECK_EQ(hkt_stream_set_keepalive(s[0], -1), -EINVAL);
    hkt_stream_abort(s[0]);
    CHECK_EQ(hkt_stream_local(s[0], &here), -ESHUTDOWN);
    CHECK_EQ(hkt_stream_set_nodelay(s[0], true), -ESHUTDOWN);
    close_streams(s);
    must_open(PIPE, s);
    CHECK_EQ(hkt_stream_local(s[0], &here), -ENOTSOCK);
    CHECK_EQ(hkt_stream_set_nodelay(s[0], true), -EOPNOTSUPP);
    CHECK_EQ(hkt_stream_set_keepalive(s[0], 1), -EOPNOTSUPP);
    CHECK_EQ(hkt_stream_write_eof(s[0]), -EOPNOTSUPP);
    close_streams(s);
    check_finalized();
}
