/* SPDX-License-Identifier: MIT */
/* The switch for x86-64 (System V): contract in os/switch.h.
 *
 * A context that is not running, from its stack pointer upwards:
 *
 *      0  r15      8  r14     16  r13     24  r12     32  rbx     40  rbp
 *     48  where to go on
 *     56  (the caller's frame; for a new context: 0, where a return address would be, and the end)
 *
 * Where to go on is reached by a jump. With indirect-branch tracking (-fcf-protection) a compiler
 * puts no landing mark behind our call, hence the notrack there; the entry of a new context has one.
 * The note that would promise shadow-stack support is left out on purpose: so is all of .note.gnu. */

#if defined(__CET__) && (__CET__ & 1)
#define LANDING endbr64
#define NOTRACK notrack
#else
#define LANDING
#define NOTRACK
#endif

        .text

/* void *hkti_switch(from: rdi, to: rsi, value: rdx) */
        .globl  hkti_switch
        .hidden hkti_switch
        .type   hkti_switch, @function
        .balign 32
hkti_switch:
        .cfi_startproc
        LANDING
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r15, 0
        movq    %rsp, (%rdi)
        /* Both stacks look the same to an unwinder: what it was told so far stays true. */
        movq    (%rsi), %rsp
        movq    %rdx, %rax
        popq    %r15
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r15
        popq    %r14
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r14
        popq    %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r13
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r12
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbp
        popq    %rcx
        .cfi_adjust_cfa_offset -8
        .cfi_register %rip, %rcx
        NOTRACK jmp *%rcx
        .cfi_endproc
        .size   hkti_switch, . - hkti_switch

/* void hkti_context_make(context: rdi, stack: rsi, size: rdx, entry: rcx) */
        .globl  hkti_context_make
        .hidden hkti_context_make
        .type   hkti_context_make, @function
        .balign 16
hkti_context_make:
        .cfi_startproc
        LANDING
        leaq    (%rsi,%rdx), %rax
        andq    $-16, %rax
        subq    $80, %rax
        xorl    %edx, %edx
        movq    %rdx, 0(%rax)
        movq    %rdx, 8(%rax)
        movq    %rdx, 16(%rax)
        movq    %rcx, 24(%rax)                  /* r12: the entry */
        movq    %rdx, 32(%rax)
        movq    %rdx, 40(%rax)                  /* rbp: 0, the last frame */
        leaq    begin(%rip), %rcx
        movq    %rcx, 48(%rax)
        movq    %rdx, 56(%rax)
        movq    %rdx, 64(%rax)
        movq    %rax, (%rdi)
        ret
        .cfi_endproc
        .size   hkti_context_make, . - hkti_context_make

/* Where a new context begins: rsp is 56 past its start, which is 8 past a multiple of 16, so the
 * call needs 8 less. Nothing called this: the unwinder must stop here. */
        .type   begin, @function
        .balign 16
begin:
        .cfi_startproc
        .cfi_undefined %rip
        LANDING
        movq    %rax, %rdi
        subq    $8, %rsp
        call    *%r12
        ud2                                     /* an entry must not return */
        .cfi_endproc
        .size   begin, . - begin

        .section .note.GNU-stack, "", @progbits
