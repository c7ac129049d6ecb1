/* SPDX-License-Identifier: MIT */
/* Messages over connections: what is sent, what is received, and what is wrong. */
#include <hocket.h>

#include "connections.h"

TEST(messages_come_whole_and_in_order_over_each_kind)
{
    for (int link = 0; link < LINKS; link++) {
        hkt_connection *c[2];
        must_link(link, c);
        say(c[1], "one");
        say(c[1], "");
        say(c[1], "three");
        hear(c[0], "one");
        hear(c[0], "");
        hear(c[0], "three");
        unlink_both(c);
        check_finalized();
    }
}

TEST(both_ends_of_a_duplex_pipe_send_and_receive)
{
    hkt_connection *c[2];
    must_link(DUPLEX, c);
    for (int i = 0; i < 2; i++) {
        CHECK(hkt_connection_readable(c[i]) && hkt_connection_writable(c[i]));
        CHECK(hkt_connection_fileno(c[i]) >= 0);
        say(c[i], "ping");
        hear(c[1 - i], "ping");
    }
    unlink_both(c);
    check_finalized();
}

TEST(of_a_simplex_pipe_the_first_end_receives_and_the_second_sends)
{
    hkt_connection *c[2];
    char byte;
    must_link(SIMPLEX, c);
    CHECK(hkt_connection_readable(c[0]) && !hkt_connection_writable(c[0]));
    CHECK(!hkt_connection_readable(c[1]) && hkt_connection_writable(c[1]));
    CHECK_EQ(hkt_connection_send(c[0], "x", 1), -EOPNOTSUPP);
    CHECK_EQ(hkt_connection_recv(c[1], &byte, 1), -EOPNOTSUPP);
    CHECK_EQ(hkt_connection_next_size(c[1]), -EOPNOTSUPP);
    CHECK_EQ(hkt_connection_poll(c[1], hkt_after(0)), -EOPNOTSUPP);
    CHECK_EQ(hkt_connection_send_fd(c[1], 0), -EOPNOTSUPP);
    CHECK_EQ(hkt_connection_recv_fd(c[0]), -EOPNOTSUPP);
    say(c[1], "still");
    hear(c[0], "still");
    unlink_both(c);
    check_finalized();
}

TEST(a_message_is_four_bytes_of_size_and_its_bytes)
{
    int fd;
    hkt_connection *connection = must_face(&fd);
    unsigned char wire[64];
    say(connection, "abc");
    CHECK_EQ(recv(fd, wire, sizeof wire, 0), 7);
    CHECK(memcmp(wire, "\0\0\0\3abc", 7) == 0);
    utter(fd, "\0\0\0\2hi\0\0\0\0", 10);
    hear(connection, "hi");
    hear(connection, "");
    utter(fd, "\xff\xff\xff\xff\0\0\0\0\0\0\0\2ho", 14); /* the long form is for all sizes */
    hear(connection, "ho");
    CHECK_EQ(close(fd), 0);
    hkt_connection_destroy(connection);
    check_finalized();
}

TEST(a_message_that_is_longer_than_the_room_stays)
{
    for (int link = 0; link < LINKS; link++) {
        hkt_connection *c[2];
        char data[8];
        void *made = NULL;
        size_t size = 4711;
        must_link(link, c);
        say(c[1], "123456789");
        say(c[1], "next");
        for (int i = 0; i < 2; i++) {
            CHECK_EQ(hkt_connection_recv(c[0], data, sizeof data), -EMSGSIZE);
            CHECK_EQ(hkt_connection_next_size(c[0]), 9);
            CHECK_EQ(hkt_connection_recv_alloc(c[0], &made, &size, 8), -EMSGSIZE);
            CHECK(made == NULL && size == 4711);
            CHECK_EQ(hkt_connection_poll(c[0], hkt_after(0)), 1);
        }
        hear(c[0], "123456789");
        CHECK_EQ(hkt_connection_recv(c[0], data, 4), 4);
        CHECK(memcmp(data, "next", 4) == 0);
        unlink_both(c);
    }
    check_finalized();
}

