/* SPDX-License-Identifier: MIT */
/* The queue: items, and three lists of those who wait (for an item, for room, for the end of all work),
 * under one guard.
 *
 * Invariants, whenever the guard is free: a getter waits only while there is no item; a putter only
 * while there is no room; so never both. A joiner waits only while unfinished > 0. In a queue that is
 * shut down nobody waits for item or room: they have been sent away.
 *
 * Hand-over: a put that finds a getter waiting copies the item straight into that getter's memory; a get
 * that makes room moves the longest waiting putter's item in. So who is woken has what it waited for:
 * no item is lost to a getter that gave up (it was not in the list any more, or it has the item), nobody is
 * overtaken, and nobody wakes in vain. A strand's `item` is its buffer; `grant` is 0, or the error
 * (positive) that it is sent away with.
 *
 * Before it queues, a strand watches `count` for a moment without being in a list: so the other side can do
 * many items in one go, where being handed each would make the two run in step, a cache line apart. Nobody
 * who queues is overtaken by that: while somebody does, what comes goes to the list and not into `count`.
 *
 * Growing an unbounded queue allocates without the guard, and looks again. */
#include <errno.h>
#include <hocket/queue.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/seconds.h"
#include "park/scope.h"
#include "park/wait.h"
#include "sync/items.h"

#define FIRST_CAPACITY 16
#define WATCH_ROUNDS 10 /* of spinning: about 5 us */

struct hkt_queue {
    uint32_t guard;
    bool shut_down;
    bool simple;
    size_t maxsize;
    struct hkti_items items;
    size_t unfinished;
    struct hkti_wait_list getters, putters, joiners;
};

