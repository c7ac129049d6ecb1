/* SPDX-License-Identifier: MIT */
/* Coroutines: strands with a stack of their own; and carriers: threads that run them in turn.
 *
 * A coroutine is at any moment running (its carrier's `current`); parked, in a wait; ready: its wait
 * may go on; or spare: it has ended, and its stack waits for the next function. It stays with its
 * carrier for good. There is no scheduler's stack: who parks or ends picks who goes on and switches
 * to it. What to do if nobody is ready is the business of the carrier's engine (a pool, a loop): its
 * `park` runs on the stack of who parks.
 *
 * To make one ready: whoever changes the word of a strand from ASLEEP_SWITCHED to something else,
 * which one alone does, owes it one hkti_carrier_ready; until then it does not run, so it is there.
 * The carrier's own thread does so too when an alarm has passed.
 *
 * Who may touch what:
 *   remote          anybody, atomically: a stack of coroutines made ready
 *   visitors        anybody, atomically: how many are between making one ready and their last touch
 *                   of the carrier, which ends only when there are none
 *   base            the thread's own strand: it sleeps for all of them, and is nudged by those who
 *                   make one ready
 *   the rest        the carrier's thread alone */
#ifndef HKTI_STRAND_CARRIER_H
#define HKTI_STRAND_CARRIER_H

#include "base/timers.h"
#include "os/switch.h"
#include "park/strand.h"
#include "park/wait.h"
#include "strand/stack.h"

struct hkti_carrier;
struct hkt_executor;

/* What a coroutine runs: returns who goes on after it; NULL: the base. */
typedef struct hkti_coroutine *hkti_coroutine_function(void *value);

/* What may be in a ready list: a coroutine that may go on; or something that the engine is to begin. */
struct hkti_ready {
    struct hkti_ready *next;
    uint8_t begins; /* 0: a coroutine; else the engine's kind */
    /* Of coroutines. */
    bool timed;
    bool exclusive; /* while it waits, nobody else runs on its thread */
    bool helps;     /* but for those */
    bool begun;     /* its stack has a frame to go on with */
};

/* What to make ready at a point in time. */
struct hkti_alarm {
    struct hkti_timer timer;
    struct hkti_ready *ready;
};

/* Lies at the upper end of its stack. What a switch touches is one line, right above the first frame. */
struct hkti_coroutine {
    struct hkti_context context __attribute__((aligned(64)));
    struct hkti_stack stack;
    struct hkti_carrier *carrier;
    struct hkti_ready ready;           /* in `remote`, the ready list, or the spares */
    hkti_coroutine_function *function; /* what a spare one runs next */
    struct hkti_strand strand;         /* its local memory */
    void *value;
    struct hkti_coroutine *next_made; /* all of the carrier's, for debuggers too */
    struct hkti_alarm alarm;          /* in the carrier's alarms, if timed */
    uint64_t engine[8];               /* the engine's own, zero at first */
    void *asan_stack;                 /* of the sanitizers */
    void *tsan_fiber;
    unsigned valgrind_id;
};
_Static_assert(offsetof(struct hkti_coroutine, strand) == 64, "one line");

/* A coroutine that waits for an fd; lies on its stack. */
struct hkti_fd_watch {
    struct hkti_node node; /* the engine's */
    struct hkti_coroutine *coroutine;
    struct hkti_fd_interest *interest;
};

/* What it will touch first when it goes on: of its record, and of the frames of a wait. */
static inline void hkti_coroutine_prefetch(const struct hkti_coroutine *coroutine)
{
    const char *record = (const char *)&coroutine->strand;
    const char *frames = coroutine->context.stack_pointer;
    for (int i = 0; i < 3; i++)
        __builtin_prefetch(record + i * 64, 1);
    for (int i = 0; i < 10; i++)
        __builtin_prefetch(frames + i * 64, 1);
}

struct hkti_carrier {
    struct hkti_ready *remote __attribute__((aligned(64)));
    uint32_t visitors;
    struct hkti_strand
        *doorbell; /* who is nudged when there are news: the base, as a rule; atomic */
    struct hkti_strand *base __attribute__((aligned(64)));
    struct hkti_coroutine *current; /* NULL: the base */
    struct hkti_ready *ready, **ready_end;
    struct hkti_ready *spare;
    struct hkti_coroutine *made;
    struct hkti_coroutine *exclusive; /* the exclusive one that waits */
    struct hkti_timers alarms;
    size_t started; /* coroutines that are not spare */
    size_t stack_size;
    struct hkt_executor *executor; /* the engine's: of coroutines that run no job; NULL */
    struct hkti_stack at_hand;     /* for the first coroutine, if `low` is not NULL */
    /* The engine's: the current one, `self`, waits (for_jobs: for jobs). Others run meanwhile, or
     * the thread sleeps; returns when hkti_carrier_next has said `self`. */
    void (*park)(struct hkti_carrier *carrier, struct hkti_coroutine *self, bool for_jobs);
    /* The engine's, or NULL, and then an fd is waited for by the thread: from now on, until unwatch,
     * an event of the fd writes interest->revents and makes the coroutine ready (by
     * hkti_carrier_awaken): 0. 1: it has happened already; a negative errno ends the wait. */
    int (*watch)(struct hkti_carrier *carrier, struct hkti_fd_watch *watch);
    void (*unwatch)(struct hkti_carrier *carrier, struct hkti_fd_watch *watch);
    struct hkti_context base_context;
    const void *base_low; /* its stack, for the sanitizers */
    size_t base_size;
    void *base_asan_stack, *base_tsan_fiber;
};

