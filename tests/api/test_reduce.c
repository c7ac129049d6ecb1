/* SPDX-License-Identifier: MIT */
/* Reductions: the same result, to the last bit, for any number of workers, for each grain that of the
 * same tree folded by plain calls; everything exactly once and in order. */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "pools.h"
#include "random.h"

static const unsigned worker_counts[] = { 1, 2, 3, 4, 7 };
#define COUNTS (sizeof worker_counts / sizeof *worker_counts)

static const size_t grains[] = { 0, 1, 3, 64, 1000, SIZE_MAX };
#define GRAINS (sizeof grains / sizeof *grains)

/* Floating-point numbers, whose sum depends on the order of the additions. */

#define NUMBERS 30011

static double numbers[NUMBERS];

static void make_numbers(void)
{
    struct test_random random = random_of(0);
    for (size_t i = 0; i < NUMBERS; i++)
        numbers[i] = ldexp(random_seconds(&random, 1.0) - 0.5, (int)random_below(&random, 60));
}

static int add_numbers(void *context, size_t begin, size_t end, void *value)
{
    double *sum = value;
    const double *first = context;
    for (size_t i = begin; i < end; i++)
        *sum += first[i];
    return 0;
}

static void add_sums(void *context, void *left, const void *right)
{
    CHECK(context == numbers);
    *(double *)left += *(const double *)right;
}

/* The tree that hkt_reduce makes: parts of the grain, halved by their count. */
static double fold_tree(size_t begin, size_t end, size_t grain, size_t first, size_t parts)
{
    if (parts == 1) {
        size_t from = begin + first * grain;
        double sum = 0;
        CHECK_EQ(add_numbers(numbers, from, end - from < grain ? end : from + grain, &sum), 0);
        return sum;
    }
    size_t half = parts / 2;
    double left = fold_tree(begin, end, grain, first, half);
    return left + fold_tree(begin, end, grain, first + half, parts - half);
}

static double fold_by_calls(size_t begin, size_t end, size_t grain)
{
    if (begin == end)
        return 0;
    if (grain == 0)
        grain = (end - begin + 1023) / 1024;
    return fold_tree(begin, end, grain, 0, (end - begin - 1) / grain + 1);
}

struct reduction {
    hkt_executor *pool;
    size_t begin, end, grain;
    double sum;
};

static int reduce_numbers(void *arg)
{
    struct reduction *reduction = arg;
    hkt_reduce_options options = { .fold = add_numbers,
                                   .combine = add_sums,
                                   .context = numbers,
                                   .value_size = sizeof(double),
                                   .grain = reduction->grain };
    return hkt_reduce(reduction->pool, reduction->begin, reduction->end, &reduction->sum, &options);
}

static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static void check_sums(struct reduction reduction, size_t end)
{
    for (size_t g = 0; g < GRAINS; g++) {
        reduction.end = end;
        reduction.grain = grains[g];
        double expected = fold_by_calls(reduction.begin, end, grains[g]);
        CHECK_EQ(reduce_numbers(&reduction), 0);
        CHECK(same_bits(reduction.sum, expected));
        reduction.sum = NAN;
        CHECK_EQ(hkt_future_finish(must_submit(reduction.pool, reduce_numbers, &reduction)), 0);
        CHECK(same_bits(reduction.sum, expected));
    }
}

TEST_TIMEOUT(sums_are_the_same_to_the_last_bit, 60)
{
    static const size_t ends[] = { 7, 8, 9, 10, 100, 1030, 1031, 1032, 3000, NUMBERS };
    make_numbers();
    for (size_t i = 0; i < COUNTS; i++) {
        struct reduction reduction = { .pool = must_pool(worker_counts[i]), .begin = 7 };
        for (size_t e = 0; e < sizeof ends / sizeof *ends; e++)
            check_sums(reduction, ends[e]);
        end_pool(reduction.pool);
    }
}

