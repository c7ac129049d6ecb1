/* SPDX-License-Identifier: MIT */
/* hocket/stream.h: streams that are closed, aborted, and reset by the other side, while tasks and
 * threads wait in them. */
#include "streams.h"

static bool fd_is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void reset(int fd)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    CHECK_EQ(close(fd), 0);
}

/* A TCP stream, and the fd at its other side. */
static hkt_stream *open_with_fd(int *fd)
{
    hkt_address address;
    hkt_stream *stream;
    hkt_listener *listener = must_listen(&address);
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(*fd >= 0);
    CHECK_EQ(connect(*fd, hkt_address_sockaddr(&address), address.length), 0);
    CHECK_EQ(hkt_listener_accept(listener, &stream), 0);
    hkt_listener_destroy(listener);
    return stream;
}

static void close_it(hkt_stream *stream)
{
    CHECK_EQ(hkt_stream_close(stream), 0);
}

static void (*const closings[])(hkt_stream *stream) = { close_it, hkt_stream_abort };

TEST(who_waits_in_a_stream_is_told_that_it_was_closed)
{
    for (int round = 0; round < TRANSPORTS * 2 * READING_CALLS; round++) {
        hkt_stream *s[2];
        struct beside reader;
        char data[8];
        must_open(round % TRANSPORTS, s);
        int fd = hkt_stream_fd(s[0]);
        struct call call = { s[0], data, sizeof data, 0 };
        int (*read_it)(void *) = reading_calls[round / 2 / TRANSPORTS];
        beside_start_waiting(&reader, read_it, &call, s[0]);
        closings[round / TRANSPORTS % 2](s[0]);
        CHECK_EQ(beside_end(&reader), -ESHUTDOWN);
        CHECK(!fd_is_open(fd));
        CHECK_EQ(read_it(&call), -ESHUTDOWN);
        close_streams(s);
    }
    check_finalized();
}

/* Some are tasks and some threads. One waits in the system, the others for him. */
TEST(all_who_write_are_told_that_it_was_closed)
{
    static char data[1 << 20];
    for (int round = 0; round < 2 * TRANSPORTS; round++) {
        hkt_stream *s[2];
        struct beside writers[3], reader;
        struct caller threads[3];
        must_open(round % TRANSPORTS, s);
        (void)stuff(s[1]);
        struct call call = { s[1], data, sizeof data, 0 };
        caller_start_waiting(&threads[0], call_write, &call, s[1]);
        for (int i = 1; i < 3; i++)
            caller_start(&threads[i], call_write, &call);
        for (int i = 0; i < 3; i++)
            beside_start(&writers[i], call_write, &call);
        bool reads = round % TRANSPORTS != PIPE;
        struct call reading = { s[1], (char[8]){ 0 }, 8, 0 };
        if (reads)
            beside_start_waiting(&reader, call_read, &reading, s[1]);
        AWAIT(hkt_thread_get_state(threads[2].thread) == HKT_THREAD_BLOCKED);
        closings[round / TRANSPORTS](s[1]);
        for (int i = 0; i < 3; i++) {
            CHECK_EQ(caller_end(&threads[i]), -ESHUTDOWN);
            CHECK_EQ(beside_end(&writers[i]), -ESHUTDOWN);
        }
        if (reads)
            CHECK_EQ(beside_end(&reader), -ESHUTDOWN);
        close_streams(s);
    }
    check_finalized();
}

