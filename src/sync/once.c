/* SPDX-License-Identifier: MIT */
/* Once: new, running (somebody is at it), done. Under its guard, but for the look at `done`. When
 * the function fails, the state is new again and one waiter is woken, which will run it; when it
 * is done, all are. */
#include <errno.h>
#include <hocket/once.h>

#include "park/scope.h"
#include "park/wait.h"

enum { NEW, RUNNING, DONE };

/* What hkt_once is. */
struct __attribute__((may_alias)) hkti_once {
    uint32_t state;
    uint32_t guard;
    struct hkti_wait_list waiters;
    struct hkti_strand *runner;
};

_Static_assert(sizeof(struct hkti_once) == sizeof(hkt_once), "these are one");

bool hkt_once_done(const hkt_once *public)
{
    return hkti_load_acquire(&((const struct hkti_once *)public)->state) == DONE; /* pairs: once */
}

static int run(struct hkti_once *once, int (*function)(void *), void *arg)
{
    struct hkti_wait_list taken = { 0 };
    int err = function(arg);
    hkti_guard_acquire(&once->guard);
    once->runner = NULL;
    hkti_store_release(&once->state, err < 0 ? NEW : DONE); /* pairs: once */
    hkti_wait_list_take(&once->waiters, err < 0 ? 1 : SIZE_MAX, 0, &taken);
    hkti_guard_release(&once->guard);
    hkti_wake_all(&taken);
    return err < 0 ? err : 0;
}

int hkt_once_call(hkt_once *public, int (*function)(void *), void *arg)
{
    struct hkti_once *once = (struct hkti_once *)public;
    if (hkt_once_done(public))
        return 0;
    struct hkti_strand *self = hkti_self();
    for (;;) {
        hkti_guard_acquire(&once->guard);
        uint32_t state = hkti_load_relaxed(&once->state);
        if (state == NEW) {
            hkti_store_relaxed(&once->state, RUNNING);
            once->runner = self;
        }
        if (state != RUNNING || once->runner == self) {
            hkti_guard_release(&once->guard);
            if (state == NEW)
                return run(once, function, arg);
            return state == DONE ? 0 : -EDEADLK;
        }
        struct hkti_wait wait = { .what = "once",
                                  .object = once,
                                  .list = &once->waiters,
                                  .guard = &once->guard,
                                  .cancellable = true };
        int err = hkti_wait(&wait);
        if (err < 0)
            return err;
    }
}
