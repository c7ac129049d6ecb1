/* SPDX-License-Identifier: MIT */
/* Parallel for, for_each and invoke: everything exactly once, for any range, grain and number of
 * workers; from outside, in jobs, nested, on any engine. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "pools.h"
#include "random.h"

static const unsigned worker_counts[] = { 1, 2, 3, 4, 7 };
#define COUNTS (sizeof worker_counts / sizeof *worker_counts)

static int in_job(hkt_executor *pool, hkt_job *job, void *arg)
{
    return hkt_future_finish(must_submit(pool, job, arg));
}

/* A range of places that are counted. */
struct tally {
    hkt_executor *pool;
    size_t begin, end, grain;
    bool has_grain;
    atomic_uint *places;
    atomic_size_t parts, largest;
};

static int count_places(void *context, size_t begin, size_t end)
{
    struct tally *tally = context;
    CHECK(tally->begin <= begin && begin < end && end <= tally->end);
    for (size_t i = begin; i < end; i++)
        atomic_fetch_add(&tally->places[i - tally->begin], 1);
    atomic_fetch_add(&tally->parts, 1);
    for (size_t seen = tally->largest; end - begin > seen;)
        if (atomic_compare_exchange_weak(&tally->largest, &seen, end - begin))
            break;
    return 0;
}

static int run_tally(void *arg)
{
    struct tally *tally = arg;
    if (tally->has_grain)
        return hkt_parallel_for_grain(tally->pool, tally->begin, tally->end, tally->grain,
                                      count_places, tally);
    return hkt_parallel_for(tally->pool, tally->begin, tally->end, count_places, tally);
}

static void check_tally(struct tally *tally)
{
    size_t count = tally->end - tally->begin;
    for (size_t i = 0; i < count; i++)
        CHECK_EQ(tally->places[i], 1);
    CHECK_EQ(tally->parts == 0, count == 0);
    if (tally->has_grain && tally->grain >= count)
        CHECK_EQ(tally->parts, count > 0);
    if (tally->has_grain && tally->grain > 0 && tally->grain < count)
        CHECK(tally->parts <= 3 * (count / tally->grain) + 1); /* most are not cut below it */
}

static void tally_once(struct tally tally, bool job)
{
    size_t count = tally.end - tally.begin;
    tally.places = calloc(count + 1, sizeof *tally.places);
    CHECK(tally.places != NULL);
    CHECK_EQ(job ? in_job(tally.pool, run_tally, &tally) : run_tally(&tally), 0);
    check_tally(&tally);
    free(tally.places);
}

TEST_TIMEOUT(every_index_exactly_once, 60)
{
    static const size_t counts[] = { 0, 1, 2, 3, 7, 64, 1000, 30011 };
    static const size_t grains[] = { 0, 1, 7, 1000, SIZE_MAX };
    for (size_t i = 0; i < COUNTS; i++) {
        hkt_executor *pool = must_pool(worker_counts[i]);
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            for (size_t g = 0; g <= sizeof grains / sizeof *grains; g++) {
                struct tally tally = { .pool = pool, .begin = c * 1000, .has_grain = g > 0 };
                tally.end = tally.begin + counts[c];
                tally.grain = g ? grains[g - 1] : 0;
                tally_once(tally, false);
                tally_once(tally, true);
            }
        end_pool(pool);
    }
}

static int never(void *context, size_t begin, size_t end)
{
    (void)context;
    (void)begin;
    (void)end;
    CHECK(!"called for an empty range");
    return 0;
}

TEST(a_range_that_ends_before_it_begins_is_empty)
{
    hkt_executor *pool = must_pool(2);
    CHECK_EQ(hkt_parallel_for(pool, 5, 5, never, NULL), 0);
    CHECK_EQ(hkt_parallel_for(pool, 5, 3, never, NULL), 0);
    CHECK_EQ(hkt_parallel_for_grain(pool, SIZE_MAX, 0, 10, never, NULL), 0);
    CHECK_EQ(hkt_parallel_for(pool, 0, 5, NULL, NULL), -EINVAL);
    end_pool(pool);
}

/* Ranges of which only the sums are known. */
struct sums {
    atomic_ullong count, sum;
};

static int sum_up(void *context, size_t begin, size_t end)
{
    struct sums *sums = context;
    CHECK(begin < end);
    unsigned __int128 sum = ((unsigned __int128)begin + end - 1) * (end - begin) / 2;
    atomic_fetch_add(&sums->count, end - begin);
    atomic_fetch_add(&sums->sum, (unsigned long long)sum);
    return 0;
}

static void check_huge(hkt_executor *pool, size_t begin, size_t end, size_t grain)
{
    struct sums sums = { 0 }, expected = { 0 };
    CHECK_EQ(sum_up(&expected, begin, end), 0);
    CHECK_EQ(hkt_parallel_for_grain(pool, begin, end, grain, sum_up, &sums), 0);
    CHECK(sums.count == expected.count);
    CHECK(sums.sum == expected.sum);
}

