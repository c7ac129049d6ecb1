/* SPDX-License-Identifier: MIT */
/* The arrays of forks: a pool makes one when a strand forks and none is free, and keeps all until its
 * end, since thieves may look at them at any time. forks.h has the rules. */
#include "base/report.h"
#include "exec/fork_slots.h"
#include "os/os.h"

static struct hkti_forks *make_array(struct hkti_pool *pool)
{
    struct hkti_forks *made = hkti_os_pages_map(HKT_FORK_ARRAY_SIZE, HKT_FORK_ARRAY_SIZE);
    if (made == NULL)
        return NULL;
    made->pool = pool;
    made->limit = &made->slots[pool ? HKTI_FORK_CAPACITY : 0];
    return made;
}

static void keep_array(struct hkti_fork_places *places, struct hkti_forks *made)
{
    hkti_guard_acquire(&places->guard);
    made->next = places->all;
    hkti_store_release(&places->all, made); /* pairs: fork-arrays */
    hkti_guard_release(&places->guard);
}

static struct hkti_forks *take_array(struct hkti_pool *pool)
{
    struct hkti_fork_places *places = &pool->forks;
    hkti_guard_acquire(&places->guard);
    struct hkti_forks *taken = places->free;
    if (taken)
        places->free = taken->next_free;
    hkti_guard_release(&places->guard);
    if (taken)
        return taken;
    taken = make_array(pool);
    if (taken)
        keep_array(places, taken);
    return taken;
}

struct hkti_forks *hkti_forks_attach(struct hkti_strand *self, struct hkti_pool *pool,
                                     struct hkti_scope *scope)
{
    struct hkti_forks *forks = pool ? take_array(pool) : make_array(NULL);
    if (forks == NULL)
        return NULL;
    forks->owner = self;
    forks->outermost = (struct hkti_fork_level){ forks->slots, scope, NULL, NULL };
    forks->level = &forks->outermost;
    forks->open.top = forks->open.private_from = forks->slots;
    hkti_store_relaxed(&forks->open.fork_until, (struct hkt_fork_slot *)0);
    hkti_store_relaxed(&forks->used, 1);
    self->forks = forks;
    return forks;
}

void hkti_forks_push_level(struct hkti_forks *forks, struct hkti_fork_level *level,
                           struct hkti_scope *scope, struct hkt_fork_slot *stolen)
{
    *level = (struct hkti_fork_level){ forks->open.top, scope, stolen, forks->level };
    hkti_guard_acquire(&forks->guard);
    forks->level = level;
    hkti_guard_release(&forks->guard);
}

void hkti_forks_pop_level(struct hkti_forks *forks)
{
    hkti_guard_acquire(&forks->guard);
    forks->level = forks->level->outer;
    hkti_guard_release(&forks->guard);
}

struct hkti_scope *hkti_forks_scope_around(struct hkti_forks *forks,
                                           const struct hkt_fork_slot *slot)
{
    hkti_guard_acquire(&forks->guard);
    const struct hkti_fork_level *level = forks->level;
    while (slot < level->from)
        level = level->outer;
    struct hkti_scope *scope = level->scope;
    hkti_guard_release(&forks->guard);
    return scope;
}

void hkti_forks_leave(struct hkti_strand *self)
{
    struct hkti_forks *forks = self->forks;
    if (forks == NULL)
        return;
    if (forks->open.top != forks->slots || forks->overflow.count)
        hkti_misuse("a job returned with %zu forks that it has not joined",
                    (size_t)(forks->open.top - forks->slots) + forks->overflow.count);
    self->forks = NULL;
    if (forks->pool == NULL) {
        hkti_os_pages_unmap(forks, HKT_FORK_ARRAY_SIZE);
        return;
    }
    hkti_store_relaxed(&forks->used, 0);
    struct hkti_fork_places *places = &forks->pool->forks;
    hkti_guard_acquire(&places->guard);
    forks->next_free = places->free;
    places->free = forks;
    hkti_guard_release(&places->guard);
}

void hkti_forks_end(struct hkti_fork_places *places)
{
    while (places->all) {
        struct hkti_forks *forks = places->all;
        places->all = forks->next;
        hkti_os_pages_unmap(forks, HKT_FORK_ARRAY_SIZE);
    }
}
