/* SPDX-License-Identifier: MIT */
/* Streams with TLS under load: both directions at once, by tasks and by threads, with reads and
 * writes that are cancelled and go on; and with OpenSSL itself on the other side. */
#include <hocket.h>

#include "test.h"

#ifdef HAVE_OPENSSL
#include <sys/uio.h>

#include "tls_pairs.h"

/* A byte of the stream is known by its place. */
static unsigned char byte_at(uint64_t place)
{
    return (unsigned char)((place * 2654435761U) >> 13 ^ place >> 16);
}

static void fill(char *data, size_t size, uint64_t place)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (char)byte_at(place + i);
}

static void check_bytes(const char *data, size_t size, uint64_t place)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)data[i] != byte_at(place + i))
            test_fail(__FILE__, __LINE__, "byte %llu is wrong", (unsigned long long)(place + i));
}

/* One direction of a transfer. `patience`: each call is in a scope of so many seconds at the
 * most; what was cancelled goes on where it stopped. */
struct transfer {
    hkt_stream *stream;
    uint64_t total;
    size_t most; /* bytes in one call */
    double patience;
    uint64_t seed;
    long cancelled;
};

static uint64_t random_below(struct transfer *transfer, uint64_t limit)
{
    transfer->seed = transfer->seed * 6364136223846793005U + 1442695040888963407U;
    return (transfer->seed >> 33) % limit;
}

static void transfer_enter(struct transfer *transfer, hkt_scope *scope)
{
    double seconds = transfer->patience * (double)random_below(transfer, 1000) / 1000;
    hkt_scope_options options = { .deadline = hkt_after(seconds) };
    hkt_scope_enter(scope, transfer->patience > 0 ? &options : NULL);
}

static void transfer_leave(struct transfer *transfer, hkt_scope *scope, int err)
{
    if (hkt_scope_leave(scope) == 0 && err < 0)
        test_fail(__FILE__, __LINE__, "%s", hkt_sentence(err));
    transfer->cancelled += err == -ECANCELED;
}

static int send_all(void *arg)
{
    struct transfer *transfer = arg;
    char *data = malloc(transfer->most);
    uint64_t sent;
    CHECK(data != NULL);
    while ((sent = hkt_stream_written(transfer->stream)) < transfer->total) {
        size_t size = 1 + random_below(transfer, transfer->most);
        if (size > transfer->total - sent)
            size = (size_t)(transfer->total - sent);
        fill(data, size, sent);
        struct iovec pieces[3] = { { data, size / 3 },
                                   { data + size / 3, size / 2 - size / 3 },
                                   { data + size / 2, size - size / 2 } };
        hkt_scope scope;
        transfer_enter(transfer, &scope);
        int err = hkt_stream_write_many(transfer->stream, pieces, 3);
        transfer_leave(transfer, &scope, err);
        CHECK(err < 0 || hkt_stream_written(transfer->stream) == sent + size);
    }
    free(data);
    return hkt_stream_drain(transfer->stream);
}

static int receive_all(void *arg)
{
    struct transfer *transfer = arg;
    char *data = malloc(transfer->most);
    uint64_t taken;
    CHECK(data != NULL);
    while ((taken = hkt_stream_taken(transfer->stream)) < transfer->total) {
        size_t size = 1 + random_below(transfer, transfer->most), count = 0;
        hkt_scope scope;
        if (size > transfer->total - taken)
            size = (size_t)(transfer->total - taken);
        transfer_enter(transfer, &scope);
        int err = hkt_stream_read_exactly(transfer->stream, data, size, &count);
        transfer_leave(transfer, &scope, err);
        CHECK_EQ(hkt_stream_taken(transfer->stream), taken + count);
        check_bytes(data, count, taken);
    }
    free(data);
    return 0;
}

struct both {
    struct transfer in, out;
};

static void both_prepare(struct both *both, struct side *side)
{
    const struct transfer *pattern = side->arg;
    both->in = both->out = *pattern;
    both->in.stream = both->out.stream = side->stream;
    both->in.seed = test_seed() + (uintptr_t)side;
    both->out.seed = both->in.seed + 1;
}

