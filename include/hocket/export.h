/* SPDX-License-Identifier: MIT */
/* What every public header starts from: linkage, visibility, and the mark for results that must
 * not be dropped. These are all the macros that hocket puts into your program, beside a few
 * constants. */
#ifndef HOCKET_EXPORT_H
#define HOCKET_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__cplusplus)
#define HKT_BEGIN_DECLS extern "C" {
#define HKT_END_DECLS }
#else
#define HKT_BEGIN_DECLS
#define HKT_END_DECLS
#endif

/* Visible outside the shared library. */
#define HKT_API __attribute__((visibility("default")))

/* The result says whether you have what you asked for: look at it. */
#define HKT_MUST_USE __attribute__((warn_unused_result))

/* Like printf: argument `text` is the format, the values start at argument `first`. */
#define HKT_PRINTF(text, first) __attribute__((format(printf, text, first)))

#endif
