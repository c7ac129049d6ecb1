/* SPDX-License-Identifier: MIT */
/* The list of threads alive, under a guard of its own, which is held for as long as it takes to
 * walk it.
 *
 * Every strand has a record from its birth on: that of a hocket thread was made before; that of
 * main is static, so that it is there before main's first call; that of a foreign thread lies in
 * its own local memory, after the strand. */
#include <errno.h>
#include <stdio.h>

#include "base/report.h"
#include "park/guard.h"
#include "sync/checked.h"
#include "thread/thread.h"

#ifdef HKT_SIM
#include "os/sim/describe.h"
#endif

_Static_assert(sizeof(struct hkt_thread) <= HKTI_OS_LOCAL_SIZE / 2, "a record is local memory");

uint32_t hkti_registry_guard;
struct hkti_node hkti_registry;
size_t hkti_registry_departing;
static uint64_t last_ident;
static size_t ours; /* threads started by hocket, in the list or departing */

static struct hkt_thread main_thread = { .foreign = true,
                                         .state = HKTI_THREAD_STARTED,
                                         .name = "main" };
static struct hkt_thread *main_record = &main_thread;

void hkti_registry_add(struct hkt_thread *thread)
{
    hkti_guard_acquire(&hkti_registry_guard);
    if (thread->ident == 0)
        thread->ident = ++last_ident;
    hkti_list_append(&hkti_registry, &thread->node);
    ours += !thread->foreign;
    hkti_guard_release(&hkti_registry_guard);
}

void hkti_registry_remove(struct hkt_thread *thread)
{
    hkti_guard_acquire(&hkti_registry_guard);
    hkti_list_remove(&thread->node);
    thread->strand = NULL;
    hkti_registry_departing += !thread->foreign;
    hkti_guard_release(&hkti_registry_guard);
}

void hkti_registry_gone(void)
{
    hkti_guard_acquire(&hkti_registry_guard);
    hkti_registry_departing--;
    ours--;
    hkti_guard_release(&hkti_registry_guard);
}

size_t hkti_registry_ours(size_t *departing)
{
    hkti_guard_acquire(&hkti_registry_guard);
    size_t count = ours;
    *departing = hkti_registry_departing;
    hkti_guard_release(&hkti_registry_guard);
    return count;
}

static void born(struct hkti_strand *self)
{
    struct hkt_thread *thread = self->thread;
    if (thread == NULL && hkti_os_is_main())
        thread = &main_thread;
    if (thread == NULL) {
        thread = (struct hkt_thread *)((char *)hkti_os_local() + HKTI_OS_LOCAL_SIZE / 2);
        *thread = (struct hkt_thread){ .foreign = true, .state = HKTI_THREAD_STARTED };
        hkti_registry_add(thread);
        snprintf(thread->name, sizeof thread->name, "Foreign-%llu",
                 (unsigned long long)thread->ident);
    }
    self->thread = thread;
    hkti_guard_acquire(&hkti_registry_guard);
    thread->strand = self;
    hkti_store_release(&thread->native_id, self->native_id); /* pairs: native-id */
    hkti_guard_release(&hkti_registry_guard);
}

/* A foreign thread ends; those of hocket have been removed before. */
static void ends(struct hkti_strand *self)
{
    struct hkt_thread *thread = self->thread;
    hkti_locals_end(self);
    uint64_t held = hkti_checked_ends(self);
    if (held)
        hkti_report_line("thread %d ends with %llu locks in its hand", self->native_id,
                         (unsigned long long)held);
    if (thread == &main_thread)
        thread->strand = NULL; /* its record stays */
    else if (thread && thread->foreign)
        hkti_registry_remove(thread);
    self->thread = NULL;
}

#ifdef HKT_SIM
/* A simulated process has a registry of its own; that of the real one is put aside meanwhile. */
static struct {
    struct hkti_node *next, *prev;
    uint64_t last_ident;
    size_t ours;
} aside;

static void simulation_begins(void)
{
    aside.next = hkti_registry.next;
    aside.prev = hkti_registry.prev;
    aside.last_ident = last_ident;
    aside.ours = ours;
    hkti_registry_guard = 0;
    hkti_registry = (struct hkti_node){ 0 };
    hkti_registry_departing = 0;
    last_ident = 0;
    ours = 0;
}

static void simulation_ends(void)
{
    hkti_registry_guard = 0;
    hkti_registry.next = aside.next;
    hkti_registry.prev = aside.prev;
    last_ident = aside.last_ident;
    hkti_registry_departing = 0;
    ours = aside.ours;
}
#endif

/* The child of a raw fork has one thread, which is its main one from now on. If hocket's threads
 * ran, or it was forked in a task, whose loop would share its fds with the parent's, it may only exec;
 * else the list begins anew, since the other records lay in stacks that are
 * gone. */
static void in_fork_child(void)
{
    struct hkti_strand *self = hkti_os_local();
    if (ours > 0 || self->coroutine)
        hkti_store_relaxed(&hkti_forked, 1);
    hkti_registry_guard = 0;
    hkti_registry = (struct hkti_node){ 0 };
    main_record = self->registered ? self->thread : &main_thread;
    main_record->native_id = self->native_id = hkti_os_native_id();
    main_record->node = (struct hkti_node){ 0 };
    hkti_list_append(&hkti_registry, &main_record->node);
}

static struct hkti_strand_events events = { .born = born, .ends = ends };

/* Before main, in the thread that will run it. */
__attribute__((constructor(200))) static void begin(void)
{
    hkti_strand_events_add(&events);
#ifdef HKT_SIM
    hkti_sim_begin = simulation_begins;
    hkti_sim_end = simulation_ends;
#endif
    (void)hkti_os_at_fork(in_fork_child);
    main_thread.native_id = hkti_os_native_id();
    hkti_registry_add(&main_thread);
}

hkt_thread *hkt_thread_main(void)
{
    return main_record;
}

hkt_thread *hkt_thread_current(void)
{
    return hkti_thread_self();
}

uint64_t hkt_ident(void)
{
    return hkti_thread_self()->ident;
}

int hkt_native_id(void)
{
    return hkti_self()->native_id;
}
