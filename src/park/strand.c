/* SPDX-License-Identifier: MIT */
/* Strands begin at their thread's first call that needs one, and end with their thread: then the
 * layers above clean up first, and the eventfd is closed. No waker can be at it then: a strand in
 * WAKING does not run on (park/wait.c). */
#include "park/strand.h"

#include <stdio.h>

#include "base/report.h"
#include "park/wait.h"

#ifdef HKT_SIM
#include "os/sim/describe.h"
#endif

static struct hkti_strand_events *all_events;
uint32_t hkti_forked;

void hkti_strand_events_add(struct hkti_strand_events *events)
{
    struct hkti_strand_events **place = &all_events;
    while (*place && (events->last || !(*place)->last))
        place = &(*place)->next;
    events->next = *place;
    *place = events;
}

bool hkti_strand_events_finalize(void)
{
    bool all = true;
    for (struct hkti_strand_events *events = all_events; events; events = events->next)
        if (events->finalize)
            all &= events->finalize();
    return all;
}

void hkti_strand_events_report(void)
{
    for (struct hkti_strand_events *events = all_events; events; events = events->next)
        if (events->report)
            events->report();
}

void hkti_strand_forget(struct hkti_strand *self)
{
    for (struct hkti_strand_events *events = all_events; events; events = events->next)
        if (events->ends)
            events->ends(self);
    if (self->wake_fd)
        hkti_os_close(self->wake_fd - 1);
    self->wake_fd = 0;
    self->registered = 0;
}

static void at_exit(void *local)
{
    if (((struct hkti_strand *)local)->registered)
        hkti_strand_forget(local);
}

#ifdef HKT_SIM
static void describe_local(void *local, char *text, size_t size)
{
    hkti_strand_describe(local, text, size);
}
#endif

void hkti_strand_register(struct hkti_strand *self)
{
#ifdef HKT_SIM
    hkti_sim_describe = describe_local;
    hkti_sim_sentence = hkt_sentence;
#endif
    self->registered = 1;
    self->home = self;
    self->spin = hkti_spin_max();
    self->native_id = hkti_os_native_id();
    /* Without memory for it the strand is not cleaned up at its end, which costs an fd at most. */
    (void)hkti_os_at_thread_exit(at_exit);
    for (struct hkti_strand_events *events = all_events; events; events = events->next)
        if (events->born)
            events->born(self);
}

void hkti_strand_describe(const struct hkti_strand *strand, char *text, size_t size)
{
    const char *what = hkti_load_relaxed(&strand->what);
    if (what == NULL)
        snprintf(text, size, "runs");
    else
        snprintf(text, size, "waits for %s %p%s", what, hkti_load_relaxed(&strand->object),
                 hkti_load_relaxed(&strand->timed) ? ", with a deadline" : "");
}

struct hkti_wait_hook *hkti_hook_find(struct hkti_strand *self, const void *object)
{
    for (int i = 0; i < HKTI_HOOKS; i++)
        if (self->hook_slots[i].object == object)
            return &self->hook_slots[i];
    return NULL;
}

struct hkti_wait_hook *hkti_hook_add(struct hkti_strand *self, void *object)
{
    struct hkti_wait_hook *hook = hkti_hook_find(self, NULL);
    if (hook == NULL)
        hkti_misuse("thread %d holds %d giant locks already: more at a time are not kept track of",
                    self->native_id, HKTI_HOOKS);
    hook->object = object;
    hook->count = 1;
    hkti_list_prepend(&self->hooks, &hook->node);
    return hook;
}

void hkti_hook_remove(struct hkti_wait_hook *hook)
{
    hkti_list_remove(&hook->node);
    hook->object = NULL;
}
