/* SPDX-License-Identifier: MIT */
/* Spans of the heap are taken and given back. heap.c has the states and the rules. */
#include "proc/span.h"

#include <errno.h>

#define STEP 512 /* words that come into being at a time: a page */

/* A guess, so that the search for a free one need not begin at the beginning. */
static void note_free(uint32_t span)
{
    if (span < hkti_load_relaxed(&hkti_arena()->low))
        hkti_store_relaxed(&hkti_arena()->low, span);
}

/* There are words up to `top`: 0 or -ENOMEM. */
static int raise_top(uint32_t top)
{
    struct hkti_arena *arena = hkti_arena();
    uint32_t before = hkti_load_acquire(&arena->top); /* pairs: arena-top */
    if (top > arena->spans)
        return -ENOMEM;
    if (top <= before)
        return 0;
    top = (top + STEP - 1) / STEP * STEP;
    if (top > arena->spans)
        top = arena->spans;
    if (hkti_arena_commit(hkti_span_at(before), (top - before) * sizeof(uint64_t)) < 0)
        return -ENOMEM;
    while (before < top && !hkti_cas_acq_rel(&arena->top, before, top)) /* pairs: arena-top */
        before = hkti_load_acquire(&arena->top);                        /* pairs: arena-top */
    return 0;
}

/* The first of n free ones in a row, from `from` on; HKTI_SPAN_NONE. */
static uint32_t find_run(uint32_t from, uint32_t n)
{
    uint32_t top = hkti_span_top();
    uint32_t run = 0;
    for (uint32_t i = from; i < top; i++) {
        run = hkti_load_relaxed(hkti_span_at(i)) == HKTI_SPAN_FREE ? run + 1 : 0;
        if (run == n)
            return i + 1 - n;
    }
    uint32_t first = (from < top ? top : from) - run;
    return n <= hkti_arena()->spans - first && raise_top(first + n) == 0 ? first : HKTI_SPAN_NONE;
}

/* Takes them: true; or none, and *next is where to go on. */
static bool take_run(uint32_t first, uint32_t n, uint32_t token, uint32_t *next)
{
    for (uint32_t i = first; i < first + n; i++) {
        if (hkti_cas_acquire(hkti_span_at(i), HKTI_SPAN_FREE,
                             hkti_span_word(HKTI_SPAN_TAKING, token, 0))) /* pairs: span */
            continue;
        *next = i + 1;
        while (i-- > first)
            hkti_span_set(i, HKTI_SPAN_FREE);
        return false;
    }
    return true;
}

uint32_t hkti_spans_take(uint32_t n, uint32_t token)
{
    uint32_t low = hkti_load_relaxed(&hkti_arena()->low), from = low, first;
    for (;;) {
        first = find_run(from, n);
        if (first != HKTI_SPAN_NONE && take_run(first, n, token, &from))
            break;
        if (first == HKTI_SPAN_NONE && low == 0)
            return HKTI_SPAN_NONE;
        if (first == HKTI_SPAN_NONE)
            from = low = 0;
    }
    if (n == 1)
        hkti_store_relaxed(&hkti_arena()->low, first + 1);
    return first;
}

void hkti_spans_give(uint32_t first, uint32_t n, uint32_t dead)
{
    for (uint32_t i = first + 1; i < first + n; i++) {
        uint64_t word = hkti_load_relaxed(hkti_span_at(i));
        if (word == hkti_span_word(HKTI_SPAN_REST, 0, first) ||
            (dead && word == hkti_span_word(HKTI_SPAN_TAKING, dead, 0)))
            (void)hkti_cas_release(hkti_span_at(i), word, HKTI_SPAN_FREE); /* pairs: span */
    }
    hkti_span_set(first, HKTI_SPAN_FREE);
    note_free(first);
}
