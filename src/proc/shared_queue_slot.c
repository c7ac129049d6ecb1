/* SPDX-License-Identifier: MIT */
/* One try at a slot: to put, to get, and to drop what the dead have left. shared_queue.h has the
 * protocol and its argument. */
#include <errno.h>
#include <string.h>

#include "proc/arena.h"
#include "proc/shared_queue.h"

/* Moves tail or head on from a position whose slot is taken, unless somebody has. */
static inline void help(uint64_t *counter, uint64_t position)
{
    if (hkti_load_relaxed(counter) == position)
        hkti_cas_seq_cst(counter, position, position + 1); /* pairs: queue-position */
}

static inline uint64_t look(const uint64_t *counter)
{
    return hkti_load_seq_cst(counter); /* pairs: queue-position */
}

static inline uint64_t state_of(const struct hkti_slot *slot)
{
    return hkti_load_seq_cst(&slot->state); /* pairs: queue-slot */
}

static inline bool change(struct hkti_slot *slot, uint64_t from, uint64_t to)
{
    return hkti_cas_seq_cst(&slot->state, from, to); /* pairs: queue-slot */
}

static inline void rest(struct hkti_slot *slot, uint64_t position, enum hkti_slot_kind kind)
{
    hkti_store_seq_cst(&slot->state, hkti_slot_at_rest(position, kind)); /* pairs: queue-slot */
}

/* Rings for one more, if the sleepers could go on at the slot of this position. */
static inline void pass_on(struct hkt_shared_queue *queue, struct hkti_gate *gate,
                           uint64_t position, enum hkti_slot_kind kind)
{
    if (hkti_load_seq_cst(&gate->bell.sleepers) == 0) /* pairs: bell */
        return;
    if (state_of(hkti_slot_of(queue, position)) == hkti_slot_at_rest(position, kind) &&
        position - look(&queue->head) < queue->maxsize)
        hkti_gate_ring(gate);
}

/* A slot that is READING by the caller: frees it, and memory that was its, if any. */
static inline void leave(struct hkt_shared_queue *queue, struct hkti_slot *slot, uint64_t position,
                         void **memory)
{
    hkti_store_relaxed(&slot->size, 0);
    rest(slot, position + queue->ring, HKTI_FREE);
    if (*memory)
        hkti_shared_release(*memory);
    *memory = NULL;
    hkti_gate_ring(&queue->not_full);
}

/* The same, of a message that nobody gets. */
static void drop(struct hkt_shared_queue *queue, struct hkti_slot *slot, uint64_t position)
{
    help(&queue->head, position);
    uint64_t size = hkti_load_acquire(&slot->size); /* pairs: queue-long */
    void *memory = size & HKTI_LONG ? slot->memory : NULL;
    hkti_store_relaxed(&slot->size, 0);
    hkti_shared_release(memory);
    if (queue->counts)
        hkti_queue_finish(queue, 1);
    memory = NULL;
    leave(queue, slot, position, &memory);
}

/* A slot in the middle of something, at head or before it: drops it if its owner is dead; false if
 * he lives. True also if it has changed meanwhile. */
static bool seize(struct hkt_shared_queue *queue, struct hkti_slot *slot, uint64_t position,
                  uint64_t state, uint32_t token)
{
    if (!hkti_family_is_dead(hkti_slot_token(state)))
        return false;
    if (hkti_slot_kind(state) == HKTI_WRITING)
        help(&queue->tail, position); /* he may not have come to it, and head must not pass tail */
    if (change(slot, state, hkti_slot_held(position, HKTI_READING, token)))
        drop(queue, slot, position);
    return true;
}

/* The queue is full, as it seems to one who would put: 0, look again; -EAGAIN, so it is. */
static int full_at_head(struct hkti_queue_call *call)
{
    struct hkt_shared_queue *queue = call->queue;
    uint64_t head = look(&queue->head);
    struct hkti_slot *slot = hkti_slot_of(queue, head);
    uint64_t state = state_of(slot);
    if (hkti_slot_is_held(state, head, HKTI_READING)) {
        help(&queue->head, head);
        return 0;
    }
    if (hkti_slot_is_held(state, head, HKTI_WRITING)) {
        if (seize(queue, slot, head, state, call->token))
            return 0;
        call->suspect = hkti_slot_token(state);
        return -EAGAIN;
    }
    return state == hkti_slot_at_rest(head, HKTI_FULL) ? -EAGAIN : 0;
}