TEST_TIMEOUT(again_and_again_under_load, 60)
{
    struct reduction reductions[3];
    hkt_executor *pool = must_pool(3);
    make_numbers();
    double expected = fold_by_calls(0, NUMBERS, 0);
    for (long i = 0; i < test_scaled(100); i++) {
        for (size_t j = 0; j < 3; j++)
            reductions[j] = (struct reduction){ .pool = pool, .end = NUMBERS };
        call_in_threads(3, reduce_numbers, reductions, sizeof *reductions);
        for (size_t j = 0; j < 3; j++)
            CHECK(same_bits(reductions[j].sum, expected));
    }
    end_pool(pool);
}

/* Other engines, and none, give the same. */
TEST(the_engine_does_not_matter)
{
    struct reduction reduction = { .end = NUMBERS };
    make_numbers();
    CHECK_EQ(hkt_inline_executor_create(&reduction.pool), 0);
    check_sums(reduction, NUMBERS);
    hkt_executor_destroy(reduction.pool);
    reduction.pool = NULL;
    check_sums(reduction, NUMBERS);
    check_finalized();
}

/* What is combined in order: maps x -> a x + b, one after the other. Whatever the tree, the result is
 * that of one after the other. */

struct affine {
    uint64_t a, b;
    size_t count; /* of maps in it */
    char rest[37];
};

static const struct affine identity = { .a = 1 };

static struct affine after(struct affine first, struct affine second)
{
    first.a = second.a * first.a;
    first.b = second.a * first.b + second.b;
    first.count += second.count;
    return first;
}

static struct affine affine_of(size_t i)
{
    return (struct affine){ .a = i * 2654435761u + 1, .b = i ^ 0x5bd1e995, .count = 1 };
}

static int compose(void *context, size_t begin, size_t end, void *value)
{
    struct affine sum;
    (void)context;
    memcpy(&sum, value, sizeof sum);
    for (size_t i = begin; i < end; i++)
        sum = after(sum, affine_of(i));
    memcpy(value, &sum, sizeof sum);
    return 0;
}

static void compose_values(void *context, void *left, const void *right)
{
    struct affine first, second;
    (void)context;
    memcpy(&first, left, sizeof first);
    memcpy(&second, right, sizeof second);
    first = after(first, second);
    memcpy(left, &first, sizeof first);
}

TEST(parts_are_combined_in_order)
{
    hkt_reduce_options options = { .fold = compose,
                                   .combine = compose_values,
                                   .identity = &identity,
                                   .value_size = sizeof identity };
    for (size_t i = 0; i < COUNTS; i++) {
        hkt_executor *pool = must_pool(worker_counts[i]);
        for (size_t count = 0; count < 5000; count = count * 2 + 1)
            for (size_t g = 0; g < GRAINS; g++) {
                struct affine value, expected = identity;
                CHECK_EQ(compose(NULL, 100, 100 + count, &expected), 0);
                options.grain = grains[g];
                CHECK_EQ(hkt_reduce(pool, 100, 100 + count, &value, &options), 0);
                CHECK(value.a == expected.a && value.b == expected.b);
                CHECK_EQ(value.count, count);
            }
        end_pool(pool);
    }
}

/* Ranges, and what cannot be. */

static int add_counts(void *context, size_t begin, size_t end, void *value)
{
    atomic_fetch_add((atomic_size_t *)context, 1);
    CHECK(begin < end);
    *(size_t *)value += end - begin;
    return 0;
}

static void add_values(void *context, void *left, const void *right)
{
    (void)context;
    *(size_t *)left += *(const size_t *)right;
}

static void check_count(hkt_executor *pool, size_t begin, size_t end, size_t grain)
{
    atomic_size_t parts = 0;
    size_t value = 4711;
    hkt_reduce_options options = { .fold = add_counts,
                                   .combine = add_values,
                                   .context = &parts,
                                   .value_size = sizeof value,
                                   .grain = grain };
    CHECK_EQ(hkt_reduce(pool, begin, end, &value, &options), 0);
    CHECK(value == end - begin);
    if (grain == 0)
        CHECK(parts <= 1024);
    else
        CHECK_EQ(parts, end > begin ? (end - begin - 1) / grain + 1 : 0);
}

