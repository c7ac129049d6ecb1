/* SPDX-License-Identifier: MIT */
/* Values and arrays with a lock, in shared memory.
 *
 *     long *counter = hkt_shared_value_create(sizeof *counter, NULL);
 *     ...
 *     int err = hkt_shared_rlock_acquire(hkt_shared_lock_of(counter));
 *     ++*counter;
 *     hkt_shared_rlock_release(hkt_shared_lock_of(counter));
 *
 * It is plain memory, and the lock lies before it. Loads and stores of a word are whole; to read,
 * change and write back takes the lock. Without a lock: hkt_shared_alloc. */
#ifndef HOCKET_SHARED_VALUE_H
#define HOCKET_SHARED_VALUE_H

#include <hocket/shared_lock.h>

HKT_BEGIN_DECLS

/* `size` bytes: a copy of *initial, or zero if that is NULL. NULL: -ENOMEM, as of
 * hkt_shared_alloc. (Value) */
HKT_API HKT_MUST_USE void *hkt_shared_value_create(size_t size, const void *initial);
/* `count` items of `size` bytes. (Array) */
HKT_API HKT_MUST_USE void *hkt_shared_array_create(size_t count, size_t size, const void *initial);
/* One whose lock is another's, in place of its own: to guard several by one. `lock` stays the
 * caller's. (synchronized) */
HKT_API HKT_MUST_USE void *hkt_shared_value_wrap(size_t size, const void *initial,
                                                 hkt_shared_rlock *lock);
/* Another one with the same contents and a lock of its own; NULL as above. The caller sees to it
 * that nobody writes meanwhile. (copy) */
HKT_API HKT_MUST_USE void *hkt_shared_copy(const void *value);

/* Gives it back; NULL is fine. */
HKT_API void hkt_shared_value_destroy(void *value);

/* The lock of a value or array; its size in bytes; the items of an array, 1 for a value. (get_lock,
 * len) */
HKT_API hkt_shared_rlock *hkt_shared_lock_of(const void *value);
HKT_API size_t hkt_shared_size_of(const void *value);
HKT_API size_t hkt_shared_count_of(const void *value);

HKT_END_DECLS
#endif
