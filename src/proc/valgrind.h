/* SPDX-License-Identifier: MIT */
/* RUNNING_ON_VALGRIND: 0 outside valgrind, and where its header was missing at the build. */
#ifndef HKTI_PROC_VALGRIND_H
#define HKTI_PROC_VALGRIND_H

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

#endif
