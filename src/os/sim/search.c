/* SPDX-License-Identifier: MIT */
/* Exhaustive search: every schedule that departs from the plain one at most so often.
 *
 * In the plain schedule a strand runs until it waits, ends or spins, and stores land at once. A
 * departure is: somebody else goes on although the current strand could (a pre-emption), a store
 * stays in its buffer until something makes it land, or the first deadline comes although somebody
 * could go on. Who goes on when the current strand waits or ends is free: all are tried. Most bugs
 * need few departures (Musuvathi and Qadeer: Iterative Context Bounding, PLDI 2007).
 *
 * There is no saved state: a schedule is run again from its beginning, with the choices of `path`
 * up to the last one that has an alternative left, which is then taken (Godefroid's VeriSoft). For
 * this the program must do the same when it gets the same choices; where it visibly does not, the
 * search ends with -EINVAL.
 *
 * Who spins gives way to the next strand, in turn, and its stores land: otherwise the tree would
 * have no end. Reading the clock, joining, and fences of an empty buffer touch nothing that others
 * see: switching there is the same as switching at the next step. */
#include <errno.h>

#include "base/memory.h"
#include "os/sim/sim.h"

#define PATH_MAX_ENTRIES (UINT64_C(1) << 22)

struct choice {
    uint16_t taken, count;
};

static struct {
    struct choice *path;
    size_t capacity;
    size_t length;     /* known choices */
    size_t depth;      /* of this schedule so far */
    unsigned departed; /* of this schedule so far */
    bool cut;          /* some choice was not recorded, for want of room */
} search;

int hkti_sim_search_begin(uint64_t max_steps)
{
    uint64_t capacity = 2 * max_steps < PATH_MAX_ENTRIES ? 2 * max_steps : PATH_MAX_ENTRIES;
    search.path = hkti_allocate(capacity * sizeof search.path[0]);
    search.capacity = capacity;
    search.length = 0;
    search.cut = false;
    return search.path ? 0 : -ENOMEM;
}

void hkti_sim_search_end(void)
{
    hkti_release(search.path, search.capacity * sizeof search.path[0]);
    search.path = NULL;
}

bool hkti_sim_search_more(void)
{
    while (search.length) {
        struct choice *last = &search.path[search.length - 1];
        if (++last->taken < last->count)
            return true;
        search.length--;
    }
    return false;
}

bool hkti_sim_search_whole(void)
{
    return !search.cut;
}

/* One of `count` ways to go on; the first is the plain one. */
static uint32_t choose(uint32_t count)
{
    if (count == 1)
        return 0;
    if (search.depth == search.length) {
        if (search.length == search.capacity) {
            search.cut = true;
            return 0;
        }
        search.path[search.length++] = (struct choice){ 0, (uint16_t)count };
    }
    struct choice choice = search.path[search.depth++];
    if (choice.count != count)
        hkti_sim_stop(-EINVAL);
    return choice.taken;
}

static bool may_depart(void)
{
    return search.departed < hkti_sim.preemptions;
}

static void begin(void)
{
    search.depth = 0;
    search.departed = 0;
}

/* The runnable strand after the current one, by number, round and round. */
static struct hkti_sim_strand *successor(void)
{
    /* Numbers below the current one's wrap around to be the largest distances. */
    uint32_t from = hkti_sim.current->number + 1;
    struct hkti_sim_strand *best = hkti_sim.runnable[0];
    for (uint32_t i = 1; i < hkti_sim.runnable_count; i++)
        if (hkti_sim.runnable[i]->number - from < best->number - from)
            best = hkti_sim.runnable[i];
    return best;
}

/* The first deadline comes now. */
static struct hkti_sim_strand *expire(void)
{
    search.departed++;
    hkti_sim_advance(hkti_sim.earliest);
    return hkti_sim.runnable[hkti_sim.runnable_count - 1];
}

static bool others_may_notice(unsigned kind)
{
    if (kind == HKTI_OP_FENCE)
        return hkti_sim.current->store_count > 0;
    return kind != HKTI_SIM_NOW && kind != HKTI_SIM_JOIN;
}

static struct hkti_sim_strand *next(unsigned kind, bool yields)
{
    struct hkti_sim_strand *self = hkti_sim.current;
    uint32_t count = hkti_sim.runnable_count;
    bool early = may_depart() && hkti_sim.earliest != HKTI_SIM_NEVER;
    if (yields) {
        hkti_sim_land(self);
        return successor();
    }
    if (self->state != HKTI_SIM_RUNNABLE) {
        uint32_t chosen = choose(count + early);
        return chosen < count ? hkti_sim.runnable[chosen] : expire();
    }
    if (!may_depart() || !others_may_notice(kind))
        return self;
    uint32_t chosen = choose(count + early);
    if (chosen == count)
        return expire();
    if (chosen == 0)
        return self;
    search.departed++;
    return hkti_sim.runnable[chosen <= self->place ? chosen - 1 : chosen];
}

static bool delay_store(void)
{
    bool alone = hkti_sim.runnable_count + hkti_sim.waiting_count == 1;
    if (alone || !may_depart() || choose(2) == 0)
        return false;
    search.departed++;
    return true;
}

static bool spurious(void)
{
    return false;
}

const struct hkti_sim_strategy hkti_sim_exhaustive = {
    .name = "exhaustive",
    .begin = begin,
    .next = next,
    .delay_store = delay_store,
    .spurious = spurious,
};