/* The calling thread becomes a carrier; and is one no more: all coroutines are spare, and given
 * back. */
void hkti_carrier_begin(struct hkti_carrier *carrier, size_t stack_size);
void hkti_carrier_end(struct hkti_carrier *carrier);

/* Sees to it that there is a spare one: false without memory. */
bool hkti_coroutine_reserve(struct hkti_carrier *carrier);

/* A spare coroutine, or a new one; NULL: no memory. It runs nothing yet. */
struct hkti_coroutine *hkti_coroutine_take(struct hkti_carrier *carrier);
/* One that was taken runs function(value) from now on; who calls goes on when somebody switches to
 * it. When the function returns, the coroutine is spare, and rests in its first frame. */
void hkti_coroutine_run(struct hkti_coroutine *coroutine, hkti_coroutine_function *function,
                        void *value);
/* To switch to one that is parked and ready, or to the base (NULL). */
void hkti_carrier_switch(struct hkti_carrier *carrier, struct hkti_coroutine *to);
/* The next one that is ready and may run, taken out; NULL: none. Looks at the alarms too. */
struct hkti_coroutine *hkti_carrier_next(struct hkti_carrier *carrier);

/* The same in parts, for engines that begin things. On its own thread: to append; to take in what
 * others made ready; what alarms have passed, some `most` of
 * them; the first one out. From any thread: to hand in. */
static inline void hkti_carrier_append(struct hkti_carrier *carrier, struct hkti_ready *ready)
{
    ready->next = NULL;
    *carrier->ready_end = ready;
    carrier->ready_end = &ready->next;
}
/* The same for who may be outside: between its turns, if others drive the carrier, they are told. */
static inline void hkti_carrier_add(struct hkti_carrier *carrier, struct hkti_ready *ready)
{
    struct hkti_strand *doorbell = hkti_load_relaxed(&carrier->doorbell);
    hkti_carrier_append(carrier, ready);
    if (doorbell != carrier->base)
        hkti_nudge(doorbell);
}
static inline struct hkti_ready *hkti_carrier_pop(struct hkti_carrier *carrier)
{
    struct hkti_ready *first = carrier->ready;
    if (first) {
        carrier->ready = first->next;
        if (carrier->ready == NULL)
            carrier->ready_end = &carrier->ready;
    }
    return first;
}
void hkti_carrier_collect(struct hkti_carrier *carrier);
void hkti_carrier_ring(struct hkti_carrier *carrier, int64_t now, size_t most);
void hkti_carrier_hand_in(struct hkti_carrier *carrier, struct hkti_ready *ready);
/* To set an alarm, which is not set; to take back one that is. */
static inline void hkti_carrier_set_alarm(struct hkti_carrier *carrier, struct hkti_alarm *alarm,
                                          int64_t deadline)
{
    hkti_timers_add(&carrier->alarms, &alarm->timer, deadline);
}
static inline void hkti_carrier_clear_alarm(struct hkti_carrier *carrier, struct hkti_alarm *alarm)
{
    hkti_timers_remove(&carrier->alarms, &alarm->timer);
}
/* Makes a coroutine that sleeps look again, unless a waker has it and will do so. */
void hkti_carrier_awaken(struct hkti_carrier *carrier, struct hkti_coroutine *coroutine);
static inline struct hkti_coroutine *hkti_ready_coroutine(struct hkti_ready *ready)
{
    return HKTI_CONTAINER(ready, struct hkti_coroutine, ready);
}

/* Is there one, perhaps? For who is about to sleep, after the base's word is armed. */
static inline bool hkti_carrier_has_news(const struct hkti_carrier *carrier)
{
    return hkti_load_seq_cst(&carrier->remote) != NULL; /* pairs: ready */
}
/* When the first alarm is; 0: there is none. */
static inline int64_t hkti_carrier_alarm(struct hkti_carrier *carrier)
{
    return hkti_timers_first(&carrier->alarms);
}

/* The calling coroutine goes behind those that are ready. False in a thread's own strand. */
static inline bool hkti_carrier_yield(void)
{
    struct hkti_coroutine *self = hkti_self()->coroutine;
    if (self == NULL)
        return false;
    hkti_carrier_append(self->carrier, &self->ready);
    self->carrier->park(self->carrier, self, false);
    return true;
}

/* The calling coroutine's carrier; NULL in a thread's own strand. */
static inline struct hkti_carrier *hkti_carrier_self(void)
{
    struct hkti_coroutine *self = hkti_self()->coroutine;
    return self ? self->carrier : NULL;
}

#endif
