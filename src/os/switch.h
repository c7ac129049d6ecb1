/* SPDX-License-Identifier: MIT */
/* The switch from one stack to another, the smallest step that strands are made of. Each processor
 * has its own in <arch>/switch.S, with this contract.
 *
 * A context is a stack that is not running: what is left of it is its stack pointer; the registers
 * that a function must preserve lie on the stack. To run on a stack of one's own:
 *
 *     hkti_context_make(&there, stack, size, entry);
 *     hkti_switch(&here, &there, value);      runs entry(value) on the stack, until somebody
 *                                             switches to `here`
 *
 * What a switch does not keep, since calls of functions need not keep it either or since it belongs
 * to the thread: all other registers, the floating-point modes (rounding, traps), the signal mask,
 * errno, thread-locals. A context must go on on the thread that it stopped on, for compilers keep
 * addresses of thread-locals over calls.
 *
 * It ends in an indirect jump and not in a return, which the processor would predict to go back to
 * the caller, always wrongly: 3 ns against 9. The object files carry no mark for shadow stacks, so
 * the loader leaves these off for the program. */
#ifndef HKTI_OS_SWITCH_H
#define HKTI_OS_SWITCH_H

#include <stddef.h>

struct hkti_context {
    void *stack_pointer;
};

/* Prepares to run entry(value) on the `size` bytes of stack from `stack` on, where value is what
 * the first switch to it brings. `entry` must not return: its last act is a switch. Writes some 64
 * bytes at the upper end of the stack. */
void hkti_context_make(struct hkti_context *context, void *stack, size_t size,
                       void (*entry)(void *value));

/* Leaves off here, to be gone on with through `from`, and goes on with `to`, which gets `value`:
 * as the result of its own hkti_switch, or as the argument of its entry. */
void *hkti_switch(struct hkti_context *from, const struct hkti_context *to, void *value);

#endif