/* Leave is taken when the other side has all: it takes leave itself then. */
static int both_end(struct side *side)
{
    char byte;
    CHECK_EQ(hkt_stream_write_eof(side->stream), 0);
    CHECK_EQ(hkt_stream_read(side->stream, &byte, 1), 0);
    return 0;
}

static int two_tasks(struct side *side)
{
    struct both both;
    int err = shake_hands(side);
    if (err < 0)
        return err;
    both_prepare(&both, side);
    hkt_task *sender = must_start(send_all, &both.out);
    CHECK_EQ(receive_all(&both.in), 0);
    CHECK_EQ(hkt_future_finish(sender), 0);
    return both_end(side);
}

static int two_threads(struct side *side)
{
    struct both both;
    int err = shake_hands(side);
    if (err < 0)
        return err;
    both_prepare(&both, side);
    hkt_thread *sender = must_spawn(send_all, &both.out, NULL);
    CHECK_EQ(receive_all(&both.in), 0);
    must_join(sender);
    return both_end(side);
}

static void transfer_both_ways(bool tasks, struct transfer pattern)
{
    struct world world;
    world_open(&world);
    struct side a = { .body = tasks ? two_tasks : two_threads, .name = "example.org" };
    struct side b = { .body = tasks ? two_tasks : two_threads };
    a.arg = b.arg = &pattern;
    a.tls = world_client(&world);
    b.tls = world_server(&world);
    (tasks ? run_in_tasks : run_in_threads)(&a, &b);
    if (a.result < 0 || b.result < 0)
        test_fail(__FILE__, __LINE__, "%s; %s", a.sentence, b.sentence);
    hkt_tls_destroy(a.tls);
    hkt_tls_destroy(b.tls);
    world_close(&world);
}

static uint64_t megabytes(double count)
{
    return (uint64_t)test_scaled((long)(count * 1e6));
}

TEST_TIMEOUT(tasks_transfer_ten_megabytes_both_ways, 60)
{
    transfer_both_ways(true, (struct transfer){ .total = megabytes(10), .most = 200000 });
}

TEST_TIMEOUT(threads_transfer_ten_megabytes_both_ways, 60)
{
    transfer_both_ways(false, (struct transfer){ .total = megabytes(10), .most = 200000 });
}

TEST_TIMEOUT(many_small_pieces_come_through, 60)
{
    transfer_both_ways(true, (struct transfer){ .total = megabytes(1), .most = 100 });
}

TEST_TIMEOUT(tasks_that_are_cancelled_go_on_where_they_stopped, 60)
{
    transfer_both_ways(
        true, (struct transfer){ .total = megabytes(5), .most = 300000, .patience = 0.002 });
}

TEST_TIMEOUT(threads_that_are_cancelled_go_on_where_they_stopped, 60)
{
    transfer_both_ways(
        false, (struct transfer){ .total = megabytes(5), .most = 300000, .patience = 0.002 });
}

/* The reader waits until a write has been cancelled, with as much in it as the system takes. */
struct stuck {
    hkt_event cancelled;
    uint64_t written;
};

static int write_until_stuck(struct side *side)
{
    struct stuck *stuck = side->arg;
    enum { SIZE = 8 << 20 };
    char *data = malloc(SIZE);
    CHECK_EQ(shake_hands(side), 0);
    fill(data, SIZE, 0);
    hkt_scope scope;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.05) });
    CHECK_EQ(hkt_stream_write(side->stream, data, SIZE), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    uint64_t written = hkt_stream_written(side->stream);
    CHECK(written > 0 && written < SIZE);
    free(data);
    stuck->written = written;
    hkt_event_set(&stuck->cancelled);
    return 0; /* closing sends what TLS has taken, and takes leave */
}

static int read_what_was_written(struct side *side)
{
    struct stuck *stuck = side->arg;
    char data[5000];
    uint64_t place = 0;
    int n;
    CHECK_EQ(shake_hands(side), 0);
    CHECK_EQ(hkt_event_wait(&stuck->cancelled), 0);
    while ((n = hkt_stream_read(side->stream, data, sizeof data)) > 0) {
        check_bytes(data, (size_t)n, place);
        place += (uint64_t)n;
    }
    CHECK_EQ(n, 0);
    CHECK_EQ(place, stuck->written);
    return 0;
}

