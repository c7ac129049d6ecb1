/* SPDX-License-Identifier: MIT */
/* The family's table. family.h has its states and rules.
 *
 * A slot's state is one word: what it is, its generation, and of a STARTING one the number of the
 * process that starts it (if that was killed, nobody else would undo it), of a DEAD one who buries it.
 * Slots up to
 * `top` have memory; they are taken in turn, so that it is long until one is taken again, and who is
 * late with an old token finds another generation. */
#include "proc/family.h"

#include <errno.h>
#include <hocket/error.h>
#include <unistd.h>

#include "base/atomic.h"
#include "os/os.h"
#include "park/strand.h"
#include "proc/arena.h"
#include "proc/stake.h"

#define STAKES ((size_t)1 << 20) /* where they begin in the arena; the table lies before */
#define PAGE 4096                /* of stakes; more than one may lie in a page of the system's */
#define SLOT_BITS 12
#define GENERATION_BITS (HKTI_TOKEN_BITS - SLOT_BITS)
#define GENERATION_MASK ((UINT32_C(1) << GENERATION_BITS) - 1)
#define SWEEP 4
#define STEP 128 /* slots that come into being at a time: a page */
_Static_assert(1 << SLOT_BITS == HKTI_FAMILY_MAX, "an index is in a token");

enum state { FREE, STARTING, ALIVE, DEAD };

struct slot {
    uint64_t state;
    uint64_t start; /* the time at which the process started, in the kernel's ticks; 0: unknown */
    uint32_t pid;
    uint32_t parent;
    uint32_t stakes; /* places from here on have never been used by this process */
    uint32_t reserved;
};

struct hkti_family {
    struct slot slots[HKTI_FAMILY_MAX];
};
_Static_assert(sizeof(struct hkti_family) <= STAKES / 2, "it ends before the stakes");

/* In the arena's header page, behind the header. */
struct counts {
    uint32_t top;
    uint32_t next; /* where to look for a free one */
};

static uint32_t own_token;
static uint32_t own_guard; /* held while it is made: 1 */

static struct counts *counts(void)
{
    return (struct counts *)(void *)((char *)hkti_arena() + 1024);
}

static inline uint32_t index_of(uint32_t token)
{
    return token & (HKTI_FAMILY_MAX - 1);
}

static inline struct slot *slot_of(uint32_t token)
{
    return &hkti_arena_family()->slots[index_of(token)];
}

static inline uint64_t make_state(enum state state, uint32_t token, uint32_t who)
{
    return (uint64_t)who << 32 | (uint64_t)(token >> SLOT_BITS & GENERATION_MASK) << 4 | state;
}

static inline enum state state_of(uint64_t state)
{
    return state & 15;
}

static inline uint32_t token_of(uint64_t state, uint32_t index)
{
    return ((uint32_t)(state >> 4) & GENERATION_MASK) << SLOT_BITS | index;
}

uint32_t *hkti_stakes_used(uint32_t token)
{
    return &slot_of(token)->stakes;
}

uint64_t *hkti_stakes_of(uint32_t token)
{
    return (uint64_t *)(void *)((char *)hkti_arena() + STAKES + (size_t)index_of(token) * PAGE);
}

/* The state of the token's process; FREE if the slot is another one's by now. */
static uint64_t look_up(uint32_t token)
{
    uint64_t state = hkti_load_seq_cst(&slot_of(token)->state); /* pairs: bury, family */
    return token_of(state, index_of(token)) == token ? state : FREE;
}

/* What the system says: when it was started, 0 if that cannot be told. False: it is sure that there is
 * no such process, or that it has ended. */
static bool ask_system(uint32_t pid, uint64_t *start)
{
    struct hkti_os_process process;
    int err = hkti_os_process_look((int)pid, &process);
    *start = err < 0 ? 0 : process.start;
    return err < 0 ? err != -ESRCH : !hkti_os_process_has_ended(&process);
}

/* The first n slots have memory. */
static bool raise_top(uint32_t n)
{
    uint32_t before = hkti_load_acquire(&counts()->top); /* pairs: family-top */
    if (n <= before)
        return true;
    n = (n + STEP - 1) / STEP * STEP;
    struct slot *slots = hkti_arena_family()->slots;
    if (hkti_arena_commit(&slots[before], (n - before) * sizeof *slots) < 0)
        return false;
    while (before < n && !hkti_cas_acq_rel(&counts()->top, before, n)) /* pairs: family-top */
        before = hkti_load_acquire(&counts()->top);                    /* pairs: family-top */
    return true;
}

