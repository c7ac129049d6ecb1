/* SPDX-License-Identifier: MIT */
/* Drafts: where the memory of a long message stands from its allocation until a slot has it, so that
 * it is found if its writer is killed while he copies, or waits for room.
 *
 * A draft is taken by a token, from 0 or from that of a dead process, whose memory is then given
 * back; all else in it is written by who has taken it. Memory stands in one place at a time: it is
 * taken out of the draft before it is written into a slot. When all are taken by the living, one
 * does without. */
#include <errno.h>
#include <string.h>

#include "proc/arena.h"
#include "proc/shared_queue.h"

/* What is in a draft of the caller's, taken out. */
static void *take_out(struct hkti_draft *draft)
{
    void *memory = hkti_load_relaxed(&draft->memory);
    hkti_store_relaxed(&draft->memory, (void *)0);
    return memory;
}

static struct hkti_draft *find(struct hkt_shared_queue *queue, uint32_t token)
{
    for (uint32_t i = 0; i < HKTI_DRAFTS; i++) {
        struct hkti_draft *draft = &queue->drafts[(token + i) % HKTI_DRAFTS];
        uint32_t other = hkti_load_relaxed(&draft->token);
        if ((other == 0 || hkti_family_is_dead(other)) &&
            hkti_cas_acquire(&draft->token, other, token)) { /* pairs: queue-draft */
            hkti_shared_release(take_out(draft));
            return draft;
        }
    }
    return NULL;
}

int hkti_draft_make(struct hkti_queue_call *call)
{
    call->draft = find(call->queue, call->token);
    call->memory = hkti_shared_allocate(call->size, false);
    if (call->memory == NULL)
        return -ENOMEM;
    if (call->draft)
        hkti_store_relaxed(&call->draft->memory, call->memory);
    memcpy(call->memory, call->bytes, call->size);
    return 0;
}

void hkti_draft_give(struct hkti_queue_call *call, struct hkti_slot *slot)
{
    if (call->draft)
        (void)take_out(call->draft);
    slot->memory = call->memory;
    hkti_store_release(&slot->size, call->size | HKTI_LONG); /* pairs: queue-long */
    call->memory = NULL;
}

void hkti_draft_end(struct hkti_queue_call *call)
{
    if (call->draft)
        (void)take_out(call->draft);
    hkti_shared_release(call->memory);
    call->memory = NULL;
    if (call->draft)
        hkti_store_release(&call->draft->token, 0); /* pairs: queue-draft */
    call->draft = NULL;
}