/* Is there room for one more at this position, by what maxsize says? */
static inline bool within(struct hkt_shared_queue *queue, uint64_t position)
{
    if (position - hkti_load_relaxed(&queue->head_seen) < queue->maxsize)
        return true;
    uint64_t head = look(&queue->head);
    hkti_store_relaxed(&queue->head_seen, head);
    return position - head < queue->maxsize;
}

/* The slot of the next position cannot be taken: 0, look again; -EAGAIN. */
static int put_blocked(struct hkti_queue_call *call, uint64_t position, struct hkti_slot *slot,
                       uint64_t state)
{
    struct hkt_shared_queue *queue = call->queue;
    uint64_t before = position - queue->ring;
    if (look(&queue->tail) != position)
        return 0;
    if (state == hkti_slot_at_rest(position, HKTI_FREE))
        return full_at_head(call);
    if (hkti_slot_is_held(state, before, HKTI_READING)) {
        if (seize(queue, slot, before, state, call->token))
            return 0;
        call->suspect = hkti_slot_token(state);
        return -EAGAIN;
    }
    if (state == hkti_slot_at_rest(before, HKTI_FULL) ||
        hkti_slot_is_held(state, before, HKTI_WRITING))
        return full_at_head(call);
    help(&queue->tail, position);
    return 0;
}

/* Of nothing, the addresses may be NULL. */
static inline void copy(void *to, const void *from, size_t size)
{
    if (size > 0)
        memcpy(to, from, size);
}

/* Into a slot that is the caller's. */
static inline void fill(struct hkti_queue_call *call, struct hkti_slot *slot)
{
    if (call->memory) {
        hkti_draft_give(call, slot);
    } else {
        copy(slot->bytes, call->bytes, call->size);
        hkti_store_relaxed(&slot->size, call->size);
    }
}

/* In a queue that is shut down: drops marks that have come to head, so that a join need not wait for
 * a getter who does. Who puts one does so, and who gets a message that may stand before some. */
static __attribute__((noinline)) void drop_marks(struct hkti_queue_call *call)
{
    struct hkti_queue_call peek = { .queue = call->queue, .token = call->token, .deed = HKTI_PEEK };
    (void)hkti_queue_try_get(&peek);
}

/* With a slot that the caller has taken: 0, -ESHUTDOWN. */
static int put_at(struct hkti_queue_call *call, uint64_t position, struct hkti_slot *slot)
{
    struct hkt_shared_queue *queue = call->queue;
    help(&queue->tail, position);
    int err = hkti_queue_shut(queue) ? -ESHUTDOWN : 0;
    if (err < 0)
        hkti_store_relaxed(&slot->size, HKTI_DROPPED);
    else
        fill(call, slot);
    rest(slot, position, HKTI_FULL);
    hkti_gate_ring(&queue->not_empty);
    pass_on(queue, &queue->not_full, position + 1, HKTI_FREE);
    if (err < 0)
        drop_marks(call);
    return err;
}

int hkti_queue_try_put(struct hkti_queue_call *call)
{
    struct hkt_shared_queue *queue = call->queue;
    call->suspect = 0;
    for (;;) {
        if (hkti_queue_shut(queue))
            return -ESHUTDOWN;
        uint64_t position = look(&queue->tail);
        struct hkti_slot *slot = hkti_slot_of(queue, position);
        uint64_t state = state_of(slot);
        if (state == hkti_slot_at_rest(position, HKTI_FREE) && within(queue, position)) {
            if (change(slot, state, hkti_slot_held(position, HKTI_WRITING, call->token)))
                return put_at(call, position, slot);
            continue;
        }
        int err = put_blocked(call, position, slot, state);
        if (err < 0)
            return err;
    }
}

/* Is there room for this message, whose size is known? 0, -EMSGSIZE, -ENOMEM. A short one that is to be
 * taken needs memory. */
static int get_ready(struct hkti_queue_call *call, uint64_t size)
{
    size_t length = size & ~HKTI_LONG;
    if (call->deed == HKTI_GET)
        return length > call->room ? -EMSGSIZE : 0;
    if (call->deed != HKTI_TAKE || size & HKTI_LONG || (call->memory && call->allocated >= length))
        return 0;
    hkti_shared_release(call->memory);
    call->allocated = length;
    call->memory = hkti_shared_allocate(length > 0 ? length : 1, false);
    return call->memory ? 0 : -ENOMEM;
}