TEST(a_message_can_be_received_into_memory_made_for_it)
{
    static const size_t sizes[] = { 0, 1, 1000, 65536, 65537, 300000 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        hkt_connection *c[2];
        struct beside sender;
        size_t size = sizes[i];
        unsigned char *data = malloc(size + 1);
        must_link(DUPLEX, c);
        number_bytes(data, size, 0);
        struct parcel out = { .connection = c[1], .data = data, .size = size };
        struct parcel in = { .connection = c[0] };
        beside_start(&sender, call_send, &out);
        CHECK_EQ(call_recv_alloc(&in), 0);
        CHECK_EQ(beside_end(&sender), 0);
        CHECK_EQ(in.size, size);
        CHECK(in.data && (uintptr_t)in.data % 16 == 0);
        check_bytes(in.data, size, 0);
        hkt_connection_free(in.data);
        free(data);
        unlink_both(c);
        check_finalized();
    }
    hkt_connection_free(NULL);
}

TEST_TIMEOUT(messages_of_all_sizes_come_as_they_were_sent, 120)
{
    struct test_random random = random_of(1);
    unsigned char *data = malloc(1 << 20), *back = malloc(1 << 20);
    for (int link = 0; link < LINKS; link++) {
        hkt_connection *c[2];
        must_link(link, c);
        for (long i = 0; i < test_scaled(150); i++) {
            size_t size = (size_t)random_below(&random, 1u << (i % 21));
            struct beside sender;
            number_bytes(data, size, (uint64_t)i);
            struct parcel out = { .connection = c[1], .data = data, .size = size };
            beside_start(&sender, call_send, &out);
            if (i % 3 == 0)
                CHECK_EQ(hkt_connection_next_size(c[0]), size);
            CHECK_EQ(hkt_connection_recv(c[0], back, 1 << 20), size);
            check_bytes(back, size, (uint64_t)i);
            CHECK_EQ(beside_end(&sender), 0);
        }
        unlink_both(c);
    }
    free(data);
    free(back);
    check_finalized();
}

TEST(the_end_between_messages_is_no_data)
{
    for (int link = 0; link < LINKS; link++) {
        hkt_connection *c[2];
        char byte;
        void *made;
        size_t size;
        must_link(link, c);
        say(c[1], "last");
        hkt_connection_destroy(c[1]);
        hear(c[0], "last");
        for (int i = 0; i < 2; i++) {
            CHECK_EQ(hkt_connection_poll(c[0], hkt_after(0)), 1);
            CHECK_EQ(hkt_connection_poll(c[0], (hkt_deadline){ 0 }), 1);
            CHECK_EQ(hkt_connection_recv(c[0], &byte, 1), -ENODATA);
            CHECK_EQ(hkt_connection_recv_alloc(c[0], &made, &size, 0), -ENODATA);
            CHECK_EQ(hkt_connection_next_size(c[0]), -ENODATA);
            if (link == DUPLEX)
                CHECK_EQ(hkt_connection_recv_fd(c[0]), -ENODATA);
        }
        hkt_connection_destroy(c[0]);
        check_finalized();
    }
}

TEST(the_end_within_a_message_is_a_broken_pipe)
{
    static const struct {
        const char *bytes;
        size_t size;
    } parts[] = {
        { "\0", 1 },           { "\0\0\0", 3 },           { "\0\0\0\5", 4 },
        { "\0\0\0\5four", 8 }, { "\xff\xff\xff\xff", 4 }, { "\xff\xff\xff\xff\0\0\0\0\0\0\0", 11 }
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        int fd;
        char data[8];
        hkt_connection *connection = must_face(&fd);
        utter(fd, parts[i].bytes, parts[i].size);
        CHECK_EQ(close(fd), 0);
        CHECK_EQ(hkt_connection_recv(connection, data, sizeof data), -EPIPE);
        CHECK_EQ(hkt_connection_recv(connection, data, sizeof data), -EPIPE);
        hkt_connection_destroy(connection);
    }
    check_finalized();
}

TEST(who_went_with_something_unread_has_gone_all_the_same)
{
    hkt_connection *c[2];
    char byte;
    must_link(DUPLEX, c);
    say(c[0], "never read");
    say(c[1], "last");
    hkt_connection_destroy(c[1]);
    hear(c[0], "last");
    CHECK_EQ(hkt_connection_recv(c[0], &byte, 1), -ENODATA);
    hkt_connection_destroy(c[0]);
    check_finalized();
}

