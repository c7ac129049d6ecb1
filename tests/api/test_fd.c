/* SPDX-License-Identifier: MIT */
/* hocket/fd.h: waiting for pipes, sockets and others. Cancels and deadlines are in test_cancel.c
 * too. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "waits.h"

#define BOTH (HKT_READABLE | HKT_WRITABLE)

/* Threads keep an eventfd; for the one of main this gives it back. */
static void end_of_main(void)
{
    CHECK_EQ(hkt_finalize(), 0);
}

static void open_pipe(int fds[2])
{
    CHECK_EQ(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
}

static void close_both(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static int open_fds(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    CHECK(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count - 1;
}

TEST(a_pipe_with_data_is_readable)
{
    int fds[2];
    char byte = 0;
    open_pipe(fds);
    CHECK_EQ(hkt_fd_wait_until(fds[0], HKT_READABLE, hkt_after(0)), -ETIMEDOUT);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    for (int i = 0; i < 3; i++) /* waiting takes nothing out */
        CHECK_EQ(hkt_fd_wait(fds[0], HKT_READABLE), HKT_READABLE);
    CHECK_EQ(hkt_fd_wait_until(fds[0], HKT_READABLE, hkt_after(0)), HKT_READABLE);
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    CHECK_EQ(byte, 'x');
    CHECK_EQ(hkt_fd_wait_until(fds[0], HKT_READABLE, hkt_after(0.001)), -ETIMEDOUT);
    close_both(fds);
    end_of_main();
}

TEST(a_pipe_with_room_is_writable)
{
    struct place place;
    char bytes[4096];
    place_open(&place);
    CHECK_EQ(hkt_fd_wait(place.pipe[1], HKT_WRITABLE), HKT_WRITABLE);
    CHECK_EQ(hkt_fd_wait(place.pipe[1], BOTH), HKT_WRITABLE);
    CHECK_EQ(hkt_fd_wait_until(place.full_pipe[1], HKT_WRITABLE, hkt_after(0)), -ETIMEDOUT);
    while (read(place.full_pipe[0], bytes, sizeof bytes) > 0)
        ;
    CHECK_EQ(hkt_fd_wait(place.full_pipe[1], HKT_WRITABLE), HKT_WRITABLE);
    place_close(&place);
    end_of_main();
}

TEST(only_what_was_asked_for_is_told)
{
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    CHECK_EQ(hkt_fd_wait(fds[0], BOTH), HKT_WRITABLE);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(hkt_fd_wait(fds[0], BOTH), BOTH);
    CHECK_EQ(hkt_fd_wait(fds[0], HKT_READABLE), HKT_READABLE);
    CHECK_EQ(hkt_fd_wait(fds[0], HKT_WRITABLE), HKT_WRITABLE);
    close_both(fds);
    end_of_main();
}

TEST(a_hang_up_counts_as_both)
{
    int fds[2];
    char byte;
    open_pipe(fds);
    close(fds[1]);
    CHECK_EQ(hkt_fd_wait(fds[0], HKT_READABLE), HKT_READABLE);
    CHECK_EQ(hkt_fd_wait(fds[0], BOTH), BOTH);
    CHECK_EQ(hkt_fd_wait(fds[0], HKT_WRITABLE), HKT_WRITABLE);
    CHECK_EQ(read(fds[0], &byte, 1), 0);
    close(fds[0]);
    open_pipe(fds);
    close(fds[0]); /* writing would fail at once */
    CHECK_EQ(hkt_fd_wait(fds[1], HKT_WRITABLE), HKT_WRITABLE);
    CHECK_EQ(hkt_fd_wait(fds[1], HKT_READABLE), HKT_READABLE);
    close(fds[1]);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    close(fds[1]);
    CHECK_EQ(hkt_fd_wait(fds[0], BOTH), BOTH);
    close(fds[0]);
    end_of_main();
}

TEST(end_of_file_is_readable)
{
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    CHECK_EQ(shutdown(fds[1], SHUT_WR), 0);
    CHECK_EQ(hkt_fd_wait(fds[0], HKT_READABLE), HKT_READABLE);
    close_both(fds);
    end_of_main();
}

TEST(a_file_is_always_ready)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_EQ(hkt_fd_wait(fd, HKT_READABLE), HKT_READABLE);
    close(fd);
}

TEST(an_fd_that_is_not_open_is_refused)
{
    int fds[2];
    open_pipe(fds);
    close_both(fds);
    const int bad[] = { fds[0], fds[1], -1, -100, INT_MIN, INT_MAX, 15000 };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(hkt_fd_wait(bad[i], HKT_READABLE), -EBADF);
        CHECK_EQ(hkt_fd_wait(bad[i], BOTH), -EBADF);
        CHECK_EQ(hkt_fd_wait_until(bad[i], HKT_WRITABLE, hkt_after(1)), -EBADF);
        CHECK_EQ(hkt_fd_wait_until(bad[i], HKT_WRITABLE, hkt_after(0)), -EBADF);
    }
}

TEST(other_events_are_refused)
{
    int fds[2];
    const unsigned wrong[] = { 0, 4, 8, BOTH | 4, 0x10000, UINT_MAX };
    open_pipe(fds);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_EQ(hkt_fd_wait(fds[1], wrong[i]), -EINVAL);
    close_both(fds);
}

static int wait_readable(void *arg)
{
    return hkt_fd_wait(*(int *)arg, HKT_READABLE);
}

TEST(who_sleeps_is_woken_by_data)
{
    int fds[2];
    open_pipe(fds);
    hkt_thread *thread = must_spawn(wait_readable, &fds[0], NULL);
    await_asleep(thread);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(join_result(thread), HKT_READABLE);
    close_both(fds);
}

TEST(who_sleeps_is_woken_by_a_hang_up)
{
    int fds[2];
    open_pipe(fds);
    hkt_thread *thread = must_spawn(wait_readable, &fds[0], NULL);
    await_asleep(thread);
    close(fds[1]);
    CHECK_EQ(join_result(thread), HKT_READABLE);
    close(fds[0]);
}

TEST(several_threads_wait_for_one_fd)
{
    int fds[2];
    hkt_thread *threads[4];
    open_pipe(fds);
    for (int i = 0; i < 4; i++)
        threads[i] = must_spawn(wait_readable, &fds[0], NULL);
    for (int i = 0; i < 4; i++)
        await_asleep(threads[i]);
    CHECK_EQ(write(fds[1], "x", 1), 1); /* which nobody takes out */
    for (int i = 0; i < 4; i++)
        CHECK_EQ(join_result(threads[i]), HKT_READABLE);
    close_both(fds);
}

static int accept_one(void *arg)
{
    int server = *(int *)arg;
    int err = hkt_fd_wait(server, HKT_READABLE);
    if (err < 0)
        return err;
    int fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, "hello", 5), 5);
    close(fd);
    return 0;
}

