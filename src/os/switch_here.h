/* SPDX-License-Identifier: MIT */
/* hkti_switch_here: hkti_switch, but in line where the processor has that, for functions that are not
 * inlined themselves. What was left by the one is gone on with by the same. */
#ifndef HKTI_OS_SWITCH_HERE_H
#define HKTI_OS_SWITCH_HERE_H

#if defined(__x86_64__)
#include "os/x86_64/switch_here.h"
#else
#include "os/switch.h"

static inline void hkti_switch_here(struct hkti_context *from, const struct hkti_context *to,
                                    void *value)
{
    (void)hkti_switch(from, to, value);
}
#endif

#endif
