/* SPDX-License-Identifier: MIT */
/* The queue: items between two counters, and three lists of those who wait (for an item, for room,
 * for the end of all work).
 *
 * Two guards, so that a put and a get of a first-in-first-out queue may run side by side, each on
 * cache lines of its own. The quick ways take one:
 *   put, under put.guard: nobody waits for an item, it is not shut down, and there is room by the
 *        last look at `head` (so nobody waits for room either): copy the item in, advance `tail`;
 *   get, under get.guard: nobody waits for room, and there is an item by the last look at `tail`:
 *        copy it out, advance `head`.
 * All else takes both, put.guard first: then nothing moves, and the rules of the queue are plain
 * code. What the quick ways rely on (getters_wait, putters_wait, shut_down, limit, where the items
 * are) is changed only under both. Stacks and heaps have no quick way; for them get.guard is not
 * used.
 *
 * Invariants, whenever put.guard is free: a getter waits only while there is no item; a putter
 * only while there is no room; in a queue that is shut down nobody waits for either. `settle`
 * brings this about: it copies items straight into waiting getters' memory, and waiting putters'
 * items in. So who is woken has what it waited for, no item is lost to one who gave up (it was out
 * of the list, or it has the item), and nobody in a list is overtaken. A strand's `item` is its
 * buffer; `grant` is 0, or the error (positive) that it is sent away with. The lists are under
 * put.guard; getters_wait and putters_wait may say yes for a list that has become empty since: who
 * looks under both guards corrects it.
 *
 * Before it queues, a strand watches the counters for a moment without being in a list: so the
 * other side can do many items in one go, where being handed each would make the two run in step.
 *
 * Work not done is what was put, less `done`; that and the joiners are under join.guard, an
 * innermost one. */
#include <errno.h>
#include <hocket/queue.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/seconds.h"
#include "park/scope.h"
#include "park/sleeper.h"
#include "park/wait.h"
#include "sync/items.h"

#define FIRST_CAPACITY 16

/* Keeps what stands before and after it on different cache lines, wherever the allocator puts it.
 */
#define APART(name) char name[64]

