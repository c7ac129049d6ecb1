/* SPDX-License-Identifier: MIT */
/* Events: a flag that can be waited for. Who waited when it was set is released, even if it is
 * cleared right after. */
#ifndef HOCKET_EVENT_H
#define HOCKET_EVENT_H

#include <hocket/export.h>
#include <hocket/time.h>

HKT_BEGIN_DECLS

/* All zero is a flag not set. Nothing to destroy. */
typedef struct hkt_event {
    uint64_t hkt_private[4];
} hkt_event;

/* Is it set? (Event.is_set) */
HKT_API bool hkt_event_is_set(const hkt_event *event);

/* Sets the flag and releases all who wait. Never waits. (Event.set) */
HKT_API void hkt_event_set(hkt_event *event);

/* Clears the flag. (Event.clear) */
HKT_API void hkt_event_clear(hkt_event *event);

/* Waits until the flag is set: 0, at once if it is; -ECANCELED. A cancellation point.
 * (Event.wait) */
HKT_API int hkt_event_wait(hkt_event *event);

/* The same until a deadline: -ETIMEDOUT when it passes. */
HKT_API int hkt_event_wait_until(hkt_event *event, hkt_deadline deadline);

HKT_END_DECLS
#endif
