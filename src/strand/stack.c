/* SPDX-License-Identifier: MIT */
/* Stacks for strands.
 *
 * Each size has a pool. A pool maps slabs: many slots of that size side by side, and above them the
 * slab's own header. A slot is a guard page, then the stack. A slot is at any moment
 *
 *   fresh     never taken: nothing but addresses; those of a slab from `fresh` on
 *   in making reserved by one thread, which makes its guard and the page at its upper end
 *   spare     in the pool's list `spare`, last in first out
 *   in use    somebody's stack
 *
 * System calls dominate the cost of a new stack, and one for many slots costs little more than one
 * for one. So whenever no slot is spare, several fresh ones are made at once: half as many as the
 * pool has, so that no more than a third of the memory waits in vain.
 *
 * Who may touch what: the pool's guard guards its lists, and of each slab the links and counts. No
 * system call is made under it: slots in making belong to who makes them. `slabs`, and what never
 * changes in a slab, are also read by signal handlers, without the guard. */
#include "strand/stack.h"

#include <errno.h>

#include "os/os.h"
#include "park/guard.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(ASAN)
#include <sanitizer/asan_interface.h>
#endif

#define SMALLEST ((size_t)16 << 10)
#define LARGEST ((size_t)64 << 20)
#define POOLS 13 /* SMALLEST << 12 is LARGEST */
#define SLAB_BYTES ((size_t)16 << 20)
#define SLAB_SLOTS 512
/* Guards that split mappings: each makes two more, of the 65 530 that a process may have. */
#define PROTECTED_MOST 20000

struct hkti_stack_slot {
    struct hkti_stack_slot *next; /* in `spare` */
    uint32_t index;
    uint32_t in_use;
};

struct slab {
    struct slab *next;       /* in `slabs` */
    struct slab *next_fresh; /* in `with_fresh` */
    char *memory;
    size_t slot_size;
    uint32_t count;
    uint32_t fresh;
    uint32_t busy;             /* slots in making and in use */
    uint32_t guards_protected; /* how many of the slots' guards split the mapping */
    struct hkti_stack_slot slots[];
};

struct pool {
    uint32_t guard;
    struct hkti_stack_slot *spare;
    struct slab *with_fresh;
    struct slab *slabs;
    size_t made; /* slots that are not fresh */
} __attribute__((aligned(64)));

static struct pool stack_pools[POOLS];
static uint32_t all_protected;

/* In a simulation, to take or give a stack is one step, during which no other strand runs, for the
 * pools keep what earlier runs left: choices made inside would differ from run to run. */
#ifdef HKT_SIM
#define STEP_BEGIN                                                                                 \
    const struct hkti_seam *seam = hkti_seam;                                                      \
    hkti_seam = NULL;
#define STEP_END hkti_seam = seam;
#else
#define STEP_BEGIN
#define STEP_END
#endif

static struct slab *slab_of(struct hkti_stack_slot *slot)
{
    return (struct slab *)(void *)((char *)(slot - slot->index) - offsetof(struct slab, slots));
}

static size_t header_size(size_t count)
{
    size_t page = hkti_os_page_size();
    size_t size = sizeof(struct slab) + count * sizeof(struct hkti_stack_slot);
    return (size + page - 1) & ~(page - 1);
}

/* With fewer slots where there is no room for many: NULL if not even for one. */
static struct slab *slab_map(size_t slot_size)
{
    size_t count = SLAB_BYTES / slot_size;
    if (count > SLAB_SLOTS)
        count = SLAB_SLOTS;
    char *memory = NULL;
    for (count += count == 0; count > 0; count /= 2) {
        memory = hkti_os_pages_map(count * slot_size + header_size(count), hkti_os_page_size());
        if (memory)
            break;
    }
    if (memory == NULL)
        return NULL;
    struct slab *slab = (struct slab *)(void *)(memory + count * slot_size);
    slab->memory = memory;
    slab->slot_size = slot_size;
    slab->count = (uint32_t)count;
    return slab;
}

static void slab_unmap(struct slab *slab)
{
    uint32_t guards = slab->guards_protected;
    hkti_os_pages_unmap(slab->memory, slab->count * slab->slot_size + header_size(slab->count));
    hkti_fetch_add_relaxed(&all_protected, -guards);
}

