/* SPDX-License-Identifier: MIT */
/* Stacks for strands, of a few sizes, pooled: the last one given back is the next one taken. */
#ifndef HKTI_STRAND_STACK_H
#define HKTI_STRAND_STACK_H

#include <stdbool.h>
#include <stddef.h>

struct hkti_stack_slot;

/* The bytes from `low` on may be used. The page below is a guard: touching it is a fault. Where the
 * kernel can only guard pages by splitting mappings, whose number is limited, the stacks beyond
 * some 20 000 have none: that page is there, and the stack below begins under it. */
struct hkti_stack {
    char *low;
    size_t size;
    struct hkti_stack_slot *slot; /* the pool's */
};

/* A stack of `size` bytes with its guard, rounded up to a power of two between 16 KiB and 64 MiB: 0,
 * or -ENOMEM (also above 64 MiB). Its bytes are what they were when it was given back, or zero. */
int hkti_stack_take(struct hkti_stack *stack, size_t size);

/* Back to the pool. Nobody runs on it, and nobody will look at it. */
void hkti_stack_give(struct hkti_stack *stack);

/* Is this in the guard page of a stack in use? Then *stack is that one. For signal handlers: takes
 * no guard, so it must not meet hkti_stacks_trim. */
bool hkti_stack_find(const void *address, struct hkti_stack *stack);

/* Gives to the system what memory no stack in use has a part of. */
void hkti_stacks_trim(void);

#endif
