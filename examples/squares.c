/* SPDX-License-Identifier: MIT */
/* Slow squares by three threads, with a future for each: a job may return a useful count, which
 * hkt_future_finish hands on. (Executor.submit, Future.result) */
#include <hocket.h>
#include <stdio.h>

static int square(void *arg)
{
    const int *n = arg;
    int err = hkt_sleep(0.2);
    return err < 0 ? err : *n * *n;
}

int main(void)
{
    int numbers[] = { 1, 2, 3, 4, 5 };
    hkt_future *futures[5] = { NULL };
    hkt_executor *pool;
    int err = hkt_thread_pool_create(&pool, &(hkt_thread_pool_options){ .max_workers = 3 });
    if (err < 0)
        return hkt_report(err);

    for (int i = 0; i < 5 && err == 0; i++)
        err = hkt_submit(pool, &futures[i], square, &numbers[i]);
    for (int i = 0; i < 5; i++) {
        int result = hkt_future_finish(futures[i]); /* waits, and gives the future back */
        if (result < 0)
            err = result;
        else
            printf("%d * %d = %d\n", numbers[i], numbers[i], result);
    }
    hkt_executor_destroy(pool);
    return hkt_report(err);
}
