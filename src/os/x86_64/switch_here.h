/* SPDX-License-Identifier: MIT */
/* hkti_switch without a call: the contexts look the same, but r12 to r15 are the compiler's business,
 * and the processor's record of calls and returns stays right. With a call that nothing returns from,
 * every return after it would be predicted as that of its neighbour: 4 ns each. What was left by the
 * one form must be gone on with by the same; a new context, by either. */
#ifndef HKTI_OS_X86_64_SWITCH_HERE_H
#define HKTI_OS_X86_64_SWITCH_HERE_H

#include "os/switch.h"

#if defined(__CET__) && (__CET__ & 1)
#define HKTI_NOTRACK "notrack "
#else
#define HKTI_NOTRACK
#endif

/* For functions that are not inlined themselves. Below the stack pointer the compiler may keep 128
 * bytes of its own. */
static inline __attribute__((always_inline)) void hkti_switch_here(struct hkti_context *from,
                                                                   const struct hkti_context *to,
                                                                   void *value)
{
    __asm__ volatile("subq $184, %%rsp\n\t"
                     "leaq 1f(%%rip), %%rcx\n\t"
                     "movq %%rbx, 32(%%rsp)\n\t"
                     "movq %%rbp, 40(%%rsp)\n\t"
                     "movq %%rcx, 48(%%rsp)\n\t"
                     "movq %%rsp, (%%rdi)\n\t"
                     "movq (%%rsi), %%rsp\n\t"
                     "movq 24(%%rsp), %%r12\n\t"
                     "movq 32(%%rsp), %%rbx\n\t"
                     "movq 40(%%rsp), %%rbp\n\t"
                     "movq 48(%%rsp), %%rcx\n\t"
                     "addq $56, %%rsp\n\t" HKTI_NOTRACK "jmp *%%rcx\n"
                     "1:\n\t"
                     "subq $-128, %%rsp"
                     : "+D"(from), "+S"(to), "+a"(value)
                     :
                     : "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0",
                       "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                       "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc");
}

#endif
