/* SPDX-License-Identifier: MIT */
/* Five downloads of two seconds in five threads take two seconds, not ten. Each thread writes what
 * it got into its own struct, which is read after the join. (a list of threading.Thread) */
#include <hocket.h>
#include <stdio.h>

enum { FILES = 5 };

struct file {
    int id;
    long bytes;
    hkt_thread *thread;
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

int main(void)
{
    static struct file files[FILES];
    for (int i = 0; i < FILES; i++) {
        files[i].id = i + 1;
        int err = hkt_thread_spawn(&files[i].thread, download, &files[i], NULL);
        if (err < 0)
            return hkt_report(err);
    }

    long total = 0;
    for (int i = 0; i < FILES; i++) {
        hkt_thread_join(files[i].thread);
        hkt_thread_destroy(files[i].thread);
        total += files[i].bytes;
    }
    printf("All files downloaded! %ld bytes\n", total);
    return 0;
}
