/* SPDX-License-Identifier: MIT */
/* The allocator hook: a table of two functions, and the count of what is alive.
 *
 * The table is changed only while nothing is allocated (-EBUSY else), and by the public contract
 * before other threads run; so readers need no order. The count is relaxed: it is read for that
 * check and by tests, when nobody else runs. */
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"

static void *from_malloc(void *context, size_t size)
{
    (void)context;
    return malloc(size);
}

static void to_free(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    free(memory);
}

static const hkt_allocator system_allocator = { .allocate = from_malloc, .release = to_free };
static hkt_allocator allocator = { .allocate = from_malloc, .release = to_free };
static size_t alive;

int hkt_set_allocator(const hkt_allocator *new_allocator)
{
    if (hkti_load_relaxed(&alive) != 0)
        return -EBUSY;
    allocator = new_allocator ? *new_allocator : system_allocator;
    return 0;
}

size_t hkt_allocation_count(void)
{
    return hkti_load_relaxed(&alive);
}

void *hkti_allocate(size_t size)
{
    int saved = errno;
    void *memory = allocator.allocate(allocator.context, size);
    errno = saved;
    if (memory == NULL)
        return NULL;
    hkti_fetch_add_relaxed(&alive, 1);
    return memset(memory, 0, size);
}

void hkti_release(void *memory, size_t size)
{
    if (memory == NULL)
        return;
#ifdef HKT_SIM
    if (hkti_seam)
        hkti_seam->released();
#endif
    hkti_fetch_add_relaxed(&alive, (size_t)-1);
    allocator.release(allocator.context, memory, size);
}

/* What was allocated stands right before the line. */
void *hkti_allocate_lines(size_t size)
{
    char *whole = hkti_allocate(size + 128);
    if (whole == NULL)
        return NULL;
    char *line = whole + 128 - ((uintptr_t)whole & 63);
    ((void **)(void *)line)[-1] = whole;
    return line;
}

void hkti_release_lines(void *memory, size_t size)
{
    if (memory)
        hkti_release(((void **)memory)[-1], size + 128);
}
