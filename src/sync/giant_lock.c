/* SPDX-License-Identifier: MIT */
/* The giant lock: held by one strand, handed over in the order of asking.
 *
 * Who takes it gets a wait hook, which gives the lock away before each wait of that strand and
 * takes it again afterwards; the hook also counts the levels. To give it away is to hand it to the
 * first waiter (held stays), or to free it. Everything is under the guard, but for the look at
 * `waiting` in a checkpoint: it may be late by one checkpoint.
 *
 * A turn begins when the holder got the lock with others waiting, or when the first of them came
 * (turn_since). At a checkpoint the holder whose turn has lasted an interval hands the lock over
 * and queues at the end. So with N who never wait otherwise, each runs again after N - 1 turns.
 *
 * A waiter whose patience ends looks whether the same turn has lasted all the time, and reports
 * it. */
#include <errno.h>
#include <hocket/giant_lock.h>

#include "base/report.h"
#include "base/seconds.h"
#include "park/wait.h"

#define DEFAULT_INTERVAL (5 * HKTI_MILLISECOND)

/* What hkt_giant_lock is. */
struct __attribute__((may_alias)) hkti_giant_lock {
    uint32_t guard;
    uint32_t waiting; /* how many: written under the guard, read at any time */
    uint32_t held;
    int holder; /* the kernel's number of its thread, for the report */
    struct hkti_wait_list waiters;
    int64_t turn_since; /* 0: nobody else has asked yet */
    int64_t interval;   /* 0: the default */
    int64_t reported;   /* the turn_since that was reported */
    uint64_t reserved[9];
};

_Static_assert(sizeof(struct hkti_giant_lock) == sizeof(hkt_giant_lock), "these are one");

static int64_t interval_of(const struct hkti_giant_lock *lock)
{
    return lock->interval ? lock->interval : DEFAULT_INTERVAL;
}

/* Under the guard: the lock to the first waiter, who is to be woken; or free, NULL. */
static struct hkti_strand *pass_on(struct hkti_giant_lock *lock)
{
    struct hkti_strand *next = hkti_wait_list_pop(&lock->waiters);
    lock->held = next != NULL;
    lock->turn_since = 0;
    if (next) {
        uint32_t waiting = hkti_load_relaxed(&lock->waiting) - 1;
        hkti_store_relaxed(&lock->waiting, waiting);
        lock->holder = next->native_id;
        if (waiting)
            lock->turn_since = hkti_os_now();
    }
    return next;
}

static void give_away(struct hkti_giant_lock *lock)
{
    hkti_guard_acquire(&lock->guard);
    struct hkti_strand *next = pass_on(lock);
    hkti_guard_release(&lock->guard);
    if (next)
        hkti_wake(next);
}

/* A waiter's patience has ended: has the same turn lasted all the time? When to look again. */
static int64_t patience_ended(struct hkti_wait *wait, int64_t now)
{
    struct hkti_giant_lock *lock = HKTI_CONTAINER(wait->guard, struct hkti_giant_lock, guard);
    int64_t patience = interval_of(lock) * HKT_GIANT_LOCK_REPORT_INTERVALS;
    hkti_guard_acquire(&lock->guard);
    int64_t turn = lock->turn_since;
    int holder = lock->holder;
    bool report = turn != 0 && now - turn >= patience && lock->reported != turn;
    if (report)
        lock->reported = turn;
    hkti_guard_release(&lock->guard);
    if (report)
        hkti_report_line("giant lock %p: thread %d has not given way for %.1f s: call "
                         "hkt_giant_lock_checkpoint in long computations, and _begin_blocking "
                         "before foreign calls that block",
                         (void *)lock, holder, (double)(now - turn) / 1e9);
    return (turn && !report && now - turn < patience ? turn : now) + patience;
}

/* Under the guard: the caller goes to the end of the list. */
static void queue_up(struct hkti_giant_lock *lock, struct hkti_strand *self, struct hkti_wait *wait)
{
    *wait = (struct hkti_wait){ .what = "giant lock",
                                .object = lock,
                                .list = &lock->waiters,
                                .guard = &lock->guard,
                                .expired = patience_ended,
                                .no_hooks = hkti_hook_find(self, lock) != NULL };
    hkti_wait_begin(self, wait);
    if (lock->turn_since == 0)
        lock->turn_since = self->since;
    wait->deadline = self->since + interval_of(lock) * HKT_GIANT_LOCK_REPORT_INTERVALS;
    hkti_store_relaxed(&lock->waiting, hkti_load_relaxed(&lock->waiting) + 1);
}