/* Takes the slot, if it is free: its new token, or 0. */
static uint32_t take_slot(uint32_t index, uint32_t parent)
{
    if (!raise_top(index + 1))
        return 0;
    struct slot *slot = &hkti_arena_family()->slots[index];
    uint64_t state = hkti_load_acquire(&slot->state); /* pairs: family */
    uint32_t before = token_of(state, index);
    uint32_t token = (before + HKTI_FAMILY_MAX) & HKTI_TOKEN_MASK;
    if ((token >> SLOT_BITS & 0x7fff) == 0) /* nor is the part of it that stakes have */
        token = (token + HKTI_FAMILY_MAX) & HKTI_TOKEN_MASK;
    if (state_of(state) != FREE || hkti_arena_commit(hkti_stakes_of(index), PAGE) < 0 ||
        /* pairs: family */
        !hkti_cas_acq_rel(&slot->state, state, make_state(STARTING, token, (uint32_t)getpid())))
        return 0;
    hkti_store_relaxed(&slot->parent, parent);
    return token;
}

static uint32_t try_to_reserve(uint32_t parent)
{
    for (uint32_t n = 0; n < HKTI_FAMILY_MAX; n++) {
        uint32_t index = hkti_fetch_add_relaxed(&counts()->next, 1) % HKTI_FAMILY_MAX;
        uint32_t token = take_slot(index, parent);
        if (token)
            return token;
    }
    return 0;
}

#ifdef HKT_SIM
void hkti_family_rewind(void)
{
    hkti_init(&counts()->next, 0);
}
#endif

/* Buries those whose end nobody has seen, among n slots. */
static void look_at(uint32_t first, uint32_t n)
{
    uint32_t top = hkti_load_acquire(&counts()->top); /* pairs: family-top */
    for (uint32_t i = first; i < first + n && hkti_load_relaxed(&own_token); i++) {
        struct slot *slot = &hkti_arena_family()->slots[i % top];
        uint64_t state = hkti_load_acquire(&slot->state); /* pairs: family */
        if (state_of(state) != FREE)
            (void)hkti_family_look(token_of(state, i % top));
    }
}

uint32_t hkti_family_reserve(uint32_t parent)
{
    uint32_t token = try_to_reserve(parent);
    if (token)
        return token;
    look_at(0, HKTI_FAMILY_MAX);
    return try_to_reserve(parent);
}

void hkti_family_born(uint32_t token, int pid)
{
    struct slot *slot = slot_of(token);
    uint64_t state = look_up(token), start;
    if (state_of(state) != STARTING)
        return;
    (void)ask_system((uint32_t)pid, &start);
    if (start)
        hkti_store_relaxed(&slot->start, start);
    hkti_store_relaxed(&slot->pid, (uint32_t)pid);
    /* pairs: family */
    (void)hkti_cas_acq_rel(&slot->state, state, make_state(ALIVE, token, 0));
}

void hkti_family_become(uint32_t token)
{
    hkti_family_born(token, getpid());
    hkti_stakes_reset();
    hkti_store_release(&own_token, token); /* pairs: own-token */
}

static uint32_t enter(void)
{
    uint32_t token = hkti_arena_open() < 0 ? 0 : hkti_family_reserve(0);
    if (token) { /* each newcomer looks at a few, so that they do not fill the table */
        hkti_family_become(token);
        look_at(index_of(token) * SWEEP, SWEEP);
    } else if (hkti_arena_is_open())
        (void)hkt_fail(-ENOMEM, "the family has %d processes, or the system's memory is full",
                       HKTI_FAMILY_MAX);
    return token;
}

uint32_t hkti_family_token(void)
{
    uint32_t token = hkti_load_acquire(&own_token); /* pairs: own-token */
    for (unsigned turns = 0; token == 0; turns++) {
        if (hkti_cas_acquire(&own_guard, 0, 1)) { /* pairs: own-token */
            token = hkti_load_relaxed(&own_token);
            token = token ? token : enter();
            hkti_store_release(&own_guard, 0); /* pairs: own-token */
            return token;
        }
        hkti_os_yield(turns);
        token = hkti_load_acquire(&own_token); /* pairs: own-token */
    }
    return token;
}

bool hkti_family_is_dead(uint32_t token)
{
    enum state state = state_of(look_up(token));
    return state == FREE || state == DEAD;
}

