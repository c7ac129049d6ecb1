/* SPDX-License-Identifier: MIT */
/* Bad days of pools: jobs that never end, very many that have not begun when the pool ends, a failure
 * in the middle of millions. */
#include <stdatomic.h>
#include <stdlib.h>

#include "pools.h"

#define LONG_AFTER 10.0 /* an upper bound on a loaded machine */
#define QUEUED 100000

/* Jobs that do not end. */

static void check_left(struct lines *lines)
{
    CHECK_EQ(lines_count(lines), 1);
    CHECK(strstr(lines->text[0], "pool \"stuck\" is destroyed"));
    CHECK(strstr(lines->text[0], "jobs that do not end"));
}

static hkt_executor *stuck_pool(unsigned workers)
{
    hkt_executor *pool = NULL;
    hkt_thread_pool_options options = { .max_workers = workers, .name = "stuck" };
    CHECK_EQ(hkt_thread_pool_create(&pool, &options), 0);
    return pool;
}

static void shut_down_in_vain(hkt_executor *pool)
{
    double since = hkt_monotonic();
    CHECK_EQ(hkt_executor_shutdown_until(pool, hkt_after(0.01)), -ETIMEDOUT);
    CHECK(hkt_monotonic() - since >= 0.01);
    CHECK(hkt_monotonic() - since < LONG_AFTER);
}

/* It is not waited for twice; its future stays; when it ends at last, all is given back. */
TEST(a_job_that_never_ends)
{
    struct lines lines;
    struct gate gate = { .result = 3 };
    hkt_future *future = NULL;
    lines_open(&lines);
    hkt_executor *pool = stuck_pool(2);
    hkt_future *held = hold_worker(pool, &gate);
    shut_down_in_vain(pool);
    CHECK_EQ(hkt_submit(pool, &future, do_nothing, NULL), -ESHUTDOWN);
    double since = hkt_monotonic();
    hkt_executor_destroy(pool);
    CHECK(hkt_monotonic() - since < LONG_AFTER);
    check_left(&lines);
    CHECK(hkt_future_running(held));
    CHECK_EQ(hkt_finalize(), -EBUSY);
    let_through(&gate, held);
    AWAIT(hkt_thread_active_count() == 1);
    AWAIT(hkt_finalize() == 0);
    CHECK_EQ(hkt_allocation_count(), 0);
    CHECK_EQ(lines_count(&lines), 1);
}

/* With others behind it, which begin when it has ended, and hand in more. */
static hkt_executor *stuck;

static int hand_in_another(void *arg)
{
    CHECK_EQ(hkt_submit(stuck, NULL, count_up, arg), 0);
    return count_up(arg);
}

TEST(jobs_behind_one_that_ends_late)
{
    struct lines lines;
    struct gate gate = { .result = 3 };
    atomic_int ran = 0;
    lines_open(&lines);
    stuck = stuck_pool(1);
    hkt_future *held = hold_worker(stuck, &gate);
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(hkt_submit(stuck, NULL, hand_in_another, &ran), 0);
    shut_down_in_vain(stuck);
    shut_down_in_vain(stuck);
    hkt_executor_destroy(stuck);
    check_left(&lines);
    CHECK_EQ(ran, 0);
    let_through(&gate, held);
    AWAIT(hkt_thread_active_count() == 1);
    AWAIT(hkt_finalize() == 0);
    CHECK_EQ(ran, 2000);
    CHECK_EQ(hkt_allocation_count(), 0);
}

/* A shutdown that was given up, and then all ends in time: nothing to be told. */
TEST(a_job_that_ends_after_all)
{
    struct lines lines;
    struct gate gate = { .result = 3 };
    lines_open(&lines);
    hkt_executor *pool = stuck_pool(3);
    hkt_future *held = hold_worker(pool, &gate);
    shut_down_in_vain(pool);
    let_through(&gate, held);
    CHECK_EQ(hkt_executor_shutdown(pool), 0);
    end_pool(pool);
    CHECK_EQ(lines_count(&lines), 0);
}

/* Who waits for the end is cancelled: that is no giving up. */
static int shut_down(void *pool)
{
    return hkt_executor_shutdown(pool);
}

TEST(a_shutdown_that_is_cancelled)
{
    struct lines lines;
    struct gate gate = { .result = 3 };
    struct caller caller;
    lines_open(&lines);
    hkt_executor *pool = stuck_pool(1);
    hkt_future *held = hold_worker(pool, &gate);
    caller_start(&caller, shut_down, pool);
    await_asleep(caller.thread);
    caller_cancel(&caller);
    CHECK_EQ(caller_end(&caller), -ECANCELED);
    let_through(&gate, held);
    end_pool(pool);
    CHECK_EQ(lines_count(&lines), 0);
}

