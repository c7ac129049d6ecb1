/* SPDX-License-Identifier: MIT */
/* Futexes of this process, by system call: FUTEX_WAIT_BITSET takes an absolute deadline of the
 * monotonic clock. A kernel that refuses them altogether leaves nothing to build on: abort. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/report.h"
#include "base/seam.h"
#include "os/os.h"

int hkti_os_futex_wait(uint32_t *word, uint32_t expected, int64_t deadline)
{
#ifdef HKT_SIM
    if (hkti_seam)
        return hkti_seam->futex_wait(word, expected, deadline);
#endif
    struct timespec at = { .tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000 };
    int saved = errno;
    long result = syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
                          deadline ? &at : NULL, NULL, FUTEX_BITSET_MATCH_ANY);
    int err = result < 0 ? errno : 0;
    errno = saved;
    if (err == ENOSYS || err == EPERM)
        hkti_misuse("the system refuses futexes (error %d): nothing here can wait", err);
    return err == ETIMEDOUT ? -ETIMEDOUT : 0;
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
