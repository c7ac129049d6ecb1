/* SPDX-License-Identifier: MIT */
/* Fork and join, out of line and inline: what is forked runs once and gives its own result, whoever
 * took it, wherever it was forked, however many are not joined yet. Random trees are compared with
 * what plain calls compute. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "pools.h"
#include "random.h"

static const unsigned worker_counts[] = { 1, 2, 3, 8 };
#define COUNTS (sizeof worker_counts / sizeof *worker_counts)

/* What a job of the pool returns. */
static int in_job(hkt_executor *pool, hkt_job *job, void *arg)
{
    return hkt_future_finish(must_submit(pool, job, arg));
}

/* Random trees: a node has some of `size` nodes below it, shared out by its seed. */

enum { CHILDREN = 4 };

struct node {
    uint64_t seed;
    size_t size;
    hkt_executor *pool;
    uint64_t result;
};

struct family {
    struct node children[CHILDREN];
    int count;
};

static struct family family_of(const struct node *node)
{
    struct family family = { .count = 0 };
    struct test_random random = { node->seed };
    size_t rest = node->size - 1;
    while (rest > 0 && family.count < CHILDREN) {
        size_t size = family.count == CHILDREN - 1 ? rest : 1 + random_below(&random, rest);
        family.children[family.count++] = (struct node){ .seed = random_next(&random),
                                                         .size = size,
                                                         .pool = node->pool };
        rest -= size;
    }
    return family;
}

/* In an order that is not forgotten: a result in the wrong place is seen. */
static int combine(struct node *node, const struct family *family)
{
    node->result = node->seed;
    for (int i = 0; i < family->count; i++)
        node->result = node->result * UINT64_C(0x9e3779b97f4a7c15) + family->children[i].result + 1;
    return 0;
}

static int grow_by_calls(void *arg)
{
    struct node *node = arg;
    struct family family = family_of(node);
    for (int i = 0; i < family.count; i++)
        grow_by_calls(&family.children[i]);
    return combine(node, &family);
}

static int grow(void *arg)
{
    struct node *node = arg;
    struct family family = family_of(node);
    for (int i = 1; i < family.count; i++)
        hkt_fork(grow, &family.children[i]);
    if (family.count > 0)
        grow(&family.children[0]);
    for (int i = 1; i < family.count; i++)
        CHECK_EQ(hkt_join(), 0);
    return combine(node, &family);
}

static int grow_inline(hkt_forks forks, void *arg)
{
    struct node *node = arg;
    struct family family = family_of(node);
    for (int i = 1; i < family.count; i++)
        hkt_forks_fork(&forks, grow_inline, &family.children[i]);
    if (family.count > 0)
        grow_inline(forks, &family.children[0]);
    for (int i = family.count; --i > 0;)
        CHECK_EQ(hkt_forks_join(&forks, grow_inline, &family.children[i]), 0);
    return combine(node, &family);
}

static int run_grow_inline(void *arg)
{
    struct node *node = arg;
    return hkt_forks_run(node->pool, grow_inline, node);
}

static int grow_mixed(void *arg);

/* The first half inline, the others not. */
static int grow_mixed_inline(hkt_forks forks, void *arg)
{
    struct node *node = arg;
    struct family family = family_of(node);
    int half = family.count / 2;
    for (int i = 0; i < half; i++)
        hkt_forks_fork(&forks, grow_mixed_inline, &family.children[i]);
    for (int i = half; i < family.count; i++)
        hkt_fork(grow_mixed, &family.children[i]);
    for (int i = half; i < family.count; i++)
        CHECK_EQ(hkt_join(), 0);
    for (int i = half; i-- > 0;)
        CHECK_EQ(hkt_forks_join(&forks, grow_mixed_inline, &family.children[i]), 0);
    return combine(node, &family);
}

/* A child may be handed in too, or be a tree that runs by itself. */
static int grow_mixed(void *arg)
{
    struct node *node = arg;
    struct family family = family_of(node);
    hkt_future *handed_in = NULL;
    int first = 0;
    if (node->seed % 8 == 0)
        return hkt_forks_run(node->pool, grow_mixed_inline, node);
    if (node->seed % 8 == 1 && family.count > 0)
        CHECK_EQ(hkt_submit(node->pool, &handed_in, grow_mixed, &family.children[first++]), 0);
    for (int i = first; i < family.count; i++)
        hkt_fork(grow_mixed, &family.children[i]);
    if (node->seed % 16 == 2)
        CHECK_EQ(hkt_sleep(0), 0);
    for (int i = first; i < family.count; i++)
        CHECK_EQ(hkt_join(), 0);
    CHECK_EQ(hkt_future_finish(handed_in), 0);
    return combine(node, &family);
}

static int run_grow(void *arg)
{
    return hkt_fork_run(((struct node *)arg)->pool, grow, arg);
}

