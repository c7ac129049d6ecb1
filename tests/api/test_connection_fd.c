/* SPDX-License-Identifier: MIT */
/* Fds over connections. */
#include <hocket.h>
#include <sys/resource.h>

#include "connections.h"

/* A pipe whose reading end has been sent over. */
static void check_passed(int fd, int writer)
{
    char byte = 0;
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(write(writer, "!", 1), 1);
    CHECK_EQ(read(fd, &byte, 1), 1);
    CHECK_EQ(byte, '!');
}

static void must_pipe(int fds[2])
{
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
}

TEST(an_fd_goes_over_and_stays_with_its_sender)
{
    hkt_connection *c[2];
    int fds[2];
    must_link(DUPLEX, c);
    must_pipe(fds);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(hkt_connection_send_fd(c[i], fds[0]), 0);
        CHECK_EQ(hkt_connection_poll(c[1 - i], hkt_after(0)), 1);
        int fd = hkt_connection_recv_fd(c[1 - i]);
        check_passed(fd, fds[1]);
        CHECK_EQ(close(fd), 0);
    }
    CHECK_EQ(close(fds[0]) + close(fds[1]), 0);
    unlink_both(c);
    check_finalized();
}

TEST(who_waits_for_an_fd_gets_it)
{
    hkt_connection *c[2];
    int fds[2];
    struct beside receiver;
    must_link(DUPLEX, c);
    must_pipe(fds);
    struct parcel parcel = { .connection = c[0] };
    beside_start_waiting(&receiver, call_recv_fd, &parcel, c[0]);
    CHECK_EQ(hkt_connection_send_fd(c[1], fds[0]), 0);
    int fd = beside_end(&receiver);
    check_passed(fd, fds[1]);
    CHECK_EQ(close(fd) + close(fds[0]) + close(fds[1]), 0);
    unlink_both(c);
    check_finalized();
}

TEST(fds_and_messages_keep_their_order_and_are_not_taken_for_each_other)
{
    hkt_connection *c[2];
    int fds[2];
    char data[8];
    void *made;
    size_t size;
    must_link(DUPLEX, c);
    must_pipe(fds);
    say(c[1], "before");
    CHECK_EQ(hkt_connection_send_fd(c[1], fds[0]), 0);
    CHECK_EQ(hkt_connection_send_fd(c[1], fds[1]), 0);
    say(c[1], "");
    CHECK_EQ(hkt_connection_recv_fd(c[0]), -EBADMSG);
    CHECK_EQ(hkt_connection_next_size(c[0]), 6);
    CHECK_EQ(hkt_connection_recv_fd(c[0]), -EBADMSG);
    hear(c[0], "before");
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(hkt_connection_recv(c[0], data, sizeof data), -EBADMSG);
        CHECK_EQ(hkt_connection_recv_alloc(c[0], &made, &size, 0), -EBADMSG);
        CHECK_EQ(hkt_connection_next_size(c[0]), -EBADMSG);
        CHECK_EQ(hkt_connection_poll(c[0], hkt_after(0)), 1);
    }
    int reader = hkt_connection_recv_fd(c[0]), writer = hkt_connection_recv_fd(c[0]);
    CHECK(writer >= 0);
    check_passed(reader, writer);
    CHECK_EQ(hkt_connection_recv_fd(c[0]), -EBADMSG);
    hear(c[0], "");
    CHECK_EQ(close(fds[0]) + close(fds[1]) + close(reader) + close(writer), 0);
    unlink_both(c);
    check_finalized();
}

TEST(an_fd_that_nobody_fetches_is_closed)
{
    hkt_connection *c[2];
    int fds[2];
    char byte;
    must_link(DUPLEX, c);
    must_pipe(fds);
    CHECK_EQ(hkt_connection_send_fd(c[1], fds[1]), 0);
    CHECK_EQ(hkt_connection_send_fd(c[1], fds[1]), 0);
    CHECK_EQ(hkt_connection_recv(c[0], &byte, 1), -EBADMSG); /* the first is ours now */
    CHECK_EQ(close(fds[1]), 0);
    unlink_both(c);
    CHECK_EQ(read(fds[0], &byte, 1), 0); /* the end: nobody has the other one */
    CHECK_EQ(close(fds[0]), 0);
    check_finalized();
}

TEST(what_is_no_fd_is_not_sent)
{
    hkt_connection *c[2];
    must_link(DUPLEX, c);
    CHECK_EQ(hkt_connection_send_fd(c[1], -1), -EBADF);
    CHECK_EQ(hkt_connection_send_fd(c[1], 100000), -EBADF);
    say(c[1], "and nothing of it went");
    hear(c[0], "and nothing of it went");
    CHECK_EQ(hkt_connection_send_fd(c[1], hkt_connection_fileno(c[0])), 0); /* that is one */
    int fd = hkt_connection_recv_fd(c[0]);
    CHECK(fd >= 0);
    CHECK_EQ(close(fd), 0);
    hkt_connection_destroy(c[0]);
    CHECK_EQ(hkt_connection_send_fd(c[1], 0), -EPIPE);
    hkt_connection_destroy(c[1]);
    check_finalized();
}

