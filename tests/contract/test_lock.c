/* SPDX-License-Identifier: MIT */
/* hkt_lock keeps the contract of locks. */
#include <hocket/lock.h>

typedef hkt_lock subject;

static void subject_init(subject *lock)
{
    *lock = (subject){ { 0 } };
}

static int subject_acquire(subject *lock)
{
    hkt_lock_acquire(lock);
    return 0;
}

static int subject_acquire_until(subject *lock, hkt_deadline deadline)
{
    return hkt_lock_acquire_until(lock, deadline);
}

static int subject_acquire_nowait(subject *lock)
{
    return hkt_lock_acquire_nowait(lock);
}

static void subject_release(subject *lock)
{
    hkt_lock_release(lock);
}

#define SUBJECT_ANY_THREAD_RELEASES 1
#define SUBJECT_ACQUIRE_IS_CANCELLED 0
#include "lock_deadline.h"
#include "lock_exclusion.h"
#include "lock_stress.h"
