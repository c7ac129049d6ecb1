/* SPDX-License-Identifier: MIT */
/* The measured loops of bench_queue, in C and in C++, and how a queue becomes a system of it:
 *
 *     QUEUE_SYSTEM(queue_hocket, "hocket", hocket_create, hocket_destroy, hocket_put, hocket_get)
 *
 * The loops are compiled for each queue. Items are numbers from 1 on; QUEUE_END tells a consumer to
 * go home. */
#ifndef BENCH_QUEUE_LOOPS_H
#define BENCH_QUEUE_LOOPS_H

#include "common.h"

enum { QUEUE_CAPACITY = 1024, QUEUE_THREADS_MAX = 4 };
#define QUEUE_END UINT64_MAX

/* One repetition. What the threads write is on cache lines of their own. */
struct queue_run {
    void *queue;
    int producers, consumers; /* threads; the producers are numbered first */
    struct {
        uint64_t items, sum;
        char apart[112];
    } threads[QUEUE_THREADS_MAX];
};

struct queue_system {
    const char *name;
    void *(*create)(void);
    void (*destroy)(void *queue);
    /* Bodies of bench_team; arg is a struct queue_run. */
    void (*alone)(void *arg, int index);
    void (*pass)(void *arg, int index);
};

typedef void queue_put(void *queue, uint64_t item);
typedef uint64_t queue_get(void *queue);

/* One thread puts an item and takes it out. */
BENCH_INLINE void queue_loop_alone(struct queue_run *run, int index, queue_put *put, queue_get *get)
{
    uint64_t items = 0, sum = 0;

    while (!bench_stopped()) {
        for (int i = 0; i < 1000; i++) {
            put(run->queue, ++items);
            sum += get(run->queue);
        }
    }
    run->threads[index].items = items;
    run->threads[index].sum = sum;
}

/* Producers put until it is time to stop, consumers take until QUEUE_END. */
BENCH_INLINE void queue_loop_pass(struct queue_run *run, int index, queue_put *put, queue_get *get)
{
    uint64_t items = 0, sum = 0, item;

    if (index < run->producers) {
        while (!bench_stopped()) {
            put(run->queue, ++items);
            sum += items;
        }
        /* There are as many of each, so each sends one consumer home. */
        put(run->queue, QUEUE_END);
    } else {
        while ((item = get(run->queue)) != QUEUE_END) {
            sum += item;
            items++;
        }
    }
    run->threads[index].items = items;
    run->threads[index].sum = sum;
}

#define QUEUE_LOOP(system, loop, put, get)                                                         \
    static void system##_##loop(void *arg, int index)                                              \
    {                                                                                              \
        queue_loop_##loop((struct queue_run *)arg, index, put, get);                               \
    }

#define QUEUE_SYSTEM(system, name, create, destroy, put, get)                                      \
    QUEUE_LOOP(system, alone, put, get)                                                            \
    QUEUE_LOOP(system, pass, put, get)                                                             \
    const struct queue_system system = { name, create, destroy, system##_alone, system##_pass };

#ifdef __cplusplus
extern "C" {
#endif
extern const struct queue_system queue_hocket, queue_ring, queue_glib, queue_tbb;
#ifdef __cplusplus
}
#endif
#endif
