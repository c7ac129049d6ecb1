/* SPDX-License-Identifier: MIT */
/* Fork and join: Fibonacci, where there is nothing but forks, and three trees (fork_loops.h). Every
 * result is compared with that of plain recursive calls, which are a system of their own here. */
#include "fork_loops.h"

#include <hocket/fork.h>
#include <hocket/thread_pool.h>

#include <math.h>

#include "common_child.h"

/* Hocket, inline: a small number is the argument itself and the result. */
static int inline_fib(hkt_forks forks, void *arg)
{
    intptr_t n = (intptr_t)arg;

    if (n < 2)
        return (int)n;
    hkt_forks_fork(&forks, inline_fib, (void *)(n - 1));
    int b = inline_fib(forks, (void *)(n - 2));
    return b + hkt_forks_join(&forks, inline_fib, (void *)(n - 1));
}

/* Hocket, out of line. */
static int call_fib(void *arg)
{
    intptr_t n = (intptr_t)arg;

    if (n < 2)
        return (int)n;
    hkt_fork(call_fib, (void *)(n - 1));
    int b = call_fib((void *)(n - 2));
    return b + hkt_join();
}

static __attribute__((noinline)) int serial_fib(int n)
{
    return n < 2 ? n : serial_fib(n - 1) + serial_fib(n - 2);
}

