/* SPDX-License-Identifier: MIT */
/* Proofs with an event loop: the scenario's own thread makes it, others are started, it runs, they are
 * joined, it ends. What hocket gave back is buried, with a pattern in it, until the schedule is over: so
 * a touch that comes too late is noticed. */
#ifndef HOCKET_SIM_LOOPS_H
#define HOCKET_SIM_LOOPS_H

#include <stdlib.h>

#include "crew.h"

#define GRAVES 256
#define PATTERN 0x5a

static struct {
    char *memory;
    size_t size;
} graves[GRAVES];
static int grave_count;

static void *grave_allocate(void *context, size_t size)
{
    (void)context;
    return malloc(size);
}

static void grave_release(void *context, void *memory, size_t size)
{
    (void)context;
    memset(memory, PATTERN, size);
    if (grave_count == GRAVES) {
        free(memory);
        return;
    }
    graves[grave_count].memory = memory;
    graves[grave_count++].size = size;
}

/* First thing in a test: graves are used from now on. */
static inline void bury(void)
{
    const hkt_allocator graveyard = { .allocate = grave_allocate, .release = grave_release };
    CHECK_EQ(hkt_set_allocator(&graveyard), 0);
}

static inline bool is_poisoned(const void *memory, size_t size)
{
    const char *bytes = memory;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != PATTERN)
            return false;
    return true;
}

/* Nobody has written to what was given back; and it is given back for good. */
static inline int graves_are_quiet(void)
{
    bool quiet = true;
    for (int i = 0; i < grave_count; i++) {
        quiet = quiet && is_poisoned(graves[i].memory, graves[i].size);
        free(graves[i].memory);
    }
    grave_count = 0;
    MUST(quiet);
    return 0;
}

static hkt_loop *loop;
static hkt_thread *others[PROOF_THREADS];
static int other_count;
static bool loop_ended;
static size_t loop_allocations;

static inline int loop_begin(void)
{
    other_count = grave_count = 0;
    loop_ended = false;
    loop_allocations = hkt_allocation_count();
    return hkt_loop_create(&loop, NULL);
}

/* Starts another thread. */
static inline void beside(int (*function)(void *))
{
    CHECK(other_count < PROOF_THREADS);
    CHECK_EQ(hkt_thread_spawn(&others[other_count++], function, NULL, NULL), 0);
}

/* Joins the others, whether or not the caller is cancelled: the first of their errors. */
static inline int join_others(void)
{
    int err = 0;
    hkt_scope shield;
    hkt_scope_enter(&shield, &(hkt_scope_options){ .shield = true });
    for (int i = 0; i < other_count; i++) {
        int result;
        CHECK_EQ(hkt_thread_join(others[i]), 0);
        CHECK_EQ(hkt_thread_result(others[i], &result), 0);
        err = err < 0 ? err : result;
        hkt_thread_destroy(others[i]);
    }
    other_count = 0;
    hkt_scope_leave(&shield);
    return err;
}

/* `loop` stays, for those who are still in a call. */
static inline void end_loop(void)
{
    hkt_loop_destroy(loop);
    loop_ended = true;
}

/* Ends everything: `err`, or the first error of the others. */
static inline int loop_end(int err)
{
    int theirs = join_others();
    if (!loop_ended)
        end_loop();
    err = err < 0 ? err : theirs;
    MUST(err < 0 || hkt_allocation_count() == loop_allocations);
    int quiet = graves_are_quiet();
    return err < 0 ? err : quiet;
}

static inline int submit(hkt_job *job)
{
    return hkt_submit(hkt_loop_executor(loop), NULL, job, NULL);
}

#endif
