/* SPDX-License-Identifier: MIT */
/* Which hocket this is: at compile time the macros, at run time the functions. */
#ifndef HOCKET_VERSION_H
#define HOCKET_VERSION_H

#include <hocket/export.h>

#define HKT_VERSION_MAJOR 0
#define HKT_VERSION_MINOR 1
#define HKT_VERSION_PATCH 0
/* One number to compare: 0x00MMmmpp. */
#define HKT_VERSION_NUMBER                                                                         \
    ((HKT_VERSION_MAJOR << 16) | (HKT_VERSION_MINOR << 8) | HKT_VERSION_PATCH)

HKT_BEGIN_DECLS

/* The version of the library that runs, as "0.1.0". A constant string. Callable from anywhere, a
 * signal handler too. */
HKT_API const char *hkt_version(void);

/* The same as HKT_VERSION_NUMBER, of the library that runs. */
HKT_API unsigned hkt_version_number(void);

HKT_END_DECLS
#endif
