/* SPDX-License-Identifier: MIT */
/* hkt_giant_lock keeps the contract of locks, as far as it has their forms. */
#include <hocket/giant_lock.h>

typedef hkt_giant_lock subject;

static void subject_init(subject *lock)
{
    *lock = (subject){ { 0 } };
}

static int subject_acquire(subject *lock)
{
    hkt_giant_lock_acquire(lock);
    return 0;
}

static void subject_release(subject *lock)
{
    hkt_giant_lock_release(lock);
}

#define SUBJECT_ANY_THREAD_RELEASES 0
#define SUBJECT_ACQUIRE_IS_CANCELLED 0
#include "lock_exclusion.h"
