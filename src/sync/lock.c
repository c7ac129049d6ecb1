/* SPDX-License-Identifier: MIT */
/* The lock: one word and a list of those who wait.
 *
 * Free is 0. To take it: 0 to HELD by one compare-and-swap; to give it back: HELD to 0. Everything
 * else is the slow path.
 *
 * Barging: an unlock frees the lock and then wakes the first waiter, which has to try for it like
 * anyone else. CALLED says that such a one is on its way, and until it has been there (it takes
 * the lock, or queues again in front) unlocks wake nobody: at most one woken thread competes. But
 * when the first waiter has waited for FAIR_AFTER, the unlock hands it the lock: HELD stays, grant
 * says so.
 *
 * Who may set what: HELD by whoever takes it, cleared by the holder; WAITED set and cleared under
 * the guard; CALLED set under the guard, cleared by the called one (in the same step as it takes
 * the lock, or under the guard as it queues).
 *
 * Why nobody is forgotten: a strand queues under the guard, after it set WAITED in a word that
 * said HELD, in one step. So the holder's unlock finds WAITED, and either sees CALLED, in which
 * case the called one will unlock, or queue and clear CALLED, while the lock is held by somebody
 * who has yet to unlock, or it takes the guard and wakes the first. A called strand that gives up
 * has tried the lock last under the guard, and found it HELD with CALLED cleared: its holder will
 * look.
 *
 * The price: a called strand that is stopped (SIGSTOP of one thread, a debugger) before it has
 * tried keeps those behind it waiting, as a stopped holder does.
 *
 * The lock may be freed by who takes it after us, so an unlock's last touch is the clearing of
 * HELD; the guard is released before that. Sources: eventual fairness from WebKit's and
 * parking_lot's locks, the designated waker from nsync. */
#include "sync/lock.h"

#include <errno.h>

#include "base/report.h"
#include "base/seconds.h"
#include "park/scope.h"
#include "park/sleeper.h"
#include "sync/checked.h"

#define FAIR_AFTER (HKTI_MILLISECOND / 2)

_Static_assert(sizeof(struct hkti_lock) == sizeof(hkt_lock), "hkt_lock is a hkti_lock");

/* HELD set, and `clear` cleared, if the lock is free now. */
static bool take(struct hkti_lock *lock, uint32_t clear)
{
    uint32_t word = hkti_load_relaxed(&lock->word);
    while (!(word & HKTI_LOCK_HELD)) {
        if (hkti_cas_acquire(&lock->word, word, (word & ~clear) | HKTI_LOCK_HELD)) /* pairs: lock */
            return true;
        word = hkti_load_relaxed(&lock->word);
    }
    return false;
}

/* Under the guard: WAITED set in a word that says HELD, `clear` cleared; or the lock taken. */
static bool take_or_announce(struct hkti_lock *lock, uint32_t clear)
{
    for (;;) {
        uint32_t word = hkti_load_relaxed(&lock->word);
        uint32_t next = (word & ~clear) | HKTI_LOCK_HELD;
        if (word & HKTI_LOCK_HELD)
            next |= HKTI_LOCK_WAITED;
        if (word == next || hkti_cas_acquire(&lock->word, word, next)) /* pairs: lock */
            return !(word & HKTI_LOCK_HELD);
    }
}

static bool spin_and_take(struct hkti_lock *lock, const struct hkti_strand *self, uint32_t clear)
{
    if (!hkti_strand_may_spin(self))
        return take(lock, clear);
    for (unsigned round = 0; hkti_spin(&round, HKTI_TRY_ROUNDS);)
        if (take(lock, clear))
            return true;
    return false;
}

/* Takes the lock, queueing as often as it takes; `called`: the caller has been woken by an unlock.
 */
static int queue_and_take(struct hkti_lock *lock, struct hkti_strand *self, struct hkti_wait *wait,
                          uint32_t called)
{
    int64_t deadline = wait->deadline;
    bool cancellable = wait->cancellable;
    while (!spin_and_take(lock, self, called)) {
        hkti_guard_acquire(&lock->guard);
        if (take_or_announce(lock, called)) {
            hkti_guard_release(&lock->guard);
            return 0;
        }
        self->grant = 0;
        int err = hkti_wait(wait);
        if (err < 0 || self->grant == HKTI_LOCK_HELD)
            return err;
        called = (uint32_t)self->grant;
        wait->deadline = deadline;
        wait->cancellable = cancellable;
        wait->since = self->since;
        wait->in_front = true;
    }
    return 0;
}

int hkti_lock_contend(struct hkti_lock *lock, int64_t deadline, bool cancellable)
{
    struct hkti_wait wait = { .what = "lock",
                              .object = lock,
                              .list = &lock->waiters,
                              .guard = &lock->guard,
                              .deadline = deadline,
                              .cancellable = cancellable };
    return queue_and_take(lock, hkti_self(), &wait, 0);
}

