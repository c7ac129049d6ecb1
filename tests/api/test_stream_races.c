/* SPDX-License-Identifier: MIT */
/* Races by seed: a call that waits is cancelled, or its stream is closed, in the moment in which
 * what it waits for comes. Whatever comes first, nothing is lost, doubled, or closed twice. */
#include "streams.h"

/* A thread that does something after a random time. */
struct rival {
    void (*act)(void *arg);
    void *arg;
    double delay;
    hkt_thread *thread;
};

static int rival_run(void *arg)
{
    struct rival *rival = arg;
    await_spinning(rival->delay);
    rival->act(rival->arg);
    return 0;
}

static void rival_start(struct rival *rival, struct test_random *random, void (*act)(void *),
                        void *arg)
{
    *rival = (struct rival){ act, arg, random_seconds(random, 0.00015), NULL };
    rival->thread = must_spawn(rival_run, rival, NULL);
}

static void cancel(void *arg)
{
    struct beside *beside = arg;
    AWAIT(atomic_load(&beside->caller.in_scope));
    hkt_scope_cancel(&beside->caller.scope);
}

static void send_eight(void *arg)
{
    struct call *call = arg;
    CHECK_EQ(hkt_stream_write(call->stream, call->data, 8), 0);
}

/* As many as have come, at the most 8. */
static size_t rest_of(hkt_stream *stream, char *data)
{
    size_t total = 0;
    int n;
    while ((n = hkt_stream_read_nowait(stream, data + total, 64)) > 0)
        total += (size_t)n;
    CHECK_EQ(n, -EAGAIN);
    return total;
}

static void race_reader(hkt_stream *s[2], struct test_random *random, int which)
{
    static const char eight[] = "abcde##\n";
    char data[65] = { 0 }, rest[128] = { 0 };
    struct beside reader;
    struct rival canceller, writer;
    struct call reading = { s[0], data, 8 + (which == 2), 0 };
    struct call writing = { s[1], (char *)(uintptr_t)eight, 8, 0 };
    uint64_t before = hkt_stream_taken(s[0]);
    beside_start(&reader, reading_calls[which], &reading);
    if (random_below(random, 2))
        beside_await(&reader, s[0]);
    rival_start(&canceller, random, cancel, &reader);
    rival_start(&writer, random, send_eight, &writing);
    int n = beside_end(&reader);
    must_join(canceller.thread);
    must_join(writer.thread);
    size_t taken = (size_t)(hkt_stream_taken(s[0]) - before);
    if (n < 0) {
        CHECK_EQ(n, -ECANCELED);
        CHECK_EQ(taken, which == 1 ? reading.count : 0);
    } else {
        CHECK_EQ(taken, which == 4 ? 0 : which == 1 ? 8 : n);
    }
    CHECK(memcmp(data, eight, which == 4 && n > 0 ? (size_t)n : taken) == 0);
    CHECK_EQ(rest_of(s[0], rest), 8 - taken);
    CHECK(memcmp(rest, eight + taken, 8 - taken) == 0);
}

TEST_TIMEOUT(a_cancelled_read_has_taken_all_of_it_or_nothing, 60)
{
    struct test_random random = random_of(1);
    for (int transport = 0; transport < TRANSPORTS; transport++) {
        hkt_stream *s[2];
        must_open(transport, s);
        for (long i = 0; i < test_scaled(60 * READING_CALLS); i++)
            race_reader(s, &random, (int)(i % READING_CALLS));
        close_streams(s);
    }
    check_finalized();
}

/* A reader makes room while the writer is cancelled; in the end all has come that was said to be
 * written. */
struct drain {
    hkt_stream *stream;
    unsigned char *data;
    size_t got;
};

static void take_some(void *arg)
{
    struct drain *drain = arg;
    int n = hkt_stream_read_nowait(drain->stream, drain->data + drain->got, 100000);
    CHECK(n > 0);
    drain->got += (size_t)n;
}

#define BIG ((size_t)1 << 20)

