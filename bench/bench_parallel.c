/* SPDX-License-Identifier: MIT */
/* Parallel loops, with two threads at work (parallel_loops.h has the loops), and what an idle pool
 * costs. Sums are compared with what they must be. */
#include "parallel_loops.h"

#include <hocket/parallel.h>
#include <hocket/thread_pool.h>

#include <math.h>
#include <pthread.h>

#include "common_child.h"

enum { WORKERS = 2, SUM = 100000000, SUM_QUICK = 1000000, IDLE_REGIONS = 100, REGIONS = 5000 };

static hkt_executor *pool;

static void hocket_begin(void)
{
    bench_check(hkt_thread_pool_create(&pool, &(hkt_thread_pool_options){ .max_workers = WORKERS }),
                "hkt_thread_pool_create");
}

static void hocket_end(void)
{
    hkt_executor_destroy(pool);
}

static int fold(void *context, size_t begin, size_t end, void *value)
{
    *(double *)value += parallel_sum(context, begin, end);
    return 0;
}

static void combine(void *context, void *left, const void *right)
{
    (void)context;
    *(double *)left += *(const double *)right;
}

static double hocket_sum(const double *values, size_t count)
{
    double sum = 0;
    hkt_reduce_options options = { .fold = fold,
                                   .combine = combine,
                                   .context = (void *)(uintptr_t)values,
                                   .value_size = sizeof sum };

    bench_check(hkt_reduce(pool, 0, count, &sum, &options), "hkt_reduce");
    return sum;
}

struct sum {
    const double *values;
    double sum;
    pthread_mutex_t mutex;
};

static int add_part(void *context, size_t begin, size_t end)
{
    struct sum *sum = context;
    double part = parallel_sum(sum->values, begin, end);

    pthread_mutex_lock(&sum->mutex);
    sum->sum += part;
    pthread_mutex_unlock(&sum->mutex);
    return 0;
}

static double hocket_for_sum(const double *values, size_t count)
{
    struct sum sum = { values, 0, PTHREAD_MUTEX_INITIALIZER };

    bench_check(hkt_parallel_for(pool, 0, count, add_part, &sum), "hkt_parallel_for");
    return sum.sum;
}

static int do_items(void *context, size_t begin, size_t end)
{
    (void)context;
    for (size_t i = begin; i < end; i++)
        parallel_item(i);
    return 0;
}

static void hocket_uneven(void)
{
    bench_check(hkt_parallel_for(pool, 0, PARALLEL_UNEVEN, do_items, NULL), "hkt_parallel_for");
}

static int do_tiny_items(void *context, size_t begin, size_t end)
{
    (void)context;
    for (size_t i = begin; i < end; i++)
        parallel_tiny_item();
    return 0;
}

static void hocket_region(void)
{
    bench_check(hkt_parallel_for(pool, 0, PARALLEL_REGION, do_tiny_items, NULL),
                "hkt_parallel_for");
}

static void serial_begin_end(void)
{
}

static double serial_sum(const double *values, size_t count)
{
    return parallel_sum(values, 0, count);
}

static void serial_uneven(void)
{
    do_items(NULL, 0, PARALLEL_UNEVEN);
}

static void serial_region(void)
{
    do_tiny_items(NULL, 0, PARALLEL_REGION);
}

/* One that is a program of its own has its name there, and its schedule. */
struct system {
    const char *name, *child, *schedule;
    void (*begin)(void), (*end)(void);
    double (*sum)(const double *values, size_t count);
    void (*uneven)(void), (*region)(void);
};

#define FUNCTIONS(of)                                                                              \
    .begin = of##_begin, .end = of##_end, .sum = of##_sum, .uneven = of##_uneven,                  \
    .region = of##_region
static const struct system hocket = { .name = "hocket", FUNCTIONS(hocket) };
static const struct system hocket_for = {
    .name = "hocket-for", .begin = hocket_begin, .end = hocket_end, .sum = hocket_for_sum
};
static const struct system serial = { .name = "serial",
                                      .begin = serial_begin_end,
                                      .end = serial_begin_end,
                                      .sum = serial_sum,
                                      .uneven = serial_uneven,
                                      .region = serial_region };
static const struct system naive = { .name = "pthread-pool", FUNCTIONS(parallel_pthread) };
static const struct system gomp_static = { "libgomp-static", "libgomp", .schedule = "static" };
static const struct system gomp_guided = { "libgomp-guided", "libgomp", .schedule = "guided" };
static const struct system omp_static = { "libomp-static", "libomp", .schedule = "static" };
static const struct system omp_guided = { "libomp-guided", "libomp", .schedule = "guided" };
#ifdef HAVE_TBB
static const struct system tbb = { .name = "tbb", FUNCTIONS(parallel_tbb) };
#define TBB &tbb,
#else
#define TBB
#endif

