/* SPDX-License-Identifier: MIT */
/* What family.c and stake.c share: the stakes of the table's slots. */
#ifndef HKTI_PROC_STAKE_H
#define HKTI_PROC_STAKE_H

#include <stddef.h>

#include "proc/family.h"

#define HKTI_STAKES 512 /* of a process: a page */

/* The places of a slot; and how many of them, from the first on, it has ever used. */
uint64_t *hkti_stakes_of(uint32_t token);
uint32_t *hkti_stakes_used(uint32_t token);

/* Writes one down for the process, which may be the caller's own, at a place that is its. */
void hkti_stake_put(uint32_t token, uint32_t place, struct hkti_bell *bell,
                    enum hkti_stake_kind kind);
/* Undoes those of a dead process, by who buries it. */
void hkti_stakes_bury(uint32_t dead);
/* Rings the bells of a living one's. */
void hkti_stakes_ring(uint32_t token);
/* Takes out those of a process that are in this memory. */
void hkti_stakes_forget_of(uint32_t token, const void *memory, size_t size);
/* This process has a new token, with no stakes. */
void hkti_stakes_reset(void);

#endif
