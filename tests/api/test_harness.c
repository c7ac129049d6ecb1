/* SPDX-License-Identifier: MIT */
/*
 * The test of the tests: runs the program whose job is to fail
 * (tests/harness/selftest) and checks that the runner notices each failure,
 * says why, and counts right.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

struct outcome {
    int code;
    char output[65536];
};

/* Runs a command line through the shell; its exit code and all its output. */
static void run(struct outcome *outcome, const char *program, const char *arguments)
{
    char command[1024];
    snprintf(command, sizeof command,
             "env -u HOCKET_TEST_SUMMARY -u HOCKET_TEST_REPEAT -u HOCKET_TEST_SEED "
             "-u HOCKET_TEST_SHUFFLE -u HOCKET_TEST_VERBOSE %s %s 2>&1",
             program, arguments);
    FILE *pipe = popen(command, "re");
    CHECK(pipe != NULL);
    size_t length = fread(outcome->output, 1, sizeof outcome->output - 1, pipe);
    outcome->output[length] = '\0';
    int status = pclose(pipe);
    CHECK(WIFEXITED(status));
    outcome->code = WEXITSTATUS(status);
}

/* Runs one test of the failing program: its count and what it says. */
static void expect(const char *test, int code, const char *said, const char *count)
{
    static struct outcome outcome;
    char arguments[256];
    snprintf(arguments, sizeof arguments, "-v --seed 7 --filter %s", test);
    run(&outcome, FAILING_PROGRAM, arguments);
    printf("%s", outcome.output);
    CHECK_EQ(outcome.code, code);
    CHECK(strstr(outcome.output, said));
    size_t length = strlen(outcome.output), tail = strlen(count);
    CHECK(length > tail + 1);
    outcome.output[length - 1] = '\0'; /* the newline */
    CHECK_STR(outcome.output + length - 1 - tail, count);
}

static void expect_failure(const char *test, const char *said)
{
    expect(test, 1, said, "0 passed, 1 failed");
}

TEST(a_good_test_passes)
{
    expect("passes", 0, "pass passes", "1 passed, 0 failed");
}

TEST(a_failing_check_is_noticed)
{
    expect_failure("fails_a_check", "check failed: 1 + 1 == 3");
    expect_failure("fails_an_equality", "40 + 1 is 41, not 42");
    expect_failure("fails_a_string", "is \"hocket\", not \"hoquet\"");
}

TEST(a_leaked_fd_is_noticed)
{
    expect_failure("leaks_an_fd", "was left open: /dev/null");
}

TEST(a_leaked_thread_is_noticed)
{
    expect_failure("leaks_a_thread", "threads before,");
}

TEST(a_left_child_is_noticed)
{
    expect_failure("leaves_a_child", "a child process was left running");
    expect_failure("leaves_a_zombie", "was not waited for");
}

TEST(a_left_orphan_is_noticed_and_ended)
{
    expect_failure("leaves_an_orphan", "was left running");
}

TEST(left_mappings_are_noticed)
{
    if (test_scale() < 1)
        TEST_SKIP("sanitizers map memory of their own");
    expect_failure("leaves_mappings", "anonymous mappings before,");
}

TEST(a_hang_is_noticed)
{
    expect_failure("hangs", "it did not end within");
}

TEST(a_crash_is_noticed)
{
    expect_failure("crashes", "FAIL crashes");
}

TEST(an_early_exit_is_noticed)
{
    expect_failure("exits_early", "it exited with 3");
}

TEST(a_child_that_returns_is_noticed)
{
    expect_failure("returns_in_a_child", "a forked child returned from the body");
}

TEST(death_tests_need_the_abort_and_the_sentence)
{
    expect("aborts_as_told", 0, "pass aborts_as_told", "1 passed, 0 failed");
    expect_failure("aborts_without_the_sentence", "did not say: the reason");
    expect_failure("does_not_abort", "expected an abort");
}

TEST(a_skipped_test_is_counted)
{
    expect("skips", 0, "skipped: no such machine", "0 passed, 0 failed, 1 skipped");
}

TEST(the_seed_is_handed_on_and_shown)
{
    expect_failure("prints_its_seed", "seed 7\n");
    expect_failure("prints_its_seed", "--filter prints_its_seed --seed 7\n");
}

TEST(of_very_much_output_both_ends_are_shown)
{
    static struct outcome outcome;
    run(&outcome, FAILING_PROGRAM, "--filter prints_a_megabyte");
    CHECK_EQ(outcome.code, 1);
    CHECK(strlen(outcome.output) < 40000);
    CHECK(strstr(outcome.output, " 0\n"));
    CHECK(strstr(outcome.output, " bytes are not shown "));
    CHECK(strstr(outcome.output, " 9999\n"));
    CHECK(strstr(outcome.output, "check failed: !\"fail, to be seen\""));
}

TEST(repetitions_are_counted)
{
    static struct outcome outcome;
    run(&outcome, FAILING_PROGRAM, "--filter passes --repeat 5 --jobs 3 --shuffle");
    CHECK_EQ(outcome.code, 0);
    CHECK_STR(outcome.output, "5 passed, 0 failed\n");
}

TEST(no_test_is_no_success)
{
    static struct outcome outcome;
    run(&outcome, EMPTY_PROGRAM, "");
    CHECK_EQ(outcome.code, 1);
    CHECK_STR(outcome.output, "0 passed, 0 failed\n");
    run(&outcome, FAILING_PROGRAM, "--filter there_is_no_such_test");
    CHECK_EQ(outcome.code, 1);
    CHECK_STR(outcome.output, "0 passed, 0 failed\n");
}

TEST(a_wrong_option_is_refused)
{
    static struct outcome outcome;
    run(&outcome, FAILING_PROGRAM, "--no-such-option");
    CHECK_EQ(outcome.code, 2);
    CHECK(strstr(outcome.output, "usage:"));
}
