/* SPDX-License-Identifier: MIT */
/* How long to spin before sleeping. To sleep and be woken costs 10 to 20 us, so a waiter may spend
 * about as much awake: at the worst it has spent twice the best (Karlin and others, 1991). Never
 * where the other one cannot run meanwhile: with one processor, or a quota of one. What a pause
 * costs differs by a factor of ten between processors, so it is measured once. In a simulation
 * spinning is short, since each turn is a point of choice. */
#ifndef HKTI_PARK_SPIN_H
#define HKTI_PARK_SPIN_H

#include <stdbool.h>

#include "os/os.h"

/* Nanoseconds that a waiter spends at the most before it sleeps. */
#define HKTI_SPIN_NS 10000

/* Rounds of trying for a guard or a lock before sleeping: three with pauses, seven that give the
 * processor away. Long gaps between the tries let who has it do many turns undisturbed, with the
 * cache line. */
#define HKTI_TRY_ROUNDS 10

/* Pauses that last for HKTI_SPIN_NS; 0 if spinning is of no use here. */
unsigned hkti_spin_max(void);

/* One round between two tries: a few pauses, from the fourth on the processor is given away; false
 * when `rounds` have been spent. */
static inline bool hkti_spin(unsigned *round, unsigned rounds)
{
    unsigned max = hkti_spin_max();
    if (*round >= rounds || (max <= 2 && *round >= max))
        return false;
    if (*round < 3)
        for (unsigned i = 0; i < 2U << *round; i++)
            hkti_os_pause();
    else
        hkti_os_yield(0);
    ++*round;
    return true;
}

#endif