/* The three ways to walk through a tree. */
#define WALKS(tree)                                                                                \
    static int inline_##tree(hkt_forks forks, void *arg)                                           \
    {                                                                                              \
        struct fork_node *node = arg, children[FORK_CHILDREN_MAX];                                 \
        int count = expand_##tree(node, children);                                                 \
        for (int i = 0; i < count - 1; i++)                                                        \
            hkt_forks_fork(&forks, inline_##tree, &children[i]);                                   \
        if (count > 0)                                                                             \
            inline_##tree(forks, &children[count - 1]);                                            \
        for (int i = count - 2; i >= 0; i--)                                                       \
            hkt_forks_join(&forks, inline_##tree, &children[i]);                                   \
        for (int i = 0; i < count; i++)                                                            \
            node->value += children[i].value;                                                      \
        return 0;                                                                                  \
    }                                                                                              \
    static int call_##tree(void *arg)                                                              \
    {                                                                                              \
        struct fork_node *node = arg, children[FORK_CHILDREN_MAX];                                 \
        int count = expand_##tree(node, children);                                                 \
        for (int i = 0; i < count - 1; i++)                                                        \
            hkt_fork(call_##tree, &children[i]);                                                   \
        if (count > 0)                                                                             \
            call_##tree(&children[count - 1]);                                                     \
        for (int i = count - 2; i >= 0; i--)                                                       \
            hkt_join();                                                                            \
        for (int i = 0; i < count; i++)                                                            \
            node->value += children[i].value;                                                      \
        return 0;                                                                                  \
    }                                                                                              \
    static void serial_##tree(struct fork_node *node)                                              \
    {                                                                                              \
        struct fork_node children[FORK_CHILDREN_MAX];                                              \
        int count = expand_##tree(node, children);                                                 \
        for (int i = 0; i < count; i++) {                                                          \
            serial_##tree(&children[i]);                                                           \
            node->value += children[i].value;                                                      \
        }                                                                                          \
    }

WALKS(queens)
WALKS(tree)
WALKS(skynet)

static hkt_forked *const inline_walks[] = { inline_fib, inline_queens, inline_tree, inline_skynet };
static hkt_job *const call_walks[] = { call_fib, call_queens, call_tree, call_skynet };
static void (*const serial_walks[])(struct fork_node *) = { NULL, serial_queens, serial_tree,
                                                            serial_skynet };

static int64_t run_hocket(hkt_executor *pool, enum fork_kind kind, int n, bool in_line)
{
    struct fork_node root = fork_root(kind, n);
    void *arg = kind == FORK_FIB ? (void *)(intptr_t)n : &root;
    int result = in_line ? hkt_forks_run(pool, inline_walks[kind], arg)
                         : hkt_fork_run(pool, call_walks[kind], arg);

    if (result < 0)
        bench_check(result, "hkt_fork_run");
    return kind == FORK_FIB ? result : root.value;
}

static int64_t solve_hocket(enum fork_kind kind, int n, int workers, double *seconds, bool in_line)
{
    hkt_executor *pool;

    bench_check(hkt_thread_pool_create(
                    &pool, &(hkt_thread_pool_options){ .max_workers = (unsigned)workers }),
                "hkt_thread_pool_create");
    run_hocket(pool, kind, n - fork_less(kind), in_line);
    uint64_t began = bench_ns();
    int64_t result = run_hocket(pool, kind, n, in_line);
    *seconds = (double)(bench_ns() - began) / 1e9;
    hkt_executor_destroy(pool);
    return result;
}

static int64_t solve_inline(enum fork_kind kind, int n, int workers, double *seconds)
{
    return solve_hocket(kind, n, workers, seconds, true);
}

static int64_t solve_call(enum fork_kind kind, int n, int workers, double *seconds)
{
    return solve_hocket(kind, n, workers, seconds, false);
}

static int64_t solve_serial(enum fork_kind kind, int n, int workers, double *seconds)
{
    struct fork_node root = fork_root(kind, n);
    uint64_t began = bench_ns();

    (void)workers;
    if (kind == FORK_FIB)
        root.value = serial_fib(n);
    else
        serial_walks[kind](&root);
    *seconds = (double)(bench_ns() - began) / 1e9;
    return root.value;
}

static int64_t solve_child(const char *name, enum fork_kind kind, int n, int workers,
                           double *seconds)
{
    static const char *const kinds[] = { "fib", "queens", "tree", "skynet" };
    int64_t result = 0;

    *seconds = bench_child(&result, name, "%s %d %d", kinds[kind], n, workers);
    return result;
}

static int64_t solve_libgomp(enum fork_kind kind, int n, int workers, double *seconds)
{
    return solve_child("libgomp", kind, n, workers, seconds);
}

static int64_t solve_libomp(enum fork_kind kind, int n, int workers, double *seconds)
{
    return solve_child("libomp", kind, n, workers, seconds);
}

static int64_t solve_go(enum fork_kind kind, int n, int workers, double *seconds)
{
    return solve_child("go", kind, n, workers, seconds);
}

static const struct {
    const char *name;
    fork_solve *solve;
    int fib; /* its n: for some 0.1 s */
} systems[] = {
    { "hocket", solve_inline, 35 },
    { "hocket-call", solve_call, 34 },
    { "calls", solve_serial, 35 },
    { "libgomp-task", solve_libgomp, 25 },
    { "libomp-task", solve_libomp, 25 },
#ifdef HAVE_TBB
    { "tbb::task_group", fork_solve_tbb, 28 },
#endif
    { "goroutine", solve_go, 26 },
};
enum { SYSTEMS = sizeof systems / sizeof systems[0] };

static bool is_quick(const struct bench_workload *workload)
{
    return workload->seconds < 0.1;
}

static double solve(const struct bench_workload *workload, int s, enum fork_kind kind, int n)
{
    double seconds, serially;
    int64_t result = systems[s].solve(kind, n, workload->threads, &seconds);

    if (!isnan(seconds) && result != solve_serial(kind, n, 1, &serially))
        bench_fail("%s: %s has a wrong result", workload->name, systems[s].name);
    return seconds;
}

static void measure_fib(const struct bench_workload *workload, int s, double values[])
{
    int n = is_quick(workload) ? 20 : systems[s].fib;
    double a = 0, b = 1;

    if (workload->threads > 1 && systems[s].solve == solve_serial)
        return;
    for (int i = 0; i < n; i++) {
        double next = a + b;
        a = b;
        b = next;
    }
    values[0] = solve(workload, s, FORK_FIB, n) * 1e9 / (a + b - 1); /* forks: fib(n + 1) - 1 */
}

static void measure_tree(const struct bench_workload *workload, int s, double values[])
{
    static const struct {
        int n, quick;
    } sizes[] = { [FORK_QUEENS] = { 12, 8 }, [FORK_TREE] = { 8, 5 }, [FORK_SKYNET] = { 6, 4 } };
    enum fork_kind kind = (enum fork_kind)workload->work_ns;

    values[0] = solve(workload, s, kind, is_quick(workload) ? sizes[kind].quick : sizes[kind].n) *
                1e3;
}

/* The work is the kind of problem. */
static const struct bench_workload workloads[] = {
    { "fork-fib-1", measure_fib, 0.1, 1, 0, { { "fork", "ns", BENCH_LESS } } },
    { "fork-fib-2", measure_fib, 0.1, 2, 0, { { "fork", "ns", BENCH_LESS } } },
    { "fork-queens-2", measure_tree, 0.1, 2, FORK_QUEENS, { { "all", "ms", BENCH_LESS } } },
    { "fork-tree-2", measure_tree, 0.1, 2, FORK_TREE, { { "all", "ms", BENCH_LESS } } },
    { "fork-skynet-2", measure_tree, 0.1, 2, FORK_SKYNET, { { "all", "ms", BENCH_LESS } } },
};

int main(int argc, char **argv)
{
    const char *names[SYSTEMS];

    bench_begin(argc, argv, "Fork and join: Fibonacci, 12 queens, an uneven tree, 1 M leaves.");
    for (int i = 0; i < SYSTEMS; i++)
        names[i] = systems[i].name;
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        bench_measure(&workloads[i], names, SYSTEMS);
    return bench_end();
}