TEST(a_size_that_makes_no_sense_is_a_bad_message)
{
    static const char *const sizes[] = {
        "\x80\0\0\0----------------",
        "\xff\xff\xff\xfe----------------",
        "GET / HTTP/1.0\r\n\r\n-",
        "\xff\xff\xff\xff\x80\0\0\0\0\0\0\0-------",
        "\xff\xff\xff\xff\0\0\1\0\0\0\0\1-------",
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff-------",
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int fd;
        char data[8];
        void *made;
        size_t size;
        hkt_connection *connection = must_face(&fd);
        utter(fd, sizes[i], 19);
        /* A gigabyte of HTTP is no nonsense, but there is no room for it. */
        int err = i == 2 ? -EMSGSIZE : -EBADMSG;
        CHECK_EQ(hkt_connection_recv(connection, data, sizeof data), err);
        CHECK_EQ(hkt_connection_recv_alloc(connection, &made, &size, 0), err);
        CHECK_EQ(hkt_connection_next_size(connection), i == 2 ? 0x47455420 : -EBADMSG);
        CHECK_EQ(hkt_connection_poll(connection, hkt_after(0)), 1);
        say(connection, "the other way goes on");
        CHECK_EQ(close(fd), 0);
        hkt_connection_destroy(connection);
    }
    check_finalized();
}

TEST(what_is_longer_than_int_max_is_told_apart)
{
    int fd;
    char data[8];
    hkt_connection *connection = must_face(&fd);
    utter(fd, "\xff\xff\xff\xff\0\0\0\1\0\0\0\0", 12);
    CHECK_EQ(hkt_connection_next_size(connection), -EOVERFLOW);
    CHECK_EQ(hkt_connection_recv(connection, data, sizeof data), -EMSGSIZE);
    CHECK_EQ(hkt_connection_recv(connection, data, SIZE_MAX), -EMSGSIZE);
    CHECK_EQ(close(fd), 0);
    hkt_connection_destroy(connection);
    check_finalized();
}

TEST(to_send_to_nobody_is_a_broken_pipe)
{
    for (int link = 0; link < LINKS; link++) {
        hkt_connection *c[2];
        int err = 0;
        must_link(link, c);
        hkt_connection_destroy(c[0]);
        for (int i = 0; i < 100 && err == 0; i++) {
            err = hkt_connection_send(c[1], "x", 1);
            if (err == 0)
                await_moment(); /* TCP hears of it later */
        }
        CHECK_EQ(err, -EPIPE);
        hkt_connection_destroy(c[1]);
    }
    check_finalized();
}

TEST(a_closed_connection_is_shut_down)
{
    hkt_connection *c[2];
    char byte;
    must_link(DUPLEX, c);
    CHECK(!hkt_connection_closed(c[0]));
    hkt_connection_close(c[0]);
    hkt_connection_close(c[0]);
    CHECK(hkt_connection_closed(c[0]));
    CHECK_EQ(hkt_connection_send(c[0], "x", 1), -ESHUTDOWN);
    CHECK_EQ(hkt_connection_recv(c[0], &byte, 1), -ESHUTDOWN);
    CHECK_EQ(hkt_connection_next_size(c[0]), -ESHUTDOWN);
    CHECK_EQ(hkt_connection_poll(c[0], hkt_after(0)), -ESHUTDOWN);
    CHECK_EQ(hkt_connection_send_fd(c[0], 0), -ESHUTDOWN);
    CHECK_EQ(hkt_connection_recv_fd(c[0]), -ESHUTDOWN);
    CHECK_EQ(hkt_connection_fileno(c[0]), -ESHUTDOWN);
    CHECK_EQ(hkt_connection_recv(c[1], &byte, 1), -ENODATA);
    unlink_both(c);
    hkt_connection_destroy(NULL);
    check_finalized();
}

