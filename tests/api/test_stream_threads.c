/* SPDX-License-Identifier: MIT */
/* Streams between plain threads, tasks and several loops: who is at which end of them makes no
 * difference. */
#include "streams.h"

/* Sends numbered bytes in random pieces; the other side reads them in random pieces. */
struct way {
    hkt_stream *from, *to;
    size_t size;
    uint64_t seed;
};

static int send_numbered(void *arg)
{
    struct way *way = arg;
    struct test_random random = random_of(way->seed);
    static _Thread_local unsigned char data[40000];
    for (size_t at = 0; at < way->size;) {
        size_t n = 1 + random_below(&random, random_below(&random, 2) ? sizeof data : 50);
        n = n < way->size - at ? n : way->size - at;
        number_bytes(data, n, at); /* nothing waits between here and the write */
        int sent = hkt_stream_write_nowait(way->to, data, n);
        if (sent == -EAGAIN) {
            unsigned char *copy = malloc(n);
            memcpy(copy, data, n);
            CHECK_EQ(hkt_stream_write(way->to, copy, n), 0);
            free(copy);
            sent = (int)n;
        }
        CHECK(sent > 0);
        at += (size_t)sent;
    }
    return 0;
}

static int receive_numbered(void *arg)
{
    struct way *way = arg;
    struct test_random random = random_of(way->seed + 1);
    static _Thread_local unsigned char data[40000];
    for (size_t at = 0; at < way->size;) {
        size_t most = 1 + random_below(&random, random_below(&random, 2) ? sizeof data : 50);
        int n = hkt_stream_read(way->from, data, most);
        CHECK(n > 0 && (size_t)n <= most && (size_t)n <= way->size - at);
        check_bytes(data, (size_t)n, at);
        at += (size_t)n;
    }
    return 0;
}

static int send_in_loop(void *arg)
{
    return hkt_run(send_numbered, arg);
}

static int receive_in_loop(void *arg)
{
    return hkt_run(receive_numbered, arg);
}

/* Both ways at once, four strands at the two ends; each is a thread, or a task of a loop of its
 * own. */
TEST_TIMEOUT(each_end_may_be_a_thread_or_a_task, 60)
{
    for (int kinds = 0; kinds < 16; kinds++) {
        for (int transport = PAIR; transport < TRANSPORTS; transport++) {
            hkt_stream *s[2];
            must_open(transport, s);
            struct way ways[2] = { { s[0], s[1], (size_t)test_scaled(300000), 1 },
                                   { s[1], s[0], (size_t)test_scaled(200000), 2 } };
            hkt_thread *threads[4];
            for (int i = 0; i < 2; i++) {
                threads[2 * i] = must_spawn(kinds & 1 << 2 * i ? send_in_loop : send_numbered,
                                            &ways[i], NULL);
                threads[2 * i + 1] = must_spawn(
                    kinds & 2 << 2 * i ? receive_in_loop : receive_numbered, &ways[i], NULL);
            }
            for (int i = 0; i < 4; i++)
                must_join(threads[i]);
            CHECK_EQ(hkt_stream_written(s[1]), hkt_stream_taken(s[0]));
            close_streams(s);
        }
    }
    check_finalized();
}

/* One task reads and another writes the same stream in one loop, a thread is at its other end. */
static int both_directions(void *arg)
{
    struct way *ways = arg;
    hkt_task *sender = must_start(send_numbered, &ways[0]);
    CHECK_EQ(receive_numbered(&ways[1]), 0);
    return hkt_future_finish(sender);
}

TEST_TIMEOUT(a_stream_is_read_and_written_at_once_in_one_loop, 60)
{
    for (int transport = PAIR; transport < TRANSPORTS; transport++) {
        hkt_stream *s[2];
        must_open(transport, s);
        struct way ways[2] = { { s[0], s[1], (size_t)test_scaled(2000000), 1 },
                               { s[1], s[0], (size_t)test_scaled(2000000), 2 } };
        hkt_thread *sender = must_spawn(send_numbered, &ways[1], NULL);
        hkt_thread *receiver = must_spawn(receive_numbered, &ways[0], NULL);
        CHECK_EQ(hkt_run(both_directions, ways), 0);
        must_join(sender);
        must_join(receiver);
        close_streams(s);
    }
    check_finalized();
}

