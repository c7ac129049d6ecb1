/* SPDX-License-Identifier: MIT */
/* Ten jobs are handed in, one after the other, and nobody asks for their futures; to destroy the
 * pool is to wait for them all. It has as many threads as there are processors.
 * (with ThreadPoolExecutor() as executor: executor.submit) */
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
    int err = hkt_thread_pool_create(&pool, NULL);
    if (err < 0)
        return hkt_report(err);

    int numbers[10]; /* a job's argument must stay until the job has ended */
    for (int i = 0; i < 10 && err == 0; i++) {
        numbers[i] = i;
        err = hkt_submit(pool, NULL, process, &numbers[i]);
    }
    hkt_executor_destroy(pool);
    return hkt_report(err);
}
