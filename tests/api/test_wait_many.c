/* SPDX-License-Identifier: MIT */
/* Waiting for some of many fds. */
#include <hocket.h>
#include <sys/resource.h>

#include "connections.h"

struct asked {
    const int *fds;
    bool *ready;
    size_t count;
};

static int call_wait_many(void *arg)
{
    struct asked *asked = arg;
    return hkt_wait_many(asked->fds, asked->ready, asked->count);
}

TEST(who_is_ready_is_told_at_once)
{
    hkt_connection *a[2], *b[2];
    must_link(DUPLEX, a);
    must_link(SIMPLEX, b);
    int fds[] = { hkt_connection_fileno(a[0]), hkt_connection_fileno(b[0]) };
    bool ready[2] = { true, true };
    errno = 4711;
    CHECK_EQ(hkt_wait_many_until(fds, ready, 2, hkt_after(0)), -ETIMEDOUT);
    CHECK(!ready[0] && !ready[1]);
    say(b[1], "here");
    CHECK_EQ(hkt_wait_many(fds, ready, 2), 1);
    CHECK(!ready[0] && ready[1]);
    say(a[1], "here");
    CHECK_EQ(hkt_wait_many_until(fds, ready, 2, hkt_after(0)), 2);
    CHECK(ready[0] && ready[1]);
    CHECK_EQ(errno, 4711);
    unlink_both(a);
    unlink_both(b);
    check_finalized();
}

TEST(the_end_counts_as_ready)
{
    for (int link = 0; link < LINKS; link++) {
        hkt_connection *c[2];
        must_link(link, c);
        int fd = hkt_connection_fileno(c[0]);
        bool ready = false;
        hkt_connection_close(c[1]);
        CHECK_EQ(hkt_wait_many(&fd, &ready, 1), 1);
        CHECK(ready);
        unlink_both(c);
    }
    check_finalized();
}

TEST(a_wait_ends_with_the_first_of_many)
{
    enum { COUNT = 130 };
    int pipes[COUNT][2], fds[COUNT];
    bool ready[COUNT];
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(pipe2(pipes[i], O_CLOEXEC), 0);
        fds[i] = pipes[i][0];
    }
    for (int i = 0; i < COUNT; i += 43) {
        struct asked asked = { fds, ready, COUNT };
        struct beside waiter;
        char byte;
        beside_start(&waiter, call_wait_many, &asked);
        CHECK_EQ(hkt_sleep(0.005), 0); /* likely, it waits; it need not */
        CHECK_EQ(write(pipes[i][1], "x", 1), 1);
        CHECK_EQ(beside_end(&waiter), 1);
        for (int j = 0; j < COUNT; j++)
            CHECK_EQ(ready[j], j == i);
        CHECK_EQ(read(pipes[i][0], &byte, 1), 1);
    }
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(close(pipes[i][0]) + close(pipes[i][1]), 0);
    check_finalized();
}

TEST(a_deadline_that_passes_is_told)
{
    int fds[2];
    bool ready[2] = { true, true };
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    int asked[] = { fds[0], fds[0] };
    double start = hkt_monotonic();
    CHECK_EQ(hkt_wait_many_until(asked, ready, 2, hkt_after(0.02)), -ETIMEDOUT);
    CHECK(hkt_monotonic() - start >= 0.02);
    CHECK(!ready[0] && !ready[1]);
    CHECK_EQ(close(fds[0]) + close(fds[1]), 0);
    check_finalized();
}

TEST(nothing_to_wait_for_waits_for_the_deadline)
{
    double start = hkt_monotonic();
    CHECK_EQ(hkt_wait_many_until(NULL, NULL, 0, hkt_after(0.02)), -ETIMEDOUT);
    CHECK(hkt_monotonic() - start >= 0.02);
    CHECK_EQ(hkt_wait_many_until(NULL, NULL, 0, hkt_after(0)), -ETIMEDOUT);
    CHECK_EQ(hkt_wait_many_until(NULL, NULL, 0, hkt_after(-1)), -ETIMEDOUT);
    struct asked asked = { NULL, NULL, 0 };
    struct beside waiter;
    beside_start(&waiter, call_wait_many, &asked);
    beside_cancel(&waiter);
    CHECK_EQ(beside_end(&waiter), -ECANCELED);
    check_finalized();
}

TEST(the_same_fd_may_be_asked_for_twice)
{
    hkt_connection *c[2];
    struct beside waiter;
    must_link(DUPLEX, c);
    int fd = hkt_connection_fileno(c[0]);
    int fds[] = { fd, fd, fd };
    bool ready[3] = { false };
    struct asked asked = { fds, ready, 3 };
    beside_start(&waiter, call_wait_many, &asked);
    CHECK_EQ(hkt_sleep(0.005), 0);
    say(c[1], "x");
    CHECK_EQ(beside_end(&waiter), 3);
    CHECK(ready[0] && ready[1] && ready[2]);
    unlink_both(c);
    check_finalized();
}

TEST(files_are_always_ready)
{
    int fds[2];
    bool ready[2] = { true, false };
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK(file >= 0);
    int asked[] = { fds[0], file };
    CHECK_EQ(hkt_wait_many(asked, ready, 2), 1);
    CHECK(!ready[0] && ready[1]);
    CHECK_EQ(close(fds[0]) + close(fds[1]) + close(file), 0);
    check_finalized();
}

TEST(what_is_no_fd_is_told)
{
    int fds[2];
    bool ready[2];
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    CHECK_EQ(hkt_wait_many((int[]){ fds[0], -1 }, ready, 2), -EBADF);
    CHECK_EQ(hkt_wait_many((int[]){ fds[0], 100000 }, ready, 2), -EBADF);
    CHECK_EQ(close(fds[0]) + close(fds[1]), 0);
    check_finalized();
}

TEST(a_cancelled_wait_has_taken_nothing)
{
    hkt_connection *c[2];
    struct beside waiter;
    must_link(DUPLEX, c);
    int fd = hkt_connection_fileno(c[0]);
    bool ready;
    struct asked asked = { &fd, &ready, 1 };
    beside_start(&waiter, call_wait_many, &asked);
    beside_cancel(&waiter);
    CHECK_EQ(beside_end(&waiter), -ECANCELED);
    say(c[1], "x");
    hear(c[0], "x");
    unlink_both(c);
    check_finalized();
}

TEST(without_a_free_fd_it_says_so)
{
    int fds[2];
    bool ready;
    struct rlimit before, none;
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    int free_one = dup(fds[0]); /* all below it are taken */
    CHECK_EQ(close(free_one), 0);
    none.rlim_cur = (rlim_t)free_one;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    int err = hkt_wait_many_until(fds, &ready, 1, hkt_after(10));
    int now = hkt_wait_many_until(fds, &ready, 1, hkt_after(0));
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK_EQ(err, -EMFILE);
    CHECK_EQ(now, -ETIMEDOUT);
    CHECK_EQ(close(fds[0]) + close(fds[1]), 0);
    check_finalized();
}

TEST(more_may_be_asked_for_than_the_process_may_have)
{
    int fds[2], asked[100];
    bool ready[100];
    struct rlimit before, few;
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    for (int i = 0; i < 100; i++)
        asked[i] = fds[0];
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 40;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    CHECK_EQ(hkt_wait_many_until(asked, ready, 100, hkt_after(0.01)), -ETIMEDOUT);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(hkt_wait_many(asked, ready, 100), 100);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK_EQ(close(fds[0]) + close(fds[1]), 0);
    check_finalized();
}
