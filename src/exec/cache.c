/* SPDX-License-Identifier: MIT */
/* Memory for futures: slabs, which stay until hkt_finalize. A thread keeps some spare ones at hand
 * (strand->spares); when it has too many or too few, a batch goes to or comes from the depot of the
 * process. So who submits and who destroys, often two threads, take the depot's guard once in a
 * batch.
 *
 * Who may touch what: strand->spares by its thread; slabs, depot and count under the guard. A spare
 * future's links are `next`, and in the depot for the batches `watches`, as a pointer.
 *
 * In the simulated build each future is allocated by itself: what was kept would make a simulated run
 * differ from the next, and would hide who touches a future that is gone. */
#include <string.h>

#include "base/memory.h"
#include "exec/future.h"

#ifdef HKT_SIM

static size_t in_use; /* atomic */

hkt_future *hkti_future_allocate(void)
{
    hkt_future *future = hkti_allocate_lines(sizeof *future);
    if (future)
        hkti_fetch_add_relaxed(&in_use, 1);
    return future;
}

void hkti_future_release(hkt_future *future)
{
    if (hkti_seam)
        hkti_seam->released(); /* before the bytes below */
    memset(future, 0x5a, sizeof *future);
    hkti_fetch_add_relaxed(&in_use, (size_t)-1);
    hkti_release_lines(future, sizeof *future);
}

void hkti_future_cache_empty(struct hkti_strand *home)
{
    (void)home;
}

bool hkti_future_cache_finalize(void)
{
    return hkti_load_relaxed(&in_use) == 0;
}

#else

#define BATCH 64
#define SLAB_SIZE (BATCH * sizeof(struct hkt_future) + 128)

struct slab {
    struct slab *next;
};

static uint32_t guard;
static struct slab *slabs;
static hkt_future *depot;
static size_t made, kept; /* batches in all, batches in the depot */

static hkt_future **batch_link(hkt_future *first)
{
    return (hkt_future **)(void *)&first->watches;
}

/* The futures of a new slab, linked; NULL. */
static hkt_future *make_slab(void)
{
    struct slab *slab = hkti_allocate(SLAB_SIZE);
    if (slab == NULL)
        return NULL;
    uintptr_t place = ((uintptr_t)(slab + 1) + 63) & ~(uintptr_t)63;
    hkt_future *first = (hkt_future *)(void *)((char *)slab + (place - (uintptr_t)slab));
    for (int i = 0; i + 1 < BATCH; i++)
        first[i].next = &first[i + 1];
    hkti_guard_acquire(&guard);
    slab->next = slabs;
    slabs = slab;
    made++;
    hkti_guard_release(&guard);
    return first;
}

static hkt_future *take_batch(void)
{
    hkti_guard_acquire(&guard);
    hkt_future *first = depot;
    if (first) {
        depot = *batch_link(first);
        kept--;
    }
    hkti_guard_release(&guard);
    return first ? first : make_slab();
}

static void give_batch(hkt_future *first)
{
    hkti_guard_acquire(&guard);
    *batch_link(first) = depot;
    depot = first;
    kept++;
    hkti_guard_release(&guard);
}

hkt_future *hkti_future_allocate(void)
{
    struct hkti_strand *home = hkti_self()->home;
    hkt_future *future = home->spares;
    if (__builtin_expect(future == NULL, 0)) {
        future = take_batch();
        if (future == NULL)
            return NULL;
        home->spare_count = BATCH;
    }
    home->spares = future->next;
    home->spare_count--;
    return future;
}

/* A batch of those at hand goes to the depot. */
static void unload(struct hkti_strand *home)
{
    hkt_future *first = home->spares, *last = first;
    for (int i = 1; i < BATCH; i++)
        last = last->next;
    home->spares = last->next;
    home->spare_count -= BATCH;
    last->next = NULL;
    give_batch(first);
}

void hkti_future_release(hkt_future *future)
{
    struct hkti_strand *home = hkti_self()->home;
    future->next = home->spares;
    home->spares = future;
    if (++home->spare_count == 2 * BATCH)
        unload(home);
}

/* What a thread that ends has at hand, fewer than a batch, is put together with what others left. */
static hkt_future *rest;
static size_t rest_count;

void hkti_future_cache_empty(struct hkti_strand *home)
{
    while (home->spare_count >= BATCH)
        unload(home);
    while (home->spares) {
        hkt_future *future = home->spares, *whole = NULL;
        home->spares = future->next;
        hkti_guard_acquire(&guard);
        future->next = rest;
        rest = future;
        if (++rest_count == BATCH) {
            whole = rest;
            rest = NULL;
            rest_count = 0;
        }
        hkti_guard_release(&guard);
        if (whole)
            give_batch(whole);
    }
    home->spare_count = 0;
}

bool hkti_future_cache_finalize(void)
{
    hkti_future_cache_empty(hkti_self());
    hkti_guard_acquire(&guard);
    bool all = kept == made;
    struct slab *list = all ? slabs : NULL;
    if (all) {
        slabs = NULL;
        depot = NULL;
        made = kept = 0;
    }
    hkti_guard_release(&guard);
    while (list) {
        struct slab *slab = list;
        list = slab->next;
        hkti_release(slab, SLAB_SIZE);
    }
    return all;
}

#endif
