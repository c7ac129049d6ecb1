/* SPDX-License-Identifier: MIT */
/* Five downloads of two seconds each, on one thread: two seconds in all, not
 * ten. Each is a task, and while one waits for the network, the others go on.
 * (asyncio.gather) */
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
    int err = hkt_sleep(2.0); /* the network, which keeps us waiting */
    if (err < 0)
        return err;
    file->bytes = 1000L * file->id;
    printf("File %d downloaded!\n", file->id);
    return 0;
}

static int download_all(void *arg)
{
    (void)arg;
    struct file files[] = { { .id = 1 }, { .id = 2 }, { .id = 3 }, { .id = 4 }, { .id = 5 } };
    double start = hkt_monotonic();
    int err = hkt_gather(download, HKT_ARRAY(files));
    if (err < 0)
        return err;

    long bytes = 0;
    for (int i = 0; i < 5; i++)
        bytes += files[i].bytes;
    printf("Five downloads, %ld bytes, took %.0f s.\n", bytes, hkt_monotonic() - start);
    return 0;
}

int main(void)
{
    return hkt_report(hkt_run(download_all, NULL));
}
