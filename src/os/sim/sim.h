/* SPDX-License-Identifier: MIT */
/* The simulator inside: what its files share. README.md has the model; this is who does what:
 *
 *   simulate.c   the public calls: one schedule, many, the verdict
 *   schedule.c   points of choice; strands that wait, virtual time, deadlock
 *   strategy.c   random and PCT: who goes on, and what the weather is like
 *   search.c     exhaustive: the same choices one after another, by replay
 *   strand.c     strands: their stacks, beginning, end, join
 *   memory.c     atomic operations and store buffers
 *   system.c     futex, poll, clock, local memory; the table of the seam
 *   report.c     what went wrong, in words; the trace; seeds of programs that die
 *
 * Everything runs on one OS thread, and there is one simulation at a time in a process: hence one
 * global state, and no locks. Code of the simulator runs on the stack of the strand that called it;
 * `root` is the stack of hkt_simulate's caller. Nothing here may call what goes through the seam
 * (hkti_allocate among it) while a schedule runs. */
#ifndef HKTI_OS_SIM_SIM_H
#define HKTI_OS_SIM_SIM_H

#include <hocket/simulate.h>

#include "base/seam.h"
#include "os/os.h"
#include "os/switch.h"

enum {
    HKTI_SIM_STRANDS = 32768,  /* alive at the same time; each has two of the 65 530 mappings */
    HKTI_SIM_STORES = 16,      /* in a store buffer */
    HKTI_SIM_STACK = 256 << 10 /* bytes, unless a thread asks for more */
};

#define HKTI_SIM_NEVER INT64_MAX

/* Where a point of choice is: the operations of enum hkti_atomic_op, and these. */
enum hkti_sim_kind {
    HKTI_SIM_WAIT = HKTI_OP_INIT + 1,
    HKTI_SIM_WAKE,
    HKTI_SIM_NOW,
    HKTI_SIM_PAUSE,
    HKTI_SIM_POLL,
    HKTI_SIM_START,
    HKTI_SIM_JOIN,
    HKTI_SIM_USER,
};

enum hkti_sim_state {
    HKTI_SIM_FREE,     /* a slot without a strand */
    HKTI_SIM_RUNNABLE, /* in runnable[], the running one too */
    HKTI_SIM_IN_FUTEX, /* this and the next: in waiting[] */
    HKTI_SIM_IN_POLL,
    HKTI_SIM_IN_JOIN,
};

struct hkti_sim_store {
    void *address;
    uint64_t value;
    size_t size;
};

/* A strand lies at the upper end of its own stack. */
struct hkti_sim_strand {
    struct hkti_context context;
    char *stack;       /* the mapping */
    size_t stack_size; /* of the mapping */
    void (*function)(void *);
    void *arg;
    void (*at_exit)(void *local);
    uint32_t slot;
    uint32_t number; /* in this schedule, from 1 */
    enum hkti_sim_state state;
    uint32_t place;       /* in runnable[] or waiting[] */
    uint32_t dirty_place; /* in dirty[], while there are stores */
    int64_t priority;     /* PCT */

    int64_t deadline; /* this and the next: while it waits */
    uint64_t since;   /* the step that it began to wait at */
    uint32_t *word;   /* in futex: this one, or any of the others */
    uint32_t *const *other_words;
    size_t other_count;
    uint32_t joined; /* in join: the number of the strand */
    int fd, wake_fd; /* in poll */
    short events, revents;
    int result; /* of the wait */

    uint32_t first_store, store_count; /* a ring */
    struct hkti_sim_store stores[HKTI_SIM_STORES];
    unsigned char *other_local; /* of the coroutine that it runs, NULL: of its own */
    const char *other_stack;    /* up to other_local */
    _Alignas(64) unsigned char local[HKTI_OS_LOCAL_SIZE];
};

/* How choices are made. */
struct hkti_sim_strategy {
    const char *name;
    void (*begin)(void);                          /* a schedule begins; random is seeded */
    void (*started)(struct hkti_sim_strand *new); /* a strand begins; may be NULL */
    /* Who goes on: one of runnable[], of which there is at least one. `yields`: the current one
     * spins, so others should. The current one may itself be waiting. */
    struct hkti_sim_strand *(*next)(unsigned kind, bool yields);
    bool (*delay_store)(void);    /* does this store stay in its buffer for now? */
    bool (*spurious)(void);       /* does this sleeper wake for no reason? */
    size_t (*pick)(size_t count); /* which of several sleepers wakes; NULL: who came first */
};

