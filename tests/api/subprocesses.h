/* SPDX-License-Identifier: MIT */
/* What tests of subprocesses use: children that must be had, and what they must say. */
#ifndef HOCKET_TESTS_SUBPROCESSES_H
#define HOCKET_TESTS_SUBPROCESSES_H

#include <hocket/subprocess.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "loops.h"

/* The arguments of a program. */
#define ARGV(...) ((char *const *)(uintptr_t)(const char *const[]){ __VA_ARGS__, NULL })

static const hkt_subprocess_options pipes = { .input = HKT_REDIRECT_PIPE,
                                              .output = HKT_REDIRECT_PIPE };

static inline hkt_subprocess *must_exec(char *const argv[], const hkt_subprocess_options *options)
{
    hkt_subprocess *child = NULL;
    CHECK_EQ(hkt_subprocess_exec(&child, argv, options), 0);
    CHECK(child != NULL);
    return child;
}

static inline hkt_subprocess *must_shell(const char *command, const hkt_subprocess_options *options)
{
    hkt_subprocess *child = NULL;
    CHECK_EQ(hkt_subprocess_shell(&child, command, options), 0);
    return child;
}

static inline int must_wait(hkt_subprocess *child)
{
    int code = 4711;
    CHECK_EQ(hkt_subprocess_wait(child, &code), 0);
    return code;
}

static inline int must_end(hkt_subprocess *child)
{
    int code = 4711;
    CHECK_EQ(hkt_subprocess_end(child, &code), 0);
    return code;
}

/* hkt_subprocess_run as a job. */
struct run {
    char *const *argv;
    const void *input;
    size_t size;
    hkt_subprocess_options options;
    hkt_subprocess_result result;
};

static inline int run_it(void *arg)
{
    struct run *run = arg;
    return hkt_subprocess_run(run->argv, run->input, run->size, &run->result, &run->options);
}

#endif
