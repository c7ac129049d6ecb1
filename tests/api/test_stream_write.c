/* SPDX-License-Identifier: MIT */
/* hocket/stream.h: what each call that writes promises; files that are sent; readers that are
 * slow. */
#include "streams.h"

/* Reads all, which must be the numbered bytes; how many. */
struct sink {
    hkt_stream *stream;
    size_t got;
    double pause; /* after each piece */
    bool counts;  /* only */
};

static int swallow(void *arg)
{
    static _Thread_local unsigned char data[30011];
    struct sink *sink = arg;
    int n;
    while ((n = hkt_stream_read(sink->stream, data, sizeof data)) > 0) {
        if (!sink->counts)
            check_bytes(data, (size_t)n, sink->got);
        sink->got += (size_t)n;
        if (sink->pause > 0)
            CHECK_EQ(hkt_sleep(sink->pause), 0);
    }
    return n;
}

#define BIG ((size_t)3 << 20)

/* The system keeps much less than that. */
static void narrow(hkt_stream *streams[2])
{
    int size = 1 << 16;
    for (int i = 0; i < 2; i++) {
        (void)setsockopt(hkt_stream_fd(streams[i]), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        (void)setsockopt(hkt_stream_fd(streams[i]), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
}

static unsigned char *numbered(size_t size)
{
    unsigned char *data = malloc(size);
    CHECK(data != NULL);
    number_bytes(data, size, 0);
    return data;
}

TEST(a_big_write_is_sent_whole_to_a_slow_reader_and_nothing_piles_up)
{
    unsigned char *data = numbered(BIG);
    for (int transport = 0; transport < TRANSPORTS; transport++) {
        hkt_stream *s[2];
        struct beside reader;
        must_open(transport, s);
        struct sink sink = { .stream = s[0], .pause = 0.0001 };
        size_t before = hkt_allocation_count();
        beside_start(&reader, swallow, &sink);
        CHECK_EQ(hkt_stream_write(s[1], data, BIG), 0);
        CHECK(hkt_allocation_count() <= before + 8);
        CHECK_EQ(hkt_stream_written(s[1]), BIG);
        CHECK_EQ(hkt_stream_close(s[1]), 0);
        CHECK_EQ(beside_end(&reader), 0);
        CHECK_EQ(sink.got, BIG);
        close_streams(s);
    }
    free(data);
    check_finalized();
}

TEST(pieces_are_sent_in_order_however_many_and_long_they_are)
{
    struct test_random random = random_of(3);
    unsigned char *data = numbered(BIG);
    static struct iovec pieces[3000];
    for (int round = 0; round < 6; round++) {
        hkt_stream *s[2];
        struct beside reader;
        size_t at = 0;
        int count = 0;
        must_open(round % TRANSPORTS, s);
        if (round >= TRANSPORTS)
            CHECK_EQ(hkt_stream_set_write_buffer(s[1], 5000), 0);
        struct sink sink = { .stream = s[0] };
        beside_start(&reader, swallow, &sink);
        while (count < 3000) {
            size_t n = random_below(&random, 4) ? random_below(&random, 100) : 0;
            n = random_below(&random, 100) ? n : random_below(&random, 50000);
            n = n < BIG - at ? n : BIG - at;
            pieces[count++] = (struct iovec){ data + at, n };
            at += n;
        }
        for (int first = 0; first < count;) {
            int n = (int)random_below(&random, random_below(&random, 2) ? 5 : 1500);
            n = n < count - first ? n : count - first;
            CHECK_EQ(hkt_stream_write_many(s[1], pieces + first, n), 0);
            first += n;
        }
        CHECK_EQ(hkt_stream_write_many(s[1], pieces, -1), -EINVAL);
        CHECK_EQ(hkt_stream_write_many(s[1], NULL, 0), 0);
        CHECK_EQ(hkt_stream_write(s[1], NULL, 0), 0);
        CHECK_EQ(hkt_stream_close(s[1]), 0);
        CHECK_EQ(hkt_stream_written(s[1]), at);
        CHECK_EQ(beside_end(&reader), 0);
        CHECK_EQ(sink.got, at);
        close_streams(s);
    }
    free(data);
    check_finalized();
}

/* Many writers, each of blocks of one letter, whose lengths the first byte tells. */
struct scribe {
    hkt_stream *stream;
    char letter;
};

#define BLOCKS 20

static int write_blocks(void *arg)
{
    static const size_t sizes[] = { 1, 100, 5000, 70000 };
    struct scribe *scribe = arg;
    char *block = malloc(70001);
    CHECK(block != NULL);
    memset(block, scribe->letter, 70001);
    for (int i = 0; i < BLOCKS; i++) {
        block[0] = (char)(i % 4);
        CHECK_EQ(hkt_stream_write(scribe->stream, block, sizes[i % 4] + 1), 0);
        if (i % 3 == 0)
            CHECK_EQ(hkt_yield(), 0);
    }
    free(block);
    return 0;
}

struct scribes {
    struct scribe all[8];
};

/* What is kept at the end is sent, too. */
static int write_all_blocks(void *arg)
{
    struct scribes *scribes = arg;
    call_in_threads(8, write_blocks, scribes->all, sizeof scribes->all[0]);
    return hkt_stream_drain(scribes->all[0].stream);
}

TEST(writes_of_many_do_not_mix)
{
    static const size_t sizes[] = { 1, 100, 5000, 70000 };
    static char block[70001];
    for (int round = 0; round < 2 * TRANSPORTS; round++) {
        hkt_stream *s[2];
        struct beside writers;
        struct scribes scribes;
        must_open(round % TRANSPORTS, s);
        if (round >= TRANSPORTS)
            CHECK_EQ(hkt_stream_set_write_buffer(s[1], 3000), 0);
        for (int i = 0; i < 8; i++)
            scribes.all[i] = (struct scribe){ s[1], (char)('a' + i) };
        beside_start(&writers, write_all_blocks, &scribes);
        for (int i = 0; i < 8 * BLOCKS; i++) {
            unsigned char kind;
            CHECK_EQ(hkt_stream_read_exactly(s[0], &kind, 1, NULL), 0);
            CHECK(kind < 4);
            CHECK_EQ(hkt_stream_read_exactly(s[0], block, sizes[kind], NULL), 0);
            for (size_t j = 1; j < sizes[kind]; j++)
                CHECK(block[j] == block[0]);
        }
        CHECK_EQ(beside_end(&writers), 0);
        CHECK_EQ(hkt_stream_read_nowait(s[0], block, 1), -EAGAIN);
        close_streams(s);
    }
    check_finalized();
}

TEST(what_is_kept_goes_when_it_is_too_much_or_drained_or_closed)
{
    char data[64];
    for (int transport = 0; transport < TRANSPORTS; transport++) {
        hkt_stream *s[2];
        must_open(transport, s);
        CHECK_EQ(hkt_stream_set_write_buffer(s[1], 8), 0);
        put(s[1], "abc");
        put(s[1], "defgh");
        CHECK_EQ(hkt_stream_written(s[1]), 0);
        CHECK_EQ(hkt_stream_read_nowait(s[0], data, sizeof data), -EAGAIN);
        CHECK_EQ(hkt_stream_printf(s[1], "%s", "i"), 0); /* one too many */
        CHECK_EQ(hkt_stream_written(s[1]), 9);
        get(s[0], "abcdefghi");
        put(s[1], "jk");
        CHECK_EQ(hkt_stream_drain(s[1]), 0);
        get(s[0], "jk");
        put(s[1], "lm");
        CHECK_EQ(hkt_stream_set_write_buffer(s[1], 100), 0);
        get(s[0], "lm");
        put(s[1], "no");
        CHECK_EQ(hkt_stream_write_nowait(s[1], "pq", 2), 2); /* it comes behind what is kept */
        get(s[0], "nopq");
        put(s[1], "rs");
        CHECK_EQ(hkt_stream_set_write_buffer(s[1], 0), 0);
        get(s[0], "rs");
        put(s[1], "t");
        get(s[0], "t");
        CHECK_EQ(hkt_stream_set_write_buffer(s[1], 100), 0);
        put(s[1], "the rest");
        CHECK_EQ(hkt_stream_close(s[1]), 0);
        get(s[0], "the rest");
        CHECK_EQ(hkt_stream_read(s[0], data, sizeof data), 0);
        close_streams(s);
    }
    check_finalized();
}

static int answer(void *arg)
{
    hkt_stream *stream = arg;
    get(stream, "question");
    put(stream, "answer");
    return 0;
}

TEST(what_is_kept_goes_before_the_reader_waits)
{
    for (int transport = PAIR; transport < TRANSPORTS; transport++) {
        hkt_stream *s[2];
        struct beside other;
        must_open(transport, s);
        CHECK_EQ(hkt_stream_set_write_buffer(s[1], 1000), 0);
        beside_start(&other, answer, s[0]);
        put(s[1], "question");
        get(s[1], "answer");
        CHECK_EQ(beside_end(&other), 0);
        close_streams(s);
    }
    check_finalized();
}

TEST(without_waiting_as_much_is_written_as_fits)
{
    static char room[1 << 16];
    for (int transport = 0; transport < TRANSPORTS; transport++) {
        hkt_stream *s[2];
        must_open(transport, s);
        CHECK_EQ(hkt_stream_write_nowait(s[1], "", 0), 0);
        size_t total = stuff(s[1]);
        CHECK(total > 0);
        CHECK_EQ(hkt_stream_written(s[1]), total);
        CHECK_EQ(hkt_stream_write_nowait(s[1], "x", 1), -EAGAIN);
        CHECK_EQ(hkt_stream_write(s[1], "", 0), 0); /* nothing needs no room */
        CHECK_EQ(hkt_stream_drain(s[1]), 0);
        for (size_t got = 0; got < total;) {
            int n = hkt_stream_read(s[0], room, sizeof room);
            CHECK(n > 0);
            got += (size_t)n;
        }
        CHECK_EQ(hkt_stream_read_nowait(s[0], room, 1), -EAGAIN);
        put(s[1], "on");
        get(s[0], "on");
        close_streams(s);
    }
    check_finalized();
}

TEST(who_has_ended_his_output_reads_on)
{
    char data[8];
    for (int transport = PAIR; transport < TRANSPORTS; transport++) {
        hkt_stream *s[2];
        must_open(transport, s);
        CHECK_EQ(hkt_stream_set_write_buffer(s[1], 100), 0);
        put(s[1], "kept");
        for (int i = 0; i < 2; i++)
            CHECK_EQ(hkt_stream_write_eof(s[1]), 0);
        CHECK_EQ(hkt_stream_write(s[1], "x", 1), -EPIPE);
        CHECK_EQ(hkt_stream_write_nowait(s[1], "x", 1), -EPIPE);
        CHECK_EQ(hkt_stream_printf(s[1], "x"), -EPIPE);
        get(s[0], "kept");
        for (int i = 0; i < 2; i++)
            CHECK_EQ(hkt_stream_read(s[0], data, sizeof data), 0);
        put(s[0], "more");
        get(s[1], "more");
        /* The one whose input has ended waits for room as before. */
        static char room[1 << 16];
        size_t total = stuff(s[0]), got = 0;
        struct beside writer;
        struct call call = { s[0], data, 1, 0 };
        beside_start_waiting(&writer, call_write, &call, s[0]);
        while (got < total) {
            int n = hkt_stream_read(s[1], room, sizeof room);
            CHECK(n > 0);
            got += (size_t)n;
        }
        CHECK_EQ(beside_end(&writer), 0);
        close_streams(s);
    }
    check_finalized();
}

TEST(who_writes_to_nobody_is_told_and_not_killed)
{
    signal(SIGPIPE, SIG_DFL);
    for (int transport = 0; transport < TRANSPORTS; transport++) {
        hkt_stream *s[2];
        int err = 0;
        must_open(transport, s);
        CHECK_EQ(hkt_stream_close(s[0]), 0);
        for (double end = hkt_monotonic() + 10; err == 0 && hkt_monotonic() < end;)
            err = hkt_stream_write(s[1], "x", 1);
        CHECK(err == -EPIPE || err == -ECONNRESET);
        CHECK(hkt_stream_write(s[1], "x", 1) < 0);
        close_streams(s);
    }
    check_finalized();
}

static int set_flag(void *arg)
{
    atomic_store((atomic_bool *)arg, true);
    return 0;
}

/* Nor is anybody kept out by who never has to wait. */
TEST(who_writes_without_end_lets_the_others_go_on)
{
    hkt_stream *stream;
    struct beside other;
    atomic_bool flag = false;
    CHECK_EQ(hkt_stream_adopt(&stream, open("/dev/null", O_WRONLY | O_CLOEXEC), false), 0);
    beside_start(&other, set_flag, &flag);
    while (!atomic_load(&flag))
        put(stream, "x");
    CHECK_EQ(beside_end(&other), 0);
    hkt_stream_destroy(stream);
    CHECK_EQ(hkt_stream_adopt(&stream, open("/dev/zero", O_RDONLY | O_CLOEXEC), false), 0);
    atomic_store(&flag, false);
    beside_start(&other, set_flag, &flag);
    while (!atomic_load(&flag)) {
        char data[8];
        CHECK_EQ(hkt_stream_read(stream, data, sizeof data), 8);
    }
    CHECK_EQ(beside_end(&other), 0);
    hkt_stream_destroy(stream);
    check_finalized();
}

TEST(a_long_text_is_printed_whole)
{
    hkt_stream *s[2];
    must_open(PAIR, s);
    char *text = malloc(5001);
    memset(text, 'x', 5000);
    text[5000] = 0;
    for (int length = 505; length < 520; length++) {
        CHECK_EQ(hkt_stream_printf(s[1], "%.*s|%d", length, text, 7), 0);
        char back[600];
        CHECK_EQ(hkt_stream_read_exactly(s[0], back, (size_t)length + 2, NULL), 0);
        CHECK(memcmp(back, text, (size_t)length) == 0 && memcmp(back + length, "|7", 2) == 0);
    }
    CHECK_EQ(hkt_stream_printf(s[1], "%s", text), 0);
    CHECK_EQ(hkt_stream_written(s[1]) - hkt_stream_taken(s[0]), 5000);
    free(text);
    close_streams(s);
    check_finalized();
}

/* What a cancelled write says that it sent is what comes. */
TEST(a_cancelled_write_tells_how_much_went_out)
{
    unsigned char *data = numbered(BIG);
    for (int transport = 0; transport < TRANSPORTS; transport++) {
        hkt_stream *s[2];
        struct beside writer, reader;
        must_open(transport, s);
        narrow(s);
        struct call call = { s[1], (char *)data, BIG, 0 };
        beside_start_waiting(&writer, call_write, &call, s[1]);
        beside_cancel(&writer);
        CHECK_EQ(beside_end(&writer), -ECANCELED);
        uint64_t written = hkt_stream_written(s[1]);
        CHECK(written > 0 && written < BIG);
        struct sink sink = { .stream = s[0] };
        beside_start(&reader, swallow, &sink);
        CHECK_EQ(hkt_stream_write(s[1], data + written, BIG - written), 0);
        CHECK_EQ(hkt_stream_close(s[1]), 0);
        CHECK_EQ(beside_end(&reader), 0);
        CHECK_EQ(sink.got, BIG);
        close_streams(s);
    }
    free(data);
    check_finalized();
}

static int numbered_file(size_t size)
{
    char path[] = "/tmp/hocket-send-XXXXXX";
    int fd = mkstemp(path);
    unsigned char *data = numbered(size);
    CHECK(fd >= 0 && unlink(path) == 0);
    CHECK_EQ(write(fd, data, size), size);
    free(data);
    return fd;
}

TEST(a_file_is_sent_from_where_it_is_told_and_its_position_stays)
{
    const size_t size = (size_t)1 << 20;
    int fd = numbered_file(size);
    CHECK_EQ(lseek(fd, 17, SEEK_SET), 17);
    for (int round = 0; round < 2 * TRANSPORTS; round++) {
        hkt_stream *s[2];
        struct beside reader;
        uint64_t sent = 99;
        must_open(round % TRANSPORTS, s);
        if (round >= TRANSPORTS)
            CHECK_EQ(hkt_stream_set_write_buffer(s[1], 64), 0);
        struct sink sink = { .stream = s[0], .pause = 0.0001 };
        beside_start(&reader, swallow, &sink);
        unsigned char head[32];
        number_bytes(head, sizeof head, 0);
        CHECK_EQ(hkt_stream_write(s[1], head, sizeof head), 0);
        CHECK_EQ(hkt_stream_send_file(s[1], fd, sizeof head, 1000, &sent), 0);
        CHECK_EQ(sent, 1000);
        CHECK_EQ(hkt_stream_send_file(s[1], fd, 5, 0, &sent), 0);
        CHECK_EQ(sent, 0);
        uint64_t from = sizeof head + 1000;
        CHECK_EQ(hkt_stream_send_file(s[1], fd, from, size, &sent), -ENODATA);
        CHECK_EQ(sent, size - from);
        CHECK_EQ(hkt_stream_send_file(s[1], fd, size + 1, 1, &sent), -ENODATA);
        CHECK_EQ(sent, 0);
        CHECK_EQ(hkt_stream_send_file(s[1], fd, UINT64_MAX, 10, &sent), -ENODATA);
        CHECK_EQ(hkt_stream_send_file(s[1], fd, INT64_MAX, 10, &sent), -ENODATA);
        CHECK_EQ(sent, 0);
        CHECK_EQ(lseek(fd, 0, SEEK_CUR), 17);
        CHECK_EQ(hkt_stream_close(s[1]), 0);
        CHECK_EQ(beside_end(&reader), 0);
        CHECK_EQ(sink.got, size);
        CHECK_EQ(hkt_stream_written(s[1]), size);
        CHECK_EQ(hkt_stream_send_file(s[1], fd, 0, 1, &sent), -ESHUTDOWN);
        close_streams(s);
    }
    CHECK_EQ(close(fd), 0);
    check_finalized();
}

struct cut {
    hkt_stream *stream;
    int fd;
    uint64_t sent;
};

static int send_cut(void *arg)
{
    struct cut *cut = arg;
    return hkt_stream_send_file(cut->stream, cut->fd, 0, BIG, &cut->sent);
}

TEST(a_file_that_is_cut_meanwhile_ends_there)
{
    for (int transport = 0; transport < TRANSPORTS; transport++) {
        hkt_stream *s[2];
        struct beside sender, reader;
        must_open(transport, s);
        int fd = numbered_file(BIG);
        struct cut cut = { s[1], fd, 0 };
        narrow(s);
        /* The kernel sends pages of the file as they are when they go. */
        struct sink sink = { .stream = s[0], .counts = true };
        beside_start_waiting(&sender, send_cut, &cut, s[1]);
        CHECK_EQ(ftruncate(fd, 100), 0);
        beside_start(&reader, swallow, &sink);
        CHECK_EQ(beside_end(&sender), -ENODATA);
        CHECK(cut.sent >= 100 && cut.sent < BIG);
        CHECK_EQ(hkt_stream_close(s[1]), 0);
        (void)beside_end(&reader);
        CHECK_EQ(sink.got, cut.sent);
        close_streams(s);
        CHECK_EQ(close(fd), 0);
    }
    check_finalized();
}

TEST(what_is_no_file_is_not_sent)
{
    hkt_stream *s[2];
    uint64_t sent = 99;
    must_open(PAIR, s);
    int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    CHECK_EQ(hkt_stream_send_file(s[1], zero, 0, 10, &sent), -EOPNOTSUPP);
    CHECK_EQ(sent, 0);
    CHECK_EQ(close(zero), 0);
    CHECK_EQ(hkt_stream_send_file(s[1], zero, 0, 10, NULL), -EBADF);
    close_streams(s);
    check_finalized();
}
