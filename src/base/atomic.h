/* SPDX-License-Identifier: MIT */
/* Atomic operations on plain integers and pointers, the order in each name. This is the only file
 * that touches the __atomic builtins, and the only one with a fence.
 *
 * Shared words are declared as plain types; whoever shares one touches it through these macros
 * alone, but for hkti_init, which is a plain store for as long as nobody else can see the word. A
 * compare-and-swap takes the expected value by value and says whether it stored; loops load again.
 * Weak forms are not offered: on x86-64 they are the same, on aarch64 with LSE too.
 *
 * At each acquire or release stands the label of its partner, as "pairs: NAME"; tools/check-labels
 * finds a label without partner. */
#ifndef HKTI_BASE_ATOMIC_H
#define HKTI_BASE_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/seam.h"

#ifndef HKT_SIM

#define HKTI_LOAD(p, order) __atomic_load_n((p), order)
#define HKTI_STORE(p, v, order) __atomic_store_n((p), (v), order)
#define HKTI_EXCHANGE(p, v, order) __atomic_exchange_n((p), (v), order)
#define HKTI_ADD(p, v, order) __atomic_fetch_add((p), (v), order)
#define HKTI_AND(p, v, order) __atomic_fetch_and((p), (v), order)
#define HKTI_OR(p, v, order) __atomic_fetch_or((p), (v), order)
#define HKTI_CAS(p, expected, v, success, failure)                                                 \
    __extension__({                                                                                \
        __typeof__(*(p) + 0) hkti_expected = (expected);                                           \
        __atomic_compare_exchange_n((p), &hkti_expected, (v), false, success, failure);            \
    })
#define hkti_init(p, v) ((void)(*(p) = (v)))

#else

uint64_t hkti_sim_atomic(enum hkti_atomic_op op, void *p, size_t size, uint64_t a, uint64_t b,
                         int order);

#define HKTI_SIM(op, p, a, b, order)                                                               \
    hkti_sim_atomic(op, (void *)(uintptr_t)(p), sizeof *(p), (uint64_t)(a), (uint64_t)(b), order)
#define HKTI_SIM_VALUE(op, p, a, order)                                                            \
    __extension__({ (__typeof__(*(p) + 0))(uintptr_t)HKTI_SIM(op, p, (uintptr_t)(a), 0, order); })
#define HKTI_LOAD(p, order) HKTI_SIM_VALUE(HKTI_OP_LOAD, p, 0, order)
#define HKTI_STORE(p, v, order) ((void)HKTI_SIM(HKTI_OP_STORE, p, (uintptr_t)(v), 0, order))
#define HKTI_EXCHANGE(p, v, order) HKTI_SIM_VALUE(HKTI_OP_EXCHANGE, p, v, order)
#define HKTI_ADD(p, v, order) HKTI_SIM_VALUE(HKTI_OP_ADD, p, v, order)
#define HKTI_AND(p, v, order) HKTI_SIM_VALUE(HKTI_OP_AND, p, v, order)
#define HKTI_OR(p, v, order) HKTI_SIM_VALUE(HKTI_OP_OR, p, v, order)
#define HKTI_CAS(p, expected, v, success, failure)                                                 \
    __extension__({                                                                                \
        __typeof__(*(p) + 0) hkti_expected = (expected);                                           \
        hkti_expected == (__typeof__(*(p) + 0))(uintptr_t)HKTI_SIM(                                \
                             HKTI_OP_CAS, p, (uintptr_t)hkti_expected, (uintptr_t)(v), success);   \
    })
#define hkti_init(p, v) ((void)HKTI_SIM(HKTI_OP_INIT, p, (uintptr_t)(v), 0, __ATOMIC_RELAXED))

#endif

#define hkti_load_relaxed(p) HKTI_LOAD(p, __ATOMIC_RELAXED)
#define hkti_load_acquire(p) HKTI_LOAD(p, __ATOMIC_ACQUIRE)
#define hkti_load_seq_cst(p) HKTI_LOAD(p, __ATOMIC_SEQ_CST)

#define hkti_store_relaxed(p, v) HKTI_STORE(p, v, __ATOMIC_RELAXED)
#define hkti_store_release(p, v) HKTI_STORE(p, v, __ATOMIC_RELEASE)
#define hkti_store_seq_cst(p, v) HKTI_STORE(p, v, __ATOMIC_SEQ_CST)

#define hkti_exchange_acquire(p, v) HKTI_EXCHANGE(p, v, __ATOMIC_ACQUIRE)
#define hkti_exchange_release(p, v) HKTI_EXCHANGE(p, v, __ATOMIC_RELEASE)
#define hkti_exchange_acq_rel(p, v) HKTI_EXCHANGE(p, v, __ATOMIC_ACQ_REL)
#define hkti_exchange_seq_cst(p, v) HKTI_EXCHANGE(p, v, __ATOMIC_SEQ_CST)

#define hkti_cas_relaxed(p, expected, v)                                                           \
    HKTI_CAS(p, expected, v, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define hkti_cas_acquire(p, expected, v)                                                           \
    HKTI_CAS(p, expected, v, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#define hkti_cas_release(p, expected, v)                                                           \
    HKTI_CAS(p, expected, v, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define hkti_cas_acq_rel(p, expected, v)                                                           \
    HKTI_CAS(p, expected, v, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
#define hkti_cas_seq_cst(p, expected, v)                                                           \
    HKTI_CAS(p, expected, v, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

#define hkti_fetch_add_relaxed(p, v) HKTI_ADD(p, v, __ATOMIC_RELAXED)
#define hkti_fetch_add_acq_rel(p, v) HKTI_ADD(p, v, __ATOMIC_ACQ_REL)
#define hkti_fetch_add_seq_cst(p, v) HKTI_ADD(p, v, __ATOMIC_SEQ_CST)
#define hkti_fetch_and_relaxed(p, v) HKTI_AND(p, v, __ATOMIC_RELAXED)
#define hkti_fetch_and_release(p, v) HKTI_AND(p, v, __ATOMIC_RELEASE)
#define hkti_fetch_or_relaxed(p, v) HKTI_OR(p, v, __ATOMIC_RELAXED)
#define hkti_fetch_or_acquire(p, v) HKTI_OR(p, v, __ATOMIC_ACQUIRE)
#define hkti_fetch_or_seq_cst(p, v) HKTI_OR(p, v, __ATOMIC_SEQ_CST)

/* A full fence: stores before it are seen before loads after it are made. Under TSan, which gcc
 * refuses to give a fence, a read-modify-write on a word of the caller's own, which TSan can
 * model. */
static inline void hkti_fence_seq_cst(void)
{
#if defined(HKT_SIM)
    hkti_sim_atomic(HKTI_OP_FENCE, 0, 0, 0, 0, __ATOMIC_SEQ_CST);
#elif defined(__SANITIZE_THREAD__)
    uint32_t dummy = 0;
    (void)__atomic_fetch_add(&dummy, 0, __ATOMIC_SEQ_CST);
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

#endif
