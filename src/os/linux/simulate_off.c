/* SPDX-License-Identifier: MIT */
/* The calls of hocket/simulate.h in builds that cannot simulate. */
#ifndef HKT_SIM

#include <hocket/simulate.h>

#include <errno.h>

int hkt_simulate(uint64_t seed, int (*function)(void *), void *arg)
{
    (void)seed;
    (void)function;
    (void)arg;
    return -ENOSYS;
}

int hkt_simulate_many(const hkt_simulate_options *options, int (*function)(void *), void *arg,
                      hkt_simulate_result *result)
{
    (void)options;
    (void)function;
    (void)arg;
    if (result)
        *result = (hkt_simulate_result){ 0 };
    return -ENOSYS;
}

void hkt_simulate_point(void)
{
}

bool hkt_simulating(void)
{
    return false;
}

uint64_t hkt_simulate_seed(void)
{
    return 0;
}

#endif