int hkti_family_pid(uint32_t token)
{
    return state_of(look_up(token)) == ALIVE ? (int)hkti_load_relaxed(&slot_of(token)->pid) : 0;
}

bool hkti_family_is_gone(uint32_t part, unsigned bits)
{
    uint64_t state = hkti_load_seq_cst(&slot_of(part)->state); /* pairs: bury, family */
    uint32_t token = token_of(state, index_of(part));
    if (((token ^ part) & ((UINT32_C(1) << bits) - 1)) != 0)
        return true;
    return hkti_family_look(token);
}

/* Marks it; false: another one buries it, or has done so. */
static bool begin_to_bury(uint32_t token, uint32_t self)
{
    for (;;) {
        uint64_t state = look_up(token);
        uint32_t burier = state_of(state) == DEAD ? (uint32_t)(state >> 32) : 0;
        if (state_of(state) == FREE || (burier && !hkti_family_is_dead(burier)))
            return false;
        /* pairs: bury, family */
        if (hkti_cas_seq_cst(&slot_of(token)->state, state, make_state(DEAD, token, self)))
            return true;
    }
}

/* Everybody of the family looks again. What the dead one had begun to bury is gone on with. */
static void tell_others(uint32_t dead)
{
    uint32_t top = hkti_load_acquire(&counts()->top); /* pairs: family-top */
    for (uint32_t i = 0; i < top; i++) {
        uint64_t state = hkti_load_seq_cst(&hkti_arena_family()->slots[i].state); /* pairs: bury */
        if (state_of(state) == ALIVE)
            hkti_stakes_ring(i);
        else if (state_of(state) == DEAD && (uint32_t)(state >> 32) == dead &&
                 token_of(state, i) != dead) /* who buries itself is at it already */
            hkti_family_bury(token_of(state, i));
    }
}

void hkti_family_bury(uint32_t token)
{
    uint32_t self = hkti_family_token();
    if (self == 0 || !begin_to_bury(token, self))
        return;
    struct slot *slot = slot_of(token);
    hkti_heap_forget(token);
    hkti_stakes_bury(token);
    tell_others(token);
    hkti_store_relaxed(&slot->pid, 0);
    hkti_store_relaxed(&slot->start, 0);
    hkti_store_relaxed(&slot->stakes, 0);
    hkti_store_release(&slot->state, make_state(FREE, token, 0)); /* pairs: family */
}

bool hkti_family_look(uint32_t token)
{
    uint64_t state = look_up(token), start;
    if (token == hkti_load_relaxed(&own_token))
        return false;
    if (state_of(state) == STARTING && ask_system((uint32_t)(state >> 32), &start))
        return false;
    if (state_of(state) == ALIVE) {
        struct slot *slot = slot_of(token);
        uint64_t written = hkti_load_relaxed(&slot->start);
        bool there = ask_system(hkti_load_relaxed(&slot->pid), &start);
        if (there && (start == 0 || written == 0 || start == written))
            return false;
    }
    hkti_family_bury(token);
    return true;
}

void hkti_stakes_forget(const void *memory, size_t size)
{
    uint32_t top = hkti_load_acquire(&counts()->top); /* pairs: family-top */
    for (uint32_t i = 0; i < top; i++)
        if (hkti_load_relaxed(&hkti_arena_family()->slots[i].stakes) != 0)
            hkti_stakes_forget_of(i, memory, size);
}

bool hkti_family_others(void)
{
    uint32_t top = hkti_load_acquire(&counts()->top); /* pairs: family-top */
    uint32_t self = hkti_load_relaxed(&own_token);
    for (uint32_t i = 0; i < top; i++) {
        uint64_t state = hkti_load_acquire(
            &hkti_arena_family()->slots[i].state); /* pairs: family */
        uint32_t token = token_of(state, i);
        if (token != self && (state_of(state) == ALIVE || state_of(state) == STARTING) &&
            !hkti_family_look(token))
            return true;
    }
    return false;
}

void hkti_family_leave(void)
{
    hkti_store_relaxed(&own_token, 0);
}

/* It is a process of its own, and no stake of its parent's strands is its. */
static void in_fork_child(void)
{
    hkti_store_relaxed(&own_token, 0);
    hkti_store_relaxed(&own_guard, 0);
    hkti_stakes_reset();
}

__attribute__((constructor(200))) static void begin(void)
{
    (void)hkti_os_at_fork(in_fork_child);
}
