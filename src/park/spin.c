/* SPDX-License-Identifier: MIT */
/* See park/spin.h. */
#include "park/spin.h"

#include "base/atomic.h"

#define SAMPLES 5
#define PAUSES 32

/* The quickest of a few samples, since any of them may be interrupted. */
static unsigned measure(void)
{
    int64_t best = INT64_MAX;
    for (int sample = 0; sample < SAMPLES; sample++) {
        int64_t start = hkti_os_now();
        for (int i = 0; i < PAUSES; i++)
            hkti_os_pause();
        int64_t spent = hkti_os_now() - start;
        best = spent < best ? spent : best;
    }
    int64_t pauses = HKTI_SPIN_NS * PAUSES / (best > 0 ? best : 1);
    return pauses < 32 ? 32 : pauses > 2000 ? 2000 : (unsigned)pauses;
}

unsigned hkti_spin_max(void)
{
    static unsigned measured;
#ifdef HKT_SIM
    if (hkti_seam)
        return 2;
#endif
    if (hkti_os_cpu_count() < 2)
        return 0;
    unsigned max = hkti_load_relaxed(&measured);
    if (max == 0) {
        max = measure();
        hkti_store_relaxed(&measured, max);
    }
    return max;
}