static int create(struct hkt_queue **queue, size_t item_size, enum hkti_items_order order,
                  int (*compare)(const void *, const void *), size_t maxsize)
{
    if (item_size == 0)
        return -EINVAL;
    struct hkt_queue *made = hkti_allocate(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->maxsize = maxsize ? maxsize : HKT_QUEUE_MAXSIZE;
    made->items.item_size = item_size;
    made->items.order = order;
    made->items.compare = compare;
    made->items.capacity = maxsize == HKT_UNBOUNDED ? FIRST_CAPACITY : made->maxsize;
    made->items.base = hkti_items_allocate(&made->items, &made->items.capacity);
    if (made->items.base == NULL) {
        hkti_release(made, sizeof *made);
        return -ENOMEM;
    }
    *queue = made;
    return 0;
}

int hkt_queue_create(hkt_queue **queue, size_t item_size, const hkt_queue_options *options)
{
    return create(queue, item_size, HKTI_FIFO, NULL, options ? options->maxsize : 0);
}

int hkt_lifo_queue_create(hkt_queue **queue, size_t item_size, const hkt_queue_options *options)
{
    return create(queue, item_size, HKTI_LIFO, NULL, options ? options->maxsize : 0);
}

int hkt_priority_queue_create(hkt_queue **queue, size_t item_size,
                              int (*compare)(const void *, const void *),
                              const hkt_queue_options *options)
{
    if (compare == NULL)
        return -EINVAL;
    return create(queue, item_size, HKTI_PRIORITY, compare, options ? options->maxsize : 0);
}

int hkt_simple_queue_create(hkt_queue **queue, size_t item_size)
{
    int err = create(queue, item_size, HKTI_FIFO, NULL, HKT_UNBOUNDED);
    if (err == 0)
        (*queue)->simple = true;
    return err;
}

void hkt_queue_destroy(hkt_queue *queue)
{
    if (queue == NULL)
        return;
    hkti_guard_acquire(&queue->guard);
    if (!hkti_list_empty(&queue->getters.head) || !hkti_list_empty(&queue->putters.head) ||
        !hkti_list_empty(&queue->joiners.head))
        hkti_misuse("hkt_queue_destroy: threads wait in queue %p: shut it down and join them first",
                    (void *)queue);
    hkti_guard_release(&queue->guard);
    hkti_items_release(&queue->items, queue->items.base, queue->items.capacity);
    hkti_release(queue, sizeof *queue);
}

static size_t count_of(const hkt_queue *queue)
{
    return hkti_load_relaxed(&queue->items.count);
}

/* Without the guard at the end: waits in one of the lists, and tells what came of it. */
static int wait_in(hkt_queue *queue, struct hkti_wait_list *list, const char *what, void *item,
                   int64_t deadline)
{
    if (deadline == HKTI_PASSED) {
        hkti_guard_release(&queue->guard);
        return -ETIMEDOUT;
    }
    struct hkti_wait wait = { .what = what,
                              .object = queue,
                              .list = list,
                              .guard = &queue->guard,
                              .deadline = deadline,
                              .cancellable = true };
    struct hkti_strand *self = hkti_self();
    self->item = item;
    self->grant = 0;
    int err = hkti_wait(&wait);
    return err < 0 ? err : -(int)self->grant;
}

/* Under the guard, which it lets go for a moment: room for one item more in an unbounded queue. */
static int grow(hkt_queue *queue)
{
    size_t capacity = queue->items.capacity * 2;
    hkti_guard_release(&queue->guard);
    char *base = hkti_items_allocate(&queue->items, &capacity);
    hkti_guard_acquire(&queue->guard);
    if (base && capacity > queue->items.capacity)
        hkti_items_move(&queue->items, &base, &capacity);
    bool room = count_of(queue) < queue->items.capacity;
    if (base) {
        hkti_guard_release(&queue->guard);
        hkti_items_release(&queue->items, base, capacity);
        hkti_guard_acquire(&queue->guard);
        return 0; /* the room may be gone again: the caller looks */
    }
    return room ? 0 : -ENOMEM;
}

/* Under the guard, which it releases unless it returns -EAGAIN: there is no room. */
static int put_slowly(hkt_queue *queue, const void *item)
{
    int err;
    struct hkti_strand *getter = NULL;
    for (;;) {
        if (queue->shut_down)
            err = -ESHUTDOWN;
        else if (count_of(queue) >= queue->maxsize)
            return -EAGAIN;
        else if (count_of(queue) < queue->items.capacity || !hkti_list_empty(&queue->getters.head))
            err = 0;
        else if ((err = grow(queue)) == 0)
            continue;
        break;
    }
    if (err == 0) {
        queue->unfinished++;
        getter = hkti_wait_list_pop(&queue->getters);
        if (getter)
            hkti_item_copy(getter->item, item, queue->items.item_size);
        else
            hkti_items_push(&queue->items, item);
    }
    hkti_guard_release(&queue->guard);
    if (getter)
        hkti_wake(getter);
    return err;
}

static inline int put(hkt_queue *queue, const void *item)
{
    size_t count = count_of(queue);
    if (__builtin_expect(queue->shut_down || count >= queue->maxsize ||
                             count >= queue->items.capacity ||
                             !hkti_list_empty(&queue->getters.head),
                         0))
        return put_slowly(queue, item);
    queue->unfinished++;
    hkti_items_push(&queue->items, item);
    hkti_guard_release(&queue->guard);
    return 0;
}

/* Spins while there are `count` items, which it releases the guard for: false if nothing changed. */
static bool watch(hkt_queue *queue, size_t count, int64_t deadline)
{
    if (deadline == HKTI_PASSED)
        return false;
    hkti_guard_release(&queue->guard);
    unsigned round = 0;
    bool changed = false;
    while (!changed && hkti_spin(&round, WATCH_ROUNDS))
        changed = count_of(queue) != count;
    hkti_guard_acquire(&queue->guard);
    return changed;
}

/* With the guard, which it releases: waits for room. */
static int put_when_room(hkt_queue *queue, const void *item, int64_t deadline)
{
    int err = -EAGAIN;
    while (err == -EAGAIN && watch(queue, queue->maxsize, deadline))
        err = put(queue, item);
    if (err == -EAGAIN) /* once more, since the guard was free meanwhile */
        err = put(queue, item);
    if (err != -EAGAIN)
        return err;
    return wait_in(queue, &queue->putters, "queue: room", (void *)(uintptr_t)item, deadline);
}

int hkt_queue_put_until(hkt_queue *queue, const void *item, hkt_deadline deadline)
{
    int err = hkti_cancelled(deadline.ns);
    if (err < 0)
        return err;
    hkti_guard_acquire(&queue->guard);
    err = put(queue, item);
    return __builtin_expect(err == -EAGAIN, 0) ? put_when_room(queue, item, deadline.ns) : err;
}

int hkt_queue_put(hkt_queue *queue, const void *item)
{
    return hkt_queue_put_until(queue, item, (hkt_deadline){ 0 });
}

int hkt_queue_put_nowait(hkt_queue *queue, const void *item)
{
    hkti_guard_acquire(&queue->guard);
    int err = put(queue, item);
    if (err == -EAGAIN)
        hkti_guard_release(&queue->guard);
    return err;
}

/* Under the guard, which it releases: there is room for the longest waiting putter's item. */
static void let_a_putter_in(hkt_queue *queue)
{
    struct hkti_strand *putter = hkti_wait_list_pop(&queue->putters);
    hkti_items_push(&queue->items, putter->item);
    queue->unfinished++;
    hkti_guard_release(&queue->guard);
    hkti_wake(putter);
}

/* Under the guard, which it releases unless it returns -EAGAIN: there is no item. */
static inline int get(hkt_queue *queue, void *item)
{
    if (__builtin_expect(count_of(queue) == 0, 0)) {
        if (!queue->shut_down)
            return -EAGAIN;
        hkti_guard_release(&queue->guard);
        return -ESHUTDOWN;
    }
    hkti_items_pop(&queue->items, item);
    if (__builtin_expect(!hkti_list_empty(&queue->putters.head), 0))
        let_a_putter_in(queue);
    else
        hkti_guard_release(&queue->guard);
    return 0;
}

/* With the guard, which it releases: waits for an item. */
static int get_when_there(hkt_queue *queue, void *item, int64_t deadline)
{
    int err = -EAGAIN;
    while (err == -EAGAIN && watch(queue, 0, deadline))
        err = get(queue, item);
    if (err == -EAGAIN)
        err = get(queue, item);
    if (err != -EAGAIN)
        return err;
    return wait_in(queue, &queue->getters, "queue: item", item, deadline);
}

int hkt_queue_get_until(hkt_queue *queue, void *item, hkt_deadline deadline)
{
    int err = hkti_cancelled(deadline.ns);
    if (err < 0)
        return err;
    hkti_guard_acquire(&queue->guard);
    err = get(queue, item);
    return __builtin_expect(err == -EAGAIN, 0) ? get_when_there(queue, item, deadline.ns) : err;
}

int hkt_queue_get(hkt_queue *queue, void *item)
{
    return hkt_queue_get_until(queue, item, (hkt_deadline){ 0 });
}

int hkt_queue_get_nowait(hkt_queue *queue, void *item)
{
    hkti_guard_acquire(&queue->guard);
    int err = get(queue, item);
    if (err == -EAGAIN)
        hkti_guard_release(&queue->guard);
    return err;
}

/* Under the guard, which it releases: the work for n items is done. */
static void finish(hkt_queue *queue, size_t n)
{
    struct hkti_wait_list taken = { 0 };
    queue->unfinished -= n;
    if (queue->unfinished == 0)
        hkti_wait_list_take(&queue->joiners, SIZE_MAX, 0, &taken);
    hkti_guard_release(&queue->guard);
    hkti_wake_all(&taken);
}

int hkt_queue_task_done(hkt_queue *queue)
{
    hkti_guard_acquire(&queue->guard);
    if (queue->simple || queue->unfinished == 0) {
        hkti_guard_release(&queue->guard);
        return -EINVAL;
    }
    finish(queue, 1);
    return 0;
}

int hkt_queue_join_until(hkt_queue *queue, hkt_deadline deadline)
{
    if (queue->simple)
        return -EINVAL;
    int err = hkti_cancelled(deadline.ns);
    if (err < 0)
        return err;
    hkti_guard_acquire(&queue->guard);
    if (queue->unfinished == 0) {
        hkti_guard_release(&queue->guard);
        return 0;
    }
    return wait_in(queue, &queue->joiners, "queue: all work done", NULL, deadline.ns);
}

int hkt_queue_join(hkt_queue *queue)
{
    return hkt_queue_join_until(queue, (hkt_deadline){ 0 });
}

void hkt_queue_shutdown(hkt_queue *queue, bool immediate)
{
    struct hkti_wait_list taken = { 0 };
    size_t dropped = 0;
    hkti_guard_acquire(&queue->guard);
    queue->shut_down = true;
    hkti_wait_list_take(&queue->putters, SIZE_MAX, ESHUTDOWN, &taken);
    if (immediate) {
        dropped = count_of(queue) < queue->unfinished ? count_of(queue) : queue->unfinished;
        hkti_store_relaxed(&queue->items.count, (size_t)0);
        queue->items.head = 0;
    }
    hkti_wait_list_take(&queue->getters, SIZE_MAX, ESHUTDOWN, &taken);
    finish(queue, dropped);
    hkti_wake_all(&taken);
}

size_t hkt_queue_qsize(const hkt_queue *queue)
{
    return count_of(queue);
}

bool hkt_queue_empty(const hkt_queue *queue)
{
    return hkt_queue_qsize(queue) == 0;
}

bool hkt_queue_full(const hkt_queue *queue)
{
    return hkt_queue_qsize(queue) >= queue->maxsize;
}
