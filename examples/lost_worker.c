/* SPDX-License-Identifier: MIT */
/* A job that crashes takes its worker with it, and fails alone: the worker is replaced, and all other
 * jobs come to their ends. (ProcessPoolExecutor breaks as a whole: BrokenProcessPool) */
#include <hocket.h>
#include <signal.h>
#include <stdio.h>

static int divide(void *arg)
{
    int *n = arg;
    if (*n == 0)
        raise(SIGKILL); /* as if the system had run out of memory */
    *n = 60 / *n;
    return 0;
}

int main(void)
{
    int numbers[] = { 1, 2, 0, 3, 4 }, codes[5];
    hkt_executor *pool;
    int err = hkt_process_pool_create(&pool, &(hkt_process_pool_options){ .max_workers = 2 });
    if (err < 0)
        return hkt_report(err);

    size_t failed;
    err = hkt_map_with(pool, divide, HKT_ARRAY(numbers),
                       &(hkt_map_options){ .keep_going = true, .codes = codes, .failed = &failed });
    for (int i = 0; i < 5; i++) {
        if (codes[i] == 0)
            printf("item %d: %d\n", i, numbers[i]);
        else
            printf("item %d: %s\n", i, hkt_strerror(codes[i]));
    }
    if (err == -EOWNERDEAD && failed == 2)
        fprintf(stderr, "%s\n", hkt_sentence(err)); /* which worker it was, and the signal */
    hkt_executor_destroy(pool);
    return 0;
}