TEST(over_tcp_no_fd_goes)
{
    hkt_connection *c[2];
    must_link(OVER_TCP, c);
    CHECK_EQ(hkt_connection_send_fd(c[1], 0), -EOPNOTSUPP);
    CHECK_EQ(hkt_connection_recv_fd(c[0]), -EOPNOTSUPP);
    unlink_both(c);
    check_finalized();
}

/* Bytes with that many fds beside them. */
static void utter_with(int to, const char *bytes, size_t size, int fd, int count)
{
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(16 * sizeof(int))];
    } control = { .bytes = { 0 } };
    struct iovec piece = { (void *)(uintptr_t)bytes, size };
    struct msghdr message = { .msg_iov = &piece,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int)) };
    struct cmsghdr *part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    for (int i = 0; i < count; i++)
        memcpy(CMSG_DATA(part) + (size_t)i * sizeof(int), &fd, sizeof fd);
    CHECK_EQ(sendmsg(to, &message, MSG_NOSIGNAL), size);
}

/* That nothing is left open is seen by the harness. */
TEST(fds_that_come_otherwise_are_bad_messages_and_are_closed)
{
    static const struct {
        const char *bytes;
        size_t size;
        int count;
    } cases[] = { { "\1", 1, 2 },  { "\1", 1, 16 },       { "\2", 1, 1 },
                  { "\0", 1, 16 }, { "\0\0\0\1x", 5, 1 }, { "\1\1", 2, 1 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int first = 0; first < 2; first++) {
            int fd;
            char data[8];
            hkt_connection *connection = must_face(&fd);
            utter_with(fd, cases[i].bytes, cases[i].size, fd, cases[i].count);
            utter(fd, "\0\0\0\1y", 5);
            int err = first ? hkt_connection_recv(connection, data, sizeof data)
                            : hkt_connection_recv_fd(connection);
            if (i == 5 && first == 0) { /* one fd, and a byte more than it needs */
                CHECK(err >= 0);
                CHECK_EQ(close(err), 0);
            } else if (i == 1 && first == 1) { /* as if there were no place for it */
                CHECK_EQ(err, -EMFILE);
            } else {
                CHECK_EQ(err, -EBADMSG);
            }
            CHECK_EQ(close(fd), 0);
            hkt_connection_destroy(connection);
        }
    check_finalized();
}

/* Beside bytes of a message's middle they are dropped by the kernel. */
TEST(fds_in_the_middle_of_a_message_are_nobodys)
{
    int fd;
    char data[8] = { 0 };
    hkt_connection *connection = must_face(&fd);
    utter(fd, "\0\0\0", 3);
    CHECK_EQ(hkt_connection_poll(connection, hkt_after(0)), 1);
    struct beside reader;
    struct parcel parcel = { .connection = connection, .data = data, .size = sizeof data };
    beside_start_waiting(&reader, call_recv, &parcel, connection);
    utter_with(fd, "\3a", 2, fd, 3);
    utter_with(fd, "bc", 2, fd, 1);
    CHECK_EQ(beside_end(&reader), 3);
    CHECK_STR(data, "abc");
    CHECK_EQ(close(fd), 0);
    hkt_connection_destroy(connection);
    check_finalized();
}

TEST(an_fd_for_which_no_number_is_free_stays_until_one_is)
{
    hkt_connection *c[2];
    int fds[2];
    struct rlimit before, none;
    must_link(DUPLEX, c);
    must_pipe(fds);
    CHECK_EQ(hkt_connection_send_fd(c[1], fds[0]), 0);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK_EQ(hkt_connection_recv_fd(c[0]), -EMFILE);
    CHECK_EQ(hkt_connection_recv_fd(c[0]), -EMFILE);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    int fd = hkt_connection_recv_fd(c[0]);
    check_passed(fd, fds[1]);
    CHECK_EQ(close(fd) + close(fds[0]) + close(fds[1]), 0);
    unlink_both(c);
    check_finalized();
}

TEST(large_numbers_of_fds_arrive)
{
    hkt_connection *c[2];
    int fds[2];
    struct rlimit limit;
    must_link(DUPLEX, c);
    must_pipe(fds);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 400)
        TEST_SKIP("fewer than 400 fds");
    int high = fcntl(fds[0], F_DUPFD_CLOEXEC, 300);
    CHECK(high >= 300);
    CHECK_EQ(hkt_connection_send_fd(c[1], high), 0);
    int fd = hkt_connection_recv_fd(c[0]);
    check_passed(fd, fds[1]);
    CHECK_EQ(close(fd) + close(high) + close(fds[0]) + close(fds[1]), 0);
    unlink_both(c);
    check_finalized();
}