/* Guards that split the mapping, for the slots from `first` on, as long as the limit allows. */
static void protect(struct slab *slab, uint32_t first, uint32_t count)
{
    uint32_t before = hkti_fetch_add_relaxed(&all_protected, count);
    uint32_t room = before >= PROTECTED_MOST ? 0 : PROTECTED_MOST - before;
    uint32_t done = 0;
    while (done < count && done < room &&
           hkti_os_stack_protect(slab->memory + (first + done) * slab->slot_size))
        done++;
    hkti_fetch_add_relaxed(&all_protected, done - count);
    hkti_fetch_add_relaxed(&slab->guards_protected, done);
}

/* Slots in making get what a stack needs; a page that cannot be had now is had by a fault later. */
static void make(struct slab *slab, uint32_t first, uint32_t count)
{
    char *memory = slab->memory + first * slab->slot_size;
    uint32_t marked = (uint32_t)hkti_os_stack_mark(memory, slab->slot_size, count);
    if (marked < count)
        protect(slab, first + marked, count - marked);
    hkti_os_stack_populate(memory + slab->slot_size - hkti_os_page_size(), slab->slot_size, count);
    for (uint32_t i = first; i < first + count; i++)
        slab->slots[i].index = i;
}

/* How many slots to make, now that all of the pool's are in use. */
static uint32_t batch(const struct pool *pool)
{
    size_t most = 1 + pool->made / 2;
    return most < SLAB_SLOTS ? (uint32_t)most : SLAB_SLOTS;
}

/* Reserves up to *count fresh slots of the slab; under the guard, unless nobody knows the slab. */
static uint32_t reserve(struct pool *pool, struct slab *slab, uint32_t *count)
{
    uint32_t first = slab->fresh;
    if (*count > slab->count - first)
        *count = slab->count - first;
    slab->fresh += *count;
    slab->busy += *count;
    pool->made += *count;
    return first;
}

/* A slab that has fresh slots, with up to *count reserved from *first on: NULL if there is none. */
static struct slab *reserve_known(struct pool *pool, uint32_t *first, uint32_t *count)
{
    hkti_guard_acquire(&pool->guard);
    *count = batch(pool);
    struct slab *slab = pool->with_fresh;
    if (slab) {
        *first = reserve(pool, slab, count);
        if (slab->fresh == slab->count)
            pool->with_fresh = slab->next_fresh;
    }
    hkti_guard_release(&pool->guard);
    return slab;
}

static struct slab *reserve_new(struct pool *pool, size_t slot_size, uint32_t *first,
                                uint32_t *count)
{
    struct slab *slab = slab_map(slot_size);
    if (slab == NULL) {
        hkti_stacks_trim();
        slab = slab_map(slot_size);
    }
    if (slab == NULL)
        return NULL;
    hkti_guard_acquire(&pool->guard);
    *first = reserve(pool, slab, count);
    if (slab->fresh < slab->count) {
        slab->next_fresh = pool->with_fresh;
        pool->with_fresh = slab;
    }
    slab->next = pool->slabs;
    hkti_store_release(&pool->slabs, slab); /* pairs: slabs */
    hkti_guard_release(&pool->guard);
    return slab;
}

/* A slot of those it makes: NULL without memory. */
static struct hkti_stack_slot *grow(struct pool *pool, size_t slot_size)
{
    uint32_t first, count;
    struct slab *slab = reserve_known(pool, &first, &count);
    if (slab == NULL)
        slab = reserve_new(pool, slot_size, &first, &count);
    if (slab == NULL)
        return NULL;
    make(slab, first, count);
    hkti_guard_acquire(&pool->guard);
    for (uint32_t i = first + count; --i > first;) {
        slab->slots[i].next = pool->spare;
        pool->spare = &slab->slots[i];
        slab->busy--;
    }
    hkti_guard_release(&pool->guard);
    return &slab->slots[first];
}

static struct hkti_stack_slot *take(struct pool *pool, size_t slot_size)
{
    hkti_guard_acquire(&pool->guard);
    struct hkti_stack_slot *slot = pool->spare;
    if (slot) {
        pool->spare = slot->next;
        slab_of(slot)->busy++;
    }
    hkti_guard_release(&pool->guard);
    return slot ? slot : grow(pool, slot_size);
}

