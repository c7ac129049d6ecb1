/* SPDX-License-Identifier: MIT */
/* The public calls: runs of schedules, one after another, each on fresh strands.
 *
 * hkti_seam is set while strands run and NULL while this file's code does: what it calls (the
 * allocator, the report sink, the functions of describe.h) is not simulated. One run at a time in a
 * process: `busy`. */
#include <hocket/simulate.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic.h"
#include "base/report.h"
#include "os/sim/describe.h"
#include "os/sim/sim.h"

#define DEFAULT_SCHEDULES 10000
#define DEFAULT_MAX_STEPS 100000
#define DEFAULT_PREEMPTIONS 2
#define DEFAULT_DEPTH 3

/* Virtual time begins here: at no round number, so that nobody takes it for a duration. */
#define FIRST_NOW INT64_C(1000000007)

void (*hkti_sim_describe)(void *local, char *text, size_t size);
const char *(*hkti_sim_sentence)(int err);
void (*hkti_sim_begin)(void);
void (*hkti_sim_end)(void);

static uint32_t busy;

static void first_strand(void *arg)
{
    (void)arg;
    int result = hkti_sim.function(hkti_sim.arg);
    hkti_sim.result = result;
    if (result < 0 && hkti_sim_sentence)
        snprintf(hkti_sim.sentence, sizeof hkti_sim.sentence, "%s", hkti_sim_sentence(result));
}

static const struct hkti_sim_strategy *strategy_of(hkt_simulate_strategy strategy, uint64_t seed)
{
    switch (strategy) {
    case HKT_SIMULATE_RANDOM:
        return &hkti_sim_random_walk;
    case HKT_SIMULATE_PCT:
        return &hkti_sim_pct;
    case HKT_SIMULATE_EXHAUSTIVE:
        return &hkti_sim_exhaustive;
    default:
        return hkti_sim_mix(~seed) & 1 ? &hkti_sim_pct : &hkti_sim_random_walk;
    }
}

static void prepare(uint64_t seed)
{
    hkti_sim_strands_reset();
    hkti_sim.seed = seed;
    hkti_sim.random = hkti_sim_mix(seed);
    hkti_sim.steps = hkti_sim.streak = hkti_sim.idle = 0;
    hkti_sim.hash = 0;
    hkti_sim.sentence[0] = '\0';
    hkti_sim.now = FIRST_NOW;
    hkti_sim.earliest = HKTI_SIM_NEVER;
    hkti_sim.result = hkti_sim.verdict = 0;
    hkti_sim.strategy->begin();
}

/* One schedule; reports its failure. */
static int run_schedule(uint64_t seed)
{
    struct hkti_sim_strand *first;
    prepare(seed);
    if (hkti_sim_strand_start(0, first_strand, NULL, &first) < 0)
        return -ENOMEM;
    if (hkti_sim_begin)
        hkti_sim_begin();
    hkti_sim.current = first;
    hkti_seam = &hkti_sim_seam;
    hkti_switch(&hkti_sim.root, &first->context, first);
    hkti_seam = NULL;
    int err = hkti_sim.verdict ? hkti_sim.verdict : hkti_sim.result;
    if (err < 0) {
        while (hkti_sim.dirty_count)
            hkti_sim_land(hkti_sim.dirty[0]);
        hkti_sim_report(err);
    }
    if (hkti_sim_end)
        hkti_sim_end();
    return err;
}

/* Counts schedules by a bit for each hash modulo the number of bits: so a little too few. */
static uint64_t seen[65536 / 64];

static bool is_new(uint64_t hash)
{
    uint64_t place = hkti_sim_mix(hash) % 65536;
    uint64_t bit = UINT64_C(1) << place % 64;
    bool is = !(seen[place / 64] & bit);
    seen[place / 64] |= bit;
    return is;
}

static int run_many(const hkt_simulate_options *options, hkt_simulate_result *result)
{
    bool exhaustive = options->strategy == HKT_SIMULATE_EXHAUSTIVE;
    uint64_t limit = options->schedules ? options->schedules
                     : exhaustive       ? UINT64_MAX
                                        : DEFAULT_SCHEDULES;
    int err = 0;
    memset(seen, 0, sizeof seen);
    while (result->schedules < limit) {
        uint64_t seed = exhaustive ? result->schedules : options->seed + result->schedules;
        hkti_sim.strategy = strategy_of(options->strategy, seed);
        err = run_schedule(seed);
        result->schedules++;
        result->steps += hkti_sim.steps;
        result->distinct += is_new(hkti_sim.hash);
        if (err < 0) {
            result->failed_seed = seed;
            break;
        }
        if (exhaustive && !hkti_sim_search_more()) {
            result->complete = hkti_sim_search_whole();
            break;
        }
    }
    return err;
}

static int simulate(const hkt_simulate_options *options, hkt_simulate_result *result)
{
    bool exhaustive = options->strategy == HKT_SIMULATE_EXHAUSTIVE;
    hkti_sim.max_steps = options->max_steps ? options->max_steps : DEFAULT_MAX_STEPS;
    hkti_sim.preemptions = options->preemptions ? options->preemptions : DEFAULT_PREEMPTIONS;
    hkti_sim.depth = options->depth ? options->depth : DEFAULT_DEPTH;
    hkti_sim.calm = options->calm;
    int err = exhaustive ? hkti_sim_search_begin(hkti_sim.max_steps) : 0;
    if (err < 0)
        return err;
    hkti_sim_trace_open();
    hkti_sim_watch(true);
    err = run_many(options, result);
    hkti_sim_watch(false);
    hkti_sim_strands_trim();
    if (exhaustive)
        hkti_sim_search_end();
    return err;
}

/* Runs with the one global state, if nobody else does. */
static int simulate_alone(const hkt_simulate_options *options, int (*function)(void *), void *arg,
                          hkt_simulate_result *result)
{
    *result = (hkt_simulate_result){ 0 };
    if ((unsigned)options->strategy > HKT_SIMULATE_EXHAUSTIVE)
        return -EINVAL;
    if (hkti_seam || !hkti_cas_acquire(&busy, 0, 1)) /* pairs: simulate-busy */
        return -EBUSY;
    hkti_sim.function = function;
    hkti_sim.arg = arg;
    int err = simulate(options, result);
    hkti_store_release(&busy, 0); /* pairs: simulate-busy */
    return err;
}

int hkt_simulate_many(const hkt_simulate_options *options, int (*function)(void *), void *arg,
                      hkt_simulate_result *result)
{
    static const hkt_simulate_options defaults;
    hkt_simulate_result unwanted;
    int err = simulate_alone(options ? options : &defaults, function, arg,
                             result ? result : &unwanted);
    return err < 0 ? err : 0;
}

int hkt_simulate(uint64_t seed, int (*function)(void *), void *arg)
{
    hkt_simulate_options options = { .seed = seed, .schedules = 1 };
    hkt_simulate_result result;
    return simulate_alone(&options, function, arg, &result);
}

void hkt_simulate_point(void)
{
    if (hkti_seam)
        hkti_sim_point(HKTI_SIM_USER, false);
}

bool hkt_simulating(void)
{
    return hkti_seam != NULL;
}

uint64_t hkt_simulate_seed(void)
{
    return hkti_seam ? hkti_sim.seed : 0;
}
