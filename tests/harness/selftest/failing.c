/* SPDX-License-Identifier: MIT */
/*
 * A program whose job is to fail: each test breaks one rule of the harness.
 * tests/api/test_harness.c runs them and checks that the runner notices.
 */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(passes)
{
    CHECK(1 + 1 == 2);
    CHECK_EQ(1 + 1, 2);
    CHECK_STR("a", "a");
}

TEST(fails_a_check)
{
    CHECK(1 + 1 == 3);
}

TEST(fails_an_equality)
{
    CHECK_EQ(40 + 1, 42);
}

TEST(fails_a_string)
{
    CHECK_STR("hocket", "hoquet");
}

TEST(leaks_an_fd)
{
    CHECK(open("/dev/null", O_RDONLY) >= 0);
}

static void *sleep_long(void *arg)
{
    sleep(100);
    return arg;
}

TEST(leaks_a_thread)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, sleep_long, NULL), 0);
}

TEST(leaves_a_child)
{
    if (fork() == 0) {
        sleep(100);
        _exit(0);
    }
}

TEST(leaves_a_zombie)
{
    siginfo_t info;
    if (fork() == 0)
        _exit(0);
    CHECK_EQ(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0); /* it has ended, and stays */
}

/* The test itself ends well; its grandchild, in a session of its own, is left. */
TEST(leaves_an_orphan)
{
    _Exit(fork() == 0 ? (fork() == 0 ? (setsid(), (int)sleep(100)) : 0) : 0);
}

TEST(leaves_mappings)
{
    for (int i = 0; i < 200; i++) /* alternating, so that the kernel cannot merge them */
        CHECK(mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

TEST_TIMEOUT(hangs, 0.3)
{
    for (;;)
        pause();
}

TEST(crashes)
{
    raise(SIGSEGV);
}

TEST(exits_early)
{
    exit(3);
}

TEST(returns_in_a_child)
{
    fork();
}

TEST(skips)
{
    TEST_SKIP("no such machine");
}

TEST_ABORTS(aborts_as_told, "the reason")
{
    fprintf(stderr, "here is the reason: none\n");
    abort();
}

TEST_ABORTS(aborts_without_the_sentence, "the reason")
{
    printf("the reason\n"); /* on stdout, which does not count */
    fflush(stdout);
    abort();
}

TEST_ABORTS(does_not_abort, "the reason")
{
    fprintf(stderr, "the reason\n");
}

TEST(prints_its_seed)
{
    printf("seed %llu\n", (unsigned long long)test_seed());
    CHECK(!"fail, to be seen");
}

TEST(prints_a_megabyte)
{
    for (int i = 0; i < 10000; i++)
        printf("%99d\n", i);
    CHECK(!"fail, to be seen");
}