TEST(what_a_cancelled_write_has_written_arrives)
{
    struct world world;
    world_open(&world);
    hkt_tls *client = world_client(&world), *server = world_server(&world);
    for (int way = 0; way < 2; way++) {
        struct stuck stuck = { .written = 0 };
        struct side a = { .body = write_until_stuck, .tls = client, .name = "example.org" };
        struct side b = { .body = read_what_was_written, .tls = server };
        a.arg = b.arg = &stuck;
        (way ? run_in_tasks : run_in_threads)(&a, &b);
        CHECK_EQ(a.result, 0);
        CHECK_EQ(b.result, 0);
    }
    hkt_tls_destroy(client);
    hkt_tls_destroy(server);
    world_close(&world);
}

/* OpenSSL itself echoes, and renews its keys again and again. */
static void echo_with_new_keys(struct raw *raw, SSL *ssl)
{
    char data[3000];
    int n;
    (void)raw;
    for (int i = 0; (n = SSL_read(ssl, data, sizeof data)) > 0; i++) {
        if (i % 10 == 0)
            CHECK_EQ(SSL_key_update(ssl, i % 20 ? SSL_KEY_UPDATE_REQUESTED
                                                : SSL_KEY_UPDATE_NOT_REQUESTED),
                     1);
        CHECK_EQ(SSL_write(ssl, data, n), n);
    }
    CHECK_EQ(SSL_get_error(ssl, n), SSL_ERROR_ZERO_RETURN);
    CHECK_EQ(SSL_shutdown(ssl), 1);
}

static int talk_to_echo(void *arg)
{
    struct raw *raw = arg;
    struct both both = { .in = { .stream = raw->stream, .total = megabytes(2), .most = 20000 } };
    char byte;
    both.in.seed = test_seed();
    both.out = both.in;
    both.out.seed++;
    CHECK_EQ(hkt_stream_start_tls(raw->stream, raw->arg, "example.org"), 0);
    hkt_task *sender = must_start(send_all, &both.out);
    CHECK_EQ(receive_all(&both.in), 0);
    CHECK_EQ(hkt_future_finish(sender), 0);
    CHECK_EQ(hkt_stream_write_eof(raw->stream), 0);
    CHECK_EQ(hkt_stream_write(raw->stream, "x", 1), -EPIPE);
    CHECK_EQ(hkt_stream_read(raw->stream, &byte, 1), 0);
    return 0;
}

static void talk_to_raw(int version)
{
    struct world world;
    world_open(&world);
    struct raw raw = { .body = echo_with_new_keys, .identity = &world.server, .version = version };
    raw.arg = world_client(&world);
    raw_start(&raw);
    CHECK_EQ(hkt_run(talk_to_echo, &raw), 0);
    raw_end(&raw);
    hkt_tls_destroy(raw.arg);
    world_close(&world);
}

TEST_TIMEOUT(new_keys_are_taken_in_the_middle_of_transfers, 60)
{
    talk_to_raw(0);
}

static void echo_only(struct raw *raw, SSL *ssl)
{
    char data[3000];
    int n;
    (void)raw;
    while ((n = SSL_read(ssl, data, sizeof data)) > 0)
        CHECK_EQ(SSL_write(ssl, data, n), n);
    CHECK_EQ(SSL_get_error(ssl, n), SSL_ERROR_ZERO_RETURN);
    SSL_shutdown(ssl);
}

TEST_TIMEOUT(the_version_before_is_spoken_too, 60)
{
    struct world world;
    hkt_tls_info info;
    char word[6] = "", byte;
    world_open(&world);
    hkt_tls *client = world_client(&world);
    for (int i = 0; i < 2; i++) {
        struct raw raw = { .body = echo_only, .identity = &world.server };
        raw.version = TLS1_2_VERSION;
        raw_start(&raw);
        CHECK_EQ(hkt_stream_start_tls(raw.stream, client, "example.org"), 0);
        CHECK_EQ(hkt_stream_tls_info(raw.stream, &info), 0);
        CHECK_STR(info.version, "TLSv1.2");
        CHECK_EQ(hkt_stream_write(raw.stream, "hello", 5), 0);
        CHECK_EQ(hkt_stream_read_exactly(raw.stream, word, 5, NULL), 0);
        CHECK_STR(word, "hello");
        CHECK_EQ(hkt_stream_write_eof(raw.stream), 0);
        CHECK_EQ(hkt_stream_read(raw.stream, &byte, 1), 0);
        raw_end(&raw);
    }
    hkt_tls_destroy(client);
    world_close(&world);
}

