/* SPDX-License-Identifier: MIT */
/* The process of one test: runs the body, then looks for what it left behind. */
#include "harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *no_thread(void *arg)
{
    return arg;
}

/* Sanitizers start a helper thread with the program's first thread: before the snapshot. */
static void start_helpers(void)
{
    pthread_t thread;
    if (test_has_sanitizer() && pthread_create(&thread, NULL, no_thread, NULL) == 0)
        pthread_join(thread, NULL);
}

/* A death test is judged by what is on stderr: its stdout shall not be there. */
static void silence_stdout(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, STDOUT_FILENO);
        close(null);
    }
}

void (*test_call_in_loop)(void (*body)(void));
const char *const *test_not_in_loop;

void test_body_run(const struct test_case *test, bool in_loop)
{
    pid_t process = getpid();
    struct test_snapshot before;
    if (test->sentence)
        silence_stdout();
    start_helpers();
    /* Twice: reading the first time may itself open or map something for good. */
    test_snapshot_take(&before);
    test_snapshot_take(&before);

    if (in_loop)
        test_call_in_loop(test->body);
    else
        test->body();

    fflush(stdout);
    if (getpid() != process) {
        dprintf(STDERR_FILENO, "a forked child returned from the body of %s\n", test->name);
        _exit(TEST_FAILED);
    }
    if (!test_snapshot_compare(&before))
        _exit(TEST_FAILED);
    exit(TEST_PASSED); /* and not _exit: the leak sanitizer looks at exit */
}