struct hkt_queue {
    struct hkti_items items;
    size_t maxsize;
    size_t limit; /* items that fit now: maxsize, or what there is memory for */
    bool simple;
    bool shut_down;
    APART(apart_from_put);
    struct {
        uint32_t guard;
        bool getters_wait;
        size_t tail;      /* atomic: read by the other side */
        size_t head_seen; /* head, when a putter last looked */
        struct hkti_wait_list getters, putters;
    } put;
    APART(apart_from_get);
    struct {
        uint32_t guard;
        bool putters_wait;
        size_t head; /* atomic: read by the other side */
        size_t tail_seen;
    } get;
    APART(apart_from_join);
    struct {
        uint32_t guard;
        size_t done;
        struct hkti_wait_list joiners;
    } join;
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
    made->items = (struct hkti_items){ .item_size = item_size, .order = order, .compare = compare };
    made->items.capacity = maxsize == HKT_UNBOUNDED ? FIRST_CAPACITY : made->maxsize;
    made->items.base = hkti_items_allocate(&made->items, &made->items.capacity);
    if (made->items.base == NULL) {
        hkti_release(made, sizeof *made);
        return -ENOMEM;
    }
    made->limit = maxsize == HKT_UNBOUNDED ? made->items.capacity : made->maxsize;
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

static void acquire_both(hkt_queue *queue)
{
    hkti_guard_acquire(&queue->put.guard);
    if (queue->items.order == HKTI_FIFO)
        hkti_guard_acquire(&queue->get.guard);
}

static void release_get(hkt_queue *queue)
{
    if (queue->items.order == HKTI_FIFO)
        hkti_guard_release(&queue->get.guard);
}

static void release_both(hkt_queue *queue)
{
    release_get(queue);
    hkti_guard_release(&queue->put.guard);
}

void hkt_queue_destroy(hkt_queue *queue)
{
    if (queue == NULL)
        return;
    acquire_both(queue);
    if (!hkti_list_empty(&queue->put.getters.head) || !hkti_list_empty(&queue->put.putters.head) ||
        !hkti_list_empty(&queue->join.joiners.head))
        hkti_misuse("hkt_queue_destroy: threads wait in queue %p: shut it down and join them first",
                    (void *)queue);
    release_both(queue);
    hkti_items_release(&queue->items, queue->items.base, queue->items.capacity);
    hkti_release(queue, sizeof *queue);
}

/* Under both guards: the plain forms. */

static size_t count_of(const hkt_queue *queue)
{
    return hkti_load_relaxed(&queue->put.tail) - hkti_load_relaxed(&queue->get.head);
}

static void push(hkt_queue *queue, const void *item)
{
    size_t tail = hkti_load_relaxed(&queue->put.tail);
    hkti_items_put(&queue->items, hkti_load_relaxed(&queue->get.head), tail, item);
    hkti_store_release(&queue->put.tail, tail + 1); /* pairs: queue-tail */
}

/* `head` must never get ahead of `tail_seen`, which would look like items. */
static void advance_head(hkt_queue *queue, size_t head, size_t tail)
{
    hkti_store_release(&queue->get.head, head); /* pairs: queue-head */
    queue->get.tail_seen = tail;
}

static void pop(hkt_queue *queue, void *item)
{
    size_t head = hkti_load_relaxed(&queue->get.head);
    size_t tail = hkti_load_relaxed(&queue->put.tail);
    hkti_items_take(&queue->items, head, tail, item);
    advance_head(queue, head + 1, tail);
}

/* Gives items to those who wait for them, and room to those who wait for that, the longest waiting
 * first; who has got what it wanted is put into `taken`. */
static void settle(hkt_queue *queue, struct hkti_wait_list *taken)
{
    for (;;) {
        struct hkti_strand *getter = hkti_wait_list_first(&queue->put.getters);
        struct hkti_strand *putter = hkti_wait_list_first(&queue->put.putters);
        if (getter && count_of(queue) > 0) {
            pop(queue, getter->item);
            hkti_wait_list_take(&queue->put.getters, 1, 0, taken);
        } else if (putter && count_of(queue) < queue->limit) {
            push(queue, putter->item);
            hkti_wait_list_take(&queue->put.putters, 1, 0, taken);
        } else {
            queue->put.getters_wait = getter != NULL;
            queue->get.putters_wait = putter != NULL;
            return;
        }
    }
}

/* With both guards, which it releases: waits in one of the lists, and tells what came of it. */
static int wait_in(hkt_queue *queue, struct hkti_wait_list *list, const char *what, void *item,
                   int64_t deadline)
{
    if (deadline == HKTI_PASSED) {
        release_both(queue);
        return -ETIMEDOUT;
    }
    struct hkti_wait wait = { .what = what,
                              .object = queue,
                              .list = list,
                              .guard = &queue->put.guard,
                              .deadline = deadline,
                              .cancellable = true };
    struct hkti_strand *self = hkti_self();
    self->item = item;
    self->grant = 0;
    if (list == &queue->put.getters)
        queue->put.getters_wait = true;
    else
        queue->get.putters_wait = true;
    release_get(queue);
    int err = hkti_wait(&wait);
    return err < 0 ? err : -(int)self->grant;
}

/* Under both guards, which it lets go for a moment: room for one item more in an unbounded queue.
 * 0, and the caller looks again, or -ENOMEM. */
static int grow(hkt_queue *queue)
{
    size_t capacity = queue->items.capacity * 2;
    release_both(queue);
    char *base = hkti_items_allocate(&queue->items, &capacity);
    acquire_both(queue);
    bool room = count_of(queue) < queue->limit;
    if (base && capacity > queue->items.capacity) {
        hkti_items_move(&queue->items, hkti_load_relaxed(&queue->get.head),
                        hkti_load_relaxed(&queue->put.tail), &base, &capacity);
        queue->limit = queue->items.capacity;
    }
    if (base) {
        release_both(queue);
        hkti_items_release(&queue->items, base, capacity);
        acquire_both(queue);
    }
    return base || room ? 0 : -ENOMEM;
}

/* Under both guards: 0, or why not; -EAGAIN when there is no room. */
static int put_plainly(hkt_queue *queue, const void *item)
{
    for (;;) {
        if (queue->shut_down)
            return -ESHUTDOWN;
        if (count_of(queue) >= queue->maxsize)
            return -EAGAIN;
        if (count_of(queue) < queue->limit)
            break;
        int err = grow(queue);
        if (err < 0)
            return err;
    }
    push(queue, item);
    return 0;
}

static int get_plainly(hkt_queue *queue, void *item)
{
    if (count_of(queue) == 0)
        return queue->shut_down ? -ESHUTDOWN : -EAGAIN;
    pop(queue, item);
    return 0;
}

/* Spins while there are `count` items: false if that did not change. Without the guards. */
static bool watch(const hkt_queue *queue, size_t count)
{
    unsigned round = 0;
    while (hkti_spin(&round, HKTI_TRY_ROUNDS))
        if (hkt_queue_qsize(queue) != count)
            return true;
    return false;
}

/* The whole of a put or a get (of `item`, with `plainly`), for which the quick way was not open.
 * `stuck`: so many items are in it when it has to wait. */
static int transfer(hkt_queue *queue, bool put, void *item, size_t stuck, bool wait,
                    int64_t deadline)
{
    struct hkti_wait_list taken = { { NULL, NULL } };
    bool watching = wait && deadline != HKTI_PASSED && hkti_strand_may_spin(hkti_self());
    for (;;) {
        acquire_both(queue);
        int err = put ? put_plainly(queue, item) : get_plainly(queue, item);
        settle(queue, &taken);
        if (err == -EAGAIN && wait && !watching)
            return put ? wait_in(queue, &queue->put.putters, "queue: room", item, deadline)
                       : wait_in(queue, &queue->put.getters, "queue: item", item, deadline);
        release_both(queue);
        hkti_wake_all(&taken);
        if (err != -EAGAIN || !wait)
            return err;
        watching = watch(queue, stuck);
    }
}

/* The quick way of a put: false if it is not open. */
static inline bool put_quickly(hkt_queue *queue, const void *item)
{
    if (queue->items.order != HKTI_FIFO)
        return false;
    hkti_guard_acquire(&queue->put.guard);
    size_t tail = hkti_load_relaxed(&queue->put.tail);
    bool open = !queue->shut_down && !queue->put.getters_wait;
    if (open && tail - queue->put.head_seen >= queue->limit) {
        queue->put.head_seen = hkti_load_acquire(&queue->get.head); /* pairs: queue-head */
        open = tail - queue->put.head_seen < queue->limit;
    }
    if (__builtin_expect(open, 1)) {
        hkti_item_copy(hkti_items_at(&queue->items, tail), item, queue->items.item_size);
        hkti_store_release(&queue->put.tail, tail + 1); /* pairs: queue-tail */
    }
    hkti_guard_release(&queue->put.guard);
    return open;
}

/* The quick way of a get. */
static inline bool get_quickly(hkt_queue *queue, void *item)
{
    if (queue->items.order != HKTI_FIFO)
        return false;
    hkti_guard_acquire(&queue->get.guard);
    size_t head = hkti_load_relaxed(&queue->get.head);
    bool open = !queue->get.putters_wait;
    if (open && head == queue->get.tail_seen) {
        queue->get.tail_seen = hkti_load_acquire(&queue->put.tail); /* pairs: queue-tail */
        open = head != queue->get.tail_seen;
    }
    if (__builtin_expect(open, 1)) {
        hkti_item_copy(item, hkti_items_at(&queue->items, head), queue->items.item_size);
        hkti_store_release(&queue->get.head, head + 1); /* pairs: queue-head */
    }
    hkti_guard_release(&queue->get.guard);
    return open;
}

int hkt_queue_put_until(hkt_queue *queue, const void *item, hkt_deadline deadline)
{
    int err = hkti_cancelled(deadline.ns);
    if (err < 0 || __builtin_expect(put_quickly(queue, item), 1))
        return err;
    return transfer(queue, true, (void *)(uintptr_t)item, queue->maxsize, true, deadline.ns);
}

int hkt_queue_put(hkt_queue *queue, const void *item)
{
    return hkt_queue_put_until(queue, item, (hkt_deadline){ 0 });
}

int hkt_queue_put_nowait(hkt_queue *queue, const void *item)
{
    if (put_quickly(queue, item))
        return 0;
    return transfer(queue, true, (void *)(uintptr_t)item, queue->maxsize, false, 0);
}

int hkt_queue_get_until(hkt_queue *queue, void *item, hkt_deadline deadline)
{
    int err = hkti_cancelled(deadline.ns);
    if (err < 0 || __builtin_expect(get_quickly(queue, item), 1))
        return err;
    return transfer(queue, false, item, 0, true, deadline.ns);
}

int hkt_queue_get(hkt_queue *queue, void *item)
{
    return hkt_queue_get_until(queue, item, (hkt_deadline){ 0 });
}

int hkt_queue_get_nowait(hkt_queue *queue, void *item)
{
    if (get_quickly(queue, item))
        return 0;
    return transfer(queue, false, item, 0, false, 0);
}

/* Work that was put and is not done. Under join.guard. */
static size_t unfinished(const hkt_queue *queue)
{
    return hkti_load_acquire(&queue->put.tail) - queue->join.done; /* pairs: queue-tail */
}

/* Under join.guard, which it releases: the work for n items is done. */
static void finish(hkt_queue *queue, size_t n)
{
    struct hkti_wait_list taken = { { NULL, NULL } };
    queue->join.done += n;
    if (unfinished(queue) == 0)
        hkti_wait_list_take(&queue->join.joiners, SIZE_MAX, 0, &taken);
    hkti_guard_release(&queue->join.guard);
    hkti_wake_all(&taken);
}

int hkt_queue_task_done(hkt_queue *queue)
{
    if (queue->simple)
        return -EINVAL;
    hkti_guard_acquire(&queue->join.guard);
    if (unfinished(queue) == 0) {
        hkti_guard_release(&queue->join.guard);
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
    hkti_guard_acquire(&queue->join.guard);
    bool all_done = unfinished(queue) == 0;
    if (all_done || deadline.ns == HKTI_PASSED) {
        hkti_guard_release(&queue->join.guard);
        return all_done ? 0 : -ETIMEDOUT;
    }
    struct hkti_wait wait = { .what = "queue: all work done",
                              .object = queue,
                              .list = &queue->join.joiners,
                              .guard = &queue->join.guard,
                              .deadline = deadline.ns,
                              .cancellable = true };
    return hkti_wait(&wait);
}

int hkt_queue_join(hkt_queue *queue)
{
    return hkt_queue_join_until(queue, (hkt_deadline){ 0 });
}

void hkt_queue_shutdown(hkt_queue *queue, bool immediate)
{
    struct hkti_wait_list taken = { { NULL, NULL } };
    size_t dropped = 0;
    acquire_both(queue);
    queue->shut_down = true;
    hkti_wait_list_take(&queue->put.putters, SIZE_MAX, ESHUTDOWN, &taken);
    if (immediate) {
        dropped = count_of(queue);
        size_t tail = hkti_load_relaxed(&queue->put.tail);
        advance_head(queue, tail, tail);
    }
    settle(queue, &taken);
    hkti_wait_list_take(&queue->put.getters, SIZE_MAX, ESHUTDOWN, &taken);
    queue->put.getters_wait = false;
    release_both(queue);
    hkti_guard_acquire(&queue->join.guard);
    size_t left = unfinished(queue);
    finish(queue, dropped < left ? dropped : left);
    hkti_wake_all(&taken);
}

size_t hkt_queue_qsize(const hkt_queue *queue)
{
    size_t head = hkti_load_relaxed(&queue->get.head);
    size_t count = hkti_load_relaxed(&queue->put.tail) - head;
    return count < queue->maxsize ? count
                                  : queue->maxsize; /* some may have been taken in between */
}

bool hkt_queue_empty(const hkt_queue *queue)
{
    return hkt_queue_qsize(queue) == 0;
}

bool hkt_queue_full(const hkt_queue *queue)
{
    return hkt_queue_qsize(queue) >= queue->maxsize;
}