TEST_TIMEOUT(a_cancelled_write_knows_what_it_has_sent, 60)
{
    struct test_random random = random_of(2);
    unsigned char *data = malloc(BIG), *back = malloc(2 * BIG);
    number_bytes(data, BIG, 0);
    for (long i = 0; i < test_scaled(150); i++) {
        hkt_stream *s[2];
        struct beside writer;
        struct rival canceller, reader;
        int size = 4096;
        must_open((int)(i % TRANSPORTS), s);
        (void)setsockopt(hkt_stream_fd(s[1]), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        (void)setsockopt(hkt_stream_fd(s[0]), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        bool kept = random_below(&random, 2);
        if (kept)
            CHECK_EQ(hkt_stream_set_write_buffer(s[1], 1000), 0);
        size_t head = kept ? 500 : 0;
        CHECK_EQ(hkt_stream_write(s[1], data, head), 0);
        struct call writing = { s[1], (char *)data + head, BIG - head, 0 };
        struct drain drain = { s[0], back, 0 };
        beside_start_waiting(&writer, call_write, &writing, s[1]);
        rival_start(&canceller, &random, cancel, &writer);
        rival_start(&reader, &random, take_some, &drain);
        CHECK_EQ(beside_end(&writer), -ECANCELED);
        must_join(canceller.thread);
        must_join(reader.thread);
        uint64_t written = hkt_stream_written(s[1]);
        if (random_below(&random, 2))
            hkt_stream_abort(s[0]), drain.got = written;
        else
            hkt_stream_abort(s[1]);
        /* A reset may have thrown away what was on its way, but there is never more than that. */
        int n;
        while (!(n = 0) && drain.got < written &&
               (n = hkt_stream_read(s[0], back + drain.got, BIG)) > 0)
            drain.got += (size_t)n;
        CHECK(n == 0 || n == -ECONNRESET);
        CHECK(i % TRANSPORTS == TCP ? drain.got <= written : drain.got == written);
        close_streams(s);
    }
    free(data);
    free(back);
    check_finalized();
}

static void close_stream(void *arg)
{
    (void)hkt_stream_close(arg);
}

static void abort_stream(void *arg)
{
    hkt_stream_abort(arg);
}

/* The number of the fd is used again as soon as it is free, and what comes there is for nobody of
 * ours. */
static void open_others(int fds[6])
{
    for (int i = 0; i < 6; i += 2) {
        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds + i), 0);
        CHECK_EQ(write(fds[i], "!", 1) + write(fds[i + 1], "!", 1), 2);
    }
}

static void close_others(const int fds[6])
{
    for (int i = 0; i < 6; i++) {
        char byte = 0;
        CHECK_EQ(read(fds[i], &byte, 1), 1);
        CHECK_EQ(byte, '!');
        CHECK_EQ(close(fds[i]), 0);
    }
}

TEST_TIMEOUT(a_number_that_is_used_again_is_not_taken_for_the_stream, 60)
{
    struct test_random random = random_of(3);
    for (long i = 0; i < test_scaled(300); i++) {
        hkt_stream *s[2];
        struct beside reader;
        struct caller second;
        struct rival closers[2], writer;
        char data[8], other[8];
        int fds[6];
        must_open((int)(i % TRANSPORTS), s);
        struct call reading = { s[0], data, 8, 0 }, writing = { s[1], "12345678", 8, 0 };
        struct call again = { s[0], other, 8, 0 };
        beside_start(&reader, call_read, &reading);
        rival_start(&closers[0], &random, i % 2 ? close_stream : abort_stream, s[0]);
        rival_start(&closers[1], &random, abort_stream, s[0]);
        bool writes = i % TRANSPORTS == PAIR && random_below(&random, 2);
        caller_start(&second, call_read, &again);
        if (writes)
            rival_start(&writer, &random, cancel, &reader);
        open_others(fds);
        int n = beside_end(&reader), m = caller_end(&second);
        CHECK(n == -ESHUTDOWN || n == -EBUSY || n == -ECANCELED);
        CHECK(m == -ESHUTDOWN || m == -EBUSY);
        must_join(closers[0].thread);
        must_join(closers[1].thread);
        if (writes)
            must_join(writer.thread);
        int more[6];
        open_others(more); /* here for certain the number is one of these */
        CHECK_EQ(call_read(&reading), -ESHUTDOWN);
        CHECK_EQ(call_write(&(struct call){ s[0], data, 1, 0 }), -ESHUTDOWN);
        (void)writing;
        close_streams(s);
        close_others(more);
        close_others(fds);
    }
    check_finalized();
}

static int call_accept(void *arg)
{
    hkt_stream *stream;
    int err = hkt_listener_accept(arg, &stream);
    if (err == 0)
        hkt_stream_destroy(stream);
    return err;
}

struct visit {
    hkt_address address;
    int fd;
};

static void visit(void *arg)
{
    struct visit *to = arg;
    to->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(connect(to->fd, hkt_address_sockaddr(&to->address), to->address.length), 0);
}

TEST_TIMEOUT(a_client_is_accepted_or_waits_on_when_the_accept_is_cancelled, 60)
{
    struct test_random random = random_of(4);
    struct visit to;
    hkt_listener *listener = must_listen(&to.address);
    for (long i = 0; i < test_scaled(300); i++) {
        struct beside host;
        struct rival canceller, visitor;
        beside_start(&host, call_accept, listener);
        rival_start(&canceller, &random, cancel, &host);
        rival_start(&visitor, &random, visit, &to);
        int err = beside_end(&host);
        must_join(canceller.thread);
        must_join(visitor.thread);
        CHECK(err == 0 || err == -ECANCELED);
        if (err < 0)
            CHECK_EQ(call_accept(listener), 0);
        CHECK_EQ(close(to.fd), 0);
    }
    hkt_listener_destroy(listener);
    check_finalized();
}

