/* SPDX-License-Identifier: MIT */
/* Arithmetic of time: seconds as double to nanoseconds as int64, without overflow. */
#ifndef HKTI_BASE_SECONDS_H
#define HKTI_BASE_SECONDS_H

#include <hocket/time.h>
#include <stdint.h>

#define HKTI_SECOND INT64_C(1000000000)
#define HKTI_MILLISECOND INT64_C(1000000)

/* The deadline that has passed, whatever the clock says. */
#define HKTI_PASSED INT64_C(1)

/* seconds after `now`, as a deadline: HKTI_PASSED for zero and less, 0 (never) for what the clock
 * cannot count to. NaN is the caller's to refuse. */
static inline int64_t hkti_deadline_after(int64_t now, double seconds)
{
    if (seconds <= 0)
        return HKTI_PASSED;
    double ns = seconds * 1e9;
    if (ns >= 9.2e18 || (int64_t)ns > INT64_MAX - now)
        return 0;
    return now + (int64_t)ns;
}

/* The earlier of two deadlines. */
static inline int64_t hkti_earlier(int64_t a, int64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

#endif