TEST(a_closed_stream_says_so_to_every_call)
{
    for (int round = 0; round < 2 * TRANSPORTS; round++) {
        hkt_stream *s[2];
        char data[8] = "x";
        hkt_address address;
        must_open(round % TRANSPORTS, s);
        int fd = hkt_stream_fd(s[1]);
        closings[round / TRANSPORTS](s[1]);
        CHECK(!fd_is_open(fd));
        struct call call = { s[1], data, 4, 0 };
        for (int i = 0; i < READING_CALLS; i++)
            CHECK_EQ(reading_calls[i](&call), -ESHUTDOWN);
        CHECK_EQ(hkt_stream_read_nowait(s[1], data, 4), -ESHUTDOWN);
        CHECK_EQ(hkt_stream_write(s[1], data, 4), -ESHUTDOWN);
        CHECK_EQ(hkt_stream_write_nowait(s[1], data, 4), -ESHUTDOWN);
        CHECK_EQ(hkt_stream_write_many(s[1], NULL, 0), -ESHUTDOWN);
        CHECK_EQ(hkt_stream_printf(s[1], "x"), -ESHUTDOWN);
        CHECK_EQ(hkt_stream_set_write_buffer(s[1], 10), -ESHUTDOWN);
        CHECK_EQ(hkt_stream_drain(s[1]), -ESHUTDOWN);
        CHECK_EQ(hkt_stream_write_eof(s[1]), -ESHUTDOWN);
        CHECK_EQ(hkt_stream_fd(s[1]), -ESHUTDOWN);
        CHECK_EQ(hkt_stream_local(s[1], &address), -ESHUTDOWN);
        CHECK_EQ(hkt_stream_peer(s[1], &address), -ESHUTDOWN);
        CHECK_EQ(hkt_stream_set_nodelay(s[1], true), -ESHUTDOWN);
        CHECK_EQ(hkt_stream_set_keepalive(s[1], 1), -ESHUTDOWN);
        for (int i = 0; i < 2; i++)
            CHECK_EQ(hkt_stream_close(s[1]), 0);
        hkt_stream_abort(s[1]);
        close_streams(s);
    }
    hkt_stream_destroy(NULL);
    check_finalized();
}

TEST(a_close_sends_what_is_kept_and_an_abort_drops_it)
{
    char data[8];
    for (int transport = 0; transport < TRANSPORTS; transport++) {
        hkt_stream *s[2];
        must_open(transport, s);
        CHECK_EQ(hkt_stream_set_write_buffer(s[1], 100), 0);
        put(s[1], "kept");
        hkt_stream_destroy(s[1]);
        get(s[0], "kept");
        CHECK_EQ(hkt_stream_read(s[0], data, sizeof data), 0);
        hkt_stream_destroy(s[0]);
        must_open(transport, s);
        CHECK_EQ(hkt_stream_set_write_buffer(s[1], 100), 0);
        put(s[1], "kept");
        hkt_stream_abort(s[1]);
        int n = hkt_stream_read(s[0], data, sizeof data);
        CHECK_EQ(n, transport == TCP ? -ECONNRESET : 0);
        close_streams(s);
    }
    check_finalized();
}

/* What is kept cannot be sent: the caller is told, and it is closed all the same. */
TEST(a_close_that_fails_closes)
{
    for (int transport = 0; transport < TRANSPORTS; transport++) {
        hkt_stream *s[2];
        must_open(transport, s);
        CHECK_EQ(hkt_stream_set_write_buffer(s[1], 100), 0);
        (void)stuff(s[1]);
        put(s[1], "kept");
        int fd = hkt_stream_fd(s[1]);
        hkt_scope scope;
        double before = hkt_monotonic();
        hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.01) });
        CHECK_EQ(hkt_stream_close(s[1]), -ECANCELED);
        CHECK(hkt_monotonic() - before >= 0.01);
        CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
        CHECK(!fd_is_open(fd));
        CHECK_EQ(hkt_stream_close(s[1]), 0);
        close_streams(s);
        must_open(transport, s);
        CHECK_EQ(hkt_stream_set_write_buffer(s[1], 100), 0);
        put(s[1], "kept");
        hkt_stream_abort(s[0]);
        hkt_stream_destroy(s[0]);
        int err = hkt_stream_close(s[1]);
        CHECK(err == -EPIPE || err == -ECONNRESET || (transport == TCP && err == 0));
        hkt_stream_destroy(s[1]);
    }
    check_finalized();
}

static int close_in_call(void *arg)
{
    return hkt_stream_close(arg);
}

