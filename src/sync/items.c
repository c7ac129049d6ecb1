/* SPDX-License-Identifier: MIT */
/* Items in memory; see items.h. The heap is binary, with the least item first. */
#include "sync/items.h"

#include "base/memory.h"

static char *at(const struct hkti_items *items, size_t index)
{
    return items->base + index * items->item_size;
}

static int before(const struct hkti_items *items, const void *a, const void *b)
{
    return items->compare(a, b) < 0;
}

/* Finds the place for `item` upwards from a hole at the end, and fills it. */
static void sift_up(struct hkti_items *items, size_t hole, const void *item)
{
    while (hole > 0 && before(items, item, at(items, (hole - 1) / 2))) {
        hkti_item_copy(at(items, hole), at(items, (hole - 1) / 2), items->item_size);
        hole = (hole - 1) / 2;
    }
    hkti_item_copy(at(items, hole), item, items->item_size);
}

/* Finds the place for the last item, that at `count`, downwards from a hole at the root, and fills
 * it. */
static void sift_down(struct hkti_items *items, size_t count)
{
    const char *last = at(items, count);
    size_t hole = 0;
    for (size_t child = 1; child < count; child = 2 * hole + 1) {
        if (child + 1 < count && before(items, at(items, child + 1), at(items, child)))
            child++;
        if (!before(items, at(items, child), last))
            break;
        hkti_item_copy(at(items, hole), at(items, child), items->item_size);
        hole = child;
    }
    if (hole != count)
        hkti_item_copy(at(items, hole), last, items->item_size);
}

void hkti_items_put_other(struct hkti_items *items, const void *item, size_t count)
{
    if (items->order == HKTI_PRIORITY)
        sift_up(items, count, item);
    else
        hkti_item_copy(at(items, count), item, items->item_size);
}

void hkti_items_take_other(struct hkti_items *items, void *item, size_t count)
{
    hkti_item_copy(item, at(items, items->order == HKTI_LIFO ? count : 0), items->item_size);
    if (items->order == HKTI_PRIORITY)
        sift_down(items, count);
}

char *hkti_items_allocate(const struct hkti_items *items, size_t *capacity)
{
    size_t rounded = 1;
    while (rounded < *capacity && rounded <= SIZE_MAX / 4)
        rounded *= 2;
    if (rounded < *capacity || rounded > SIZE_MAX / items->item_size)
        return NULL;
    *capacity = rounded;
    return hkti_allocate(rounded * items->item_size);
}

void hkti_items_move(struct hkti_items *items, size_t head, size_t tail, char **base,
                     size_t *capacity)
{
    struct hkti_items old = *items;
    items->base = *base;
    items->capacity = *capacity;
    if (items->order == HKTI_FIFO)
        for (size_t i = head; i != tail; i++)
            hkti_item_copy(hkti_items_at(items, i), hkti_items_at(&old, i), items->item_size);
    else
        memcpy(items->base, old.base, (tail - head) * items->item_size);
    *base = old.base;
    *capacity = old.capacity;
}

void hkti_items_release(const struct hkti_items *items, char *base, size_t capacity)
{
    hkti_release(base, capacity * items->item_size);
}
