/* SPDX-License-Identifier: MIT */
/* Bad days of pools: no memory. Everything that jobs are handed in by is used while the n-th
 * allocation fails, for every n: once, and from then on. Each time the error is clear, each job that
 * was taken ends, nothing is leaked, nothing hangs. Then the same without room for stacks. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "pools.h"

static atomic_long calls, alive;
static long fail_from, fail_to; /* these calls fail, counted from 1 */

static void *allocate(void *context, size_t size)
{
    (void)context;
    long call = ++calls;
    void *memory = call >= fail_from && call <= fail_to ? NULL : malloc(size);
    if (memory)
        alive++;
    return memory;
}

static void release(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    alive--;
    free(memory);
}

static const hkt_allocator failing = { allocate, release, NULL, { 0 } };

#define ITEMS 300 /* more than futures or places in queues are allocated at a time */

static atomic_int ran, told;

static int work(void *arg)
{
    (void)arg;
    ran++;
    return 3;
}

static int use_submit(hkt_executor *pool)
{
    static hkt_future *futures[ITEMS];
    int count = 0, err = 0;
    ran = 0;
    while (count < ITEMS && (err = hkt_submit(pool, &futures[count], work, NULL)) == 0)
        count++;
    for (int i = 0; i < count; i++)
        CHECK_EQ(hkt_future_finish(futures[i]), 3);
    CHECK_EQ(ran, count);
    return err;
}

static void tell(hkt_future *future, void *arg)
{
    CHECK_EQ(result_of(future), 3);
    CHECK(arg == &told);
    told++;
}

/* Several futures: those that were had are waited for in each way that there is. */
static int use_waits(hkt_executor *pool)
{
    hkt_future *futures[8] = { NULL }, *next;
    hkt_as_completed *ended;
    int count = 0, added = 0, err = 0;
    told = 0;
    while (count < 8 && (err = hkt_submit(pool, &futures[count], work, NULL)) == 0)
        count++;
    for (int i = 0; i < count && err == 0; i++, added += err == 0)
        err = hkt_future_add_done_callback(futures[i], tell, &told);
    if (err == 0) {
        err = hkt_wait(futures, (size_t)count, HKT_ALL_COMPLETED);
        CHECK(err == count || err == -ENOMEM);
        err = err < 0 ? err : 0;
    }
    if (err == 0 && (err = hkt_as_completed_create(&ended, futures, (size_t)count)) == 0) {
        for (int i = 0; i < count; i++)
            CHECK_EQ(hkt_as_completed_next(ended, &next), 1);
        CHECK_EQ(hkt_as_completed_next(ended, &next), 0);
        hkt_as_completed_destroy(ended);
    }
    for (int i = 0; i < count; i++)
        CHECK_EQ(hkt_future_finish(futures[i]), 3);
    AWAIT(told == added); /* the last one is told while who waits is let go */
    return err;
}

static int use_map(hkt_executor *pool)
{
    static char items[ITEMS];
    static int codes[ITEMS];
    hkt_map_options options = { .codes = codes };
    int done = 0;
    memset(codes, 0x55, sizeof codes);
    ran = 0;
    int err = hkt_map_with(pool, work, items, ITEMS, 1, &options);
    for (int i = 0; i < ITEMS && ran > 0; i++) {
        CHECK(codes[i] == 3 || (err < 0 && codes[i] == -ECANCELED));
        done += codes[i] == 3;
    }
    CHECK_EQ(done, ran);
    CHECK(err == -ENOMEM || ran == ITEMS);
    return err;
}

struct flow {
    int produced, consumed;
};

static int produce(void *context, void *item)
{
    struct flow *flow = context;
    *(int *)item = flow->produced;
    return flow->produced < 40 ? (flow->produced++, 1) : 0;
}

static int consume(void *context, void *item, int code)
{
    struct flow *flow = context;
    CHECK_EQ(code, 3);
    CHECK(*(int *)item < flow->produced);
    flow->consumed++;
    return 0;
}

