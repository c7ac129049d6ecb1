/* SPDX-License-Identifier: MIT */
/* Attending to an engine in another address space: attend.h. */
#include "exec/attend.h"

#include "base/seconds.h"
#include "exec/executor.h"
#include "park/spin.h"

/* How long to look before sleeping, in spins of other waiters: a job there costs two trips. */
#define SPINS 3

static const struct hkti_attend_ops *ops_of(const struct hkti_attendance *attendance)
{
    return &attendance->executor->ops->remote->attend;
}

void hkti_attend_hold(struct hkti_attendance *attendance, hkt_future *future)
{
    if (hkti_self()->sleeper || !hkti_future_hold(future))
        return;
    attendance->executor = future->executor;
    ops_of(attendance)->hold(attendance->executor);
    hkti_future_unhold(future);
}

void hkti_attend_drop(struct hkti_attendance *attendance)
{
    if (attendance->executor)
        ops_of(attendance)->drop(attendance->executor);
    attendance->executor = NULL;
}

void hkti_attend_begin(struct hkti_attendance *attendance, int64_t deadline)
{
    attendance->attends = attendance->executor && deadline != HKTI_PASSED &&
                          hkti_self()->sleeper == NULL;
    if (attendance->attends)
        ops_of(attendance)->begin(attendance->executor);
}

static void wake_up(struct hkti_attendance *attendance)
{
    if (attendance->word.word)
        ops_of(attendance)->woke(attendance->executor);
    attendance->word.word = NULL;
}

void hkti_attend_end(struct hkti_attendance *attendance)
{
    if (!attendance->attends)
        return;
    wake_up(attendance);
    ops_of(attendance)->end(attendance->executor);
    attendance->attends = false;
}

void hkti_attend_prepare(struct hkti_attendance *attendance, struct hkti_wait *wait,
                         bool (*is_over)(void *arg), void *arg)
{
    if (!attendance->attends)
        return;
    const struct hkti_attend_ops *ops = ops_of(attendance);
    hkt_executor *executor = attendance->executor;
    unsigned pauses = SPINS * hkti_spin_max(), part = pauses / SPINS / 2 + 1;
    wake_up(attendance);
    ops->look(executor);
    for (unsigned i = 1; i <= pauses && !is_over(arg); i++) {
        if (i % part == 0)
            hkti_os_yield(0);
        else
            hkti_os_pause();
        ops->look(executor);
    }
    if (is_over(arg))
        return;
    ops->sleeps(executor, &attendance->word);
    ops->look(executor);
    wait->shared = &attendance->word;
    wait->no_spin = true;
}
