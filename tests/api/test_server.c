/* SPDX-License-Identifier: MIT */
/* hocket/server.h: servers, their clients and their ends. On a thread a server has a loop of its
 * own; in a task it runs in the task's loop. */
#include "streams.h"

static int echo(hkt_stream *client, void *arg)
{
    char data[4096];
    int n;
    (void)arg;
    while ((n = hkt_stream_read(client, data, sizeof data)) > 0)
        if ((n = hkt_stream_write(client, data, (size_t)n)) < 0)
            break;
    return n;
}

static hkt_server *must_serve(hkt_stream_handler *handler, void *arg,
                              const hkt_server_options *options)
{
    hkt_server *server = NULL;
    CHECK_EQ(hkt_server_start(&server, "127.0.0.1", 0, handler, arg, options), 0);
    CHECK(hkt_server_port(server) > 0);
    return server;
}

static hkt_stream *must_visit(const hkt_server *server)
{
    hkt_address address;
    CHECK_EQ(hkt_server_address(server, &address), 0);
    return must_connect(&address);
}

static void await_clients(const hkt_server *server, size_t count)
{
    while (hkt_server_clients(server) != count)
        CHECK_EQ(hkt_sleep(0.0005), 0);
}

static void end_server(hkt_server *server)
{
    hkt_server_destroy(server);
    check_finalized();
}

TEST(clients_are_served_side_by_side)
{
    hkt_stream *clients[20];
    char byte;
    hkt_server *server = must_serve(echo, NULL, NULL);
    for (int i = 0; i < 20; i++)
        put(clients[i] = must_visit(server), "hello");
    for (int i = 19; i >= 0; i--)
        get(clients[i], "hello");
    CHECK_EQ(hkt_server_clients(server), 20);
    for (int i = 0; i < 20; i++) {
        put(clients[i], "again");
        get(clients[i], "again");
        CHECK_EQ(hkt_stream_write_eof(clients[i]), 0);
        CHECK_EQ(hkt_stream_read(clients[i], &byte, 1), 0);
        hkt_stream_destroy(clients[i]);
    }
    await_clients(server, 0);
    CHECK_EQ(hkt_server_close(server, 10), 0);
    CHECK_EQ(hkt_server_wait(server), 0);
    end_server(server);
}

/* Each says when it is there, and stays until it is let go. */
struct guests {
    atomic_int here, most, ended, cancelled;
    hkt_event go;
    bool stubborn; /* ignores that it is cancelled */
    int result;
};

static int stay(hkt_stream *client, void *arg)
{
    struct guests *guests = arg;
    int here = atomic_fetch_add(&guests->here, 1) + 1;
    (void)client;
    if (here > atomic_load(&guests->most))
        atomic_store(&guests->most, here);
    int err = hkt_event_wait(&guests->go);
    atomic_fetch_add(&guests->cancelled, err == -ECANCELED);
    if (guests->stubborn) {
        hkt_scope scope;
        hkt_scope_enter(&scope, &(hkt_scope_options){ .shield = true });
        (void)hkt_event_wait(&guests->go);
        (void)hkt_scope_leave(&scope);
    }
    atomic_fetch_sub(&guests->here, 1);
    atomic_fetch_add(&guests->ended, 1);
    return guests->result;
}

static int come_and_go(hkt_stream *client, void *arg)
{
    struct guests *guests = arg;
    char byte;
    int here = atomic_fetch_add(&guests->here, 1) + 1;
    CHECK(here <= 3);
    if (here > atomic_load(&guests->most))
        atomic_store(&guests->most, here);
    int n = hkt_stream_read(client, &byte, 1);
    atomic_fetch_sub(&guests->here, 1);
    return n < 0 ? n : hkt_stream_write(client, "!", 1);
}

