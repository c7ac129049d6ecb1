/* SPDX-License-Identifier: MIT */
/* What the layers above may tell the simulator: functions that they set, NULL at first. */
#ifndef HKTI_OS_SIM_DESCRIBE_H
#define HKTI_OS_SIM_DESCRIBE_H

#include <stddef.h>

/* Says in words what the strand with this local memory waits for. Called when nobody runs. */
extern void (*hkti_sim_describe)(void *local, char *text, size_t size);

/* The sentence that the calling strand left beside this error. */
extern const char *(*hkti_sim_sentence)(int err);

/* Called before and after each schedule, outside it, also after one that failed and whose strands
 * were dropped: for process-wide state (lists of threads) that a schedule must find as if its
 * process had just begun, and must not leave behind. */
extern void (*hkti_sim_begin)(void);
extern void (*hkti_sim_end)(void);

#endif
