/* SPDX-License-Identifier: MIT */
/* The arena's heap: no lists, no locks, and whoever is killed at any instruction leaves nothing torn.
 *
 * Each span of 64 KiB has a word, which says what it is; who changes it does so by one
 * compare-and-swap:
 *
 *   FREE      nobody's; its bits are clear
 *   TAKING    a process (its token) is about to use it
 *   CLASS     it holds objects of one size; bit k is set: object k is allocated
 *   EMPTYING  a process found no bit of a CLASS span set, and looks once more
 *   MAKING    the first of n spans that a process has taken for one object; not handed out yet
 *   LARGE     the same, handed out
 *   FREEING   the same, being freed by a process
 *   REST      one of the spans behind those, with the number of the first
 *
 * TAKING, EMPTYING, MAKING and FREEING name a process, which alone goes on with the span. When it dies,
 * hkti_heap_forget does so in its place, having put its own token there.
 *
 * A small object is allocated by setting its bit, and looking at the word once more; a span is emptied
 * by changing the word, and looking at the bits once more. All four are sequentially consistent, so one
 * of the two sees the other and leaves (pairs: emptying). Who was too late sets a bit for a moment in a
 * span of another kind, which takes an object from nobody. The bits lie outside of the spans, so
 * that no late hand writes into an object.
 *
 * What a process keeps to itself is where it last found room: `recent`, by class. */
#include <errno.h>
#include <hocket/shared.h>
#include <string.h>

#include "base/report.h"
#include "proc/span.h"

#define CLASSES 35
#define SMALL_MAX ((size_t)32 << 10)
#define CLEAN_SPANS 4 /* as many, or more, are given back to the system when they are free */
#define PROBES 256    /* spans that are looked at for room before a new one is taken */

#define SIZE(size)                                                                                 \
    {                                                                                              \
        size, HKTI_SPAN / (size)                                                                   \
    }
static const struct {
    uint16_t size, count;
} classes[CLASSES] = {
    SIZE(16),    SIZE(32),    SIZE(48),    SIZE(64),    SIZE(128),   SIZE(192),   SIZE(256),
    SIZE(320),   SIZE(384),   SIZE(448),   SIZE(512),   SIZE(640),   SIZE(768),   SIZE(896),
    SIZE(1024),  SIZE(1280),  SIZE(1536),  SIZE(1792),  SIZE(2048),  SIZE(2560),  SIZE(3072),
    SIZE(3584),  SIZE(4096),  SIZE(5120),  SIZE(6144),  SIZE(7168),  SIZE(8192),  SIZE(10240),
    SIZE(12288), SIZE(14336), SIZE(16384), SIZE(20480), SIZE(24576), SIZE(28672), SIZE(32768),
};

/* Of this process, by class: spans + 1 where there was room, and where in their bits. */
static struct {
    uint32_t recent; /* objects are taken from it */
    uint32_t freed;  /* one was freed in it */
    uint32_t place;  /* the word of the bits, in the recent one */
    uint32_t cursor; /* the next one to look for room in, when it is full */
} rooms[CLASSES];

static inline unsigned class_of(size_t size)
{
    if (size <= 48)
        return size ? (unsigned)(size - 1) / 16 : 0;
    if (size <= 256)
        return 3 + (unsigned)(size - 1) / 64;
    unsigned log = 63 - (unsigned)__builtin_clzll(size - 1);
    return 7 + (log - 8) * 4 + ((unsigned)((size - 1) >> (log - 2)) & 3);
}

static inline unsigned words_of(unsigned class)
{
    return (classes[class].count + 63U) / 64;
}

static inline uint64_t room_in(unsigned class, unsigned i, uint64_t bits)
{
    unsigned left = classes[class].count - i * 64;
    return ~bits & (left >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << left) - 1);
}

void hkti_heap_reset(void)
{
    memset(rooms, 0, sizeof rooms);
}

/* Small objects. */