/* What was worked on is consumed, and at the most the one is not that could not be handed in. */
static int use_stream(hkt_executor *pool, bool ordered)
{
    struct flow flow = { 0 };
    hkt_imap_options options = { .produce = produce, .consume = consume, .context = &flow };
    ran = 0;
    int err = ordered ? hkt_imap(pool, work, sizeof(int), &options)
                      : hkt_imap_unordered(pool, work, sizeof(int), &options);
    CHECK_EQ(flow.consumed, ran);
    CHECK_EQ(flow.produced, err == 0 ? 40 : flow.consumed + (flow.produced > 0));
    return err;
}

static int fold(void *context, size_t begin, size_t end, void *value)
{
    (void)context;
    *(size_t *)value += end - begin;
    return 0;
}

static void combine(void *context, void *left, const void *right)
{
    (void)context;
    *(size_t *)left += *(const size_t *)right;
}

static int use_reduce(hkt_executor *pool)
{
    size_t value = 0;
    hkt_reduce_options options = { .fold = fold, .combine = combine, .value_size = sizeof value };
    int err = hkt_reduce(pool, 5, 5005, &value, &options);
    CHECK_EQ(value, err == 0 ? 5000 : 0);
    return err;
}

/* Forks need no memory of ours, but for a sentence on its way: then there are the general words. */
static int fail_a_fork(void *arg)
{
    atomic_store((atomic_int *)arg, 1);
    return hkt_fail(-EIO, "a fork");
}

static int fork_failures(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        atomic_int began = 0;
        hkt_fork(fail_a_fork, &began);
        for (int j = 0; j < 20 && !began; j++)
            await_moment();
        CHECK_EQ(hkt_join(), -EIO);
        const char *sentence = hkt_sentence(-EIO);
        CHECK(strcmp(sentence, "a fork") == 0 || strcmp(sentence, hkt_strerror(-EIO)) == 0);
    }
    return 0;
}

/* A job that hands in jobs and waits for them. */
static int use_inside(void *pool)
{
    hkt_future *future;
    int err = hkt_submit(pool, &future, work, NULL);
    if (err < 0)
        return err;
    CHECK_EQ(hkt_future_finish(future), 3);
    CHECK_EQ(hkt_fork_run(pool, fork_failures, NULL), 0);
    return use_waits(pool);
}

static int use_pool(hkt_executor *pool)
{
    hkt_future *future;
    int err = use_submit(pool);
    if (err == 0)
        err = use_waits(pool);
    if (err == 0)
        err = use_map(pool);
    if (err == 0)
        err = use_stream(pool, true);
    if (err == 0)
        err = use_stream(pool, false);
    if (err == 0)
        err = use_reduce(pool);
    if (err == 0)
        CHECK_EQ(hkt_fork_run(pool, fork_failures, NULL), 0);
    if (err == 0 && (err = hkt_submit(pool, &future, use_inside, pool)) == 0)
        err = hkt_future_finish(future);
    return err;
}

static int use_a_pool(void)
{
    hkt_executor *pool = NULL;
    hkt_thread_pool_options options = { .max_workers = 3 };
    int err = hkt_thread_pool_create(&pool, &options);
    CHECK_EQ(err == 0, pool != NULL);
    if (err == 0)
        err = use_pool(pool);
    hkt_executor_destroy(pool);
    return err;
}

/* The other executors, the default one last: hkt_finalize ends it. */
static int use_other_executors(void)
{
    hkt_executor *executor = NULL;
    hkt_future *future;
    int err = hkt_inline_executor_create(&executor);
    if (err == 0)
        err = use_map(executor);
    hkt_executor_destroy(executor);
    if (err == 0 && (err = hkt_future_create(&future)) == 0) {
        CHECK_EQ(hkt_future_set_result(future, 5), 0);
        CHECK_EQ(hkt_future_finish(future), 5);
    }
    if (err == 0 && (err = hkt_submit(NULL, &future, work, NULL)) == 0)
        CHECK_EQ(hkt_future_finish(future), 3);
    return err;
}

static int use_with_failures(long from, long to)
{
    calls = 0;
    fail_from = from;
    fail_to = to;
    int err = use_a_pool();
    if (err == 0)
        err = use_other_executors();
    check_finalized();
    CHECK_EQ(alive, 0);
    return err;
}

