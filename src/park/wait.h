/* SPDX-License-Identifier: MIT */
/* Waiting and waking: what every primitive is made of. park/README.md has the protocol and its
 * proof.
 *
 * A primitive has a guard and one or more wait lists under it. To wait:
 *
 *     hkti_guard_acquire(&x->guard);
 *     if (it can go on)
 *         { ...; hkti_guard_release(&x->guard); return 0; }
 *     struct hkti_wait wait = { .what = "x", .object = x, .list = &x->waiters, .guard = &x->guard,
 *                               .deadline = deadline.ns, .cancellable = true };
 *     int err = hkti_wait(&wait);         releases the guard
 *
 * 0: a waker has chosen the caller, even if the deadline passed in the same moment; what was handed
 * over is in self->grant. An error: nobody has chosen it, and it is out of the list.
 *
 * To wake: under the guard take a strand off with hkti_wait_list_pop, give it what it gets; release
 * the guard; then hkti_wake(strand), which is the last touch of it. */
#ifndef HKTI_PARK_WAIT_H
#define HKTI_PARK_WAIT_H

#include "park/guard.h"
#include "park/spin.h"
#include "park/strand.h"

/* First come, first served. All zero is empty. */
struct hkti_wait_list {
    struct hkti_node head;
};

/* Waiting for an fd, beside everything else. With a serial, which no other fd has or had, the
 * loop's poller keeps what it hears of the fd between two waits: so the wait need not be
 * preceded by a look, but by a try that left nothing over, since an earlier wait for the same
 * event or ever. */
struct hkti_fd_interest {
    int fd;
    short events, revents; /* of poll */
    uint64_t serial;       /* 0: none */
};

/* Waiting for a word of memory that other processes change, too, beside everything else: the wait
 * ends, with 1, when it is another one than `value`. Who changes it wakes by
 * hkti_os_shared_futex_wake. Of a coroutine only in hkti_wait, and in no list. */
struct hkti_word_interest {
    uint32_t *word;
    uint32_t value;
};
static inline bool hkti_word_differs(const struct hkti_word_interest *interest)
{
    /* pairs: bell */
    return interest && hkti_load_acquire(interest->word) != interest->value;
}

struct hkti_wait {
    const char *what;            /* a constant string, for those who look from outside */
    const void *object;          /* likewise */
    struct hkti_wait_list *list; /* NULL: in no list, to be woken by nudge or deadline alone */
    uint32_t *guard;             /* of the list */
    int64_t deadline;            /* 0: never */
    int64_t since;               /* when it began, if that was in an earlier wait; 0: now */
    struct hkti_fd_interest *fd; /* NULL: none */
    const struct hkti_word_interest *shared; /* NULL: none; not with an fd */
    /* When the deadline has passed: the next deadline, or -1 to give up; NULL: give up. The strand
     * keeps its place in the list. */
    int64_t (*expired)(struct hkti_wait *wait, int64_t now);
    /* Called under the guard when the strand has taken itself out; NULL: nothing. */
    void (*left)(struct hkti_wait *wait);
    /* Looked at with each news: not 0 ends the wait with that; NULL: none. */
    int (*reason)(struct hkti_wait *wait);
    bool cancellable;
    const struct hkti_sleeper *sleeper; /* NULL: the caller's own way to sleep */
    bool for_jobs;                      /* a worker may begin other jobs meanwhile */
    bool no_spin;
    bool no_hooks;
    bool in_front; /* goes to the head of the list */
};

/* Queues the calling strand and waits. With the guard held, which it releases (no list: no guard).
 * 0, -ETIMEDOUT, -ECANCELED; with an fd, also 1 when the fd is ready, or an error of poll; with a
 * word, 1 when that has changed. */
int hkti_wait(struct hkti_wait *wait);

/* The same in two steps, for what has to be done in between: begin queues the caller, under the
 * guard and leaves it held; finish is called without it. No other wait may come between them. */
void hkti_wait_begin(struct hkti_strand *self, struct hkti_wait *wait);
int hkti_wait_finish(struct hkti_strand *self, struct hkti_wait *wait);

/* Under the guard: the first in the list, taken out; NULL if there is none. */
static inline struct hkti_strand *hkti_wait_list_pop(struct hkti_wait_list *list)
{
    struct hkti_node *node = hkti_list_pop(&list->head);
    if (node == NULL)
        return NULL;
    struct hkti_strand *strand = HKTI_CONTAINER(node, struct hkti_strand, node);
    hkti_store_relaxed(&strand->list, (struct hkti_wait_list *)0);
    return strand;
}

/* Under the guard: the first, still in; NULL. */
static inline struct hkti_strand *hkti_wait_list_first(const struct hkti_wait_list *list)
{
    if (hkti_list_empty(&list->head))
        return NULL;
    return HKTI_CONTAINER(list->head.next, struct hkti_strand, node);
}

/* Wakes a strand that the caller has taken out of a list. */
void hkti_wake(struct hkti_strand *strand);

/* Several: under the guard, hkti_wait_list_take moves up to n strands to `taken`, which gets
 * `grant` each; without it, hkti_wake_all wakes them. */
size_t hkti_wait_list_take(struct hkti_wait_list *list, size_t n, uintptr_t grant,
                           struct hkti_wait_list *taken);
void hkti_wake_all(struct hkti_wait_list *taken);

/* Makes a strand that waits look at its scopes again. It must not end meanwhile. */
void hkti_nudge(struct hkti_strand *strand);

#endif
