/* SPDX-License-Identifier: MIT */
/* Queues between threads: items of one fixed size are copied in and out, in the order of a queue
 * (first in, first out), of a stack (last in, first out) or of their rank. Bounded unless you say
 * otherwise: who puts into a full queue waits.
 *
 *     hkt_queue *jobs;
 *     int err = hkt_queue_create(&jobs, sizeof(struct job), NULL);
 *     ...
 *     err = hkt_queue_put(jobs, &job);              producers
 *     while (hkt_queue_get(jobs, &job) == 0)        consumers, until it is shut down and empty
 *         work(&job);
 *
 * Waiting putters and getters are served in the order of coming. */
#ifndef HOCKET_QUEUE_H
#define HOCKET_QUEUE_H

#include <hocket/export.h>
#include <hocket/time.h>

HKT_BEGIN_DECLS

typedef struct hkt_queue hkt_queue;

/* As many items as a queue takes when you do not say; and the word for no bound. */
#define HKT_QUEUE_MAXSIZE 1024
#define HKT_UNBOUNDED SIZE_MAX

typedef struct hkt_queue_options {
    size_t maxsize; /* items at the most; 0: HKT_QUEUE_MAXSIZE; HKT_UNBOUNDED: as memory allows */
    uint64_t reserved[3]; /* zero */
} hkt_queue_options;

/* Makes a queue of items of `item_size` bytes. 0; -EINVAL for a size of 0; -ENOMEM. A bounded queue
 * has all its memory from the start; an unbounded one grows as it fills. (Queue, LifoQueue) */
HKT_API HKT_MUST_USE int hkt_queue_create(hkt_queue **queue, size_t item_size,
                                          const hkt_queue_options *options);
HKT_API HKT_MUST_USE int hkt_lifo_queue_create(hkt_queue **queue, size_t item_size,
                                               const hkt_queue_options *options);

/* The same, giving the least item first: compare(a, b) < 0 when a goes first. Equal items come in
 * no fixed order. `compare` must not call this queue. (PriorityQueue) */
HKT_API HKT_MUST_USE int hkt_priority_queue_create(hkt_queue **queue, size_t item_size,
                                                   int (*compare)(const void *, const void *),
                                                   const hkt_queue_options *options);

/* A queue without bound and without a count of tasks: a put never waits. (SimpleQueue) */
HKT_API HKT_MUST_USE int hkt_simple_queue_create(hkt_queue **queue, size_t item_size);

/* Frees the queue and what is in it; NULL is fine. While somebody waits in it, it is misuse
 * (abort): shut it down and join them first. */
HKT_API void hkt_queue_destroy(hkt_queue *queue);

/* Puts a copy of `*item` in, waiting while the queue is full: 0; -ESHUTDOWN; -ECANCELED; -ENOMEM if
 * an unbounded one cannot grow. A cancellation point. (Queue.put) */
HKT_API HKT_MUST_USE int hkt_queue_put(hkt_queue *queue, const void *item);
/* The same until a deadline (-ETIMEDOUT), or only if there is room now (-EAGAIN). */
HKT_API HKT_MUST_USE int hkt_queue_put_until(hkt_queue *queue, const void *item,
                                             hkt_deadline deadline);
HKT_API HKT_MUST_USE int hkt_queue_put_nowait(hkt_queue *queue, const void *item);

/* Takes an item out into `*item`, waiting while there is none: 0; -ESHUTDOWN when the queue is shut
 * down and empty; -ECANCELED. `*item` is written only on success. A cancellation point.
 * (Queue.get) */
HKT_API HKT_MUST_USE int hkt_queue_get(hkt_queue *queue, void *item);
/* The same until a deadline (-ETIMEDOUT), or only if there is one now (-EAGAIN). */
HKT_API HKT_MUST_USE int hkt_queue_get_until(hkt_queue *queue, void *item, hkt_deadline deadline);
HKT_API HKT_MUST_USE int hkt_queue_get_nowait(hkt_queue *queue, void *item);

/* Says that the work for one item taken out is done: 0, or -EINVAL if that was said for every item
 * already, or the queue is a simple one. (Queue.task_done) */
HKT_API int hkt_queue_task_done(hkt_queue *queue);

/* Waits until the work for all items put in is done: 0, -ECANCELED, -EINVAL for a simple queue;
 * -ETIMEDOUT. Cancellation points. (Queue.join) */
HKT_API int hkt_queue_join(hkt_queue *queue);
HKT_API int hkt_queue_join_until(hkt_queue *queue, hkt_deadline deadline);

/* Closes the queue: puts fail with -ESHUTDOWN, waiting ones too; gets take what is left, then fail
 * so. `immediate` drops what is left, and counts it as done. Again is fine. (Queue.shutdown) */
HKT_API void hkt_queue_shutdown(hkt_queue *queue, bool immediate);

/* How many items are in it; has it none; has it no room: a moment ago. (Queue.qsize, empty, full)
 */
HKT_API size_t hkt_queue_qsize(const hkt_queue *queue);
HKT_API bool hkt_queue_empty(const hkt_queue *queue);
HKT_API bool hkt_queue_full(const hkt_queue *queue);

HKT_END_DECLS
#endif
