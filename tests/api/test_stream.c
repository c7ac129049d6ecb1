/* SPDX-License-Identifier: MIT */
/* hocket/stream.h: what each call that reads promises, on pipes, pairs of sockets and TCP. */
#include "streams.h"

static void each_transport(void (*test)(hkt_stream *streams[2]))
{
    for (int transport = 0; transport < TRANSPORTS; transport++) {
        hkt_stream *streams[2];
        must_open(transport, streams);
        errno = 4711;
        test(streams);
        CHECK_EQ(errno, 4711);
        close_streams(streams);
    }
    check_finalized();
}

static void reads_what_is_there(hkt_stream *s[2])
{
    char data[64];
    struct beside reader;
    struct call call = { s[0], data, sizeof data, 0 };
    CHECK_EQ(hkt_stream_read_nowait(s[0], data, sizeof data), -EAGAIN);
    beside_start_waiting(&reader, call_read, &call, s[0]);
    put(s[1], "hello");
    CHECK_EQ(beside_end(&reader), 5);
    CHECK(memcmp(data, "hello", 5) == 0);
    put(s[1], "again");
    CHECK_EQ(hkt_stream_read(s[0], data, 2), 2);
    CHECK_EQ(hkt_stream_read(s[0], data, 0), 0);
    CHECK_EQ(hkt_stream_read_nowait(s[0], data, 0), 0);
    CHECK_EQ(hkt_stream_read_nowait(s[0], data + 2, 2), 2);
    CHECK_EQ(hkt_stream_read(s[0], data + 4, 60), 1);
    CHECK(memcmp(data, "again", 5) == 0);
    CHECK_EQ(hkt_stream_taken(s[0]), 10);
    CHECK_EQ(hkt_stream_written(s[1]), 10);
    beside_start_waiting(&reader, call_read, &call, s[0]);
    CHECK_EQ(hkt_stream_close(s[1]), 0);
    CHECK_EQ(beside_end(&reader), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_stream_read(s[0], data, sizeof data), 0);
    CHECK_EQ(hkt_stream_read_nowait(s[0], data, sizeof data), 0);
    CHECK_EQ(hkt_stream_taken(s[0]), 10);
}

TEST(a_read_takes_what_is_there_and_sees_the_end)
{
    each_transport(reads_what_is_there);
}

static void short_read_before_end(hkt_stream *s[2])
{
    char data[64];
    struct beside reader;
    struct call call = { s[0], data, sizeof data, 0 };
    beside_start_waiting(&reader, call_read, &call, s[0]);
    put(s[1], "last");
    CHECK_EQ(hkt_stream_close(s[1]), 0);
    CHECK_EQ(beside_end(&reader), 4);
    CHECK_EQ(hkt_stream_read(s[0], data, sizeof data), 0);
}

TEST(the_end_that_comes_with_the_last_bytes_is_seen)
{
    for (int i = 0; i < 20; i++)
        each_transport(short_read_before_end);
}

static void reads_exactly(hkt_stream *s[2])
{
    char data[64] = { 0 };
    size_t count = 99;
    struct beside reader;
    struct call call = { s[0], data, 10, 99 };
    beside_start_waiting(&reader, call_read_exactly, &call, s[0]);
    put(s[1], "abcd");
    while (hkt_stream_taken(s[0]) < 4)
        CHECK_EQ(hkt_yield(), 0);
    put(s[1], "efghijKLM");
    CHECK_EQ(beside_end(&reader), 0);
    CHECK_EQ(call.count, 10);
    CHECK_STR(data, "abcdefghij");
    CHECK_EQ(hkt_stream_read_exactly(s[0], data, 0, &count), 0);
    CHECK_EQ(count, 0);
    CHECK_EQ(hkt_stream_read_exactly(s[0], data, 2, NULL), 0);
    CHECK_EQ(hkt_stream_close(s[1]), 0);
    CHECK_EQ(hkt_stream_read_exactly(s[0], data, 5, &count), -ENODATA);
    CHECK_EQ(count, 1);
    CHECK_EQ(data[0], 'M');
    CHECK_EQ(hkt_stream_read_exactly(s[0], data, 5, &count), -ENODATA);
    CHECK_EQ(count, 0);
    CHECK_EQ(hkt_stream_taken(s[0]), 13);
}

