/* SPDX-License-Identifier: MIT */
/* The locks between processes as the other shared primitives see them. */
#ifndef HKTI_PROC_SHARED_LOCK_H
#define HKTI_PROC_SHARED_LOCK_H

#include <hocket/shared_lock.h>

#include "park/strand.h"
#include "proc/bell.h"

/* What hkt_shared_lock is. */
struct __attribute__((may_alias)) hkti_shared_lock {
    struct hkti_bell bell;
    uint32_t word;
    uint32_t
        inconsistent; /* a holder has died, and nobody has said that all is well: by the holder */
    uint64_t reserved[2];
};

/* What hkt_shared_rlock is. */
struct __attribute__((may_alias)) hkti_shared_rlock {
    hkt_shared_lock lock;
    uint64_t owner; /* hkti_shared_owner of the holder; by it, atomic */
    uint64_t count; /* by the holder */
};

/* A strand, as no other process's is called: its address, of which the upper bits and those within a
 * cache line say nothing; the slot of its process, and so much of the generation as there is room
 * for, in case that an owner has died and the lock has just been taken by another strand. */
static inline uint64_t hkti_shared_owner(const struct hkti_strand *self, uint32_t token)
{
    return (uint64_t)(uintptr_t)self >> 6 | (uint64_t)token << 42;
}

#endif
