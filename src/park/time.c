/* SPDX-License-Identifier: MIT */
/* Deadlines, and the simplest wait: for time alone. */
#include <errno.h>
#include <hocket/time.h>
#include <math.h>

#include "base/report.h"
#include "base/seconds.h"
#include "park/scope.h"
#include "park/wait.h"

hkt_deadline hkt_after(double seconds)
{
    if (seconds != seconds)
        hkti_misuse("hkt_after: the number of seconds is NaN");
    return (hkt_deadline){ seconds <= 0 ? HKTI_PASSED
                                        : hkti_deadline_after(hkti_os_now(), seconds) };
}

hkt_deadline hkt_deadline_after(hkt_deadline from, double seconds)
{
    if (seconds != seconds)
        hkti_misuse("hkt_deadline_after: the number of seconds is NaN");
    if (from.ns == 0 || seconds <= 0)
        return from;
    int64_t start = from.ns == HKTI_PASSED ? hkti_os_now() : from.ns;
    return (hkt_deadline){ hkti_deadline_after(start, seconds) };
}

double hkt_remaining(hkt_deadline deadline)
{
    if (deadline.ns == 0)
        return (double)INFINITY;
    int64_t now = hkti_os_now();
    return deadline.ns > now ? (double)(deadline.ns - now) / 1e9 : 0;
}

bool hkt_deadline_passed(hkt_deadline deadline)
{
    return deadline.ns != 0 && deadline.ns <= hkti_os_now();
}

double hkt_monotonic(void)
{
    return (double)hkti_os_now() / 1e9;
}

int hkt_sleep_until(hkt_deadline deadline)
{
    int err = hkti_cancelled(0);
    if (err < 0 || deadline.ns == HKTI_PASSED)
        return err;
    struct hkti_wait wait = {
        .what = "sleep", .deadline = deadline.ns, .cancellable = true, .no_spin = true
    };
    err = hkti_wait(&wait);
    return err == -ETIMEDOUT ? 0 : err;
}

int hkt_sleep(double seconds)
{
    return hkt_sleep_until(hkt_after(seconds));
}
