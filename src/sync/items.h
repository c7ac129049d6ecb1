/* SPDX-License-Identifier: MIT */
/* Where a queue keeps its items: a ring, a stack or a heap of items of one size. Not shared: the
 * queue's guard is held around each call but those that allocate. */
#ifndef HKTI_SYNC_ITEMS_H
#define HKTI_SYNC_ITEMS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/atomic.h"

enum hkti_items_order { HKTI_FIFO, HKTI_LIFO, HKTI_PRIORITY };

struct hkti_items {
    char *base;
    size_t item_size;
    size_t capacity; /* items that there is memory for; a power of two for the ring */
    size_t count;    /* atomic, since a queue's size is read at any time */
    size_t head;     /* of the ring: where the first item is */
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

/* What the next two do for a stack or a heap, where there were `count` items before, or are after. */
void hkti_items_push_other(struct hkti_items *items, const void *item, size_t count);
void hkti_items_pop_other(struct hkti_items *items, void *item, size_t count);

/* Puts an item in, for which there is memory. */
static inline void hkti_items_push(struct hkti_items *items, const void *item)
{
    size_t count = hkti_load_relaxed(&items->count);
    size_t index = (items->head + count) & (items->capacity - 1);
    hkti_store_relaxed(&items->count, count + 1);
    if (__builtin_expect(items->order == HKTI_FIFO, 1))
        hkti_item_copy(items->base + index * items->item_size, item, items->item_size);
    else
        hkti_items_push_other(items, item, count);
}

/* Takes out the one whose turn it is; there must be one. */
static inline void hkti_items_pop(struct hkti_items *items, void *item)
{
    size_t count = hkti_load_relaxed(&items->count);
    hkti_store_relaxed(&items->count, count - 1);
    if (__builtin_expect(items->order != HKTI_FIFO, 0)) {
        hkti_items_pop_other(items, item, count - 1);
        return;
    }
    hkti_item_copy(item, items->base + items->head * items->item_size, items->item_size);
    items->head = (items->head + 1) & (items->capacity - 1);
}

/* Memory for `capacity` items (rounded up to a power of two); NULL. */
char *hkti_items_allocate(const struct hkti_items *items, size_t *capacity);

/* Moves to memory from hkti_items_allocate, that is larger; what is to be freed comes back in its place. */
void hkti_items_move(struct hkti_items *items, char **base, size_t *capacity);

void hkti_items_release(struct hkti_items *items, char *base, size_t capacity);

#endif
