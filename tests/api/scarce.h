/* SPDX-License-Identifier: MIT */
/* Memory that runs out: a job is done again and again, while its n-th allocation fails, for every n,
 * once and from then on, until it needs no more than that. Each time it must say -ENOMEM, or have done
 * without, and nothing may be left. */
#ifndef HOCKET_TESTS_SCARCE_H
#define HOCKET_TESTS_SCARCE_H

#include <stdlib.h>

#include "groups.h"

static atomic_long scarce_calls, scarce_alive;
static long scarce_from, scarce_to; /* these calls fail, counted from 1 */

static void *scarce_allocate(void *context, size_t size)
{
    (void)context;
    long call = ++scarce_calls;
    void *memory = call >= scarce_from && call <= scarce_to ? NULL : malloc(size);
    scarce_alive += memory != NULL;
    return memory;
}

static void scarce_release(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    scarce_alive--;
    free(memory);
}

static inline int scarce_run(int kind, hkt_job *job, long from, long to)
{
    scarce_calls = 0;
    scarce_from = from;
    scarce_to = to;
    int err = run_in(kind, job, NULL);
    scarce_from = scarce_to = 0;
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(scarce_alive, 0);
    return err;
}

/* In a loop, or on a plain thread. */
static inline void with_scarce_memory(int kind, hkt_job *job)
{
    const hkt_allocator scarce = { scarce_allocate, scarce_release, NULL, { 0 } };
    CHECK_EQ(hkt_set_allocator(&scarce), 0);
    CHECK_EQ(scarce_run(kind, job, 0, 0), 0);
    long needed = scarce_calls;
    for (long n = 1; n <= needed; n++) {
        int err = scarce_run(kind, job, n, n);
        CHECK(err == 0 || err == -ENOMEM);
        err = scarce_run(kind, job, n, INT32_MAX);
        CHECK(err == 0 || err == -ENOMEM);
    }
    CHECK_EQ(scarce_run(kind, job, 0, 0), 0);
    CHECK_EQ(hkt_set_allocator(NULL), 0);
}

#endif
