/* SPDX-License-Identifier: MIT */
/* Lines of memory, 64 bytes at a multiple of 64, taken and given back in a few nanoseconds by any
 * thread. */
#ifndef HKTI_EXEC_LINES_H
#define HKTI_EXEC_LINES_H

#include "park/strand.h"

#define HKTI_LINE ((size_t)64)

/* NULL: no memory. It is not zero. */
void *hkti_line_allocate(void);
void hkti_line_release(void *line);

/* Those that the calling thread keeps for the next time, given back to the process. */
void hkti_lines_empty(struct hkti_strand *self);
/* At the end of the process: all memory is given back, if no line is in use. */
bool hkti_lines_finalize(void);

#endif
