/* SPDX-License-Identifier: MIT */
/* Coroutines and their carriers: carrier.h has the states and who may touch what.
 *
 * A coroutine's record lies at the upper end of its stack, so one page serves both until it calls
 * deeper. A spare one rests in its first frame, in a switch as the parked ones are; so it is gone on with
 * as they are, and the processor, which keeps a record of calls, predicts the returns that follow.
 *
 * Sleeping by switching (the third of park's sleepers): the word goes from ARMED to ASLEEP_SWITCHED,
 * then the engine parks the coroutine. Whoever brings the word from there to another state (a waker,
 * a nudge, or the carrier's thread when the alarm has passed) is the only one, and makes it ready.
 *
 * Nobody sleeps through the news: who makes one ready pushes it, then looks at the base's word (in
 * hkti_nudge); the thread arms the base's word, then looks at what was pushed; sequentially
 * consistent, so one of the two sees the other. */
#include "strand/carrier.h"

#include "base/report.h"
#include "os/switch_here.h"
#include "park/sleeper.h"
#include "park/wait.h"
#include "strand/sanitizers.h"

/* Room that a coroutine's record takes at the upper end of its stack. */
#define RECORD ((sizeof(struct hkti_coroutine) + 63) & ~(size_t)63)

void hkti_carrier_hand_in(struct hkti_carrier *carrier, struct hkti_ready *ready)
{
    hkti_fetch_add_relaxed(&carrier->visitors, 1);
    struct hkti_ready *head;
    do {
        head = hkti_load_relaxed(&carrier->remote);
        hkti_init(&ready->next, head);
    } while (!hkti_cas_seq_cst(&carrier->remote, head, ready)); /* pairs: ready */
    hkti_nudge(hkti_load_seq_cst(&carrier->doorbell));          /* pairs: ready */
    hkti_fetch_add_acq_rel(&carrier->visitors, (uint32_t)-1);   /* pairs: visitors */
}

/* From any thread: the word has been changed. */
static void rouse(struct hkti_strand *strand)
{
    struct hkti_coroutine *coroutine = strand->coroutine;
    struct hkti_carrier *carrier = coroutine->carrier;
    if (carrier->base == ((struct hkti_strand *)hkti_os_local())->home)
        hkti_carrier_add(carrier, &coroutine->ready);
    else
        hkti_carrier_hand_in(carrier, &coroutine->ready);
}

static int sleep_switched(struct hkti_strand *self, struct hkti_wait *wait, int64_t deadline)
{
    struct hkti_coroutine *coroutine = self->coroutine;
    struct hkti_carrier *carrier = coroutine->carrier;
    struct hkti_fd_watch watch = { .coroutine = coroutine, .interest = wait->fd };
    if (wait->fd) {
        int err = carrier->watch(carrier, &watch);
        if (err != 0)
            return err;
    }
    /* pairs: wake, nudge */
    if (hkti_cas_acq_rel(&self->word, HKTI_ARMED, HKTI_ASLEEP_SWITCHED)) {
        coroutine->ready.timed = deadline != 0;
        if (deadline)
            hkti_carrier_set_alarm(carrier, &coroutine->alarm, deadline);
        struct hkti_coroutine *around = carrier->exclusive;
        if (coroutine->ready.exclusive)
            carrier->exclusive = coroutine;
        carrier->park(carrier, coroutine, wait->for_jobs);
        carrier->exclusive = around;
        if (coroutine->ready.timed)
            hkti_carrier_clear_alarm(carrier, &coroutine->alarm);
        coroutine->ready.timed = false;
    }
    if (wait->fd)
        carrier->unwatch(carrier, &watch);
    return wait->fd && wait->fd->revents;
}

static const struct hkti_sleeper switched = { .sleep = sleep_switched, .rouse = rouse };
static const struct hkti_sleeper switched_with_fds = { .sleep = sleep_switched,
                                                       .rouse = rouse,
                                                       .takes_fds = true };