/* Who takes part, hocket first; ended by NULL. */
static const struct system *const summers[] = { &hocket,      &hocket_for, &serial,    &gomp_static,
                                                &gomp_guided, &omp_guided, TBB &naive, NULL };
static const struct system *const uneven[] = { &hocket,     &serial,     &gomp_static, &gomp_guided,
                                               &omp_static, &omp_guided, TBB &naive,   NULL };
static const struct system *const regions[] = { &hocket,     &serial,    &gomp_static,
                                                &omp_static, TBB &naive, NULL };
static const struct system *const idle[] = { &hocket, &gomp_static, &omp_static, TBB &naive, NULL };

static bool is_quick(const struct bench_workload *workload)
{
    return workload->seconds < 0.1;
}

static double seconds_since(uint64_t began)
{
    return (double)(bench_ns() - began) / 1e9;
}

static void measure_sum(const struct bench_workload *workload, int s, double values[])
{
    static double *numbers;
    const struct system *system = summers[s];
    size_t count = is_quick(workload) ? SUM_QUICK : SUM;
    int64_t result = 0;

    if (system->child) {
        values[0] = bench_child(&result, system->child, "sum %zu %s", count, system->schedule) *
                    1e3;
    } else {
        if (!numbers)
            numbers = parallel_values(count);
        system->begin();
        system->sum(numbers, count / 100);
        uint64_t began = bench_ns();
        result = (int64_t)system->sum(numbers, count);
        values[0] = seconds_since(began) * 1e3;
        system->end();
    }
    if (!isnan(values[0]) && result != (int64_t)count / 2 * 7)
        bench_fail("%s: %s has a wrong sum", workload->name, system->name);
}

static void measure_uneven(const struct bench_workload *workload, int s, double values[])
{
    const struct system *system = uneven[s];
    int64_t result;

    (void)workload;
    if (system->child) {
        values[0] = bench_child(&result, system->child, "uneven %d %s", PARALLEL_UNEVEN,
                                system->schedule) *
                    1e3;
        return;
    }
    system->begin();
    system->region();
    uint64_t began = bench_ns();
    system->uneven();
    values[0] = seconds_since(began) * 1e3;
    system->end();
}

static void measure_region(const struct bench_workload *workload, int s, double values[])
{
    const struct system *system = regions[s];
    int64_t result;
    int turns = is_quick(workload) ? REGIONS / 100 : REGIONS;

    if (system->child) {
        values[0] = bench_child(&result, system->child, "region %d static", turns) * 1e6 / turns;
        return;
    }
    system->begin();
    system->region();
    uint64_t began = bench_ns();
    for (int i = 0; i < turns; i++)
        system->region();
    values[0] = seconds_since(began) * 1e6 / turns;
    system->end();
}

static double cpu_of_others(void)
{
    struct timespec all, mine;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &all);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &mine);
    return (double)(all.tv_sec - mine.tv_sec) * 1e6 + (double)(all.tv_nsec - mine.tv_nsec) / 1e3;
}

static void measure_idle(const struct bench_workload *workload, int s, double values[])
{
    const struct system *system = idle[s];
    int64_t result;

    (void)workload;
    if (system->child) {
        values[0] = fmax(bench_child(&result, system->child, "idle 1 static"), 0) * 1e6;
        return;
    }
    system->begin();
    for (int i = 0; i < IDLE_REGIONS; i++)
        system->region();
    bench_pause(0.01);
    double before = cpu_of_others();
    bench_pause(0.2);
    values[0] = fmax(cpu_of_others() - before, 0);
    system->end();
}

static void measure(const struct bench_workload *workload, const struct system *const *systems)
{
    const char *names[BENCH_SYSTEMS_MAX];
    int n = 0;

    for (; systems[n]; n++)
        names[n] = systems[n]->name;
    bench_measure(workload, names, n);
}

int main(int argc, char **argv)
{
    static const struct bench_workload workloads[] = {
        { "parallel-sum", measure_sum, 0.1, 2, 0, { { "100M", "ms", BENCH_LESS } } },
        { "parallel-uneven", measure_uneven, 0.1, 2, 0, { { "all", "ms", BENCH_LESS } } },
        { "parallel-region-64", measure_region, 0.1, 2, 0, { { "region", "us", BENCH_LESS } } },
        { "parallel-idle", measure_idle, 0.2, 2, 0, { { "cpu_in_200ms", "us", BENCH_NO_RATIO } } },
    };

    bench_begin(argc, argv, "Parallel loops: a sum, uneven work, next to none; an idle pool.");
    measure(&workloads[0], summers);
    measure(&workloads[1], uneven);
    measure(&workloads[2], regions);
    measure(&workloads[3], idle);
    return bench_end();
}
