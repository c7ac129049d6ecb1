/* SPDX-License-Identifier: MIT */
/* The condition between processes: a bell, a word of counts, and how often it has been notified.
 *
 * The word has the waiters, the permits to go on, never more than waiters, and how many have come.
 * A notify adds permits, for as many waiters as have none, raises `notifies`, and rings for as many.
 * A waiter has read `notifies` before it counted itself, under the lock; it takes a permit, and
 * itself off the waiters, in one step, if that is another number now. So who comes later takes no
 * permit that was meant for others, except in the place of one who waits too, and n notifies wake n.
 * (Permits before `notifies`: a notify that is killed in between is none, and its permits are counted
 * by the next one.)
 *
 * One that comes later may be rung for another one, if the notify is made without the lock; it finds
 * permits that it may not take, and rings for all, once.
 *
 * Who dies: each waiter listens before it counts itself, and leaves the bell after it has taken
 * itself off; so there are never more waiters than listeners, but for the dead, who are uncounted at
 * the bell (family.c). Whoever comes by sets the waiters right, and the permits with them
 * (count_living). Between two equal states of the word nobody has come, since that is counted too:
 * so the number of listeners that was read in between is good for it. The dead one's notify goes to
 * the others, whom its end has rung for.
 *
 * Who may touch what: everything by everybody, atomically. */
#include <errno.h>
#include <hocket/shared_condition.h>

#include "base/report.h"
#include "base/seconds.h"
#include "park/scope.h"
#include "proc/shared_lock.h"

/* What hkt_shared_condition is. */
struct __attribute__((may_alias)) hkti_shared_condition {
    struct hkti_bell bell; /* the first */
    uint64_t counts;
    uint64_t notifies;
    uint64_t reserved[3];
};

_Static_assert(sizeof(struct hkti_shared_condition) == sizeof(hkt_shared_condition), "these are 1");

/* The counts: waiters, permits, and how many have come, which wraps around. */
#define COUNT_BITS 21
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)
#define PERMIT (UINT64_C(1) << COUNT_BITS)
#define COMER (PERMIT << COUNT_BITS)

static uint64_t waiters_in(uint64_t counts)
{
    return counts & COUNT_MASK;
}