static void *take_object(uint32_t span, unsigned class)
{
    uint64_t *bits = hkti_span_bits(span);
    unsigned words = words_of(class), i = hkti_load_relaxed(&rooms[class].place);
    for (unsigned n = 0; n < words; n++, i++) {
        if (i >= words)
            i = 0;
        uint64_t room = room_in(class, i, hkti_load_relaxed(&bits[i]));
        while (room) {
            uint64_t bit = room & -room;
            uint64_t before = hkti_fetch_or_seq_cst(&bits[i], bit); /* pairs: emptying, object */
            room = room_in(class, i, before | bit);
            if (before & bit)
                continue;
            uint64_t word = hkti_load_seq_cst(hkti_span_at(span)); /* pairs: emptying */
            if (hkti_span_kind(word) != HKTI_SPAN_CLASS || hkti_span_number(word) != class) {
                hkti_fetch_and_release(&bits[i], ~bit); /* pairs: object */
                return NULL;
            }
            hkti_store_relaxed(&rooms[class].place, i);
            return hkti_span_memory(span) +
                   (i * 64 + (unsigned)__builtin_ctzll(bit)) * (size_t)classes[class].size;
        }
    }
    return NULL;
}

static void *take_object_if(uint32_t span, unsigned class)
{
    uint64_t word = hkti_span_look(span);
    if (hkti_span_kind(word) != HKTI_SPAN_CLASS || hkti_span_number(word) != class)
        return NULL;
    void *object = take_object(span, class);
    if (object)
        hkti_store_relaxed(&rooms[class].recent, span + 1);
    return object;
}

/* Looks through some of the spans, each time others; `all`: through all. */
static void *look_for_room(unsigned class, bool all)
{
    uint32_t top = hkti_span_top();
    uint32_t i = hkti_load_relaxed(&rooms[class].cursor);
    void *object = NULL;
    for (uint32_t n = 0; n < top && (all || n < PROBES) && object == NULL; n++, i++) {
        if (i >= top)
            i = 0;
        object = take_object_if(i, class);
    }
    hkti_store_relaxed(&rooms[class].cursor, i);
    return object;
}

/* *there: there was a span. Then NULL means that others were quicker to use it up, or empty it. */
static void *take_from_new_span(unsigned class, uint32_t token, bool *there)
{
    uint32_t span = hkti_spans_take(1, token);
    *there = span != HKTI_SPAN_NONE;
    if (!*there)
        return NULL;
    if (hkti_arena_commit(hkti_span_bits(span), HKTI_SPAN_BITS / 8) < 0 ||
        hkti_arena_commit(hkti_span_memory(span), HKTI_SPAN) < 0) {
        hkti_spans_give(span, 1, 0);
        *there = false;
        return NULL;
    }
    hkti_span_set(span, hkti_span_word(HKTI_SPAN_CLASS, token, class));
    return take_object_if(span, class);
}

static void *take_elsewhere(unsigned class)
{
    uint32_t token = hkti_family_token();
    if (token == 0)
        return NULL;
    uint32_t freed = hkti_load_relaxed(&rooms[class].freed);
    void *object = freed ? take_object_if(freed - 1, class) : NULL;
    hkti_store_relaxed(&rooms[class].freed, 0);
    for (bool there = true; object == NULL && there;) {
        object = look_for_room(class, false);
        if (object == NULL)
            object = take_from_new_span(class, token, &there);
    }
    return object ? object : look_for_room(class, true);
}

static void *allocate_small(unsigned class)
{
    uint32_t recent = hkti_arena_is_open() ? hkti_load_relaxed(&rooms[class].recent) : 0;
    void *object = recent ? take_object(recent - 1, class) : NULL;
    return object ? object : take_elsewhere(class);
}

static bool is_empty(uint32_t span, unsigned class)
{
    uint64_t all = 0;
    for (unsigned i = 0; i < words_of(class) && all == 0; i++)
        all = hkti_load_seq_cst(&hkti_span_bits(span)[i]); /* pairs: emptying */
    return all == 0;
}

/* The caller's token is in the word. */
static void finish_emptying(uint32_t span, unsigned class, uint32_t token)
{
    if (is_empty(span, class))
        hkti_spans_give(span, 1, 0);
    else
        hkti_span_set(span, hkti_span_word(HKTI_SPAN_CLASS, token, class));
}