TEST(a_server_waits_for_a_client)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t length = sizeof address;
    char text[8] = "";
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK_EQ(bind(server, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_EQ(getsockname(server, (struct sockaddr *)&address, &length), 0);
    CHECK_EQ(listen(server, 1), 0);
    hkt_thread *thread = must_spawn(accept_one, &server, NULL);
    await_asleep(thread);
    int err = connect(client, (struct sockaddr *)&address, sizeof address);
    CHECK(err == 0 || errno == EINPROGRESS);
    CHECK(hkt_fd_wait(client, HKT_WRITABLE) == HKT_WRITABLE);
    must_join(thread);
    CHECK_EQ(hkt_fd_wait(client, HKT_READABLE), HKT_READABLE);
    CHECK_EQ(read(client, text, sizeof text), 5);
    CHECK_STR(text, "hello");
    close(server);
    close(client);
    end_of_main();
}

TEST(a_refused_connection_is_writable)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t length = sizeof address;
    int refused = 0;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(server, (struct sockaddr *)&address, sizeof address), 0); /* nobody listens */
    CHECK_EQ(getsockname(server, (struct sockaddr *)&address, &length), 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err = connect(client, (struct sockaddr *)&address, sizeof address);
    if (err < 0 && errno == EINPROGRESS) {
        CHECK_EQ(hkt_fd_wait(client, HKT_WRITABLE), HKT_WRITABLE);
        length = sizeof refused;
        CHECK_EQ(getsockopt(client, SOL_SOCKET, SO_ERROR, &refused, &length), 0);
    } else {
        refused = errno;
    }
    CHECK_EQ(refused, ECONNREFUSED);
    close(server);
    close(client);
    end_of_main();
}

