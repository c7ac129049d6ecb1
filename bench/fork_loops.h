/* SPDX-License-Identifier: MIT */
/* The problems of bench_fork, in C and in C++. Fibonacci is forks and nothing else. The others are
 * trees: a node is expanded into its children, each but the last is forked, and its value is its own
 * and theirs; what a node's children are is here, how they are forked is each system's.
 *
 *   queens   all ways to place n queens on a board: 856 189 nodes for 12
 *   tree     by chance, but always the same: the root has 16 children, another node above the last
 *            level so many as a die says, 4 on average, which is thrown until it says no; so parts
 *            that begin at the same level differ by far
 *   skynet   10 children each, 10^n leaves, which are numbered: the sum of the numbers
 *
 * bench/rival_go.go has them once more. */
#ifndef BENCH_FORK_LOOPS_H
#define BENCH_FORK_LOOPS_H

#include "common.h"

enum fork_kind { FORK_FIB, FORK_QUEENS, FORK_TREE, FORK_SKYNET };
enum { FORK_CHILDREN_MAX = 16 };
#define FORK_TREE_SEED 23u

struct fork_node {
    uint64_t state;
    int64_t value;
    int32_t depth, size; /* levels below; n */
};

/* Solves a problem with so many workers, once small to warm up and then in full: the result, and
 * the seconds of that. */
typedef int64_t fork_solve(enum fork_kind kind, int n, int workers, double *seconds);

BENCH_INLINE struct fork_node fork_root(enum fork_kind kind, int n)
{
    struct fork_node root = { kind == FORK_TREE ? FORK_TREE_SEED : 0, 0, n, n };

    return root;
}

BENCH_INLINE struct fork_node fork_child(const struct fork_node *node, uint64_t state)
{
    struct fork_node child = { state, 0, node->depth - 1, node->size };

    return child;
}

/* The state: columns that are taken, and the two kinds of diagonals, 16 bits each. */
BENCH_INLINE int expand_queens(struct fork_node *node, struct fork_node *children)
{
    uint64_t columns = node->state & 0xffff, left = node->state >> 16 & 0xffff;
    uint64_t right = node->state >> 32;
    uint64_t places = ~(columns | left | right) & ((1u << node->size) - 1);
    int count = 0;

    node->value = node->depth == 0;
    for (; node->depth > 0 && places; places &= places - 1) {
        uint64_t place = places & -places;
        children[count++] = fork_child(node, (columns | place) |
                                                 ((left | place) << 1 & 0xffff) << 16 |
                                                 (right | place) >> 1 << 32);
    }
    return count;
}

BENCH_INLINE uint64_t fork_mix(uint64_t x)
{
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    return x ^ x >> 32;
}

/* The state: a random number, of which 16 pieces of 4 bits say whether there is one more child. */
BENCH_INLINE int expand_tree(struct fork_node *node, struct fork_node *children)
{
    uint64_t random = fork_mix(node->state);
    int count = 0;

    node->value = 1;
    if (node->depth == 0)
        return 0;
    while (count < FORK_CHILDREN_MAX && (node->depth == node->size || (random & 15) < 13)) {
        children[count] = fork_child(node, node->state * 31 + (uint64_t)count + 1);
        children[count].state = fork_mix(children[count].state);
        random >>= 4;
        count++;
    }
    return count;
}

/* The state: the number of the first leaf below. */
BENCH_INLINE int expand_skynet(struct fork_node *node, struct fork_node *children)
{
    uint64_t leaves = 1;

    node->value = node->depth == 0 ? (int64_t)node->state : 0;
    if (node->depth == 0)
        return 0;
    for (int i = 1; i < node->depth; i++)
        leaves *= 10;
    for (unsigned i = 0; i < 10; i++)
        children[i] = fork_child(node, node->state + i * leaves);
    return 10;
}

/* How much smaller the problem to warm up is. */
BENCH_INLINE int fork_less(enum fork_kind kind)
{
    return kind == FORK_FIB ? 8 : 2;
}

#ifdef __cplusplus
extern "C" {
#endif
int64_t fork_solve_tbb(enum fork_kind kind, int n, int workers, double *seconds);
#ifdef __cplusplus
}
#endif
#endif
