/* SPDX-License-Identifier: MIT */
/* hkt_rwlock, held for writing, keeps the contract of locks. */
#include <hocket/rwlock.h>

typedef hkt_rwlock subject;

static void subject_init(subject *lock)
{
    *lock = (subject){ { 0 } };
}

static int subject_acquire(subject *lock)
{
    hkt_rwlock_acquire_write(lock);
    return 0;
}

static int subject_acquire_until(subject *lock, hkt_deadline deadline)
{
    return hkt_rwlock_acquire_write_until(lock, deadline);
}

static int subject_acquire_nowait(subject *lock)
{
    return hkt_rwlock_acquire_write_nowait(lock);
}

static void subject_release(subject *lock)
{
    hkt_rwlock_release_write(lock);
}

#define SUBJECT_ANY_THREAD_RELEASES 1
#define SUBJECT_ACQUIRE_IS_CANCELLED 0
#include "lock_deadline.h"
#include "lock_exclusion.h"
#include "lock_stress.h"