TEST(high_numbers_are_fine)
{
    int fds[2];
    open_pipe(fds);
    int high = fcntl(fds[0], F_DUPFD_CLOEXEC, 3000); /* select stops at 1024 */
    if (high < 0)
        TEST_SKIP("fewer than 3000 fds are allowed");
    CHECK_EQ(hkt_fd_wait_until(high, HKT_READABLE, hkt_after(0.001)), -ETIMEDOUT);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(hkt_fd_wait(high, HKT_READABLE), HKT_READABLE);
    close(high);
    close_both(fds);
    end_of_main();
}

TEST(the_flags_of_an_fd_are_left_alone)
{
    int fds[2];
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    int flags = fcntl(fds[0], F_GETFL);
    CHECK_EQ(hkt_fd_wait_until(fds[0], HKT_READABLE, hkt_after(0.001)), -ETIMEDOUT);
    CHECK_EQ(fcntl(fds[0], F_GETFL), flags);
    close_both(fds);
    end_of_main();
}

TEST(a_thread_gives_its_fds_back)
{
    int fds[2], before;
    struct place place;
    place_open(&place);
    open_pipe(fds);
    before = open_fds();
    for (int i = 0; i < 100; i++) {
        struct waiter waiter = { .place = &place, .kind = &wait_kinds[14] };
        waiter.deadline = i % 2 ? hkt_after(0.0005) : (hkt_deadline){ 0 };
        waiter_start(&waiter);
        hkt_scope_cancel(&waiter.scope);
        waiter_join(&waiter);
    }
    CHECK_EQ(open_fds(), before);
    close_both(fds);
    place_close(&place);
}

TEST(a_hundred_waits_use_one_fd)
{
    int fds[2];
    open_pipe(fds);
    CHECK_EQ(hkt_fd_wait_until(fds[0], HKT_READABLE, hkt_after(0.001)), -ETIMEDOUT);
    int before = open_fds();
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(hkt_fd_wait_until(fds[0], HKT_READABLE, hkt_after(0.0002)), -ETIMEDOUT);
        CHECK_EQ(open_fds(), before);
    }
    close_both(fds);
    end_of_main();
    CHECK_EQ(open_fds(), before - 3);
}

TEST(a_ready_fd_needs_no_fd)
{
    int fds[2];
    open_pipe(fds);
    int before = open_fds();
    CHECK_EQ(hkt_fd_wait(fds[1], HKT_WRITABLE), HKT_WRITABLE);
    CHECK_EQ(open_fds(), before);
    close_both(fds);
}

static int echo(void *arg)
{
    const int *fds = arg;
    char byte;
    while (hkt_fd_wait(fds[0], HKT_READABLE) > 0 && read(fds[0], &byte, 1) == 1)
        CHECK_EQ(write(fds[1], &byte, 1), 1);
    return 0;
}

TEST(ping_pong_over_pipes)
{
    int there[2], back[2];
    char byte = 0;
    open_pipe(there);
    open_pipe(back);
    int ends[2] = { there[0], back[1] };
    hkt_thread *thread = must_spawn(echo, ends, NULL);
    for (long i = 0; i < test_scaled(2000); i++) {
        char sent = (char)(i % 100 + 1);
        CHECK_EQ(write(there[1], &sent, 1), 1);
        CHECK_EQ(hkt_fd_wait(back[0], HKT_READABLE), HKT_READABLE);
        CHECK_EQ(read(back[0], &byte, 1), 1);
        CHECK_EQ(byte, sent);
    }
    close(there[1]);
    must_join(thread);
    close(there[0]);
    close_both(back);
    end_of_main();
}