void hkti_carrier_begin(struct hkti_carrier *carrier, size_t stack_size)
{
    hkti_store_relaxed(&hkti_sleeper_switched, &switched);
    carrier->base = hkti_self();
    hkti_init(&carrier->doorbell, carrier->base);
    carrier->ready_end = &carrier->ready;
    carrier->stack_size = stack_size;
    hkti_sanitizers_base(carrier);
}

void hkti_carrier_end(struct hkti_carrier *carrier)
{
    for (unsigned turns = 0; hkti_load_acquire(&carrier->visitors); turns++) /* pairs: visitors */
        hkti_os_yield(turns);
    while (carrier->made) {
        struct hkti_coroutine *coroutine = carrier->made;
        carrier->made = coroutine->next_made;
        if (coroutine->strand.wake_fd)
            hkti_os_close(coroutine->strand.wake_fd - 1);
        hkti_sanitizers_end(coroutine);
        struct hkti_stack stack = coroutine->stack;
        hkti_stack_give(&stack);
    }
    carrier->spare = NULL;
}

/* Were all records at the same place in their pages, they would share a few sets of the caches: so
 * they begin at one of COLOURS lines, by the number of the page. tools/hocket-gdb.py finds them so. */
#define COLOURS 8
static size_t colour(const char *high)
{
    uint64_t pages = (uint64_t)(uintptr_t)high >> 12;
    return (size_t)((pages * UINT64_C(0x9E3779B97F4A7C15)) >> 61) * 64;
}
_Static_assert(COLOURS == 8, "three bits");

static struct hkti_coroutine *make(struct hkti_carrier *carrier)
{
    struct hkti_stack stack = carrier->at_hand;
    carrier->at_hand.low = NULL;
    if (stack.low == NULL && hkti_stack_take(&stack, carrier->stack_size) < 0)
        return NULL;
    char *high = stack.low + stack.size;
    high -= colour(high);
    struct hkti_coroutine *made = (struct hkti_coroutine *)(void *)(high - RECORD);
    *made = (struct hkti_coroutine){ .carrier = carrier, .stack = stack };
    made->strand.coroutine = made;
    made->strand.sleeper = carrier->watch ? &switched_with_fds : &switched;
    made->alarm.ready = &made->ready;
    made->strand.home = carrier->base;
    made->strand.thread = carrier->base->thread;
    made->strand.native_id = carrier->base->native_id;
    made->strand.registered = 1;
    made->next_made = carrier->made;
    carrier->made = made;
    hkti_sanitizers_begin(made);
    return made;
}

bool hkti_coroutine_reserve(struct hkti_carrier *carrier)
{
    if (carrier->spare)
        return true;
    struct hkti_coroutine *made = make(carrier);
    if (made == NULL)
        return false;
    made->ready.next = NULL;
    carrier->spare = &made->ready;
    return true;
}

/* It will run soon: its record, and the first frames below it. */
static inline void prefetch_spare(const struct hkti_coroutine *spare)
{
    const char *record = (const char *)spare;
    for (int i = -12; i < 4; i++)
        __builtin_prefetch(record + i * 64, 1);
    __builtin_prefetch(&spare->alarm, 1);
}

struct hkti_coroutine *hkti_coroutine_take(struct hkti_carrier *carrier)
{
    if (!hkti_coroutine_reserve(carrier))
        return NULL;
    struct hkti_coroutine *taken = hkti_ready_coroutine(carrier->spare);
    carrier->spare = taken->ready.next;
    carrier->started++;
    if (carrier->spare)
        prefetch_spare(hkti_ready_coroutine(carrier->spare));
    return taken;
}

/* The thread goes on as `to`. */
static void set_current(struct hkti_carrier *carrier, struct hkti_coroutine *to)
{
    carrier->current = to;
    if (to)
        hkti_os_set_local(&to->strand, to->stack.low);
    else
        hkti_os_set_local(carrier->base, NULL);
}

/* Not inlined, so that hkti_switch_here may be in it. */
__attribute__((noinline)) void hkti_carrier_switch(struct hkti_carrier *carrier,
                                                   struct hkti_coroutine *to)
{
    struct hkti_coroutine *from = carrier->current;
    set_current(carrier, to);
    hkti_sanitizers_leaving(carrier, from, to);
    hkti_switch_here(from ? &from->context : &carrier->base_context,
                     to ? &to->context : &carrier->base_context, to);
    hkti_sanitizers_arrived(carrier, from);
}

