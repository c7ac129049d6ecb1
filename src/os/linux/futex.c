/* SPDX-License-Identifier: MIT */
/* Futexes by system call: FUTEX_WAIT_BITSET takes an absolute deadline of the monotonic clock. A
 * kernel that refuses them altogether leaves nothing to build on: abort. Waiting for several at a
 * time is futex_waitv, of Linux 5.16 on; emulators and sandboxes may refuse it, which is remembered. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/report.h"
#include "os/os.h"

/* As the kernel has them; older headers do not. */
#define CALL_WAITV 449
#define OF_32_BITS 2
struct waiter {
    uint64_t value;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved;
};

static uint32_t no_waitv; /* refused once: not tried again */

static struct timespec time_of(int64_t deadline)
{
    return (struct timespec){ .tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000 };
}

static int wait_for_one(uint32_t *word, uint32_t expected, int64_t deadline, int flag)
{
    struct timespec at = time_of(deadline);
    int saved = errno;
    long result = syscall(SYS_futex, word, FUTEX_WAIT_BITSET | flag, expected,
                          deadline ? &at : NULL, NULL, FUTEX_BITSET_MATCH_ANY);
    int err = result < 0 ? errno : 0;
    errno = saved;
    if (err == ENOSYS || err == EPERM)
        hkti_misuse("the system refuses futexes (error %d): nothing here can wait", err);
    return err == ETIMEDOUT ? -ETIMEDOUT : 0;
}

int hkti_os_futex_wait(uint32_t *word, uint32_t expected, int64_t deadline)
{
#ifdef HKT_SIM
    if (hkti_seam)
        return hkti_seam->futex_wait(word, expected, deadline);
#endif
    return wait_for_one(word, expected, deadline, FUTEX_PRIVATE_FLAG);
}

int hkti_os_futex_wait_many(uint32_t *word, uint32_t expected, uint32_t *const shared[],
                            const uint32_t shared_expected[], size_t n, int64_t deadline)
{
#ifdef HKT_SIM
    if (hkti_seam)
        return hkti_seam->futex_wait_many(word, expected, shared, shared_expected, n, deadline);
#endif
    struct waiter waiters[HKTI_OS_FUTEX_MANY + 1] = {
        { .value = expected, .address = (uintptr_t)word, .flags = OF_32_BITS | FUTEX_PRIVATE_FLAG },
    };
    if (hkti_load_relaxed(&no_waitv))
        return -ENOSYS;
    for (size_t i = 0; i < n; i++)
        waiters[i + 1] = (struct waiter){ .value = shared_expected[i],
                                          .address = (uintptr_t)shared[i],
                                          .flags = OF_32_BITS };
    struct timespec at = time_of(deadline);
    int saved = errno;
    long result = syscall(CALL_WAITV, waiters, n + 1, 0, deadline ? &at : NULL, CLOCK_MONOTONIC);
    int err = result < 0 ? errno : 0;
    errno = saved;
    if (err == ENOSYS || err == EPERM) {
        hkti_store_relaxed(&no_waitv, 1);
        return -ENOSYS;
    }
    return err == ETIMEDOUT ? -ETIMEDOUT : 0;
}

int hkti_os_futex_wait_either(uint32_t *word, uint32_t expected, uint32_t *shared,
                              uint32_t shared_expected, int64_t deadline)
{
#ifdef HKT_SIM
    if (hkti_seam && word == NULL)
        return hkti_seam->futex_wait(shared, shared_expected, deadline);
#endif
    if (word == NULL)
        return wait_for_one(shared, shared_expected, deadline, 0);
    return hkti_os_futex_wait_many(word, expected, &shared, &shared_expected, 1, deadline);
}

void hkti_os_futex_wake(uint32_t *word, int count)
{
#ifdef HKT_SIM
    if (hkti_seam) {
        hkti_seam->futex_wake(word, count);
        return;
    }
#endif
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, NULL, NULL, 0);
    errno = saved;
}

void hkti_os_shared_futex_wake(uint32_t *word, int count)
{
#ifdef HKT_SIM
    if (hkti_seam) {
        hkti_seam->futex_wake(word, count);
        return;
    }
#endif
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
    errno = saved;
}
