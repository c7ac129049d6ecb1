/* SPDX-License-Identifier: MIT */
/* The semaphore: a count under a guard, and those who wait. A released permit is handed to the
 * longest waiting; so permits are free only while nobody waits, a free one may be taken without a
 * look at the list, and a permit that was handed over is kept even by one whose deadline passed in
 * that moment (park/wait.c). */
#include <errno.h>
#include <hocket/semaphore.h>
#include <limits.h>

#include "base/seconds.h"
#include "park/scope.h"
#include "park/wait.h"

/* What hkt_semaphore is. */
struct __attribute__((may_alias)) hkti_semaphore {
    long value; /* written under the guard */
    long bound; /* no release above this; 0: LONG_MAX */
    struct hkti_wait_list waiters;
    uint32_t guard;
    uint32_t bounded;
    uint64_t reserved;
};

_Static_assert(sizeof(struct hkti_semaphore) == sizeof(hkt_semaphore), "these are one");

int hkt_semaphore_init(hkt_semaphore *public, long value)
{
    if (value < 0)
        return -EINVAL;
    *(struct hkti_semaphore *)public = (struct hkti_semaphore){ .value = value };
    return 0;
}

int hkt_bounded_semaphore_init(hkt_semaphore *public, long value)
{
    int err = hkt_semaphore_init(public, value);
    struct hkti_semaphore *semaphore = (struct hkti_semaphore *)public;
    if (err == 0) {
        semaphore->bound = value;
        semaphore->bounded = 1;
    }
    return err;
}

/* Takes a permit, or leaves the guard held. */
static bool take(struct hkti_semaphore *semaphore)
{
    hkti_guard_acquire(&semaphore->guard);
    long value = hkti_load_relaxed(&semaphore->value);
    if (value == 0)
        return false;
    hkti_store_relaxed(&semaphore->value, value - 1);
    hkti_guard_release(&semaphore->guard);
    return true;
}

/* With the guard, which it releases. */
static int wait_for_permit(struct hkti_semaphore *semaphore, int64_t deadline)
{
    struct hkti_wait wait = { .what = "semaphore",
                              .object = semaphore,
                              .list = &semaphore->waiters,
                              .guard = &semaphore->guard,
                              .deadline = deadline,
                              .cancellable = true };
    return hkti_wait(&wait);
}

int hkt_semaphore_acquire_until(hkt_semaphore *public, hkt_deadline deadline)
{
    struct hkti_semaphore *semaphore = (struct hkti_semaphore *)public;
    int err = hkti_cancelled(deadline.ns);
    if (err < 0 || take(semaphore))
        return err;
    if (deadline.ns == HKTI_PASSED) {
        hkti_guard_release(&semaphore->guard);
        return -ETIMEDOUT;
    }
    return wait_for_permit(semaphore, deadline.ns);
}

int hkt_semaphore_acquire(hkt_semaphore *semaphore)
{
    return hkt_semaphore_acquire_until(semaphore, (hkt_deadline){ 0 });
}

int hkt_semaphore_acquire_nowait(hkt_semaphore *public)
{
    struct hkti_semaphore *semaphore = (struct hkti_semaphore *)public;
    if (take(semaphore))
        return 0;
    hkti_guard_release(&semaphore->guard);
    return -EAGAIN;
}

int hkt_semaphore_release(hkt_semaphore *public, long n)
{
    struct hkti_semaphore *semaphore = (struct hkti_semaphore *)public;
    struct hkti_wait_list taken = { 0 };
    int err = n < 1 ? -EINVAL : 0;
    if (err < 0)
        return err;
    hkti_guard_acquire(&semaphore->guard);
    long value = hkti_load_relaxed(&semaphore->value);
    if (semaphore->bounded && n > semaphore->bound - value)
        err = -EINVAL;
    else if (n > LONG_MAX - value)
        err = -EOVERFLOW;
    bool waited = err == 0 && !hkti_list_empty(&semaphore->waiters.head);
    if (waited)
        n -= (long)hkti_wait_list_take(&semaphore->waiters, (size_t)n, 0, &taken);
    if (err == 0)
        hkti_store_relaxed(&semaphore->value, value + n);
    hkti_guard_release(&semaphore->guard);
    if (waited)
        hkti_wake_all(&taken);
    return err;
}

long hkt_semaphore_value(const hkt_semaphore *public)
{
    return hkti_load_relaxed(&((const struct hkti_semaphore *)public)->value);
}
