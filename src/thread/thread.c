/* SPDX-License-Identifier: MIT */
/* A thread's life: made, started, joined, given back. thread.h has the states and who may touch
 * what.
 *
 * The end: the thread leaves the registry, sets `ended`, and drops its reference; after that it
 * touches nothing of the record. Who joins waits for `ended`; the first of them also joins the
 * system's thread, which is then a few instructions from its end. If nobody joins, the last
 * reference detaches it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/seconds.h"
#include "park/guard.h"
#include "sync/event.h"
#include "thread/thread.h"

#define STACK_MIN 32768

static size_t default_stack_size;
static uint64_t names;
static hkt_thread_hook *excepthook;

void hkti_thread_keep_name(struct hkt_thread *thread, const char *name)
{
    hkti_guard_acquire(&hkti_registry_guard);
    snprintf(thread->name, sizeof thread->name, "%s", name);
    hkti_guard_release(&hkti_registry_guard);
}

int hkt_thread_create(hkt_thread **thread, int (*function)(void *), void *arg,
                      const hkt_thread_options *options)
{
    hkt_thread_options chosen = options ? *options : (hkt_thread_options){ 0 };
    if (function == NULL || (chosen.stack_size && chosen.stack_size < STACK_MIN))
        return -EINVAL;
    struct hkt_thread *made = hkti_allocate(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->function = function;
    made->arg = arg;
    made->os.stack_size = chosen.stack_size ? chosen.stack_size
                                            : hkti_load_relaxed(&default_stack_size);
    made->daemon = chosen.daemon == HKT_DAEMON_INHERIT ? hkti_thread_self()->daemon
                                                       : chosen.daemon == HKT_DAEMON_YES;
    hkti_init(&made->refs, 1);
    if (chosen.name)
        snprintf(made->name, sizeof made->name, "%s", chosen.name);
    else
        snprintf(made->name, sizeof made->name, "Thread-%llu",
                 (unsigned long long)hkti_fetch_add_relaxed(&names, 1) + 1);
    *thread = made;
    return 0;
}

void hkti_thread_unref(struct hkt_thread *thread)
{
    if (hkti_fetch_add_acq_rel(&thread->refs, (uint32_t)-1) != 1) /* pairs: thread-refs */
        return;
    if (hkti_load_relaxed(&thread->state) == HKTI_THREAD_ENDED &&
        !hkti_load_relaxed(&thread->joined))
        hkti_os_thread_detach(&thread->os);
    hkti_release(thread, sizeof *thread);
}

/* Copies the name, which others may change, to `name`: false if it was another one. */
static bool has_name(struct hkt_thread *thread, char name[HKT_NAME_MAX])
{
    hkti_guard_acquire(&hkti_registry_guard);
    bool same = strcmp(name, thread->name) == 0;
    memcpy(name, thread->name, HKT_NAME_MAX);
    hkti_guard_release(&hkti_registry_guard);
    return same;
}

/* Its function returned an error: keeps the sentence, tells the hook. */
static void failed(struct hkt_thread *thread)
{
    snprintf(thread->sentence, sizeof thread->sentence, "%s", hkt_sentence(thread->result));
    hkt_thread_hook *hook = hkti_load_relaxed(&excepthook);
    char name[HKT_NAME_MAX] = "";
    has_name(thread, name);
    if (hook)
        hook(thread, thread->result, thread->sentence);
    else if (thread->result != -ECANCELED)
        hkti_report_line("thread \"%s\" failed: %s", name, thread->sentence);
}

/* Gives the kernel the thread's name; the last one, should it be changed meanwhile. */
static void name_it(struct hkt_thread *thread)
{
    char name[HKT_NAME_MAX] = "";
    while (!has_name(thread, name))
        hkti_os_set_name(name);
}

/* The thread is seen to have ended, then is no more. It stays in the registry until it has nothing
 * more to do with its record, so that hkt_join_all does not return before. */
static void end(struct hkt_thread *thread, struct hkti_strand *self)
{
    hkti_locals_end(self);
    hkti_guard_acquire(&hkti_registry_guard);
    thread->strand = NULL;
    hkti_guard_release(&hkti_registry_guard);
    hkti_store_release(&thread->state, HKTI_THREAD_ENDED); /* pairs: thread-end */
    hkt_event_set(&thread->ended);
    hkti_registry_remove(thread);
    hkti_thread_unref(thread);
    hkti_registry_gone();
    self->thread = NULL;
    hkti_strand_forget(self); /* destructors of the user may make a new one of it */
}

static void run(void *arg)
{
    struct hkt_thread *thread = arg;
    ((struct hkti_strand *)hkti_os_local())->thread = thread;
    struct hkti_strand *self = hkti_self();
    name_it(thread);
    thread->result = thread->function(thread->arg);
    if (self->scope)
        hkti_misuse("thread \"%s\" returned without leaving scope %p", thread->name,
                    (void *)self->scope);
    if (thread->result < 0)
        failed(thread);
    end(thread, self);
}

int hkt_thread_start(hkt_thread *thread)
{
    if (thread->foreign || !hkti_cas_acquire(&thread->state, HKTI_THREAD_NEW, HKTI_THREAD_STARTED))
        return -EALREADY; /* pairs: thread-start */
    if (hkti_load_relaxed(&hkti_forked))
        hkti_misuse(
            "hkt_thread_start: this is the child of a fork of a program whose threads ran: it "
            "may only exec");
    hkti_exit_watch();
    hkt_event_clear(&thread->ended); /* of an earlier start that failed */
    hkti_fetch_add_relaxed(&thread->refs, 1);
    hkti_registry_add(thread);
    int err = hkti_os_thread_start(&thread->os, run, thread);
    if (err < 0) {
        hkt_fail(err, "the system gives no thread for \"%s\": look at ulimit -u, -v, and pids.max",
                 thread->name);
        hkti_store_release(&thread->state, HKTI_THREAD_NEW); /* pairs: thread-start */
        hkti_registry_remove(thread);
        thread->ident = 0;
        hkt_event_set(&thread->ended); /* for who joins it already */
        hkti_fetch_add_relaxed(&thread->refs, (uint32_t)-1);
        hkti_registry_gone();
    }
    return err;
}

