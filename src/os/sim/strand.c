/* SPDX-License-Identifier: MIT */
/* Strands of a simulation: their stacks, beginning, end.
 *
 * A slot is a stack with the strand's record at its upper end. Slots are made when they are first
 * needed and kept for later schedules, which use them in the same order: so the addresses of a
 * schedule's strands and locals are the same each time within a process. The slot of a strand that
 * has ended is free at once; a handle therefore also has the strand's number, by which a join knows
 * that the slot is another's by now, and its own strand gone.
 *
 * After a schedule that failed, the stacks of its strands are simply used again. */
#include <errno.h>
#include <string.h>

#include "os/sim/sim.h"

/* Stacks that stay when no simulation runs. */
#define KEPT 16

static _Noreturn void run(void *value)
{
    struct hkti_sim_strand *self = value;
    self->function(self->arg);
    if (self->at_exit)
        self->at_exit(self->local);
    if (self->store_count)
        hkti_sim_point(HKTI_OP_FENCE, false); /* others may run while they are on their way */
    hkti_sim_land(self);
    hkti_sim_leave();
}

/* A stack of this size with a strand at its end, or NULL. */
static struct hkti_sim_strand *make(uint32_t slot, size_t size)
{
    char *stack = hkti_os_stack_map(size);
    if (stack == NULL)
        return NULL;
    size_t place = (size - sizeof(struct hkti_sim_strand)) & ~(size_t)63;
    struct hkti_sim_strand *strand = (struct hkti_sim_strand *)(void *)(stack + place);
    strand->stack = stack;
    strand->stack_size = size;
    strand->slot = slot;
    return strand;
}

static void unmake(struct hkti_sim_strand *strand)
{
    hkti_os_stack_unmap(strand->stack, strand->stack_size);
}

/* A free slot with a large enough stack, or NULL. */
static struct hkti_sim_strand *take_slot(size_t size)
{
    bool used = hkti_sim.free_count > 0;
    uint32_t slot = used ? hkti_sim.free_slots[hkti_sim.free_count - 1] : hkti_sim.slots_used;
    if (slot == HKTI_SIM_STRANDS)
        return NULL;
    struct hkti_sim_strand *strand = slot < hkti_sim.slots_made ? hkti_sim.slots[slot] : NULL;
    if (strand == NULL || strand->stack_size < size) {
        struct hkti_sim_strand *larger = make(slot, size);
        if (larger == NULL)
            return NULL;
        if (strand)
            unmake(strand);
        else
            hkti_sim.slots_made++;
        strand = hkti_sim.slots[slot] = larger;
    }
    if (used)
        hkti_sim.free_count--;
    else
        hkti_sim.slots_used++;
    return strand;
}

int hkti_sim_strand_start(size_t stack_size, void (*function)(void *), void *arg,
                          struct hkti_sim_strand **result)
{
    size_t size = (stack_size + sizeof(struct hkti_sim_strand) + 8191) & ~(size_t)4095;
    if (size < stack_size)
        return -EAGAIN;
    struct hkti_sim_strand *strand = take_slot(size < HKTI_SIM_STACK ? HKTI_SIM_STACK : size);
    if (strand == NULL)
        return -EAGAIN;
    strand->function = function;
    strand->arg = arg;
    strand->at_exit = NULL;
    strand->other_local = NULL;
    strand->number = ++hkti_sim.last_number;
    strand->first_store = strand->store_count = 0;
    memset(strand->local, 0, sizeof strand->local);
    hkti_context_make(&strand->context, strand->stack, (size_t)((char *)strand - strand->stack),
                      run);
    hkti_sim_enter(strand);
    *result = strand;
    return 0;
}

void hkti_sim_strands_reset(void)
{
    hkti_sim.slots_used = hkti_sim.free_count = 0;
    hkti_sim.runnable_count = hkti_sim.waiting_count = 0;
    hkti_sim.dirty_count = hkti_sim.polling = 0;
    hkti_sim.last_number = 0;
}

void hkti_sim_strands_trim(void)
{
    while (hkti_sim.slots_made > KEPT)
        unmake(hkti_sim.slots[--hkti_sim.slots_made]);
}
