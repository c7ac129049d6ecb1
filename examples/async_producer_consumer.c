/* SPDX-License-Identifier: MIT */
/* A baker and two customers, all of them tasks, and a shelf with room for two
 * loaves. The queue is the one that threads use: a wait in it parks the task
 * that calls. (asyncio.Queue) */
#include <hocket.h>
#include <stdio.h>

static hkt_queue *shelf;

static int bake(void *arg)
{
    (void)arg;
    int err = 0;
    for (int loaf = 1; loaf <= 6 && err == 0; loaf++)
        err = hkt_queue_put(shelf, &loaf); /* waits while the shelf is full */
    hkt_queue_shutdown(shelf, false);      /* what is on it is still sold */
    return err;
}

static int buy(void *name)
{
    int loaf, err;
    while ((err = hkt_queue_get(shelf, &loaf)) == 0) {
        printf("%s has loaf %d.\n", (const char *)name, loaf);
        if ((err = hkt_sleep(0.1)) < 0) /* eats it */
            return err;
    }
    return err == -ESHUTDOWN ? 0 : err;
}

static int run_bakery(void *arg)
{
    (void)arg;
    hkt_task_group bakery = { 0 };
    hkt_task_group_enter(&bakery, NULL);
    int err = hkt_task_group_spawn(&bakery, NULL, bake, NULL);
    if (err == 0)
        err = hkt_task_group_spawn(&bakery, NULL, buy, "Anna");
    if (err == 0)
        err = hkt_task_group_spawn(&bakery, NULL, buy, "Boris");
    return hkt_task_group_leave(&bakery, err);
}

int main(void)
{
    int err = hkt_queue_create(&shelf, sizeof(int), &(hkt_queue_options){ .maxsize = 2 });
    if (err == 0)
        err = hkt_run(run_bakery, NULL);
    if (err == 0)
        puts("Sold out.");
    hkt_queue_destroy(shelf);
    return hkt_report(err);
}
