/* SPDX-License-Identifier: MIT */
/* The crowd: crowd.h has its rules. A future that ends puts its entry at the end of the ready list,
 * under both guards, and wakes the waiter if that was what he waits for; so each comes once, and in
 * order. */
#include "exec/crowd.h"

#include <errno.h>

#include "base/seconds.h"

void hkti_crowd_init(struct hkti_crowd *crowd)
{
    *crowd = (struct hkti_crowd){ .wanted = SIZE_MAX };
    crowd->end = &crowd->first;
}

void hkti_crowd_end(struct hkti_crowd *crowd)
{
    hkti_attend_drop(&crowd->attendance);
}

static bool has_failed(hkt_future *future)
{
    return !hkt_future_cancelled(future) && future->result < 0;
}

/* Under the guard: what the waiter waits for has come. */
static bool is_enough(const struct hkti_crowd *crowd)
{
    return crowd->ready >= crowd->wanted || (crowd->failed && crowd->or_failed);
}

static void become_ready(struct hkti_crowd_entry *entry, hkt_future *future)
{
    struct hkti_crowd *crowd = entry->crowd;
    struct hkti_strand *waiter = NULL;
    hkti_guard_acquire(&crowd->guard);
    entry->next = NULL;
    *crowd->end = entry;
    crowd->end = &entry->next;
    crowd->ready++;
    crowd->failed |= has_failed(future);
    if (is_enough(crowd))
        waiter = hkti_wait_list_pop(&crowd->waiter);
    hkti_guard_release(&crowd->guard);
    if (waiter)
        hkti_wake(waiter);
}

static void done(struct hkti_watch *watch, hkt_future *future)
{
    become_ready(HKTI_CONTAINER(watch, struct hkti_crowd_entry, watch), future);
}

void hkti_crowd_add(struct hkti_crowd *crowd, struct hkti_crowd_entry *entry, hkt_future *future)
{
    *entry = (struct hkti_crowd_entry){ .crowd = crowd, .future = future, .watch.done = done };
    if (hkti_future_is_remote(future) && crowd->attendance.executor == NULL)
        hkti_attend_hold(&crowd->attendance, future);
    if (hkti_future_watch(future, &entry->watch) == 1)
        become_ready(entry, future);
}

void hkti_crowd_remove(struct hkti_crowd_entry *entry)
{
    hkti_future_unwatch(entry->future, &entry->watch);
}

/* 0, -ETIMEDOUT, -ECANCELED; 1: to be asked again. */
static int await_once(struct hkti_crowd *crowd, const struct hkti_wait *how)
{
    struct hkti_wait wait = *how;
    hkti_guard_acquire(&crowd->guard);
    bool enough = is_enough(crowd);
    if (!enough && wait.deadline != HKTI_PASSED)
        return hkti_wait(&wait);
    hkti_guard_release(&crowd->guard);
    return enough ? 0 : -ETIMEDOUT;
}

static bool has_enough(void *arg)
{
    struct hkti_crowd *crowd = arg;
    hkti_guard_acquire(&crowd->guard);
    bool enough = is_enough(crowd);
    hkti_guard_release(&crowd->guard);
    return enough;
}

int hkti_crowd_await(struct hkti_crowd *crowd, size_t many, bool or_failed,
                     struct hkti_wanted *wanted, hkt_deadline deadline)
{
    struct hkti_wait wait = { .what = "futures",
                              .object = crowd,
                              .list = &crowd->waiter,
                              .guard = &crowd->guard,
                              .deadline = deadline.ns,
                              .cancellable = true };
    int err = deadline.ns == HKTI_PASSED ? 0 : hkti_futures_prepare(wanted, &wait.for_jobs);
    if (err == 0) {
        hkti_guard_acquire(&crowd->guard);
        crowd->wanted = many;
        crowd->or_failed = or_failed;
        hkti_guard_release(&crowd->guard);
        hkti_attend_begin(&crowd->attendance, deadline.ns);
        do {
            hkti_attend_prepare(&crowd->attendance, &wait, has_enough, crowd);
            err = await_once(crowd, &wait);
        } while (err == 1);
        hkti_attend_end(&crowd->attendance);
    }
    hkti_futures_waited();
    return err;
}

struct hkti_crowd_entry *hkti_crowd_pop(struct hkti_crowd *crowd)
{
    hkti_guard_acquire(&crowd->guard);
    struct hkti_crowd_entry *first = crowd->first;
    if (first) {
        crowd->first = first->next;
        crowd->ready--;
        if (crowd->first == NULL)
            crowd->end = &crowd->first;
    }
    hkti_guard_release(&crowd->guard);
    return first;
}
