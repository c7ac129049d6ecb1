/* SPDX-License-Identifier: MIT */
/* Memory and the end. Small things that can be waited on (locks, events) live in your memory and
 * need none of ours; what is made by a `create` is allocated here. */
#ifndef HOCKET_MEMORY_H
#define HOCKET_MEMORY_H

#include <hocket/export.h>

HKT_BEGIN_DECLS

/* Where hocket gets its memory. `allocate` returns memory aligned for any type, or NULL; `release`
 * takes what allocate returned, never NULL. Both are called from any thread, several at once, and
 * must not call hocket. */
typedef struct hkt_allocator {
    void *(*allocate)(void *context, size_t size);
    void (*release)(void *context, void *memory, size_t size);
    void *context;
    uint64_t reserved[2]; /* zero */
} hkt_allocator;

/* Uses `allocator` (copied) from now on; NULL brings malloc and free back. 0, or -EBUSY when memory
 * of the present allocator is still in use: set it before anything else. */
HKT_API int hkt_set_allocator(const hkt_allocator *allocator);

/* How many allocations are alive now. For leak checks in tests. */
HKT_API size_t hkt_allocation_count(void);

/* Gives back what hocket keeps for the process, so that a leak checker finds nothing. Optional, at
 * the very end: 0, or -EBUSY when threads that hocket started still run (join them first:
 * hkt_join_all), pools or futures that were not destroyed among them. The default executor is shut
 * down: its jobs are awaited. After it hocket may be used afresh. */
HKT_API int hkt_finalize(void);

HKT_END_DECLS
#endif