static void take(struct hkti_giant_lock *lock, struct hkti_strand *self)
{
    struct hkti_wait wait;
    hkti_guard_acquire(&lock->guard);
    if (!lock->held) {
        lock->held = 1;
        lock->holder = self->native_id;
        hkti_guard_release(&lock->guard);
        return;
    }
    queue_up(lock, self, &wait);
    hkti_guard_release(&lock->guard);
    hkti_wait_finish(self, &wait);
}

static void before_wait(struct hkti_wait_hook *hook)
{
    give_away(hook->object);
}

static void after_wait(struct hkti_wait_hook *hook)
{
    take(hook->object, hkti_self());
}

/* Between begin_blocking and end_blocking the hook is there, but in no list. */
static bool given_away(const struct hkti_wait_hook *hook)
{
    return hook->node.next == NULL;
}

/* The hook of the calling strand, which must hold the lock. */
static struct hkti_wait_hook *hook_of_holder(struct hkti_giant_lock *lock, const char *function)
{
    struct hkti_wait_hook *hook = hkti_hook_find(hkti_self(), lock);
    if (hook == NULL || given_away(hook))
        hkti_misuse("%s: giant lock %p is not held by the calling thread", function, (void *)lock);
    return hook;
}

void hkt_giant_lock_acquire(hkt_giant_lock *public)
{
    struct hkti_giant_lock *lock = (struct hkti_giant_lock *)public;
    struct hkti_strand *self = hkti_self();
    struct hkti_wait_hook *hook = hkti_hook_find(self, lock);
    if (hook && given_away(hook))
        hkti_misuse("hkt_giant_lock_acquire: giant lock %p was given away by begin_blocking: "
                    "end_blocking takes it again",
                    (void *)lock);
    if (hook) {
        hook->count++;
        return;
    }
    take(lock, self);
    hook = hkti_hook_add(self, lock);
    hook->before = before_wait;
    hook->after = after_wait;
}

void hkt_giant_lock_release(hkt_giant_lock *public)
{
    struct hkti_giant_lock *lock = (struct hkti_giant_lock *)public;
    struct hkti_wait_hook *hook = hook_of_holder(lock, "hkt_giant_lock_release");
    if (--hook->count > 0)
        return;
    hkti_hook_remove(hook);
    give_away(lock);
}

bool hkt_giant_lock_held(const hkt_giant_lock *lock)
{
    const struct hkti_wait_hook *hook = hkti_hook_find(hkti_self(), lock);
    return hook && !given_away(hook);
}

static void give_way(struct hkti_giant_lock *lock)
{
    struct hkti_strand *self = hkti_self();
    struct hkti_wait wait;
    struct hkti_strand *next = NULL;
    hook_of_holder(lock, "hkt_giant_lock_checkpoint");
    int64_t now = hkti_os_now();
    hkti_guard_acquire(&lock->guard);
    if (lock->turn_since && now - lock->turn_since >= interval_of(lock))
        next = pass_on(lock);
    if (next)
        queue_up(lock, self, &wait);
    hkti_guard_release(&lock->guard);
    if (next) {
        hkti_wake(next);
        hkti_wait_finish(self, &wait);
    }
}

void hkt_giant_lock_checkpoint(hkt_giant_lock *public)
{
    struct hkti_giant_lock *lock = (struct hkti_giant_lock *)public;
    if (__builtin_expect(hkti_load_relaxed(&lock->waiting) != 0, 0))
        give_way(lock);
}

void hkt_giant_lock_begin_blocking(hkt_giant_lock *public)
{
    struct hkti_giant_lock *lock = (struct hkti_giant_lock *)public;
    struct hkti_wait_hook *hook = hook_of_holder(lock, "hkt_giant_lock_begin_blocking");
    hkti_list_remove(&hook->node);
    give_away(lock);
}

void hkt_giant_lock_end_blocking(hkt_giant_lock *public)
{
    struct hkti_giant_lock *lock = (struct hkti_giant_lock *)public;
    struct hkti_strand *self = hkti_self();
    struct hkti_wait_hook *hook = hkti_hook_find(self, lock);
    if (hook == NULL || !given_away(hook))
        hkti_misuse("hkt_giant_lock_end_blocking: giant lock %p was not given away by the calling "
                    "thread's begin_blocking",
                    (void *)lock);
    take(lock, self);
    hkti_list_prepend(&self->hooks, &hook->node);
}

int hkt_giant_lock_set_interval(hkt_giant_lock *public, double seconds)
{
    if (!(seconds > 0 && seconds <= 1000))
        return -EINVAL;
    struct hkti_giant_lock *lock = (struct hkti_giant_lock *)public;
    lock->interval = seconds * 1e9 < 1 ? 1 : (int64_t)(seconds * 1e9);
    return 0;
}

double hkt_giant_lock_interval(const hkt_giant_lock *public)
{
    return (double)interval_of((const struct hkti_giant_lock *)public) / 1e9;
}
