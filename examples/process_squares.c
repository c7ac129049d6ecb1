/* SPDX-License-Identifier: MIT */
/* Ten squares by a pool of five processes. Each item goes to a worker, and comes back as its job
 * has left it. (multiprocessing.Pool(5).map, ProcessPoolExecutor(5).map) */
#include <hocket.h>
#include <stdio.h>

static int square(void *arg)
{
    long *n = arg;
    *n = *n * *n;
    return 0;
}

int main(void)
{
    long numbers[10];
    for (int i = 0; i < 10; i++)
        numbers[i] = i;

    hkt_executor *pool;
    int err = hkt_process_pool_create(&pool, &(hkt_process_pool_options){ .max_workers = 5 });
    if (err < 0)
        return hkt_report(err);
    err = hkt_map(pool, square, HKT_ARRAY(numbers));
    hkt_executor_destroy(pool);

    for (int i = 0; i < 10; i++)
        printf("%s%ld", i == 0 ? "[" : ", ", numbers[i]);
    puts("]");
    return hkt_report(err);
}
