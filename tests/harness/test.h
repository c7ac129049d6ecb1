/* SPDX-License-Identifier: MIT */
/*
 * The test harness: what a test sees.
 *
 *     #include "test.h"
 *
 *     TEST(a_lock_can_be_taken_twice_in_turn)
 *     {
 *         CHECK_EQ(hkt_lock_acquire_nowait(&lock), 0);
 *     }
 *
 * A test program is one or more such files and the harness, which has main().
 * Each test runs as a fresh process in its own session, with a deadline
 * (TIMEOUT below). When its body returns, the process must have as many fds,
 * threads and children as before, and no orphans; else the test fails.
 * A check that fails ends the process at once, from any thread, coroutine or
 * forked child; so a parent must look at its children's exit status.
 *
 * Environment: HOCKET_TEST_TIMEOUT_FACTOR stretches deadlines,
 * HOCKET_TEST_SCALE (percent) sets test_scale(), and HOCKET_TEST_SEED,
 * HOCKET_TEST_REPEAT, HOCKET_TEST_SHUFFLE, HOCKET_TEST_VERBOSE stand for the
 * options of that name. HOCKET_TEST_EMULATOR is the command that runs programs
 * of a foreign processor.
 */
#ifndef HOCKET_TEST_H
#define HOCKET_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TEST_TIMEOUT_DEFAULT 20.0 /* seconds */

struct test_case {
    const char *name;
    void (*body)(void);
    double timeout;         /* seconds, before the factor */
    const char *sentence;   /* of a death test: expected on stderr; else NULL */
    struct test_case *next; /* in order of definition */
};

/* A test. The name says what is true when it passes. */
#define TEST(name) TEST_DEFINE(name, TEST_TIMEOUT_DEFAULT, NULL)

/* A test that may take longer (or must be quicker) than the default. */
#define TEST_TIMEOUT(name, seconds) TEST_DEFINE(name, seconds, NULL)

/* A death test: the body must end by SIGABRT, with this text on stderr. */
#define TEST_ABORTS(name, sentence) TEST_DEFINE(name, TEST_TIMEOUT_DEFAULT, sentence)

#define TEST_DEFINE(name, seconds, sentence)                                                       \
    static void test_body_##name(void);                                                            \
    static struct test_case test_case_##name = { #name, test_body_##name, seconds, sentence,       \
                                                 NULL };                                           \
    __attribute__((constructor)) static void test_register_##name(void)                            \
    {                                                                                              \
        test_register(&test_case_##name);                                                          \
    }                                                                                              \
    static void test_body_##name(void)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            test_fail(__FILE__, __LINE__, "%s", #condition);                                       \
    } while (0)

/* Two integers are equal: (what it is, what it should be). */
#define CHECK_EQ(actual, expected)                                                                 \
    test_check_equal(__FILE__, __LINE__, #actual, #expected, (long long)(actual),                  \
                     (long long)(expected))

/* Two strings are equal; neither may be NULL. */
#define CHECK_STR(actual, expected)                                                                \
    test_check_strings(__FILE__, __LINE__, #actual, actual, expected)

/* Only where the machine lacks something, never to hide a failure. Counted and shown. */
#define TEST_SKIP(reason) test_skip(reason)

/* The seed of this run: from --seed, or random; printed when the test fails. */
uint64_t test_seed(void);

/*
 * How much work to do: 1.0 normally, less under sanitizers and valgrind, more
 * in `make stress`. Multiply counts of repetitions with it; never durations.
 */
double test_scale(void);

/* count * test_scale(), but at least 1. */
long test_scaled(long count);

/* What the macros above call. */
void test_register(struct test_case *test);
__attribute__((noreturn, format(printf, 3, 4))) void test_fail(const char *file, int line,
                                                               const char *format, ...);
__attribute__((noreturn)) void test_skip(const char *reason);
void test_check_equal(const char *file, int line, const char *actual_text,
                      const char *expected_text, long long actual, long long expected);
void test_check_strings(const char *file, int line, const char *actual_text, const char *actual,
                        const char *expected);

#ifdef __cplusplus
}
#endif
#endif
