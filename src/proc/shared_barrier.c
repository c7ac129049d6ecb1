/* SPDX-License-Identifier: MIT */
/* The barrier between processes: one word and a bell. The word has how many have come in this
 * generation, whether it is broken, how the last 24 generations ended, and the number of this one.
 *
 * Who comes counts itself, and waits until the generation has gone by, or is broken. The last one
 * begins the next generation: in that step the others are released, and no deadline and no end of a
 * process can break it for them any more. A reset begins the next one too, and notes that the old one
 * was given up; so one that wakes late knows how its own ended. (One that sleeps through more than
 * 24 is told that its own was complete.)
 *
 * Who dies: each waiter listens before it counts itself, and leaves the bell after its generation is
 * over or broken; so never fewer listen than have come, but for the dead, who are uncounted at the
 * bell (family.c). Whoever comes by and finds it so breaks the generation (look_for_dead). A word
 * never comes back as it was within a generation: so the number of listeners that was read between
 * two looks at it is good for it. One that is released already and has not yet left hides a dead one;
 * so it looks when it has left.
 *
 * Who may touch what: the word by everybody, atomically; the rest is written by init alone. */
#include <errno.h>
#include <hocket/shared_barrier.h>

#include "base/seconds.h"
#include "park/scope.h"
#include "proc/bell.h"

/* What hkt_shared_barrier is. */
struct __attribute__((may_alias)) hkti_shared_barrier {
    struct hkti_bell bell; /* the first */
    uint64_t state;
    uint64_t parties;
    double timeout;
    uint64_t reserved[4];
};

_Static_assert(sizeof(struct hkti_shared_barrier) == sizeof(hkt_shared_barrier), "these are one");

/* The word: count 15 bits, broken, 24 ends (1: given up; the last one lowest), generation 24. */
#define COUNT_BITS 15
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)
#define BROKEN (UINT64_C(1) << COUNT_BITS)
#define ENDS_SHIFT (COUNT_BITS + 1)
#define ENDS_BITS 24
#define ENDS_MASK ((UINT64_C(1) << ENDS_BITS) - 1)
#define GENERATION_SHIFT (ENDS_SHIFT + ENDS_BITS)
#define GENERATION_MASK UINT64_C(0xffffff)

static uint64_t generation_of(uint64_t state)
{
    return state >> GENERATION_SHIFT;
}

/* The first state of the next generation. */
static uint64_t next_generation(uint64_t state, bool given_up)
{
    uint64_t ends = ((state >> ENDS_SHIFT & ENDS_MASK) << 1 | given_up) & ENDS_MASK;
    uint64_t generation = (generation_of(state) + 1) & GENERATION_MASK;
    return generation << GENERATION_SHIFT | ends << ENDS_SHIFT;
}

static uint64_t broken(uint64_t state)
{
    return (state & ~COUNT_MASK) | BROKEN;
}

/* How has the generation ended? 0, -EPIPE; -EAGAIN: it has not. */
static int end_of(uint64_t generation, uint64_t state)
{
    uint64_t passed = (generation_of(state) - generation) & GENERATION_MASK;
    if (passed == 0)
        return state & BROKEN ? -EPIPE : -EAGAIN;
    if (passed > ENDS_BITS)
        return 0;
    return state >> (ENDS_SHIFT + passed - 1) & 1 ? -EPIPE : 0;
}

static uint64_t state_now(const struct hkti_shared_barrier *barrier)
{
    return hkti_load_seq_cst(&barrier->state); /* pairs: bell */
}

static bool change(struct hkti_shared_barrier *barrier, uint64_t from, uint64_t to)
{
    return hkti_cas_seq_cst(&barrier->state, from, to); /* pairs: bell */
}

static void look_for_dead(struct hkti_shared_barrier *barrier)
{
    uint64_t state;
    do {
        state = state_now(barrier);
        if ((state & COUNT_MASK) <= hkti_load_seq_cst(&barrier->bell.sleepers)) /* pairs: bell */
            return;
    } while (!change(barrier, state, broken(state)));
    hkti_bell_ring(&barrier->bell, INT32_MAX);
}

void hkti_shared_barrier_forget(struct hkti_bell *bell)
{
    look_for_dead((struct hkti_shared_barrier *)bell);
}

