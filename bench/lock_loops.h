/* SPDX-License-Identifier: MIT */
/* The measured loops of bench_lock, in C and in C++, and how a lock becomes a system of it:
 *
 *     LOCK_SYSTEM(lock_hocket, "hocket", hocket_init, hocket_destroy, hocket_acquire, hocket_release)
 *
 * The four take a void * to LOCK_BYTES of zeroed memory. The loops are compiled for each lock, so
 * that each is called, or inlined, as its users would have it. */
#ifndef BENCH_LOCK_LOOPS_H
#define BENCH_LOCK_LOOPS_H

#include "common.h"

enum { LOCK_BYTES = 128, LOCK_THREADS_MAX = 4 };

/* One repetition. What the threads write is on cache lines of their own. */
struct lock_run {
    void *lock;
    uint64_t *guarded; /* counts what is done under the lock, plainly */
    unsigned work;     /* rounds of private work after each release */
    struct {
        uint64_t operations, longest_ns;
        char apart[112];
    } threads[LOCK_THREADS_MAX];
};

struct lock_system {
    const char *name;
    void (*init)(void *lock);
    void (*destroy)(void *lock);
    /* Bodies of bench_team; arg is a struct lock_run. */
    void (*alone)(void *arg, int index);
    void (*contend)(void *arg, int index);
    void (*watch)(void *arg, int index);
};

typedef void lock_call(void *lock);

/* Nothing but the pair. */
BENCH_INLINE void lock_loop_alone(struct lock_run *run, int index, lock_call *acquire,
                                  lock_call *release)
{
    uint64_t operations = 0;

    while (!bench_stopped()) {
        for (int i = 0; i < 1000; i++) {
            acquire(run->lock);
            release(run->lock);
        }
        operations += 1000;
    }
    run->threads[index].operations = operations;
}

BENCH_INLINE void lock_loop_contend(struct lock_run *run, int index, lock_call *acquire,
                                    lock_call *release)
{
    uint64_t operations = 0;

    while (!bench_stopped()) {
        acquire(run->lock);
        ++*run->guarded;
        release(run->lock);
        bench_work(run->work);
        operations++;
    }
    run->threads[index].operations = operations;
}

/* The same, with a look at the clock before and after each wait. */
BENCH_INLINE void lock_loop_watch(struct lock_run *run, int index, lock_call *acquire,
                                  lock_call *release)
{
    uint64_t operations = 0, longest = 0;

    while (!bench_stopped()) {
        uint64_t before = bench_ns(), waited;

        acquire(run->lock);
        waited = bench_ns() - before;
        ++*run->guarded;
        release(run->lock);
        if (waited > longest)
            longest = waited;
        operations++;
    }
    run->threads[index].operations = operations;
    run->threads[index].longest_ns = longest;
}

#define LOCK_LOOP(system, loop, acquire, release)                                                  \
    static void system##_##loop(void *arg, int index)                                              \
    {                                                                                              \
        lock_loop_##loop((struct lock_run *)arg, index, acquire, release);                         \
    }

#define LOCK_SYSTEM(system, name, init, destroy, acquire, release)                                 \
    LOCK_LOOP(system, alone, acquire, release)                                                     \
    LOCK_LOOP(system, contend, acquire, release)                                                   \
    LOCK_LOOP(system, watch, acquire, release)                                                     \
    const struct lock_system system = {                                                            \
        name, init, destroy, system##_alone, system##_contend, system##_watch                      \
    };

#ifdef __cplusplus
extern "C" {
#endif
extern const struct lock_system lock_tbb_mutex, lock_tbb_spin_mutex;
#ifdef __cplusplus
}
#endif
#endif
