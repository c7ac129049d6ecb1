/* SPDX-License-Identifier: MIT */
/* Locks: what a pair of acquire and release costs alone; how many pairs threads get through that
 * want the same lock, with and without private work between; how evenly they share it; and the
 * longest that any of them waited.
 *
 * `none` is no lock: what the machine and its scheduler do to such a loop by themselves. Under each
 * real lock a plain number is counted up, which must be right in the end. */
#include "lock_loops.h"

#include <hocket/lock.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_GLIB
#include <glib.h>
#endif

#define WORK_NS 117

static void nothing(void *lock)
{
    __asm__ volatile("" ::"r"(lock) : "memory");
}

static void hocket_acquire(void *lock)
{
    hkt_lock_acquire(lock);
}

static void hocket_release(void *lock)
{
    hkt_lock_release(lock);
}

LOCK_SYSTEM(lock_hocket, "hocket", nothing, nothing, hocket_acquire, hocket_release)

static void pthread_init(void *lock)
{
    bench_check(pthread_mutex_init(lock, NULL), "pthread_mutex_init");
}

static void pthread_destroy(void *lock)
{
    pthread_mutex_destroy(lock);
}

static void pthread_acquire(void *lock)
{
    pthread_mutex_lock(lock);
}

static void pthread_release(void *lock)
{
    pthread_mutex_unlock(lock);
}

LOCK_SYSTEM(lock_pthread, "pthread_mutex", pthread_init, pthread_destroy, pthread_acquire,
            pthread_release)

#ifdef HAVE_GLIB
static void glib_init(void *lock)
{
    g_mutex_init(lock);
}

static void glib_destroy(void *lock)
{
    g_mutex_clear(lock);
}

static void glib_acquire(void *lock)
{
    g_mutex_lock(lock);
}

static void glib_release(void *lock)
{
    g_mutex_unlock(lock);
}

LOCK_SYSTEM(lock_glib, "GMutex", glib_init, glib_destroy, glib_acquire, glib_release)
#endif

LOCK_SYSTEM(lock_none, "none", nothing, nothing, nothing, nothing)

static const struct lock_system *const systems[] = {
    &lock_hocket,    &lock_pthread,
#ifdef HAVE_TBB
    &lock_tbb_mutex, &lock_tbb_spin_mutex,
#endif
#ifdef HAVE_GLIB
    &lock_glib,
#endif
    &lock_none, /* the last */
};
enum { SYSTEMS = sizeof systems / sizeof systems[0], LOCKS = SYSTEMS - 1 };

static uint64_t total(const struct lock_run *run)
{
    uint64_t sum = 0;

    for (int i = 0; i < LOCK_THREADS_MAX; i++)
        sum += run->threads[i].operations;
    return sum;
}

/* Runs a body of `system` in the workload's threads; returns the seconds it took. */
static double run_loops(const struct bench_workload *workload, const struct lock_system *system,
                        void (*body)(void *, int), struct lock_run *run)
{
    double seconds;

    memset(run, 0, sizeof *run);
    run->lock = bench_alone(LOCK_BYTES);
    run->guarded = bench_alone(sizeof *run->guarded);
    run->work = bench_work_for(workload->work_ns);
    system->init(run->lock);
    seconds = bench_team(workload->threads, workload->seconds, body, run);
    system->destroy(run->lock);
    if (system != &lock_none && *run->guarded != 0 && *run->guarded != total(run))
        bench_fail("%s: %s let two threads in at a time", workload->name, system->name);
    free(run->lock);
    free(run->guarded);
    return seconds;
}

static void measure_alone(const struct bench_workload *workload, int s, double values[])
{
    struct lock_run run;
    double seconds = run_loops(workload, systems[s], systems[s]->alone, &run);

    values[0] = seconds * 1e9 / (double)total(&run);
}

static void measure_contended(const struct bench_workload *workload, int s, double values[])
{
    struct lock_run run;
    double seconds = run_loops(workload, systems[s], systems[s]->contend, &run);
    uint64_t least = UINT64_MAX, most = 0;

    for (int i = 0; i < workload->threads; i++) {
        uint64_t own = run.threads[i].operations;

        least = own < least ? own : least;
        most = own > most ? own : most;
    }
    values[0] = (double)total(&run) / seconds / 1e6;
    values[1] = (double)least / (double)most;
}

static void measure_wait(const struct bench_workload *workload, int s, double values[])
{
    struct lock_run run;

    run_loops(workload, systems[s], systems[s]->watch, &run);
    values[0] = 0;
    for (int i = 0; i < workload->threads; i++)
        if ((double)run.threads[i].longest_ns / 1e3 > values[0])
            values[0] = (double)run.threads[i].longest_ns / 1e3;
}

#define RATE                                                                                       \
    {                                                                                              \
        "rate", "M/s", BENCH_MORE                                                                  \
    }
#define FAIRNESS                                                                                   \
    {                                                                                              \
        "slowest/fastest", "x", BENCH_NO_RATIO                                                     \
    }
#define WAIT                                                                                       \
    {                                                                                              \
        "longest_wait", "us", BENCH_NO_RATIO                                                       \
    }

static const struct bench_workload workloads[] = {
    { "lock-alone", measure_alone, 0.1, 1, 0, { { "pair", "ns", BENCH_LESS } } },
    { "lock-tight-2", measure_contended, 0.1, 2, 0, { RATE, FAIRNESS } },
    { "lock-tight-4", measure_contended, 0.1, 4, 0, { RATE, FAIRNESS } },
    { "lock-work-2", measure_contended, 0.15, 2, WORK_NS, { RATE, FAIRNESS } },
    { "lock-work-4", measure_contended, 0.2, 4, WORK_NS, { RATE, FAIRNESS } },
};

static const struct bench_workload waits[] = {
    { "lock-wait-2", measure_wait, 0.1, 2, 0, { WAIT } },
    { "lock-wait-4", measure_wait, 0.1, 4, 0, { WAIT } },
};

int main(int argc, char **argv)
{
    const char *names[SYSTEMS];

    bench_begin(argc, argv, "Locks: alone, contended by 2 and 4 threads, and how fairly.");
    for (int i = 0; i < SYSTEMS; i++)
        names[i] = systems[i]->name;
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        bench_measure(&workloads[i], names, LOCKS);
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++)
        bench_measure(&waits[i], names, SYSTEMS);
    return bench_end();
}
