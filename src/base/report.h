/* SPDX-License-Identifier: MIT */
/* The report sink, and the end of the program when going on would corrupt. */
#ifndef HKTI_BASE_REPORT_H
#define HKTI_BASE_REPORT_H

#include <hocket/error.h>

/* One line to the sink: "hocket: " is put before it. At most 240 bytes, the rest is cut. */
void hkti_report_line(const char *format, ...) HKT_PRINTF(1, 2);

/* Misuse: one sentence that names object, call and rule, then abort. */
_Noreturn void hkti_misuse(const char *format, ...) HKT_PRINTF(1, 2);

#endif
