/* SPDX-License-Identifier: MIT */
/* The queue between processes: a ring of slots in the arena, and the argument why it is right.
 *
 * A position is the number of a message, counted from 0 for ever; its slot is that modulo the ring's
 * size. What a slot is doing is said by one word, its state, which changes by compare-and-swap:
 *
 *     FREE(p)          may be taken for the message of position p
 *     WRITING(p, who)  process `who` copies it in
 *     FULL(p)          it is there
 *     READING(p, who)  `who` copies it out, or drops it; then the slot is FREE(p + ring)
 *
 * FREE and FULL hold the whole position, so an old look at them never fits a later turn; the other two
 * hold 32 bits of it and a token, which no living process but its owner has.
 *
 * Positions are taken in order. `tail` is where the next message goes: a putter looks at it, and
 * takes FREE(tail) to WRITING; then anybody may move tail on by one, and everybody does who finds
 * the slot of tail taken. So who dies after the first step leaves no gap, and the slot of tail + 1 is
 * never taken before that of tail. `head` is where the next message comes from, and goes the same way
 * after FULL(head) has become READING. Before a slot is FULL, tail is past it; before it is FREE
 * again, head is. `head` never goes back, so who has seen tail - head < maxsize and then takes
 * FREE(tail) keeps the queue within maxsize. FREE(head) means that no message is in it.
 *
 * Death. Whatever the moment at which a process is killed, what it had of the queue stands in a state
 * with its token: WRITING, nothing was put; READING, it took that message with it. Who needs the
 * slot (a getter or a full queue's putter at head, a putter that has come round, a join) sees by the
 * token that the owner is dead, and seizes it: READING(p, dead or WRITING's) to READING(p, me), which
 * one alone can do; and drops it. If he dies at that, the next one does. Who is found alive in the
 * middle is waited for, with a look now and then whether the system still has him.
 *
 * What is not at rest is the owner's alone: size and bytes are read and written only in WRITING and
 * READING by their owner. In FULL they do not change; so a size that was read between a look at FULL(p)
 * and a compare-and-swap of it is that message's. A FREE slot's size is 0: what a dead writer left of
 * a long message is known by its size, written after the pointer to its memory. Memory that is in no slot
 * yet stands in a draft (shared_queue_draft.c). Only a kill within the few instructions in which memory
 * goes from one of these to the next, or to its owner, leaves memory behind: one message's.
 *
 * Work not done is tail less `done`; what was dropped counts as done. Who drops counts before he frees
 * the slot: killed between these two instructions, it is counted twice; the other order would let
 * joins wait for ever.
 *
 * Shutdown: `shut` is set, then everybody rung for, sequentially consistent. A putter looks at it after it
 * has taken its slot, and if it is set puts a mark (DROPPED) in the message's place. A getter
 * looks at it before it finds FREE(head). So when it is set and FREE(head) seen, no message will come.
 *
 * Sleep: two bells. Each message that is there rings for one getter, each slot that is free for one putter
 * (pairs: bell: the state is changed, and looked at, sequentially consistent). Order may let one who was
 * rung for find the slot of his turn still in work, and sleep again; so each that has got what it
 * came for rings for one more if the next slot is ready, too. And since a sleeper needs time to wake,
 * a bell that was rung is not rung again (`rung`) until a listener has cleared that, which each does
 * before he looks: so who finds it set has changed the slot before that look. (pairs: queue-rung) If the
 * one who was woken is killed first, all are rung for by who buries him, and if there are none, the
 * next to listen clears it.
 *
 * Who may touch what: tail and head, by the rules above, anybody; the slots as said; `head_seen` is a
 * putter's last look at head, or an older one; all before `shut` is fixed at the making. */
#ifndef HKTI_PROC_SHARED_QUEUE_H
#define HKTI_PROC_SHARED_QUEUE_H

#include <hocket/shared_queue.h>

#include "base/atomic.h"
#include "proc/bell.h"

/* A slot's state. FREE and FULL: position, kind. WRITING and READING: position, token, kind. */
enum hkti_slot_kind { HKTI_FREE = 0, HKTI_WRITING = 1, HKTI_FULL = 2, HKTI_READING = 3 };

/* In the size of a message: its bytes are in other memory, to which the slot has a pointer; and of
 * one that is none. */
#define HKTI_LONG (UINT64_C(1) << 63)
#define HKTI_DROPPED (UINT64_C(1) << 62)

struct hkti_slot {
    uint64_t state;
    uint64_t size;
    union {
        void *memory;
        unsigned char bytes[sizeof(void *)]; /* message_size of them */
    };
};

/* A long message's memory that is in no slot yet, and whose. */
struct hkti_draft {
    uint32_t token;
    void *memory;
};
enum { HKTI_DRAFTS = 32 };

#define HKTI_OWN_LINES __attribute__((aligned(128)))

/* A bell that is not rung again before somebody whom it may have woken has looked. */
struct hkti_gate {
    struct hkti_bell bell;
    uint32_t rung;
};