TEST(huge_ranges)
{
    for (size_t i = 0; i < COUNTS; i++) {
        hkt_executor *pool = must_pool(worker_counts[i]);
        check_count(pool, 0, 0, 0);
        check_count(pool, 5, 5, 7);
        check_count(pool, 0, ((size_t)1 << 32) + 1, 0);
        check_count(pool, 17, (size_t)1 << 50, (size_t)1 << 40);
        check_count(pool, SIZE_MAX - 5000, SIZE_MAX, 0);
        check_count(pool, SIZE_MAX - 5000, SIZE_MAX, 13);
        check_count(pool, 1, SIZE_MAX, SIZE_MAX / 2);
        check_count(pool, 0, SIZE_MAX, SIZE_MAX);
        end_pool(pool);
    }
}

TEST(the_whole_range_of_size_t_without_a_grain)
{
    hkt_executor *pool = must_pool(2);
    check_count(pool, 2000, SIZE_MAX, 0);
    check_count(pool, 1, SIZE_MAX, 0);
    check_count(pool, 0, SIZE_MAX, 0);
    end_pool(pool);
}

TEST(what_cannot_be_is_refused)
{
    atomic_size_t parts = 0;
    size_t value = 4711;
    hkt_executor *pool = must_pool(2);
    hkt_reduce_options options = { .fold = add_counts,
                                   .combine = add_values,
                                   .context = &parts,
                                   .value_size = sizeof value,
                                   .grain = 1 };
    CHECK_EQ(hkt_reduce(pool, 0, SIZE_MAX, &value, &options), -ENOMEM); /* too many parts */
    if (!SANITIZED) /* which do not like to be asked for so much */
        CHECK_EQ(hkt_reduce(pool, 0, (size_t)1 << 59, &value, &options), -ENOMEM);
    options.combine = NULL;
    CHECK_EQ(hkt_reduce(pool, 0, 9, &value, &options), -EINVAL);
    options.combine = add_values;
    options.fold = NULL;
    CHECK_EQ(hkt_reduce(pool, 0, 9, &value, &options), -EINVAL);
    CHECK_EQ(hkt_reduce(pool, 0, 9, &value, NULL), -EINVAL);
    CHECK_EQ(parts, 0);
    CHECK_EQ(value, 4711);
    end_pool(pool);
}

/* An empty range is the identity, or zero bytes. */
TEST(nothing_is_the_identity)
{
    hkt_executor *pool = must_pool(2);
    struct affine value;
    hkt_reduce_options options = { .fold = compose,
                                   .combine = compose_values,
                                   .identity = &identity,
                                   .value_size = sizeof value };
    memset(&value, 0x55, sizeof value);
    CHECK_EQ(hkt_reduce(pool, 9, 9, &value, &options), 0);
    CHECK(memcmp(&value, &identity, sizeof value) == 0);
    options.identity = NULL;
    CHECK_EQ(hkt_reduce(pool, 9, 3, &value, &options), 0);
    CHECK(memcmp(&value, &(struct affine){ 0 }, sizeof value) == 0);
    end_pool(pool);
}

/* A value of no bytes: the folds alone count. */
static int count_indices(void *context, size_t begin, size_t end, void *value)
{
    (void)value;
    atomic_fetch_add((atomic_size_t *)context, end - begin);
    return 0;
}

static void combine_nothing(void *context, void *left, const void *right)
{
    (void)context;
    (void)left;
    (void)right;
}

TEST(a_value_may_have_no_bytes)
{
    hkt_executor *pool = must_pool(2);
    atomic_size_t count = 0;
    hkt_reduce_options options = { .fold = count_indices,
                                   .combine = combine_nothing,
                                   .context = &count };
    CHECK_EQ(hkt_reduce(pool, 3, 5003, &count, &options), 0);
    CHECK_EQ(count, 5000);
    end_pool(pool);
}