/* Which call is the n-th one differs from run to run, as workers come or not: until n is more than
 * there are. */
static void fail_each(bool and_all_after)
{
    int failures = 0;
    CHECK_EQ(hkt_set_allocator(&failing), 0);
    CHECK_EQ(use_with_failures(0, 0), 0);
    for (long n = 1, most = calls; n <= most; n++) {
        int err = use_with_failures(n, and_all_after ? INT32_MAX : n);
        CHECK(err == 0 || err == -ENOMEM);
        failures += err < 0;
    }
    CHECK(failures > 10);
    CHECK_EQ(use_with_failures(0, 0), 0); /* and all is well again */
}

TEST_TIMEOUT(any_one_allocation_may_fail, 60)
{
    fail_each(false);
}

TEST_TIMEOUT(all_allocations_from_any_one_on_may_fail, 60)
{
    fail_each(true);
}

/* To make a pool takes the same number each time: each of them is missed. */
TEST(a_pool_is_made_or_not)
{
    hkt_executor *pool = NULL;
    hkt_thread_pool_options options = { .max_workers = 5 };
    CHECK_EQ(hkt_set_allocator(&failing), 0);
    CHECK_EQ(hkt_thread_pool_create(&pool, &options), 0);
    hkt_executor_destroy(pool);
    for (long n = 1, most = calls; n <= most; n++) {
        calls = 0;
        fail_from = n;
        fail_to = n;
        pool = NULL;
        CHECK_EQ(hkt_thread_pool_create(&pool, &options), -ENOMEM);
        CHECK(pool == NULL);
        CHECK_EQ(alive, 0);
    }
    fail_to = 0;
    check_finalized();
}

/* With no memory at all, jobs that were taken run, wait and end. */
TEST(without_memory_jobs_that_were_taken_go_on)
{
    hkt_future *futures[50];
    struct gate gate = { .result = 7 };
    CHECK_EQ(hkt_set_allocator(&failing), 0);
    hkt_executor *pool = must_pool(1);
    hkt_future *held = hold_worker(pool, &gate);
    for (int i = 0; i < 50; i++)
        futures[i] = must_submit(pool, work, NULL);
    ran = 0;
    fail_from = calls + 1;
    fail_to = INT32_MAX;
    hkt_future *none = NULL;
    int err = 0;
    for (int i = 0; i < ITEMS && err == 0; i++)
        err = hkt_submit(pool, &none, work, NULL), none = (hkt_future_destroy(none), NULL);
    CHECK_EQ(err, -ENOMEM);
    let_through(&gate, held);
    for (int i = 0; i < 50; i++)
        CHECK_EQ(hkt_future_finish(futures[i]), 3);
    end_pool(pool);
    CHECK(ran >= 50 && ran < 50 + ITEMS);
    CHECK_EQ(alive, 0);
}

/* No room for stacks: each is larger than what is left of the address space. */

#define LARGE ((size_t)64 << 20)

static struct rlimit all;

static void leave_little_room(void)
{
    struct rlimit little;
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    CHECK(statm && fscanf(statm, "%ld", &pages) == 1);
    fclose(statm);
    CHECK_EQ(getrlimit(RLIMIT_AS, &all), 0);
    little = all;
    little.rlim_cur = (rlim_t)pages * 4096 + ((rlim_t)48 << 20);
    CHECK_EQ(setrlimit(RLIMIT_AS, &little), 0);
}

static void leave_all_room(void)
{
    CHECK_EQ(setrlimit(RLIMIT_AS, &all), 0);
}

static hkt_executor *pool_of_large_stacks(unsigned workers)
{
    hkt_executor *pool = NULL;
    hkt_thread_pool_options options = { .max_workers = workers, .stack_size = LARGE };
    if (SANITIZED)
        TEST_SKIP("sanitizers need address space themselves");
    CHECK_EQ(hkt_thread_set_stack_size((size_t)256 << 10), 0);
    CHECK_EQ(hkt_thread_pool_create(&pool, &options), 0);
    return pool;
}

