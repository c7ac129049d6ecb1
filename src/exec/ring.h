/* SPDX-License-Identifier: MIT */
/* A worker's ring of jobs: first in, first out. Its worker puts in; everybody takes out.
 *
 * `tail` is written by the worker alone. `head` is moved by compare-and-swap, after the slot has been
 * read: a slot is written again only when `head` has passed it, so a read that was too late fails
 * with the swap. Indices of 32 bits run around; a taker would have to sleep through four billion
 * jobs to be fooled. Source of the idea: the local queue of Go's and tokio's schedulers. */
#ifndef HKTI_EXEC_RING_H
#define HKTI_EXEC_RING_H

#include <stddef.h>

#include "base/atomic.h"

#define HKTI_RING_SIZE 256

struct hkti_ring {
    uint32_t head __attribute__((aligned(64)));
    uint32_t tail __attribute__((aligned(64)));
    hkt_future *slots[HKTI_RING_SIZE];
};

/* By its worker: false if there is no room. */
static inline bool hkti_ring_put(struct hkti_ring *ring, hkt_future *future)
{
    uint32_t tail = hkti_load_relaxed(&ring->tail);
    if (tail - hkti_load_acquire(&ring->head) == HKTI_RING_SIZE) /* pairs: ring-head */
        return false;
    hkti_store_relaxed(&ring->slots[tail % HKTI_RING_SIZE], future);
    hkti_store_release(&ring->tail, tail + 1); /* pairs: ring */
    return true;
}

/* By anybody: NULL if there is none. */
static inline hkt_future *hkti_ring_take(struct hkti_ring *ring)
{
    for (;;) {
        uint32_t head = hkti_load_acquire(&ring->head); /* pairs: ring-head */
        if (head == hkti_load_acquire(&ring->tail))     /* pairs: ring */
            return NULL;
        hkt_future *future = hkti_load_relaxed(&ring->slots[head % HKTI_RING_SIZE]);
        if (hkti_cas_acq_rel(&ring->head, head, head + 1)) /* pairs: ring-head */
            return future;
    }
}

static inline bool hkti_ring_empty(const struct hkti_ring *ring)
{
    return hkti_load_seq_cst(&ring->head) == hkti_load_seq_cst(&ring->tail); /* pairs: idle */
}

#endif
