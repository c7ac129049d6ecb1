/* SPDX-License-Identifier: MIT */
/* Who does not want to wait for the bread leaves word: the baker's thread calls them when it is
 * done, in the order in which they came. Who comes later is called at once.
 * (concurrent.futures.Future.add_done_callback) */
#include <hocket.h>
#include <stdio.h>

static hkt_event oven_is_hot;

static int bake(void *arg)
{
    int *loaves = arg;
    int err = hkt_event_wait(&oven_is_hot);
    if (err < 0)
        return err;
    *loaves = 12;
    puts("The baker opens the oven.");
    return *loaves;
}

static void call(hkt_future *bread, void *name)
{
    int loaves;
    if (hkt_future_result(bread, &loaves) == 0)
        printf("%s hears that there are %d loaves.\n", (const char *)name, loaves);
}

int main(void)
{
    int loaves = 0;
    hkt_future *bread = NULL;
    hkt_executor *bakery;
    int err = hkt_thread_pool_create(&bakery, &(hkt_thread_pool_options){ .max_workers = 1 });
    if (err < 0)
        return hkt_report(err);

    err = hkt_submit(bakery, &bread, bake, &loaves);
    if (err == 0)
        err = hkt_future_add_done_callback(bread, call, "Anna");
    if (err == 0)
        err = hkt_future_add_done_callback(bread, call, "Boris");
    hkt_event_set(&oven_is_hot);
    hkt_executor_shutdown(bakery); /* all jobs have ended, and whom they call has been called */

    if (err == 0)
        err = hkt_future_add_done_callback(bread, call, "Clara");
    hkt_future_destroy(bread);
    hkt_executor_destroy(bakery);
    return hkt_report(err);
}
