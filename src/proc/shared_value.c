/* SPDX-License-Identifier: MIT */
/* Values and arrays in shared memory: a header of two cache lines, with a lock, and the data behind
 * it. Written when it is created; after that the lock alone changes. */
#include <errno.h>
#include <hocket/error.h>
#include <hocket/shared.h>
#include <hocket/shared_value.h>
#include <string.h>

#include "base/report.h"

#define MAGIC UINT64_C(0x686b742076616c75)

struct header {
    hkt_shared_rlock own;
    uint64_t size, count; /* in bytes; items */
    hkt_shared_rlock *lock;
    uint64_t magic;
    uint64_t reserved[6];
    char data[];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct header) == 128, "the data begins at a cache line");

static struct header *header_of(const void *value, const char *call)
{
    struct header *header = (struct header *)((uintptr_t)value - sizeof(struct header));
    if (!hkt_shared_contains(value) || header->magic != MAGIC)
        hkti_misuse("%s: %p is no shared value or array", call, value);
    return header;
}

static void *create(size_t count, size_t size, const void *initial, hkt_shared_rlock *lock)
{
    size_t all, bytes;
    if (__builtin_mul_overflow(count, size, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(struct header), &all)) {
        hkt_fail(-ENOMEM, "a shared array of %zu items of %zu bytes is more than there can be",
                 count, size);
        return NULL;
    }
    struct header *header = hkt_shared_alloc(all);
    if (header == NULL)
        return NULL;
    header->size = bytes;
    header->count = count;
    header->lock = lock ? lock : &header->own;
    header->magic = MAGIC;
    if (initial && bytes)
        memcpy(header->data, initial, bytes);
    return header->data;
}

void *hkt_shared_value_create(size_t size, const void *initial)
{
    return create(1, size, initial, NULL);
}

void *hkt_shared_array_create(size_t count, size_t size, const void *initial)
{
    return create(count, size, initial, NULL);
}

void *hkt_shared_value_wrap(size_t size, const void *initial, hkt_shared_rlock *lock)
{
    return create(1, size, initial, lock);
}

void *hkt_shared_copy(const void *value)
{
    const struct header *header = header_of(value, "hkt_shared_copy");
    char *copy = create(1, header->size, value, NULL);
    if (copy)
        header_of(copy, "hkt_shared_copy")->count = header->count;
    return copy;
}

void hkt_shared_value_destroy(void *value)
{
    if (value == NULL)
        return;
    struct header *header = header_of(value, "hkt_shared_value_destroy");
    header->magic = 0;
    hkt_shared_free(header);
}

hkt_shared_rlock *hkt_shared_lock_of(const void *value)
{
    return header_of(value, "hkt_shared_lock_of")->lock;
}

size_t hkt_shared_size_of(const void *value)
{
    return header_of(value, "hkt_shared_size_of")->size;
}

size_t hkt_shared_count_of(const void *value)
{
    return header_of(value, "hkt_shared_count_of")->count;
}
