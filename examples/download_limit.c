/* SPDX-License-Identifier: MIT */
/* Six downloads, but the server takes two of us at a time: a semaphore with two permits. So they
 * take three rounds; how many really ran at once is counted. (threading.BoundedSemaphore) */
#include <hocket.h>
#include <stdio.h>

enum { FILES = 6, LIMIT = 2 };

static hkt_semaphore permits;
static hkt_lock lock; /* guards the next two */
static int running, most;

static void count(int step)
{
    hkt_lock_acquire(&lock);
    running += step;
    if (running > most)
        most = running;
    hkt_lock_release(&lock);
}

static int download(void *arg)
{
    const int *id = arg;
    int err = hkt_semaphore_acquire(&permits);
    if (err < 0)
        return err;
    count(+1);
    err = hkt_sleep(0.2);
    count(-1);
    hkt_semaphore_release(&permits, 1);
    if (err == 0)
        printf("File %d downloaded.\n", *id);
    return err;
}

int main(void)
{
    static int ids[FILES];
    int err = hkt_bounded_semaphore_init(&permits, LIMIT);
    for (int i = 0; i < FILES && err == 0; i++) {
        ids[i] = i + 1;
        err = hkt_thread_spawn(NULL, download, &ids[i], NULL);
    }
    hkt_join_all();
    printf("All done, %d at a time.\n", most);
    return hkt_report(err);
}
