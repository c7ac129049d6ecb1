/* SPDX-License-Identifier: MIT */
/* The heap of timers, and the way of the wheel.
 *
 * Between calls: the heap's timers have slots up to `reached`, the wheel's have later ones, and each
 * is in the list that its slot and `reached` say. So what is in a lower level is earlier than what
 * is in a higher one, and in a level a lower digit is earlier: the first list that the bits show has
 * the earliest. To move `reached` forward is to change what all lists mean, yet nothing else need
 * move if it passes no timer and enters no list that has any. */
#include "base/timers.h"

enum {
    FEW = 8,   /* in a list: looked through rather than opened */
    MANY = 64, /* in a list: better sorted by digits */
    RUNS = 48, /* 2^47 timers do not fit into memory */
};

static inline bool earlier(const struct hkti_timer *a, const struct hkti_timer *b)
{
    return a->deadline != b->deadline ? a->deadline < b->deadline : a->order < b->order;
}

/* Two heaps made one. The `next` and `before` of the first mean nothing. */
static inline struct hkti_timer *meld(struct hkti_timer *a, struct hkti_timer *b)
{
    if (earlier(b, a)) {
        struct hkti_timer *first = b;
        b = a;
        a = first;
    }
    b->next = a->child;
    b->before = a;
    if (a->child)
        a->child->before = b;
    a->child = b;
    return a;
}

/* Siblings made one heap: in pairs from the left, then those from the right. Its `next` is NULL. */
struct hkti_timer *hkti_timers_merge(struct hkti_timer *siblings)
{
    struct hkti_timer *pairs = NULL;
    while (siblings) {
        struct hkti_timer *pair = siblings, *second = pair->next;
        siblings = NULL;
        if (second) {
            siblings = second->next;
            pair = meld(pair, second);
        }
        pair->next = pairs;
        pairs = pair;
    }
    struct hkti_timer *all = pairs;
    pairs = all->next;
    while (pairs) {
        struct hkti_timer *pair = pairs;
        pairs = pair->next;
        all = meld(all, pair);
    }
    all->next = NULL;
    return all;
}

void hkti_timers_heap_add(struct hkti_timers *timers, struct hkti_timer *timer)
{
    uint64_t slot = hkti_timer_slot(timer->deadline);

    if (slot < timers->reached && hkti_timers_empty(timers)) {
        /* Nobody knows how far ahead of the clock that was. */
        timers->reached = slot;
    }
    timer->child = NULL;
    if (timers->heap)
        timer = meld(timers->heap, timer);
    timer->next = timer->before = NULL;
    timers->heap = timer;
}

/* Its children take its place. */
void hkti_timers_heap_remove(struct hkti_timers *timers, struct hkti_timer *timer)
{
    struct hkti_timer *heir = timer->child, *before = timer->before, *next = timer->next;

    if (heir) {
        if (heir->next)
            heir = hkti_timers_merge(heir);
        heir->before = before;
        heir->next = next;
        if (next)
            next->before = heir;
    } else {
        heir = next;
        if (next)
            next->before = before;
    }
    if (before == NULL)
        timers->heap = heir;
    else if (before->child == timer)
        before->child = heir;
    else
        before->next = heir;
}

/* Two sorted lists made one. Only `child` is kept. */
static struct hkti_timer *merge_sorted(struct hkti_timer *a, struct hkti_timer *b)
{
    struct hkti_timer *first, **end = &first;

    for (;;) {
        if (earlier(a, b)) {
            *end = a;
            end = &a->child;
            a = a->child;
            if (a == NULL) {
                *end = b;
                return first;
            }
        } else {
            *end = b;
            end = &b->child;
            b = b->child;
            if (b == NULL) {
                *end = a;
                return first;
            }
        }
    }
}

/* A list, sorted. Timers come by one, two, four and so on, as the bits of a number that is counted
 * up. */
static struct hkti_timer *sort_by_merging(struct hkti_timer *list)
{
    struct hkti_timer *runs[RUNS], *all = NULL;
    unsigned used = 0;

    while (list) {
        struct hkti_timer *run = list;
        unsigned i = 0;
        __builtin_prefetch(run->next, 1);
        list = run->child;
        run->child = NULL;
        for (; i < used && runs[i]; i++) {
            run = merge_sorted(run, runs[i]);
            runs[i] = NULL;
        }
        if (i == used)
            used++;
        runs[i] = run;
    }
    for (unsigned i = 0; i < used; i++)
        if (runs[i])
            all = all ? merge_sorted(all, runs[i]) : runs[i];
    return all;
}

static bool many(const struct hkti_timer *list)
{
    for (int left = MANY; list && left > 0; left--)
        list = list->child;
    return list != NULL;
}

/* Sorts a list of timers whose deadlines differ below `bits` alone; it goes to `end`, and where it
 * ends is returned. It begins with the highest digit, because digits need no comparing, which the
 * processor cannot predict. Calls itself for each digit of a slot but the last: three deep at most.
 */
