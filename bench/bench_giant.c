/* SPDX-License-Identifier: MIT */
/* The giant lock: what a checkpoint costs when nobody wants the lock, as a part of work of 1 us; and
 * how threads that only compute share it: the longest that one of them did not run, counted in
 * switch intervals, and the work that all got done.
 *
 * The rival gives a mutex back at each checkpoint, yields, and takes it again. */
#include "common.h"

#include <hocket/giant_lock.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define WORK_NS 1000
#define INTERVAL_NS 5e6 /* hocket's, as it is unless set */

enum { HOCKET, PTHREAD, SYSTEMS };
enum { THREADS_MAX = 4, PARTS = 21 };

static const char *const names[SYSTEMS] = { "hocket", "pthread_mutex+yield" };

union giant {
    hkt_giant_lock hocket;
    pthread_mutex_t pthread;
};

BENCH_INLINE void giant_acquire(int system, union giant *giant)
{
    if (system == HOCKET)
        hkt_giant_lock_acquire(&giant->hocket);
    else
        pthread_mutex_lock(&giant->pthread);
}

BENCH_INLINE void giant_release(int system, union giant *giant)
{
    if (system == HOCKET)
        hkt_giant_lock_release(&giant->hocket);
    else
        pthread_mutex_unlock(&giant->pthread);
}

BENCH_INLINE void giant_checkpoint(int system, union giant *giant, bool yields)
{
    if (system == HOCKET) {
        hkt_giant_lock_checkpoint(&giant->hocket);
        return;
    }
    pthread_mutex_unlock(&giant->pthread);
    if (yields)
        sched_yield();
    pthread_mutex_lock(&giant->pthread);
}

static union giant *giant_create(int system)
{
    union giant *giant = bench_alone(sizeof *giant);

    if (system == PTHREAD)
        bench_check(pthread_mutex_init(&giant->pthread, NULL), "pthread_mutex_init");
    return giant;
}

static void giant_destroy(int system, union giant *giant)
{
    if (system == PTHREAD)
        pthread_mutex_destroy(&giant->pthread);
    free(giant);
}

/* One repetition. What the threads write is on cache lines of their own. */
struct run {
    union giant *giant;
    int system;
    unsigned work; /* rounds of bench_work for WORK_NS */
    double seconds, cost_percent, cost_ns;
    struct {
        uint64_t pieces, longest_ns;
        char apart[112];
    } threads[THREADS_MAX];
};

/* Nanoseconds of so many pieces of work, each followed by a checkpoint, or not. */
BENCH_INLINE double pieces_ns(struct run *run, int system, int pieces, unsigned work,
                              bool checkpoints)
{
    uint64_t began = bench_ns();

    for (int i = 0; i < pieces; i++) {
        bench_work(work);
        if (checkpoints)
            giant_checkpoint(system, run->giant, false);
    }
    return (double)(bench_ns() - began);
}

/* Runs the same with and without, by turns in short parts; the quickest of each count, since what
 * disturbs them only ever adds. */
BENCH_INLINE void compare(struct run *run, int system)
{
    int pieces = (int)(run->seconds / PARTS / 3 * 1e9 / WORK_NS);
    double with = 1e18, without = 1e18, bare = 1e18;

    giant_acquire(system, run->giant);
    for (int i = 0; i < PARTS; i++) {
        double a = pieces_ns(run, system, pieces, run->work, false);
        double b = pieces_ns(run, system, pieces, run->work, true);
        double c = pieces_ns(run, system, pieces, 0, true);

        without = a < without ? a : without;
        with = b < with ? b : with;
        bare = c < bare ? c : bare;
    }
    giant_release(system, run->giant);
    run->cost_percent = 100 * (with - without) / without;
    run->cost_ns = bare / pieces;
}

static void compare_body(void *arg, int index)
{
    struct run *run = arg;

    (void)index;
    if (run->system == HOCKET)
        compare(run, HOCKET);
    else
        compare(run, PTHREAD);
}

BENCH_INLINE void compute(struct run *run, int index, int system)
{
    uint64_t last = bench_ns(), longest = 0, pieces = 0;
    bool ended = false;

    giant_acquire(system, run->giant);
    while (!ended) {
        uint64_t now = bench_ns();

        ended = bench_stopped();
        if (now - last > longest)
            longest = now - last;
        last = now;
        bench_work(run->work);
        pieces++;
        giant_checkpoint(system, run->giant, true);
    }
    giant_release(system, run->giant);
    run->threads[index].pieces = pieces;
    run->threads[index].longest_ns = longest;
}

static void compute_body(void *arg, int index)
{
    struct run *run = arg;

    if (run->system == HOCKET)
        compute(run, index, HOCKET);
    else
        compute(run, index, PTHREAD);
}

static double do_run(const struct bench_workload *workload, struct run *run,
                     void (*body)(void *, int))
{
    double seconds;

    run->work = bench_work_for(WORK_NS);
    run->giant = giant_create(run->system);
    seconds = bench_team(workload->threads, workload->seconds, body, run);
    giant_destroy(run->system, run->giant);
    return seconds;
}

static void measure_checkpoint(const struct bench_workload *workload, int system, double values[])
{
    struct run run = { .system = system, .seconds = workload->seconds };

    do_run(workload, &run, compare_body);
    values[0] = run.cost_percent;
    values[1] = run.cost_ns;
}

static void measure_turns(const struct bench_workload *workload, int system, double values[])
{
    struct run run = { .system = system };
    double seconds = do_run(workload, &run, compute_body);
    uint64_t pieces = 0, longest_ns = 0;

    for (int i = 0; i < workload->threads; i++) {
        pieces += run.threads[i].pieces;
        if (run.threads[i].longest_ns > longest_ns)
            longest_ns = run.threads[i].longest_ns;
    }
    values[0] = (double)longest_ns / INTERVAL_NS;
    values[1] = (double)pieces / seconds / 1e3;
}

#define TURNS                                                                                      \
    {                                                                                              \
        { "longest_pause", "intervals", BENCH_NO_RATIO },                                          \
        {                                                                                          \
            "work", "k/s", BENCH_MORE                                                              \
        }                                                                                          \
    }

static const struct bench_workload workloads[] = {
    { "giant-checkpoint",
      measure_checkpoint,
      0.15,
      1,
      WORK_NS,
      { { "cost", "%", BENCH_NO_RATIO }, { "bare", "ns", BENCH_LESS } } },
    { "giant-turns-1", measure_turns, 0.1, 1, WORK_NS, TURNS },
    { "giant-turns-2", measure_turns, 0.2, 2, WORK_NS, TURNS },
    { "giant-turns-4", measure_turns, 0.2, 4, WORK_NS, TURNS },
};

int main(int argc, char **argv)
{
    bench_begin(argc, argv,
                "The giant lock: a checkpoint's cost, and how computing threads share it.");
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        bench_measure(&workloads[i], names, SYSTEMS);
    return bench_end();
}
