/* SPDX-License-Identifier: MIT */
/* The report sink.
 *
 * State: the sink and its context, set before other threads run (the public contract), read by all.
 * A line is made whole in a buffer of the caller's stack and handed over in one call, so that lines
 * of several threads do not mix. */
#include "base/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void to_stderr(void *context, const char *line)
{
    (void)context;
    fprintf(stderr, "%s\n", line);
}

static hkt_report_sink *sink = to_stderr;
static void *sink_context;

void hkt_set_report_sink(hkt_report_sink *new_sink, void *context)
{
    sink = new_sink ? new_sink : to_stderr;
    sink_context = context;
}

static void report(const char *format, va_list values)
{
    char line[256] = "hocket: ";
    vsnprintf(line + 8, sizeof line - 8, format, values);
    sink(sink_context, line);
}

void hkti_report_line(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    report(format, values);
    va_end(values);
}

_Noreturn void hkti_misuse(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    report(format, values);
    va_end(values);
    abort();
}
