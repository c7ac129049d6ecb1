#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""asyncio and uvloop for bench_task and bench_loop: rivals/asyncio-task.

    asyncio-task asyncio|uvloop yield|spawn|queue|cancel|sleep|ping|timers|fire N PARAMETER

Prints what the workload measures; nothing if there is no uvloop.
"""
import asyncio
import gc
import os
import sys
import threading
import time

WARM = 3


async def nothing():
    pass


async def yielding(index, tasks, rounds, times):
    for _ in range(WARM):
        await asyncio.sleep(0)
    if index == 0:
        times[0] = time.perf_counter_ns()
    for _ in range(rounds):
        await asyncio.sleep(0)
    if index == tasks - 1:
        times[1] = time.perf_counter_ns()


async def do_yield(n, tasks):
    times, rounds = [0, 0], n // tasks
    await asyncio.gather(*(yielding(i, tasks, rounds, times) for i in range(tasks)))
    return [(times[1] - times[0]) / (rounds * tasks)]


async def do_spawn(n, _):
    for i in range(-100, n):
        if i == 0:
            began = time.perf_counter_ns()
        await asyncio.create_task(nothing())
    return [(time.perf_counter_ns() - began) / n]


async def do_queue(n, room):
    queue = asyncio.Queue(room)

    async def put():
        for i in range(n):
            await queue.put(i)

    async def get():
        for i in range(n):
            if await queue.get() != i:
                sys.exit("wrong item")

    began = time.perf_counter_ns()
    await asyncio.gather(put(), get())
    return [(time.perf_counter_ns() - began) / n]


async def do_cancel(n, _):
    tasks = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(n)]
    await asyncio.sleep(0)
    began = time.perf_counter_ns()
    for task in tasks:
        task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    took = time.perf_counter_ns() - began
    if sum(isinstance(end, asyncio.CancelledError) for end in ends) != n:
        sys.exit("not all were cancelled")
    return [took / n]


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def chances(n):
    random = 1
    for _ in range(n):
        random = (random * 6364136223846793005 + 1442695040888963407) & (1 << 64) - 1
        yield (random >> 40) / (1 << 24)


async def sleep_round(n, ns_each, by_chance):
    """Seconds that a task waits begin when it does, so all of them ask for what is left."""
    before, patience = resident(), (ns_each * n + 10_000_000) / 1e9
    woken = 0
    over = asyncio.Event()
    delays = [x * patience / 100 if by_chance else 0 for x in chances(n)]
    clock = time.monotonic

    async def sleeper(delay):
        nonlocal woken
        await asyncio.sleep(max(due + delay - clock(), 0))
        woken += 1
        if woken == n:
            over.set()

    began = clock()
    due = began + patience
    tasks = [asyncio.create_task(sleeper(delay)) for delay in delays]
    await asyncio.sleep(0)
    asleep = clock()
    memory = (resident() - before) / n
    await over.wait()
    ended = clock()
    del tasks
    return ((asleep - began + ended - due) * 1e9 / n if asleep <= due else float("nan")), memory


async def do_sleep(n, ns_each):
    cold, memory = await sleep_round(n, ns_each, False)
    recycled, _ = await sleep_round(n, ns_each, False)
    by_chance, _ = await sleep_round(n, ns_each, True)
    return [cold, recycled, by_chance, memory]


async def do_ping(n, _):
    loop, answered = asyncio.get_running_loop(), threading.Semaphore(0)
    over = asyncio.Event()
    took = 0

    def send():
        nonlocal took
        for i in range(-100, n):
            if i == 0:
                began = time.perf_counter_ns()
            loop.call_soon_threadsafe(answered.release)
            answered.acquire()
        took = time.perf_counter_ns() - began
        loop.call_soon_threadsafe(over.set)

    thread = threading.Thread(target=send)
    thread.start()
    await over.wait()
    thread.join()
    return [took / n / 1e3]


async def do_timers(n, _):
    loop, delays = asyncio.get_running_loop(), list(chances(n))
    began = time.perf_counter_ns()
    handles = [loop.call_later(3600 + delay, int) for delay in delays]
    for handle in handles:
        handle.cancel()
    return [(time.perf_counter_ns() - began) / n]


async def do_fire(n, _):
    loop, delays = asyncio.get_running_loop(), list(chances(n))
    over, fired = asyncio.Event(), 0

    def fire():
        nonlocal fired
        fired += 1
        if fired == n:
            over.set()

    began = time.process_time_ns()
    for delay in delays:
        loop.call_later(delay, fire)
    was_set = time.process_time_ns()
    await over.wait()
    return [(time.process_time_ns() - began) / n, (was_set - began) / n]


def main():
    engine, what = sys.argv[1:3]
    if engine == "uvloop":
        try:
            import uvloop
        except ImportError:
            return
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    gc.disable()  # which would look at all tasks again and again
    print(*asyncio.run(globals()["do_" + what](int(sys.argv[3]), int(sys.argv[4]))))


if __name__ == "__main__":
    main()