/* The first frame. */
static void begin(void *value)
{
    struct hkti_coroutine *self = value;
    struct hkti_carrier *carrier = self->carrier;
    hkti_sanitizers_arrived(carrier, self);
    for (;;) {
        struct hkti_coroutine *to = self->function(self->value);
        self->ready.next = carrier->spare;
        carrier->spare = &self->ready;
        carrier->started--;
        hkti_carrier_switch(carrier, to);
    }
}

void hkti_coroutine_run(struct hkti_coroutine *coroutine, hkti_coroutine_function *function,
                        void *value)
{
    coroutine->function = function;
    coroutine->value = value;
    if (!coroutine->ready.begun) {
        coroutine->ready.begun = true;
        hkti_sanitizers_fresh(coroutine);
        hkti_context_make(&coroutine->context, coroutine->stack.low,
                          (size_t)((char *)coroutine - coroutine->stack.low), begin);
    }
    hkti_carrier_switch(coroutine->carrier, coroutine);
}

void hkti_carrier_collect(struct hkti_carrier *carrier)
{
    if (hkti_load_relaxed(&carrier->remote) == NULL)
        return;
    struct hkti_ready *list = NULL;
    struct hkti_ready *head = hkti_exchange_acquire(&carrier->remote,
                                                    (struct hkti_ready *)0); /* pairs: ready */
    while (head) { /* in the order in which they came */
        struct hkti_ready *next = hkti_load_relaxed(&head->next);
        head->next = list;
        list = head;
        head = next;
    }
    while (list) {
        struct hkti_ready *next = list->next;
        hkti_carrier_append(carrier, list);
        list = next;
    }
}

void hkti_carrier_awaken(struct hkti_carrier *carrier, struct hkti_coroutine *coroutine)
{
    /* pairs: wake, nudge */
    if (hkti_cas_acq_rel(&coroutine->strand.word, HKTI_ASLEEP_SWITCHED, HKTI_ARMED))
        hkti_carrier_append(carrier, &coroutine->ready);
}

/* Several at a time: what they touch comes into the cache meanwhile. */
#define AT_ONCE 8
void hkti_carrier_ring(struct hkti_carrier *carrier, int64_t now, size_t most)
{
    struct hkti_ready *rung[AT_ONCE];
    int count;
    do {
        struct hkti_timer *timer;
        for (count = 0; count < AT_ONCE; count++) {
            timer = hkti_timers_pop(&carrier->alarms, now);
            if (timer == NULL)
                break;
            rung[count] = HKTI_CONTAINER(timer, struct hkti_alarm, timer)->ready;
            __builtin_prefetch(rung[count], 1);
            __builtin_prefetch((char *)rung[count] + 64, 1);
        }
        for (int i = 0; i < count; i++) {
            rung[i]->timed = false;
            if (rung[i]->begins)
                hkti_carrier_append(carrier, rung[i]);
            else
                hkti_carrier_awaken(carrier, hkti_ready_coroutine(rung[i]));
        }
        most -= most < AT_ONCE ? most : AT_ONCE;
    } while (count == AT_ONCE && most > 0);
}

struct hkti_coroutine *hkti_carrier_next(struct hkti_carrier *carrier)
{
    hkti_carrier_collect(carrier);
    if (!hkti_timers_empty(&carrier->alarms))
        hkti_carrier_ring(carrier, hkti_os_now(), SIZE_MAX);
    struct hkti_ready **place = &carrier->ready;
    if (carrier->exclusive)
        while (*place && *place != &carrier->exclusive->ready && !(*place)->helps)
            place = &(*place)->next;
    struct hkti_ready *next = *place;
    if (next == NULL)
        return NULL;
    *place = next->next;
    if (next->next == NULL)
        carrier->ready_end = place;
    return hkti_ready_coroutine(next);
}
