/* SPDX-License-Identifier: MIT */
/* How long to spin before sleeping. To sleep and be woken costs 10 to 20 us, so a waiter may spend about
 * as much awake: at the worst it has spent twice the best (Karlin and others, 1991). Never where the other
 * one cannot run meanwhile: with one processor, or a quota of one. What a pause costs differs by a factor
 * of ten between processors, so it is measured once. In a simulation spinning is short, since each turn
 * is a point of choice. */
#ifndef HKTI_PARK_SPIN_H
#define HKTI_PARK_SPIN_H

#include <stdbool.h>

#include "os/os.h"

/* Nanoseconds that a waiter spends at the most before it sleeps. */
#define HKTI_SPIN_NS 10000

/* Rounds of spinning on a guard and on a lock; round n has up to 2^n pauses. */
#define HKTI_GUARD_ROUNDS 9
#define HKTI_LOCK_ROUNDS 6

/* Pauses that last for HKTI_SPIN_NS; 0 if spinning is of no use here. */
unsigned hkti_spin_max(void);

/* One round of spinning, twice as long as the one before up to 32 pauses; false when `rounds` have been
 * spent. */
static inline bool hkti_spin(unsigned *round, unsigned rounds)
{
    unsigned max = hkti_spin_max();
    if (*round >= rounds || (max <= 2 && *round >= max))
        return false;
    for (unsigned i = 0; i < 1U << (*round < 5 ? *round : 5); i++)
        hkti_os_pause();
    ++*round;
    return true;
}

#endif