TEST(no_more_clients_are_served_at_a_time_than_the_limit_says)
{
    hkt_stream *clients[12];
    struct guests guests = { .result = 0 };
    hkt_server *server = must_serve(come_and_go, &guests,
                                    &(hkt_server_options){ .max_clients = 3 });
    for (int i = 0; i < 12; i++)
        clients[i] = must_visit(server);
    await_clients(server, 3);
    for (int i = 0; i < 12; i++)
        put(clients[i], "x");
    for (int i = 0; i < 12; i++) {
        get(clients[i], "!");
        hkt_stream_destroy(clients[i]);
    }
    CHECK(atomic_load(&guests.most) <= 3);
    CHECK_EQ(hkt_server_close(server, 10), 0);
    end_server(server);
}

TEST(a_server_at_its_limit_can_be_closed)
{
    hkt_stream *clients[5];
    struct guests guests = { .result = 0 };
    hkt_server *server = must_serve(stay, &guests, &(hkt_server_options){ .max_clients = 2 });
    for (int i = 0; i < 5; i++)
        clients[i] = must_visit(server);
    while (atomic_load(&guests.here) < 2) /* begun: who has not is never served */
        CHECK_EQ(hkt_sleep(0.0005), 0);
    CHECK_EQ(hkt_server_close(server, 0), -ETIMEDOUT);
    for (int i = 0; i < 5; i++) {
        char byte;
        CHECK(hkt_stream_read(clients[i], &byte, 1) <= 0);
        hkt_stream_destroy(clients[i]);
    }
    CHECK_EQ(atomic_load(&guests.ended), 2);
    CHECK_EQ(atomic_load(&guests.cancelled), 2);
    end_server(server);
}

static int close_soon(void *arg)
{
    return hkt_server_close(arg, 10);
}

static int close_at_once(void *arg)
{
    return hkt_server_close(arg, 0);
}

TEST(handlers_have_the_grace_to_end_by_themselves)
{
    struct guests guests = { .result = 0 };
    struct beside closer;
    char byte;
    hkt_server *server = must_serve(stay, &guests, NULL);
    hkt_stream *client = must_visit(server), *late = NULL;
    hkt_address address;
    CHECK_EQ(hkt_server_address(server, &address), 0);
    while (atomic_load(&guests.here) == 0)
        CHECK_EQ(hkt_sleep(0.0005), 0);
    beside_start(&closer, close_soon, server);
    for (int err = 0; err == 0;) { /* until it listens no more */
        err = hkt_stream_connect_address(&late, &address, NULL);
        if (err == 0)
            hkt_stream_destroy(late);
        else
            CHECK(err == -ECONNREFUSED || err == -ECONNRESET);
    }
    hkt_event_set(&guests.go);
    CHECK_EQ(beside_end(&closer), 0);
    CHECK_EQ(atomic_load(&guests.cancelled), 0);
    CHECK_EQ(hkt_stream_read(client, &byte, 1), 0); /* in good order */
    hkt_stream_destroy(client);
    end_server(server);
}

TEST(when_the_grace_is_over_handlers_are_cancelled_and_connections_reset)
{
    struct guests guests = { .result = -ECANCELED };
    struct lines lines;
    char byte;
    lines_open(&lines);
    hkt_server *server = must_serve(stay, &guests, NULL);
    hkt_stream *client = must_visit(server);
    while (atomic_load(&guests.here) == 0)
        CHECK_EQ(hkt_sleep(0.0005), 0);
    double before = hkt_monotonic();
    CHECK_EQ(hkt_server_close(server, 0.05), -ETIMEDOUT);
    CHECK(hkt_monotonic() - before >= 0.05 && hkt_monotonic() - before < SOON);
    CHECK_EQ(atomic_load(&guests.cancelled), 1);
    CHECK_EQ(hkt_server_clients(server), 0);
    CHECK_EQ(hkt_stream_read(client, &byte, 1), -ECONNRESET);
    hkt_stream_destroy(client);
    CHECK_EQ(lines_count(&lines), 0);
    end_server(server);
}

