/* SPDX-License-Identifier: MIT */
/* The ear: a thread of hocket's own that waits for shared words in the place of coroutines, whose
 * threads must not sleep for one of them. It begins with the first such wait of the process, sleeps on
 * all their words at once, and wakes the coroutines whose word has changed. */
#ifndef HKTI_PROC_EAR_H
#define HKTI_PROC_EAR_H

#include <stdbool.h>

struct hkti_strand;
struct hkti_wait;

/* What park's hkti_ear is. */
int hkti_ear_wait(struct hkti_strand *self, struct hkti_wait *wait);

/* Ends it; false: somebody waits by it. */
bool hkti_ear_stop(void);

#endif
