/* SPDX-License-Identifier: MIT */
/* The allocator hook. All heap memory of hocket goes through these. */
#ifndef HKTI_BASE_MEMORY_H
#define HKTI_BASE_MEMORY_H

#include <hocket/memory.h>

/* Zeroed memory, or NULL. */
void *hkti_allocate(size_t size);

/* Gives it back, with the size it was allocated with; NULL is fine. */
void hkti_release(void *memory, size_t size);

/* The same, at a multiple of 64: for what has cache lines of its own. */
void *hkti_allocate_lines(size_t size);
void hkti_release_lines(void *memory, size_t size);

#endif