TEST(many_close_one_stream_and_its_fd_is_closed_once)
{
    for (long round = 0; round < test_scaled(200); round++) {
        hkt_stream *s[2];
        struct beside closers[2];
        struct caller thread, reader;
        char data[8];
        must_open((int)(round % TRANSPORTS), s);
        struct call call = { s[0], data, sizeof data, 0 };
        caller_start(&reader, call_read, &call);
        caller_start(&thread, close_in_call, s[0]);
        for (int i = 0; i < 2; i++)
            beside_start(&closers[i], close_in_call, s[0]);
        hkt_stream_abort(s[0]);
        /* The number may be given to others from now on, and must stay theirs. */
        CHECK_EQ(caller_end(&reader), -ESHUTDOWN);
        int fds[4];
        for (int i = 0; i < 4; i++)
            CHECK((fds[i] = dup(1)) >= 0);
        CHECK_EQ(caller_end(&thread), 0);
        for (int i = 0; i < 2; i++)
            CHECK_EQ(beside_end(&closers[i]), 0);
        for (int i = 0; i < 4; i++)
            CHECK_EQ(close(fds[i]), 0);
        close_streams(s);
    }
    check_finalized();
}

/* While one reads and another writes. */
static void reset_both(hkt_stream *stream, int fd, struct call *writing)
{
    struct beside reader, writer;
    struct call reading = { stream, (char[8]){ 0 }, 8, 0 };
    (void)stuff(stream);
    beside_start_waiting(&writer, call_write, writing, stream);
    beside_start_waiting(&reader, call_read, &reading, stream);
    reset(fd);
    int err = beside_end(&writer);
    CHECK(err == -ECONNRESET || err == -EPIPE);
    err = beside_end(&reader);
    CHECK(err == -ECONNRESET || err == 0);
}

/* The other side resets the connection: at each step the caller is told, once for all. */
TEST(a_reset_is_told_at_each_step)
{
    static char data[1 << 22];
    for (int step = 0; step < 6; step++) {
        int fd, err;
        struct beside beside;
        hkt_stream *stream = open_with_fd(&fd);
        struct call call = { stream, data, sizeof data, 0 };
        switch (step) {
        case 0: /* before anything */
            reset(fd);
            CHECK_EQ(hkt_stream_read(stream, data, 8), -ECONNRESET);
            CHECK_EQ(hkt_stream_read(stream, data, 8), 0);
            break;
        case 1: /* while he reads */
            beside_start_waiting(&beside, call_read, &call, stream);
            reset(fd);
            CHECK_EQ(beside_end(&beside), -ECONNRESET);
            break;
        case 2: /* while he writes */
            (void)stuff(stream);
            beside_start_waiting(&beside, call_write, &call, stream);
            reset(fd);
            err = beside_end(&beside);
            CHECK(err == -ECONNRESET || err == -EPIPE);
            break;
        case 3: /* in the middle of a line, which is gone: the error counts */
            CHECK_EQ(write(fd, "half a", 6), 6);
            beside_start_waiting(&beside, call_read_line, &call, stream);
            reset(fd);
            CHECK_EQ(beside_end(&beside), -ECONNRESET);
            CHECK_EQ(hkt_stream_read(stream, data, 8), 6); /* it was taken from the system before */
            break;
        case 4: /* in the middle of what is read exactly */
            CHECK_EQ(write(fd, "half", 4), 4);
            beside_start(&beside, call_read_exactly, &call);
            while (hkt_stream_taken(stream) < 4)
                CHECK_EQ(hkt_yield(), 0);
            reset(fd);
            CHECK_EQ(beside_end(&beside), -ECONNRESET);
            CHECK_EQ(call.count, 4);
            break;
        default:
            reset_both(stream, fd, &call);
            break;
        }
        CHECK(hkt_stream_write(stream, "x", 1) < 0);
        CHECK_EQ(hkt_stream_close(stream), 0);
        hkt_stream_destroy(stream);
    }
    check_finalized();
}

