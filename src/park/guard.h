/* SPDX-License-Identifier: MIT */
/* The guard: the small lock inside every object that can be waited on. It guards that object's
 * fields and wait lists for some tens of nanoseconds; nothing is called, and nothing waits, while
 * it is held. It stops the whole OS thread: strands never switch under it.
 *
 * States: 0 free, 1 held, 2 held and somebody may sleep on it (Drepper, "Futexes are tricky"). The
 * sleeper sets 2 before each sleep, the releaser who finds 2 wakes one; so no sleeper is forgotten.
 * The exchange in the release is its last touch of the memory, which may be gone right after. */
#ifndef HKTI_PARK_GUARD_H
#define HKTI_PARK_GUARD_H

#include "base/atomic.h"

void hkti_guard_contend(uint32_t *guard);
void hkti_guard_wake(uint32_t *guard);

static inline void hkti_guard_acquire(uint32_t *guard)
{
    if (__builtin_expect(!hkti_cas_acquire(guard, 0, 1), 0)) /* pairs: guard */
        hkti_guard_contend(guard);
}

static inline void hkti_guard_release(uint32_t *guard)
{
    if (__builtin_expect(hkti_exchange_release(guard, 0) == 2, 0)) /* pairs: guard */
        hkti_guard_wake(guard);
}

#endif
