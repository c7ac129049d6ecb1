/* SPDX-License-Identifier: MIT */
/* The record of a thread, and the list of those alive.
 *
 * States: NEW; STARTED, from before the system is asked for a thread; ENDED. References: the
 * handle (until destroy), the running thread, and whoever joins by hkt_join_all; the last one
 * frees it. Records of foreign threads and of main are not counted: the first live in the thread's
 * own memory, that of main is static.
 *
 * Who may touch what: function, arg, stack_size, daemon until the start by its creator; node,
 * strand, name under the registry's guard; result and sentence by the thread before `ended` is
 * set, by anyone after; state, native_id, refs, joined atomically. */
#ifndef HKTI_THREAD_THREAD_H
#define HKTI_THREAD_THREAD_H

#include <hocket/event.h>
#include <hocket/thread.h>
#include <hocket/thread_state.h>

#include "park/strand.h"

enum { HKTI_THREAD_NEW, HKTI_THREAD_STARTED, HKTI_THREAD_ENDED };

struct hkt_thread {
    struct hkti_node node;
    struct hkti_strand *strand; /* while it is alive and has begun */
    struct hkti_os_thread os;
    uint32_t refs;
    uint32_t state;
    uint32_t joined; /* the system's thread has been joined, or will be by who set this */
    int native_id;
    uint64_t ident;
    bool daemon;
    bool foreign;
    int (*function)(void *);
    void *arg;
    int result;
    hkt_event ended;
    char name[HKT_NAME_MAX];
    char sentence[HKT_SENTENCE_MAX];
};

/* The record of the calling strand. */
static inline struct hkt_thread *hkti_thread_self(void)
{
    return hkti_self()->thread;
}

/* The registry: all threads alive, in order of their start. */
extern uint32_t hkti_registry_guard;
extern struct hkti_node hkti_registry;

/* In and out; `ident` is given at entry. A thread of hocket that was taken out is departing until
 * it has said that it is gone: it still has its record. */
void hkti_registry_add(struct hkt_thread *thread);
void hkti_registry_remove(struct hkt_thread *thread);
void hkti_registry_gone(void);
extern size_t hkti_registry_departing;

/* How many threads of hocket are alive or departing, and how many of them departing. */
size_t hkti_registry_ours(size_t *departing);

void hkti_thread_unref(struct hkt_thread *thread);

/* A name kept by the record, cut to its size. */
void hkti_thread_keep_name(struct hkt_thread *thread, const char *name);

/* The destructors of the calling strand's thread-local values, and the memory for them. */
void hkti_locals_end(struct hkti_strand *self);

/* From now on the end of the process waits a little for threads that run. */
void hkti_exit_watch(void);

/* What a layer above has that is waited for like threads: one a process, written before it is set. */
struct hkti_exit_hook {
    void (*begins)(void);                     /* the process ends: before anything is waited for */
    int (*join_until)(hkt_deadline deadline); /* as hkt_join_all_until, which calls it */
    void (*report)(void);                     /* a line for each that is given up */
    void (*ends)(void);                       /* when all has been waited for, or given up */
};
extern const struct hkti_exit_hook *hkti_exit_hook;

/* The thread that reports on a signal ends, if there is one. */
void hkti_signal_report_stop(void);

#endif
