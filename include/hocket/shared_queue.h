/* SPDX-License-Identifier: MIT */
/* Queues between processes: messages of any size, first in, first out, copied in and out. Any number
 * of processes put and get.
 *
 *     hkt_shared_queue *queue;
 *     int err = hkt_shared_queue_create(&queue, NULL);
 *     ...                                       `queue` is a pointer into shared memory: pass it on
 *     err = hkt_shared_queue_put(queue, HKT_ITEM(message));
 *     int n = hkt_shared_queue_get(queue, &message, sizeof message);
 *
 * Nobody holds a lock while he copies: who is killed in the middle of a put leaves nothing behind, in
 * the middle of a get takes that one message with him, and stops nobody. There is no thread that
 * feeds it: what was put is there when put returns. (multiprocessing.Queue, JoinableQueue) */
#ifndef HOCKET_SHARED_QUEUE_H
#define HOCKET_SHARED_QUEUE_H

#include <hocket/export.h>
#include <hocket/item.h>
#include <hocket/time.h>

HKT_BEGIN_DECLS

typedef struct hkt_shared_queue hkt_shared_queue;

typedef struct hkt_shared_queue_options {
    size_t maxsize; /* messages at the most; 0: 1024; -EINVAL above a million. Rounded up to a
                             power of two inside, and exact outside */
    size_t
        message_size; /* bytes that most messages have at the most: these lie in the queue itself,
                             longer ones elsewhere; 0: 240; -EINVAL above 64 MiB */
    uint64_t reserved[4]; /* zero */
} hkt_shared_queue_options;

/* 0; -ENOMEM, -EINVAL. */
HKT_API HKT_MUST_USE int hkt_shared_queue_create(hkt_shared_queue **queue,
                                                 const hkt_shared_queue_options *options);
/* One without a count of tasks: task_done and join are -EINVAL. (SimpleQueue) */
HKT_API HKT_MUST_USE int hkt_shared_simple_queue_create(hkt_shared_queue **queue);

/* Gives it back with what is in it; NULL is fine. Once, when no process uses it any more. */
HKT_API void hkt_shared_queue_destroy(hkt_shared_queue *queue);

/* Puts a copy of `size` bytes in, waiting while the queue is full: 0; -ESHUTDOWN; -ECANCELED;
 * -ENOMEM: no room for a long one; -ETIMEDOUT; _nowait: -EAGAIN. 0 bytes are a message too. The
 * first two are cancellation points. (Queue.put) */
HKT_API HKT_MUST_USE int hkt_shared_queue_put(hkt_shared_queue *queue, const void *message,
                                              size_t size);
HKT_API HKT_MUST_USE int hkt_shared_queue_put_until(hkt_shared_queue *queue, const void *message,
                                                    size_t size, hkt_deadline deadline);
HKT_API HKT_MUST_USE int hkt_shared_queue_put_nowait(hkt_shared_queue *queue, const void *message,
                                                     size_t size);

/* Takes the next message, of at most `room` bytes: its size. -EMSGSIZE: it is longer, and stays, the
 * first (hkt_shared_queue_next_size tells); -ESHUTDOWN: shut down and empty; -ECANCELED;
 * -ETIMEDOUT; _nowait: -EAGAIN. Sizes above INT_MAX are told as INT_MAX: see
 * hkt_shared_queue_take. The first two are cancellation points. (Queue.get) */
HKT_API HKT_MUST_USE int hkt_shared_queue_get(hkt_shared_queue *queue, void *message, size_t room);
HKT_API HKT_MUST_USE int hkt_shared_queue_get_until(hkt_shared_queue *queue, void *message,
                                                    size_t room, hkt_deadline deadline);
HKT_API HKT_MUST_USE int hkt_shared_queue_get_nowait(hkt_shared_queue *queue, void *message,
                                                     size_t room);

/* The same for messages of unknown or great size: 0, *message is the memory it lies in, which is the
 * caller's now (shared memory: hkt_shared_free), *size its size. A long one is not copied. -ENOMEM:
 * there is no memory for a short one, which stays, the first. */
HKT_API HKT_MUST_USE int hkt_shared_queue_take(hkt_shared_queue *queue, void **message,
                                               size_t *size);
HKT_API HKT_MUST_USE int hkt_shared_queue_take_until(hkt_shared_queue *queue, void **message,
                                                     size_t *size, hkt_deadline deadline);

/* The size of the first message, a moment ago; -EAGAIN: there is none. */
HKT_API int hkt_shared_queue_next_size(hkt_shared_queue *queue);

/* The work for one message taken out is done: 0; -EINVAL if that was said for every one already.
 * Waits until it is for all that were put: 0, -ECANCELED, -ETIMEDOUT. What a process took with it that was
 * killed in the middle of its get counts as done; what it had got and not said to be done does not.
 * (task_done, join) */
HKT_API int hkt_shared_queue_task_done(hkt_shared_queue *queue);
HKT_API int hkt_shared_queue_join(hkt_shared_queue *queue);
HKT_API int hkt_shared_queue_join_until(hkt_shared_queue *queue, hkt_deadline deadline);

/* For all processes: puts fail with -ESHUTDOWN, waiting ones too; gets take what is left, then fail
 * so. `immediate` drops what is left, and counts it as done. (Queue.shutdown) */
HKT_API void hkt_shared_queue_shutdown(hkt_shared_queue *queue, bool immediate);

/* How many are in it, is it empty, is it full: a moment ago. (Queue.qsize, empty, full) */
HKT_API size_t hkt_shared_queue_qsize(const hkt_shared_queue *queue);
HKT_API bool hkt_shared_queue_empty(const hkt_shared_queue *queue);
HKT_API bool hkt_shared_queue_full(const hkt_shared_queue *queue);

HKT_END_DECLS
#endif
