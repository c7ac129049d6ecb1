/* SPDX-License-Identifier: MIT */
/* See checked.h. */
#include "sync/checked.h"

#ifdef HKT_CHECKED

#include "base/report.h"
#include "park/guard.h"

static uint32_t guard;
static struct hkti_node strands;

/* Under the guard: who holds the lock, if it has not ended. */
static struct hkti_strand *holder_of(const struct hkti_lock *lock)
{
    for (struct hkti_node *node = strands.next; node && node != &strands; node = node->next)
        if (HKTI_CONTAINER(node, struct hkti_strand, checked) == lock->holder)
            return lock->holder;
    return NULL;
}

static void remember(struct hkti_strand *self)
{
    if (self->checked.next == NULL)
        hkti_list_append(&strands, &self->checked);
}

/* From the lock over its holder to the lock that one waits for, and so on, back to `self`? */
static bool comes_back(const struct hkti_lock *lock, const struct hkti_strand *self)
{
    for (int steps = 0; lock && steps < 10000; steps++) {
        const struct hkti_strand *holder = holder_of(lock);
        if (holder == self)
            return true;
        lock = holder ? holder->waits_for : NULL;
    }
    return false;
}

static void tell(const struct hkti_lock *lock, const struct hkti_strand *self)
{
    const struct hkti_strand *waiter = self;
    do {
        hkti_report_line("thread %d waits for lock %p, which thread %d holds", waiter->native_id,
                         (const void *)lock, lock->holder->native_id);
        waiter = lock->holder;
        lock = waiter->waits_for;
    } while (waiter != self);
}

void hkti_checked_waits(struct hkti_lock *lock)
{
    struct hkti_strand *self = hkti_self();
    hkti_guard_acquire(&guard);
    remember(self);
    self->waits_for = lock;
    if (comes_back(lock, self)) {
        tell(lock, self);
        hkti_misuse(
            "hkt_lock_acquire: a deadlock: each of these threads waits for the next one's lock");
    }
    hkti_guard_release(&guard);
}

void hkti_checked_taken(struct hkti_lock *lock)
{
    struct hkti_strand *self = hkti_self();
    hkti_guard_acquire(&guard);
    remember(self);
    self->waits_for = NULL;
    self->locks_held++;
    lock->holder = self;
    hkti_guard_release(&guard);
}

void hkti_checked_released(struct hkti_lock *lock)
{
    hkti_guard_acquire(&guard);
    struct hkti_strand *holder = holder_of(lock);
    if (holder)
        holder->locks_held--;
    lock->holder = NULL;
    hkti_guard_release(&guard);
}

uint64_t hkti_checked_ends(struct hkti_strand *self)
{
    hkti_guard_acquire(&guard);
    uint64_t held = self->locks_held;
    self->locks_held = 0;
    if (self->checked.next)
        hkti_list_remove(&self->checked);
    hkti_guard_release(&guard);
    return held;
}

#endif
