/* SPDX-License-Identifier: MIT */
/* The end of a program that has not joined its threads: it is held for a second at the most,
 * tells who still runs, and ends. Each in a child, which calls exit as main's return does. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "waits.h"

/* What a child said on its standard error, how it ended, and how long that took. */
struct ending {
    char said[2048];
    int code;
    double took;
};

static void run_to_the_end(void (*body)(void), struct ending *ending)
{
    int fds[2], status = 0;
    size_t length = 0;
    ssize_t got;
    CHECK_EQ(pipe(fds), 0);
    double before = hkt_monotonic();
    pid_t child = fork();
    if (child == 0) {
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        body();
        exit(7);
    }
    close(fds[1]);
    while ((got = read(fds[0], ending->said + length, sizeof ending->said - 1 - length)) > 0)
        length += (size_t)got;
    ending->said[length] = '\0';
    close(fds[0]);
    CHECK_EQ(waitpid(child, &status, 0), child);
    ending->took = hkt_monotonic() - before;
    CHECK(WIFEXITED(status));
    ending->code = WEXITSTATUS(status);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int speak_later(void *arg)
{
    int err = hkt_sleep(0.1);
    dprintf(STDERR_FILENO, "%s\n", (const char *)arg);
    return err;
}

static int wait_for_ever(void *arg)
{
    static hkt_event never;
    (void)arg;
    return hkt_event_wait(&never);
}

static void start_and_join(void)
{
    must_join(must_spawn(nothing, NULL, NULL));
}

TEST(a_program_whose_threads_have_ended_ends_at_once)
{
    struct ending ending;
    run_to_the_end(start_and_join, &ending);
    CHECK_EQ(ending.code, 7);
    CHECK_STR(ending.said, "");
}

static void start_two(void)
{
    CHECK_EQ(hkt_thread_spawn(NULL, speak_later, "one", NULL), 0);
    CHECK_EQ(hkt_thread_spawn(NULL, speak_later, "two", NULL), 0);
}

TEST(threads_that_end_soon_are_waited_for)
{
    struct ending ending;
    run_to_the_end(start_two, &ending);
    CHECK_EQ(ending.code, 7);
    CHECK(strstr(ending.said, "one\n"));
    CHECK(strstr(ending.said, "two\n"));
    CHECK(!strstr(ending.said, "hocket:"));
}

static void start_stuck(void)
{
    hkt_thread_options options = { .name = "stuck-one" };
    hkt_thread *thread = must_spawn(wait_for_ever, NULL, &options);
    await_asleep(thread);
}

TEST(a_thread_that_does_not_end_is_named)
{
    struct ending ending;
    run_to_the_end(start_stuck, &ending);
    CHECK_EQ(ending.code, 7);
    CHECK(strstr(ending.said, "hocket: "));
    CHECK(strstr(ending.said, "\"stuck-one\""));
    CHECK(strstr(ending.said, "blocked"));
    CHECK(!strstr(ending.said, "\"main\""));
    CHECK(ending.took >= 1);
    CHECK(ending.took < 1 + SOON);
}

static void start_daemon(void)
{
    hkt_thread_options options = { .name = "a daemon", .daemon = HKT_DAEMON_YES };
    hkt_thread *thread = must_spawn(wait_for_ever, NULL, &options);
    await_asleep(thread);
}

TEST(daemons_are_not_waited_for)
{
    struct ending ending;
    run_to_the_end(start_daemon, &ending);
    CHECK_EQ(ending.code, 7);
    CHECK_STR(ending.said, "");
}

static int exit_in_a_thread(void *arg)
{
    (void)arg;
    exit(9);
}

static void start_one_that_exits(void)
{
    hkt_thread *thread = must_spawn(exit_in_a_thread, NULL, NULL);
    hkt_thread_join(thread);
}

TEST(a_thread_may_end_the_program)
{
    struct ending ending;
    run_to_the_end(start_one_that_exits, &ending);
    CHECK_EQ(ending.code, 9); /* and it does not wait for itself */
    CHECK_STR(ending.said, "");
}

static void end_in_an_ended_scope(void)
{
    static hkt_scope scope;
    hkt_scope_enter(&scope, NULL);
    hkt_scope_cancel(&scope);
    CHECK_EQ(hkt_thread_spawn(NULL, speak_later, "one", NULL), 0);
}

TEST(an_ended_scope_does_not_shorten_that)
{
    struct ending ending;
    run_to_the_end(end_in_an_ended_scope, &ending);
    CHECK_EQ(ending.code, 7);
    CHECK_STR(ending.said, "one\n");
}

static void end_quickly(void)
{
    start_stuck();
    _exit(5);
}

TEST(an_underscored_exit_is_not_held)
{
    struct ending ending;
    run_to_the_end(end_quickly, &ending);
    CHECK_EQ(ending.code, 5);
    CHECK_STR(ending.said, "");
}

static void fork_beside_a_stuck_thread(void)
{
    start_stuck();
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        exit(3); /* the stuck thread is not in this process */
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 3);
    _exit(4);
}

TEST(the_child_of_a_fork_is_not_held)
{
    struct ending ending;
    run_to_the_end(fork_beside_a_stuck_thread, &ending);
    CHECK_EQ(ending.code, 4);
    CHECK(!strstr(ending.said, "hocket:")); /* a sanitizer may wonder where the thread is */
}
