/* SPDX-License-Identifier: MIT */
/* What the tests of shared primitives share: memory, and processes that are started with a pointer
 * into it and a number, killed, and asked how they ended. */
#ifndef HOCKET_TEST_SHARED_TESTS_H
#define HOCKET_TEST_SHARED_TESTS_H

#include <errno.h>
#include <hocket/memory.h>
#include <hocket/process.h>
#include <hocket/shared.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "await.h"
#include "random.h"
#include "test.h"

/* What a process of a test is given. */
struct member {
    void *shared;
    int number;
};

static inline void *shared_new(size_t size)
{
    void *shared = hkt_shared_alloc(size);
    CHECK(shared);
    return shared;
}

/* The end of a test: nothing of hocket's is left. */
static inline void shared_end(void *shared)
{
    hkt_shared_free(shared);
    CHECK_EQ(hkt_finalize(), 0);
}

static inline hkt_process *member_start(hkt_job *job, void *shared, int number)
{
    struct member member = { shared, number };
    hkt_process *process;
    CHECK_EQ(hkt_process_spawn(&process, job, HKT_ITEM(member), NULL), 0);
    return process;
}

/* Waits for its end: its exit code. */
static inline int member_end(hkt_process *process)
{
    int code = -1;
    CHECK_EQ(hkt_process_join(process), 0);
    CHECK_EQ(hkt_process_exit_code(process, &code), 0);
    hkt_process_destroy(process);
    return code;
}

static inline void member_kill(hkt_process *process)
{
    CHECK_EQ(hkt_process_kill(process), 0);
    int code = member_end(process);
    CHECK(code == -SIGKILL || code == 0);
}

/* Keeps still for a random time up to so many seconds, so that a kill may come at any moment. */
static inline void rest(struct test_random *random, double most)
{
    double seconds = random_seconds(random, most);
    nanosleep(&(struct timespec){ .tv_nsec = (long)(seconds * 1e9) }, NULL);
}

#endif
