/* SPDX-License-Identifier: MIT */
/* Proofs with thread pools: a scenario begins with a pool, ends by giving it back, and must leave
 * nothing allocated. */
#ifndef HOCKET_SIM_CREW_H
#define HOCKET_SIM_CREW_H

#include "proof.h"

static hkt_executor *crew;
static size_t crew_allocations;

static inline int crew_begin_with(const hkt_thread_pool_options *options)
{
    crew_allocations = hkt_allocation_count();
    return hkt_thread_pool_create(&crew, options);
}

static inline int crew_begin(unsigned workers)
{
    return crew_begin_with(&(hkt_thread_pool_options){ .max_workers = workers });
}

static inline int crew_end(int err)
{
    hkt_executor_destroy(crew);
    MUST(err < 0 || hkt_allocation_count() == crew_allocations);
    return err;
}

/* A job handed in by somebody who waits for it. */
static inline int crew_run(hkt_job *job, void *arg)
{
    hkt_future *future;
    int err = hkt_submit(crew, &future, job, arg);
    return err < 0 ? err : hkt_future_finish(future);
}

/* Like prove(), for longer scenarios. */
static inline void prove_for(long schedules, int (*scenario)(void *))
{
    for (int strategy = HKT_SIMULATE_RANDOM; strategy <= HKT_SIMULATE_EXHAUSTIVE; strategy++)
        prove_by((hkt_simulate_strategy)strategy, (uint64_t)test_scaled(schedules), scenario);
}

/* Every schedule with up to two departures from the plain one, however many there are. */
static inline void prove_whole(int (*scenario)(void *))
{
    hkt_simulate_options options = { .strategy = HKT_SIMULATE_EXHAUSTIVE, .schedules = 400000 };
    hkt_simulate_result result;
    CHECK_EQ(hkt_simulate_many(&options, scenario, NULL, &result), 0);
    printf("exhaustive: %llu schedules%s, %llu steps\n", (unsigned long long)result.schedules,
           result.complete ? ", complete" : "", (unsigned long long)result.steps);
    CHECK(result.complete);
}

/* A seed makes the same run each time, whatever ran before it. */
static inline void prove_replays(int (*scenario)(void *))
{
    enum { SEEDS = 100 };
    static uint64_t steps[SEEDS];
    for (int i = 0; i < 3 * SEEDS; i++) {
        hkt_simulate_options options = { .seed = test_seed() + (uint64_t)(i * 7 % SEEDS),
                                         .schedules = 1 };
        hkt_simulate_result result;
        CHECK_EQ(hkt_simulate_many(&options, scenario, NULL, &result), 0);
        if (i < SEEDS)
            steps[i * 7 % SEEDS] = result.steps;
        CHECK_EQ(result.steps, steps[i * 7 % SEEDS]);
    }
}

/* Does so many steps. */
static inline void crew_work(int points)
{
    while (points-- > 0)
        hkt_simulate_point();
}

#endif