static int run_grow_mixed(void *arg)
{
    return hkt_fork_run(((struct node *)arg)->pool, grow_mixed, arg);
}

/* In jobs and outside, the same trees give the same. */
static void compare_with_calls(hkt_executor *pool, struct test_random *random, hkt_job *fork_run,
                               hkt_job *job)
{
    for (long i = 0; i < test_scaled(20); i++) {
        struct node root = { .seed = random_next(random), .pool = pool };
        root.size = 1 + random_below(random, i % 4 ? 300 : 20000);
        struct node same = root, again = root;
        CHECK_EQ(grow_by_calls(&root), 0);
        CHECK_EQ(fork_run(&same), 0);
        CHECK_EQ(in_job(pool, job, &again), 0);
        CHECK(same.result == root.result);
        CHECK(again.result == root.result);
    }
}

static void compare_with_pools(hkt_job *fork_run, hkt_job *job)
{
    struct test_random random = random_of(0);
    for (size_t i = 0; i < COUNTS; i++) {
        hkt_executor *pool = must_pool(worker_counts[i]);
        compare_with_calls(pool, &random, fork_run, job);
        end_pool(pool);
    }
}

TEST_TIMEOUT(random_trees_give_what_plain_calls_give, 60)
{
    compare_with_pools(run_grow, grow);
}

TEST_TIMEOUT(random_trees_of_inline_forks, 60)
{
    compare_with_pools(run_grow_inline, run_grow_inline);
}

TEST_TIMEOUT(random_trees_of_both_forms_of_jobs_and_of_waits, 60)
{
    compare_with_pools(run_grow_mixed, grow_mixed);
}

/* Many trees at once, from jobs and from threads that take part. */
struct grower {
    hkt_executor *pool;
    uint64_t stream;
};

static int grow_some(void *arg)
{
    struct grower *grower = arg;
    struct test_random random = random_of(grower->stream);
    for (long i = 0; i < test_scaled(10); i++) {
        struct node root = { .seed = random_next(&random), .size = 2000, .pool = grower->pool };
        struct node same = root;
        CHECK_EQ(grow_by_calls(&root), 0);
        CHECK_EQ(i % 2 ? run_grow(&same) : run_grow_inline(&same), 0);
        CHECK(same.result == root.result);
    }
    return 0;
}

TEST_TIMEOUT(many_trees_at_once, 60)
{
    for (size_t i = 0; i < COUNTS; i++) {
        hkt_executor *pool = must_pool(worker_counts[i]);
        struct grower growers[8];
        hkt_future *futures[4];
        for (uint64_t j = 0; j < 8; j++)
            growers[j] = (struct grower){ pool, j };
        for (int j = 0; j < 4; j++)
            CHECK_EQ(hkt_submit(pool, &futures[j], grow_some, &growers[j]), 0);
        call_in_threads(4, grow_some, &growers[4], sizeof *growers);
        for (int j = 0; j < 4; j++)
            CHECK_EQ(hkt_future_finish(futures[j]), 0);
        end_pool(pool);
    }
}

/* Trees that lean to one side, as far as they can. */

struct comb {
    int depth;
    bool forks_the_long_side;
    atomic_long *leaves;
};

static int comb(void *arg)
{
    struct comb *comb_here = arg;
    struct comb longer = *comb_here, leaf = *comb_here;
    if (comb_here->depth == 0) {
        atomic_fetch_add(comb_here->leaves, 1);
        return 0;
    }
    longer.depth--;
    leaf.depth = 0;
    hkt_fork(comb, comb_here->forks_the_long_side ? &longer : &leaf);
    comb(comb_here->forks_the_long_side ? &leaf : &longer);
    return hkt_join();
}

TEST(trees_that_lean_to_one_side)
{
    for (size_t i = 0; i < COUNTS; i++) {
        hkt_executor *pool = NULL;
        hkt_thread_pool_options options = { .max_workers = worker_counts[i],
                                            .stack_size = (size_t)16 << 20 };
        CHECK_EQ(hkt_thread_pool_create(&pool, &options), 0);
        for (int side = 0; side < 2; side++) {
            atomic_long leaves = 0;
            struct comb root = { 5000, side, &leaves };
            CHECK_EQ(hkt_fork_run(pool, comb, &root), 0);
            CHECK_EQ(in_job(pool, comb, &root), 0);
            CHECK_EQ(leaves, 2 * (root.depth + 1));
        }
        end_pool(pool);
    }
}

/* Far more forks that are not joined than an array has room for. */

static int count_one(void *arg)
{
    atomic_fetch_add((atomic_long *)arg, 1);
    return 0;
}

static int count_one_inline(hkt_forks forks, void *arg)
{
    (void)forks;
    return count_one(arg);
}

#define MANY test_scaled(1000 * 1000)

static int fork_many(void *counter)
{
    for (long i = 0; i < MANY; i++)
        hkt_fork(count_one, counter);
    for (long i = 0; i < MANY; i++)
        CHECK_EQ(hkt_join(), 0);
    return 0;
}