/* The caller comes: its number, and the generation; -EPIPE. Who has `err` breaks it, and gets that. */
static int come(struct hkti_shared_barrier *barrier, int err, uint64_t *generation)
{
    uint64_t state, next;
    int index;
    do {
        state = state_now(barrier);
        if (state & BROKEN)
            return err < 0 ? err : -EPIPE;
        index = (int)(state & COUNT_MASK);
        next = (uint64_t)index + 1 == barrier->parties ? next_generation(state, false) : state + 1;
        if (err < 0)
            next = broken(state);
    } while (!change(barrier, state, next));
    *generation = generation_of(state);
    if (generation_of(next) != *generation || (next & BROKEN))
        hkti_bell_ring(&barrier->bell, INT32_MAX);
    return err < 0 ? err : index;
}

/* The caller gives up: 0, -EPIPE if its generation is over all the same; or `err`. */
static int give_up(struct hkti_shared_barrier *barrier, uint64_t generation, int err)
{
    uint64_t state;
    do {
        state = state_now(barrier);
        int end = end_of(generation, state);
        if (end != -EAGAIN)
            return end;
    } while (!change(barrier, state, broken(state)));
    hkti_bell_ring(&barrier->bell, INT32_MAX);
    return err;
}

static int await_others(struct hkti_shared_barrier *barrier, struct hkti_listener *listener,
                        uint64_t generation, int64_t deadline)
{
    int err = 0, end;
    while ((end = end_of(generation, state_now(barrier))) == -EAGAIN && err == 0) {
        look_for_dead(barrier);
        err = hkti_bell_wait(listener, "shared barrier", barrier, deadline,
                             deadline != HKTI_PASSED);
    }
    return end == -EAGAIN ? give_up(barrier, generation, err) : end;
}

static int wait_until(struct hkti_shared_barrier *barrier, int64_t deadline)
{
    struct hkti_listener listener;
    uint64_t generation = 0;
    hkti_bell_listen(&barrier->bell, HKTI_STAKE_BARRIER, &listener);
    int index = come(barrier, hkti_cancelled(deadline), &generation), err = index;
    if (index >= 0)
        err = await_others(barrier, &listener, generation, deadline);
    hkti_bell_leave(&listener, true);
    look_for_dead(barrier);
    return err < 0 ? err : index;
}

int hkt_shared_barrier_init(hkt_shared_barrier *public, size_t parties, double timeout)
{
    if (parties == 0 || parties > COUNT_MASK || !(timeout >= 0))
        return -EINVAL;
    *(struct hkti_shared_barrier *)public = (struct hkti_shared_barrier){ .parties = parties,
                                                                          .timeout = timeout };
    return 0;
}

int hkt_shared_barrier_wait_until(hkt_shared_barrier *public, hkt_deadline deadline)
{
    return wait_until((struct hkti_shared_barrier *)public, deadline.ns);
}

int hkt_shared_barrier_wait(hkt_shared_barrier *public)
{
    double timeout = ((struct hkti_shared_barrier *)public)->timeout;
    return wait_until((struct hkti_shared_barrier *)public,
                      timeout > 0 ? hkt_after(timeout).ns : 0);
}

void hkt_shared_barrier_reset(hkt_shared_barrier *public)
{
    struct hkti_shared_barrier *barrier = (struct hkti_shared_barrier *)public;
    uint64_t state;
    do {
        state = state_now(barrier);
        if (!(state & (BROKEN | COUNT_MASK)))
            return;
    } while (!change(barrier, state, next_generation(state, true)));
    hkti_bell_ring(&barrier->bell, INT32_MAX);
}

void hkt_shared_barrier_abort(hkt_shared_barrier *public)
{
    struct hkti_shared_barrier *barrier = (struct hkti_shared_barrier *)public;
    uint64_t state;
    do
        state = state_now(barrier);
    while (!change(barrier, state, broken(state)));
    hkti_bell_ring(&barrier->bell, INT32_MAX);
}

bool hkt_shared_barrier_broken(const hkt_shared_barrier *public)
{
    return hkti_load_relaxed(&((const struct hkti_shared_barrier *)public)->state) & BROKEN;
}

size_t hkt_shared_barrier_n_waiting(const hkt_shared_barrier *public)
{
    return hkti_load_relaxed(&((const struct hkti_shared_barrier *)public)->state) & COUNT_MASK;
}

size_t hkt_shared_barrier_parties(const hkt_shared_barrier *public)
{
    return ((const struct hkti_shared_barrier *)public)->parties;
}
