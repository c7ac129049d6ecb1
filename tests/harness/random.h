/* SPDX-License-Identifier: MIT */
/* Random numbers for tests, from a seed that is known: splitmix64 (Steele, Lea, Flood, 2014). */
#ifndef HOCKET_TEST_RANDOM_H
#define HOCKET_TEST_RANDOM_H

#include <stdint.h>

#include "test.h"

struct test_random {
    uint64_t state;
};

/* The generator of thread number `stream` in this run. */
static inline struct test_random random_of(uint64_t stream)
{
    return (struct test_random){ test_seed() + stream * UINT64_C(0xd1342543de82ef95) };
}

static inline uint64_t random_next(struct test_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* One of 0 ... n - 1. */
static inline uint64_t random_below(struct test_random *random, uint64_t n)
{
    return random_next(random) % n;
}

/* Seconds: 0 ... most. */
static inline double random_seconds(struct test_random *random, double most)
{
    return most * (double)(random_next(random) >> 11) / (double)(UINT64_C(1) << 53);
}

#endif
