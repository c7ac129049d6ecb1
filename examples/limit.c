/* SPDX-License-Identifier: MIT */
/* A thousand files, and a server that minds more than fifty guests: the group
 * has a limit, and whoever spawns one more waits until one has left.
 * (asyncio.TaskGroup and asyncio.Semaphore) */
#include <hocket.h>
#include <stdio.h>

enum { FILES = 1000, GUESTS = 50 };

static int under_way, most, done; /* all tasks are on one thread: no lock */

static int download(void *arg)
{
    (void)arg;
    if (++under_way > most)
        most = under_way;
    int err = hkt_sleep(0.01);
    under_way--;
    done += err == 0;
    return err;
}

static int download_all(void *arg)
{
    (void)arg;
    hkt_task_group server = { 0 };
    hkt_task_group_enter(&server, &(hkt_task_group_options){ .limit = GUESTS });
    int err = 0;
    for (int i = 0; i < FILES && err == 0; i++)
        err = hkt_task_group_spawn(&server, NULL, download, NULL);
    return hkt_task_group_leave(&server, err);
}

int main(void)
{
    int err = hkt_run(download_all, NULL);
    printf("%d files, at most %d at a time\n", done, most);
    return hkt_report(err);
}
