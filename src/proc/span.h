/* SPDX-License-Identifier: MIT */
/* The spans of the arena's heap, and their words. heap.c has the states and the rules. */
#ifndef HKTI_PROC_SPAN_H
#define HKTI_PROC_SPAN_H

#include "base/atomic.h"
#include "proc/arena.h"
#include "proc/family.h"

#define HKTI_SPAN_BITS (HKTI_SPAN / 16) /* of a span */
#define HKTI_SPAN_NONE UINT32_MAX

enum hkti_span_kind {
    HKTI_SPAN_FREE,
    HKTI_SPAN_TAKING,
    HKTI_SPAN_CLASS,
    HKTI_SPAN_EMPTYING,
    HKTI_SPAN_MAKING,
    HKTI_SPAN_LARGE,
    HKTI_SPAN_FREEING,
    HKTI_SPAN_REST,
};

/* A span's word: kind, token, and a number, which is the class, the count of spans, or the first. */
static inline uint64_t hkti_span_word(enum hkti_span_kind kind, uint32_t token, uint32_t number)
{
    return (uint64_t)number << 34 | (uint64_t)token << 4 | kind;
}

static inline enum hkti_span_kind hkti_span_kind(uint64_t word)
{
    return word & 15;
}

static inline uint32_t hkti_span_token(uint64_t word)
{
    return (uint32_t)(word >> 4) & HKTI_TOKEN_MASK;
}

static inline uint32_t hkti_span_number(uint64_t word)
{
    return (uint32_t)(word >> 34);
}

/* Where its word, its bits and its memory are. */
static inline uint64_t *hkti_span_at(uint32_t span)
{
    return (uint64_t *)(HKTI_ARENA_BASE + hkti_arena()->words) + span;
}

static inline uint64_t *hkti_span_bits(uint32_t span)
{
    return (uint64_t *)(HKTI_ARENA_BASE + hkti_arena()->bits) +
           (size_t)span * (HKTI_SPAN_BITS / 64);
}

static inline char *hkti_span_memory(uint32_t span)
{
    return (char *)(HKTI_ARENA_BASE + hkti_arena()->first) + (size_t)span * HKTI_SPAN;
}

/* How many have words. */
static inline uint32_t hkti_span_top(void)
{
    return hkti_load_acquire(&hkti_arena()->top); /* pairs: arena-top */
}

static inline uint64_t hkti_span_look(uint32_t span)
{
    return hkti_load_acquire(hkti_span_at(span)); /* pairs: span */
}

/* By whose it is. */
static inline void hkti_span_set(uint32_t span, uint64_t word)
{
    hkti_store_release(hkti_span_at(span), word); /* pairs: span */
}

/* Takes n free ones in a row for the process: the first, HKTI_SPAN_NONE. Their memory need not be
 * there. */
uint32_t hkti_spans_take(uint32_t n, uint32_t token);

/* Gives back a run that is the caller's to free: the first one's word is changed last. Of a run that a
 * dead process had begun to make, also those that it had only taken; 0: none died. */
void hkti_spans_give(uint32_t first, uint32_t n, uint32_t dead);

#endif
