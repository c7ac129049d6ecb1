/* SPDX-License-Identifier: MIT */
/* OpenMP, for bench_fork, bench_submit and bench_parallel: a program of its own, built by gcc with
 * libgomp (rivals/libgomp) and by clang with libomp (rivals/libomp).
 *
 *     libgomp fib|queens|tree|skynet N WORKERS
 *     libgomp submit N                             N tasks from one thread
 *     libgomp sum|uneven|region|idle N SCHEDULE    static, guided; of region N times */
#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "fork_loops.h"
#include "parallel_loops.h"

enum { WORKERS = 2 };

static int64_t fib(int n)
{
    int64_t a, b;

    if (n < 2)
        return n;
#pragma omp task shared(a)
    a = fib(n - 1);
    b = fib(n - 2);
#pragma omp taskwait
    return a + b;
}

#define WALK(tree)                                                                                 \
    static void walk_##tree(struct fork_node *node)                                                \
    {                                                                                              \
        struct fork_node children[FORK_CHILDREN_MAX];                                              \
        int count = expand_##tree(node, children);                                                 \
        for (int i = 0; i < count - 1; i++) {                                                      \
            struct fork_node *child = &children[i];                                                \
            _Pragma("omp task firstprivate(child)") walk_##tree(child);                            \
        }                                                                                          \
        if (count == 0)                                                                            \
            return;                                                                                \
        walk_##tree(&children[count - 1]);                                                         \
        _Pragma("omp taskwait") for (int i = 0; i < count; i++) node->value += children[i].value;  \
    }

WALK(queens)
WALK(tree)
WALK(skynet)

static int64_t run_fork(enum fork_kind kind, int n, int workers)
{
    struct fork_node root = fork_root(kind, n);

#pragma omp parallel num_threads(workers)
#pragma omp single
    switch (kind) {
    case FORK_FIB:
        root.value = fib(n);
        break;
    case FORK_QUEENS:
        walk_queens(&root);
        break;
    case FORK_TREE:
        walk_tree(&root);
        break;
    case FORK_SKYNET:
        walk_skynet(&root);
        break;
    }
    return root.value;
}

/* By two threads, each of which counts what it has done. */
static int64_t run_submit(int n)
{
    int64_t done[WORKERS * 16] = { 0 };

#pragma omp parallel num_threads(WORKERS)
#pragma omp single
    {
        for (int i = 0; i < n; i++) {
#pragma omp task shared(done)
            done[omp_get_thread_num() * 16]++;
        }
#pragma omp taskwait
    }
    return done[0] + done[16];
}

static int64_t run_sum(const double *values, int count)
{
    double sum = 0;

#pragma omp parallel for num_threads(WORKERS) schedule(runtime) reduction(+ : sum)
    for (int i = 0; i < count / PARALLEL_BLOCK; i++)
        sum += parallel_sum(values, (size_t)i * PARALLEL_BLOCK, (size_t)(i + 1) * PARALLEL_BLOCK);
    return (int64_t)sum;
}

static int64_t run_uneven(int n)
{
    int64_t count = 0;

#pragma omp parallel for num_threads(WORKERS) schedule(runtime) reduction(+ : count)
    for (int i = 0; i < n; i++) {
        parallel_item((size_t)i);
        count++;
    }
    return count;
}

static int64_t run_regions(int n)
{
    for (int turn = 0; turn < n; turn++) {
#pragma omp parallel for num_threads(WORKERS) schedule(runtime)
        for (int i = 0; i < PARALLEL_REGION; i++)
            parallel_tiny_item();
    }
    return n;
}

static double cpu_seconds(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void pause_ms(long ms)
{
    struct timespec time = { .tv_nsec = ms * 1000000 };

    nanosleep(&time, NULL);
}

/* The CPU seconds of the other threads in 200 ms, 10 ms after the last region. */
static double run_idle(void)
{
    run_regions(100);
    pause_ms(10);
    double began = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
    pause_ms(200);
    return cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - began;
}

static int64_t run(const char *what, int n, const char *how, const double *values)
{
    static const char *const forks[] = { "fib", "queens", "tree", "skynet" };

    for (int kind = FORK_FIB; kind <= FORK_SKYNET; kind++)
        if (strcmp(what, forks[kind]) == 0)
            return run_fork((enum fork_kind)kind, n, atoi(how));
    if (strcmp(what, "submit") == 0)
        return run_submit(n);
    omp_set_schedule(strcmp(how, "guided") == 0 ? omp_sched_guided : omp_sched_static, 0);
    if (strcmp(what, "sum") == 0)
        return run_sum(values, n);
    return strcmp(what, "uneven") == 0 ? run_uneven(n) : run_regions(n);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    const char *how = argc > 3 ? argv[3] : "";
    int n = argc > 2 ? atoi(argv[2]) : 0;
    double *values = strcmp(what, "sum") == 0 ? parallel_values((size_t)n) : NULL;
    int less = n > 50 ? n / 10 : strcmp(what, "fib") == 0 ? n - 8 : n - 2;

    if (strcmp(what, "idle") == 0)
        return printf("%.9f 0\n", run_idle()) < 0;
    run(what, less, how, values);
    uint64_t began = bench_ns();
    int64_t result = run(what, n, how, values);
    printf("%.9f %" PRId64 "\n", (double)(bench_ns() - began) / 1e9, result);
    return 0;
}
