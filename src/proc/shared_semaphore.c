/* SPDX-License-Identifier: MIT */
/* The semaphore between processes: the free permits in one word, and a bell. A permit is taken by one
 * compare-and-swap; a release adds some, and rings for as many. Who is rung for has to try for it
 * like anyone else, so none is on its way to one that has died.
 *
 * Who may touch what: the value by everybody, atomically; the bound is written by init alone. */
#include <errno.h>
#include <hocket/shared_semaphore.h>
#include <limits.h>

#include "base/seconds.h"
#include "park/scope.h"
#include "proc/bell.h"

/* What hkt_shared_semaphore is. */
struct __attribute__((may_alias)) hkti_shared_semaphore {
    struct hkti_bell bell;
    uint32_t value;
    uint32_t bound; /* no release above this, if bounded */
    uint32_t bounded;
    uint32_t reserved[3];
};

_Static_assert(sizeof(struct hkti_shared_semaphore) == sizeof(hkt_shared_semaphore), "these are 1");

static int init(hkt_shared_semaphore *public, long value, bool bounded)
{
    if (value < 0 || value > INT_MAX)
        return -EINVAL;
    *(struct hkti_shared_semaphore *)public = (struct hkti_shared_semaphore){
        .value = (uint32_t)value, .bound = (uint32_t)value, .bounded = bounded
    };
    return 0;
}

int hkt_shared_semaphore_init(hkt_shared_semaphore *semaphore, long value)
{
    return init(semaphore, value, false);
}

int hkt_shared_bounded_semaphore_init(hkt_shared_semaphore *semaphore, long value)
{
    return init(semaphore, value, true);
}

static bool take(struct hkti_shared_semaphore *semaphore)
{
    uint32_t value;
    do {
        value = hkti_load_seq_cst(&semaphore->value); /* pairs: bell */
        if (value == 0)
            return false;
        /* pairs: bell, shared-semaphore */
    } while (!hkti_cas_seq_cst(&semaphore->value, value, value - 1));
    return true;
}

static int wait_for_permit(struct hkti_shared_semaphore *semaphore, int64_t deadline)
{
    struct hkti_listener listener;
    int err = 0;
    bool taken;
    hkti_bell_listen(&semaphore->bell, HKTI_STAKE_WAIT, &listener);
    while (!(taken = take(semaphore)) && err == 0)
        err = hkti_bell_wait(&listener, "shared semaphore", semaphore, deadline, true);
    hkti_bell_leave(&listener, taken);
    return taken ? 0 : err;
}

int hkt_shared_semaphore_acquire_until(hkt_shared_semaphore *public, hkt_deadline deadline)
{
    struct hkti_shared_semaphore *semaphore = (struct hkti_shared_semaphore *)public;
    int err = hkti_cancelled(deadline.ns);
    if (err < 0 || take(semaphore))
        return err;
    return deadline.ns == HKTI_PASSED ? -ETIMEDOUT : wait_for_permit(semaphore, deadline.ns);
}

int hkt_shared_semaphore_acquire(hkt_shared_semaphore *semaphore)
{
    return hkt_shared_semaphore_acquire_until(semaphore, (hkt_deadline){ 0 });
}

int hkt_shared_semaphore_acquire_nowait(hkt_shared_semaphore *public)
{
    return take((struct hkti_shared_semaphore *)public) ? 0 : -EAGAIN;
}

int hkt_shared_semaphore_release(hkt_shared_semaphore *public, long n)
{
    struct hkti_shared_semaphore *semaphore = (struct hkti_shared_semaphore *)public;
    uint32_t value;
    if (n < 1)
        return -EINVAL;
    do {
        value = hkti_load_relaxed(&semaphore->value);
        if (semaphore->bounded && n > (long)semaphore->bound - (long)value)
            return -EINVAL;
        if (n > INT_MAX - (long)value)
            return -EOVERFLOW;
        /* pairs: bell, shared-semaphore */
    } while (!hkti_cas_seq_cst(&semaphore->value, value, value + (uint32_t)n));
    hkti_bell_ring(&semaphore->bell, (int)n);
    return 0;
}

long hkt_shared_semaphore_value(const hkt_shared_semaphore *public)
{
    return hkti_load_relaxed(&((const struct hkti_shared_semaphore *)public)->value);
}
