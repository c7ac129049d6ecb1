/* SPDX-License-Identifier: MIT */
/* oneTBB's bounded queue, for bench_queue. */
#include "queue_loops.h"

#include <oneapi/tbb/concurrent_queue.h>

namespace
{

using queue_type = tbb::concurrent_bounded_queue<uint64_t>;

void *create()
{
    auto *queue = new queue_type;

    queue->set_capacity(QUEUE_CAPACITY);
    return queue;
}

void destroy(void *queue)
{
    delete static_cast<queue_type *>(queue);
}

BENCH_INLINE void put(void *queue, uint64_t item)
{
    static_cast<queue_type *>(queue)->push(item);
}

BENCH_INLINE uint64_t get(void *queue)
{
    uint64_t item = 0;

    static_cast<queue_type *>(queue)->pop(item);
    return item;
}

} // namespace

QUEUE_SYSTEM(queue_tbb, "tbb::concurrent_bounded_queue", create, destroy, put, get)