struct hkt_shared_queue {
    uint64_t ring; /* slots: a power of two */
    uint64_t maxsize;
    size_t stride; /* from slot to slot, in bytes */
    size_t message_size;
    bool counts; /* tasks */
    uint32_t shut;
    HKTI_OWN_LINES uint64_t tail;
    uint64_t head_seen;
    HKTI_OWN_LINES uint64_t head;
    HKTI_OWN_LINES struct hkti_gate not_empty;
    HKTI_OWN_LINES struct hkti_gate not_full;
    HKTI_OWN_LINES uint64_t done;
    struct hkti_bell all_done;
    HKTI_OWN_LINES struct hkti_draft drafts[HKTI_DRAFTS];
    HKTI_OWN_LINES char slots[];
};

enum hkti_queue_deed {
    HKTI_PUT,
    HKTI_GET,  /* into `into` */
    HKTI_TAKE, /* into memory of its own */
    HKTI_PEEK, /* the size alone */
    HKTI_DROP,
};

/* A call by process `token`, with all that it has; so a simulation can let it die. */
struct hkti_queue_call {
    struct hkt_shared_queue *queue;
    uint32_t token;
    enum hkti_queue_deed deed;
    const void *bytes; /* PUT: the message */
    size_t size;       /* PUT: its size; else what came */
    struct hkti_draft *draft;
    void *memory;     /* PUT: a long message's copy; TAKE: what came, or was got for it */
    size_t allocated; /* TAKE: the size of memory that was got for it */
    void *unused;     /* a getter's: to be given back */
    void *into;       /* GET */
    size_t room;
    uint32_t suspect; /* whose end would help, when it must wait; 0: nobody's */
    bool listening;
    struct hkti_listener listener;
};

/* One try: 0; -EAGAIN, it would wait, perhaps for call->suspect; -ESHUTDOWN; a getter's -EMSGSIZE and
 * -ENOMEM. */
int hkti_queue_try_put(struct hkti_queue_call *call);
int hkti_queue_try_get(struct hkti_queue_call *call);

/* The whole call: waits if need be. Now: for nobody but who is in the middle of something that
 * stands before what could be had. */
int hkti_queue_wait(struct hkti_queue_call *call, int64_t deadline, bool cancellable);
int hkti_queue_now(struct hkti_queue_call *call);
/* A put of a message of any size; `wait` false: _nowait. */
int hkti_queue_put(struct hkti_queue_call *call, bool wait, int64_t deadline);

/* Makes and destroys one of these sizes. */
int hkti_queue_make(struct hkt_shared_queue **queue, size_t maxsize, size_t message_size,
                    bool counts);

/* Copies a long message into memory of its own: 0, -ENOMEM. To give it to a slot, that is call's
 * own; or to give it up. */
int hkti_draft_make(struct hkti_queue_call *call);
void hkti_draft_give(struct hkti_queue_call *call, struct hkti_slot *slot);
void hkti_draft_end(struct hkti_queue_call *call);

/* Drops what the dead left in the middle; returns somebody alive who is in the middle, or 0. */
uint32_t hkti_queue_sweep(struct hkt_shared_queue *queue, uint32_t token);

/* The work for n messages is done. */
void hkti_queue_finish(struct hkt_shared_queue *queue, uint64_t n);

static inline struct hkti_slot *hkti_slot_of(struct hkt_shared_queue *queue, uint64_t position)
{
    return (struct hkti_slot *)(queue->slots + (position & (queue->ring - 1)) * queue->stride);
}

static inline uint64_t hkti_slot_at_rest(uint64_t position, enum hkti_slot_kind kind)
{
    return position << 2 | kind;
}

static inline uint64_t hkti_slot_held(uint64_t position, enum hkti_slot_kind kind, uint32_t token)
{
    return position << 32 | (uint64_t)token << 2 | kind;
}

static inline enum hkti_slot_kind hkti_slot_kind(uint64_t state)
{
    return (enum hkti_slot_kind)(state & 3);
}

/* WRITING or READING, at this position? */
static inline bool hkti_slot_is_held(uint64_t state, uint64_t position, enum hkti_slot_kind kind)
{
    return hkti_slot_kind(state) == kind && state >> 32 == (position & UINT32_MAX);
}

static inline uint32_t hkti_slot_token(uint64_t state)
{
    return (uint32_t)state >> 2;
}

/* Rings for one. */
static inline void hkti_gate_ring(struct hkti_gate *gate)
{
    if (hkti_load_seq_cst(&gate->bell.sleepers) != 0 && /* pairs: bell */
        hkti_load_seq_cst(&gate->rung) == 0 &&          /* pairs: queue-rung */
        hkti_exchange_seq_cst(&gate->rung, 1) == 0)     /* pairs: queue-rung */
        hkti_bell_ring(&gate->bell, 1);
}

static inline bool hkti_queue_shut(const struct hkt_shared_queue *queue)
{
    return hkti_load_seq_cst(&queue->shut) != 0; /* pairs: queue-shut */
}

#endif