static int fork_many_inline(hkt_forks forks, void *counter)
{
    for (long i = 0; i < MANY; i++)
        hkt_forks_fork(&forks, count_one_inline, counter);
    for (long i = 0; i < MANY; i++)
        CHECK_EQ(hkt_forks_join(&forks, count_one_inline, counter), 0);
    return 0;
}

static int fork_many_twice(void *counter)
{
    CHECK_EQ(fork_many(counter), 0);
    return fork_many(counter);
}

TEST_TIMEOUT(a_million_forks_that_are_not_joined, 60)
{
    for (unsigned workers = 1; workers <= 3; workers += 2) {
        hkt_executor *pool = must_pool(workers);
        atomic_long counter = 0;
        CHECK_EQ(hkt_fork_run(pool, fork_many_twice, &counter), 0);
        CHECK_EQ(counter, 2 * MANY);
        CHECK_EQ(in_job(pool, fork_many_twice, &counter), 0);
        CHECK_EQ(counter, 4 * MANY);
        CHECK_EQ(hkt_forks_run(pool, fork_many_inline, &counter), 0);
        CHECK_EQ(counter, 5 * MANY);
        end_pool(pool);
    }
}

/* TSan keeps no more frames of a thread than 65 536. */
#define DEPTH (UNDER_TSAN ? 30000 : MANY)

struct deep {
    hkt_executor *pool;
    long depth;
    atomic_long counter;
    struct node tree;
};

/* Each level forks, then goes deeper; the deepest one forks a tree. */
static int go_deeper(struct deep *deep, long depth)
{
    if (depth == 0)
        return grow(&deep->tree);
    hkt_fork(count_one, &deep->counter);
    int err = go_deeper(deep, depth - 1);
    CHECK_EQ(hkt_join(), 0);
    return err;
}

static int begin_deep(void *arg)
{
    struct deep *deep = arg;
    return go_deeper(deep, deep->depth);
}

static int run_deep(void *arg)
{
    struct deep *deep = arg;
    return hkt_fork_run(deep->pool, begin_deep, deep);
}

/* On a thread with a stack for a million frames. */
TEST_TIMEOUT(a_million_nested_forks_that_are_not_joined, 60)
{
    hkt_thread_options options = { .stack_size = (size_t)1 << 30 };
    for (size_t i = 0; i < COUNTS; i++) {
        struct deep deep = { .pool = must_pool(worker_counts[i]), .depth = DEPTH };
        deep.tree = (struct node){ .seed = test_seed(), .size = 1000, .pool = deep.pool };
        struct node same = deep.tree;
        hkt_thread *thread;
        int result = -1;
        CHECK_EQ(hkt_thread_spawn(&thread, run_deep, &deep, &options), 0);
        CHECK_EQ(hkt_thread_join(thread), 0);
        CHECK_EQ(hkt_thread_result(thread, &result), 0);
        hkt_thread_destroy(thread);
        CHECK_EQ(result, 0);
        CHECK_EQ(deep.counter, deep.depth);
        CHECK_EQ(grow_by_calls(&same), 0);
        CHECK(deep.tree.result == same.result);
        end_pool(deep.pool);
    }
}

/* Waits inside forks. */

struct waiting {
    hkt_executor *pool;
    hkt_event *event;
    int depth;
};

static int wait_inside(void *arg)
{
    struct waiting *waiting = arg;
    struct waiting below = *waiting;
    if (waiting->depth == 0) {
        CHECK_EQ(hkt_event_wait(waiting->event), 0);
        CHECK_EQ(in_job(waiting->pool, do_nothing, NULL), 0);
        return 0;
    }
    below.depth--;
    for (int i = 0; i < 3; i++)
        hkt_fork(wait_inside, &below);
    CHECK_EQ(hkt_sleep(0.00001), 0);
    CHECK_EQ(in_job(waiting->pool, wait_inside, &below), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_join(), 0);
    return 0;
}

static int run_wait_inside(void *arg)
{
    struct waiting *waiting = arg;
    return hkt_fork_run(waiting->pool, wait_inside, waiting);
}

TEST(forked_jobs_may_wait)
{
    for (size_t i = 0; i < COUNTS; i++) {
        hkt_event event = { 0 };
        struct waiting waiting = { must_pool(worker_counts[i]), &event, 3 };
        struct caller caller;
        hkt_future *future;
        CHECK_EQ(hkt_submit(waiting.pool, &future, wait_inside, &waiting), 0);
        caller_start(&caller, run_wait_inside, &waiting);
        AWAIT(hkt_future_running(future));
        CHECK(!hkt_future_done(future));
        hkt_event_set(&event);
        CHECK_EQ(caller_end(&caller), 0);
        CHECK_EQ(hkt_future_finish(future), 0);
        end_pool(waiting.pool);
    }
}
