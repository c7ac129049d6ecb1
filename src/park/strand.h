/* SPDX-License-Identifier: MIT */
/* The strand: what waits. One stack's worth of execution, a thread's own or a coroutine's, and the
 * one waiter record that every wait list is made of: a strand waits in one place at a time.
 *
 * Who may touch what:
 *   node            under the guard of the list it is in, or goes into
 *   list            which list it would take itself out of: set by the strand, NULL by who takes it
 *                   out, under that list's guard; atomic, since it is set to NULL again on its way
 *   grant, item     by the strand before it is in a list, then by the waker that took it out, until
 *                   the wake; then by the strand again
 *   word            by everyone, atomically: the protocol of park/README.md
 *   wake_fd         by the strand while it runs; by a waker in state WAKING
 *   what ... timed  written by the strand, read by anybody at any time (relaxed)
 *   the rest        by the strand alone */
#ifndef HKTI_PARK_STRAND_H
#define HKTI_PARK_STRAND_H

#include <hocket/error.h>
#include <hocket/scope.h>
#include <string.h>

#include "base/atomic.h"
#include "base/list.h"
#include "os/os.h"

/* The states of a strand's word. */
enum {
    HKTI_RUNNING,         /* waits for nothing */
    HKTI_ARMED,           /* about to sleep: may be woken without a system call */
    HKTI_ASLEEP_FUTEX,    /* in a futex wait on the word */
    HKTI_ASLEEP_POLL,     /* in ppoll, with wake_fd beside the fd it waits for */
    HKTI_ASLEEP_SWITCHED, /* another strand runs on its thread: for coroutines */
    HKTI_WAKING,          /* somebody is waking it out of ppoll and still needs wake_fd */
    HKTI_NUDGED, /* told to look at its scopes again; nobody has taken it out of its list */
    HKTI_WOKEN,  /* taken out of its list by a waker: its wait is over */
};

struct hkti_wait_list;
struct hkti_scope;
struct hkti_sleeper;
struct hkti_coroutine;
struct hkti_forks;
struct hkti_run;
struct hkti_context_node;

/* Called around every wait of a strand, except those that say otherwise: `before` when it is about
 * to wait, `after`, in the opposite order, when it has waited. `after` may wait itself. They live
 * in the strand, HKTI_HOOKS at the most; `object` says whose one is, NULL that it is free. */
struct hkti_wait_hook {
    struct hkti_node node; /* in strand->hooks, last added first */
    void (*before)(struct hkti_wait_hook *hook);
    void (*after)(struct hkti_wait_hook *hook);
    void *object;
    uint64_t count; /* the object's */
};
#define HKTI_HOOKS 4

/* What forks returned that were run at once and have not been joined: a stack. */
struct hkti_fork_results {
    int *results;
    size_t count, room;
    int lost; /* what those return for which there was no memory */
};

struct hkti_strand {
    struct hkti_node node;
    struct hkti_wait_list *list;
    uintptr_t grant; /* what a waker hands over */
    void *item;      /* what the waiter brings, or where it wants it */
    uint32_t word;
    int wake_fd; /* an eventfd + 1, 0 while there is none */
    uint32_t timed;
    uint32_t registered;

    /* The rest of what a wait touches has a line too. */
    struct hkti_scope *scope __attribute__((aligned(64))); /* the innermost */
    struct hkti_node hooks;
    const struct hkti_sleeper *sleeper; /* how it sleeps, but for an fd; NULL: on the futex */
    struct hkti_coroutine *coroutine;   /* of the layer strand; NULL: a thread's own */
    const char *what;
    const void *object;
    int64_t since; /* not of coroutines */

    struct hkti_wait_hook hook_slots[HKTI_HOOKS];
    struct hkti_strand *home; /* its thread's own: itself, but for a coroutine */
    int native_id;
    uint32_t spin; /* pauses to spin before sleeping: adapts */
    uint32_t spin_misses;
    uint32_t streak; /* of the layer io: calls that need not wait, in a row */

    struct hkti_node checked; /* of sync/checked.c, in the checked build alone, as the next two */
    void *waits_for;
    uint64_t locks_held;
    struct hkti_fork_results run_at_once; /* of the layer exec: forks outside any pool */
    struct hkti_forks *forks;             /* likewise: its array of forks */
    struct hkti_run *run;                 /* likewise: the job that it is in */
    void *spares;                         /* likewise: futures that its thread keeps */
    uint32_t spare_count;
    void *thread; /* of the layer thread: its record of this thread */
    void *locals; /* likewise: its thread-local values */
    size_t local_count;
    struct hkti_context_node *context; /* likewise: its context variables' values */
    int sentence_err;
    char sentence[HKT_SENTENCE_MAX];
    char words[80]; /* of hkt_strerror */
};

_Static_assert(sizeof(struct hkti_strand) <= HKTI_OS_LOCAL_SIZE / 2, "a strand is local memory");

void hkti_strand_register(struct hkti_strand *self);

/* This is the child of a raw fork of a program in which hocket's threads ran: its copies of their
 * locks may be held by threads that it does not have. It may not wait any more. */
extern uint32_t hkti_forked;

/* The calling strand. */
static inline struct hkti_strand *hkti_self(void)
{
    struct hkti_strand *self = hkti_os_local();
    if (__builtin_expect(!self->registered, 0))
        hkti_strand_register(self);
    return self;
}

/* What a layer above wants to be called for: at the beginning and the end of each thread's own
 * strand, and at hkt_finalize, where false says that something is still in use. Any may be NULL. */
struct hkti_strand_events {
    void (*born)(struct hkti_strand *self);
    void (*ends)(struct hkti_strand *self);
    bool (*finalize)(void);
    void (*report)(void); /* at the end of hkt_thread_report_all */
    bool last;            /* after all that are not: others of the layers use what it ends */
    struct hkti_strand_events *next;
};

/* Puts it behind those that are there, but for the last ones. By constructors, before there is a second thread. */
void hkti_strand_events_add(struct hkti_strand_events *events);

/* Calls `finalize` of all; false if one did. Calls `report` of all. */
bool hkti_strand_events_finalize(void);
void hkti_strand_events_report(void);

/* What was kept for the strand is given back; it may go on as if it were new. */
void hkti_strand_forget(struct hkti_strand *self);

/* Something else runs in the strand meanwhile, which begins without a sentence. */
struct hkti_kept_sentence {
    int err;
    char text[HKT_SENTENCE_MAX];
};
static inline void hkti_sentence_keep(struct hkti_strand *self, struct hkti_kept_sentence *kept)
{
    kept->err = self->sentence_err;
    if (kept->err)
        memcpy(kept->text, self->sentence, sizeof kept->text);
    self->sentence_err = 0;
}

static inline void hkti_sentence_restore(struct hkti_strand *self,
                                         const struct hkti_kept_sentence *kept)
{
    self->sentence_err = kept->err;
    if (kept->err)
        memcpy(self->sentence, kept->text, sizeof kept->text);
}

/* What a strand waits for, in words, for reports. */
void hkti_strand_describe(const struct hkti_strand *strand, char *text, size_t size);

/* A hook for `object`, put in front of the others: misuse if there are HKTI_HOOKS already. To
 * remove it. The one for `object`, or NULL. */
struct hkti_wait_hook *hkti_hook_add(struct hkti_strand *self, void *object);
void hkti_hook_remove(struct hkti_wait_hook *hook);
struct hkti_wait_hook *hkti_hook_find(struct hkti_strand *self, const void *object);

#endif
