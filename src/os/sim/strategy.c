/* SPDX-License-Identifier: MIT */
/* The seeded strategies: random walk and PCT.
 *
 * Both draw one random number a step, and from its bits the weather of the step: by how much time
 * moves, whether a store leaves a buffer, whether the first deadline comes although somebody could
 * still go on. How often each of these happens is drawn once a schedule: bugs that need stores to
 * stay long and bugs that need them to land between two steps are both found so, by other seeds.
 *
 * Random walk: at each step anyone may go on. How likely the current strand is to go on by
 * preference differs by schedule as well (never, 1/2, 3/4, 15/16), since many bugs want few
 * switches.
 *
 * PCT (Burckhardt, Kothari, Musuvathi, Nagarakatte: A Randomized Scheduler with Probabilistic
 * Guarantees of Finding Bugs, ASPLOS 2010): the strand of the highest priority runs; priorities
 * are random, and at d - 1 random steps out of k the current one's becomes lower than all first
 * ones. A bug of depth d is found with probability at least 1 / (n k^(d-1)) for n strands. The
 * paper takes k from an earlier run; here it is drawn by the seed (2^4 to 2^12), so that a seed
 * replays without any history. Who spins becomes the lowest of all. */
#include <stdlib.h>

#include "os/sim/sim.h"

#define CHANGES_MAX 32

/* Of this schedule: an event with mask m happens in one of m + 1 steps. */
static struct {
    unsigned landing;  /* a store leaves its buffer */
    unsigned early;    /* a deadline comes early */
    unsigned spurious; /* a sleeper wakes for no reason */
    bool calm;         /* no early deadlines, no spurious wake-ups */
    unsigned stay;     /* random walk: the current strand goes on but for one step in stay + 1 */
} weather;

static struct {
    uint64_t changes[CHANGES_MAX]; /* steps, ascending */
    unsigned count, next;
    int64_t floor; /* the lowest priority so far */
} pct;

static void draw_weather(void)
{
    static const unsigned char landings[] = { 1, 3, 15, 63 };
    static const unsigned char stays[] = { 0, 1, 3, 15 };
    static const unsigned char earlies[] = { 15, 63, 255, 255 };
    uint64_t r = hkti_sim_random();
    weather.landing = landings[r & 3];
    weather.stay = stays[r >> 2 & 3];
    weather.early = earlies[r >> 4 & 3];
    weather.spurious = r >> 6 & 1 ? 3 : 15;
    weather.calm = r >> 7 & 1;
}

/* One of `count`, by some 24 bits. */
static uint32_t one_of(uint64_t bits, uint32_t count)
{
    return (uint32_t)(((bits & 0xffffff) * count) >> 24);
}

static void make_weather(uint64_t r)
{
    if (hkti_sim.dirty_count && (r & weather.landing) == 0)
        hkti_sim_land_one(hkti_sim.dirty[one_of(r >> 8, hkti_sim.dirty_count)]);
    if (hkti_sim.calm)
        return;
    bool early = !weather.calm && (r >> 32 & weather.early) == 0;
    if (early && hkti_sim.earliest != HKTI_SIM_NEVER)
        hkti_sim_advance(hkti_sim.earliest);
    else
        hkti_sim_advance(hkti_sim.now + (int64_t)(r >> 57));
}

static bool delay_store(void)
{
    return true;
}

static bool spurious(void)
{
    return !weather.calm && !hkti_sim.calm && (hkti_sim_random() & weather.spurious) == 0;
}

static size_t pick(size_t count)
{
    return one_of(hkti_sim_random(), (uint32_t)count);
}

/* Random walk. */

static struct hkti_sim_strand *random_next(unsigned kind, bool yields)
{
    struct hkti_sim_strand *self = hkti_sim.current;
    (void)kind;
    make_weather(hkti_sim_random());
    if (hkti_sim.runnable_count == 1)
        return hkti_sim.runnable[0];
    uint64_t r = hkti_sim_random();
    bool can = self->state == HKTI_SIM_RUNNABLE;
    if (can && !yields && (r & weather.stay) != 0)
        return self;
    if (!can || !yields)
        return hkti_sim.runnable[one_of(r >> 8, hkti_sim.runnable_count)];
    uint32_t other = one_of(r >> 8, hkti_sim.runnable_count - 1);
    return hkti_sim.runnable[other < self->place ? other : other + 1];
}

const struct hkti_sim_strategy hkti_sim_random_walk = {
    .name = "random",
    .begin = draw_weather,
    .next = random_next,
    .delay_store = delay_store,
    .spurious = spurious,
    .pick = pick,
};

/* PCT. First priorities are above 2^32, those of the change points below, those of spinners
 * negative. */

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void pct_begin(void)
{
    draw_weather();
    uint64_t steps = UINT64_C(16) << (hkti_sim_random() % 9);
    pct.count = hkti_sim.depth - 1 < CHANGES_MAX ? hkti_sim.depth - 1 : CHANGES_MAX;
    for (unsigned i = 0; i < pct.count; i++)
        pct.changes[i] = 1 + hkti_sim_random() % steps;
    qsort(pct.changes, pct.count, sizeof pct.changes[0], ascending);
    pct.next = 0;
    pct.floor = 0;
}

static void pct_started(struct hkti_sim_strand *new)
{
    new->priority = (int64_t)(hkti_sim_random() >> 2 | UINT64_C(1) << 32);
}

static struct hkti_sim_strand *highest(void)
{
    struct hkti_sim_strand *best = hkti_sim.runnable[0];
    for (uint32_t i = 1; i < hkti_sim.runnable_count; i++)
        if (hkti_sim.runnable[i]->priority > best->priority)
            best = hkti_sim.runnable[i];
    return best;
}

static struct hkti_sim_strand *pct_next(unsigned kind, bool yields)
{
    struct hkti_sim_strand *self = hkti_sim.current;
    (void)kind;
    make_weather(hkti_sim_random());
    if (yields)
        self->priority = --pct.floor;
    while (pct.next < pct.count && hkti_sim.steps >= pct.changes[pct.next])
        self->priority = (int64_t)(pct.count - pct.next++);
    return hkti_sim.runnable_count == 1 ? hkti_sim.runnable[0] : highest();
}

const struct hkti_sim_strategy hkti_sim_pct = {
    .name = "PCT",
    .begin = pct_begin,
    .started = pct_started,
    .next = pct_next,
    .delay_store = delay_store,
    .spurious = spurious,
    .pick = pick,
};
