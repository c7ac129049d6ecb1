/* SPDX-License-Identifier: MIT */
/* The switch for aarch64 (AAPCS64): contract in os/switch.h.
 *
 * A context that is not running, from its stack pointer upwards:
 *
 *      0  x19 x20     16  x21 x22     32  x23 x24     48  x25 x26     64  x27 x28
 *     80  x29, and x30: where to go on
 *     96  d8 d9      112  d10 d11    128  d12 d13    144  d14 d15
 *    160  (the caller's frame; for a new context: the end)
 *
 * Where to go on is reached by a jump. With branch target identification (-mbranch-protection) a
 * jump needs a landing mark, and a compiler puts none behind our call; a return needs none, hence the
 * return there. The note that would promise all marks is left out on purpose: so is all of
 * .note.gnu. */

#if defined(__ARM_FEATURE_BTI_DEFAULT)
#define LANDING bti c
#define GO_ON ret
#else
#define LANDING
#define GO_ON br x30
#endif

        .text

/* The registers that a function must preserve, and what an unwinder is to know of them. */
        .macro  each_pair do
        \do     x19, x20, 0
        \do     x21, x22, 16
        \do     x23, x24, 32
        \do     x25, x26, 48
        \do     x27, x28, 64
        \do     x29, x30, 80
        \do     d8, d9, 96
        \do     d10, d11, 112
        \do     d12, d13, 128
        \do     d14, d15, 144
        .endm
        .macro  save_pair one, other, at
        stp     \one, \other, [sp, #\at]
        .cfi_rel_offset \one, \at
        .cfi_rel_offset \other, \at + 8
        .endm
        .macro  load_pair one, other, at
        ldp     \one, \other, [sp, #\at]
        .cfi_restore \one
        .cfi_restore \other
        .endm

/* void *hkti_switch(from: x0, to: x1, value: x2) */
        .globl  hkti_switch
        .hidden hkti_switch
        .type   hkti_switch, %function
        .balign 32
hkti_switch:
        .cfi_startproc
        LANDING
        sub     sp, sp, #160
        .cfi_adjust_cfa_offset 160
        each_pair save_pair
        mov     x9, sp
        str     x9, [x0]
        /* Both stacks look the same to an unwinder: what it was told so far stays true. */
        ldr     x9, [x1]
        mov     sp, x9
        mov     x0, x2
        each_pair load_pair
        add     sp, sp, #160
        .cfi_adjust_cfa_offset -160
        GO_ON
        .cfi_endproc
        .size   hkti_switch, . - hkti_switch

/* void hkti_context_make(context: x0, stack: x1, size: x2, entry: x3) */
        .globl  hkti_context_make
        .hidden hkti_context_make
        .type   hkti_context_make, %function
        .balign 16
hkti_context_make:
        .cfi_startproc
        LANDING
        add     x9, x1, x2
        and     x9, x9, #-16
        sub     x9, x9, #176
        stp     x3, xzr, [x9]                   /* x19: the entry */
        stp     xzr, xzr, [x9, #16]
        stp     xzr, xzr, [x9, #32]
        stp     xzr, xzr, [x9, #48]
        stp     xzr, xzr, [x9, #64]
        adr     x10, begin
        stp     xzr, x10, [x9, #80]             /* x29: 0, the last frame */
        stp     xzr, xzr, [x9, #96]
        stp     xzr, xzr, [x9, #112]
        stp     xzr, xzr, [x9, #128]
        stp     xzr, xzr, [x9, #144]
        stp     xzr, xzr, [x9, #160]
        str     x9, [x0]
        ret
        .cfi_endproc
        .size   hkti_context_make, . - hkti_context_make

/* Where a new context begins. Nothing called this: the unwinder must stop here. */
        .type   begin, %function
        .balign 16
begin:
        .cfi_startproc
        .cfi_undefined x30
        blr     x19
        brk     #1                              /* an entry must not return */
        .cfi_endproc
        .size   begin, . - begin

        .section .note.GNU-stack, "", %progbits
