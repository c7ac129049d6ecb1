/* SPDX-License-Identifier: MIT */
/* What AddressSanitizer, ThreadSanitizer and valgrind are told of coroutines: that they begin, that
 * the thread goes from one stack to another, that they end. In other builds, and outside valgrind,
 * all of it is nothing. */
#ifndef HKTI_STRAND_SANITIZERS_H
#define HKTI_STRAND_SANITIZERS_H

#include "strand/carrier.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HKTI_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define HKTI_TSAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define HKTI_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
#define HKTI_TSAN 1
#endif

#ifdef HKTI_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef HKTI_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef __has_include
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define HKTI_VALGRIND 1
#endif
#endif

/* The calling thread's own stack. */
static inline void hkti_sanitizers_base(struct hkti_carrier *carrier)
{
#ifdef HKTI_TSAN
    carrier->base_tsan_fiber = __tsan_get_current_fiber();
#endif
    (void)carrier;
}

/* A coroutine was made; is about to begin on its stack; is given back. */
static inline void hkti_sanitizers_begin(struct hkti_coroutine *coroutine)
{
#ifdef HKTI_VALGRIND
    coroutine->valgrind_id = (unsigned)VALGRIND_STACK_REGISTER(
        coroutine->stack.low, coroutine->stack.low + coroutine->stack.size);
#endif
    (void)coroutine;
}

static inline void hkti_sanitizers_fresh(struct hkti_coroutine *coroutine)
{
#ifdef HKTI_ASAN
    __asan_unpoison_memory_region(coroutine->stack.low,
                                  (size_t)((char *)coroutine - coroutine->stack.low));
#endif
#ifdef HKTI_TSAN
    coroutine->tsan_fiber = __tsan_create_fiber(0);
#endif
    (void)coroutine;
}

static inline void hkti_sanitizers_end(struct hkti_coroutine *coroutine)
{
#ifdef HKTI_TSAN
    if (coroutine->tsan_fiber)
        __tsan_destroy_fiber(coroutine->tsan_fiber);
#endif
#ifdef HKTI_VALGRIND
    VALGRIND_STACK_DEREGISTER(coroutine->valgrind_id);
#endif
    (void)coroutine;
}

/* Right before the switch from one to another (NULL: the thread's own stack). */
static inline void hkti_sanitizers_leaving(struct hkti_carrier *carrier,
                                           struct hkti_coroutine *from, struct hkti_coroutine *to)
{
#ifdef HKTI_ASAN
    void **keep = from ? &from->asan_stack : &carrier->base_asan_stack;
    __sanitizer_start_switch_fiber(keep, to ? to->stack.low : carrier->base_low,
                                   to ? to->stack.size : carrier->base_size);
#endif
#ifdef HKTI_TSAN
    __tsan_switch_to_fiber(to ? to->tsan_fiber : carrier->base_tsan_fiber, 0);
#endif
    (void)carrier, (void)from, (void)to;
}

/* Right after it, on the stack of `here`. */
static inline void hkti_sanitizers_arrived(struct hkti_carrier *carrier,
                                           struct hkti_coroutine *here)
{
#ifdef HKTI_ASAN
    const void *low;
    size_t size;
    __sanitizer_finish_switch_fiber(here ? here->asan_stack : carrier->base_asan_stack, &low,
                                    &size);
    if (here)
        here->asan_stack = NULL;
    if (carrier->base_low == NULL) { /* the first switch of all comes from there */
        carrier->base_low = low;
        carrier->base_size = size;
    }
#endif
    (void)carrier, (void)here;
}

#endif
