/* SPDX-License-Identifier: MIT */
/* Scopes as the waiting code sees them. */
#ifndef HKTI_PARK_SCOPE_H
#define HKTI_PARK_SCOPE_H

#include <errno.h>

#include "park/strand.h"

/* Bits of a scope's state. */
enum {
    HKTI_SCOPE_CANCELLED = 1, /* ended by hkt_scope_cancel */
    HKTI_SCOPE_TIMED_OUT = 2, /* ended by its deadline */
    HKTI_SCOPE_BUSY = 4,      /* somebody else is at its strand: it must not be left */
    HKTI_SCOPE_LEFT = 8,      /* left: it has no strand any more */
};
#define HKTI_SCOPE_ENDED (HKTI_SCOPE_CANCELLED | HKTI_SCOPE_TIMED_OUT)

/* What hkt_scope is. */
struct __attribute__((may_alias)) hkti_scope {
    struct hkti_scope *parent;  /* set at entry */
    struct hkti_strand *strand; /* set at entry */
    int64_t deadline;           /* by anybody, atomic */
    uint32_t state;             /* by anybody, atomic */
    uint32_t shield;            /* set at entry */
    uint64_t reserved[4];
};

/* Has a scope ended that reaches the strand? */
static inline bool hkti_scope_ended(struct hkti_strand *self)
{
    for (struct hkti_scope *scope = self->scope; scope; scope = scope->parent) {
        if (hkti_load_seq_cst(&scope->state) & HKTI_SCOPE_ENDED) /* pairs: nudge */
            return true;
        if (scope->shield)
            break;
    }
    return false;
}

/* The first deadline of the scopes that reach the strand; 0: none. */
int64_t hkti_scope_deadline(struct hkti_strand *self);

/* Ends those whose deadline has passed; false if it has for none (it was changed meanwhile). */
bool hkti_scope_expire(struct hkti_strand *self, int64_t now);

/* For calls that need not wait, first thing: -ECANCELED if the caller's scope has ended, unless the
 * deadline is one that asks for no waiting. Reads no clock. */
static inline int hkti_cancelled(int64_t deadline)
{
    struct hkti_strand *self = hkti_os_local();
    if (__builtin_expect(self->scope == NULL, 1) || deadline == 1)
        return 0;
    return hkti_scope_ended(self) ? -ECANCELED : 0;
}

#endif