struct hkti_sim {
    /* of the run */
    const struct hkti_sim_strategy *strategy;
    uint64_t max_steps;
    unsigned depth, preemptions;
    bool calm; /* deadlines do not race, nobody wakes for no reason */
    bool trace;

    /* of the schedule */
    uint64_t seed;
    uint64_t random;
    uint64_t steps;
    uint64_t hash;   /* of all that was chosen: the same for the same schedule */
    uint64_t streak; /* steps of the current strand since it began to run */
    uint64_t idle;   /* pauses since anything happened */
    int64_t now;
    int64_t earliest; /* the first deadline of waiting[] */
    struct hkti_sim_strand *current;
    struct hkti_context root;
    int (*function)(void *);
    void *arg;
    int result;  /* of the function */
    int verdict; /* 0, -EDEADLK, -ELOOP, -EINVAL */
    uint32_t last_number;
    char sentence[120]; /* that the function left when it failed */

    /* strands; the stacks of slots stay for the next schedule */
    uint32_t slots_made; /* with a stack */
    uint32_t slots_used; /* by this schedule */
    uint32_t free_count; /* of free_slots: those used and ended */
    uint32_t runnable_count, waiting_count, dirty_count, polling;
    uint32_t free_slots[HKTI_SIM_STRANDS];
    struct hkti_sim_strand *slots[HKTI_SIM_STRANDS];
    struct hkti_sim_strand *runnable[HKTI_SIM_STRANDS];
    struct hkti_sim_strand *waiting[HKTI_SIM_STRANDS];
    struct hkti_sim_strand *dirty[HKTI_SIM_STRANDS]; /* with stores in their buffers */
};

extern struct hkti_sim hkti_sim;
extern const struct hkti_seam hkti_sim_seam;
extern const struct hkti_sim_strategy hkti_sim_random_walk, hkti_sim_pct, hkti_sim_exhaustive;

/* splitmix64 (Steele, Lea, Flood 2014): small, and any seed is a good one. */
static inline uint64_t hkti_sim_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static inline uint64_t hkti_sim_random(void)
{
    hkti_sim.random += UINT64_C(0x9e3779b97f4a7c15);
    return hkti_sim_mix(hkti_sim.random);
}

/* schedule.c */

/* A point of choice of the current strand: returns when it is to go on. */
void hkti_sim_point(unsigned kind, bool yields);

/* The current strand waits, its fields of the wait set: returns `result` when it has been woken. */
int hkti_sim_block(enum hkti_sim_state state, int64_t deadline);

/* A waiting strand can go on, its wait's result being this. */
void hkti_sim_wake(struct hkti_sim_strand *strand, int result);

/* Sets the clock, and wakes those whose deadline has come. */
void hkti_sim_advance(int64_t now);

/* A new strand can go on; one has ended, which does not return. */
void hkti_sim_enter(struct hkti_sim_strand *strand);
_Noreturn void hkti_sim_leave(void);

/* The schedule ends here, with this verdict. */
_Noreturn void hkti_sim_stop(int verdict);

/* search.c */
int hkti_sim_search_begin(uint64_t max_steps); /* -ENOMEM */
bool hkti_sim_search_more(void);               /* is there another schedule? Moves to it */
void hkti_sim_search_end(void);
bool hkti_sim_search_whole(void); /* was nothing left out for want of room? */

/* strand.c */
int hkti_sim_strand_start(size_t stack_size, void (*function)(void *), void *arg,
                          struct hkti_sim_strand **strand); /* -EAGAIN */
void hkti_sim_strands_reset(void);                          /* forgets all strands */
void hkti_sim_strands_trim(void);                           /* gives all but a few stacks back */

/* memory.c */
uint64_t hkti_sim_access(enum hkti_atomic_op op, void *p, size_t size, uint64_t a, uint64_t b,
                         int order);
void hkti_sim_land(struct hkti_sim_strand *strand);     /* all its stores */
void hkti_sim_land_one(struct hkti_sim_strand *strand); /* the oldest; there is one */

/* system.c: would this strand's poll return now? Sets its result. */
bool hkti_sim_fd_ready(struct hkti_sim_strand *strand);

/* report.c */
void hkti_sim_report(int err);  /* the schedule failed: seed, strands; from root */
void hkti_sim_trace_open(void); /* reads HKT_SIM_TRACE */
void hkti_sim_trace_line(unsigned kind, const void *address, uint64_t a, uint64_t b,
                         uint64_t result);
void hkti_sim_watch(bool on); /* a program that dies meanwhile tells its seed */

#endif
