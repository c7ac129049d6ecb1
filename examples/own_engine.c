/* SPDX-License-Identifier: MIT */
/* An engine of one's own, an executor like any other: a clerk who always takes the letter on top of
 * the pile. (a subclass of concurrent.futures.Executor) */
#include <hocket.h>
#include <stdio.h>

static int submit(void *pile, hkt_future *future, const hkt_submit_options *options)
{
    (void)options;
    return hkt_queue_put(pile, &future);
}

static void destroy(void *pile) /* all have been run: the clerk may go home */
{
    hkt_queue_shutdown(pile, false);
}

static const hkt_engine clerk = { .name = "clerk", .submit = submit, .destroy = destroy };

static int work(void *pile) /* the clerk's thread */
{
    hkt_future *top;
    while (hkt_queue_get(pile, &top) == 0) /* until it is shut */
        hkt_future_run(top);
    return 0;
}

static int answer(void *from)
{
    printf("The clerk answers the letter from %s.\n", (const char *)from);
    return 0;
}

static int empty_letter_box(void *office) /* a job, too: nothing is answered meanwhile */
{
    static const char *const letters[] = { "Rome", "Paris", "Oslo" };
    int err = 0;
    for (int i = 0; i < 3 && err == 0; i++)
        err = hkt_submit(office, NULL, answer, (void *)letters[i]);
    return err;
}

int main(void)
{
    hkt_queue_options unbounded = { .maxsize = HKT_UNBOUNDED };
    hkt_executor *office = NULL;
    hkt_queue *pile = NULL;
    int err = hkt_lifo_queue_create(&pile, sizeof(hkt_future *), &unbounded);
    if (err == 0)
        err = hkt_executor_create(&office, &clerk, pile);
    if (err == 0)
        err = hkt_thread_spawn(NULL, work, pile, NULL);
    if (err == 0)
        err = hkt_submit(office, NULL, empty_letter_box, office);
    hkt_executor_destroy(office); /* waits until all are answered */
    hkt_join_all();
    hkt_queue_destroy(pile);
    return hkt_report(err);
}
