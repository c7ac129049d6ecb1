/* SPDX-License-Identifier: MIT */
/* The scheduler: points of choice, waiting, virtual time.
 *
 * One strand runs; it comes here before each operation that others could see, the strategy says who
 * goes on, and if that is another strand this one is left on its stack until it is chosen. There is
 * no scheduler's stack: whoever runs does the scheduling.
 *
 * States of a strand: RUNNABLE (in runnable[]), waiting (in waiting[], for futex, fd or strand,
 * with or without deadline), gone. Invariants: the current strand is RUNNABLE whenever code of the
 * program runs; `earliest` is the first deadline of waiting[], or NEVER.
 *
 * Time moves in four ways: a little at each step (strategy.c); with each pause, the more the longer
 * nothing but pauses happened, so that those who spin until some time get there; to the first
 * deadline when nobody can go on; and sometimes to it although others could (strategy.c), since a
 * real thread may be slow at any point. */
#include <errno.h>
#include <string.h>

#include "os/sim/sim.h"

/* Steps that one strand may take in a row while others could go on: then it counts as spinning. */
#define STREAK_MAX 500

struct hkti_sim hkti_sim;

/* A pause is 40 ns, and twice as long after each 128 of them in which nothing else happened. */
static void pass_time_by_pause(void)
{
    uint64_t doublings = hkti_sim.idle++ / 128;
    hkti_sim_advance(hkti_sim.now + (INT64_C(40) << (doublings < 20 ? doublings : 20)));
}

static void remove_from(struct hkti_sim_strand **array, uint32_t *count,
                        struct hkti_sim_strand *strand)
{
    struct hkti_sim_strand *last = array[--*count];
    array[strand->place] = last;
    last->place = strand->place;
}

static void add_to(struct hkti_sim_strand **array, uint32_t *count, struct hkti_sim_strand *strand)
{
    strand->place = *count;
    array[(*count)++] = strand;
}

static void switch_to(struct hkti_sim_strand *next)
{
    struct hkti_sim_strand *self = hkti_sim.current;
    hkti_sim.streak = 0;
    if (next == self)
        return;
    int saved = errno; /* as every thread has its own */
    hkti_sim.current = next;
    hkti_switch(&self->context, &next->context, next);
    errno = saved;
}

static void remember(unsigned kind, const struct hkti_sim_strand *next)
{
    hkti_sim.hash = (hkti_sim.hash ^ (kind << 16 | next->number)) * UINT64_C(0x100000001b3);
}

static void look_at_fds(void)
{
    for (uint32_t i = hkti_sim.waiting_count; i-- > 0;) {
        struct hkti_sim_strand *strand = hkti_sim.waiting[i];
        if (strand->state == HKTI_SIM_IN_POLL && hkti_sim_fd_ready(strand))
            hkti_sim_wake(strand, strand->result);
    }
}

void hkti_sim_point(unsigned kind, bool yields)
{
    if (++hkti_sim.steps > hkti_sim.max_steps)
        hkti_sim_stop(-ELOOP);
    if (hkti_sim.polling)
        look_at_fds();
    if (++hkti_sim.streak > STREAK_MAX)
        yields = true;
    if (yields)
        pass_time_by_pause();
    struct hkti_sim_strand *next = hkti_sim.strategy->next(kind, yields);
    remember(kind, next);
    if (next != hkti_sim.current || yields)
        switch_to(next);
}

/* The current strand cannot go on: somebody else does, or time. */
static void give_up_turn(void)
{
    while (hkti_sim.runnable_count == 0) {
        if (hkti_sim.polling)
            look_at_fds();
        if (hkti_sim.runnable_count)
            break;
        if (hkti_sim.earliest == HKTI_SIM_NEVER)
            hkti_sim_stop(-EDEADLK);
        hkti_sim_advance(hkti_sim.earliest);
    }
    struct hkti_sim_strand *next = hkti_sim.strategy->next(HKTI_SIM_WAIT, false);
    remember(HKTI_SIM_WAIT, next);
    switch_to(next);
}

int hkti_sim_block(enum hkti_sim_state state, int64_t deadline)
{
    struct hkti_sim_strand *self = hkti_sim.current;
    hkti_sim.idle = 0;
    remove_from(hkti_sim.runnable, &hkti_sim.runnable_count, self);
    add_to(hkti_sim.waiting, &hkti_sim.waiting_count, self);
    self->state = state;
    self->since = hkti_sim.steps;
    self->deadline = deadline ? deadline : HKTI_SIM_NEVER;
    if (self->deadline < hkti_sim.earliest)
        hkti_sim.earliest = self->deadline;
    if (state == HKTI_SIM_IN_POLL)
        hkti_sim.polling++;
    give_up_turn();
    return self->result;
}

static void find_earliest(void)
{
    hkti_sim.earliest = HKTI_SIM_NEVER;
    for (uint32_t i = 0; i < hkti_sim.waiting_count; i++)
        if (hkti_sim.waiting[i]->deadline < hkti_sim.earliest)
            hkti_sim.earliest = hkti_sim.waiting[i]->deadline;
}

void hkti_sim_wake(struct hkti_sim_strand *strand, int result)
{
    hkti_sim.idle = 0;
    if (strand->state == HKTI_SIM_IN_POLL)
        hkti_sim.polling--;
    remove_from(hkti_sim.waiting, &hkti_sim.waiting_count, strand);
    add_to(hkti_sim.runnable, &hkti_sim.runnable_count, strand);
    strand->state = HKTI_SIM_RUNNABLE;
    strand->result = result;
    if (strand->deadline == hkti_sim.earliest && strand->deadline != HKTI_SIM_NEVER)
        find_earliest();
}

void hkti_sim_advance(int64_t now)
{
    if (now > hkti_sim.now)
        hkti_sim.now = now;
    while (hkti_sim.earliest <= hkti_sim.now) {
        uint32_t i = 0;
        while (hkti_sim.waiting[i]->deadline > hkti_sim.earliest)
            i++;
        hkti_sim_wake(hkti_sim.waiting[i], -ETIMEDOUT);
    }
}

void hkti_sim_enter(struct hkti_sim_strand *strand)
{
    hkti_sim.idle = 0;
    strand->state = HKTI_SIM_RUNNABLE;
    add_to(hkti_sim.runnable, &hkti_sim.runnable_count, strand);
    if (hkti_sim.strategy->started)
        hkti_sim.strategy->started(strand);
}

_Noreturn void hkti_sim_leave(void)
{
    struct hkti_sim_strand *self = hkti_sim.current;
    hkti_sim.idle = 0;
    remove_from(hkti_sim.runnable, &hkti_sim.runnable_count, self);
    self->state = HKTI_SIM_FREE;
    hkti_sim.free_slots[hkti_sim.free_count++] = self->slot;
    for (uint32_t i = hkti_sim.waiting_count; i-- > 0;) {
        struct hkti_sim_strand *other = hkti_sim.waiting[i];
        if (other->state == HKTI_SIM_IN_JOIN && other->joined == self->number)
            hkti_sim_wake(other, 0);
    }
    if (hkti_sim.runnable_count + hkti_sim.waiting_count == 0)
        hkti_sim_stop(0);
    give_up_turn();
    __builtin_unreachable(); /* nobody chooses a strand that is in no array */
}

_Noreturn void hkti_sim_stop(int verdict)
{
    hkti_sim.verdict = verdict;
    hkti_switch(&hkti_sim.current->context, &hkti_sim.root, NULL);
    __builtin_unreachable();
}
