/* SPDX-License-Identifier: MIT */
/* A lock for many readers or one writer. Fair: who comes first is served first, so a reader that
 * comes after a waiting writer waits too, and neither kind starves. A thread that holds it for
 * reading must not take it again: a writer in between would stop both for ever.
 * Python has none; the rule is that of task-fair locks (Brandenburg and Anderson, 2010). */
#ifndef HOCKET_RWLOCK_H
#define HOCKET_RWLOCK_H

#include <hocket/export.h>
#include <hocket/time.h>

HKT_BEGIN_DECLS

/* All zero is free. Nothing to destroy. */
typedef struct hkt_rwlock {
    uint64_t hkt_private[6];
} hkt_rwlock;

/* Takes it for reading: waits while a writer holds it or waits. Not a cancellation point; the
 * `_until` forms are: 0, -ETIMEDOUT, -ECANCELED. `_nowait`: 0 or -EAGAIN. */
HKT_API void hkt_rwlock_acquire_read(hkt_rwlock *lock);
HKT_API HKT_MUST_USE int hkt_rwlock_acquire_read_until(hkt_rwlock *lock, hkt_deadline deadline);
HKT_API HKT_MUST_USE int hkt_rwlock_acquire_read_nowait(hkt_rwlock *lock);

/* Takes it for writing: waits while anybody holds it. */
HKT_API void hkt_rwlock_acquire_write(hkt_rwlock *lock);
HKT_API HKT_MUST_USE int hkt_rwlock_acquire_write_until(hkt_rwlock *lock, hkt_deadline deadline);
HKT_API HKT_MUST_USE int hkt_rwlock_acquire_write_nowait(hkt_rwlock *lock);

/* Gives it back. When nobody holds it that way it is misuse (abort). */
HKT_API void hkt_rwlock_release_read(hkt_rwlock *lock);
HKT_API void hkt_rwlock_release_write(hkt_rwlock *lock);

HKT_END_DECLS
#endif
