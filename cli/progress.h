/* SPDX-License-Identifier: MIT */
/* Standard error: one line of progress, rewritten while there is something to wait for, and lines
 * said between. Without a terminal there are only the lines. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <hocket/export.h>

/* From here to progress_close the line may be shown. By the main thread. */
void progress_open(void);
void progress_close(void);

/* What is being done now, and out of how much (0: nobody knows; then the count so far is shown).
 * A short phase is never seen. By the main thread. */
void progress_phase(uint64_t total, const char *format, ...) HKT_PRINTF(2, 3);

/* The phase is over; the line is gone when this returns. By the main thread. */
void progress_clear(void);

/* So much more of the phase is done. By any thread; costs nothing when nothing is shown. */
void progress_add(uint64_t n);

/* A line "hocket: ..." to standard error; the line of progress makes room. By any thread. */
void progress_say(const char *format, ...) HKT_PRINTF(1, 2);

#endif
