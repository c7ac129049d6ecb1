/* SPDX-License-Identifier: MIT */
/* hocket/server.h: servers for which the system has too little: fds, memory, threads. */
#include <sys/resource.h>
#include <sys/wait.h>

#include "scarce.h"
#include "streams.h"

static int echo(hkt_stream *client, void *arg)
{
    char data[64];
    int n;
    (void)arg;
    while ((n = hkt_stream_read(client, data, sizeof data)) > 0)
        if (hkt_stream_write(client, data, (size_t)n) < 0)
            break;
    return 0;
}

static void count_line(void *context, const char *line)
{
    CHECK(strstr(line, "accepts nobody for now") != NULL);
    atomic_fetch_add((atomic_int *)context, 1);
}

/* The clients are another process, with fds enough: all connect first, so that most wait to be
 * accepted; then each is to be served, and goes. It ends with 0 when all have been. */
enum { VISITORS = 300 };

static pid_t send_visitors(const hkt_address *address)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    static int fds[VISITORS];
    char data[5];
    for (int i = 0; i < VISITORS; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fds[i] < 0 || connect(fds[i], hkt_address_sockaddr(address), address->length) < 0 ||
            write(fds[i], "hello", 5) != 5)
            _exit(1);
    }
    for (int i = 0; i < VISITORS; i++) {
        if (recv(fds[i], data, 5, MSG_WAITALL) != 5 || memcmp(data, "hello", 5) != 0)
            _exit(2);
        close(fds[i]);
    }
    _exit(0);
}

