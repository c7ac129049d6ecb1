/* SPDX-License-Identifier: MIT */
/* What bench_parallel has its systems compute, in C and in C++: the parts that are the same for all.
 *
 *   sum      of doubles, by blocks, since a sum one by one is slower than memory
 *   uneven   20 000 items, of which number i costs i times as much as number 1
 *   region   64 items that cost next to nothing */
#ifndef BENCH_PARALLEL_LOOPS_H
#define BENCH_PARALLEL_LOOPS_H

#include <stdlib.h>
#include <sys/mman.h>

#include "common.h"

enum { PARALLEL_BLOCK = 1000, PARALLEL_UNEVEN = 20000, PARALLEL_REGION = 64 };

BENCH_INLINE double parallel_sum(const double *values, size_t begin, size_t end)
{
    double sums[8] = { 0 };
    double sum = 0;
    size_t i = begin;

    for (; i + 8 <= end; i += 8)
        for (size_t j = 0; j < 8; j++)
            sums[j] += values[i + j];
    for (; i < end; i++)
        sum += values[i];
    for (size_t j = 0; j < 8; j++)
        sum += sums[j];
    return sum;
}

BENCH_INLINE void parallel_item(size_t i)
{
    bench_work((unsigned)i / 2);
}

BENCH_INLINE void parallel_tiny_item(void)
{
    bench_work(20);
}

/* `count` small whole numbers, so that any order of adding them gives the same. */
BENCH_INLINE double *parallel_values(size_t count)
{
    void *memory = mmap(NULL, count * sizeof(double), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    double *values = (double *)memory;

    if (memory == MAP_FAILED)
        abort();
    for (size_t i = 0; i < count; i++)
        values[i] = (double)(i & 7);
    return values;
}

#ifdef __cplusplus
extern "C" {
#endif
/* oneTBB's. */
void parallel_tbb_begin(void);
double parallel_tbb_sum(const double *values, size_t count);
void parallel_tbb_uneven(void);
void parallel_tbb_region(void);
void parallel_tbb_end(void);
/* The pool that everybody writes once: two threads, a mutex, two conditions; each half a range. */
void parallel_pthread_begin(void);
double parallel_pthread_sum(const double *values, size_t count);
void parallel_pthread_uneven(void);
void parallel_pthread_region(void);
void parallel_pthread_end(void);
#ifdef __cplusplus
}
#endif
#endif