/* Very many that have not begun. */

TEST(destroy_runs_all_that_were_handed_in)
{
    for (unsigned workers = 1; workers <= 3; workers++) {
        struct gate gate = { .result = 3 };
        atomic_int ran = 0;
        hkt_executor *pool = must_pool(workers);
        hkt_future *held[3];
        for (unsigned i = 0; i < workers; i++) {
            hkt_event_clear(&gate.entered);
            held[i] = hold_worker(pool, &gate);
        }
        for (int i = 0; i < QUEUED; i++)
            CHECK_EQ(hkt_submit(pool, NULL, count_up, &ran), 0);
        CHECK_EQ(ran, 0);
        for (unsigned i = 0; i < workers; i++)
            let_through(&gate, held[i]);
        end_pool(pool);
        CHECK_EQ(ran, QUEUED);
    }
}

static void count_cancelled(hkt_future *future, void *arg)
{
    CHECK(hkt_future_cancelled(future));
    count_up(arg);
}

TEST(close_may_cancel_all_that_have_not_begun)
{
    static hkt_future *futures[QUEUED];
    struct gate gate = { .result = 3 };
    atomic_int ran = 0, told = 0;
    hkt_future *future = NULL;
    hkt_executor *pool = must_pool(1);
    hkt_future *held = hold_worker(pool, &gate);
    for (int i = 0; i < QUEUED; i++)
        futures[i] = must_submit(pool, count_up, &ran);
    for (int i = 0; i < QUEUED; i += 1000)
        CHECK_EQ(hkt_future_add_done_callback(futures[i], count_cancelled, &told), 0);
    hkt_executor_close(pool, true);
    CHECK_EQ(told, QUEUED / 1000);
    CHECK_EQ(hkt_submit(pool, &future, count_up, &ran), -ESHUTDOWN);
    CHECK(hkt_future_running(held));
    for (int i = 0; i < QUEUED; i++) {
        CHECK(hkt_future_cancelled(futures[i]));
        CHECK_EQ(hkt_future_finish(futures[i]), -ECANCELED);
    }
    let_through(&gate, held);
    end_pool(pool);
    CHECK_EQ(ran, 0);
}

/* While others hand in and take: each job runs or is cancelled. */
struct supplier {
    hkt_executor *pool;
    atomic_int *ran, *submitted, *cancelled;
};

static int supply(void *arg)
{
    struct supplier *supplier = arg;
    hkt_future *future;
    int err;
    while ((err = hkt_submit(supplier->pool, &future, count_up, supplier->ran)) == 0) {
        atomic_fetch_add(supplier->submitted, 1);
        err = hkt_future_finish(future);
        CHECK(err == 0 || err == -ECANCELED);
        if (err < 0)
            atomic_fetch_add(supplier->cancelled, 1);
    }
    CHECK_EQ(err, -ESHUTDOWN);
    return 0;
}

TEST(close_beside_those_who_hand_in)
{
    for (long i = 0; i < test_scaled(100); i++) {
        atomic_int ran = 0, submitted = 0, cancelled = 0;
        struct supplier supplier = { must_pool(2), &ran, &submitted, &cancelled };
        struct caller callers[3];
        for (int j = 0; j < 3; j++)
            caller_start(&callers[j], supply, &supplier);
        AWAIT(submitted > 10);
        hkt_executor_close(supplier.pool, true);
        for (int j = 0; j < 3; j++)
            CHECK_EQ(caller_end(&callers[j]), 0);
        CHECK_EQ(ran + cancelled, submitted);
        hkt_executor_destroy(supplier.pool);
    }
    check_finalized();
}

/* By a job of the pool itself, which may still hand in. */
static int close_from_inside(void *pool)
{
    hkt_executor_close(pool, true);
    CHECK_EQ(hkt_executor_shutdown(pool), -EDEADLK);
    return hkt_future_finish(must_submit(pool, do_nothing, NULL));
}

