/* SPDX-License-Identifier: MIT */
/* Lines of 64 bytes, for futures and what belongs to them: slabs, which stay until hkt_finalize. A
 * thread keeps some spare ones at hand (strand->spares); when it has too many or too few, a batch goes
 * to or comes from the depot of the process. So who submits and who destroys, often two threads, take
 * the depot's guard once in a batch.
 *
 * Who may touch what: strand->spares by its thread; slabs, depot and count under the guard.
 *
 * In the simulated build each line is allocated by itself: what was kept would make a simulated run
 * differ from the next, and would hide who touches a line that is gone. */
#include <string.h>

#include "base/memory.h"
#include "exec/lines.h"
#include "park/guard.h"
#include "park/strand.h"

#ifdef HKT_SIM

static size_t in_use; /* atomic */

void *hkti_line_allocate(void)
{
    void *memory = hkti_allocate_lines(HKTI_LINE);
    if (memory)
        hkti_fetch_add_relaxed(&in_use, 1);
    return memory;
}

void hkti_line_release(void *memory)
{
    if (hkti_seam)
        hkti_seam->released(); /* before the bytes below */
    memset(memory, 0x5a, HKTI_LINE);
    hkti_fetch_add_relaxed(&in_use, (size_t)-1);
    hkti_release_lines(memory, HKTI_LINE);
}

void hkti_lines_empty(struct hkti_strand *home)
{
    (void)home;
}

bool hkti_lines_finalize(void)
{
    return hkti_load_relaxed(&in_use) == 0;
}

#else

#define BATCH 64
#define SLAB_SIZE (BATCH * HKTI_LINE + 128)

/* A spare one. */
struct line {
    struct line *next;
    struct line *next_batch; /* of the first of a batch in the depot */
    char rest[HKTI_LINE - 16];
};
_Static_assert(sizeof(struct line) == HKTI_LINE, "a line");

struct slab {
    struct slab *next;
};

static uint32_t guard;
static struct slab *slabs;
static struct line *depot;
static size_t made, kept; /* batches in all, batches in the depot */

/* The lines of a new slab, linked; NULL. */
static struct line *make_slab(void)
{
    struct slab *slab = hkti_allocate(SLAB_SIZE);
    if (slab == NULL)
        return NULL;
    uintptr_t place = ((uintptr_t)(slab + 1) + 63) & ~(uintptr_t)63;
    struct line *first = (struct line *)(void *)((char *)slab + (place - (uintptr_t)slab));
    for (int i = 0; i + 1 < BATCH; i++)
        first[i].next = &first[i + 1];
    hkti_guard_acquire(&guard);
    slab->next = slabs;
    slabs = slab;
    made++;
    hkti_guard_release(&guard);
    return first;
}

static struct line *take_batch(void)
{
    hkti_guard_acquire(&guard);
    struct line *first = depot;
    if (first) {
        depot = first->next_batch;
        kept--;
    }
    hkti_guard_release(&guard);
    return first ? first : make_slab();
}

static void give_batch(struct line *first)
{
    hkti_guard_acquire(&guard);
    first->next_batch = depot;
    depot = first;
    kept++;
    hkti_guard_release(&guard);
}

void *hkti_line_allocate(void)
{
    struct hkti_strand *home = hkti_self()->home;
    struct line *line = home->spares;
    if (__builtin_expect(line == NULL, 0)) {
        line = take_batch();
        if (line == NULL)
            return NULL;
        home->spare_count = BATCH;
    }
    home->spares = line->next;
    home->spare_count--;
    return line;
}

/* A batch of those at hand goes to the depot. */
static void unload(struct hkti_strand *home)
{
    struct line *first = home->spares, *last = first;
    for (int i = 1; i < BATCH; i++)
        last = last->next;
    home->spares = last->next;
    home->spare_count -= BATCH;
    last->next = NULL;
    give_batch(first);
}

void hkti_line_release(void *memory)
{
    struct hkti_strand *home = hkti_self()->home;
    struct line *line = memory;
    line->next = home->spares;
    home->spares = line;
    if (++home->spare_count == 2 * BATCH)
        unload(home);
}

/* What a thread that ends has at hand, fewer than a batch, is put together with what others left. */
static struct line *rest;
static size_t rest_count;

void hkti_lines_empty(struct hkti_strand *home)
{
    while (home->spare_count >= BATCH)
        unload(home);
    while (home->spares) {
        struct line *line = home->spares, *whole = NULL;
        home->spares = line->next;
        hkti_guard_acquire(&guard);
        line->next = rest;
        rest = line;
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

bool hkti_lines_finalize(void)
{
    hkti_lines_empty(hkti_self());
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
