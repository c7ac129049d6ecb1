/* SPDX-License-Identifier: MIT */
/* Checks, the registry of tests, the seed, the scale of work, the clock. */
#include "harness.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#elif __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#endif

/* What the sanitizers ask for at start: no memory is NULL, as it is without them. And a copy, by fork,
 * of a process whose supervisor runs may start one of its own. */
#ifdef UNDER_TSAN
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1:die_after_fork=0";
}
#endif
#ifdef UNDER_ASAN
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
#endif

static struct test_case *first;
static struct test_case **last = &first;
static uint64_t seed;

void test_register(struct test_case *test)
{
    *last = test;
    last = &test->next;
}

struct test_case *test_first(void)
{
    return first;
}

void test_fail(const char *file, int line, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fflush(stdout);
    /* One write, so that two threads that fail do not mix their lines. */
    dprintf(STDERR_FILENO, "%s:%d: check failed: %s\n", file, line, text);
    _exit(TEST_FAILED);
}

void test_skip(const char *reason)
{
    fflush(stdout);
    dprintf(STDERR_FILENO, "skipped: %s\n", reason);
    _exit(TEST_SKIPPED);
}

void test_check_equal(const char *file, int line, const char *actual_text,
                      const char *expected_text, long long actual, long long expected)
{
    if (actual != expected)
        test_fail(file, line, "%s is %lld, not %lld (%s)", actual_text, actual, expected,
                  expected_text);
}

void test_check_strings(const char *file, int line, const char *actual_text, const char *actual,
                        const char *expected)
{
    if (!actual || !expected)
        test_fail(file, line, "%s: a string is NULL", actual_text);
    if (strcmp(actual, expected) != 0)
        test_fail(file, line, "%s is \"%s\", not \"%s\"", actual_text, actual, expected);
}

uint64_t test_seed(void)
{
    return seed;
}

void test_set_seed(uint64_t value)
{
    seed = value;
}

uint64_t test_random_seed(void)
{
    uint64_t value;
    if (getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value)
        value = (uint64_t)(test_now() * 1e9) ^ ((uint64_t)getpid() << 32);
    return value;
}

bool test_has_sanitizer(void)
{
#if defined(UNDER_TSAN) || defined(UNDER_ASAN)
    return true;
#else
    return false;
#endif
}

static bool under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload && strstr(preload, "vgpreload");
}

double test_scale(void)
{
    const char *percent = getenv("HOCKET_TEST_SCALE");
    if (percent && atof(percent) > 0)
        return atof(percent) / 100;
    if (under_valgrind())
        return 0.02;
#if defined(UNDER_TSAN)
    return 0.1;
#elif defined(UNDER_ASAN)
    return 0.3;
#else
    return 1;
#endif
}

long test_scaled(long count)
{
    long scaled = (long)((double)count * test_scale());
    return scaled < 1 ? 1 : scaled;
}

double test_timeout_factor(void)
{
    const char *factor = getenv("HOCKET_TEST_TIMEOUT_FACTOR");
    if (factor && atof(factor) > 0)
        return atof(factor);
    return under_valgrind() ? 10 : test_has_sanitizer() ? 3 : 1;
}

double test_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
