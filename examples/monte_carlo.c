/* SPDX-License-Identifier: MIT */
/* Pi by chance: the mean height of the curve 4 / (1 + x * x) at a million places. It matters to a sum of
 * doubles in which order they are added; hkt_reduce keeps it, so one worker and four come to the same
 * result, to the last bit. (oneTBB's parallel_deterministic_reduce) */
#include <hocket.h>
#include <stdio.h>

enum { PLACES = 1000000 };

static double chance(uint64_t n) /* in [0, 1): the n-th number of a sequence; splitmix64 */
{
    n *= 0x9e3779b97f4a7c15;
    n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9;
    n = (n ^ n >> 27) * 0x94d049bb133111eb;
    return (double)((n ^ n >> 31) >> 11) / (double)(1ull << 53);
}

static int fold(void *context, size_t begin, size_t end, void *value)
{
    double *sum = value;
    (void)context;
    for (size_t i = begin; i < end; i++) {
        double x = chance(i);
        *sum += 4 / (1 + x * x);
    }
    return 0;
}

static void combine(void *context, void *left, const void *right)
{
    (void)context;
    *(double *)left += *(const double *)right;
}

int main(void)
{
    static const hkt_reduce_options options = { .fold = fold,
                                                .combine = combine,
                                                .value_size = sizeof(double) };
    double sums[4];
    for (unsigned i = 0; i < 4; i++) {
        hkt_executor *pool;
        int err = hkt_thread_pool_create(&pool, &(hkt_thread_pool_options){ .max_workers = i + 1 });
        if (err < 0)
            return hkt_report(err);
        err = hkt_reduce(pool, 0, PLACES, &sums[i], &options);
        hkt_executor_destroy(pool);
        if (err < 0)
            return hkt_report(err);
        printf("%u at work: %.3f, %s\n", i + 1, sums[i] / PLACES,
               sums[i] == sums[0] ? "the same to the last bit" : "another sum");
    }
    return 0;
}
