/* SPDX-License-Identifier: MIT */
/* Scopes: a stack of them for each strand, linked by `parent`, which only the strand itself walks.
 *
 * Who cancels a scope from outside needs the scope's strand for as long as it takes to nudge it. It
 * sets BUSY together with CANCELLED, and clears BUSY as its last touch; leaving waits for that. So
 * the scope, and with it the strand, is there as long as it is used; a scope that was LEFT is not
 * touched beyond its state.
 *
 * No cancel is lost: the canceller sets CANCELLED, then reads the strand's word; the strand arms
 * its word, then reads the states of its scopes; all sequentially consistent. One of the two sees
 * the other: either the strand finds the scope ended, or the canceller finds it armed and nudges
 * it, upon which it looks again. Source of the model: trio's cancel scopes. */
#include "park/scope.h"

#include <errno.h>

#include "base/report.h"
#include "base/seconds.h"
#include "park/wait.h"

_Static_assert(sizeof(struct hkti_scope) == sizeof(hkt_scope), "hkt_scope is a hkti_scope");

int64_t hkti_scope_deadline(struct hkti_strand *self)
{
    int64_t first = 0;
    for (struct hkti_scope *scope = self->scope; scope; scope = scope->parent) {
        first = hkti_earlier(first, hkti_load_relaxed(&scope->deadline));
        if (scope->shield)
            break;
    }
    return first;
}

static void time_out(struct hkti_scope *scope)
{
    uint32_t state = hkti_load_relaxed(&scope->state);
    while (!(state & HKTI_SCOPE_ENDED) &&
           !hkti_cas_relaxed(&scope->state, state, state | HKTI_SCOPE_TIMED_OUT))
        state = hkti_load_relaxed(&scope->state);
}

bool hkti_scope_expire(struct hkti_strand *self, int64_t now)
{
    bool any = false;
    for (struct hkti_scope *scope = self->scope; scope; scope = scope->parent) {
        int64_t deadline = hkti_load_relaxed(&scope->deadline);
        if (deadline != 0 && deadline <= now) {
            any = true;
            time_out(scope);
        }
        if (scope->shield)
            break;
    }
    return any;
}

void hkt_scope_enter(hkt_scope *public, const hkt_scope_options *options)
{
    struct hkti_scope *scope = (struct hkti_scope *)public;
    struct hkti_strand *self = hkti_self();
    *scope = (struct hkti_scope){ .parent = self->scope, .strand = self };
    if (options) {
        hkti_init(&scope->deadline, options->deadline.ns);
        scope->shield = options->shield;
    }
    self->scope = scope;
}

/* Waits while somebody is at the scope's strand, then sets `bits`; the state before. */
static uint32_t claim(struct hkti_scope *scope, uint32_t unless, uint32_t bits)
{
    for (unsigned turns = 0;; turns++) {
        uint32_t state = hkti_load_relaxed(&scope->state);
        if (state & unless)
            return state;
        if (state & HKTI_SCOPE_BUSY)
            hkti_os_yield(turns);
        else if (hkti_cas_seq_cst(&scope->state, state, state | bits)) /* pairs: nudge, scope */
            return state;
    }
}

int hkt_scope_leave(hkt_scope *public)
{
    struct hkti_scope *scope = (struct hkti_scope *)public;
    struct hkti_strand *self = hkti_self();
    if (self->scope != scope)
        hkti_misuse("hkt_scope_leave: scope %p is not the innermost of this thread", (void *)scope);
    uint32_t state = claim(scope, 0, HKTI_SCOPE_LEFT);
    self->scope = scope->parent;
    if (state & HKTI_SCOPE_TIMED_OUT)
        return -ETIMEDOUT;
    return state & HKTI_SCOPE_CANCELLED ? -ECANCELED : 0;
}

int hkt_scope_leave_with(hkt_scope *scope, int result)
{
    int end = hkt_scope_leave(scope);
    return result == -ECANCELED && end == -ETIMEDOUT ? end : result;
}

/* Nudges the strand of a scope that `claim` made busy. */
static void release_nudged(struct hkti_scope *scope)
{
    hkti_nudge(scope->strand);
    hkti_fetch_and_release(&scope->state, ~(uint32_t)HKTI_SCOPE_BUSY); /* pairs: scope */
}

void hkt_scope_cancel(hkt_scope *public)
{
    struct hkti_scope *scope = (struct hkti_scope *)public;
    uint32_t unless = HKTI_SCOPE_LEFT | HKTI_SCOPE_ENDED;
    if (!(claim(scope, unless, HKTI_SCOPE_CANCELLED | HKTI_SCOPE_BUSY) & unless))
        release_nudged(scope);
}

void hkt_scope_reschedule(hkt_scope *public, hkt_deadline deadline)
{
    struct hkti_scope *scope = (struct hkti_scope *)public;
    uint32_t unless = HKTI_SCOPE_LEFT | HKTI_SCOPE_ENDED;
    if (claim(scope, unless, HKTI_SCOPE_BUSY) & unless)
        return;
    hkti_store_seq_cst(&scope->deadline, deadline.ns); /* pairs: nudge */
    release_nudged(scope);
}

bool hkt_scope_cancelled(const hkt_scope *public)
{
    const struct hkti_scope *scope = (const struct hkti_scope *)public;
    return hkti_load_acquire(&scope->state) & HKTI_SCOPE_ENDED; /* pairs: scope */
}

int hkt_checkpoint(void)
{
    struct hkti_strand *self = hkti_self();
    if (self->scope == NULL)
        return 0;
    if (hkti_scope_ended(self))
        return -ECANCELED;
    if (hkti_scope_deadline(self) == 0)
        return 0;
    return hkti_scope_expire(self, hkti_os_now()) ? -ECANCELED : 0;
}