TEST(the_shortest_grace_counts)
{
    for (int i = 0; i < 20; i++) {
        struct guests guests = { .result = 0 };
        struct beside patient;
        hkt_server *server = must_serve(stay, &guests, NULL);
        hkt_stream *client = must_visit(server);
        while (atomic_load(&guests.here) == 0)
            CHECK_EQ(hkt_sleep(0.0005), 0);
        beside_start(&patient, close_soon, server);
        if (i % 2)
            CHECK_EQ(hkt_sleep(0.001), 0);
        double before = hkt_monotonic();
        CHECK_EQ(hkt_server_close(server, 0), -ETIMEDOUT);
        int err = beside_end(&patient);
        CHECK(err == 0 || err == -ETIMEDOUT);
        CHECK(hkt_monotonic() - before < SOON);
        hkt_stream_destroy(client);
        hkt_server_destroy(server);
    }
    check_finalized();
}

TEST(the_end_of_the_closers_scope_ends_the_grace)
{
    struct guests guests = { .result = 0 };
    struct beside closer;
    hkt_server *server = must_serve(stay, &guests, NULL);
    hkt_stream *client = must_visit(server);
    while (atomic_load(&guests.here) == 0)
        CHECK_EQ(hkt_sleep(0.0005), 0);
    beside_start(&closer, close_soon, server);
    CHECK_EQ(hkt_sleep(0.002), 0);
    beside_cancel(&closer);
    CHECK_EQ(beside_end(&closer), -ECANCELED);
    CHECK_EQ(atomic_load(&guests.cancelled), 1);
    CHECK_EQ(hkt_server_close(server, 1), 0);
    hkt_stream_destroy(client);
    end_server(server);
}

TEST_TIMEOUT(a_handler_that_ignores_its_end_is_told_and_awaited, 30)
{
    struct guests guests = { .stubborn = true };
    struct lines lines;
    struct beside closer;
    lines_open(&lines);
    hkt_server *server = must_serve(stay, &guests, &(hkt_server_options){ .name = "slow" });
    hkt_stream *client = must_visit(server);
    while (atomic_load(&guests.here) == 0)
        CHECK_EQ(hkt_sleep(0.0005), 0);
    double before = hkt_monotonic();
    beside_start(&closer, close_at_once, server);
    while (lines_count(&lines) == 0)
        CHECK_EQ(hkt_sleep(0.01), 0);
    CHECK(hkt_monotonic() - before >= 5);
    CHECK_EQ(atomic_load(&guests.ended), 0);
    hkt_event_set(&guests.go);
    CHECK_EQ(beside_end(&closer), -ETIMEDOUT);
    hkt_stream_destroy(client);
    end_server(server);
}

static int fail(hkt_stream *client, void *arg)
{
    int err = atomic_load((atomic_int *)arg);
    char byte;
    (void)!hkt_stream_read(client, &byte, 1);
    return err == -EIO ? hkt_fail(err, "no fish in the sea") : err;
}

TEST(a_failing_handler_is_reported_with_the_clients_address)
{
    static const int quiet[] = { 0, 5, -ECANCELED, -EPIPE, -ECONNRESET };
    struct lines lines;
    char byte, text[HKT_ADDRESS_MAX];
    atomic_int err = -EIO;
    hkt_address address;
    lines_open(&lines);
    hkt_server *server = must_serve(fail, &err, &(hkt_server_options){ .name = "fishy" });
    hkt_stream *client = must_visit(server);
    CHECK_EQ(hkt_stream_local(client, &address), 0);
    put(client, "x");
    CHECK_EQ(hkt_stream_read(client, &byte, 1), 0);
    hkt_stream_destroy(client);
    await_clients(server, 0);
    CHECK_EQ(lines_count(&lines), 1);
    CHECK(lines_have(&lines, hkt_address_format(&address, text)));
    CHECK(lines_have(&lines, "no fish in the sea") && lines_have(&lines, "fishy"));
    for (size_t i = 0; i < sizeof quiet / sizeof *quiet; i++) {
        atomic_store(&err, quiet[i]);
        client = must_visit(server);
        put(client, "x");
        CHECK_EQ(hkt_stream_read(client, &byte, 1), 0);
        hkt_stream_destroy(client);
    }
    await_clients(server, 0);
    CHECK_EQ(lines_count(&lines), 1);
    CHECK_EQ(hkt_server_close(server, 1), 0);
    end_server(server);
}

