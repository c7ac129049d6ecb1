#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Python's process pools for bench_process_pool: WORKLOAD COUNT KIND; prints the seconds and the sum."""
import concurrent.futures
import multiprocessing
import sys
import time


def add_one(number):
    return number + 1


def many(pool, kind, count):
    if kind == "futures":
        futures = [pool.submit(add_one, i) for i in range(count)]
        return sum(future.result() for future in futures)
    results = [pool.apply_async(add_one, (i,)) for i in range(count)]
    return sum(result.get() for result in results)


def one(pool, kind, count, pause):
    """Seconds of one: the median of many."""
    times = []
    for i in range(count):
        time.sleep(pause) if pause else None
        began = time.perf_counter()
        if kind == "futures":
            pool.submit(add_one, i).result()
        else:
            pool.apply(add_one, (i,))
        times.append(time.perf_counter() - began)
    return sorted(times)[count // 2]


def main():
    workload, count, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    context = multiprocessing.get_context("fork")
    if kind == "futures":
        pool = concurrent.futures.ProcessPoolExecutor(2, mp_context=context)
    else:
        pool = context.Pool(2)
    many(pool, kind, 100)
    total = 0
    if workload == "many":
        began = time.perf_counter()
        total = many(pool, kind, count)
        seconds = time.perf_counter() - began
    elif workload == "map":
        began = time.perf_counter()
        if kind == "futures":
            total = sum(pool.map(add_one, range(count), chunksize=count // 8 + 1))
        else:
            total = sum(pool.map(add_one, range(count)))
        seconds = time.perf_counter() - began
    else:
        seconds = one(pool, kind, count, 0.0004 if workload == "parked" else 0)
    print(seconds, total)
    if kind == "futures":
        pool.shutdown()
    else:
        pool.terminate()


if __name__ == "__main__":
    main()