TEST(an_fd_is_adopted_for_what_it_can_do)
{
    int fds[2];
    hkt_connection *c[2];
    CHECK_EQ(pipe(fds), 0);
    errno = 4711;
    CHECK_EQ(hkt_connection_adopt(&c[0], fds[0]), 0);
    CHECK_EQ(hkt_connection_adopt(&c[1], fds[1]), 0);
    CHECK_EQ(errno, 4711);
    CHECK(hkt_connection_readable(c[0]) && !hkt_connection_writable(c[0]));
    CHECK(!hkt_connection_readable(c[1]) && hkt_connection_writable(c[1]));
    CHECK_EQ(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
    say(c[1], "adopted");
    hear(c[0], "adopted");
    unlink_both(c);
    CHECK_EQ(fcntl(fds[0], F_GETFD), -1);
    check_finalized();
}

TEST(what_is_no_connection_is_not_adopted_but_closed)
{
    hkt_connection *connection = NULL;
    int fds[] = { open("/dev/null", O_RDWR), open("/", O_RDONLY), socket(AF_UNIX, SOCK_DGRAM, 0),
                  socket(AF_INET, SOCK_STREAM, 0) };
    CHECK_EQ(listen(fds[3], 1), 0);
    for (int i = 0; i < 4; i++) {
        CHECK(fds[i] >= 0);
        CHECK_EQ(hkt_connection_adopt(&connection, fds[i]), -EINVAL);
        CHECK_EQ(fcntl(fds[i], F_GETFD), -1);
    }
    CHECK_EQ(hkt_connection_adopt(&connection, fds[0]), -EBADF);
    CHECK_EQ(hkt_connection_adopt(&connection, -1), -EBADF);
    CHECK(connection == NULL);
    check_finalized();
}

TEST(an_item_is_sent_with_its_size)
{
    hkt_connection *c[2];
    struct point {
        int x, y;
    } point = { 3, 4 }, back = { 0, 0 };
    must_link(DUPLEX, c);
    CHECK_EQ(hkt_connection_send(c[1], HKT_ITEM(point)), 0);
    CHECK_EQ(hkt_connection_recv(c[0], HKT_ITEM(back)), sizeof point);
    CHECK(back.x == 3 && back.y == 4);
    unlink_both(c);
    check_finalized();
}

TEST(poll_looks_waits_and_gives_up)
{
    for (int link = 0; link < LINKS; link++) {
        hkt_connection *c[2];
        must_link(link, c);
        CHECK_EQ(hkt_connection_poll(c[0], hkt_after(0)), 0);
        double start = hkt_monotonic();
        CHECK_EQ(hkt_connection_poll(c[0], hkt_after(0.02)), 0);
        CHECK(hkt_monotonic() - start >= 0.02);
        struct parcel asked = { .connection = c[0] };
        struct beside poller;
        beside_start_waiting(&poller, call_poll, &asked, c[0]);
        say(c[1], "");
        CHECK_EQ(beside_end(&poller), 1);
        CHECK_EQ(hkt_connection_poll(c[0], hkt_after(0)), 1);
        CHECK_EQ(hkt_connection_next_size(c[0]), 0);
        CHECK_EQ(hkt_connection_poll(c[0], hkt_after(0)), 1); /* though nothing is to be read */
        hear(c[0], "");
        CHECK_EQ(hkt_connection_poll(c[0], hkt_after(0)), 0);
        unlink_both(c);
    }
    check_finalized();
}

/* Three gigabytes where there is memory for it; under sanitizers, less. */
TEST_TIMEOUT(a_message_may_be_longer_than_two_gigabytes, 240)
{
    size_t size = (size_t)(((uint64_t)3 << 30) * (test_scale() < 1 ? 0.002 : 1)) + 5;
    long pages = sysconf(_SC_AVPHYS_PAGES);
    if ((uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) < (uint64_t)size * 3)
        TEST_SKIP("not enough memory for a message of three gigabytes");
    hkt_connection *c[2];
    struct beside sender;
    unsigned char *data = malloc(size), *got;
    void *made = NULL;
    size_t length = 0;
    must_link(DUPLEX, c);
    for (size_t i = 0; i < size; i += 4096)
        data[i] = (unsigned char)(i >> 12);
    data[size - 1] = 0x5a;
    struct parcel out = { .connection = c[1], .data = data, .size = size };
    beside_start(&sender, call_send, &out);
    CHECK_EQ(hkt_connection_next_size(c[0]), size > INT32_MAX ? -EOVERFLOW : (int)size);
    CHECK_EQ(hkt_connection_recv_alloc(c[0], &made, &length, size), 0);
    CHECK_EQ(beside_end(&sender), 0);
    CHECK_EQ(length, size);
    got = made;
    for (size_t i = 0; i < size - 1; i += 4096)
        CHECK_EQ(got[i], (unsigned char)(i >> 12));
    CHECK_EQ(got[size - 1], 0x5a);
    hkt_connection_free(made);
    free(data);
    say(c[1], "and small ones go on");
    hear(c[0], "and small ones go on");
    unlink_both(c);
    check_finalized();
}
