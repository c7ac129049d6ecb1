/* SPDX-License-Identifier: MIT */
/* Memory as an x86-64 has it (Owens, Sarkar, Sewell: A Better x86 Memory Model, x86-TSO, 2009):
 * each strand has a buffer, first in first out, of stores that the others do not see yet.
 *
 *   load            the newest store in one's own buffer to that place, else memory
 *   store           to the buffer; seq_cst: after all that is there, to memory
 *   exchange ...    after all that is in one's own buffer, on memory
 *   fence           empties one's own buffer
 *   landing         the oldest store of some buffer goes to memory, whenever the strategy says so
 *
 * Three things are unlike the processor, where plain accesses go through the same buffer. Accesses
 * of different size to the same bytes find the buffer emptied first. hkti_init, which stands for a
 * plain store, drops what its strand has on its way to those bytes. And a store to the strand's
 * own stack is not delayed, nor what is before it: by the time it landed, the function might have
 * returned and plain variables live there. (The strand's local block is not on its stack.) */
#include <string.h>

#include "os/sim/sim.h"

/* Memory itself; little-endian, as are the processors that hocket knows. */

static uint64_t read_memory(const void *p, size_t size)
{
    uint64_t value = 0;
    memcpy(&value, p, size);
    return value;
}

static void write_memory(void *p, size_t size, uint64_t value)
{
    memcpy(p, &value, size);
}

/* Store buffers. */

static struct hkti_sim_store *store_at(struct hkti_sim_strand *strand, uint32_t index)
{
    return &strand->stores[(strand->first_store + index) % HKTI_SIM_STORES];
}

static void clean(struct hkti_sim_strand *strand)
{
    struct hkti_sim_strand *last = hkti_sim.dirty[--hkti_sim.dirty_count];
    hkti_sim.dirty[strand->dirty_place] = last;
    last->dirty_place = strand->dirty_place;
}

void hkti_sim_land_one(struct hkti_sim_strand *strand)
{
    struct hkti_sim_store *store = store_at(strand, 0);
    write_memory(store->address, store->size, store->value);
    strand->first_store++;
    if (--strand->store_count == 0)
        clean(strand);
}

void hkti_sim_land(struct hkti_sim_strand *strand)
{
    while (strand->store_count)
        hkti_sim_land_one(strand);
}

static void put_store(struct hkti_sim_strand *strand, void *p, size_t size, uint64_t value)
{
    if (strand->store_count == HKTI_SIM_STORES)
        hkti_sim_land_one(strand);
    if (strand->store_count == 0) {
        strand->dirty_place = hkti_sim.dirty_count;
        hkti_sim.dirty[hkti_sim.dirty_count++] = strand;
    }
    *store_at(strand, strand->store_count++) = (struct hkti_sim_store){ p, value, size };
}

static bool overlap(const struct hkti_sim_store *store, const void *p, size_t size)
{
    uintptr_t a = (uintptr_t)store->address;
    uintptr_t b = (uintptr_t)p;
    return a < b + size && b < a + store->size;
}

static bool same(const struct hkti_sim_store *store, const void *p, size_t size)
{
    return store->address == p && store->size == size;
}

/* Empties the buffer if it has a store to some, but not the same, of these bytes. */
static void separate(struct hkti_sim_strand *strand, const void *p, size_t size)
{
    for (uint32_t i = 0; i < strand->store_count; i++) {
        struct hkti_sim_store *store = store_at(strand, i);
        if (overlap(store, p, size) && !same(store, p, size)) {
            hkti_sim_land(strand);
            return;
        }
    }
}

static uint64_t load(struct hkti_sim_strand *strand, const void *p, size_t size)
{
    separate(strand, p, size);
    for (uint32_t i = strand->store_count; i-- > 0;)
        if (same(store_at(strand, i), p, size))
            return store_at(strand, i)->value;
    return read_memory(p, size);
}

static void init(struct hkti_sim_strand *strand, void *p, size_t size, uint64_t value)
{
    separate(strand, p, size);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < strand->store_count; i++)
        if (!same(store_at(strand, i), p, size))
            *store_at(strand, kept++) = *store_at(strand, i);
    if (strand->store_count && kept == 0)
        clean(strand);
    strand->store_count = kept;
    write_memory(p, size, value);
}

static void store(struct hkti_sim_strand *strand, void *p, size_t size, uint64_t value, int order)
{
    bool own_stack = (char *)p >= strand->stack && (char *)p < (char *)strand;
    if (strand->other_local)
        own_stack = (char *)p >= strand->other_stack && (char *)p < (char *)strand->other_local;
    if (order != __ATOMIC_SEQ_CST && !own_stack && hkti_sim.strategy->delay_store()) {
        put_store(strand, p, size, value);
        return;
    }
    hkti_sim_land(strand);
    write_memory(p, size, value);
}

/* What memory has after a read-modify-write that found `old`. */
static uint64_t modified(enum hkti_atomic_op op, uint64_t old, uint64_t a, uint64_t b)
{
    switch (op) {
    case HKTI_OP_EXCHANGE:
        return a;
    case HKTI_OP_CAS:
        return old == a ? b : old;
    case HKTI_OP_ADD:
        return old + a;
    case HKTI_OP_AND:
        return old & a;
    case HKTI_OP_OR:
        return old | a;
    default:
        return old;
    }
}

static uint64_t access_memory(enum hkti_atomic_op op, void *p, size_t size, uint64_t a, uint64_t b,
                              int order)
{
    struct hkti_sim_strand *self = hkti_sim.current;
    switch (op) {
    case HKTI_OP_LOAD:
        return load(self, p, size);
    case HKTI_OP_STORE:
        store(self, p, size, a, order);
        return 0;
    case HKTI_OP_FENCE:
        hkti_sim_land(self);
        return 0;
    case HKTI_OP_INIT:
        init(self, p, size, a);
        return 0;
    default:
        break;
    }
    hkti_sim_land(self);
    uint64_t old = read_memory(p, size);
    write_memory(p, size, modified(op, old, a, b));
    return old;
}

uint64_t hkti_sim_access(enum hkti_atomic_op op, void *p, size_t size, uint64_t a, uint64_t b,
                         int order)
{
    uint64_t mask = size < 8 ? (UINT64_C(1) << (8 * size)) - 1 : UINT64_MAX;
    if (op != HKTI_OP_INIT)
        hkti_sim_point(op, false);
    uint64_t result = access_memory(op, p, size, a & mask, b & mask, order);
    if (__builtin_expect(hkti_sim.trace, 0))
        hkti_sim_trace_line(op, p, a & mask, b & mask, result);
    return result;
}
