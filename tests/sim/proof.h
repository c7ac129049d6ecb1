/* SPDX-License-Identifier: MIT */
/* Proofs by simulation: a scenario is a small program with threads that returns 0, or says what
 * went wrong. prove() runs it under many schedules of each kind and prints how many. */
#ifndef HOCKET_SIM_PROOF_H
#define HOCKET_SIM_PROOF_H

#include <errno.h>
#include <hocket.h>
#include <stdio.h>

#include "test.h"

#define PROOF_THREADS 4

static inline void prove_by(hkt_simulate_strategy strategy, uint64_t schedules,
                            int (*scenario)(void *))
{
    static const char *const names[] = { "mixed", "random", "PCT", "exhaustive" };
    hkt_simulate_options options = { .strategy = strategy,
                                     .seed = test_seed() << 20,
                                     .schedules = schedules };
    hkt_simulate_result result;
    int err = hkt_simulate_many(&options, scenario, NULL, &result);
    printf("%s: %llu schedules%s, %llu of them different, %llu steps\n", names[strategy],
           (unsigned long long)result.schedules, result.complete ? ", complete" : "",
           (unsigned long long)result.distinct, (unsigned long long)result.steps);
    CHECK_EQ(err, 0);
    CHECK(result.schedules > 0);
}

/* Under random, PCT, and exhaustive schedules with up to two pre-emptions, as far as those come. */
static inline void prove(int (*scenario)(void *))
{
    prove_by(HKT_SIMULATE_RANDOM, (uint64_t)test_scaled(6000), scenario);
    prove_by(HKT_SIMULATE_PCT, (uint64_t)test_scaled(6000), scenario);
    prove_by(HKT_SIMULATE_EXHAUSTIVE, (uint64_t)test_scaled(6000), scenario);
}

/* Runs these functions in a thread each, to their ends; the first of their errors. */
static inline int together(int (*const functions[])(void *), int count)
{
    hkt_thread *threads[PROOF_THREADS];
    int err = 0;
    for (int i = 0; i < count; i++)
        CHECK_EQ(hkt_thread_spawn(&threads[i], functions[i], (void *)(intptr_t)i, NULL), 0);
    for (int i = 0; i < count; i++) {
        int result;
        CHECK_EQ(hkt_thread_join(threads[i]), 0);
        CHECK_EQ(hkt_thread_result(threads[i], &result), 0);
        err = err < 0 ? err : result;
        hkt_thread_destroy(threads[i]);
    }
    return err;
}

#define TOGETHER(...)                                                                              \
    together((int (*const[])(void *)){ __VA_ARGS__ },                                              \
             (int)(sizeof((int (*[])(void *)){ __VA_ARGS__ }) / sizeof(int (*)(void *))))

/* What must be true, or the scenario has failed. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return hkt_fail(-EIO, "%s:%d: %s", __FILE__, __LINE__, #condition);                    \
    } while (0)

/* One at a time: -EIO if somebody is inside already. `inside` is no atomic on purpose: where it is
 * checked, a lock is held. */
static inline int pass_alone(int *inside)
{
    int before = (*inside)++;
    hkt_simulate_point();
    MUST(before == 0 && *inside == 1);
    --*inside;
    return 0;
}

#endif
