/* SPDX-License-Identifier: MIT */
/* What may be a job's argument in another process. */
#ifndef HKTI_PROC_PROCESS_POOL_ARGUMENT_H
#define HKTI_PROC_PROCESS_POOL_ARGUMENT_H

#include <stddef.h>

/* 0, and *size is how much is to be copied: nothing of what lies in shared memory. -EINVAL with a
 * sentence. */
int hkti_argument_check(const void *arg, size_t *size);

#endif