static int call_connect(void *arg)
{
    hkt_stream *stream;
    struct visit *to = arg;
    int err = hkt_stream_connect_address(&stream, &to->address, NULL);
    if (err == 0)
        hkt_stream_destroy(stream);
    return err;
}

TEST_TIMEOUT(a_cancelled_connection_leaves_nothing, 60)
{
    struct test_random random = random_of(5);
    struct visit to;
    hkt_listener *listener = must_listen(&to.address);
    for (long i = 0; i < test_scaled(400); i++) {
        struct beside guest;
        struct rival canceller;
        beside_start(&guest, call_connect, &to);
        rival_start(&canceller, &random, cancel, &guest);
        int err = beside_end(&guest);
        must_join(canceller.thread);
        CHECK(err == 0 || err == -ECANCELED);
        if (err == 0)
            CHECK_EQ(call_accept(listener), 0);
    }
    hkt_listener_destroy(listener);
    check_finalized();
}

/* Closing against the last of what is read, and against the other side's end. */
TEST_TIMEOUT(news_and_a_close_come_at_once, 60)
{
    struct test_random random = random_of(6);
    for (long i = 0; i < test_scaled(300); i++) {
        hkt_stream *s[2];
        struct beside reader;
        struct rival closer, ender;
        char data[16];
        must_open((int)(i % TRANSPORTS), s);
        struct call reading = { s[0], data, 8, 0 };
        put(s[1], "abcd");
        beside_start(&reader, call_read_exactly, &reading);
        rival_start(&closer, &random, close_stream, s[0]);
        rival_start(&ender, &random, close_stream, s[1]);
        int err = beside_end(&reader);
        must_join(closer.thread);
        must_join(ender.thread);
        CHECK(err == -ESHUTDOWN || err == -ENODATA || err == -ECONNRESET);
        CHECK(reading.count == 4 || (reading.count == 0 && err == -ESHUTDOWN));
        CHECK_EQ(hkt_stream_taken(s[0]), reading.count);
        close_streams(s);
    }
    check_finalized();
}

static int echo(hkt_stream *client, void *arg)
{
    char byte;
    (void)arg;
    while (hkt_stream_read(client, &byte, 1) == 1)
        if (hkt_stream_write(client, &byte, 1) < 0)
            break;
    return 0;
}

struct closing {
    hkt_server *server;
    double grace;
};

static int call_server_close(void *arg)
{
    struct closing *closing = arg;
    return hkt_server_close(closing->server, closing->grace);
}

static int call_server_wait(void *arg)
{
    return hkt_server_wait(arg);
}

static void say_something(void *arg)
{
    hkt_stream *stream = arg;
    char byte;
    if (hkt_stream_write(stream, "x", 1) == 0)
        (void)!hkt_stream_read(stream, &byte, 1);
    (void)hkt_stream_close(stream);
}

TEST_TIMEOUT(servers_are_closed_while_clients_come_and_closers_give_up, 60)
{
    struct test_random random = random_of(7);
    for (long i = 0; i < test_scaled(100); i++) {
        struct closing closing = { .grace = random_below(&random, 2) ? 5 : 0 };
        struct beside closers[2], waiter;
        struct rival canceller, talkers[2];
        hkt_stream *clients[2];
        hkt_address address;
        CHECK_EQ(hkt_server_start(&closing.server, "127.0.0.1", 0, echo, NULL, NULL), 0);
        CHECK_EQ(hkt_server_address(closing.server, &address), 0);
        for (int j = 0; j < 2; j++) {
            clients[j] = must_connect(&address);
            rival_start(&talkers[j], &random, say_something, clients[j]);
        }
        beside_start(&waiter, call_server_wait, closing.server);
        for (int j = 0; j < 2; j++)
            beside_start(&closers[j], call_server_close, &closing);
        rival_start(&canceller, &random, cancel, &closers[0]);
        int err = beside_end(&closers[0]);
        CHECK(err == 0 || err == -ECANCELED || err == -ETIMEDOUT);
        err = beside_end(&closers[1]);
        CHECK(err == 0 || err == -ETIMEDOUT);
        CHECK_EQ(beside_end(&waiter), 0);
        CHECK_EQ(hkt_server_clients(closing.server), 0);
        hkt_server_destroy(closing.server);
        must_join(canceller.thread);
        for (int j = 0; j < 2; j++) {
            must_join(talkers[j].thread);
            hkt_stream_destroy(clients[j]);
        }
    }
    check_finalized();
}
