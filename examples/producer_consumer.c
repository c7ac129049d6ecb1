/* SPDX-License-Identifier: MIT */
/* Two cooks, two waiters, and a counter with room for three dishes: who finds it full or empty
 * waits. When every dish has been served, the counter is shut and the waiters go home.
 * (queue.Queue: put, get, task_done, join, shutdown) */
#include <hocket.h>
#include <stdio.h>

struct dish {
    const char *cook;
    int number;
};

static hkt_queue *counter;

static int cook(void *name)
{
    int err = 0;
    for (int i = 1; i <= 4 && err == 0; i++)
        err = hkt_queue_put(counter, &(struct dish){ .cook = name, .number = i });
    return err;
}

static int serve(void *arg)
{
    (void)arg;
    struct dish dish;
    while (hkt_queue_get(counter, &dish) == 0) { /* until it is shut, and empty */
        printf("%s's dish no. %d is served.\n", dish.cook, dish.number);
        hkt_queue_task_done(counter);
    }
    return 0;
}

int main(void)
{
    int err = hkt_queue_create(&counter, sizeof(struct dish), &(hkt_queue_options){ .maxsize = 3 });
    if (err < 0)
        return hkt_report(err);

    hkt_thread *anna = NULL, *boris = NULL;
    for (int i = 0; i < 2 && err == 0; i++)
        err = hkt_thread_spawn(NULL, serve, NULL, NULL);
    if (err == 0)
        err = hkt_thread_spawn(&anna, cook, "Anna", NULL);
    if (err == 0)
        err = hkt_thread_spawn(&boris, cook, "Boris", NULL);
    if (err == 0) {
        hkt_thread_join(anna);
        hkt_thread_join(boris);
        err = hkt_queue_join(counter);
    }

    hkt_queue_shutdown(counter, err < 0);
    hkt_join_all();
    hkt_thread_destroy(anna);
    hkt_thread_destroy(boris);
    hkt_queue_destroy(counter);
    return hkt_report(err);
}
