/* SPDX-License-Identifier: MIT */
/* The seam: where a simulation takes the system's place.
 *
 * In the simulated build (HKT_SIM) every atomic operation of base/atomic.h and every function of
 * os/os.h that waits, tells the time, starts threads or finds the caller's own memory asks here
 * first. hkti_seam is NULL on every OS thread but one that runs a simulation just now; os/sim sets
 * it for as long as a simulated strand runs. In the other builds this file is empty, and nothing is
 * asked. */
#ifndef HKTI_BASE_SEAM_H
#define HKTI_BASE_SEAM_H

#ifdef HKT_SIM

#include <stddef.h>
#include <stdint.h>

enum hkti_atomic_op {
    HKTI_OP_LOAD,     /* returns *p */
    HKTI_OP_STORE,    /* *p = a */
    HKTI_OP_EXCHANGE, /* *p = a; returns what was there, as do all below */
    HKTI_OP_CAS,      /* if (*p == a) *p = b */
    HKTI_OP_ADD,
    HKTI_OP_AND,
    HKTI_OP_OR,
    HKTI_OP_FENCE, /* sequentially consistent; no address */
    HKTI_OP_INIT,  /* a store to memory that no other strand can see: no point of choice; stores of
                    * the caller to the same address that are still on their way are forgotten */
};

struct hkti_os_thread;

/* One function for each thing that the simulation does in the system's place. Their contracts are
 * those of the namesakes in os/os.h; all values are passed as 64 bits, `size` is 1, 2, 4 or 8. */
struct hkti_seam {
    uint64_t (*atomic)(enum hkti_atomic_op op, void *p, size_t size, uint64_t a, uint64_t b,
                       int order /* __ATOMIC_RELAXED, ... */);
    int (*futex_wait)(uint32_t *word, uint32_t expected, int64_t deadline);
    int (*futex_wait_many)(uint32_t *word, uint32_t expected, uint32_t *const shared[],
                           const uint32_t shared_expected[], size_t n, int64_t deadline);
    void (*futex_wake)(uint32_t *word, int count); /* of this process's words and of shared ones */
    int64_t (*now)(void);
    void (*pause)(void); /* the caller spins: others should go on */
    void *(*local)(void);
    void (*set_local)(void *local, const void *stack);
    int (*at_thread_exit)(void (*function)(void *local));
    int (*poll)(int fd, short events, short *revents, int wake_fd, int64_t deadline);
    int (*thread_start)(struct hkti_os_thread *thread, void (*function)(void *), void *arg);
    void (*thread_join)(struct hkti_os_thread *thread);
    int (*native_id)(void);
    void (*released)(void); /* memory is about to be given back: stores on their way must land */
};

extern _Thread_local const struct hkti_seam *hkti_seam;

#endif
#endif
