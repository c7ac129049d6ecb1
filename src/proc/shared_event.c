/* SPDX-License-Identifier: MIT */
/* The event between processes: one word, the flag and above it how often it has been set; and a bell.
 * Who waits goes on when the flag is set, or was since it came. Who sets it is done with one change of
 * the word; if it is killed before it has rung, its end rings.
 *
 * Who may touch what: the word by everybody, atomically. */
#include <errno.h>
#include <hocket/shared_event.h>

#include "base/seconds.h"
#include "park/scope.h"
#include "proc/bell.h"

/* What hkt_shared_event is. */
struct __attribute__((may_alias)) hkti_shared_event {
    struct hkti_bell bell;
    uint64_t state;
    uint64_t reserved[2];
};

_Static_assert(sizeof(struct hkti_shared_event) == sizeof(hkt_shared_event), "these are one");

#define SET UINT64_C(1)

bool hkt_shared_event_is_set(const hkt_shared_event *public)
{
    /* pairs: shared-event */
    return hkti_load_acquire(&((const struct hkti_shared_event *)public)->state) & SET;
}

void hkt_shared_event_set(hkt_shared_event *public)
{
    struct hkti_shared_event *event = (struct hkti_shared_event *)public;
    uint64_t state, next;
    do {
        state = hkti_load_relaxed(&event->state);
        next = state & SET ? state : (state + 2) | SET;
    } while (!hkti_cas_seq_cst(&event->state, state, next)); /* pairs: bell, shared-event */
    if (next != state)
        hkti_bell_ring(&event->bell, INT32_MAX);
}

void hkt_shared_event_clear(hkt_shared_event *public)
{
    struct hkti_shared_event *event = (struct hkti_shared_event *)public;
    hkti_fetch_and_relaxed(&event->state, ~SET);
}

static int wait_for_set(struct hkti_shared_event *event, uint64_t state, int64_t deadline)
{
    struct hkti_listener listener;
    int err = 0;
    bool set;
    hkti_bell_listen(&event->bell, HKTI_STAKE_WAIT, &listener);
    /* pairs: bell, shared-event */
    while (!(set = hkti_load_seq_cst(&event->state) != state) && err == 0)
        err = hkti_bell_wait(&listener, "shared event", event, deadline, true);
    hkti_bell_leave(&listener, true);
    return set ? 0 : err;
}

int hkt_shared_event_wait_until(hkt_shared_event *public, hkt_deadline deadline)
{
    struct hkti_shared_event *event = (struct hkti_shared_event *)public;
    int err = hkti_cancelled(deadline.ns);
    if (err < 0)
        return err;
    uint64_t state = hkti_load_acquire(&event->state); /* pairs: shared-event */
    if (state & SET)
        return 0;
    return deadline.ns == HKTI_PASSED ? -ETIMEDOUT : wait_for_set(event, state, deadline.ns);
}

int hkt_shared_event_wait(hkt_shared_event *event)
{
    return hkt_shared_event_wait_until(event, (hkt_deadline){ 0 });
}