static void empty(uint32_t span, unsigned class, uint64_t word)
{
    uint32_t token = hkti_family_token();
    uint64_t emptying = hkti_span_word(HKTI_SPAN_EMPTYING, token, class);
    if (token && hkti_cas_seq_cst(hkti_span_at(span), word, emptying)) /* pairs: emptying */
        finish_emptying(span, class, token);
}

static void free_small(uint32_t span, uint64_t word, size_t offset)
{
    unsigned class = hkti_span_number(word);
    uint32_t index = (uint32_t)offset / classes[class].size;
    uint64_t bit = UINT64_C(1) << index % 64;
    if ((size_t)index * classes[class].size != offset || index >= classes[class].count)
        hkti_misuse("hkt_shared_free: %p is in the middle of an object",
                    (void *)(hkti_span_memory(span) + offset));
    uint64_t before = hkti_fetch_and_release(&hkti_span_bits(span)[index / 64],
                                             ~bit); /* pairs: object */
    if (!(before & bit))
        hkti_misuse("hkt_shared_free: %p is not allocated: it may have been freed before",
                    (void *)(hkti_span_memory(span) + offset));
    if (hkti_load_relaxed(&rooms[class].recent) == span + 1)
        return;
    if (before == bit && hkti_span_kind(word) == HKTI_SPAN_CLASS && is_empty(span, class))
        empty(span, class, word);
    else
        hkti_store_relaxed(&rooms[class].freed, span + 1);
}

/* Large ones. */

static void *allocate_large(size_t size, bool zero)
{
    uint32_t token = hkti_family_token();
    if (token == 0 || size > hkt_shared_capacity())
        return NULL;
    uint32_t n = (uint32_t)((size + HKTI_SPAN - 1) / HKTI_SPAN);
    uint32_t first = hkti_spans_take(n, token);
    if (first == HKTI_SPAN_NONE)
        return NULL;
    char *memory = hkti_span_memory(first);
    if (n >= CLEAN_SPANS)
        hkti_arena_drop(memory, n * HKTI_SPAN);
    bool there = hkti_arena_commit(memory, n * HKTI_SPAN) == 0;
    hkti_span_set(first, hkti_span_word(HKTI_SPAN_MAKING, token, n));
    for (uint32_t i = first + 1; i < first + n; i++)
        hkti_span_set(i, hkti_span_word(HKTI_SPAN_REST, 0, first));
    if (!there) {
        hkti_arena_drop(memory, n * HKTI_SPAN);
        hkti_span_set(first, hkti_span_word(HKTI_SPAN_FREEING, token, n));
        hkti_spans_give(first, n, 0);
        return NULL;
    }
    if (zero && n < CLEAN_SPANS)
        memset(memory, 0, size);
    hkti_span_set(first, hkti_span_word(HKTI_SPAN_LARGE, token, n));
    return memory;
}

static void free_large(uint32_t span, uint64_t word, size_t offset)
{
    uint32_t token = hkti_family_token(), n = hkti_span_number(word);
    if (offset != 0)
        hkti_misuse("hkt_shared_free: %p is in the middle of an object",
                    (void *)(hkti_span_memory(span) + offset));
    /* pairs: span */
    if (!hkti_cas_acq_rel(hkti_span_at(span), word, hkti_span_word(HKTI_SPAN_FREEING, token, n)))
        hkti_misuse("hkt_shared_free: %p is being freed by somebody else, too",
                    (void *)hkti_span_memory(span));
    if (n >= CLEAN_SPANS)
        hkti_arena_drop(hkti_span_memory(span), n * HKTI_SPAN);
    hkti_spans_give(span, n, 0);
}

/* The calls. */

void *hkti_shared_allocate(size_t size, bool zero)
{
    if (size > SMALL_MAX)
        return allocate_large(size, zero);
    unsigned class = class_of(size);
    void *memory = allocate_small(class);
    return memory && zero ? memset(memory, 0, classes[class].size) : memory;
}

/* Where it is: the span, its word, and the distance from its beginning. */
static uint32_t find(const void *memory, const char *call, uint64_t *word, size_t *offset)
{
    uintptr_t first = hkt_shared_contains(memory) ? (uintptr_t)hkti_span_memory(0) : UINTPTR_MAX;
    size_t from_first = (uintptr_t)memory - first;
    uint32_t span = (uint32_t)(from_first / HKTI_SPAN);
    if ((uintptr_t)memory < first || span >= hkti_span_top())
        hkti_misuse("%s: %p is not in shared memory", call, memory);
    *offset = from_first % HKTI_SPAN;
    *word = hkti_span_look(span);
    return span;
}

