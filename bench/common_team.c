/* SPDX-License-Identifier: MIT */
/* Threads that begin together, and the private work they do between operations. The threads are
 * pthreads for every system. `begun` is the gate; bench_stop_flag is written by the main thread. */
#include "common.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

enum { THREADS_MAX = 128 };

struct member {
    pthread_barrier_t *begun;
    void (*body)(void *arg, int index);
    void *arg;
    int index;
    pthread_t thread;
};

int bench_stop_flag;
bool bench_pinned;

static void pin(int index)
{
    cpu_set_t allowed, one;
    int skip;

    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0)
        return;
    skip = index % CPU_COUNT(&allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &allowed) && skip-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof one, &one);
        }
    }
}

static void *run(void *arg)
{
    struct member *member = arg;

    if (bench_pinned)
        pin(member->index);
    pthread_barrier_wait(member->begun);
    member->body(member->arg, member->index);
    return NULL;
}

void bench_pause(double seconds)
{
    struct timespec time = { .tv_sec = (time_t)seconds };

    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

double bench_team(int threads, double seconds, void (*body)(void *arg, int index), void *arg)
{
    struct member members[THREADS_MAX];
    pthread_barrier_t begun;
    uint64_t began;

    if (threads > THREADS_MAX)
        bench_fail("at most %d threads", THREADS_MAX);
    __atomic_store_n(&bench_stop_flag, 0, __ATOMIC_RELAXED);
    bench_check(pthread_barrier_init(&begun, NULL, (unsigned)threads + 1), "pthread_barrier_init");
    for (int i = 0; i < threads; i++) {
        members[i] = (struct member){ .begun = &begun, .body = body, .arg = arg, .index = i };
        bench_check(pthread_create(&members[i].thread, NULL, run, &members[i]), "pthread_create");
    }
    pthread_barrier_wait(&begun);
    began = bench_ns();
    if (seconds > 0)
        bench_pause(seconds);
    __atomic_store_n(&bench_stop_flag, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < threads; i++)
        pthread_join(members[i].thread, NULL);
    pthread_barrier_destroy(&begun);
    return (double)(bench_ns() - began) / 1e9;
}

/* The quickest of many trials: what disturbs them only ever adds. */
static double ns_per_round(void)
{
    enum { ROUNDS = 10000, TRIALS = 50 };
    uint64_t least = UINT64_MAX;

    for (int i = 0; i < TRIALS; i++) {
        uint64_t began = bench_ns(), took;

        bench_work(ROUNDS);
        took = bench_ns() - began;
        least = took < least ? took : least;
    }
    return (double)least / ROUNDS;
}

unsigned bench_work_for(double ns)
{
    static double per_round;

    if (per_round == 0)
        per_round = ns_per_round();
    return (unsigned)(ns / per_round + 0.5);
}
