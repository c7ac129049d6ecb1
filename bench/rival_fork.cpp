/* SPDX-License-Identifier: MIT */
/* oneTBB's task groups, for bench_fork. */
#include "fork_loops.h"

#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

namespace
{

int64_t fib(int n)
{
    if (n < 2)
        return n;
    tbb::task_group group;
    int64_t a = 0;
    group.run([&a, n] { a = fib(n - 1); });
    int64_t b = fib(n - 2);
    group.wait();
    return a + b;
}

template <int (*expand)(fork_node *, fork_node *)> void walk(fork_node *node)
{
    fork_node children[FORK_CHILDREN_MAX];
    int count = expand(node, children);

    if (count == 0)
        return;
    tbb::task_group group;
    for (int i = 0; i < count - 1; i++)
        group.run([child = &children[i]] { walk<expand>(child); });
    walk<expand>(&children[count - 1]);
    group.wait();
    for (int i = 0; i < count; i++)
        node->value += children[i].value;
}

int64_t run(fork_kind kind, int n)
{
    fork_node root = fork_root(kind, n);

    switch (kind) {
    case FORK_FIB:
        return fib(n);
    case FORK_QUEENS:
        walk<expand_queens>(&root);
        break;
    case FORK_TREE:
        walk<expand_tree>(&root);
        break;
    case FORK_SKYNET:
        walk<expand_skynet>(&root);
        break;
    }
    return root.value;
}

} // namespace

int64_t fork_solve_tbb(fork_kind kind, int n, int workers, double *seconds)
{
    tbb::task_arena arena(workers);
    uint64_t began = 0;
    int64_t result = 0;

    arena.execute([&] {
        run(kind, n - fork_less(kind));
        began = bench_ns();
        result = run(kind, n);
    });
    *seconds = static_cast<double>(bench_ns() - began) / 1e9;
    return result;
}
