/* SPDX-License-Identifier: MIT */
/* For test_gdb.py: stops with strands that wait, one for a future and one for an event. */
#include <hocket/event.h>
#include <hocket/future.h>
#include <hocket/thread_pool.h>
#include <hocket/thread_state.h>
#include <sched.h>
#include <string.h>

static hkt_executor *pool;
static hkt_event begun, never_set;

__attribute__((noinline)) void everything_waits(void)
{
    __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static int wait_for_the_event(void *arg)
{
    hkt_event_set(arg);
    return hkt_event_wait(&never_set) + 1; /* no tail call: a frame of its own */
}

__attribute__((noinline)) static int wait_for_the_future(void *arg)
{
    hkt_future *future;
    int err = hkt_submit(pool, &future, wait_for_the_event, arg);
    if (err == 0)
        err = hkt_future_finish(future);
    return err + 1;
}

/* The worker has nothing to run any more: it waits itself. */
static int worker_waits(void)
{
    hkt_thread_info infos[8];
    size_t count = hkt_thread_enumerate(infos, 8);
    for (size_t i = 0; i < count && i < 8; i++)
        if (strcmp(infos[i].name, "diggers-1") == 0)
            return infos[i].waits_for != NULL;
    return 0;
}

int main(void)
{
    hkt_thread_pool_options options = { .max_workers = 1, .name = "diggers" };
    hkt_future *future;
    if (hkt_thread_pool_create(&pool, &options) < 0)
        return 1;
    if (hkt_submit(pool, &future, wait_for_the_future, &begun) < 0)
        return 1;
    if (hkt_event_wait(&begun) < 0)
        return 1;
    while (!worker_waits())
        sched_yield();
    everything_waits();
    return 0;
}
