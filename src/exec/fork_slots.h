/* SPDX-License-Identifier: MIT */
/* What the files of fork-join share: a slot's states, the word `shared`, and the functions that one of
 * them has for the others. forks.h has the rules. */
#ifndef HKTI_EXEC_FORK_SLOTS_H
#define HKTI_EXEC_FORK_SLOTS_H

#include "exec/pool.h"

/* A slot's state. */
enum {
    HKTI_FORK_FREE = 0, /* or forked and not taken */
    HKTI_FORK_TAKEN = 1,
    HKTI_FORK_DONE = 2,
    HKTI_FORK_FAILED = 3, /* done; the result is a struct hkti_fork_failure */
    HKTI_FORK_HELD = 4,   /* taken; the strand that waits for it is at the thief's */
};                        /* others: the strand that waits for it */

#define HKTI_FORK_CAPACITY                                                                         \
    ((HKT_FORK_ARRAY_SIZE - sizeof(struct hkti_forks)) / sizeof(struct hkt_fork_slot) - 1)

/* `shared`: tail 16 bits, split 16 bits, changes 32 bits. */
#define HKTI_FORK_ONE_SPLIT ((uint64_t)1 << 16)
#define HKTI_FORK_ONE_CHANGE ((uint64_t)1 << 32)

_Static_assert(HKTI_FORK_CAPACITY < 65535, "places are 16 bits");

/* After this, with one change more. */
static inline uint64_t hkti_fork_changed(uint64_t shared, uint32_t tail, uint32_t split)
{
    return ((shared >> 32) + 1) << 32 | (uint64_t)split << 16 | tail;
}

static inline uint32_t hkti_fork_tail(uint64_t shared)
{
    return (uint16_t)shared;
}

static inline uint32_t hkti_fork_split(uint64_t shared)
{
    return (uint16_t)(shared >> 16);
}

static inline struct hkti_forks *hkti_forks_of(struct hkt_fork_slot *slot)
{
    return (struct hkti_forks *)(void *)hkt_forks_array(slot);
}

/* A taken fork's error and its sentence, on their way to who joins. */
struct hkti_fork_failure {
    int err;
    char sentence[HKT_SENTENCE_MAX];
};

/* Calls what a slot says; its forks go where it was, or where `next` says. */
static inline int hkti_fork_call(struct hkt_fork_slot slot, struct hkt_fork_slot *next)
{
    if (slot.function == NULL)
        return ((hkt_job *)slot.result)(slot.arg);
    return slot.function((hkt_forks){ next }, slot.arg);
}

/* May one more worker help, beside the outsiders who take part? */
static inline bool hkti_forks_is_welcome(const struct hkti_pool *pool, uint32_t thieves)
{
    return thieves + hkti_load_relaxed(&pool->forks.guests) < pool->executor.max_workers;
}

/* The calling strand's array, on this pool; what is forked is in `scope`. Without a pool it has no room,
 * so all forks run at once. NULL: no memory. (fork_array.c) */
struct hkti_forks *hkti_forks_attach(struct hkti_strand *self, struct hkti_pool *pool,
                                     struct hkti_scope *scope);
/* What the owner forks from now on is in another scope, for `stolen` or NULL; and no more. */
void hkti_forks_push_level(struct hkti_forks *forks, struct hkti_fork_level *level,
                           struct hkti_scope *scope, struct hkt_fork_slot *stolen);
void hkti_forks_pop_level(struct hkti_forks *forks);
/* The scope around a slot that was taken. */
struct hkti_scope *hkti_forks_scope_around(struct hkti_forks *forks,
                                           const struct hkt_fork_slot *slot);

/* Takes the oldest that the victim shares, and runs it; `from` a slot that was taken: only parts of
 * that. False if there was none. (steal.c) */
bool hkti_forks_steal_from(struct hkti_forks *victim, struct hkti_strand *self,
                           struct hkt_fork_slot *from);

#endif
