/* SPDX-License-Identifier: MIT */
/* hkt_shared_lock, between threads, keeps the contract of locks but for the order. */
#include <hocket/shared_lock.h>

#include "shared_subject.h"

typedef hkt_shared_lock subject;

static void subject_init(subject *lock)
{
    *lock = (subject){ { 0 } };
}

static int subject_acquire(subject *lock)
{
    return hkt_shared_lock_acquire(lock);
}

static int subject_acquire_until(subject *lock, hkt_deadline deadline)
{
    return hkt_shared_lock_acquire_until(lock, deadline);
}

static int subject_acquire_nowait(subject *lock)
{
    return hkt_shared_lock_acquire_nowait(lock);
}

static void subject_release(subject *lock)
{
    hkt_shared_lock_release(lock);
}

#define SUBJECT_ANY_THREAD_RELEASES 1
#define SUBJECT_ACQUIRE_IS_CANCELLED 0
#define SUBJECT_HAS_NO_ORDER
#include "lock_deadline.h"
#include "lock_exclusion.h"
#include "lock_stress.h"
