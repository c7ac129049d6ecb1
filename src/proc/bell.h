/* SPDX-License-Identifier: MIT */
/* The bell: what everything in shared memory is waited for with. An event count: who finds that it
 * must wait listens, looks once more, and sleeps until the bell is rung; who has changed something
 * rings, at no cost when nobody listens.
 *
 *     struct hkti_listener listener;
 *     int err = 0;
 *     hkti_bell_listen(&x->bell, HKTI_STAKE_WAIT, &listener);
 *     while (!try(x) && err == 0)                       `try` is sequentially consistent
 *         err = hkti_bell_wait(&listener, "shared x", x, deadline, true);
 *     hkti_bell_leave(&listener, err == 0);
 *
 * listen counts the caller (sequentially consistent) before it looks; who rings has changed the thing
 * (sequentially consistent) before it looks at the count: so one sees the other. (pairs: bell) To ring
 * changes `rings`, which the sleeper's futex compares, so no ring falls between look and sleep.
 * Who leaves without what it came for rings for another one, if the bell was rung since it looked
 * last: for earlier rings it has looked, and nothing was there. Who dies is uncounted, and its ring
 * passed on, by family.c. A waiter takes its chance with all others: order is not kept. */
#ifndef HKTI_PROC_BELL_H
#define HKTI_PROC_BELL_H

#include <hocket/time.h>

#include "base/atomic.h"
#include "proc/family.h"

struct hkti_bell {
    uint32_t rings;
    uint32_t sleepers;
} __attribute__((aligned(8)));

struct hkti_listener {
    struct hkti_bell *bell;
    uint32_t rings; /* as last looked at */
    int stake;
    int64_t look;  /* when the caller wants to look again in any case, which is no deadline of its
                   * own; 0: never. Set by it after listen, or between two waits */
    int64_t since; /* when the first wait began; 0: there was none */
};

void hkti_bell_listen(struct hkti_bell *bell, enum hkti_stake_kind kind,
                      struct hkti_listener *listener);
/* Sleeps until the bell has been rung since the last look: 0, also without reason; -ETIMEDOUT;
 * -ECANCELED, if that is asked for. Spins before, as any wait. Of a bell outside of the arena nobody
 * learns who dies at it. */
int hkti_bell_wait(struct hkti_listener *listener, const char *what, const void *object,
                   int64_t deadline, bool cancellable);
void hkti_bell_leave(struct hkti_listener *listener, bool satisfied);

/* Wakes `n` of those who listen, INT32_MAX: all. */
void hkti_bell_ring_slow(struct hkti_bell *bell, int n);
static inline void hkti_bell_ring(struct hkti_bell *bell, int n)
{
    if (hkti_load_seq_cst(&bell->sleepers) != 0) /* pairs: bell */
        hkti_bell_ring_slow(bell, n);
}

#endif
