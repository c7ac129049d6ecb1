/* SPDX-License-Identifier: MIT */
/* Streaming maps: a ring of slots, each with room for an item and a place in a crowd. The caller does
 * all but the jobs: he consumes what is ready, else produces while there is room, else waits.
 *
 * States of a slot: free; or on its way, its future in the crowd; or ended and not consumed. In order
 * the oldest one is the next to be consumed, else any that has ended. */
#include <errno.h>
#include <hocket/imap.h>
#include <hocket/scope.h>
#include <string.h>

#include "base/memory.h"
#include "exec/crowd.h"
#include "exec/executor.h"

struct slot {
    struct hkti_crowd_entry entry; /* first */
    bool ended;
    struct slot *next_free;
};

struct stream {
    hkt_executor *executor;
    hkt_job *job;
    const hkt_imap_options *options;
    bool ordered;
    size_t item_size, room;
    struct hkti_crowd crowd;
    struct slot *slots;
    hkt_future **futures; /* of the slots; NULL: none, or ended */
    char *items;
    struct slot *free;        /* unordered */
    size_t oldest, in_flight; /* ordered: they lie from there on, around the end */
    bool produced_all;
    int err; /* why no more is produced */
};

static char *item_of(struct stream *stream, struct slot *slot)
{
    return stream->items + (size_t)(slot - stream->slots) * stream->item_size;
}

static struct slot *take_slot(struct stream *stream)
{
    if (stream->ordered)
        return &stream->slots[(stream->oldest + stream->in_flight) % stream->room];
    struct slot *slot = stream->free;
    stream->free = slot->next_free;
    return slot;
}

static void free_slot(struct stream *stream, struct slot *slot)
{
    hkt_future_destroy(slot->entry.future);
    slot->entry.future = NULL;
    slot->ended = false;
    stream->in_flight--;
    if (stream->ordered)
        stream->oldest = (stream->oldest + 1) % stream->room;
    slot->next_free = stream->free;
    stream->free = slot;
}

static void drop(struct stream *stream, struct slot *slot)
{
    if (stream->options->drop)
        stream->options->drop(stream->options->context, item_of(stream, slot));
}

/* One more item, if there is one. */
static void produce(struct stream *stream)
{
    struct slot *slot = take_slot(stream);
    char *item = item_of(stream, slot);
    memset(item, 0, stream->item_size);
    int more = stream->options->produce(stream->options->context, item);
    hkt_future *future;
    hkt_submit_options options = { .arg_size = stream->item_size };
    int err = more;
    if (more > 0)
        err = hkt_submit_with(stream->executor, &future, stream->job, item, &options);
    if (more > 0 && err == 0) {
        stream->in_flight++;
        stream->futures[slot - stream->slots] = future;
        hkti_crowd_add(&stream->crowd, &slot->entry, future);
        return;
    }
    if (more > 0)
        drop(stream, slot);
    slot->next_free = stream->free;
    stream->free = slot;
    stream->produced_all = true;
    stream->err = err;
}

/* The next to be consumed, if it has ended; NULL. */
static struct slot *next_ended(struct stream *stream)
{
    struct slot *slot;
    while ((slot = (struct slot *)hkti_crowd_pop(&stream->crowd)) != NULL) {
        slot->ended = true;
        stream->futures[slot - stream->slots] = NULL;
        if (!stream->ordered)
            return slot;
    }
    slot = &stream->slots[stream->oldest];
    return stream->ordered && slot->ended ? slot : NULL;
}

/* 0, or what abandons the stream. */
static int consume(struct stream *stream, struct slot *slot)
{
    const hkt_imap_options *options = stream->options;
    int code = hkti_future_code(slot->entry.future);
    if (code < 0)
        hkti_future_adopt_sentence(slot->entry.future);
    int err = 0;
    if (options->consume)
        err = options->consume(options->context, item_of(stream, slot), code);
    else {
        err = code < 0 ? code : 0;
        drop(stream, slot);
    }
    free_slot(stream, slot);
    return err;
}

/* Until one more has ended. */
static int await(struct stream *stream)
{
    struct hkti_wanted wanted = { .futures = stream->futures,
                                  .count = stream->room,
                                  .cancels = true };
    return hkti_crowd_await(&stream->crowd, 1, false, &wanted, (hkt_deadline){ 0 });
}

/* Until all has been consumed: 0, or why not. */
static int flow(struct stream *stream)
{
    for (;;) {
        struct slot *slot = next_ended(stream);
        int err = hkti_cancelled(0);
        if (err == 0 && slot)
            err = consume(stream, slot);
        else if (err == 0 && !stream->produced_all && stream->in_flight < stream->room)
            produce(stream);
        else if (err == 0 && stream->in_flight == 0)
            return stream->err;
        else if (err == 0)
            err = await(stream);
        if (err != 0)
            return err;
    }
}

/* Cancels and awaits what is on its way. */
static void abandon(struct stream *stream)
{
    for (size_t i = 0; i < stream->room; i++) /* first, lest workers begin them meanwhile */
        hkt_future_cancel(stream->slots[i].entry.future);
    for (size_t i = 0; i < stream->room; i++)
        hkt_future_request_cancel(stream->slots[i].entry.future);
    for (size_t i = 0; i < stream->room; i++) {
        hkt_future *future = stream->slots[i].entry.future;
        if (future == NULL)
            continue;
        hkti_future_await_end(future);
        hkti_crowd_remove(&stream->slots[i].entry);
        (void)hkti_future_code(future);
        hkt_future_destroy(future);
        drop(stream, &stream->slots[i]);
    }
}

static int run(struct stream *stream)
{
    stream->slots = hkti_allocate(stream->room * sizeof *stream->slots);
    stream->futures = hkti_allocate(stream->room * sizeof *stream->futures);
    stream->items = hkti_allocate(stream->room * stream->item_size);
    int err = stream->slots && stream->futures && stream->items ? 0 : -ENOMEM;
    if (err == 0) {
        hkti_crowd_init(&stream->crowd);
        for (size_t i = stream->room; i-- > 0;) {
            stream->slots[i].next_free = stream->free;
            stream->free = &stream->slots[i];
        }
        err = flow(stream);
        abandon(stream);
        hkti_crowd_end(&stream->crowd);
    }
    hkti_release(stream->slots, stream->room * sizeof *stream->slots);
    hkti_release(stream->futures, stream->room * sizeof *stream->futures);
    hkti_release(stream->items, stream->room * stream->item_size);
    return err;
}

static int imap(hkt_executor *executor, hkt_job *job, size_t item_size,
                const hkt_imap_options *options, bool ordered)
{
    size_t bytes;
    if (job == NULL || options == NULL || options->produce == NULL)
        return -EINVAL;
    if (executor == NULL && (executor = hkt_default_executor()) == NULL)
        return -ENOMEM;
    struct stream stream = { .executor = executor,
                             .job = job,
                             .options = options,
                             .ordered = ordered,
                             .item_size = item_size ? item_size : 1,
                             .room = options->in_flight };
    if (stream.room == 0)
        stream.room = 2 * (size_t)executor->max_workers + 2;
    if (__builtin_mul_overflow(stream.room, stream.item_size + sizeof(struct slot), &bytes))
        return -ENOMEM;
    return run(&stream);
}

int hkt_imap(hkt_executor *executor, hkt_job *job, size_t item_size,
             const hkt_imap_options *options)
{
    return imap(executor, job, item_size, options, true);
}

int hkt_imap_unordered(hkt_executor *executor, hkt_job *job, size_t item_size,
                       const hkt_imap_options *options)
{
    return imap(executor, job, item_size, options, false);
}
