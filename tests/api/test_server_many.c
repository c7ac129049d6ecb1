/* SPDX-License-Identifier: MIT */
/* hocket/server.h with thousands of clients, which are tasks of another loop, or of the server's. */
#include <sys/resource.h>

#include "streams.h"

enum { ROUNDS = 3 };

static atomic_int served, most;
static _Atomic(hkt_server *) the_server;

static int echo(hkt_stream *client, void *arg)
{
    char line[64];
    int n;
    (void)arg;
    while ((n = hkt_stream_read_line(client, line, sizeof line)) > 0)
        if ((n = hkt_stream_write(client, line, (size_t)n)) < 0)
            return n;
    hkt_server *server = atomic_load(&the_server);
    int now = server ? (int)hkt_server_clients(server) : 0;
    if (now > atomic_load(&most))
        atomic_store(&most, now);
    atomic_fetch_add(&served, 1);
    return n;
}

/* The clients: all are connected before the first one says anything, and all stay until all have
 * had their answers. */
struct party {
    hkt_address address;
    int count, connected, answered;
    hkt_event all_connected, all_answered;
};

static int visit(void *arg)
{
    struct party *party = arg;
    hkt_stream *stream;
    char line[64], back[64];
    int err = hkt_stream_connect_address(&stream, &party->address, NULL);
    if (err < 0)
        return err;
    if (++party->connected == party->count)
        hkt_event_set(&party->all_connected);
    CHECK_EQ(hkt_event_wait(&party->all_connected), 0);
    int number = party->connected + hkt_stream_fd(stream);
    for (int i = 0; i < ROUNDS; i++) {
        int length = snprintf(line, sizeof line, "%d says %d\n", number, i);
        CHECK_EQ(hkt_stream_write(stream, line, (size_t)length), 0);
        CHECK_EQ(hkt_stream_read_line(stream, back, sizeof back), length);
        CHECK_STR(back, line);
    }
    if (++party->answered == party->count)
        hkt_event_set(&party->all_answered);
    CHECK_EQ(hkt_event_wait(&party->all_answered), 0);
    err = hkt_stream_write_eof(stream);
    CHECK_EQ(hkt_stream_read(stream, back, 1), 0);
    hkt_stream_destroy(stream);
    return err;
}

static int hold_party(void *arg)
{
    struct party *party = arg;
    hkt_task_group group = { { 0 } };
    hkt_task_group_enter(&group, NULL);
    int err = 0;
    for (int i = 0; i < party->count && err == 0; i++)
        err = hkt_task_group_spawn(&group, NULL, visit, party);
    return hkt_task_group_leave(&group, err);
}

/* So many fds, as far as they are to be had. */
static int room_for(int wanted)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t room = limit.rlim_cur < 8000 ? limit.rlim_cur : 8000; /* the harness counts below 8192 */
    return (rlim_t)wanted + 100 < room ? wanted : (int)room - 100;
}

static void run_party(struct party *party, hkt_server *server)
{
    CHECK_EQ(hkt_server_address(server, &party->address), 0);
    atomic_store(&the_server, server);
    double before = hkt_monotonic();
    CHECK_EQ(hkt_run(hold_party, party), 0);
    CHECK(hkt_monotonic() - before < 40);
    CHECK_EQ(party->answered, party->count);
}

TEST_TIMEOUT(two_thousand_clients_are_served, 60)
{
    hkt_server *server;
    struct party party = { .count = room_for((int)test_scaled(2000) * 2) / 2 };
    if (party.count > 2000)
        party.count = 2000;
    CHECK_EQ(hkt_server_start(&server, "127.0.0.1", 0, echo, NULL, NULL), 0);
    run_party(&party, server);
    CHECK_EQ(hkt_server_close(server, 10), 0);
    CHECK_EQ(atomic_load(&served), party.count);
    CHECK(atomic_load(&most) > 0 && atomic_load(&most) <= party.count);
    hkt_server_destroy(server);
    check_finalized();
}