/* A token goes round in a ring of threads and tasks, each reads from one pipe and writes to the
 * next. */
enum { LINKS = 8 };

struct link {
    hkt_stream *in, *out;
    long rounds;
};

static int pass_on(void *arg)
{
    struct link *link = arg;
    char token;
    for (long i = 0; i < link->rounds; i++) {
        CHECK_EQ(hkt_stream_read(link->in, &token, 1), 1);
        CHECK_EQ(hkt_stream_write(link->out, &token, 1), 0);
    }
    return 0;
}

static int pass_on_in_loop(void *arg)
{
    return hkt_run(pass_on, arg);
}

TEST_TIMEOUT(a_token_goes_round_through_threads_and_loops, 60)
{
    hkt_stream *pipes[LINKS][2];
    struct link links[LINKS];
    hkt_thread *threads[LINKS];
    char token = 't';
    for (int i = 0; i < LINKS; i++)
        must_open(i % 2 ? PAIR : PIPE, pipes[i]);
    for (int i = 0; i < LINKS; i++)
        links[i] = (struct link){ pipes[i][0], pipes[(i + 1) % LINKS][1], test_scaled(2000) };
    for (int i = 0; i < LINKS; i++)
        threads[i] = must_spawn(i % 3 ? pass_on : pass_on_in_loop, &links[i], NULL);
    CHECK_EQ(hkt_stream_write(pipes[0][1], &token, 1), 0);
    for (int i = 0; i < LINKS; i++)
        must_join(threads[i]);
    CHECK_EQ(hkt_stream_read_nowait(pipes[0][0], &token, 1), 1);
    for (int i = 0; i < LINKS; i++)
        close_streams(pipes[i]);
    check_finalized();
}

/* Threads and tasks of several loops accept from one listener: each client goes to one of them,
 * none is left. */
struct hosts {
    hkt_listener *listener;
    atomic_int taken;
};

static int host(void *arg)
{
    struct hosts *hosts = arg;
    hkt_stream *stream;
    int err;
    while ((err = hkt_listener_accept(hosts->listener, &stream)) == 0) {
        char byte;
        err = hkt_stream_read(stream, &byte, 1);
        if (err == 1)
            err = hkt_stream_write(stream, &byte, 1);
        hkt_stream_destroy(stream);
        if (err < 0)
            break;
        atomic_fetch_add(&hosts->taken, 1);
    }
    return err;
}

/* Gives up now and then, so news may have come to one who does not want them any more. */
static int fickle_host(void *arg)
{
    struct test_random random = random_of(9 + hkt_ident());
    int err;
    do
        err = hkt_wait_for(host, arg, random_seconds(&random, 0.0005));
    while (err == -ETIMEDOUT);
    return err;
}

static int three_hosts(void *arg)
{
    hkt_task *tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = must_start(i ? host : fickle_host, arg);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_future_finish(tasks[i]), -ESHUTDOWN);
    return 0;
}

static int three_hosts_in_loop(void *arg)
{
    return hkt_run(three_hosts, arg);
}

TEST_TIMEOUT(many_accept_from_one_listener_and_no_client_is_forgotten, 60)
{
    hkt_address address;
    struct hosts hosts = { .listener = must_listen(&address) };
    hkt_thread *loops[2], *threads[2];
    for (int i = 0; i < 2; i++)
        loops[i] = must_spawn(three_hosts_in_loop, &hosts, NULL);
    for (int i = 0; i < 2; i++)
        threads[i] = must_spawn(i ? host : fickle_host, &hosts, NULL);
    long visits = test_scaled(2000);
    for (long i = 0; i < visits; i++) {
        hkt_stream *stream = must_connect(&address);
        char byte = (char)i;
        CHECK_EQ(hkt_stream_write(stream, &byte, 1), 0);
        int n = hkt_stream_read(stream, &byte, 1);
        CHECK(n == 1 || n == 0 || n == -ECONNRESET); /* a fickle one was in the middle of it */
        hkt_stream_destroy(stream);
    }
    hkt_listener_close(hosts.listener);
    for (int i = 0; i < 2; i++) {
        must_join(loops[i]);
        CHECK_EQ(join_result(threads[i]), -ESHUTDOWN);
    }
    hkt_listener_destroy(hosts.listener);
    check_finalized();
}