/* Out of a slot that is the caller's, and frees it. */
static void get_at(struct hkti_queue_call *call, uint64_t position, struct hkti_slot *slot)
{
    struct hkt_shared_queue *queue = call->queue;
    uint64_t size = hkti_load_relaxed(&slot->size);
    void *memory = size & HKTI_LONG ? slot->memory : NULL;
    call->size = size & ~HKTI_LONG;
    help(&queue->head, position);
    if (call->deed == HKTI_TAKE && memory) {
        call->unused = call->memory;
        call->memory = memory;
    } else {
        copy(call->deed == HKTI_TAKE ? call->memory : call->into, memory ? memory : slot->bytes,
             call->size);
        call->unused = memory;
    }
    leave(queue, slot, position, &call->unused);
    pass_on(queue, &queue->not_empty, position + 1, HKTI_FULL);
    if (__builtin_expect(hkti_queue_shut(queue), 0))
        drop_marks(call);
}

/* At a slot that was FULL: 0 and errors as try_get, 1: look again. */
static int get_full(struct hkti_queue_call *call, uint64_t position, struct hkti_slot *slot,
                    uint64_t state)
{
    uint64_t size = hkti_load_acquire(&slot->size); /* pairs: queue-long */
    bool drops = call->deed == HKTI_DROP || size == HKTI_DROPPED;
    int err = drops ? 0 : get_ready(call, size);
    if (err < 0 || (call->deed == HKTI_PEEK && !drops)) {
        call->size = size & ~HKTI_LONG;
        return state_of(slot) == state ? err : 1;
    }
    if (!change(slot, state, hkti_slot_held(position, HKTI_READING, call->token)))
        return 1;
    if (!drops) {
        get_at(call, position, slot);
        return 0;
    }
    drop(call->queue, slot, position);
    return 1;
}

/* At a slot that was not, where no message is yet if one is still at the one before: 1, look again; -EAGAIN, -ESHUTDOWN. */
static int get_blocked(struct hkti_queue_call *call, uint64_t position, struct hkti_slot *slot,
                       uint64_t state, bool shut)
{
    struct hkt_shared_queue *queue = call->queue;
    uint64_t before = position - queue->ring;
    if (hkti_slot_is_held(state, before, HKTI_READING) &&
        seize(queue, slot, before, state, call->token))
        return 1;
    if (state == hkti_slot_at_rest(position, HKTI_FREE) ||
        hkti_slot_is_held(state, before, HKTI_READING))
        return shut ? -ESHUTDOWN : -EAGAIN;
    if (hkti_slot_is_held(state, position, HKTI_WRITING)) {
        if (seize(queue, slot, position, state, call->token))
            return 1;
        call->suspect = hkti_slot_token(state);
        return -EAGAIN;
    }
    if (hkti_slot_is_held(state, position, HKTI_READING))
        help(&queue->head, position);
    return 1;
}

int hkti_queue_try_get(struct hkti_queue_call *call)
{
    struct hkt_shared_queue *queue = call->queue;
    call->suspect = 0;
    for (;;) {
        bool shut = hkti_queue_shut(queue);
        uint64_t position = look(&queue->head);
        struct hkti_slot *slot = hkti_slot_of(queue, position);
        uint64_t state = state_of(slot);
        int err = state == hkti_slot_at_rest(position, HKTI_FULL)
                      ? get_full(call, position, slot, state)
                      : get_blocked(call, position, slot, state, shut);
        if (err <= 0)
            return err;
    }
}

uint32_t hkti_queue_sweep(struct hkt_shared_queue *queue, uint32_t token)
{
    uint32_t suspect = 0;
    struct hkti_queue_call all = { .queue = queue, .token = token };
    drop_marks(&all);
    for (uint64_t i = 0; i < queue->ring; i++) {
        struct hkti_slot *slot = hkti_slot_of(queue, i);
        uint64_t state = state_of(slot);
        uint64_t head = look(&queue->head);
        /* READING has passed head, or stands at it; WRITING can be dropped at head alone. */
        uint64_t position = head - (uint32_t)((uint32_t)head - (uint32_t)(state >> 32));
        bool held = hkti_slot_kind(state) == HKTI_READING ||
                    hkti_slot_is_held(state, head, HKTI_WRITING);
        if (held && !seize(queue, slot, position, state, token))
            suspect = hkti_slot_token(state);
    }
    return suspect;
}