TEST(exactly_as_many_are_read_or_the_end_is_told)
{
    each_transport(reads_exactly);
}

static void reads_lines(hkt_stream *s[2])
{
    char line[8];
    put(s[1], "one\n\ntwo\nabcdef\nabcdefg\nx\n1234567");
    CHECK_EQ(hkt_stream_close(s[1]), 0);
    CHECK_EQ(hkt_stream_read_line(s[0], line, sizeof line), 4);
    CHECK_STR(line, "one\n");
    CHECK_EQ(hkt_stream_taken(s[0]), 4);
    CHECK_EQ(hkt_stream_read_line(s[0], line, sizeof line), 1);
    CHECK_STR(line, "\n");
    CHECK_EQ(hkt_stream_read_line(s[0], line, 4), -EMSGSIZE); /* "two" and no room for its end */
    CHECK_EQ(hkt_stream_read_line(s[0], line, 5), 4);
    CHECK_STR(line, "two\n");
    CHECK_EQ(hkt_stream_read_line(s[0], line, sizeof line), 7);
    CHECK_STR(line, "abcdef\n");
    for (int i = 0; i < 2; i++)
        CHECK_EQ(hkt_stream_read_line(s[0], line, sizeof line), -EMSGSIZE);
    CHECK_EQ(hkt_stream_taken(s[0]), 16);
    get(s[0], "abcdefg\n");
    CHECK_EQ(hkt_stream_read_line(s[0], line, sizeof line), 2);
    CHECK_EQ(hkt_stream_read_line(s[0], line, 7), -EMSGSIZE);
    CHECK_EQ(hkt_stream_read_line(s[0], line, 8), 7); /* the last one, which just fits */
    CHECK_STR(line, "1234567");
    CHECK_EQ(hkt_stream_read_line(s[0], line, sizeof line), 0);
    CHECK_STR(line, "");
    CHECK_EQ(hkt_stream_read_line(s[0], line, 1), -EINVAL);
}

TEST(lines_come_one_by_one_and_stay_when_they_are_too_long)
{
    each_transport(reads_lines);
}

