/* SPDX-License-Identifier: MIT */
/* How a context goes from who starts something to what is started:
 *
 *     job->context = hkti_context_hold();                        by who submits
 *
 *     struct hkti_context_node *kept = self->context;            around the job, in its strand
 *     self->context = job->context;
 *     ... run it ...
 *     hkti_context_drop(self->context);                          it may have changed
 *     self->context = kept;
 */
#ifndef HKTI_THREAD_CONTEXT_H
#define HKTI_THREAD_CONTEXT_H

#include <hocket/context.h>

#include "park/strand.h"

struct hkti_context_node *hkti_context_hold_node(struct hkti_context_node *node);
void hkti_context_drop_node(struct hkti_context_node *node);

/* The calling strand's values, with one more reference; NULL: there are none. */
static inline struct hkti_context_node *hkti_context_hold(void)
{
    struct hkti_context_node *node = ((struct hkti_strand *)hkti_os_local())->context;
    return __builtin_expect(node == NULL, 1) ? NULL : hkti_context_hold_node(node);
}

/* Gives a reference back; NULL is fine. */
static inline void hkti_context_drop(struct hkti_context_node *node)
{
    if (__builtin_expect(node != NULL, 0))
        hkti_context_drop_node(node);
}

#endif