int hkt_thread_spawn(hkt_thread **thread, int (*function)(void *), void *arg,
                     const hkt_thread_options *options)
{
    hkt_thread *made;
    int err = hkt_thread_create(&made, function, arg, options);
    if (err < 0)
        return err;
    hkt_thread *before = thread ? *thread : NULL;
    if (thread)
        *thread = made; /* before the start: the thread may read it */
    err = hkt_thread_start(made);
    if (err < 0 && thread)
        *thread = before;
    if (err < 0 || thread == NULL)
        hkt_thread_destroy(made);
    return err;
}

/* `ended` is also set by a start that failed, and perhaps is being tried again. */
static int await_end(hkt_thread *thread, hkt_deadline deadline)
{
    for (unsigned turns = 0;; turns++) {
        int err = hkti_event_wait_as(&thread->ended, deadline, "thread", thread);
        uint32_t state = hkti_load_acquire(&thread->state); /* pairs: thread-end */
        if (err < 0 || state == HKTI_THREAD_ENDED)
            return err;
        if (state == HKTI_THREAD_NEW)
            return -EINVAL;
        hkti_os_yield(turns);
    }
}

int hkt_thread_join_until(hkt_thread *thread, hkt_deadline deadline)
{
    if (thread == NULL)
        return 0;
    if (thread->foreign || hkti_load_relaxed(&thread->state) == HKTI_THREAD_NEW)
        return -EINVAL;
    if (thread == hkti_thread_self())
        return -EDEADLK;
    int err = await_end(thread, deadline);
    if (err == 0 && hkti_cas_relaxed(&thread->joined, 0, 1))
        hkti_os_thread_join(&thread->os);
    return err;
}

int hkt_thread_join(hkt_thread *thread)
{
    return hkt_thread_join_until(thread, (hkt_deadline){ 0 });
}

void hkt_thread_destroy(hkt_thread *thread)
{
    if (thread == NULL)
        return;
    if (thread->foreign)
        hkti_misuse("hkt_thread_destroy: thread \"%s\" was not made by hkt_thread_create",
                    thread->name);
    hkti_thread_unref(thread);
}

/* A thread that holds up hkt_join_all, with a reference; NULL if there is none. *departing: some
 * are just going. */
static struct hkt_thread *somebody(bool *departing)
{
    struct hkt_thread *found = NULL;
    struct hkt_thread *self = hkti_thread_self();
    hkti_guard_acquire(&hkti_registry_guard);
    for (struct hkti_node *node = hkti_registry.next; !found && node != &hkti_registry;
         node = node->next) {
        struct hkt_thread *thread = HKTI_CONTAINER(node, struct hkt_thread, node);
        if (thread->foreign || thread->daemon || thread == self)
            continue;
        if (hkti_load_relaxed(&thread->state) == HKTI_THREAD_STARTED)
            found = thread;
        else
            *departing = true;
    }
    *departing = *departing || hkti_registry_departing;
    if (found)
        hkti_fetch_add_relaxed(&found->refs, 1);
    hkti_guard_release(&hkti_registry_guard);
    return found;
}

static int join_threads_until(hkt_deadline deadline)
{
    for (unsigned turns = 0;; turns++) {
        bool departing = false;
        struct hkt_thread *thread = somebody(&departing);
        if (thread == NULL && !departing)
            return 0;
        if (thread == NULL) {
            hkti_os_yield(turns);
            continue;
        }
        int err = hkt_thread_join_until(thread, deadline);
        hkti_thread_unref(thread);
        if (err < 0 && err != -EINVAL)
            return err;
    }
}

/* A child may have been started by a thread that was waited for: so they come last, and then threads
 * once more. */
int hkt_join_all_until(hkt_deadline deadline)
{
    const struct hkti_exit_hook *hook = hkti_load_acquire(&hkti_exit_hook); /* pairs: exit-hook */
    int err = join_threads_until(deadline);
    if (err == 0 && hook)
        err = hook->join_until(deadline);
    return err == 0 && hook ? join_threads_until(deadline) : err;
}

int hkt_join_all(void)
{
    return hkt_join_all_until((hkt_deadline){ 0 });
}

int hkt_thread_result(const hkt_thread *thread, int *result)
{
    if (hkti_load_acquire(&thread->state) != HKTI_THREAD_ENDED) /* pairs: thread-end */
        return -EBUSY;
    *result = thread->result;
    return 0;
}

const char *hkt_thread_sentence(const hkt_thread *thread)
{
    /* pairs: thread-end */
    return hkti_load_acquire(&thread->state) == HKTI_THREAD_ENDED ? thread->sentence : "";
}

int hkt_thread_set_stack_size(size_t bytes)
{
    if (bytes && bytes < STACK_MIN)
        return -EINVAL;
    hkti_store_relaxed(&default_stack_size, bytes);
    return 0;
}

size_t hkt_thread_stack_size(void)
{
    return hkti_load_relaxed(&default_stack_size);
}

void hkt_thread_set_excepthook(hkt_thread_hook *hook)
{
    hkti_store_relaxed(&excepthook, hook);
}
