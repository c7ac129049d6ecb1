/* SPDX-License-Identifier: MIT */
/* The rwlock: everything under its guard. It is handed over in the order of coming: a writer
 * alone, readers until the next writer. So who comes may go in only if nobody waits, and who waits
 * is never overtaken. When a waiter gives up, those behind it may have become free to go: it
 * serves them. */
#include <errno.h>
#include <hocket/rwlock.h>

#include "base/report.h"
#include "base/seconds.h"
#include "park/scope.h"
#include "park/wait.h"

/* What hkt_rwlock is. */
struct __attribute__((may_alias)) hkti_rwlock {
    uint32_t guard;
    uint32_t readers; /* who hold it */
    uint32_t writer;  /* 1: somebody holds it */
    uint32_t reserved1;
    struct hkti_wait_list waiters; /* grant: 1 if it wants to write, on its way in */
    uint64_t reserved[2];
};

_Static_assert(sizeof(struct hkti_rwlock) == sizeof(hkt_rwlock), "these are one");

static bool enter(struct hkti_rwlock *lock, bool write)
{
    if (lock->writer || (write && lock->readers))
        return false;
    if (write)
        lock->writer = 1;
    else
        lock->readers++;
    return true;
}

/* Under the guard, which it releases: lets in who may, from the front. */
static void serve(struct hkti_rwlock *lock)
{
    struct hkti_wait_list taken = { 0 };
    struct hkti_strand *first;
    while ((first = hkti_wait_list_first(&lock->waiters)) != NULL && enter(lock, first->grant))
        hkti_wait_list_take(&lock->waiters, 1, 0, &taken);
    hkti_guard_release(&lock->guard);
    hkti_wake_all(&taken);
}

static int acquire(struct hkti_rwlock *lock, bool write, int64_t deadline, bool cancellable)
{
    int err = cancellable ? hkti_cancelled(deadline) : 0;
    if (err < 0)
        return err;
    hkti_guard_acquire(&lock->guard);
    if (hkti_list_empty(&lock->waiters.head) && enter(lock, write)) {
        hkti_guard_release(&lock->guard);
        return 0;
    }
    if (deadline == HKTI_PASSED) {
        hkti_guard_release(&lock->guard);
        return -ETIMEDOUT;
    }
    struct hkti_wait wait = { .what = write ? "rwlock: writing" : "rwlock: reading",
                              .object = lock,
                              .list = &lock->waiters,
                              .guard = &lock->guard,
                              .deadline = deadline,
                              .cancellable = cancellable };
    hkti_self()->grant = write;
    err = hkti_wait(&wait);
    if (err < 0) {
        hkti_guard_acquire(&lock->guard);
        serve(lock);
    }
    return err;
}

void hkt_rwlock_acquire_read(hkt_rwlock *lock)
{
    acquire((struct hkti_rwlock *)lock, false, 0, false);
}

int hkt_rwlock_acquire_read_until(hkt_rwlock *lock, hkt_deadline deadline)
{
    return acquire((struct hkti_rwlock *)lock, false, deadline.ns, true);
}

int hkt_rwlock_acquire_read_nowait(hkt_rwlock *lock)
{
    return acquire((struct hkti_rwlock *)lock, false, HKTI_PASSED, false) ? -EAGAIN : 0;
}

void hkt_rwlock_acquire_write(hkt_rwlock *lock)
{
    acquire((struct hkti_rwlock *)lock, true, 0, false);
}

int hkt_rwlock_acquire_write_until(hkt_rwlock *lock, hkt_deadline deadline)
{
    return acquire((struct hkti_rwlock *)lock, true, deadline.ns, true);
}

int hkt_rwlock_acquire_write_nowait(hkt_rwlock *lock)
{
    return acquire((struct hkti_rwlock *)lock, true, HKTI_PASSED, false) ? -EAGAIN : 0;
}

void hkt_rwlock_release_read(hkt_rwlock *public)
{
    struct hkti_rwlock *lock = (struct hkti_rwlock *)public;
    hkti_guard_acquire(&lock->guard);
    if (lock->readers == 0)
        hkti_misuse("hkt_rwlock_release_read: nobody reads under rwlock %p", (void *)lock);
    lock->readers--;
    serve(lock);
}

void hkt_rwlock_release_write(hkt_rwlock *public)
{
    struct hkti_rwlock *lock = (struct hkti_rwlock *)public;
    hkti_guard_acquire(&lock->guard);
    if (!lock->writer)
        hkti_misuse("hkt_rwlock_release_write: nobody writes under rwlock %p", (void *)lock);
    lock->writer = 0;
    serve(lock);
}