void hkti_shared_release(void *memory)
{
    uint64_t word;
    size_t offset;
    if (memory == NULL)
        return;
    uint32_t span = find(memory, "hkt_shared_free", &word, &offset);
    if (hkti_span_kind(word) == HKTI_SPAN_CLASS || hkti_span_kind(word) == HKTI_SPAN_EMPTYING)
        free_small(span, word, offset);
    else if (hkti_span_kind(word) == HKTI_SPAN_LARGE)
        free_large(span, word, offset);
    else
        hkti_misuse("hkt_shared_free: %p is not allocated: it may have been freed before", memory);
}

size_t hkti_shared_size(const void *memory)
{
    uint64_t word;
    size_t offset;
    find(memory, "hkti_shared_size", &word, &offset);
    return hkti_span_kind(word) == HKTI_SPAN_LARGE ? hkti_span_number(word) * HKTI_SPAN
                                                   : classes[hkti_span_number(word)].size;
}

void *hkt_shared_alloc(size_t size)
{
    int err = hkti_family_token() ? 0 : -ENOMEM; /* which has a sentence */
    void *memory = err < 0 ? NULL : hkti_shared_allocate(size, true);
    if (memory == NULL && err == 0)
        (void)hkt_fail(-ENOMEM,
                       "no %zu bytes of shared memory: %zu of %zu are allocated, or the "
                       "system's memory is full",
                       size, hkt_shared_used(), hkt_shared_capacity());
    return memory;
}

void hkt_shared_free(void *memory)
{
    if (memory && hkt_shared_contains(memory))
        hkti_stakes_forget(memory, hkti_shared_size(memory));
    hkti_shared_release(memory);
}

static size_t used_in(uint32_t span)
{
    uint64_t word = hkti_span_look(span);
    if (hkti_span_kind(word) == HKTI_SPAN_LARGE)
        return hkti_span_number(word) * HKTI_SPAN;
    if (hkti_span_kind(word) != HKTI_SPAN_CLASS && hkti_span_kind(word) != HKTI_SPAN_EMPTYING)
        return 0;
    size_t count = 0;
    for (unsigned i = 0; i < words_of(hkti_span_number(word)); i++)
        count += (size_t)__builtin_popcountll(hkti_load_relaxed(&hkti_span_bits(span)[i]));
    return count * classes[hkti_span_number(word)].size;
}

size_t hkt_shared_used(void)
{
    size_t used = 0;
    if (!hkti_arena_is_open())
        return 0;
    uint32_t top = hkti_span_top();
    for (uint32_t span = 0; span < top; span++)
        used += used_in(span);
    return used;
}

static void forget_span(uint32_t span, uint64_t word, uint32_t dead)
{
    uint32_t token = hkti_family_token(), number = hkti_span_number(word);
    switch (hkti_span_kind(word)) {
    case HKTI_SPAN_EMPTYING:
        /* pairs: emptying */
        if (hkti_cas_seq_cst(hkti_span_at(span), word,
                             hkti_span_word(HKTI_SPAN_EMPTYING, token, number)))
            finish_emptying(span, number, token);
        return;
    case HKTI_SPAN_TAKING:
        number = 1;
        /* fall through */
    case HKTI_SPAN_MAKING:
    case HKTI_SPAN_FREEING:
        /* pairs: span */
        if (hkti_cas_acq_rel(hkti_span_at(span), word,
                             hkti_span_word(HKTI_SPAN_FREEING, token, number)))
            hkti_spans_give(span, number, dead);
        return;
    default: /* what it had allocated stays */
        return;
    }
}

void hkti_heap_forget(uint32_t token)
{
    uint32_t top = hkti_span_top();
    for (uint32_t span = 0; span < top; span++) {
        uint64_t word = hkti_span_look(span);
        if (hkti_span_token(word) == token)
            forget_span(span, word, token);
    }
}
