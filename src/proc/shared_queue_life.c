/* SPDX-License-Identifier: MIT */
/* The queue between processes as a whole: made, destroyed, shut down, its work done and waited for,
 * its numbers. */
#include <errno.h>
#include <hocket/error.h>
#include <hocket/shared.h>

#include "base/seconds.h"
#include "park/scope.h"
#include "proc/arena.h"
#include "proc/shared_queue.h"
#include "proc/shared_queue_patience.h"

#define MAXSIZE_DEFAULT 1024
#define MAXSIZE_MAX 1000000
#define MESSAGE_SIZE_DEFAULT 240
#define MESSAGE_SIZE_MAX ((size_t)64 << 20)
#define LINE 64

int hkti_queue_make(struct hkt_shared_queue **queue, size_t maxsize, size_t message_size,
                    bool counts)
{
    size_t ring = 1;
    while (ring < maxsize)
        ring *= 2;
    if (message_size < sizeof(void *))
        message_size = sizeof(void *);
    size_t stride = (offsetof(struct hkti_slot, bytes) + message_size + LINE - 1) / LINE * LINE;
    struct hkt_shared_queue *made = hkti_shared_allocate(
        sizeof(struct hkt_shared_queue) + ring * stride, true);
    if (made == NULL)
        return hkt_fail(-ENOMEM, "no shared memory for a queue of %zu messages of %zu bytes",
                        maxsize, message_size);
    made->ring = ring;
    made->maxsize = maxsize;
    made->stride = stride;
    made->message_size = message_size;
    made->counts = counts;
    for (size_t i = 0; i < ring; i++)
        hkti_init(&hkti_slot_of(made, i)->state, hkti_slot_at_rest(i, HKTI_FREE));
    *queue = made;
    return 0;
}

static int create(hkt_shared_queue **queue, size_t maxsize, size_t message_size, bool counts)
{
    if (maxsize > MAXSIZE_MAX || message_size > MESSAGE_SIZE_MAX)
        return hkt_fail(-EINVAL,
                        "a shared queue has room for %d messages at the most, of %zu bytes",
                        MAXSIZE_MAX, MESSAGE_SIZE_MAX);
    int err = hkti_arena_open();
    if (err < 0)
        return err;
    return hkti_queue_make(queue, maxsize ? maxsize : MAXSIZE_DEFAULT,
                           message_size ? message_size : MESSAGE_SIZE_DEFAULT, counts);
}

int hkt_shared_queue_create(hkt_shared_queue **queue, const hkt_shared_queue_options *options)
{
    if (options == NULL)
        return create(queue, 0, 0, true);
    return create(queue, options->maxsize, options->message_size, true);
}

int hkt_shared_simple_queue_create(hkt_shared_queue **queue)
{
    return create(queue, 0, 0, false);
}

void hkt_shared_queue_destroy(hkt_shared_queue *queue)
{
    if (queue == NULL)
        return;
    for (uint64_t i = 0; i < queue->ring; i++) {
        struct hkti_slot *slot = hkti_slot_of(queue, i);
        if (hkti_load_acquire(&slot->size) & HKTI_LONG) /* pairs: queue-long */
            hkti_shared_release(slot->memory);
    }
    for (int i = 0; i < HKTI_DRAFTS; i++)
        hkti_shared_release(hkti_load_relaxed(&queue->drafts[i].memory));
    hkt_shared_free(queue); /* who waited by its bells may be dead, and not buried yet */
}

void hkt_shared_queue_shutdown(hkt_shared_queue *queue, bool immediate)
{
    hkti_store_seq_cst(&queue->shut, 1); /* pairs: queue-shut */
    hkti_bell_ring(&queue->not_full.bell, INT32_MAX);
    hkti_bell_ring(&queue->not_empty.bell, INT32_MAX);
    struct hkti_queue_call call = { .queue = queue, .deed = HKTI_DROP };
    call.token = immediate ? hkti_family_token() : 0;
    if (call.token != 0)
        hkti_queue_wait(&call, 0, false);
}

/* `done` is looked at first: if tail is not past that then, all was done at that moment. */
static bool all_done(const struct hkt_shared_queue *queue)
{
    uint64_t done = hkti_load_seq_cst(&queue->done);               /* pairs: queue-done */
    return (int64_t)(hkti_load_seq_cst(&queue->tail) - done) <= 0; /* pairs: queue-position */
}

/* Of several, the last one to count sees that all is done. */
static void told(struct hkt_shared_queue *queue, uint64_t done)
{
    if ((int64_t)(hkti_load_seq_cst(&queue->tail) - done) <= 0) /* pairs: queue-position */
        hkti_bell_ring(&queue->all_done, INT32_MAX);
}

void hkti_queue_finish(struct hkt_shared_queue *queue, uint64_t n)
{
    told(queue, hkti_fetch_add_seq_cst(&queue->done, n) + n); /* pairs: queue-done */
}

static int uncounted(void)
{
    return hkt_fail(-EINVAL, "a simple queue does not count tasks: make it by "
                             "hkt_shared_queue_create to use task_done and join");
}

int hkt_shared_queue_task_done(hkt_shared_queue *queue)
{
    if (!queue->counts)
        return uncounted();
    for (;;) {
        uint64_t done = hkti_load_seq_cst(&queue->done); /* pairs: queue-done */
        uint64_t tail = hkti_load_seq_cst(&queue->tail); /* pairs: queue-position */
        if ((int64_t)(tail - done) <= 0)
            return hkt_fail(-EINVAL, "hkt_shared_queue_task_done was called more often than "
                                     "messages were put");
        if (hkti_cas_seq_cst(&queue->done, done, done + 1)) { /* pairs: queue-done */
            told(queue, done + 1);
            return 0;
        }
    }
}

int hkt_shared_queue_join_until(hkt_shared_queue *queue, hkt_deadline deadline)
{
    if (!queue->counts)
        return uncounted();
    int err = hkti_cancelled(deadline.ns);
    uint32_t token = err < 0 ? 0 : hkti_family_token();
    if (token == 0)
        return err < 0 ? err : -ENOMEM;
    hkti_queue_sweep(queue, token);
    if (all_done(queue))
        return 0;
    if (deadline.ns == HKTI_PASSED)
        return -ETIMEDOUT;
    struct hkti_listener listener;
    struct hkti_patience patience = { 0 };
    hkti_bell_listen(&queue->all_done, HKTI_STAKE_WAIT, &listener);
    for (;;) {
        uint32_t suspect = hkti_queue_sweep(queue, token);
        if (err < 0 || all_done(queue))
            break;
        err = hkti_patience_wait(&patience, &listener, "shared queue: work done", queue, suspect,
                                 deadline.ns, true);
    }
    err = all_done(queue) ? 0 : err;
    hkti_bell_leave(&listener, err == 0);
    return err;
}

int hkt_shared_queue_join(hkt_shared_queue *queue)
{
    return hkt_shared_queue_join_until(queue, (hkt_deadline){ 0 });
}

size_t hkt_shared_queue_qsize(const hkt_shared_queue *queue)
{
    uint64_t head = hkti_load_seq_cst(&queue->head);         /* pairs: queue-position */
    uint64_t count = hkti_load_seq_cst(&queue->tail) - head; /* pairs: queue-position */
    return count < queue->maxsize ? count : queue->maxsize;
}

bool hkt_shared_queue_empty(const hkt_shared_queue *queue)
{
    return hkt_shared_queue_qsize(queue) == 0;
}

bool hkt_shared_queue_full(const hkt_shared_queue *queue)
{
    return hkt_shared_queue_qsize(queue) >= queue->maxsize;
}