void hkti_lock_resume(struct hkti_lock *lock, struct hkti_strand *self)
{
    struct hkti_wait wait = {
        .what = "lock", .object = lock, .list = &lock->waiters, .guard = &lock->guard
    };
    if (self->grant != HKTI_LOCK_HELD)
        queue_and_take(lock, self, &wait, (uint32_t)self->grant);
    hkti_checked_taken(lock);
}

/* Frees the lock and wakes the first in the list, or hands it over. */
static void release_waited(struct hkti_lock *lock)
{
    hkti_guard_acquire(&lock->guard);
    struct hkti_strand *strand = hkti_wait_list_pop(&lock->waiters);
    bool hand_over = strand && hkti_os_now() - strand->since >= FAIR_AFTER;
    if (hkti_list_empty(&lock->waiters.head))
        hkti_fetch_and_relaxed(&lock->word, ~(uint32_t)HKTI_LOCK_WAITED);
    if (strand)
        strand->grant = hand_over ? HKTI_LOCK_HELD : HKTI_LOCK_CALLED;
    if (strand && !hand_over)
        hkti_fetch_or_relaxed(&lock->word, HKTI_LOCK_CALLED);
    hkti_guard_release(&lock->guard);
    if (!hand_over)
        hkti_fetch_and_release(&lock->word, ~(uint32_t)HKTI_LOCK_HELD); /* pairs: lock */
    if (strand)
        hkti_wake(strand);
}

static __attribute__((noinline)) void release_contended(struct hkti_lock *lock)
{
    for (;;) {
        uint32_t word = hkti_load_relaxed(&lock->word);
        if (!(word & HKTI_LOCK_HELD))
            hkti_misuse("hkt_lock_release: lock %p is not held by anybody", (void *)lock);
        if ((word & HKTI_LOCK_WAITED) && !(word & HKTI_LOCK_CALLED)) {
            release_waited(lock);
            return;
        }
        if (hkti_cas_release(&lock->word, word, word & ~(uint32_t)HKTI_LOCK_HELD)) /* pairs: lock */
            return;
    }
}

void hkti_lock_adopt(struct hkti_lock *lock, struct hkti_strand *strand)
{
    hkti_guard_acquire(&lock->guard);
    uint32_t word = hkti_load_relaxed(&lock->word);
    while ((word & HKTI_LOCK_HELD) && !hkti_cas_relaxed(&lock->word, word, word | HKTI_LOCK_WAITED))
        word = hkti_load_relaxed(&lock->word);
    bool held = word & HKTI_LOCK_HELD;
    strand->grant = 0;
    if (held) {
        hkti_list_append(&lock->waiters.head, &strand->node);
    }
    hkti_guard_release(&lock->guard);
    if (!held)
        hkti_wake(strand);
}

/* Apart, so that the quick way needs no stack. */
static __attribute__((noinline)) void acquire_slowly(struct hkti_lock *lock)
{
    hkti_checked_waits(lock);
    hkti_lock_contend(lock, 0, false);
    hkti_checked_taken(lock);
}

void hkt_lock_acquire(hkt_lock *public)
{
    struct hkti_lock *lock = (struct hkti_lock *)public;
    if (__builtin_expect(!hkti_lock_try(lock), 0))
        acquire_slowly(lock);
    else
        hkti_checked_taken(lock);
}

int hkt_lock_acquire_until(hkt_lock *public, hkt_deadline deadline)
{
    struct hkti_lock *lock = (struct hkti_lock *)public;
    int err = hkti_cancelled(deadline.ns);
    if (err < 0)
        return err;
    if (!take(lock, 0))
        err = deadline.ns == HKTI_PASSED ? -ETIMEDOUT : hkti_lock_contend(lock, deadline.ns, true);
    if (err == 0)
        hkti_checked_taken(lock);
    return err;
}

int hkt_lock_acquire_nowait(hkt_lock *public)
{
    struct hkti_lock *lock = (struct hkti_lock *)public;
    if (!take(lock, 0))
        return -EAGAIN;
    hkti_checked_taken(lock);
    return 0;
}

void hkt_lock_release(hkt_lock *public)
{
    struct hkti_lock *lock = (struct hkti_lock *)public;
    hkti_checked_released(lock);
    if (__builtin_expect(!hkti_cas_release(&lock->word, HKTI_LOCK_HELD, 0), 0)) /* pairs: lock */
        release_contended(lock);
}

bool hkt_lock_locked(const hkt_lock *public)
{
    return hkti_load_relaxed(&((const struct hkti_lock *)public)->word) & HKTI_LOCK_HELD;
}
