/* SPDX-License-Identifier: MIT */
/* A crowd: many futures watched at once, which come out in the order in which they end. What waiting
 * for several, as_completed and streams are made of.
 *
 * Who may touch what: the ready list, the counts and the waiter under the guard; it all lies with the
 * one who waits, who has taken back his watches (hkti_crowd_remove) before it goes. Guards: a
 * future's before the crowd's. */
#ifndef HKTI_EXEC_CROWD_H
#define HKTI_EXEC_CROWD_H

#include "exec/attend.h"
#include "exec/future.h"
#include "park/wait.h"

struct hkti_crowd;

/* A future's place in it. */
struct hkti_crowd_entry {
    struct hkti_watch watch;
    struct hkti_crowd *crowd;
    hkt_future *future; /* NULL: none */
    struct hkti_crowd_entry *next;
};

struct hkti_crowd {
    uint32_t guard;
    bool failed; /* one that was ready has failed, not been cancelled */
    struct hkti_wait_list waiter;
    struct hkti_crowd_entry *first, **end; /* ready, in the order in which they ended */
    size_t ready, wanted;                  /* how many; how many the waiter waits for */
    bool or_failed;                        /* or for one that has failed */
    struct hkti_attendance attendance;     /* to the first of another address space */
};

void hkti_crowd_init(struct hkti_crowd *crowd);
/* Nobody waits for it any more. */
void hkti_crowd_end(struct hkti_crowd *crowd);

/* The entry waits for `future`, which may be done already. */
void hkti_crowd_add(struct hkti_crowd *crowd, struct hkti_crowd_entry *entry, hkt_future *future);
/* It waits no more, unless it is or was ready. */
void hkti_crowd_remove(struct hkti_crowd_entry *entry);

/* Waits until so many are ready, or (or_failed) one that has failed: 0, -ETIMEDOUT, -ECANCELED,
 * -ENOMEM. `wanted` are those waited for. */
int hkti_crowd_await(struct hkti_crowd *crowd, size_t many, bool or_failed,
                     struct hkti_wanted *wanted, hkt_deadline deadline);

/* The first that is ready, taken out; NULL. */
struct hkti_crowd_entry *hkti_crowd_pop(struct hkti_crowd *crowd);

#endif