static struct hkti_timer **sort(struct hkti_timer *list, unsigned bits, struct hkti_timer **end)
{
    struct hkti_timer *parts[64];
    uint64_t used = 0;

    bits -= 6;
    while (list) {
        struct hkti_timer *timer = list;
        unsigned part = (unsigned)(timer->deadline >> bits) & 63;
        __builtin_prefetch(timer->next, 1);
        list = timer->child;
        if ((used >> part & 1) == 0)
            parts[part] = NULL;
        used |= UINT64_C(1) << part;
        hkti_timers_push(&parts[part], timer);
    }
    for (; used; used &= used - 1) {
        list = parts[__builtin_ctzll(used)];
        if (bits >= 6 && many(list)) {
            end = sort(list, bits, end);
        } else {
            *end = sort_by_merging(list);
            while (*end)
                end = &(*end)->child;
        }
    }
    return end;
}

/* What was set in the order of the deadlines, as equal timeouts are, lies the other way round: true, and
 * it is turned over; false: it is as it was. */
static bool turn_over(struct hkti_timer **list)
{
    struct hkti_timer *turned = NULL, *timer = *list;
    for (; timer->child; timer = timer->child) {
        __builtin_prefetch(timer->next, 1);
        if (!earlier(timer->child, timer))
            return false;
    }
    for (timer = *list; timer;) {
        struct hkti_timer *after = timer->child;
        __builtin_prefetch(timer->next, 1);
        timer->child = turned;
        turned = timer;
        timer = after;
    }
    *list = turned;
    return true;
}

/* A list of timers of one slot, made a heap: sorted, each is the only child of the one before it. */
static struct hkti_timer *heap_of(struct hkti_timer *list)
{
    struct hkti_timer *before = NULL;

    if (list && list->child && !turn_over(&list))
        sort(list, HKTI_TIMERS_SHIFT, &list);
    for (struct hkti_timer *timer = list; timer; timer = timer->child) {
        timer->next = NULL;
        timer->before = before;
        before = timer;
    }
    return list;
}

/* The first list that has timers; there is one. */
struct place {
    unsigned level, digit;
    uint64_t slot; /* where it begins */
};

static struct place first_place(const struct hkti_timers *timers)
{
    unsigned level = (unsigned)__builtin_ctzll(timers->levels);
    unsigned digit = (unsigned)__builtin_ctzll(timers->digits[level]);
    uint64_t above = timers->reached >> (level * 6) & ~UINT64_C(63);

    return (struct place){ level, digit, (above | digit) << (level * 6) };
}

/* Moves on to where the list begins. The heap is empty. */
static void open_list(struct hkti_timers *timers, struct place place)
{
    struct hkti_timer **list = &timers->lists[place.level * 64 + place.digit];
    struct hkti_timer *timer = *list, *due = NULL;

    *list = NULL;
    hkti_timers_list_emptied(timers, place.level, place.digit);
    timers->reached = place.slot;
    if (place.level == 0) {
        due = timer;
    } else {
        while (timer) {
            struct hkti_timer *after = timer->child;
            uint64_t slot = hkti_timer_slot(timer->deadline);
            __builtin_prefetch(timer->next, 1);
            if (slot > place.slot)
                hkti_timers_wheel_add(timers, timer, slot);
            else
                hkti_timers_push(&due, timer);
            timer = after;
        }
    }
    timers->heap = heap_of(due);
}

/* The earliest deadline of the list; 0: there are too many. */
static int64_t look_through(const struct hkti_timer *timer)
{
    int64_t first = timer->deadline;

    for (int i = 1; (timer = timer->child) != NULL; i++) {
        if (i == FEW)
            return 0;
        if (timer->deadline < first)
            first = timer->deadline;
    }
    return first;
}

/* hkti_timers_first() when the heap is empty. Where the clock is, is not known here: what is set
 * later may be earlier than `reached` then, and all of that goes to the heap. So it is not moved
 * for a few timers that are far away. */
int64_t hkti_timers_search(struct hkti_timers *timers)
{
    while (timers->heap == NULL) {
        if (timers->levels == 0)
            return 0;
        struct place place = first_place(timers);
        int64_t first = look_through(timers->lists[place.level * 64 + place.digit]);
        if (first != 0)
            return first;
        open_list(timers, place);
    }
    return timers->heap->deadline;
}

/* Fills the heap, which is empty, from the first list if that has begun; keeps up with the clock
 * else. False: the heap is empty still, and nothing is due. */
bool hkti_timers_advance(struct hkti_timers *timers, int64_t now)
{
    if (now < 0)
        return false;
    uint64_t slot = hkti_timer_slot(now);
    while (timers->levels != 0) {
        struct place place = first_place(timers);
        if (place.slot > slot) {
            if (slot > timers->reached)
                timers->reached = slot;
            return false;
        }
        open_list(timers, place);
        if (timers->heap)
            return true;
    }
    timers->reached = slot;
    return false;
}