static int serve_with_few_fds(void *arg)
{
    struct rlimit before, few;
    hkt_listener *listener;
    hkt_server *server;
    hkt_address address;
    atomic_int lines = 0;
    int status;
    (void)arg;
    hkt_set_report_sink(count_line, &lines);
    CHECK_EQ(hkt_listener_create(&listener, "127.0.0.1", 0, NULL), 0);
    CHECK_EQ(hkt_listener_address(listener, &address), 0);
    pid_t child = send_visitors(&address);
    CHECK(child > 0);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 64;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    CHECK_EQ(hkt_server_start_on(&server, listener, echo, NULL, NULL), 0);
    double used = cpu_seconds();
    while (waitpid(child, &status, WNOHANG) == 0) {
        CHECK(hkt_server_clients(server) < 64);
        CHECK_EQ(hkt_sleep(0.005), 0);
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (!SANITIZED)
        CHECK(cpu_seconds() - used < 0.5);
    CHECK(atomic_load(&lines) > 0);
    CHECK_EQ(hkt_server_close(server, 10), 0);
    hkt_server_destroy(server);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    hkt_set_report_sink(NULL, NULL);
    return 0;
}

TEST_TIMEOUT(more_clients_than_fds_are_all_served_at_last, 60)
{
    CHECK_EQ(serve_with_few_fds(NULL), 0);
    check_finalized();
}

TEST_TIMEOUT(more_clients_than_fds_are_all_served_at_last_in_a_loop, 60)
{
    must_run(serve_with_few_fds, NULL);
}

/* No fd at all for a while: accepting pauses and nothing spins; then the one who waited is served.
 * */
static int serve_without_fds(void *arg)
{
    hkt_server *server;
    hkt_address address;
    struct rlimit before, none;
    struct sockaddr_storage name;
    atomic_int lines = 0;
    char data[5] = { 0 };
    (void)arg;
    hkt_set_report_sink(count_line, &lines);
    CHECK_EQ(hkt_server_start(&server, "127.0.0.1", 0, echo, NULL, NULL), 0);
    CHECK_EQ(hkt_server_address(server, &address), 0);
    hkt_stream *first = must_connect(&address);
    put(first, "x");
    get(first, "x"); /* it has begun, and what it needs is there */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(hkt_address_sockaddr(&address)->sa_family, AF_INET);
    memcpy(&name, hkt_address_sockaddr(&address), address.length);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    double used = cpu_seconds();
    CHECK_EQ(connect(fd, (struct sockaddr *)&name, address.length), 0);
    CHECK_EQ(hkt_sleep(0.2), 0);
    put(first, "on"); /* who is in is served meanwhile */
    get(first, "on");
    check_idle_since(used);
    CHECK_EQ(atomic_load(&lines), 1);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    hkt_stream_destroy(first); /* who goes makes room, so this is no matter of a second */
    CHECK_EQ(write(fd, "hello", 5), 5);
    hkt_stream *stream;
    CHECK_EQ(hkt_stream_adopt(&stream, fd, false), 0);
    CHECK_EQ(hkt_stream_read_exactly(stream, data, 5, NULL), 0);
    CHECK(memcmp(data, "hello", 5) == 0);
    hkt_stream_destroy(stream);
    CHECK_EQ(hkt_server_close(server, 10), 0);
    hkt_server_destroy(server);
    hkt_set_report_sink(NULL, NULL);
    return 0;
}

TEST(without_fds_accepting_pauses)
{
    CHECK_EQ(serve_without_fds(NULL), 0);
    check_finalized();
    must_run(serve_without_fds, NULL);
}

/* Closed while it pauses: at once. */
static int close_in_pause(void *arg)
{
    hkt_server *server;
    struct rlimit before, none;
    atomic_int lines = 0;
    (void)arg;
    hkt_set_report_sink(count_line, &lines);
    CHECK_EQ(hkt_server_start(&server, "127.0.0.1", 0, echo, NULL, NULL), 0);
    hkt_address address;
    CHECK_EQ(hkt_server_address(server, &address), 0);
    hkt_stream *first = must_connect(&address);
    put(first, "x");
    get(first, "x");
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK_EQ(connect(fd, hkt_address_sockaddr(&address), address.length), 0);
    while (atomic_load(&lines) == 0)
        CHECK_EQ(hkt_sleep(0.001), 0);
    double began = hkt_monotonic();
    CHECK_EQ(hkt_server_close(server, 0), -ETIMEDOUT); /* of the first */
    CHECK(hkt_monotonic() - began < 0.9);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK_EQ(close(fd), 0);
    hkt_stream_destroy(first);
    hkt_server_destroy(server);
    hkt_set_report_sink(NULL, NULL);
    return 0;
}

TEST(a_server_that_pauses_can_be_closed)
{
    CHECK_EQ(close_in_pause(NULL), 0);
    check_finalized();
    must_run(close_in_pause, NULL);
}

static void hear_nothing(void *context, const char *line)
{
    (void)context;
    (void)line;
}

static int talk(hkt_stream *client)
{
    char data[5];
    int err = hkt_stream_set_write_buffer(client, 100);
    if (err == 0)
        err = hkt_stream_write(client, "hello", 5);
    if (err == 0)
        err = hkt_stream_drain(client);
    return err == 0 ? hkt_stream_read_exactly(client, data, 5, NULL) : err;
}

/* One client of a server, with memory that fails: it is served, or one of both sides is told, or it
 * waits to be accepted until it gives up. */
static int serve_once(void *arg)
{
    hkt_server *server;
    hkt_stream *client = NULL;
    hkt_address address;
    hkt_scope scope;
    (void)arg;
    int err = hkt_server_start(&server, "127.0.0.1", 0, echo, NULL, NULL);
    if (err < 0)
        return err;
    CHECK_EQ(hkt_server_address(server, &address), 0);
    err = hkt_stream_connect_address(&client, &address, NULL);
    if (err == 0) {
        bool scarce = scarce_to > 0;
        hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(scarce ? 0.05 : 10) });
        err = talk(client);
        (void)hkt_scope_leave(&scope);
        hkt_stream_destroy(client);
        CHECK(scarce || err == 0);
    }
    hkt_server_destroy(server);
    bool failed = err == -ENODATA || err == -ECONNRESET || err == -EPIPE || err == -ECANCELED;
    return failed ? -ENOMEM : err;
}

