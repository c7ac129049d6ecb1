/* SPDX-License-Identifier: MIT */
/* Jobs that wait for jobs, on a single thread: each member of a family asks her three daughters how
 * many they are, and waits for the answers. While a job waits for jobs, its worker runs others; in
 * Python, such a pool stands still for ever. */
#include <hocket.h>
#include <stdio.h>

static hkt_executor *pool;

struct member {
    int generations; /* after hers */
    int count;       /* she, and all after her */
};

static int count(void *arg)
{
    struct member *she = arg;
    she->count = 1;
    if (she->generations == 0)
        return 0;
    int after = she->generations - 1;
    struct member daughters[] = { { .generations = after },
                                  { .generations = after },
                                  { .generations = after } };
    int err = hkt_map(pool, count, HKT_ARRAY(daughters));
    for (int i = 0; i < 3; i++)
        she->count += daughters[i].count;
    return err;
}

int main(void)
{
    struct member grandmother = { .generations = 5 };
    hkt_future *future = NULL;
    int err = hkt_thread_pool_create(&pool, &(hkt_thread_pool_options){ .max_workers = 1 });
    if (err < 0)
        return hkt_report(err);
    err = hkt_submit(pool, &future, count, &grandmother);
    if (err == 0)
        err = hkt_future_finish(future);
    hkt_executor_destroy(pool);
    printf("The family has %d members, and one worker counted them.\n", grandmother.count);
    return hkt_report(err);
}
