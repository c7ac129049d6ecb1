/* SPDX-License-Identifier: MIT */
/* Fork-join: hocket/parallel.h and hocket/fork.h have its use.
 *
 * Each strand that forks has an array of slots, a stack: [0, tail) were taken by thieves, [tail,
 * split) are shared, [split, top) are the owner's own, and touched by nobody else. `shared` is tail,
 * split, and a count of the owner's changes, in one word:
 *
 *   a thief takes slot `tail` by compare-and-swap of tail to tail + 1, as long as tail < split;
 *   the owner shares more by adding to split; takes back what nobody took by compare-and-swap of
 *   split to less; and after it has joined a slot that was taken, which was the last one, sets both
 *   to it: no thief can be in between, for tail == split.
 *
 * A thief reads the slot after its swap, so it reads what the owner had shared. Slots below split are
 * not written by the owner until they are joined.
 *
 * A taken slot: TAKEN, with the place in the thief's array that it began at in `arg`; then DONE. The
 * owner that waits for it takes from the thief what lies above that place: parts of what it waits
 * for, and no other work (it looks at the slot after it has read the thief's `shared`, and that has
 * not changed when the swap succeeds). Then it spins, then puts its strand in the state's place and
 * parks; the thief, which brings the state to DONE, finds it there and wakes it. That is the thief's
 * last touch.
 *
 * A stolen fork runs in a scope of the thief's whose parent is the scope that was around when it was
 * forked: `level` has them, for the slots from some place on, and changes under `guard`. That scope
 * is there until all forks in it are joined. A cancel nudges the strand of the cancelled scope; if
 * it is parked for a thief, it passes the nudge on, with the state HELD, during which the thief does
 * not end.
 *
 * Who is hungry, a worker that goes idle or an owner that waits for its thief, sets fork_until to
 * NULL; the next fork then shares the half of what is private, and calls a worker and an owner that
 * is parked for what the strand runs: by a change of the state back to TAKEN, and a wake. A store that is lost since the owner wrote at the same time is made good by the
 * owner, who looks at the sleepers after its store.
 *
 * Source: van Dijk and van de Pol, "Lace", 2014; the wait: Wagner and Calder, "Leapfrogging", 1993. */
#ifndef HKTI_EXEC_FORKS_H
#define HKTI_EXEC_FORKS_H

#include <hocket/fork.h>

#include "park/scope.h"

struct hkti_pool;
struct hkti_worker;

/* What is forked from this place on is in this scope (NULL: none); all of it for a slot of somebody
 * else's, if that is not NULL. */
struct hkti_fork_level {
    struct hkt_fork_slot *from;
    struct hkti_scope *scope;
    struct hkt_fork_slot *stolen;
    struct hkti_fork_level *outer;
};

struct hkti_forks {
    struct hkt_fork_array open; /* first */
    struct hkt_fork_slot *limit;
    struct hkti_pool *pool;
    struct hkti_strand *owner;
    struct hkti_fork_level outermost, *level; /* the innermost; under the guard */
    uint32_t guard;
    struct hkti_fork_results overflow; /* forks beyond the limit */
    struct hkti_forks *next_free;
    uint64_t shared __attribute__((aligned(64)));
    struct hkti_forks *next; /* all of the pool's; written once */
    uint32_t used;           /* atomic: somebody owns it */
    struct hkt_fork_slot slots[] __attribute__((aligned(64)));
};

/* A pool's arrays: made when needed, given back with the pool, since thieves may look at them at any
 * time. */
struct hkti_fork_places {
    struct hkti_forks *all;  /* atomic; only added to */
    struct hkti_forks *free; /* under the guard */
    uint32_t guard;
    uint32_t guests;  /* atomic: outsiders who fork here */
    uint32_t thieves; /* atomic: workers that run forks of others */
};

/* Takes a fork from somebody and runs it, in the calling strand: false if there was none. */
bool hkti_forks_steal(struct hkti_pool *pool);
/* Is there one to be taken? */
bool hkti_forks_shared(struct hkti_pool *pool);
/* Whoever forks from now on shares. */
void hkti_forks_ask(struct hkti_pool *pool);
/* The calling strand's job has ended: its array is free for others. */
void hkti_forks_leave(struct hkti_strand *self);
/* The pool ends. */
void hkti_forks_end(struct hkti_fork_places *places);

/* Runs function(arg) in the calling strand, with forks on the pool: what it returns, or -ENOMEM. */
int hkti_forks_within(hkt_executor *pool, int (*function)(void *arg), void *arg);
/* How many may compute at a time for a call with this executor. */
unsigned hkti_forks_workers(hkt_executor *executor);
/* Is somebody hungry, so that the calling strand should fork rather than go on alone? */
static inline bool hkti_forks_hungry(struct hkti_strand *self)
{
    struct hkti_forks *forks = self->forks;
    return forks && hkti_load_relaxed(&forks->open.fork_until) == NULL;
}

#endif