TEST_TIMEOUT(a_server_whose_memory_fails_serves_or_says_so, 120)
{
    hkt_set_report_sink(hear_nothing, NULL);
    with_scarce_memory(ON_THREAD, serve_once);
}

TEST_TIMEOUT(a_server_in_a_loop_whose_memory_fails_serves_or_says_so, 120)
{
    hkt_set_report_sink(hear_nothing, NULL);
    with_scarce_memory(IN_LOOP, serve_once);
}

static int use_streams(void *arg)
{
    hkt_stream *s[2];
    char line[64];
    (void)arg;
    int err = hkt_stream_pair(s);
    if (err < 0)
        return err;
    err = hkt_stream_write(s[1], "one\ntwo\n", 8);
    for (int i = 0; i < 2 && err >= 0; i++)
        err = hkt_stream_read_line(s[0], line, sizeof line);
    if (err >= 0)
        err = hkt_stream_set_write_buffer(s[1], 10);
    if (err >= 0)
        err = hkt_stream_printf(s[1], "%600d", 1);
    hkt_stream_destroy(s[0]);
    hkt_stream_destroy(s[1]);
    if (err >= 0 && (err = hkt_stream_pipe(&s[0], &s[1])) == 0) {
        hkt_stream_destroy(s[0]);
        hkt_stream_destroy(s[1]);
    }
    return err < 0 ? err : 0;
}

TEST(streams_whose_memory_fails_say_so_and_leave_nothing)
{
    with_scarce_memory(ON_THREAD, use_streams);
    with_scarce_memory(IN_LOOP, use_streams);
}

/* Who could not be accepted waits on, and comes next. */
static int accept_when_there_is_memory(void *arg)
{
    hkt_stream *stream;
    hkt_address address;
    hkt_listener *listener;
    char byte;
    (void)arg;
    int err = hkt_listener_create(&listener, "127.0.0.1", 0, NULL), again = 0;
    if (err < 0)
        return err;
    CHECK_EQ(hkt_listener_address(listener, &address), 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(connect(fd, hkt_address_sockaddr(&address), address.length), 0);
    CHECK_EQ(write(fd, "x", 1), 1);
    err = hkt_listener_accept(listener, &stream);
    if (err == -ENOMEM && scarce_to < INT32_MAX)
        again = hkt_listener_accept(listener, &stream); /* this time there is */
    CHECK_EQ(again, 0);
    if (err == 0 || scarce_to < INT32_MAX) {
        CHECK_EQ(hkt_stream_read_nowait(stream, &byte, 1), 1);
        hkt_stream_destroy(stream);
    }
    hkt_listener_destroy(listener);
    CHECK_EQ(close(fd), 0);
    return err;
}

TEST(a_client_waits_until_there_is_memory_to_accept_him)
{
    with_scarce_memory(ON_THREAD, accept_when_there_is_memory);
    with_scarce_memory(IN_LOOP, accept_when_there_is_memory);
}

/* Outside of loops a server needs a thread. */
TEST(a_server_without_a_thread_says_so)
{
    hkt_server *server;
    hkt_address address;
    struct rlimit before, none = { 0, 0 };
    CHECK_EQ(getrlimit(RLIMIT_AS, &before), 0);
    if (SANITIZED)
        TEST_SKIP("sanitizers need all the address space");
    hkt_listener *listener = must_listen(&address);
    none = before;
    none.rlim_cur = 1 << 20; /* no stack for a thread */
    CHECK_EQ(setrlimit(RLIMIT_AS, &none), 0);
    int err = hkt_server_start_on(&server, listener, echo, NULL, NULL);
    CHECK_EQ(setrlimit(RLIMIT_AS, &before), 0);
    CHECK(err == -EAGAIN || err == -ENOMEM);
    check_finalized();
}
