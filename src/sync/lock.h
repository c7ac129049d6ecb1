/* SPDX-License-Identifier: MIT */
/* The lock as other primitives see it. */
#ifndef HKTI_SYNC_LOCK_H
#define HKTI_SYNC_LOCK_H

#include <hocket/lock.h>

#include "park/wait.h"

/* Bits of a lock's word. */
enum {
    HKTI_LOCK_HELD = 1,
    HKTI_LOCK_WAITED = 2, /* the list may have somebody: an unlock has to look */
    HKTI_LOCK_CALLED = 4, /* somebody has been woken and is on its way: no need to wake more */
};

/* What hkt_lock is. */
struct __attribute__((may_alias)) hkti_lock {
    uint32_t word;
    uint32_t guard; /* of the list */
    struct hkti_wait_list waiters;
    struct hkti_strand *holder; /* in the checked build alone */
};

/* What hkt_rlock is. */
struct __attribute__((may_alias)) hkti_rlock {
    hkt_lock lock;
    struct hkti_strand
        *owner;     /* by the owner, atomic; others read it only to see that it is not them */
    uint64_t count; /* by the owner */
};

/* Waits for the lock on behalf of hkt_lock_acquire and the others. */
int hkti_lock_contend(struct hkti_lock *lock, int64_t deadline, bool cancellable);

static inline bool hkti_lock_try(struct hkti_lock *lock)
{
    return hkti_cas_acquire(&lock->word, 0, HKTI_LOCK_HELD); /* pairs: lock */
}

/* Lets `strand`, which waits in no list just now, wait for the lock: it is woken when it may try
 * for it, or holds it (grant HKTI_LOCK_HELD). At once if the lock is free. */
void hkti_lock_adopt(struct hkti_lock *lock, struct hkti_strand *strand);

/* Takes the lock after a wait that hkti_lock_adopt may have had its hand in. */
void hkti_lock_resume(struct hkti_lock *lock, struct hkti_strand *self);

#endif
