/* SPDX-License-Identifier: MIT */
/* How long to spin before sleeping. A pause is about 40 ns on the machines that this was measured on
 * (between 10 and 140 elsewhere), a sleep and wake-up 10 to 20 us; so waiting awake pays up to a few
 * microseconds, and never where the other one cannot run meanwhile: with one processor, or with a
 * quota of one. In a simulation spinning is short, since each turn is a point of choice. */
#ifndef HKTI_PARK_SPIN_H
#define HKTI_PARK_SPIN_H

#include <stdbool.h>

#include "os/os.h"

/* Pauses that a waiter spends at the most before it sleeps. */
#define HKTI_SPIN_MAX 512

/* Rounds of spinning on a guard and on a lock; round n has up to 2^n pauses. */
#define HKTI_GUARD_ROUNDS 7
#define HKTI_LOCK_ROUNDS 6

/* May the caller spin at all, and how often? */
unsigned hkti_spin_limit(unsigned wanted);

/* One round of spinning, twice as long as the one before up to 32 pauses; false when `rounds` have been
 * spent. */
static inline bool hkti_spin(unsigned *round, unsigned rounds)
{
    if (*round >= hkti_spin_limit(rounds))
        return false;
    for (unsigned i = 0; i < 1U << (*round < 5 ? *round : 5); i++)
        hkti_os_pause();
    ++*round;
    return true;
}

#endif
