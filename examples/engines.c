/* SPDX-License-Identifier: MIT */
/* The same five slow squares on threads and in processes: the line that makes the pool decides,
 * and the rest does not know. (ThreadPoolExecutor, ProcessPoolExecutor) */
#include <hocket.h>
#include <stdio.h>

static int square(void *arg)
{
    int *n = arg;
    int err = hkt_sleep(1.0);
    *n = *n * *n;
    return err;
}

static int squares(hkt_executor *executor, const char *name)
{
    int numbers[] = { 1, 2, 3, 4, 5 };
    int err = hkt_map(executor, square, HKT_ARRAY(numbers));
    if (err < 0)
        return err;
    printf("%s results: [%d, %d, %d, %d, %d]\n", name, numbers[0], numbers[1], numbers[2],
           numbers[3], numbers[4]);
    return 0;
}

int main(void)
{
    hkt_executor *threads = NULL, *processes = NULL;
    int err = hkt_thread_pool_create(&threads, &(hkt_thread_pool_options){ .max_workers = 3 });
    if (err == 0)
        err = squares(threads, "ThreadPool");
    hkt_executor_destroy(threads);

    if (err == 0)
        err = hkt_process_pool_create(&processes, &(hkt_process_pool_options){ .max_workers = 3 });
    if (err == 0)
        err = squares(processes, "ProcessPool");
    hkt_executor_destroy(processes);
    return hkt_report(err);
}
