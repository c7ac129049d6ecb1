/* SPDX-License-Identifier: MIT */
/* Shared memory of a family of processes: of the first one that uses hocket's processes, and of all
 * that it and they start.
 *
 *     long *counter = hkt_shared_alloc(sizeof *counter);
 *     ...
 *     hkt_process_spawn(&child, count, HKT_ITEM(counter_struct), NULL);
 *
 * It lies at the same address in all of them, whichever way they began; so pointers into it mean
 * the same everywhere, may lie in it themselves, and may be passed in arguments, queues and jobs.
 * It has no name: when the last process of the family ends, however that ends, it is gone. What is
 * to be waited for in it: shared_lock.h and the other shared_ headers. */
#ifndef HOCKET_SHARED_H
#define HOCKET_SHARED_H

#include <hocket/export.h>

HKT_BEGIN_DECLS

/* `size` bytes of shared memory, zero, aligned for any type (to 64 from 64 bytes on); NULL: there
 * is none, the sentence of -ENOMEM says why. It stays until it is freed, also when the process that
 * allocated it has ended. (RawValue, RawArray) */
HKT_API HKT_MUST_USE void *hkt_shared_alloc(size_t size);

/* Gives it back, from any process of the family; NULL is fine. What is not allocated is misuse
 * (abort). */
HKT_API void hkt_shared_free(void *memory);

/* Is this in shared memory? */
HKT_API bool hkt_shared_contains(const void *memory);

/* How much is allocated, in bytes as they are rounded up; and how much there can be. */
HKT_API size_t hkt_shared_used(void);
HKT_API size_t hkt_shared_capacity(void);

HKT_END_DECLS
#endif
