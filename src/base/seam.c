/* SPDX-License-Identifier: MIT */
/* The seam in the simulated build: every atomic operation of base/atomic.h comes through here, and
 * goes to the simulation that runs on this OS thread, or to the processor. So this file, which is
 * what base/atomic.h stands on there, has __atomic builtins too; all of them are seq_cst, since
 * the order comes as a value. */
#include "base/atomic.h"

#ifdef HKT_SIM

_Thread_local const struct hkti_seam *hkti_seam;

/* The processor's own. */

#define NATIVE(type)                                                                               \
    static uint64_t native_##type(enum hkti_atomic_op op, type *p, type a, type b)                 \
    {                                                                                              \
        switch (op) {                                                                              \
        case HKTI_OP_LOAD:                                                                         \
            return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                           \
        case HKTI_OP_STORE:                                                                        \
            __atomic_store_n(p, a, __ATOMIC_SEQ_CST);                                              \
            return 0;                                                                              \
        case HKTI_OP_EXCHANGE:                                                                     \
            return __atomic_exchange_n(p, a, __ATOMIC_SEQ_CST);                                    \
        case HKTI_OP_CAS:                                                                          \
            __atomic_compare_exchange_n(p, &a, b, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);      \
            return a;                                                                              \
        case HKTI_OP_ADD:                                                                          \
            return __atomic_fetch_add(p, a, __ATOMIC_SEQ_CST);                                     \
        case HKTI_OP_AND:                                                                          \
            return __atomic_fetch_and(p, a, __ATOMIC_SEQ_CST);                                     \
        case HKTI_OP_OR:                                                                           \
            return __atomic_fetch_or(p, a, __ATOMIC_SEQ_CST);                                      \
        case HKTI_OP_FENCE:                                                                        \
            break;                                                                                 \
        case HKTI_OP_INIT:                                                                         \
            *p = a;                                                                                \
            break;                                                                                 \
        }                                                                                          \
        return 0;                                                                                  \
    }

NATIVE(uint8_t)
NATIVE(uint16_t)
NATIVE(uint32_t)
NATIVE(uint64_t)

static uint64_t native(enum hkti_atomic_op op, void *p, size_t size, uint64_t a, uint64_t b)
{
    if (op == HKTI_OP_FENCE) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        return 0;
    }
    switch (size) {
    case 1:
        return native_uint8_t(op, p, (uint8_t)a, (uint8_t)b);
    case 2:
        return native_uint16_t(op, p, (uint16_t)a, (uint16_t)b);
    case 4:
        return native_uint32_t(op, p, (uint32_t)a, (uint32_t)b);
    default:
        return native_uint64_t(op, p, a, b);
    }
}

uint64_t hkti_sim_atomic(enum hkti_atomic_op op, void *p, size_t size, uint64_t a, uint64_t b,
                         int order)
{
    if (hkti_seam == NULL)
        return native(op, p, size, a, b);
    return hkti_seam->atomic(op, p, size, a, b, order);
}

#else
typedef int hkti_no_seam; /* a translation unit has something in it */
#endif
