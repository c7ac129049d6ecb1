/* SPDX-License-Identifier: MIT */
/* Stakes: at which bells the strands of each process wait, for those who live longer.
 *
 * A place holds 0, or the bell, the kind, and perhaps who holds it. Who rings the bells of others holds
 * the place meanwhile, and who takes its stake back waits for that: so the bell is there as long as
 * somebody rings it. The holder may die: whoever finds that takes the place out of its hands.
 *
 * Who buries takes a stake of the dead out before it undoes it. Killed between the two, it leaves a
 * bell with a sleeper too many, which costs a system call at each ring and nothing else. */
#include "proc/stake.h"

#include <hocket/shared.h>

#include "base/atomic.h"
#include "os/os.h"
#include "proc/arena.h"
#include "proc/bell.h"

#define BELL_BITS 35 /* in units of 8 bytes, from the arena's beginning */
#define KIND_BITS 2
#define HOLDER_BITS (64 - BELL_BITS - KIND_BITS) /* the lower bits of its token */
#define HOLDER_MASK ((UINT64_C(1) << HOLDER_BITS) - 1)
#define LOOKS 64 /* turns of waiting for a holder between two looks whether it lives */
_Static_assert(HKTI_ARENA_MAX >> 3 <= UINT64_C(1) << BELL_BITS, "room for a bell");

/* Of this process: which places are taken, and where the last free one was. */
static uint64_t taken[HKTI_STAKES / 64];
static uint32_t last;

static uint64_t make_stake(const struct hkti_bell *bell, enum hkti_stake_kind kind)
{
    uint64_t distance = (uintptr_t)bell - HKTI_ARENA_BASE;
    return (distance >> 3 << KIND_BITS | kind) << HOLDER_BITS | 0;
}

static struct hkti_bell *bell_of(uint64_t stake)
{
    uint64_t distance = stake >> (HOLDER_BITS + KIND_BITS) << 3;
    return (struct hkti_bell *)(HKTI_ARENA_BASE + distance);
}

static enum hkti_stake_kind kind_of(uint64_t stake)
{
    return (stake >> HOLDER_BITS) & ((1U << KIND_BITS) - 1);
}

static uint32_t holder_of(uint64_t stake)
{
    return stake & HOLDER_MASK;
}

static int take_place(void)
{
    uint32_t first = hkti_load_relaxed(&last);
    for (uint32_t n = 0; n < HKTI_STAKES / 64; n++) {
        uint32_t i = (first + n) % (HKTI_STAKES / 64);
        uint64_t room = ~hkti_load_relaxed(&taken[i]);
        while (room) {
            uint64_t bit = room & -room;
            uint64_t before = hkti_fetch_or_acquire(&taken[i], bit); /* pairs: stake-place */
            if (!(before & bit)) {
                if (n > 0)
                    hkti_store_relaxed(&last, i);
                return (int)(i * 64) + __builtin_ctzll(bit);
            }
            room = ~before;
        }
    }
    return -1;
}

static void raise_used(uint32_t *used, uint32_t to)
{
    for (;;) {
        uint32_t before = hkti_load_relaxed(used);
        if (before >= to || hkti_cas_relaxed(used, before, to))
            return;
    }
}

void hkti_stake_put(uint32_t token, uint32_t place, struct hkti_bell *bell,
                    enum hkti_stake_kind kind)
{
    raise_used(hkti_stakes_used(token), place + 1);
    /* pairs: bury */
    hkti_store_seq_cst(&hkti_stakes_of(token)[place], make_stake(bell, kind));
}

int hkti_stake_add(struct hkti_bell *bell, enum hkti_stake_kind kind)
{
    uint32_t token = hkt_shared_contains(bell) ? hkti_family_token() : 0;
    int place = token ? take_place() : -1;
    if (place >= 0)
        hkti_stake_put(token, (uint32_t)place, bell, kind);
    return place;
}

/* Nobody holds it any more, if its holder is dead. */
static void wait_for_holder(uint64_t *place, uint64_t stake, unsigned turns)
{
    hkti_os_yield(turns);
    if (turns % LOOKS == LOOKS - 1 && hkti_family_is_gone(holder_of(stake), HOLDER_BITS)) {
        /* pairs: stake */
        (void)hkti_cas_acq_rel(place, stake, stake & ~HOLDER_MASK);
    }
}

/* Out of the place, when nobody holds it: 0 if it was not in. */
static uint64_t take_out(uint64_t *place)
{
    for (unsigned turns = 0;; turns++) {
        uint64_t stake = hkti_load_seq_cst(place); /* pairs: bury */
        if (stake == 0)
            return 0;
        if (holder_of(stake))
            wait_for_holder(place, stake, turns);
        else if (hkti_cas_acq_rel(place, stake, 0)) /* pairs: stake */
            return stake;
    }
}

void hkti_stake_remove(int place)
{
    uint32_t token = place < 0 ? 0 : hkti_family_token();
    if (token == 0)
        return;
    (void)take_out(&hkti_stakes_of(token)[place]);
    /* pairs: stake-place */
    hkti_fetch_and_release(&taken[place / 64], ~(UINT64_C(1) << place % 64));
}

/* Sequentially consistent, since a stake is written down after it. */
static uint32_t used_by(uint32_t token)
{
    return hkti_load_seq_cst(hkti_stakes_used(token)); /* pairs: bury */
}

static void undo(uint64_t stake)
{
    struct hkti_bell *bell = bell_of(stake);
    hkti_fetch_add_seq_cst(&bell->sleepers, (uint32_t)-1); /* pairs: bell */
    if (kind_of(stake) == HKTI_STAKE_CONDITION)
        hkti_shared_condition_forget(bell);
    else if (kind_of(stake) == HKTI_STAKE_BARRIER)
        hkti_shared_barrier_forget(bell);
    hkti_bell_ring(bell, INT32_MAX);
}

void hkti_stakes_bury(uint32_t dead)
{
    uint64_t *places = hkti_stakes_of(dead);
    for (uint32_t i = 0; i < used_by(dead); i++) {
        uint64_t stake = take_out(&places[i]);
        if (stake)
            undo(stake);
    }
}

static void ring_at(uint64_t *place)
{
    uint64_t holder = hkti_family_token() & HOLDER_MASK;
    for (unsigned turns = 0;; turns++) {
        uint64_t stake = hkti_load_seq_cst(place); /* pairs: bury */
        if (stake == 0)
            return;
        if (holder_of(stake)) {
            wait_for_holder(place, stake, turns);
        } else if (hkti_cas_acq_rel(place, stake, stake | holder)) { /* pairs: stake */
            hkti_bell_ring(bell_of(stake), INT32_MAX);
            (void)hkti_cas_acq_rel(place, stake | holder, stake); /* pairs: stake */
            return;
        }
    }
}

void hkti_stakes_ring(uint32_t token)
{
    uint64_t *places = hkti_stakes_of(token);
    for (uint32_t i = 0; i < used_by(token); i++)
        ring_at(&places[i]);
}

void hkti_stakes_forget_of(uint32_t token, const void *memory, size_t size)
{
    uint64_t *places = hkti_stakes_of(token);
    for (uint32_t i = 0; i < used_by(token); i++) {
        uint64_t stake = hkti_load_relaxed(&places[i]);
        if (stake && (uintptr_t)bell_of(stake) - (uintptr_t)memory < size)
            (void)take_out(&places[i]);
    }
}

void hkti_stakes_reset(void)
{
    for (int i = 0; i < HKTI_STAKES / 64; i++)
        hkti_init(&taken[i], 0);
}
