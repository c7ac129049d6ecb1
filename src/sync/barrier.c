/* SPDX-License-Identifier: MIT */
/* The barrier: a count and those who wait, under its guard.
 *
 * The last to come takes the others out, which makes the cycle complete: from then on no deadline
 * and no cancel can break it, and the next cycle may fill. Then it runs the action, without the
 * guard, and wakes them with grant 0, or -EPIPE if the action failed. One that gives up before
 * that breaks the barrier in the same step as it leaves the list (left_early), so that nobody can
 * complete the cycle without it; then it wakes the others with -EPIPE. */
#include <errno.h>
#include <hocket/barrier.h>
#include <limits.h>

#include "base/seconds.h"
#include "park/scope.h"
#include "park/wait.h"

/* What hkt_barrier is. */
struct __attribute__((may_alias)) hkti_barrier {
    struct hkti_wait_list waiters;
    uint32_t guard;
    uint32_t broken; /* written under the guard, read at any time */
    size_t parties;
    size_t count; /* have come in this cycle; likewise */
    int (*action)(void *);
    void *arg;
    double timeout;
    uint64_t reserved[4];
};

_Static_assert(sizeof(struct hkti_barrier) == sizeof(hkt_barrier), "these are one");

int hkt_barrier_init(hkt_barrier *public, size_t parties, const hkt_barrier_options *options)
{
    if (parties == 0 || parties > INT_MAX || (options && !(options->timeout >= 0)))
        return -EINVAL;
    struct hkti_barrier *barrier = (struct hkti_barrier *)public;
    *barrier = (struct hkti_barrier){ .parties = parties };
    if (options) {
        barrier->action = options->action;
        barrier->arg = options->arg;
        barrier->timeout = options->timeout;
    }
    return 0;
}

/* Under the guard, which it releases: sends all who wait away. */
static void dismiss(struct hkti_barrier *barrier, bool broken)
{
    struct hkti_wait_list taken = { 0 };
    hkti_store_relaxed(&barrier->broken, broken);
    hkti_store_relaxed(&barrier->count, (size_t)0);
    hkti_wait_list_take(&barrier->waiters, SIZE_MAX, EPIPE, &taken);
    hkti_guard_release(&barrier->guard);
    hkti_wake_all(&taken);
}

static void left_early(struct hkti_wait *wait)
{
    struct hkti_barrier *barrier = HKTI_CONTAINER(wait->guard, struct hkti_barrier, guard);
    hkti_store_relaxed(&barrier->broken, 1);
}

/* The caller is the last: with the guard, which it releases. */
static int complete(struct hkti_barrier *barrier)
{
    struct hkti_wait_list taken = { 0 };
    int index = (int)barrier->parties - 1;
    hkti_wait_list_take(&barrier->waiters, SIZE_MAX, 0, &taken);
    hkti_store_relaxed(&barrier->count, (size_t)0);
    hkti_guard_release(&barrier->guard);
    int err = barrier->action ? barrier->action(barrier->arg) : 0;
    if (err < 0) {
        for (struct hkti_node *node = taken.head.next; node && node != &taken.head;
             node = node->next)
            HKTI_CONTAINER(node, struct hkti_strand, node)->grant = EPIPE;
        hkt_barrier_abort((hkt_barrier *)barrier);
    }
    hkti_wake_all(&taken);
    return err < 0 ? err : index;
}

static int wait_until(struct hkti_barrier *barrier, int64_t deadline)
{
    int err = hkti_cancelled(deadline);
    hkti_guard_acquire(&barrier->guard);
    if (hkti_load_relaxed(&barrier->broken)) {
        hkti_guard_release(&barrier->guard);
        return err < 0 ? err : -EPIPE;
    }
    if (err <
        0) { /* who comes cancelled cannot wait for the others: broken, as by one who gave up */
        dismiss(barrier, true);
        return err;
    }
    size_t index = hkti_load_relaxed(&barrier->count);
    hkti_store_relaxed(&barrier->count, index + 1);
    if (index + 1 == barrier->parties)
        return complete(barrier);
    struct hkti_wait wait = { .what = "barrier",
                              .object = barrier,
                              .list = &barrier->waiters,
                              .guard = &barrier->guard,
                              .deadline = deadline,
                              .left = left_early,
                              .cancellable = deadline != HKTI_PASSED };
    hkti_self()->grant = 0;
    err = hkti_wait(&wait);
    if (err < 0) {
        hkti_guard_acquire(&barrier->guard);
        if (hkti_load_relaxed(&barrier->broken))
            dismiss(barrier, true);
        else /* it has been reset since */
            hkti_guard_release(&barrier->guard);
        return err;
    }
    return hkti_self()->grant == EPIPE ? -EPIPE : (int)index;
}

int hkt_barrier_wait_until(hkt_barrier *public, hkt_deadline deadline)
{
    return wait_until((struct hkti_barrier *)public, deadline.ns);
}

int hkt_barrier_wait(hkt_barrier *public)
{
    double timeout = ((struct hkti_barrier *)public)->timeout;
    return wait_until((struct hkti_barrier *)public, timeout > 0 ? hkt_after(timeout).ns : 0);
}

void hkt_barrier_reset(hkt_barrier *public)
{
    struct hkti_barrier *barrier = (struct hkti_barrier *)public;
    hkti_guard_acquire(&barrier->guard);
    dismiss(barrier, false);
}

void hkt_barrier_abort(hkt_barrier *public)
{
    struct hkti_barrier *barrier = (struct hkti_barrier *)public;
    hkti_guard_acquire(&barrier->guard);
    dismiss(barrier, true);
}

bool hkt_barrier_broken(const hkt_barrier *public)
{
    return hkti_load_relaxed(&((const struct hkti_barrier *)public)->broken);
}

size_t hkt_barrier_n_waiting(const hkt_barrier *public)
{
    return hkti_load_relaxed(&((const struct hkti_barrier *)public)->count);
}

size_t hkt_barrier_parties(const hkt_barrier *public)
{
    return ((const struct hkti_barrier *)public)->parties;
}
