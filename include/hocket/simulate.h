/* SPDX-License-Identifier: MIT */
/* Simulation: run a small concurrent program under a scheduler that chooses who goes on at each
 * step, by a seed. The same seed makes the same choices, so a failure that happens once in a
 * million runs can be had again at will. Time is virtual: sleeping costs nothing.
 *
 * Only in the simulated build (cmake -DHKT_SIM=ON); in others these calls return -ENOSYS.
 * docs/simulation.md has a worked example. */
#ifndef HOCKET_SIMULATE_H
#define HOCKET_SIMULATE_H

#include <hocket/export.h>

HKT_BEGIN_DECLS

/* Runs function(arg) once, as the first thread of a simulated process: the threads it starts, its
 * locks, queues, sleeps are simulated. Returns what the function returned when all its threads
 * have ended; or -EDEADLK when nobody could go on, -ELOOP when it took too many steps (a
 * livelock); then, and when the function fails, the report sink gets the seed, and who waits for
 * what. -ENOMEM; -EBUSY from within a simulation; -ENOSYS in other builds. */
HKT_API HKT_MUST_USE int hkt_simulate(uint64_t seed, int (*function)(void *), void *arg);

typedef enum hkt_simulate_strategy {
    HKT_SIMULATE_MIXED = 0,  /* by the seed, one of the next two: what hkt_simulate does */
    HKT_SIMULATE_RANDOM,     /* anyone may go on at any step */
    HKT_SIMULATE_PCT,        /* random priorities, a few random changes of them: finds bugs of depth
                              * d with known odds (Burckhardt et al., 2010) */
    HKT_SIMULATE_EXHAUSTIVE, /* every schedule with at most `preemptions` pre-emptions */
} hkt_simulate_strategy;

typedef struct hkt_simulate_options {
    hkt_simulate_strategy strategy;
    uint64_t seed;      /* of the first schedule; the next has seed + 1 */
    uint64_t schedules; /* at most; 0: 10 000, and no limit for exhaustive search */
    unsigned
        preemptions;    /* exhaustive search: at most so many times is a thread pre-empted, a store
                           * delayed, or a deadline early; 0: 2 */
    unsigned depth;     /* PCT: the depth of bug looked for; 0: 3 */
    uint64_t max_steps; /* a schedule with more steps is a livelock; 0: 100 000 */
    bool calm;          /* time moves only when nobody can go on, or somebody spins: for tests of
                           * durations. Otherwise deadlines race with everything else. */
    uint64_t reserved[4]; /* zero */
} hkt_simulate_options;

typedef struct hkt_simulate_result {
    uint64_t schedules;   /* run */
    uint64_t steps;       /* points of choice, in all */
    uint64_t failed_seed; /* of the schedule that failed; exhaustive search: its number, from 0 */
    bool complete;        /* exhaustive search: every schedule within the bound was run */
    uint64_t distinct;    /* different ones among them: at least so many, counted up to 65 536 */
    uint64_t reserved[3];
} hkt_simulate_result;

/* Runs many schedules, up to the first that fails; its error is returned. `result` may be NULL. */
HKT_API HKT_MUST_USE int hkt_simulate_many(const hkt_simulate_options *options,
                                           int (*function)(void *), void *arg,
                                           hkt_simulate_result *result);

/* A point of choice in your own code: another thread may go on here. Outside a simulation and in
 * other builds it does nothing. */
HKT_API void hkt_simulate_point(void);

/* Is the caller in a simulation? The seed of it, else 0. */
HKT_API bool hkt_simulating(void);
HKT_API uint64_t hkt_simulate_seed(void);

HKT_END_DECLS
#endif