static void reads_until(hkt_stream *s[2])
{
    char data[16];
    struct beside reader;
    struct call call = { s[0], data, sizeof data, 0 };
    beside_start_waiting(&reader, call_read_until, &call, s[0]);
    put(s[1], "a#");
    put(s[1], "b#");
    put(s[1], "#c##");
    CHECK_EQ(beside_end(&reader), 5);
    CHECK(memcmp(data, "a#b##", 5) == 0);
    CHECK_EQ(hkt_stream_read_until(s[0], data, 3, "##", 2), 3);
    put(s[1], "0123456789##");
    CHECK_EQ(hkt_stream_read_until(s[0], data, 11, "##", 2), -EMSGSIZE);
    CHECK_EQ(hkt_stream_read_until(s[0], data, 0, "##", 2), -EMSGSIZE);
    CHECK_EQ(hkt_stream_read_until(s[0], data, 12, "", 0), -EINVAL);
    CHECK_EQ(hkt_stream_read_until(s[0], data, 12, "##", 2), 12);
    put(s[1], "rest");
    CHECK_EQ(hkt_stream_close(s[1]), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(hkt_stream_read_until(s[0], data, sizeof data, "##", 2), -ENODATA);
    CHECK_EQ(hkt_stream_taken(s[0]), 20);
    get(s[0], "rest");
    CHECK_EQ(hkt_stream_read_until(s[0], data, sizeof data, "##", 2), -ENODATA);
}

TEST(a_separator_is_found_across_pieces_and_what_is_before_it_stays_when_it_is_not)
{
    each_transport(reads_until);
}

static void peeks(hkt_stream *s[2])
{
    char data[16];
    struct beside reader;
    struct call call = { s[0], data, sizeof data, 0 };
    beside_start_waiting(&reader, call_peek, &call, s[0]);
    put(s[1], "abcdef");
    CHECK_EQ(beside_end(&reader), 6);
    CHECK_EQ(hkt_stream_peek(s[0], data, 3), 3);
    put(s[1], "ghi");
    CHECK_EQ(hkt_stream_peek(s[0], data, sizeof data), 6);
    CHECK_EQ(hkt_stream_taken(s[0]), 0);
    CHECK_EQ(hkt_stream_peek(s[0], data, 0), 0);
    CHECK_EQ(hkt_stream_read(s[0], data, sizeof data), 6);
    CHECK_EQ(hkt_stream_peek(s[0], data, sizeof data), 3);
    CHECK_EQ(hkt_stream_read_nowait(s[0], data, 1), 1);
    get(s[0], "hi");
    CHECK_EQ(hkt_stream_close(s[1]), 0);
    CHECK_EQ(hkt_stream_peek(s[0], data, sizeof data), 0);
    CHECK_EQ(hkt_stream_peek(s[0], data, sizeof data), 0);
}

TEST(a_peek_takes_nothing)
{
    each_transport(peeks);
}

static void cancelled_reads_lose_nothing(hkt_stream *s[2])
{
    char data[64];
    put(s[1], "abc");
    for (int i = 1; i < READING_CALLS - 1; i++) {
        struct beside reader;
        struct call call = { s[0], data, 10, 0 };
        beside_start_waiting(&reader, reading_calls[i], &call, s[0]);
        beside_cancel(&reader);
        CHECK_EQ(beside_end(&reader), -ECANCELED);
        CHECK_EQ(call.count, i == 1 ? 3 : 0); /* what is in his memory he has */
        CHECK_EQ(call_cancelled(reading_calls[i], &call), -ECANCELED);
        if (i == 1)
            put(s[1], "abc");
    }
    CHECK_EQ(hkt_stream_taken(s[0]), 3);
    get(s[0], "abc");
}

TEST(a_cancelled_read_loses_nothing)
{
    each_transport(cancelled_reads_lose_nothing);
}

static void one_reader(hkt_stream *s[2])
{
    char data[8], other[8];
    struct beside reader;
    struct call call = { s[0], data, 4, 0 }, second = { s[0], other, 4, 0 };
    for (int i = 0; i < READING_CALLS; i++) {
        beside_start_waiting(&reader, reading_calls[i], &call, s[0]);
        for (int j = 0; j < READING_CALLS; j++)
            CHECK_EQ(reading_calls[j](&second), -EBUSY);
        CHECK_EQ(hkt_stream_read_nowait(s[0], other, 4), -EBUSY);
        put(s[1], "##\n\n");
        CHECK(beside_end(&reader) >= 0);
        while (hkt_stream_read_nowait(s[0], data, 4) > 0)
            ;
    }
}

TEST(a_second_reader_is_told_so)
{
    each_transport(one_reader);
}

/* Texts of random lengths with random ends, in random pieces; read in every way, against what was
 * sent. */
struct text {
    char data[60000];
    size_t length;
    hkt_stream *stream;
};

static int send_in_pieces(void *arg)
{
    struct text *text = arg;
    struct test_random random = random_of(77);
    for (size_t at = 0; at < text->length;) {
        size_t n = 1 + random_below(&random, random_below(&random, 3) ? 20 : 9000);
        n = n < text->length - at ? n : text->length - at;
        CHECK_EQ(hkt_stream_write(text->stream, text->data + at, n), 0);
        at += n;
        if (random_below(&random, 4) == 0)
            CHECK_EQ(hkt_yield(), 0);
    }
    return hkt_stream_close(text->stream);
}

static void make_text(struct text *text, struct test_random *random)
{
    text->length = random_below(random, sizeof text->data);
    size_t rare = 1 + random_below(random, random_below(random, 2) ? 30 : 6000);
    for (size_t i = 0; i < text->length; i++)
        text->data[i] = random_below(random, rare) ? (char)('a' + random_below(random, 3)) : '\n';
}

static int read_somehow(hkt_stream *stream, struct test_random *random, char *data, size_t size)
{
    size_t count;
    int n;
    switch (random_below(random, 6)) {
    case 0:
        return hkt_stream_read(stream, data, 1 + random_below(random, size - 1));
    case 1:
        n = hkt_stream_read_exactly(stream, data, 1 + random_below(random, size - 1), &count);
        return n == 0 || n == -ENODATA ? (int)count : n;
    case 2:
        return hkt_stream_read_line(stream, data, size);
    case 3:
        n = hkt_stream_read_until(stream, data, 1 + random_below(random, size), "ab", 2);
        CHECK(n < 2 ||
              (memcmp(data + n - 2, "ab", 2) == 0 && !memmem(data, (size_t)n - 1, "ab", 2)));
        return n;
    case 4:
        n = hkt_stream_peek(stream, data, size);
        return n > 0 ? hkt_stream_read(stream, data, (size_t)n) : n;
    default:
        return hkt_stream_read_nowait(stream, data, 1 + random_below(random, size - 1));
    }
}

TEST(all_ways_to_read_agree_with_what_was_sent)
{
    static struct text text;
    static char data[20001];
    struct test_random random = random_of(1);
    for (long round = 0; round < test_scaled(30); round++) {
        hkt_stream *s[2];
        struct beside writer;
        size_t at = 0;
        must_open((int)(round % TRANSPORTS), s);
        make_text(&text, &random);
        text.stream = s[1];
        beside_start(&writer, send_in_pieces, &text);
        while (at < text.length) {
            int n = read_somehow(s[0], &random, data, sizeof data - 1);
            if (n == -EAGAIN) {
                CHECK_EQ(hkt_yield(), 0);
                continue;
            }
            if (n == -ENODATA || n == -EMSGSIZE)
                continue;
            CHECK(n > 0 && (size_t)n <= text.length - at);
            CHECK(memcmp(data, text.data + at, (size_t)n) == 0);
            at += (size_t)n;
            CHECK_EQ(hkt_stream_taken(s[0]), at);
        }
        CHECK_EQ(hkt_stream_read(s[0], data, 1), 0);
        CHECK_EQ(beside_end(&writer), 0);
        close_streams(s);
    }
    check_finalized();
}

/* A stream may be read now by a thread, now by a task, and what is known of its fd stays right. */
TEST(a_stream_moves_between_threads_and_tasks)
{
    struct test_random random = random_of(2);
    for (int transport = 0; transport < TRANSPORTS; transport++) {
        hkt_stream *s[2];
        must_open(transport, s);
        for (long i = 0; i < test_scaled(300); i++) {
            char data[8] = { 0 };
            struct beside reader;
            struct call call = { s[0], data, 1 + random_below(&random, 8), 0 };
            bool thread = random_below(&random, 2), early = random_below(&random, 2);
            if (early)
                put(s[1], "x");
            if (thread)
                reader.task = NULL, caller_start(&reader.caller, call_read, &call);
            else
                beside_start(&reader, call_read, &call);
            if (!early && random_below(&random, 2))
                beside_await(&reader, s[0]);
            if (!early)
                put(s[1], "x");
            CHECK_EQ(beside_end(&reader), 1);
            CHECK_EQ(data[0], 'x');
        }
        close_streams(s);
    }
    check_finalized();
}

TEST(what_is_no_stream_is_not_adopted)
{
    hkt_stream *stream;
    char path[] = "/tmp/hocket-stream-XXXXXX";
    int file = mkstemp(path), folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(file >= 0 && folder >= 0 && unlink(path) == 0);
    CHECK_EQ(hkt_stream_adopt(&stream, file, true), -EINVAL);
    CHECK(fcntl(file, F_GETFD) >= 0);
    CHECK_EQ(hkt_stream_adopt(&stream, file, false), -EINVAL);
    CHECK_EQ(hkt_stream_adopt(&stream, folder, false), -EINVAL);
    CHECK(fcntl(file, F_GETFD) < 0 && fcntl(folder, F_GETFD) < 0);
    CHECK_EQ(hkt_stream_adopt(&stream, -1, false), -EBADF);
    CHECK_EQ(hkt_stream_adopt(&stream, file, false), -EBADF);
    check_finalized();
}

TEST(a_borrowed_fd_is_left_as_it_was)
{
    hkt_stream *stream;
    int fds[2], flags;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    flags = fcntl(fds[0], F_GETFL);
    CHECK_EQ(hkt_stream_adopt(&stream, fds[0], true), 0);
    CHECK_EQ(hkt_stream_fd(stream), fds[0]);
    put(stream, "hello");
    CHECK_EQ(fcntl(fds[0], F_GETFL), flags);
    hkt_stream_abort(stream);
    CHECK_EQ(hkt_stream_fd(stream), -ESHUTDOWN);
    hkt_stream_destroy(stream);
    CHECK_EQ(fcntl(fds[0], F_GETFL), flags);
    CHECK_EQ(hkt_stream_adopt(&stream, fds[0], true), 0);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    get(stream, "x");
    hkt_stream_destroy(stream);
    CHECK_EQ(close(fds[0]) + close(fds[1]), 0);
    check_finalized();
}

/* Two streams of one fd, one for each direction, do not take each other's news. */
TEST(two_streams_of_one_fd_hear_what_each_waits_for)
{
    hkt_stream *in, *out, *other;
    int fds[2];
    char data[8];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    CHECK_EQ(hkt_stream_adopt(&in, fds[0], true), 0);
    CHECK_EQ(hkt_stream_adopt(&out, fds[0], false), 0);
    CHECK_EQ(hkt_stream_adopt(&other, fds[1], false), 0);
    for (int i = 0; i < 50; i++) {
        struct beside reader, writer;
        struct call reading = { in, data, sizeof data, 0 }, writing = { out, "x", 1, 0 };
        size_t full = stuff(out);
        beside_start_waiting(&reader, call_read, &reading, in);
        beside_start_waiting(&writer, call_write, &writing, out);
        put(other, "abc");
        CHECK_EQ(beside_end(&reader), 3);
        for (full++; full > 0;) {
            static char room[65536];
            int n = hkt_stream_read(other, room, sizeof room < full ? sizeof room : full);
            CHECK(n > 0);
            full -= (size_t)n;
        }
        CHECK_EQ(beside_end(&writer), 0);
    }
    hkt_stream_destroy(in);
    hkt_stream_destroy(out);
    hkt_stream_destroy(other);
    check_finalized();
}

/* A pipe with a name ends with its last writer, and goes on with the next one. */
TEST(a_named_pipe_that_ended_may_begin_again)
{
    hkt_stream *stream;
    char folder[] = "/tmp/hocket-fifo-XXXXXX", path[64], data[8];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/fifo", folder);
    CHECK_EQ(mkfifo(path, 0600), 0);
    CHECK_EQ(hkt_stream_adopt(&stream, open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), false), 0);
    struct beside reader;
    struct call call = { stream, data, sizeof data, 0 };
    for (int i = 0; i < 5; i++) {
        int writer = open(path, O_WRONLY | O_CLOEXEC);
        CHECK(writer >= 0);
        beside_start_waiting(&reader, call_read, &call, stream);
        double before = cpu_seconds();
        CHECK_EQ(hkt_sleep(0.02), 0);
        check_idle_since(before);
        CHECK_EQ(write(writer, "abc", 3), 3);
        CHECK_EQ(beside_end(&reader), 3);
        beside_start_waiting(&reader, call_read, &call, stream);
        CHECK_EQ(close(writer), 0);
        CHECK_EQ(beside_end(&reader), 0);
    }
    hkt_stream_destroy(stream);
    CHECK_EQ(unlink(path) + rmdir(folder), 0);
    check_finalized();
}

