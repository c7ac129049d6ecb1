/* SPDX-License-Identifier: MIT */
/* The checked build (HKT_CHECKED): who holds which lock, and who waits for whom. In the other
 * builds these are nothing.
 *
 * A thread that waits for a lock without a deadline, held by a thread that waits so for another
 * one, and so on back to the first, is a deadlock for good: it is told, with everybody in it, and
 * the program aborts at the moment it comes about. So is a thread that ends with a lock in its
 * hand, which Python allows and hardly anybody means: that is only reported.
 *
 * State: lock->holder, strand->waits_for and a list of the strands that have used a lock and have
 * not ended, all under one guard for the whole process. A holder is looked at only if it is in
 * that list. */
#ifndef HKTI_SYNC_CHECKED_H
#define HKTI_SYNC_CHECKED_H

#include "sync/lock.h"

#ifdef HKT_CHECKED

/* The caller is about to wait for the lock without a deadline; it has the lock now; it is about to
 * give it back. */
void hkti_checked_waits(struct hkti_lock *lock);
void hkti_checked_taken(struct hkti_lock *lock);
void hkti_checked_released(struct hkti_lock *lock);

/* The strand ends: how many locks it has in its hand. */
uint64_t hkti_checked_ends(struct hkti_strand *self);

#else

static inline void hkti_checked_waits(struct hkti_lock *lock)
{
    (void)lock;
}

static inline void hkti_checked_taken(struct hkti_lock *lock)
{
    (void)lock;
}

static inline void hkti_checked_released(struct hkti_lock *lock)
{
    (void)lock;
}

static inline uint64_t hkti_checked_ends(struct hkti_strand *self)
{
    (void)self;
    return 0;
}

#endif
#endif
