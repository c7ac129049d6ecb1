/* SPDX-License-Identifier: MIT */
/* Five downloads, never more than three at a time: three in the first round, two in the second, so
 * it takes twice as long as one. (ThreadPoolExecutor(max_workers=3).map) */
#include <hocket.h>
#include <stdio.h>

struct file {
    int id;
    long bytes;
};

static int download(void *arg)
{
    struct file *file = arg;
    printf("Downloading file %d...\n", file->id);
    int err = hkt_sleep(0.2); /* the network, which keeps us waiting */
    if (err < 0)
        return err;
    file->bytes = 1000L * file->id;
    return 0;
}

int main(void)
{
    struct file files[] = { { .id = 1 }, { .id = 2 }, { .id = 3 }, { .id = 4 }, { .id = 5 } };
    hkt_executor *pool;
    int err = hkt_thread_pool_create(&pool, &(hkt_thread_pool_options){ .max_workers = 3 });
    if (err < 0)
        return hkt_report(err);
    err = hkt_map(pool, download, HKT_ARRAY(files));
    hkt_executor_destroy(pool);

    for (int i = 0; i < 5 && err == 0; i++)
        printf("File %d downloaded! %ld bytes\n", files[i].id, files[i].bytes);
    return hkt_report(err);
}
