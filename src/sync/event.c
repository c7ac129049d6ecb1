/* SPDX-License-Identifier: MIT */
/* The event: a flag that is written under the guard, and read without it by those who find it set.
 * A set takes all waiters out, so a clear right after does not reach them.
 *
 * Who has waited may free the event at once. So a wait that finds the flag set also looks whether
 * the setter still has the guard, and if so goes through it: the setter's release of the guard is
 * its last touch. (It took the guard before it set the flag, so who sees the flag sees that, or
 * the release.) */
#include "sync/event.h"

#include <errno.h>

#include "base/seconds.h"
#include "park/scope.h"
#include "park/wait.h"

/* What hkt_event is. */
struct __attribute__((may_alias)) hkti_event {
    uint32_t flag;
    uint32_t guard;
    struct hkti_wait_list waiters;
    uint64_t reserved;
};

_Static_assert(sizeof(struct hkti_event) == sizeof(hkt_event), "these are one");

bool hkt_event_is_set(const hkt_event *public)
{
    return hkti_load_acquire(&((const struct hkti_event *)public)->flag); /* pairs: event */
}

void hkt_event_set(hkt_event *public)
{
    struct hkti_event *event = (struct hkti_event *)public;
    struct hkti_wait_list taken = { 0 };
    hkti_guard_acquire(&event->guard);
    hkti_store_release(&event->flag, 1); /* pairs: event */
    hkti_wait_list_take(&event->waiters, SIZE_MAX, 0, &taken);
    hkti_guard_release(&event->guard);
    hkti_wake_all(&taken);
}

void hkt_event_clear(hkt_event *public)
{
    struct hkti_event *event = (struct hkti_event *)public;
    hkti_guard_acquire(&event->guard);
    hkti_store_relaxed(&event->flag, 0);
    hkti_guard_release(&event->guard);
}

/* Set, and whoever set it has left. */
static inline bool is_settled(const struct hkti_event *event)
{
    return hkti_load_acquire(&event->flag) &&     /* pairs: event */
           hkti_load_acquire(&event->guard) == 0; /* pairs: guard */
}

int hkti_event_wait_as(hkt_event *public, hkt_deadline deadline, const char *what,
                       const void *object)
{
    struct hkti_event *event = (struct hkti_event *)public;
    int err = hkti_cancelled(deadline.ns);
    if (err < 0 || is_settled(event))
        return err;
    if (!hkt_event_is_set(public) && deadline.ns == HKTI_PASSED)
        return -ETIMEDOUT;
    hkti_guard_acquire(&event->guard);
    if (hkti_load_relaxed(&event->flag)) {
        hkti_guard_release(&event->guard);
        return 0;
    }
    struct hkti_wait wait = { .what = what,
                              .object = object,
                              .list = &event->waiters,
                              .guard = &event->guard,
                              .deadline = deadline.ns,
                              .cancellable = true };
    return hkti_wait(&wait);
}

int hkt_event_wait_until(hkt_event *public, hkt_deadline deadline)
{
    int err = hkti_cancelled(deadline.ns);
    if (err < 0 || is_settled((struct hkti_event *)public))
        return err;
    return hkti_event_wait_as(public, deadline, "event", public);
}

int hkt_event_wait(hkt_event *event)
{
    return hkt_event_wait_until(event, (hkt_deadline){ 0 });
}
