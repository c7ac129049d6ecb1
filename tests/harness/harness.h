/* SPDX-License-Identifier: MIT */
/*
 * The harness inside: what its files share.
 *
 *     main.c    options; runs one test (--run) or all of them
 *     runner.c  the pool of wardens, the counting, the printing
 *     warden.c  one process per test: starts it, waits, finds orphans
 *     body.c    the test's own process: body, then the search for leaks
 *     leaks.c   snapshots of fds, threads, children, mappings
 *     check.c   checks, seed, scale
 *
 * runner -> warden (forked; a subreaper) -> test (a fresh exec, own session).
 */
#ifndef HOCKET_HARNESS_H
#define HOCKET_HARNESS_H

#include "test.h"

#include <sys/types.h>

/* Exit codes of a test process and of its warden. */
enum { TEST_PASSED = 0, TEST_FAILED = 1, TEST_SKIPPED = 77 };

struct test_options {
    const char *run;     /* the one test to run in this process */
    const char *filter;  /* run only names that contain this */
    const char *program; /* absolute path of this program */
    uint64_t seed;
    bool seed_given;
    bool list;
    bool in_loop; /* the body is the main task of an event loop */
    bool shuffle;
    bool verbose;
    long repeat;
    long jobs;
};

/* check.c */
struct test_case *test_first(void);
void test_set_seed(uint64_t seed);
uint64_t test_random_seed(void);
double test_timeout_factor(void);
double test_now(void);
bool test_has_sanitizer(void);

/* leaks.c */
struct test_snapshot {
    unsigned char fds[1024]; /* one bit a descriptor, below 8192 */
    int threads;
    int mappings;
};
void test_snapshot_take(struct test_snapshot *snapshot);
bool test_snapshot_compare(const struct test_snapshot *before);

/* body.c: runs a test in this process; never returns. */
__attribute__((noreturn)) void test_body_run(const struct test_case *test, bool in_loop);

/* Calls a body as the main task of a loop. The harness itself knows no hocket: in_loop/in_loop.c sets
 * it in those programs that have that mode; NULL in the others. */
extern void (*test_call_in_loop)(void (*body)(void));
extern const char *const
    *test_not_in_loop; /* the names of those that do not run so; ends with NULL */

/* warden.c: what a warden does, in the child of a fork; never returns. */
__attribute__((noreturn)) void test_warden_run(const struct test_options *options,
                                               const struct test_case *test, uint64_t seed,
                                               int output);

/* runner.c: runs the chosen tests; the program's exit code. */
int test_runner_run(const struct test_options *options);

#endif
