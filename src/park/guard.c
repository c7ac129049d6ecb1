/* SPDX-License-Identifier: MIT */
/* The guard when it is not free: try a few times with growing gaps, then sleep. */
#include "park/guard.h"

#include "os/os.h"
#include "park/spin.h"

void hkti_guard_contend(uint32_t *guard)
{
    for (unsigned round = 0; hkti_spin(&round, HKTI_TRY_ROUNDS);)
        if (hkti_load_relaxed(guard) == 0 && hkti_cas_acquire(guard, 0, 1)) /* pairs: guard */
            return;
    while (hkti_exchange_acquire(guard, 2) != 0) /* pairs: guard */
        hkti_os_futex_wait(guard, 2, 0);
}

void hkti_guard_wake(uint32_t *guard)
{
    hkti_os_futex_wake(guard, 1);
}