/* A record is what one SSL_read returns. */
static void count_records(struct raw *raw, SSL *ssl)
{
    static char data[20000];
    CHECK_EQ(SSL_read(ssl, data, sizeof data), 7 + 300);
    CHECK_EQ(SSL_read(ssl, data, sizeof data), 16384);
    CHECK_EQ(SSL_read(ssl, data, sizeof data), 20000 + 5 - 16384);
    (void)raw;
    SSL_shutdown(ssl);
}

TEST(small_pieces_go_out_in_one_record)
{
    struct world world;
    static char many[20000], byte;
    world_open(&world);
    struct raw raw = { .body = count_records, .identity = &world.server };
    hkt_tls *client = world_client(&world);
    struct iovec small[3] = { { many, 7 }, { many, 0 }, { many, 300 } };
    struct iovec large[2] = { { many, 5 }, { many, 20000 } };
    raw_start(&raw);
    CHECK_EQ(hkt_stream_start_tls(raw.stream, client, "example.org"), 0);
    CHECK_EQ(hkt_stream_write_many(raw.stream, small, 3), 0);
    CHECK_EQ(hkt_stream_write_many(raw.stream, large, 2), 0);
    CHECK_EQ(hkt_stream_read(raw.stream, &byte, 1), 0);
    raw_end(&raw);
    hkt_tls_destroy(client);
    world_close(&world);
}

/* Reads and writes that do not wait, and a file. */
static int write_nowait(struct side *side)
{
    FILE *file = tmpfile();
    uint64_t sent;
    char data[100];
    CHECK(file != NULL);
    fill(data, sizeof data, 0);
    CHECK_EQ(fwrite(data, 1, 100, file), 100);
    CHECK_EQ(fflush(file), 0);
    CHECK_EQ(shake_hands(side), 0);
    CHECK_EQ(hkt_stream_write_nowait(side->stream, data, 10), 10);
    CHECK_EQ(hkt_stream_send_file(side->stream, fileno(file), 10, 90, &sent), 0);
    CHECK_EQ(sent, 90);
    CHECK_EQ(hkt_stream_written(side->stream), 100);
    fclose(file);
    return hkt_stream_read(side->stream, data, 1);
}

static int read_nowait(struct side *side)
{
    char data[200];
    size_t got = 0;
    CHECK_EQ(shake_hands(side), 0);
    while (got < 100) {
        int n = hkt_stream_read_nowait(side->stream, data + got, sizeof data - got);
        CHECK(n > 0 || n == -EAGAIN);
        if (n > 0)
            got += (size_t)n;
        else
            CHECK_EQ(hkt_sleep(0.0001), 0);
    }
    check_bytes(data, got, 0);
    CHECK_EQ(hkt_stream_read_nowait(side->stream, data, 1), -EAGAIN);
    return 0;
}

TEST(calls_that_do_not_wait_and_files)
{
    struct world world;
    world_open(&world);
    hkt_tls *client = world_client(&world), *server = world_server(&world);
    for (int way = 0; way < 2; way++) {
        struct side a = { .body = write_nowait, .tls = client, .name = "example.org" };
        struct side b = { .body = read_nowait, .tls = server };
        (way ? run_in_tasks : run_in_threads)(&a, &b);
        CHECK_EQ(a.result, 0);
        CHECK_EQ(b.result, 0);
    }
    hkt_tls_destroy(client);
    hkt_tls_destroy(server);
    world_close(&world);
}
#else
TEST(a_build_without_openssl_has_no_streams_with_tls)
{
    CHECK(!hkt_tls_available());
}
#endif