TEST(close_by_a_job_of_the_pool)
{
    struct gate gate = { .result = 3 };
    atomic_int ran = 0;
    hkt_executor *pool = must_pool(1);
    hkt_future *held = hold_worker(pool, &gate);
    hkt_future *closing = must_submit(pool, close_from_inside, pool);
    hkt_future *behind = must_submit(pool, count_up, &ran);
    let_through(&gate, held);
    CHECK_EQ(hkt_future_finish(closing), 0);
    int err = hkt_future_finish(behind);
    CHECK_EQ(err, -ECANCELED);
    CHECK_EQ(ran, 0);
    end_pool(pool);
}

/* A failure in the middle of millions. */

struct tree {
    long begin, end, bad;
    atomic_long *leaves;
};

static int grow(void *arg)
{
    struct tree *tree = arg;
    struct tree left = *tree, right = *tree;
    if (tree->end - tree->begin == 1) {
        atomic_fetch_add_explicit(tree->leaves, 1, memory_order_relaxed);
        return tree->begin == tree->bad ? hkt_fail(-EIO, "leaf %ld is bad", tree->bad) : 0;
    }
    left.end = right.begin = tree->begin + (tree->end - tree->begin) / 2;
    hkt_fork(grow, &right);
    int err = grow(&left);
    int forked = hkt_join();
    return err < 0 ? err : forked;
}

TEST_TIMEOUT(a_bad_leaf_in_a_tree_of_millions, 60)
{
    for (unsigned workers = 1; workers <= 3; workers++) {
        hkt_executor *pool = must_pool(workers);
        long count = test_scaled(2000 * 1000);
        for (int i = 0; i < 4; i++) {
            atomic_long leaves = 0;
            char expected[HKT_SENTENCE_MAX];
            struct tree tree = { 0, count, count / 4 * i + count / 9, &leaves };
            snprintf(expected, sizeof expected, "leaf %ld is bad", tree.bad);
            if (i % 2)
                CHECK_EQ(hkt_fork_run(pool, grow, &tree), -EIO);
            else
                CHECK_EQ(hkt_future_finish(must_submit(pool, grow, &tree)), -EIO);
            CHECK_STR(hkt_sentence(-EIO), expected);
            CHECK_EQ(leaves, count);
        }
        end_pool(pool);
    }
}

/* The same as jobs that hand in jobs: thousands wait, one fails. */
static hkt_executor *nested_pool;

static int hand_in_tree(void *arg)
{
    struct tree *tree = arg;
    struct tree left = *tree, right = *tree;
    if (tree->end - tree->begin == 1)
        return grow(tree);
    left.end = right.begin = tree->begin + (tree->end - tree->begin) / 2;
    hkt_future *first = must_submit(nested_pool, hand_in_tree, &left);
    hkt_future *second = must_submit(nested_pool, hand_in_tree, &right);
    int err = hkt_future_finish(first);
    int other = hkt_future_finish(second);
    return err < 0 ? err : other;
}

TEST_TIMEOUT(a_bad_leaf_in_a_tree_of_jobs, 60)
{
    for (unsigned workers = 1; workers <= 3; workers++) {
        atomic_long leaves = 0;
        long count = test_scaled(20000);
        struct tree tree = { 0, count, count / 3, &leaves };
        nested_pool = must_pool(workers);
        CHECK_EQ(hkt_future_finish(must_submit(nested_pool, hand_in_tree, &tree)), -EIO);
        CHECK_EQ(leaves, count);
        CHECK(strstr(hkt_sentence(-EIO), "is bad"));
        end_pool(nested_pool);
    }
}

/* A loop over millions ends soon. */
static int fail_in_the_middle(void *arg)
{
    struct tree *item = arg;
    atomic_fetch_add_explicit(item->leaves, 1, memory_order_relaxed);
    return item->begin ? hkt_fail(-EIO, "item %ld is bad", item->begin) : 0;
}

TEST(a_bad_item_in_a_loop_over_millions)
{
    size_t count = (size_t)test_scaled(1000 * 1000);
    struct tree *items = calloc(count, sizeof *items);
    atomic_long leaves = 0;
    hkt_executor *pool = must_pool(3);
    CHECK(items != NULL);
    for (size_t i = 0; i < count; i++)
        items[i].leaves = &leaves;
    items[count / 2].begin = 4711;
    CHECK_EQ(hkt_parallel_for_each(pool, fail_in_the_middle, items, count, sizeof *items), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "item 4711 is bad");
    CHECK(leaves >= 1 && leaves <= (long)count);
    leaves = 0;
    CHECK_EQ(hkt_map(pool, fail_in_the_middle, items, count, sizeof *items), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "item 4711 is bad");
    CHECK(leaves >= 1 && leaves <= (long)count);
    free(items);
    end_pool(pool);
}
