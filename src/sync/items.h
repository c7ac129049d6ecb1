/* SPDX-License-Identifier: MIT */
/* Where a queue keeps its items: a ring, a stack or a heap of items of one size. Which items are
 * in it is said by two counters that the queue has: `tail` items have been put, `head` taken,
 * ever. In a ring item i lies at place i modulo its size, so one may be put while another is
 * taken. */
#ifndef HKTI_SYNC_ITEMS_H
#define HKTI_SYNC_ITEMS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum hkti_items_order { HKTI_FIFO, HKTI_LIFO, HKTI_PRIORITY };

struct hkti_items {
    char *base;
    size_t item_size;
    size_t capacity; /* items that there is memory for: a power of two */
    enum hkti_items_order order;
    int (*compare)(const void *, const void *);
};

/* Copies one item. Items of one word, the most common, need no call. */
static inline void hkti_item_copy(void *to, const void *from, size_t size)
{
    if (size == sizeof(uint64_t))
        memcpy(to, from, sizeof(uint64_t));
    else
        memcpy(to, from, size);
}

static inline void *hkti_items_at(const struct hkti_items *items, size_t counter)
{
    return items->base + (counter & (items->capacity - 1)) * items->item_size;
}

/* What the next two do for a stack or a heap that has `count` items, without the one in question.
 */
void hkti_items_put_other(struct hkti_items *items, const void *item, size_t count);
void hkti_items_take_other(struct hkti_items *items, void *item, size_t count);

/* Puts an item in, for which there is memory. The counters are those before. */
static inline void hkti_items_put(struct hkti_items *items, size_t head, size_t tail,
                                  const void *item)
{
    if (__builtin_expect(items->order == HKTI_FIFO, 1))
        hkti_item_copy(hkti_items_at(items, tail), item, items->item_size);
    else
        hkti_items_put_other(items, item, tail - head);
}

/* Takes out the one whose turn it is; there must be one. The counters are those before. */
static inline void hkti_items_take(struct hkti_items *items, size_t head, size_t tail, void *item)
{
    if (__builtin_expect(items->order == HKTI_FIFO, 1))
        hkti_item_copy(item, hkti_items_at(items, head), items->item_size);
    else
        hkti_items_take_other(items, item, tail - head - 1);
}

/* Memory for `capacity` items (rounded up to a power of two); NULL. */
char *hkti_items_allocate(const struct hkti_items *items, size_t *capacity);

/* Moves to memory from hkti_items_allocate, that is larger; what is to be released comes back in
 * its place. */
void hkti_items_move(struct hkti_items *items, size_t head, size_t tail, char **base,
                     size_t *capacity);

void hkti_items_release(const struct hkti_items *items, char *base, size_t capacity);

#endif