TEST(no_stack_for_the_first_worker)
{
    hkt_executor *pool = pool_of_large_stacks(2);
    hkt_future *future = NULL;
    leave_little_room();
    int err = hkt_submit(pool, &future, work, NULL);
    if (err == 0)
        err = hkt_future_finish(future);
    leave_all_room();
    CHECK_EQ(err, -ENOMEM);
    CHECK_EQ(ran, 0);
    end_pool(pool);
}

TEST(a_pool_that_had_no_stack_may_be_used_later)
{
    hkt_executor *pool = pool_of_large_stacks(2);
    hkt_future *future = NULL;
    leave_little_room();
    int err = hkt_submit(pool, &future, work, NULL);
    if (err == 0)
        err = hkt_future_finish(future);
    leave_all_room();
    CHECK_EQ(err, -ENOMEM);
    CHECK_EQ(hkt_future_finish(must_submit(pool, work, NULL)), 3);
    end_pool(pool);
}

TEST(no_stack_for_a_later_worker)
{
    hkt_executor *pool = pool_of_large_stacks(2);
    struct gate gate = { .result = 7 };
    hkt_future *held = hold_worker(pool, &gate), *futures[20];
    leave_little_room();
    for (int i = 0; i < 20; i++)
        futures[i] = must_submit(pool, work, NULL);
    for (int i = 0; i < 500 && !hkt_future_done(futures[19]); i++)
        await_moment(); /* the later worker comes meanwhile */
    let_through(&gate, held);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(hkt_future_finish(futures[i]), 3);
    leave_all_room();
    CHECK_EQ(ran, 20);
    end_pool(pool);
}

/* A job that waits for jobs needs a stack for them. */
static int wait_without_a_stack(void *pool)
{
    hkt_future *future = must_submit(pool, work, NULL);
    leave_little_room();
    int err = hkt_future_wait(future);
    leave_all_room();
    CHECK_EQ(err, -ENOMEM);
    return hkt_future_finish(future);
}

TEST(no_stack_for_a_job_that_waits_for_jobs)
{
    hkt_executor *pool = pool_of_large_stacks(1);
    CHECK_EQ(hkt_future_finish(must_submit(pool, wait_without_a_stack, pool)), 3);
    CHECK_EQ(ran, 1);
    end_pool(pool);
}

/* All that waits for several says so too; what was handed in is not lost. */
static int wait_in_all_ways(void *pool)
{
    char items[10];
    struct flow flow = { 0 };
    hkt_imap_options options = { .produce = produce, .consume = consume, .context = &flow };
    hkt_future *future = must_submit(pool, work, NULL), *next = NULL;
    hkt_as_completed *ended;
    leave_little_room();
    CHECK_EQ(hkt_wait(&future, 1, HKT_ALL_COMPLETED), -ENOMEM);
    CHECK_EQ(hkt_as_completed_create(&ended, &future, 1), 0);
    CHECK_EQ(hkt_as_completed_next(ended, &next), -ENOMEM);
    CHECK_EQ(hkt_map(pool, work, HKT_ARRAY(items)), -ENOMEM);
    CHECK_EQ(hkt_imap(pool, work, sizeof(int), &options), -ENOMEM);
    CHECK_EQ(flow.consumed, 0);
    CHECK_EQ(hkt_fork_run(pool, fork_failures, NULL), 0);
    leave_all_room();
    CHECK_EQ(hkt_as_completed_next(ended, &next), 1);
    CHECK(next == future);
    hkt_as_completed_destroy(ended);
    return hkt_future_finish(future);
}

TEST(no_stack_for_a_job_that_waits_in_other_ways)
{
    hkt_executor *pool = pool_of_large_stacks(1);
    CHECK_EQ(hkt_future_finish(must_submit(pool, wait_in_all_ways, pool)), 3);
    CHECK_EQ(ran, 1);
    end_pool(pool);
}

/* As large as they may be; beyond it nothing could ever run. */
TEST(stacks_that_no_job_could_have_are_refused)
{
    hkt_executor *pool = NULL;
    hkt_thread_pool_options options = { .max_workers = 1, .stack_size = (size_t)1 << 52 };
    CHECK_EQ(hkt_thread_pool_create(&pool, &options), -EINVAL);
    CHECK(pool == NULL);
}
