/* SPDX-License-Identifier: MIT */
/* Ten jobs for a pool of processes, one after the other, and nobody asks for their futures; to
 * destroy the pool is to wait for them all. (Pool().apply_async, close, join) */
#include <hocket.h>
#include <stdio.h>

static int process(void *arg)
{
    const int *number = arg;
    printf("Processing %d\n", *number);
    return 0;
}

int main(void)
{
    hkt_executor *pool;
    int err = hkt_process_pool_create(&pool, NULL);
    if (err < 0)
        return hkt_report(err);

    int numbers[10]; /* the job's argument comes back at its end, so its place must stay */
    for (int i = 0; i < 10 && err == 0; i++) {
        numbers[i] = i;
        err = hkt_apply_async(pool, NULL, process, HKT_ITEM(numbers[i]));
    }
    hkt_executor_destroy(pool);
    return hkt_report(err);
}
