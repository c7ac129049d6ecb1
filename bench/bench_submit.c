/* SPDX-License-Identifier: MIT */
/* Submitting: a million jobs from one thread to two workers; and one by one, with both sides awake,
 * with both asleep, and on one processor. That all jobs were run is checked. */
#include "submit_jobs.h"

#include <hocket/thread_pool.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common_child.h"

enum { MANY = 1000000, PLACES = 4096, PARKED_MAX = 1000 };
#define PAUSE 0.0004 /* after it everybody is asleep */

/* What each thread has run. */
static struct {
    uint64_t jobs;
    char apart[120];
} places[PLACES];
static int places_used;
static __thread int my_place; /* 0: none yet */

void submit_count(void)
{
    if (my_place == 0)
        my_place = __atomic_add_fetch(&places_used, 1, __ATOMIC_RELAXED) % PLACES;
    places[my_place].jobs++;
}

static uint64_t jobs_run(void)
{
    uint64_t jobs = 0;

    for (int i = 0; i < PLACES; i++)
        jobs += places[i].jobs;
    return jobs;
}

static hkt_executor *pool;

static int job(void *arg)
{
    (void)arg;
    submit_count();
    return 0;
}

static void hocket_begin(void)
{
    bench_check(
        hkt_thread_pool_create(&pool, &(hkt_thread_pool_options){ .max_workers = SUBMIT_WORKERS }),
        "hkt_thread_pool_create");
}

static void hocket_end(void)
{
    hkt_executor_destroy(pool);
}

static void hocket_many(size_t n)
{
    hkt_future **futures = malloc(n * sizeof(hkt_future *));

    for (size_t i = 0; i < n; i++)
        bench_check(hkt_submit(pool, &futures[i], job, NULL), "hkt_submit");
    for (size_t i = 0; i < n; i++)
        bench_check(hkt_future_finish(futures[i]), "hkt_future_finish");
    free(futures);
}

static void hocket_one(void)
{
    hkt_future *future;

    bench_check(hkt_submit(pool, &future, job, NULL), "hkt_submit");
    bench_check(hkt_future_finish(future), "hkt_future_finish");
}

static void map_many(size_t n)
{
    char *items = malloc(n);

    bench_check(hkt_map(pool, job, items, n, 1), "hkt_map");
    free(items);
}

static const struct submit_system hocket = { "hocket", hocket_begin, hocket_end, hocket_many,
                                             hocket_one };
static const struct submit_system map = { "hocket-map", hocket_begin, hocket_end, map_many, NULL };
/* Programs of their own. */
static const struct submit_system libgomp = { .name = "libgomp-task" };
static const struct submit_system go = { .name = "go-channels" };

static const struct submit_system *const systems[] = {
    &hocket,         &map,
#ifdef HAVE_UV
    &submit_libuv,
#endif
#ifdef HAVE_GLIB
    &submit_glib,
#endif
    &submit_pthread,
#ifdef HAVE_TBB
    &submit_tbb,
#endif
    &libgomp,        &go,
};
enum { SYSTEMS = sizeof systems / sizeof systems[0] };

static double many(const struct submit_system *system, size_t n)
{
    int64_t result;

    if (system == &libgomp)
        return bench_child(&result, "libgomp", "submit %zu", n);
    if (system == &go)
        return bench_child(&result, "go", "submit %zu", n);
    system->begin();
    uint64_t before = jobs_run(), began = bench_ns();
    system->many(n);
    double seconds = (double)(bench_ns() - began) / 1e9;
    system->end();
    if (jobs_run() - before != n)
        bench_fail("submit-million: %s has lost jobs", system->name);
    return seconds;
}

static void measure_many(const struct bench_workload *workload, int s, double values[])
{
    size_t n = workload->seconds < 0.1 ? MANY / 100 : MANY;

    values[0] = (double)n / many(systems[s], n) / 1e6;
}

/* Seconds of one, of many in a row. */
static double awake(const struct submit_system *system, double seconds)
{
    uint64_t began = bench_ns(), end = began + (uint64_t)(seconds * 1e9), now;
    int count = 0;

    do {
        for (int i = 0; i < 10; i++)
            system->one();
        count += 10;
        now = bench_ns();
    } while (now < end);
    return (double)(now - began) / 1e9 / count;
}

/* Seconds of one after a pause: the median. */
static double asleep(const struct submit_system *system, double seconds)
{
    double took[PARKED_MAX];
    int count = (int)fmin(fmax(seconds / PAUSE, 10), PARKED_MAX);

    for (int i = 0; i < count; i++) {
        bench_pause(PAUSE);
        uint64_t began = bench_ns();
        system->one();
        took[i] = (double)(bench_ns() - began) / 1e9;
    }
    return bench_median(took, count);
}

static double measured_one(const struct submit_system *system, bool parked, double seconds)
{
    system->begin();
    awake(system, 0.001);
    double took = parked ? asleep(system, seconds) : awake(system, seconds);
    system->end();
    return took;
}

static void measure_one(const struct bench_workload *workload, int s, double values[])
{
    bool parked = strstr(workload->name, "parked"), one_cpu = strstr(workload->name, "one-cpu");
    const struct submit_system *system = systems[s];
    int64_t result;

    if (one_cpu)
        bench_one_cpu(true);
    if (system == &go)
        values[0] = bench_child(&result, "go", "%s %d", parked ? "parked" : "one",
                                (int)(workload->seconds * (parked ? 2000 : 200000))) *
                    1e6;
    else if (system->one && one_cpu)
        values[0] = bench_child_self(&result, "one-cpu %d %f", s, workload->seconds) * 1e6;
    else if (system->one)
        values[0] = measured_one(system, parked, workload->seconds) * 1e6;
    if (one_cpu)
        bench_one_cpu(false);
}

int main(int argc, char **argv)
{
    static const struct bench_workload workloads[] = {
        { "submit-million", measure_many, 0.2, 3, 0, { { "jobs", "M/s", BENCH_MORE } } },
        { "submit-one-awake", measure_one, 0.1, 2, 0, { { "round_trip", "us", BENCH_LESS } } },
        { "submit-one-parked", measure_one, 0.2, 2, 0, { { "round_trip", "us", BENCH_LESS } } },
        { "submit-one-cpu", measure_one, 0.1, 2, 0, { { "round_trip", "us", BENCH_LESS } } },
    };
    const char *names[SYSTEMS];

    setenv("UV_THREADPOOL_SIZE", "2", 1);
    /* Started by ourselves, with one processor: what libraries found out about them is true. */
    if (argc == 4 && strcmp(argv[1], "one-cpu") == 0)
        return printf("%.9f 0\n", measured_one(systems[atoi(argv[2])], false, atof(argv[3]))) < 0;
    bench_begin(argc, argv, "Submitting: a million jobs; one by one, awake, asleep, on one CPU.");
    for (int i = 0; i < SYSTEMS; i++)
        names[i] = systems[i]->name;
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        bench_measure(&workloads[i], names, SYSTEMS);
    return bench_end();
}
