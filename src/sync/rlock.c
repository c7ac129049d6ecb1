/* SPDX-License-Identifier: MIT */
/* The rlock: a lock, who holds it, and how often. The owner is written by the holder alone; another
 * strand that reads it sees some other value than itself, whichever. */
#include <errno.h>

#include "base/report.h"
#include "sync/lock.h"

_Static_assert(sizeof(struct hkti_rlock) == sizeof(hkt_rlock), "hkt_rlock is a hkti_rlock");

/* One level more, if the caller has it already. */
static bool again(struct hkti_rlock *lock, struct hkti_strand *self)
{
    if (hkti_load_relaxed(&lock->owner) != self)
        return false;
    lock->count++;
    return true;
}

static int taken(struct hkti_rlock *lock, struct hkti_strand *self, int err)
{
    if (err == 0) {
        hkti_store_relaxed(&lock->owner, self);
        lock->count = 1;
    }
    return err;
}

void hkt_rlock_acquire(hkt_rlock *public)
{
    struct hkti_rlock *lock = (struct hkti_rlock *)public;
    struct hkti_strand *self = hkti_self();
    if (again(lock, self))
        return;
    hkt_lock_acquire(&lock->lock);
    taken(lock, self, 0);
}

int hkt_rlock_acquire_until(hkt_rlock *public, hkt_deadline deadline)
{
    struct hkti_rlock *lock = (struct hkti_rlock *)public;
    struct hkti_strand *self = hkti_self();
    return again(lock, self) ? 0 : taken(lock, self, hkt_lock_acquire_until(&lock->lock, deadline));
}

int hkt_rlock_acquire_nowait(hkt_rlock *public)
{
    struct hkti_rlock *lock = (struct hkti_rlock *)public;
    struct hkti_strand *self = hkti_self();
    return again(lock, self) ? 0 : taken(lock, self, hkt_lock_acquire_nowait(&lock->lock));
}

void hkt_rlock_release(hkt_rlock *public)
{
    struct hkti_rlock *lock = (struct hkti_rlock *)public;
    if (hkti_load_relaxed(&lock->owner) != hkti_self())
        hkti_misuse("hkt_rlock_release: rlock %p is not held by the calling thread", (void *)lock);
    if (--lock->count > 0)
        return;
    hkti_store_relaxed(&lock->owner, (struct hkti_strand *)0);
    hkt_lock_release(&lock->lock);
}

bool hkt_rlock_locked(const hkt_rlock *public)
{
    return hkt_lock_locked(&((const struct hkti_rlock *)public)->lock);
}

bool hkt_rlock_owned(const hkt_rlock *public)
{
    return hkti_load_relaxed(&((const struct hkti_rlock *)public)->owner) == hkti_self();
}
