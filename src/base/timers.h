/* SPDX-License-Identifier: MIT */
/* Timers: what is due, in exact order of deadline; of equal ones, that which was set first. All zero
 * is empty. One thread at a time.
 *
 * Time is cut into slots of 2^20 ns, about a millisecond, numbered from 0. The timers of the slot
 * `reached` and of those before it are in a heap. All others are in a wheel: a timer's level is the
 * highest digit, of six bits, in which its slot differs from `reached`; it is in the list of that
 * level and digit. So it takes the same to set or remove one there, however many there are and
 * however far away. `reached` moves on when the heap is empty and someone asks. The list it comes to
 * goes down a level or more, or into the heap. It goes no further than it must: not beyond what is
 * due, nor into a list so short that its first is quickly seen. A timer goes down no more than once
 * a level, and most are removed before.
 *
 * The heap is a pairing heap, and a sorted list as long as nothing is added. Sources: Varghese and
 * Lauck, "Hashed and hierarchical timing wheels", 1987; Fredman, Sedgewick, Sleator and Tarjan, "The
 * pairing heap", 1986. */
#ifndef HKTI_BASE_TIMERS_H
#define HKTI_BASE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HKTI_TIMERS_SHIFT = 20,
    HKTI_TIMERS_LEVELS = 8, /* 20 bits, and 6 each; of the last level one bit is used */
    HKTI_TIMERS_LISTS = (HKTI_TIMERS_LEVELS - 1) * 64 + 2,
};

/* In the heap `child` is its first child, `next` the next of its siblings, `before` the one before
 * it or its parent. In a list `child` is the next one, `before` the one before it. `next` is some
 * places further on, or was: it may be anything by now, and is for prefetching alone. */
struct hkti_timer {
    int64_t deadline; /* stays when it is taken out */
    uint64_t order;   /* 0: not set */
    struct hkti_timer *child, *next, *before;
};

struct hkti_timers {
    struct hkti_timer *heap; /* the first */
    uint64_t reached;
    uint64_t orders;                     /* given so far */
    uint64_t levels;                     /* a bit for each level that has timers */
    uint64_t digits[HKTI_TIMERS_LEVELS]; /* a bit for each list that has timers */
    struct hkti_timer *lists[HKTI_TIMERS_LISTS];
};

/* What is not worth inlining. */
struct hkti_timer *hkti_timers_merge(struct hkti_timer *siblings);
void hkti_timers_heap_add(struct hkti_timers *timers, struct hkti_timer *timer);
void hkti_timers_heap_remove(struct hkti_timers *timers, struct hkti_timer *timer);
int64_t hkti_timers_search(struct hkti_timers *timers);
bool hkti_timers_advance(struct hkti_timers *timers, int64_t now);

static inline uint64_t hkti_timer_slot(int64_t deadline)
{
    return (uint64_t)deadline >> HKTI_TIMERS_SHIFT;
}

/* The highest digit that differs. */
static inline unsigned hkti_timers_level(const struct hkti_timers *timers, uint64_t slot)
{
    return (63 - (unsigned)__builtin_clzll(slot ^ timers->reached)) / 6;
}

static inline unsigned hkti_timers_digit(uint64_t slot, unsigned level)
{
    return (unsigned)(slot >> (level * 6)) & 63;
}

/* To the front of a list. Whoever goes through it later would wait for memory at each, were it not
 * told early what comes. Four places are enough, and those at the front are near. */
static inline void hkti_timers_push(struct hkti_timer **list, struct hkti_timer *timer)
{
    struct hkti_timer *ahead = *list;

    timer->before = NULL;
    timer->child = ahead;
    if (ahead)
        ahead->before = timer;
    for (int i = 0; i < 3 && ahead; i++)
        ahead = ahead->child;
    timer->next = ahead;
    *list = timer;
}

/* The slot is after `reached`. */
static inline void hkti_timers_wheel_add(struct hkti_timers *timers, struct hkti_timer *timer,
                                         uint64_t slot)
{
    unsigned level = hkti_timers_level(timers, slot), digit = hkti_timers_digit(slot, level);

    hkti_timers_push(&timers->lists[level * 64 + digit], timer);
    timers->digits[level] |= UINT64_C(1) << digit;
    timers->levels |= UINT64_C(1) << level;
}

static inline void hkti_timers_list_emptied(struct hkti_timers *timers, unsigned level,
                                            unsigned digit)
{
    timers->digits[level] &= ~(UINT64_C(1) << digit);
    if (timers->digits[level] == 0)
        timers->levels &= ~(UINT64_C(1) << level);
}

static inline bool hkti_timer_is_set(const struct hkti_timer *timer)
{
    return timer->order != 0;
}

static inline bool hkti_timers_empty(const struct hkti_timers *timers)
{
    return timers->heap == NULL && timers->levels == 0;
}

/* Sets a timer that is not set. The deadline is 1 or more. */
static inline void hkti_timers_add(struct hkti_timers *timers, struct hkti_timer *timer,
                                   int64_t deadline)
{
    uint64_t slot = hkti_timer_slot(deadline);

    timer->deadline = deadline;
    timer->order = ++timers->orders;
    if (slot > timers->reached)
        hkti_timers_wheel_add(timers, timer, slot);
    else
        hkti_timers_heap_add(timers, timer);
}

/* Takes out a timer that is set. */
static inline void hkti_timers_remove(struct hkti_timers *timers, struct hkti_timer *timer)
{
    uint64_t slot = hkti_timer_slot(timer->deadline);

    timer->order = 0;
    if (slot <= timers->reached) {
        hkti_timers_heap_remove(timers, timer);
        return;
    }
    struct hkti_timer *after = timer->child;
    if (after)
        after->before = timer->before;
    if (timer->before) {
        timer->before->child = after;
        return;
    }
    unsigned level = hkti_timers_level(timers, slot), digit = hkti_timers_digit(slot, level);
    timers->lists[level * 64 + digit] = after;
    if (after == NULL)
        hkti_timers_list_emptied(timers, level, digit);
}

/* The earliest deadline; 0: there is none. */
static inline int64_t hkti_timers_first(struct hkti_timers *timers)
{
    return timers->heap ? timers->heap->deadline : hkti_timers_search(timers);
}

/* The next that is due, taken out; NULL if there is none. */
static inline struct hkti_timer *hkti_timers_pop(struct hkti_timers *timers, int64_t now)
{
    if (timers->heap == NULL && !hkti_timers_advance(timers, now))
        return NULL;
    struct hkti_timer *first = timers->heap, *rest = first->child;
    if (first->deadline > now)
        return NULL;
    if (rest && rest->next)
        rest = hkti_timers_merge(rest);
    if (rest)
        rest->before = NULL;
    timers->heap = rest;
    first->order = 0;
    return first;
}

#endif
