/* SPDX-License-Identifier: MIT */
/* Once: run a set-up function one time, whoever comes first. */
#ifndef HOCKET_ONCE_H
#define HOCKET_ONCE_H

#include <hocket/export.h>

HKT_BEGIN_DECLS

/* All zero is not done. Nothing to destroy. */
typedef struct hkt_once {
    uint64_t hkt_private[4];
} hkt_once;

/* Runs `function(arg)` unless it has run with success before; others who come meanwhile wait for
 * its end. 0 when it has been done; if it fails, its caller gets the error, and the next to come
 * tries again. Calling it again from within the function is -EDEADLK. -ECANCELED only for those who
 * wait. A cancellation point. */
HKT_API int hkt_once_call(hkt_once *once, int (*function)(void *), void *arg);

/* Has it been done? After true, what the function wrote is visible. */
HKT_API bool hkt_once_done(const hkt_once *once);

HKT_END_DECLS
#endif