/* A read stops at urgent data; that is not the end of what is there. */
TEST(bytes_behind_urgent_data_are_read)
{
    hkt_stream *s[2];
    char data[8];
    struct beside reader;
    must_open(TCP, s);
    for (int i = 0; i < 10; i++) {
        struct call call = { s[0], data, sizeof data, 0 };
        beside_start_waiting(&reader, call_read, &call, s[0]);
        int fd = hkt_stream_fd(s[1]);
        CHECK(send(fd, "abc", 3, 0) == 3 && send(fd, "!", 1, MSG_OOB) == 1 &&
              send(fd, "def", 3, 0) == 3);
        int n = beside_end(&reader);
        CHECK(n > 0 && n <= 6);
        call.size = (size_t)(6 - n);
        CHECK_EQ(call_read_exactly(&call), 0);
    }
    close_streams(s);
    check_finalized();
}

/* Of a pipe that is written it is the one half that it has. */
TEST(a_pipe_that_is_written_ends_with_its_output)
{
    hkt_stream *s[2];
    char data[8];
    must_open(PIPE, s);
    CHECK_EQ(hkt_stream_write_eof(s[0]), -EOPNOTSUPP);
    CHECK_EQ(hkt_stream_set_write_buffer(s[1], 10), 0);
    put(s[1], "kept");
    CHECK_EQ(hkt_stream_write_eof(s[1]), 0);
    CHECK(hkt_stream_write(s[1], "x", 1) < 0);
    get(s[0], "kept");
    CHECK_EQ(hkt_stream_read(s[0], data, sizeof data), 0);
    close_streams(s);
    check_finalized();
}