static void describe(struct hkti_stack_slot *slot, struct hkti_stack *stack)
{
    struct slab *slab = slab_of(slot);
    size_t page = hkti_os_page_size();
    stack->low = slab->memory + slot->index * slab->slot_size + page;
    stack->size = slab->slot_size - page;
    stack->slot = slot;
}

int hkti_stack_take(struct hkti_stack *stack, size_t size)
{
    size_t page = hkti_os_page_size();
    unsigned order = 0;
    if (size > LARGEST)
        return -ENOMEM;
    while (SMALLEST << order < size || SMALLEST << order < 4 * page)
        order++;
    STEP_BEGIN
    struct hkti_stack_slot *slot = take(&stack_pools[order], SMALLEST << order);
    if (slot) {
        describe(slot, stack);
        hkti_store_relaxed(&slot->in_use, 1);
    }
    STEP_END
    return slot ? 0 : -ENOMEM;
}

void hkti_stack_give(struct hkti_stack *stack)
{
#if defined(__SANITIZE_ADDRESS__) || defined(ASAN)
    __asan_unpoison_memory_region(stack->low, stack->size);
#endif
#ifdef HKT_SIM
    if (hkti_seam)
        hkti_seam->released();
#endif
    STEP_BEGIN
    struct hkti_stack_slot *slot = stack->slot;
    struct slab *slab = slab_of(slot);
    unsigned order = 0;
    while (SMALLEST << order < slab->slot_size)
        order++;
    struct pool *pool = &stack_pools[order];
    hkti_store_relaxed(&slot->in_use, 0);
    hkti_guard_acquire(&pool->guard);
    slot->next = pool->spare;
    pool->spare = slot;
    slab->busy--;
    hkti_guard_release(&pool->guard);
    STEP_END
}

/* The slot in use whose guard this is in; NULL if there is none. */
static struct hkti_stack_slot *guarded_by(struct slab *slab, const char *address)
{
    size_t offset = (size_t)(address - slab->memory);
    if (address < slab->memory || offset >= slab->count * slab->slot_size)
        return NULL;
    struct hkti_stack_slot *slot = &slab->slots[offset / slab->slot_size];
    bool guard = offset % slab->slot_size < hkti_os_page_size();
    return guard && hkti_load_relaxed(&slot->in_use) ? slot : NULL;
}

bool hkti_stack_find(const void *address, struct hkti_stack *stack)
{
    for (unsigned order = 0; order < POOLS; order++) {
        struct slab *slab = hkti_load_acquire(&stack_pools[order].slabs); /* pairs: slabs */
        for (; slab; slab = slab->next) {
            struct hkti_stack_slot *slot = guarded_by(slab, address);
            if (slot) {
                describe(slot, stack);
                return true;
            }
        }
    }
    return false;
}

/* Takes the slabs that are not busy out of the pool, and all of their slots out of its lists; under
 * the guard. */
static struct slab *take_idle(struct pool *pool)
{
    struct slab *idle = NULL;
    struct hkti_stack_slot **slot = &pool->spare;
    while (*slot) {
        if (slab_of(*slot)->busy)
            slot = &(*slot)->next;
        else
            *slot = (*slot)->next;
    }
    struct slab **fresh = &pool->with_fresh;
    while (*fresh) {
        if ((*fresh)->busy)
            fresh = &(*fresh)->next_fresh;
        else
            *fresh = (*fresh)->next_fresh;
    }
    struct slab **link = &pool->slabs;
    while (*link) {
        struct slab *slab = *link;
        if (slab->busy) {
            link = &slab->next;
            continue;
        }
        *link = slab->next;
        slab->next = idle;
        idle = slab;
        pool->made -= slab->fresh;
    }
    return idle;
}

void hkti_stacks_trim(void)
{
    STEP_BEGIN
    for (unsigned order = 0; order < POOLS; order++) {
        struct pool *pool = &stack_pools[order];
        hkti_guard_acquire(&pool->guard);
        struct slab *idle = take_idle(pool);
        hkti_guard_release(&pool->guard);
        while (idle) {
            struct slab *next = idle->next;
            slab_unmap(idle);
            idle = next;
        }
    }
    STEP_END
}