TEST(ranges_beyond_32_bits)
{
    for (size_t i = 0; i < COUNTS; i++) {
        hkt_executor *pool = must_pool(worker_counts[i]);
        check_huge(pool, 0, ((size_t)1 << 32) + 1, 0);
        check_huge(pool, 17, (size_t)1 << 40, 0);
        check_huge(pool, 0, (size_t)1 << 44, (size_t)1 << 33);
        check_huge(pool, SIZE_MAX - 1000, SIZE_MAX, 0);
        check_huge(pool, 0, SIZE_MAX, 0);
        check_huge(pool, 1, SIZE_MAX, SIZE_MAX / 3);
        end_pool(pool);
    }
}

/* One index has more work than all others. */
static int work_unevenly(void *context, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        await_spinning(i == 700 ? 0.005 : 0.000001);
    return count_places(context, begin, end);
}

TEST(uneven_work)
{
    for (size_t i = 0; i < COUNTS; i++) {
        static atomic_uint places[1000];
        struct tally tally = { .end = 1000, .places = places };
        tally.pool = must_pool(worker_counts[i]);
        memset(places, 0, sizeof places);
        CHECK_EQ(hkt_parallel_for(tally.pool, 0, 1000, work_unevenly, &tally), 0);
        check_tally(&tally);
        end_pool(tally.pool);
    }
}

/* No more threads at a time than the pool has workers, with the caller among them. */
struct throng {
    atomic_int inside, most;
};

static int be_inside(void *context, size_t begin, size_t end)
{
    struct throng *throng = context;
    (void)begin;
    (void)end;
    int inside = atomic_fetch_add(&throng->inside, 1) + 1;
    for (int most = throng->most; inside > most;)
        if (atomic_compare_exchange_weak(&throng->most, &most, inside))
            break;
    await_spinning(0.00005);
    atomic_fetch_sub(&throng->inside, 1);
    return 0;
}

TEST(no_more_threads_than_workers)
{
    for (size_t i = 0; i < COUNTS; i++) {
        struct throng throng = { 0 };
        hkt_executor *pool = must_pool(worker_counts[i]);
        CHECK_EQ(hkt_parallel_for_grain(pool, 0, 500, 1, be_inside, &throng), 0);
        CHECK(throng.most >= 1 && throng.most <= (int)worker_counts[i]);
        end_pool(pool);
    }
}

/* Somebody else takes part, sooner or later. */
struct company {
    int caller;
    atomic_int others;
};

static int keep_company(void *context, size_t begin, size_t end)
{
    struct company *company = context;
    (void)begin;
    (void)end;
    if (hkt_native_id() != company->caller)
        atomic_fetch_add(&company->others, 1);
    await_spinning(0.00002);
    return 0;
}

TEST(others_take_part)
{
    hkt_executor *pool = must_pool(2);
    struct company company = { .caller = hkt_native_id() };
    while (company.others == 0)
        CHECK_EQ(hkt_parallel_for(pool, 0, 100, keep_company, &company), 0);
    end_pool(pool);
}

/* Items. */

struct item {
    atomic_int runs;
    char rest[13];
};

static int run_item(void *arg)
{
    struct item *item = arg;
    atomic_fetch_add(&item->runs, 1);
    return 3; /* a useful count is no failure */
}

TEST(each_item_exactly_once)
{
    for (size_t i = 0; i < COUNTS; i++) {
        hkt_executor *pool = must_pool(worker_counts[i]);
        static struct item items[5000];
        memset(items, 0, sizeof items);
        CHECK_EQ(hkt_parallel_for_each(pool, run_item, HKT_ARRAY(items)), 0);
        for (size_t j = 0; j < 5000; j++)
            CHECK_EQ(items[j].runs, 1);
        CHECK_EQ(hkt_parallel_for_each(pool, run_item, items, 0, sizeof *items), 0);
        CHECK_EQ(hkt_parallel_for_each(pool, run_item, NULL, 0, sizeof *items), 0);
        CHECK_EQ(hkt_parallel_for_each(pool, run_item, &items[7], 1, sizeof *items), 0);
        CHECK_EQ(items[6].runs, 1);
        CHECK_EQ(items[7].runs, 2);
        CHECK_EQ(items[8].runs, 1);
        CHECK_EQ(hkt_parallel_for_each(pool, NULL, HKT_ARRAY(items)), -EINVAL);
        end_pool(pool);
    }
}

