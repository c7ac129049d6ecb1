/* SPDX-License-Identifier: MIT */
/* hkt_shared_semaphore with one permit, between threads, keeps the contract of locks but for the
 * order. */
#include <hocket/shared_semaphore.h>

#include "test.h"

typedef hkt_shared_semaphore subject;

static void subject_init(subject *lock)
{
    CHECK_EQ(hkt_shared_semaphore_init(lock, 1), 0);
}

static int subject_acquire(subject *lock)
{
    return hkt_shared_semaphore_acquire(lock);
}

static int subject_acquire_until(subject *lock, hkt_deadline deadline)
{
    return hkt_shared_semaphore_acquire_until(lock, deadline);
}

static int subject_acquire_nowait(subject *lock)
{
    return hkt_shared_semaphore_acquire_nowait(lock);
}

static void subject_release(subject *lock)
{
    CHECK_EQ(hkt_shared_semaphore_release(lock, 1), 0);
}

#define SUBJECT_ANY_THREAD_RELEASES 1
#define SUBJECT_ACQUIRE_IS_CANCELLED 1
#define SUBJECT_HAS_NO_ORDER
#include "lock_deadline.h"
#include "lock_exclusion.h"
#include "lock_stress.h"