/* They go before they are accepted, before they are served, while they are. */
TEST(clients_that_vanish_harm_nobody)
{
    struct lines lines;
    struct test_random random = random_of(4);
    hkt_address address;
    lines_open(&lines);
    hkt_server *server = must_serve(echo, NULL, NULL);
    CHECK_EQ(hkt_server_address(server, &address), 0);
    for (long i = 0; i < test_scaled(300); i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct linger now = { .l_onoff = 1, .l_linger = 0 };
        CHECK_EQ(connect(fd, hkt_address_sockaddr(&address), address.length), 0);
        if (random_below(&random, 2))
            CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
        if (random_below(&random, 2))
            CHECK_EQ(write(fd, "hello", 5), 5);
        if (random_below(&random, 2))
            CHECK_EQ(hkt_yield(), 0);
        CHECK_EQ(close(fd), 0);
    }
    hkt_stream *client = must_visit(server);
    put(client, "still there");
    get(client, "still there");
    hkt_stream_destroy(client);
    CHECK_EQ(hkt_server_close(server, 10), 0);
    CHECK_EQ(lines_count(&lines), 0);
    end_server(server);
}

struct own_end {
    hkt_server *server;
    hkt_event known;
    int closed, waited;
};

static int end_myself(hkt_stream *client, void *arg)
{
    struct own_end *own = arg;
    CHECK_EQ(hkt_event_wait(&own->known), 0);
    own->closed = hkt_server_close(own->server, 1);
    own->waited = hkt_server_wait(own->server);
    return hkt_stream_write(client, "!", 1);
}

TEST(a_handler_cannot_close_its_server)
{
    struct own_end own = { .closed = 1 };
    own.server = must_serve(end_myself, &own, NULL);
    hkt_event_set(&own.known);
    for (int i = 0; i < 2; i++) { /* it serves on */
        hkt_stream *client = must_visit(own.server);
        get(client, "!");
        hkt_stream_destroy(client);
    }
    hkt_server *server = own.server;
    CHECK_EQ(hkt_server_close(server, 10), 0);
    end_server(server);
    CHECK_EQ(own.closed, -EDEADLK);
    CHECK_EQ(own.waited, -EDEADLK);
}

static int wait_for_server(void *arg)
{
    return hkt_server_wait(arg);
}

TEST(a_wait_for_a_server_may_be_given_up)
{
    struct beside waiters[2];
    hkt_server *server = must_serve(echo, NULL, NULL);
    for (int i = 0; i < 2; i++)
        beside_start(&waiters[i], wait_for_server, server);
    beside_cancel(&waiters[0]);
    CHECK_EQ(beside_end(&waiters[0]), -ECANCELED);
    hkt_stream *client = must_visit(server);
    put(client, "on");
    get(client, "on");
    hkt_stream_destroy(client);
    CHECK_EQ(hkt_server_close(server, 10), 0);
    CHECK_EQ(beside_end(&waiters[1]), 0);
    end_server(server);
}

