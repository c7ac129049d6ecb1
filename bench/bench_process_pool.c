/* SPDX-License-Identifier: MIT */
/* Jobs in other processes: many with a future each, a map, one by one with both sides awake, and with
 * both asleep. What the jobs computed is checked. The rivals in C fork before hocket has a thread. */
#include "process_pool_rivals.h"

#include <hocket/process_pool.h>

#include <math.h>
#include <stdlib.h>

#include "common_child.h"

enum { HOCKET, SOCKETS, SPIN, FUTURES, POOL, SYSTEMS };
enum { MANY = 100000, MAPPED = 1000000, PARKED_MAX = 1000 };
#define PAUSE 0.0004 /* after it everybody is asleep */

static const char *const names[SYSTEMS] = { "hocket", "seqpacket-pool", "shared-spin",
                                            "python-futures", "python-pool" };
static hkt_executor *pool;

static int add_one(void *arg)
{
    ++*(uint64_t *)arg;
    return 0;
}

static void hocket_begin(void)
{
    hkt_process_pool_options options = { .max_workers = POOL_WORKERS };
    uint64_t numbers[64] = { 0 };

    bench_check(hkt_process_pool_create(&pool, &options), "hkt_process_pool_create");
    for (int i = 0; i < 100; i++) /* so that both have begun */
        bench_check(hkt_map(pool, add_one, HKT_ARRAY(numbers)), "hkt_map");
}

static void hocket_end(void)
{
    hkt_executor_destroy(pool);
}

static void hocket_many(size_t n)
{
    hkt_future **futures = malloc(n * sizeof(hkt_future *));
    uint64_t *numbers = malloc(n * sizeof *numbers);

    for (size_t i = 0; i < n; i++) {
        numbers[i] = i;
        bench_check(hkt_apply_async(pool, &futures[i], add_one, &numbers[i], sizeof numbers[i]),
                    "hkt_apply_async");
    }
    for (size_t i = 0; i < n; i++) {
        bench_check(hkt_future_finish(futures[i]), "hkt_future_finish");
        if (numbers[i] != i + 1)
            bench_fail("hocket: a wrong answer");
    }
    free(futures);
    free(numbers);
}

static void hocket_one(void)
{
    uint64_t number = 1;

    bench_check(hkt_apply(pool, add_one, &number, sizeof number), "hkt_apply");
    if (number != 2)
        bench_fail("hocket: a wrong answer");
}

static const struct {
    void (*begin)(void), (*end)(void), (*one)(void), (*many)(size_t n);
} calls[] = {
    [HOCKET] = { hocket_begin, hocket_end, hocket_one, hocket_many },
    [SOCKETS] = { sockets_begin, sockets_end, sockets_one, sockets_many },
    [SPIN] = { spin_begin, spin_end, spin_one, NULL },
};

/* Seconds that Python's pool needed. */
static double python(const char *workload, int count, int system)
{
    int64_t sum;

    return bench_child(&sum, "python-pools", "%s %d %s", workload, count,
                       system == FUTURES ? "futures" : "pool");
}

static void measure_many(const struct bench_workload *workload, int s, double values[])
{
    size_t n = workload->seconds < 0.1 ? MANY / 100 : MANY;

    if (s > SPIN) {
        values[0] = (double)(n / 10) / python("many", (int)n / 10, s) / 1e3;
    } else if (calls[s].many) {
        calls[s].begin();
        uint64_t began = bench_ns();
        calls[s].many(n);
        values[0] = (double)n * 1e6 / (double)(bench_ns() - began);
        calls[s].end();
    }
}

static void measure_map(const struct bench_workload *workload, int s, double values[])
{
    size_t n = workload->seconds < 0.1 ? MAPPED / 100 : MAPPED;

    if (s > SPIN) {
        values[0] = (double)(n / 10) / python("map", (int)n / 10, s) / 1e6;
    } else if (s == HOCKET) {
        uint64_t *numbers = calloc(n, sizeof *numbers);
        hocket_begin();
        uint64_t began = bench_ns();
        bench_check(hkt_map(pool, add_one, numbers, n, sizeof *numbers), "hkt_map");
        values[0] = (double)n * 1e3 / (double)(bench_ns() - began);
        hocket_end();
        for (size_t i = 0; i < n; i++)
            if (numbers[i] != 1)
                bench_fail("hocket: a wrong answer");
        free(numbers);
    }
}

/* Seconds of one: the median, with a pause before each or without. */
static double one(int s, bool parked, double seconds)
{
    static double took[PARKED_MAX];
    uint64_t end = bench_ns() + (uint64_t)(seconds * 1e9);
    int count = 0;

    while (count < 10 || (count < PARKED_MAX && bench_ns() < end)) {
        if (parked)
            bench_pause(PAUSE);
        uint64_t began = bench_ns();
        for (int i = 0; i < (parked ? 1 : 20); i++)
            calls[s].one();
        took[count++] = (double)(bench_ns() - began) / 1e9 / (parked ? 1 : 20);
    }
    return bench_median(took, count);
}

static void measure_one(const struct bench_workload *workload, int s, double values[])
{
    bool parked = workload->work_ns > 0;

    if (s > SPIN) {
        values[0] = python(parked ? "parked" : "one", (int)(workload->seconds * 2000), s) * 1e6;
    } else if (!parked || s != SPIN) {
        calls[s].begin();
        values[0] = one(s, parked, workload->seconds) * 1e6;
        calls[s].end();
    }
}

int main(int argc, char **argv)
{
    static const struct bench_workload workloads[] = {
        { "process-pool-many", measure_many, 0.2, 3, 0, { { "jobs", "k/s", BENCH_MORE } } },
        { "process-pool-map", measure_map, 0.2, 3, 0, { { "items", "M/s", BENCH_MORE } } },
        { "process-pool-awake", measure_one, 0.1, 2, 0, { { "round_trip", "us", BENCH_LESS } } },
        { "process-pool-parked", measure_one, 0.2, 2, 1, { { "round_trip", "us", BENCH_LESS } } },
    };

    bench_begin(argc, argv, "Jobs in other processes: many, a map, one by one, awake and asleep.");
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        bench_measure(&workloads[i], names, SYSTEMS);
    return bench_end();
}
