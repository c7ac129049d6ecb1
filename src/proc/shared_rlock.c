/* SPDX-License-Identifier: MIT */
/* The rlock between processes: a lock, who holds it, and how often. The owner is written by the holder
 * alone; another strand that reads it sees some other value than its own, whichever. A holder that
 * has died has left its own, which is nobody else's; the next one begins to count anew. */
#include <errno.h>

#include "base/report.h"
#include "proc/shared_lock.h"

_Static_assert(sizeof(struct hkti_shared_rlock) == sizeof(hkt_shared_rlock), "these are one");

/* One level more, if the caller has it already. */
static bool again(struct hkti_shared_rlock *lock, uint64_t self)
{
    if (hkti_load_relaxed(&lock->owner) != self)
        return false;
    lock->count++;
    return true;
}

static uint64_t caller(void)
{
    return hkti_shared_owner(hkti_self(), hkti_family_token());
}

/* What the holder's next level says: as the first one did. */
static int owned_again(const struct hkti_shared_rlock *lock)
{
    return ((const struct hkti_shared_lock *)&lock->lock)->inconsistent ? -EOWNERDEAD : 0;
}

static int taken(struct hkti_shared_rlock *lock, uint64_t self, int err)
{
    if (err == 0 || err == -EOWNERDEAD) {
        hkti_store_relaxed(&lock->owner, self);
        lock->count = 1;
    }
    return err;
}

int hkt_shared_rlock_acquire(hkt_shared_rlock *public)
{
    struct hkti_shared_rlock *lock = (struct hkti_shared_rlock *)public;
    uint64_t self = caller();
    if (again(lock, self))
        return owned_again(lock);
    return taken(lock, self, hkt_shared_lock_acquire(&lock->lock));
}

int hkt_shared_rlock_acquire_until(hkt_shared_rlock *public, hkt_deadline deadline)
{
    struct hkti_shared_rlock *lock = (struct hkti_shared_rlock *)public;
    uint64_t self = caller();
    if (again(lock, self))
        return owned_again(lock);
    return taken(lock, self, hkt_shared_lock_acquire_until(&lock->lock, deadline));
}

int hkt_shared_rlock_acquire_nowait(hkt_shared_rlock *public)
{
    struct hkti_shared_rlock *lock = (struct hkti_shared_rlock *)public;
    uint64_t self = caller();
    if (again(lock, self))
        return owned_again(lock);
    return taken(lock, self, hkt_shared_lock_acquire_nowait(&lock->lock));
}

static void must_own(const struct hkti_shared_rlock *lock, const char *call)
{
    if (hkti_load_relaxed(&lock->owner) != caller())
        hkti_misuse("%s: shared rlock %p is not held by the calling thread", call,
                    (const void *)lock);
}

void hkt_shared_rlock_consistent(hkt_shared_rlock *public)
{
    struct hkti_shared_rlock *lock = (struct hkti_shared_rlock *)public;
    must_own(lock, "hkt_shared_rlock_consistent");
    hkt_shared_lock_consistent(&lock->lock);
}

void hkt_shared_rlock_release(hkt_shared_rlock *public)
{
    struct hkti_shared_rlock *lock = (struct hkti_shared_rlock *)public;
    must_own(lock, "hkt_shared_rlock_release");
    if (--lock->count > 0)
        return;
    hkti_store_relaxed(&lock->owner, UINT64_C(0));
    hkt_shared_lock_release(&lock->lock);
}

bool hkt_shared_rlock_locked(const hkt_shared_rlock *public)
{
    return hkt_shared_lock_locked(&((const struct hkti_shared_rlock *)public)->lock);
}

bool hkt_shared_rlock_owned(const hkt_shared_rlock *public)
{
    return hkti_load_relaxed(&((const struct hkti_shared_rlock *)public)->owner) == caller();
}
