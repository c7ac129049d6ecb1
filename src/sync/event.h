/* SPDX-License-Identifier: MIT */
/* The event as other primitives see it: waiting for it under another name. */
#ifndef HKTI_SYNC_EVENT_H
#define HKTI_SYNC_EVENT_H

#include <hocket/event.h>

/* hkt_event_wait_until, shown from outside as a wait for `what`, a constant string, and `object`. */
int hkti_event_wait_as(hkt_event *event, hkt_deadline deadline, const char *what,
                       const void *object);

#endif