TEST(an_abort_resets_a_connection_and_a_close_ends_it)
{
    char byte;
    int fd;
    hkt_stream *stream = open_with_fd(&fd);
    hkt_stream_abort(stream);
    CHECK_EQ(read(fd, &byte, 1), -1);
    CHECK_EQ(errno, ECONNRESET);
    CHECK_EQ(close(fd), 0);
    hkt_stream_destroy(stream);
    stream = open_with_fd(&fd);
    put(stream, "x");
    CHECK_EQ(hkt_stream_close(stream), 0);
    CHECK_EQ(read(fd, &byte, 1), 1);
    CHECK_EQ(read(fd, &byte, 1), 0);
    CHECK_EQ(close(fd), 0);
    hkt_stream_destroy(stream);
    check_finalized();
}

/* Both in one thread's loop: he who reads has been chosen, and the fd has news, when it is closed.
 * */
TEST(a_close_and_news_at_once_end_the_wait_once)
{
    for (long i = 0; i < test_scaled(300); i++) {
        hkt_stream *s[2];
        char data[8];
        struct beside reader;
        must_open((int)(i % TRANSPORTS), s);
        struct call call = { s[0], data, sizeof data, 0 };
        beside_start_waiting(&reader, call_read, &call, s[0]);
        put(s[1], "x");
        if (i % 2)
            hkt_stream_abort(s[0]);
        else
            close_it(s[0]);
        int n = beside_end(&reader);
        CHECK(n == 1 || n == -ESHUTDOWN);
        CHECK_EQ(hkt_stream_taken(s[0]), n == 1 ? 1 : 0);
        close_streams(s);
    }
    check_finalized();
}

static hkt_stream *abused;

static int read_abused(void *arg)
{
    char data[8];
    (void)arg;
    return hkt_stream_read(abused, data, sizeof data) == -ESHUTDOWN && hkt_sleep(1) == 0;
}

/* It would be given back under him: that is misuse, and said so. */
static int read_and_destroy(void *arg)
{
    (void)arg;
    hkt_stream *s[2];
    must_open(PAIR, s);
    abused = s[0];
    (void)must_start(read_abused, NULL);
    CHECK_EQ(hkt_yield(), 0);
    hkt_stream_destroy(abused);
    return 0;
}

TEST_ABORTS(to_destroy_a_stream_that_is_read_is_misuse, "somebody still reads or writes stream")
{
    if (hkt_loop_running())
        read_and_destroy(NULL);
    else
        (void)!hkt_run(read_and_destroy, NULL);
}

static int accept_from(void *arg)
{
    hkt_stream *stream;
    return hkt_listener_accept(arg, &stream);
}

static int accept_and_destroy(void *arg)
{
    hkt_address address;
    (void)arg;
    hkt_listener *listener = must_listen(&address);
    (void)must_start(accept_from, listener);
    CHECK_EQ(hkt_yield(), 0);
    hkt_listener_destroy(listener);
    return 0;
}

TEST_ABORTS(to_destroy_a_listener_that_accepts_is_misuse, "somebody still accepts from listener")
{
    if (hkt_loop_running())
        accept_and_destroy(NULL);
    else
        (void)!hkt_run(accept_and_destroy, NULL);
}

TEST(who_accepts_is_told_that_the_listener_was_closed)
{
    for (int i = 0; i < 20; i++) {
        hkt_address address;
        hkt_stream *stream;
        hkt_listener *listener = must_listen(&address);
        struct beside others[2];
        struct caller thread;
        for (int j = 0; j < 2; j++)
            beside_start_waiting(&others[j], accept_from, listener, listener);
        caller_start_waiting(&thread, accept_from, listener, listener);
        if (i % 2)
            hkt_listener_close(listener);
        else
            CHECK_EQ(call_cancelled(accept_from, listener), -ECANCELED),
                hkt_listener_close(listener);
        for (int j = 0; j < 2; j++)
            CHECK_EQ(beside_end(&others[j]), -ESHUTDOWN);
        CHECK_EQ(caller_end(&thread), -ESHUTDOWN);
        CHECK_EQ(hkt_listener_accept(listener, &stream), -ESHUTDOWN);
        CHECK_EQ(hkt_listener_address(listener, &address), -ESHUTDOWN);
        hkt_listener_close(listener);
        hkt_listener_destroy(listener);
    }
    hkt_listener_destroy(NULL);
    check_finalized();
}
