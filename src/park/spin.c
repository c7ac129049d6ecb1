/* SPDX-License-Identifier: MIT */
/* See park/spin.h. */
#include "park/spin.h"

#include "base/seam.h"

unsigned hkti_spin_limit(unsigned wanted)
{
#ifdef HKT_SIM
    if (hkti_seam)
        return wanted < 2 ? wanted : 2;
#endif
    return hkti_os_cpu_count() > 1 ? wanted : 0;
}
