/* SPDX-License-Identifier: MIT */
/* Events between processes: a flag in shared memory that can be waited for. All zero is one not set.
 * Who waited when it was set is released, even if it is cleared right after. */
#ifndef HOCKET_SHARED_EVENT_H
#define HOCKET_SHARED_EVENT_H

#include <hocket/export.h>
#include <hocket/time.h>

HKT_BEGIN_DECLS

typedef struct hkt_shared_event {
    uint64_t hkt_private[4];
} hkt_shared_event;

/* Is it set? Sets it and releases all who wait; clears it. Never wait. (multiprocessing.Event) */
HKT_API bool hkt_shared_event_is_set(const hkt_shared_event *event);
HKT_API void hkt_shared_event_set(hkt_shared_event *event);
HKT_API void hkt_shared_event_clear(hkt_shared_event *event);

/* Waits until it is set: 0, at once if it is; -ECANCELED; -ETIMEDOUT. Cancellation points.
 * (Event.wait) */
HKT_API int hkt_shared_event_wait(hkt_shared_event *event);
HKT_API int hkt_shared_event_wait_until(hkt_shared_event *event, hkt_deadline deadline);

HKT_END_DECLS
#endif