/* On an executor with less room than clients: those who have not begun are sent away at the end. */
TEST(handlers_run_where_they_are_told)
{
    for (int kind = 0; kind < 2; kind++) {
        struct guests guests = { .result = 0 };
        hkt_stream *clients[4];
        hkt_executor *pool = NULL;
        char byte;
        if (kind == 0)
            CHECK_EQ(hkt_thread_pool_create(&pool, &(hkt_thread_pool_options){ .max_workers = 1 }),
                     0);
        else
            CHECK_EQ(
                hkt_coroutine_pool_create(&pool, &(hkt_coroutine_pool_options){ .max_tasks = 1 }),
                0);
        hkt_server *server = must_serve(stay, &guests, &(hkt_server_options){ .executor = pool });
        for (int i = 0; i < 4; i++)
            clients[i] = must_visit(server);
        await_clients(server, 4);
        while (atomic_load(&guests.here) == 0)
            CHECK_EQ(hkt_sleep(0.0005), 0);
        CHECK_EQ(hkt_server_close(server, 0.01), -ETIMEDOUT);
        CHECK_EQ(atomic_load(&guests.ended), 1);
        CHECK_EQ(hkt_server_clients(server), 0);
        for (int i = 0; i < 4; i++) {
            CHECK_EQ(hkt_stream_read(clients[i], &byte, 1), -ECONNRESET);
            hkt_stream_destroy(clients[i]);
        }
        hkt_server_destroy(server);
        hkt_executor_destroy(pool);
        check_finalized();
    }
}

TEST(several_sockets_may_share_a_port)
{
    hkt_listener *listener;
    hkt_server_options options = { .listen = { .reuse_port = true } };
    hkt_server *first = must_serve(echo, NULL, &options), *second, *third;
    int port = hkt_server_port(first);
    CHECK_EQ(hkt_server_start(&second, "127.0.0.1", port, echo, NULL, &options), 0);
    CHECK_EQ(hkt_server_start(&third, "127.0.0.1", port, echo, NULL, NULL), -EADDRINUSE);
    char text[32];
    snprintf(text, sizeof text, "port %d", port);
    CHECK(strstr(hkt_sentence(-EADDRINUSE), text) != NULL);
    CHECK_EQ(hkt_listener_create(&listener, "127.0.0.1", 70000, NULL), -EINVAL);
    for (int i = 0; i < 20; i++) {
        hkt_stream *client = must_visit(i % 2 ? first : second);
        put(client, "hello");
        get(client, "hello");
        hkt_stream_destroy(client);
    }
    hkt_server_destroy(first);
    end_server(second);
}

TEST(a_socket_that_is_listened_on_is_adopted)
{
    hkt_listener *listener;
    hkt_server *server;
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&any, sizeof any), 0);
    int other = dup(fd);
    CHECK_EQ(hkt_listener_adopt(&listener, other), -EINVAL); /* not yet */
    CHECK(fcntl(other, F_GETFD) < 0);
    CHECK_EQ(hkt_listener_adopt(&listener, other), -EBADF);
    CHECK_EQ(hkt_listener_adopt(&listener, -1), -EBADF);
    CHECK_EQ(listen(fd, 5), 0);
    CHECK_EQ(hkt_listener_adopt(&listener, fd), 0);
    CHECK_EQ(hkt_server_start_on(&server, listener, echo, NULL, NULL), 0);
    hkt_stream *client = must_visit(server);
    put(client, "hello");
    get(client, "hello");
    hkt_stream_destroy(client);
    end_server(server);
    CHECK(fcntl(fd, F_GETFD) < 0);
}

TEST(a_listener_goes_with_a_server_that_cannot_start)
{
    hkt_address address;
    hkt_server *server;
    CHECK_EQ(hkt_server_start_on(&server, must_listen(&address), NULL, NULL, NULL), -EINVAL);
    hkt_server_destroy(NULL);
    check_finalized();
}

/* The listener's own socket is shut down by somebody: the server says so, and does not spin. */
TEST(a_server_tells_what_made_it_stop_listening)
{
    hkt_listener *listener;
    hkt_server *server;
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), other = dup(fd);
    CHECK_EQ(bind(fd, (struct sockaddr *)&any, sizeof any) + listen(fd, 5), 0);
    CHECK_EQ(hkt_listener_adopt(&listener, fd), 0);
    CHECK_EQ(hkt_server_start_on(&server, listener, echo, NULL, NULL), 0);
    CHECK_EQ(shutdown(other, SHUT_RDWR), 0);
    CHECK_EQ(hkt_server_wait(server), -EINVAL);
    CHECK_EQ(hkt_server_close(server, 1), 0);
    CHECK_EQ(close(other), 0);
    end_server(server);
}
