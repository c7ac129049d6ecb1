/* SPDX-License-Identifier: MIT */
/* Boost.Interprocess' message_queue, for bench_shared_queue, where its headers are. */
#include "common.h"
#include "shared_queue_systems.h"

#if __has_include(<boost/interprocess/ipc/message_queue.hpp>)
#include <boost/interprocess/ipc/message_queue.hpp>

namespace
{

namespace interprocess = boost::interprocess;
using queue_type = interprocess::message_queue;

const char *const name = "hocket-bench-queue";

void *create(size_t size, int capacity)
{
    queue_type::remove(name);
    return new queue_type(interprocess::create_only, name, static_cast<size_t>(capacity), size);
}

void put(void *passing, const void *message, size_t size)
{
    static_cast<queue_type *>(passing)->send(message, size, 0);
}

void get(void *passing, void *message, size_t size)
{
    queue_type::size_type got = 0;
    unsigned priority = 0;

    static_cast<queue_type *>(passing)->receive(message, size, got, priority);
    if (got != size)
        bench_fail("message_queue: a message of another size");
}

void destroy(void *passing)
{
    delete static_cast<queue_type *>(passing);
    queue_type::remove(name);
}

} // namespace

extern "C" const struct passing_system passing_boost = {
    "boost::message_queue", create, nullptr, put, get, destroy
};
#else
static void *create(size_t, int)
{
    return nullptr;
}

extern "C" const struct passing_system passing_boost = {
    "boost::message_queue", create, nullptr, nullptr, nullptr, nullptr
};
#endif