/* More of them than the queue of the socket has room for, at once. */
TEST_TIMEOUT(a_thousand_clients_come_to_a_unix_socket_at_once, 60)
{
    hkt_server *server;
    hkt_server_options options = { .listen = { .backlog = 16 } };
    struct party party = { .count = room_for((int)test_scaled(1000) * 2) / 2 };
    if (party.count > 1000)
        party.count = 1000;
    char name[64];
    snprintf(name, sizeof name, "@hocket-many-%d", (int)getpid());
    CHECK_EQ(hkt_server_start_unix(&server, name, echo, NULL, &options), 0);
    CHECK_EQ(hkt_server_port(server), -1);
    run_party(&party, server);
    CHECK_EQ(hkt_server_close(server, 10), 0);
    CHECK_EQ(atomic_load(&served), party.count);
    hkt_server_destroy(server);
    check_finalized();
}

static int serve_own_party(void *arg)
{
    struct party *party = arg;
    hkt_server *server;
    CHECK_EQ(hkt_server_start(&server, "127.0.0.1", 0, echo, NULL, NULL), 0);
    CHECK_EQ(hkt_server_address(server, &party->address), 0);
    CHECK_EQ(hold_party(party), 0);
    CHECK_EQ(hkt_server_close(server, 10), 0);
    hkt_server_destroy(server);
    return 0;
}

TEST_TIMEOUT(a_thousand_clients_and_their_server_share_a_loop, 60)
{
    struct party party = { .count = room_for((int)test_scaled(1000) * 2) / 2 };
    if (party.count > 1000)
        party.count = 1000;
    must_run(serve_own_party, &party);
    CHECK_EQ(party.answered, party.count);
}

/* Hundreds come and go, and some are cut off, while the server is closed. */
static int visit_shortly(void *arg)
{
    struct party *party = arg;
    hkt_stream *stream;
    char back[8];
    for (;;) {
        int err = hkt_stream_connect_address(&stream, &party->address, NULL);
        if (err == -ECANCELED)
            return err;
        if (err < 0) {
            CHECK(err == -ECONNREFUSED || err == -ECONNRESET);
            return 0;
        }
        party->connected++;
        err = hkt_stream_write(stream, "hello\n", 6);
        if (err == 0)
            err = hkt_stream_read_line(stream, back, sizeof back);
        hkt_stream_destroy(stream);
        CHECK(err == 6 || err == 0 || err == -ECONNRESET || err == -EPIPE);
    }
}

static int visit_without_end(void *arg)
{
    struct party *party = arg;
    hkt_task_group group = { { 0 } };
    hkt_task_group_enter(&group, NULL);
    int err = 0;
    for (int i = 0; i < 50 && err == 0; i++)
        err = hkt_task_group_spawn(&group, NULL, visit_shortly, party);
    return hkt_task_group_leave(&group, err);
}

static int run_visitors(void *arg)
{
    return hkt_run(visit_without_end, arg);
}

TEST_TIMEOUT(a_server_is_closed_in_the_middle_of_it_all, 60)
{
    for (int round = 0; round < 10; round++) {
        hkt_server *server;
        struct party party = { .count = 0 };
        CHECK_EQ(hkt_server_start(&server, "127.0.0.1", 0, echo, NULL, NULL), 0);
        CHECK_EQ(hkt_server_address(server, &party.address), 0);
        hkt_thread *visitors = must_spawn(run_visitors, &party, NULL);
        while (atomic_load(&served) < 100 * (round + 1))
            await_moment();
        int err = hkt_server_close(server, round % 2 ? 0 : 5);
        CHECK(err == 0 || (err == -ETIMEDOUT && round % 2));
        CHECK_EQ(hkt_server_clients(server), 0);
        must_join(visitors);
        hkt_server_destroy(server);
        atomic_store(&served, 100 * (round + 1));
    }
    check_finalized();
}
