/* SPDX-License-Identifier: MIT */
/* oneTBB's locks, for bench_lock. */
#include "lock_loops.h"

#include <new>
#include <oneapi/tbb/mutex.h>
#include <oneapi/tbb/spin_mutex.h>

namespace
{

template <typename Mutex> void init(void *lock)
{
    static_assert(sizeof(Mutex) <= LOCK_BYTES, "the lock fits");
    new (lock) Mutex;
}

template <typename Mutex> void destroy(void *lock)
{
    static_cast<Mutex *>(lock)->~Mutex();
}

template <typename Mutex> BENCH_INLINE void acquire(void *lock)
{
    static_cast<Mutex *>(lock)->lock();
}

template <typename Mutex> BENCH_INLINE void release(void *lock)
{
    static_cast<Mutex *>(lock)->unlock();
}

} // namespace

LOCK_SYSTEM(lock_tbb_mutex, "tbb::mutex", init<tbb::mutex>, destroy<tbb::mutex>,
            acquire<tbb::mutex>, release<tbb::mutex>)
LOCK_SYSTEM(lock_tbb_spin_mutex, "tbb::spin_mutex", init<tbb::spin_mutex>, destroy<tbb::spin_mutex>,
            acquire<tbb::spin_mutex>, release<tbb::spin_mutex>)
