/* SPDX-License-Identifier: MIT */
/* A thread seen from outside. What it waits for is read from its strand, which is there while the
 * thread is in the registry: so under the registry's guard. The fields are written by the strand
 * one by one (park/wait.c); what is read belongs together but for moments. Who sees a thread wait
 * also sees what it did before. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "park/guard.h"
#include "thread/thread.h"

const char *hkt_thread_state_name(hkt_thread_state state)
{
    static const char *const names[] = { "new", "runnable", "blocked", "timed waiting",
                                         "terminated" };
    return state <= HKT_THREAD_TERMINATED ? names[state] : "unknown";
}

/* Under the registry's guard. */
static void look(const struct hkt_thread *thread, hkt_thread_info *info)
{
    uint32_t state = hkti_load_acquire(&thread->state); /* pairs: thread-end */
    *info = (hkt_thread_info){ .ident = thread->ident,
                               .native_id = hkti_load_relaxed(&thread->native_id),
                               .daemon = thread->daemon,
                               .foreign = thread->foreign,
                               .state = state == HKTI_THREAD_NEW     ? HKT_THREAD_NEW
                                        : state == HKTI_THREAD_ENDED ? HKT_THREAD_TERMINATED
                                                                     : HKT_THREAD_RUNNABLE };
    memcpy(info->name, thread->name, sizeof info->name);
    const struct hkti_strand *strand = thread->strand;
    const char *what = strand ? hkti_load_acquire(&strand->what) : NULL; /* pairs: shown */
    if (what == NULL)
        return;
    info->state = hkti_load_relaxed(&strand->timed) ? HKT_THREAD_TIMED_WAITING : HKT_THREAD_BLOCKED;
    info->waits_for = what;
    info->object = hkti_load_relaxed(&strand->object);
    info->since = (double)hkti_load_relaxed(&strand->since) / 1e9;
}

void hkt_thread_get_info(const hkt_thread *thread, hkt_thread_info *info)
{
    hkt_thread_native_id(thread);
    hkti_guard_acquire(&hkti_registry_guard);
    look(thread, info);
    hkti_guard_release(&hkti_registry_guard);
}

hkt_thread_state hkt_thread_get_state(const hkt_thread *thread)
{
    hkt_thread_info info;
    hkt_thread_get_info(thread, &info);
    return info.state;
}

size_t hkt_thread_enumerate(hkt_thread_info *infos, size_t n)
{
    size_t count = 0;
    hkti_guard_acquire(&hkti_registry_guard);
    for (struct hkti_node *node = hkti_registry.next; node && node != &hkti_registry;
         node = node->next, count++)
        if (count < n)
            look(HKTI_CONTAINER(node, struct hkt_thread, node), &infos[count]);
    hkti_guard_release(&hkti_registry_guard);
    return count;
}

size_t hkt_thread_active_count(void)
{
    return hkt_thread_enumerate(NULL, 0);
}

static void report(const hkt_thread_info *info, double now)
{
    char waits[96] = "";
    if (info->waits_for)
        snprintf(waits, sizeof waits, ": %s %p, since %.3f s", info->waits_for, info->object,
                 now - info->since);
    hkti_report_line("thread %d \"%s\"%s%s is %s%s", info->native_id, info->name,
                     info->daemon ? ", daemon," : "", info->foreign ? ", foreign," : "",
                     hkt_thread_state_name(info->state), waits);
}

void hkt_thread_report_all(void)
{
    size_t room = hkt_thread_active_count() + 16; /* for those who come meanwhile */
    hkt_thread_info *infos = hkti_allocate(room * sizeof *infos);
    if (infos == NULL) {
        hkti_report_line("no memory to report %zu threads", room);
        return;
    }
    size_t count = hkt_thread_enumerate(infos, room);
    double now = hkt_monotonic();
    for (size_t i = 0; i < count && i < room; i++)
        report(&infos[i], now);
    hkti_report_line("%zu threads in all", count);
    hkti_release(infos, room * sizeof *infos);
    hkti_strand_events_report();
}

bool hkt_thread_is_alive(const hkt_thread *thread)
{
    return hkti_load_acquire(&thread->state) == HKTI_THREAD_STARTED; /* pairs: thread-end */
}

const char *hkt_thread_name(const hkt_thread *thread)
{
    return thread->name;
}

int hkt_thread_set_name(hkt_thread *thread, const char *name)
{
    if (name == NULL)
        return -EINVAL;
    hkti_thread_keep_name(thread, name);
    if (thread == hkti_thread_self())
        hkti_os_set_name(name);
    else if (hkt_thread_is_alive(thread))
        hkti_os_set_name_of(hkt_thread_native_id(thread), name);
    return 0;
}

uint64_t hkt_thread_ident(const hkt_thread *thread)
{
    return thread->ident;
}

int hkt_thread_native_id(const hkt_thread *thread)
{
    int id;
    /* Known as soon as the thread runs, which it does soon after its start. pairs: native-id */
    for (unsigned turns = 0; (id = hkti_load_acquire(&thread->native_id)) == 0; turns++) {
        if (hkti_load_relaxed(&thread->state) == HKTI_THREAD_NEW)
            return 0;
        hkti_os_yield(turns);
    }
    return id;
}

bool hkt_thread_daemon(const hkt_thread *thread)
{
    return thread->daemon;
}

int hkt_thread_set_daemon(hkt_thread *thread, bool daemon)
{
    if (hkti_load_relaxed(&thread->state) != HKTI_THREAD_NEW)
        return -EBUSY;
    thread->daemon = daemon;
    return 0;
}