static uint64_t permits_in(uint64_t counts)
{
    return counts >> COUNT_BITS & COUNT_MASK;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The same counts with so many waiters, who have no more permits. */
static uint64_t with_waiters(uint64_t counts, uint64_t waiters)
{
    uint64_t permits = smaller(permits_in(counts), waiters);
    return (counts & ~(COMER - 1)) | permits << COUNT_BITS | waiters;
}

/* The dead do not wait. */
static void count_living(struct hkti_shared_condition *condition)
{
    for (;;) {
        uint64_t counts = hkti_load_seq_cst(&condition->counts);        /* pairs: bell */
        uint64_t living = hkti_load_seq_cst(&condition->bell.sleepers); /* pairs: bell */
        if (waiters_in(counts) <= living ||
            hkti_cas_seq_cst(&condition->counts, counts, /* pairs: bell */
                             with_waiters(counts, living)))
            return;
    }
}

void hkti_shared_condition_forget(struct hkti_bell *bell)
{
    count_living((struct hkti_shared_condition *)bell);
}

/* Under the lock. */
static void come(struct hkti_shared_condition *condition)
{
    uint64_t counts;
    do {
        counts = hkti_load_relaxed(&condition->counts);
        if (waiters_in(counts) == COUNT_MASK)
            hkti_misuse("hkt_shared_condition_wait: more than %u wait for shared condition %p",
                        (unsigned)COUNT_MASK, (void *)condition);
    } while (!hkti_cas_seq_cst(&condition->counts, counts, counts + COMER + 1)); /* pairs: bell */
    count_living(condition);
}

/* The caller goes with a permit, if there is one for it. */
static bool take_permit(struct hkti_shared_condition *condition, uint64_t notifies)
{
    if (hkti_load_seq_cst(&condition->notifies) == notifies) /* pairs: bell */
        return false;
    uint64_t counts;
    do {
        counts = hkti_load_seq_cst(&condition->counts); /* pairs: bell */
        if (permits_in(counts) == 0)
            return false;
    } while (!hkti_cas_seq_cst(&condition->counts, counts, counts - PERMIT - 1)); /* pairs: bell */
    return true;
}

/* It goes without; true: with one that has come just now. */
static bool give_up(struct hkti_shared_condition *condition, uint64_t notifies)
{
    for (;;) {
        uint64_t counts = hkti_load_seq_cst(&condition->counts); /* pairs: bell */
        if (take_permit(condition, notifies))
            return true;
        /* pairs: bell */
        if (hkti_cas_seq_cst(&condition->counts, counts,
                             with_waiters(counts, waiters_in(counts) - 1)))
            return false;
    }
}

/* Waits for a permit, without the lock: 0, also if the deadline has passed in the same moment. */
static int await_permit(struct hkti_shared_condition *condition, struct hkti_listener *listener,
                        uint64_t notifies, int64_t deadline)
{
    int err = 0;
    bool passed_on = false, taken;
    while (!(taken = take_permit(condition, notifies)) && err == 0) {
        if (!passed_on && permits_in(hkti_load_relaxed(&condition->counts)) > 0) {
            passed_on = true;
            hkti_bell_ring(&condition->bell, INT32_MAX);
        }
        err = hkti_bell_wait(listener, "shared condition", condition, deadline, true);
    }
    if (!taken)
        taken = give_up(condition, notifies);
    hkti_bell_leave(listener, taken);
    count_living(condition);
    return taken ? 0 : err;
}

int hkt_shared_condition_wait_until(hkt_shared_condition *public, hkt_shared_lock *lock,
                                    hkt_deadline deadline)
{
    struct hkti_shared_condition *condition = (struct hkti_shared_condition *)public;
    if (!hkt_shared_lock_locked(lock))
        hkti_misuse("hkt_shared_condition_wait: shared lock %p of shared condition %p is not held",
                    (void *)lock, (void *)condition);
    int err = hkti_cancelled(deadline.ns);
    if (err < 0)
        return err;
    if (deadline.ns == HKTI_PASSED)
        return -ETIMEDOUT;
    if (hkti_family_token() == 0)
        return -ENOMEM;
    struct hkti_listener listener;
    hkti_bell_listen(&condition->bell, HKTI_STAKE_CONDITION, &listener);
    uint64_t notifies = hkti_load_seq_cst(&condition->notifies); /* pairs: bell */
    come(condition);
    hkt_shared_lock_release(lock);
    err = await_permit(condition, &listener, notifies, deadline.ns);
    int held = hkt_shared_lock_acquire(lock);
    return err < 0 ? err : held;
}

int hkt_shared_condition_wait(hkt_shared_condition *condition, hkt_shared_lock *lock)
{
    return hkt_shared_condition_wait_until(condition, lock, (hkt_deadline){ 0 });
}

int hkt_shared_condition_wait_rlock_until(hkt_shared_condition *condition,
                                          hkt_shared_rlock *public_lock, hkt_deadline deadline)
{
    struct hkti_shared_rlock *lock = (struct hkti_shared_rlock *)public_lock;
    uint64_t self = hkti_shared_owner(hkti_self(), hkti_family_token());
    if (hkti_load_relaxed(&lock->owner) != self)
        hkti_misuse("hkt_shared_condition_wait_rlock: shared rlock %p of shared condition %p is not"
                    " held by the caller",
                    (void *)lock, (void *)condition);
    uint64_t count = lock->count;
    hkti_store_relaxed(&lock->owner, UINT64_C(0));
    int err = hkt_shared_condition_wait_until(condition, &lock->lock, deadline);
    hkti_store_relaxed(&lock->owner, self);
    lock->count = count;
    return err;
}

int hkt_shared_condition_wait_rlock(hkt_shared_condition *condition, hkt_shared_rlock *lock)
{
    return hkt_shared_condition_wait_rlock_until(condition, lock, (hkt_deadline){ 0 });
}

int hkt_shared_condition_wait_for_until(hkt_shared_condition *condition, hkt_shared_lock *lock,
                                        bool (*predicate)(void *), void *arg, hkt_deadline deadline)
{
    int err = 0;
    while (!predicate(arg)) {
        if (err == 0)
            err = hkt_shared_condition_wait_until(condition, lock, deadline);
        else
            return err;
        if (err == -EOWNERDEAD) /* what the predicate looks at may be anything */
            return err;
    }
    return 0;
}

int hkt_shared_condition_wait_for(hkt_shared_condition *condition, hkt_shared_lock *lock,
                                  bool (*predicate)(void *), void *arg)
{
    return hkt_shared_condition_wait_for_until(condition, lock, predicate, arg,
                                               (hkt_deadline){ 0 });
}

void hkt_shared_condition_notify(hkt_shared_condition *public, size_t n)
{
    struct hkti_shared_condition *condition = (struct hkti_shared_condition *)public;
    uint64_t counts = hkti_load_seq_cst(&condition->counts), added; /* pairs: bell */
    if (n == 0 || waiters_in(counts) == 0)
        return;
    count_living(condition);
    do {
        counts = hkti_load_seq_cst(&condition->counts); /* pairs: bell */
        added = smaller(n, waiters_in(counts) - permits_in(counts));
        if (waiters_in(counts) == 0)
            return;
        /* pairs: bell */
    } while (!hkti_cas_seq_cst(&condition->counts, counts, counts + added * PERMIT));
    hkti_fetch_add_seq_cst(&condition->notifies, UINT64_C(1)); /* pairs: bell */
    hkti_bell_ring(&condition->bell, (int)smaller(n, waiters_in(counts)));
}

void hkt_shared_condition_notify_all(hkt_shared_condition *condition)
{
    hkt_shared_condition_notify(condition, SIZE_MAX);
}
