/* SPDX-License-Identifier: MIT */
/* Waiting for several futures, and as_completed: both a crowd of them, in which each is once. */
#include <errno.h>

#include "base/memory.h"
#include "base/seconds.h"
#include "exec/crowd.h"

struct hkt_as_completed {
    struct hkti_crowd crowd;
    size_t count; /* how many still come */
    size_t room;
    struct hkti_wanted wanted; /* of `futures`, which lie behind the entries */
    hkt_future **futures;      /* NULL: it has come */
    struct hkti_crowd_entry entries[];
};

/* Futures met so far, by open addressing. */
struct met {
    hkt_future **places;
    size_t size; /* a power of two, more than twice as many as will be met */
};

static bool is_new(struct met *met, hkt_future *future)
{
    size_t place = (size_t)(((uintptr_t)future >> 6) * UINT64_C(0x9E3779B97F4A7C15) >> 20);
    for (;; place++) {
        hkt_future **at = &met->places[place & (met->size - 1)];
        if (*at == future)
            return false;
        if (*at == NULL) {
            *at = future;
            return true;
        }
    }
}

static size_t bytes(size_t room)
{
    return sizeof(struct hkt_as_completed) +
           room * (sizeof(struct hkti_crowd_entry) + sizeof(hkt_future *));
}

int hkt_as_completed_create(hkt_as_completed **iterator, hkt_future *const futures[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (futures[i] && hkti_future_is_own(futures[i]))
            return -EDEADLK;
    struct met met = { .size = 2 };
    while (met.size < 2 * count + 1)
        met.size *= 2;
    struct hkt_as_completed *made = hkti_allocate(bytes(count));
    met.places = hkti_allocate(met.size * sizeof *met.places);
    if (made == NULL || met.places == NULL) {
        hkti_release(made, bytes(count));
        hkti_release(met.places, met.size * sizeof *met.places);
        return -ENOMEM;
    }
    made->room = count;
    made->futures = (hkt_future **)(void *)&made->entries[count];
    hkti_crowd_init(&made->crowd);
    for (size_t i = 0; i < count; i++)
        if (futures[i] && is_new(&met, futures[i]))
            made->futures[made->count++] = futures[i];
    made->wanted = (struct hkti_wanted){ .futures = made->futures, .count = made->count };
    for (size_t i = 0; i < made->count; i++)
        hkti_crowd_add(&made->crowd, &made->entries[i], made->futures[i]);
    hkti_release(met.places, met.size * sizeof *met.places);
    *iterator = made;
    return 0;
}

int hkt_as_completed_next_until(hkt_as_completed *iterator, hkt_future **future,
                                hkt_deadline deadline)
{
    int err = hkti_cancelled(deadline.ns);
    if (err < 0)
        return err;
    if (iterator->count == 0)
        return 0;
    struct hkti_crowd_entry *entry = hkti_crowd_pop(&iterator->crowd);
    if (entry == NULL) {
        err = hkti_crowd_await(&iterator->crowd, 1, false, &iterator->wanted, deadline);
        if (err < 0)
            return err;
        entry = hkti_crowd_pop(&iterator->crowd);
    }
    *future = entry->future;
    iterator->futures[entry - iterator->entries] = NULL;
    iterator->count--;
    return 1;
}

int hkt_as_completed_next(hkt_as_completed *iterator, hkt_future **future)
{
    return hkt_as_completed_next_until(iterator, future, (hkt_deadline){ 0 });
}

void hkt_as_completed_destroy(hkt_as_completed *iterator)
{
    if (iterator == NULL)
        return;
    for (size_t i = 0; i < iterator->wanted.count; i++)
        if (iterator->futures[i])
            hkti_crowd_remove(&iterator->entries[i]);
    hkti_crowd_end(&iterator->crowd);
    hkti_release(iterator, bytes(iterator->room));
}

int hkt_wait_until(hkt_future *const futures[], size_t count, hkt_return_when when,
                   hkt_deadline deadline)
{
    hkt_as_completed *all;
    int err = hkti_cancelled(deadline.ns);
    if (err < 0)
        return err;
    if (when > HKT_FIRST_EXCEPTION || count > INT32_MAX)
        return -EINVAL;
    err = hkt_as_completed_create(&all, futures, count);
    if (err < 0)
        return err;
    size_t many = when == HKT_FIRST_COMPLETED && all->count > 0 ? 1 : all->count;
    err = hkti_crowd_await(&all->crowd, many, when == HKT_FIRST_EXCEPTION, &all->wanted, deadline);
    hkti_guard_acquire(&all->crowd.guard);
    size_t ready = all->crowd.ready;
    hkti_guard_release(&all->crowd.guard);
    hkt_as_completed_destroy(all);
    return err < 0 ? err : (int)ready;
}

int hkt_wait(hkt_future *const futures[], size_t count, hkt_return_when when)
{
    return hkt_wait_until(futures, count, when, (hkt_deadline){ 0 });
}
