/* SPDX-License-Identifier: MIT */
/* hkt_semaphore with one permit keeps the contract of locks. */
#include <hocket/semaphore.h>

#include "test.h"

typedef hkt_semaphore subject;

static void subject_init(subject *lock)
{
    CHECK_EQ(hkt_semaphore_init(lock, 1), 0);
}

static int subject_acquire(subject *lock)
{
    return hkt_semaphore_acquire(lock);
}

static int subject_acquire_until(subject *lock, hkt_deadline deadline)
{
    return hkt_semaphore_acquire_until(lock, deadline);
}

static int subject_acquire_nowait(subject *lock)
{
    return hkt_semaphore_acquire_nowait(lock);
}

static void subject_release(subject *lock)
{
    CHECK_EQ(hkt_semaphore_release(lock, 1), 0);
}

#define SUBJECT_ANY_THREAD_RELEASES 1
#define SUBJECT_ACQUIRE_IS_CANCELLED 1
#include "lock_deadline.h"
#include "lock_exclusion.h"
#include "lock_stress.h"