TEST(each_invocation_exactly_once)
{
    static const size_t counts[] = { 0, 1, 2, 3, 17, 1000 };
    for (size_t i = 0; i < COUNTS; i++) {
        hkt_executor *pool = must_pool(worker_counts[i]);
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            static struct item items[1001];
            hkt_invocation invocations[1000];
            memset(items, 0, sizeof items);
            for (size_t j = 0; j < counts[c]; j++)
                invocations[j] = (hkt_invocation){ run_item, &items[j] };
            CHECK_EQ(hkt_parallel_invoke(pool, invocations, counts[c]), 0);
            for (size_t j = 0; j <= 1000; j++)
                CHECK_EQ(items[j].runs, j < counts[c]);
        }
        end_pool(pool);
    }
}

/* Where nobody else takes part, all parts run in the caller. */
struct alone {
    hkt_executor *executor;
    uint64_t caller;
    size_t count;
};

static int count_alone(void *context, size_t begin, size_t end)
{
    struct alone *alone = context;
    CHECK_EQ(hkt_ident(), alone->caller);
    alone->count += end - begin;
    await_spinning(0.00002);
    return 0;
}

static int run_alone(void *arg)
{
    struct alone *alone = arg;
    alone->caller = hkt_ident();
    alone->count = 0;
    CHECK_EQ(hkt_parallel_for(alone->executor, 10, 5000, count_alone, alone), 0);
    CHECK_EQ(alone->count, 4990);
    return 0;
}

static int refuse(void *engine, hkt_future *future, const hkt_submit_options *options)
{
    (void)engine;
    (void)future;
    (void)options;
    return -ENOSYS;
}

TEST(other_engines_compute_in_the_caller)
{
    static const hkt_engine engine = { .name = "none", .submit = refuse, .max_workers = 5 };
    struct alone alone;
    CHECK_EQ(hkt_executor_create(&alone.executor, &engine, NULL), 0);
    CHECK_EQ(run_alone(&alone), 0);
    end_pool(alone.executor);
    CHECK_EQ(hkt_inline_executor_create(&alone.executor), 0);
    CHECK_EQ(run_alone(&alone), 0);
    CHECK_EQ(in_job(alone.executor, run_alone, &alone), 0);
    end_pool(alone.executor);
}

/* Also if the caller is a job of a pool. */
TEST(other_engines_compute_in_the_caller_that_is_a_job)
{
    hkt_executor *pool = must_pool(3);
    struct alone alone;
    CHECK_EQ(hkt_inline_executor_create(&alone.executor), 0);
    for (long i = 0; i < test_scaled(100); i++)
        CHECK_EQ(in_job(pool, run_alone, &alone), 0);
    hkt_executor_destroy(alone.executor);
    end_pool(pool);
}

TEST(one_worker_computes_alone)
{
    struct alone alone = { .executor = must_pool(1) };
    CHECK_EQ(run_alone(&alone), 0);
    CHECK_EQ(in_job(alone.executor, run_alone, &alone), 0);
    end_pool(alone.executor);
}

TEST(no_pool_is_the_default_executor)
{
    static atomic_uint places[3000];
    struct tally tally = { .end = 3000, .places = places };
    CHECK_EQ(run_tally(&tally), 0);
    check_tally(&tally);
    memset(places, 0, sizeof places);
    CHECK_EQ(in_job(NULL, run_tally, &tally), 0);
    CHECK_EQ(places[2999], 1);
    check_finalized();
}

/* Nested calls, from jobs and outside, several at once, on their own pool and another one. */
struct nest {
    hkt_executor *pool, *other;
    int depth;
    atomic_long *leaves;
};

static int nested(void *context, size_t begin, size_t end)
{
    struct nest *nest = context;
    struct nest inner = *nest;
    inner.depth--;
    for (size_t i = begin; i < end; i++) {
        if (nest->depth == 0)
            atomic_fetch_add(nest->leaves, 1);
        else
            CHECK_EQ(hkt_parallel_for_grain(i % 3 ? nest->pool : nest->other, 0, 7, i % 4, nested,
                                            &inner),
                     0);
    }
    return 0;
}

static int run_nested(void *arg)
{
    struct nest *nest = arg;
    return nested(nest, 0, 7);
}

TEST(nested_calls)
{
    for (size_t i = 0; i < COUNTS; i++) {
        atomic_long leaves = 0;
        struct nest nest = { must_pool(worker_counts[i]), must_pool(2), 3, &leaves };
        struct nest nests[3] = { nest, nest, nest };
        hkt_future *future;
        CHECK_EQ(hkt_submit(nest.pool, &future, run_nested, &nest), 0);
        call_in_threads(3, run_nested, nests, sizeof *nests);
        CHECK_EQ(hkt_future_finish(future), 0);
        CHECK_EQ(leaves, 4 * 7 * 7 * 7 * 7);
        hkt_executor_destroy(nest.other);
        end_pool(nest.pool);
    }
}
