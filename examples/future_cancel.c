/* SPDX-License-Identifier: MIT */
/* A tailor with two orders. The one not begun is simply taken back; the one under his needle cannot
 * be, but he can be asked to stop: the scope of the job is ended, and its next wait returns.
 * (concurrent.futures.Future.cancel, asyncio.Task.cancel) */
#include <errno.h>
#include <hocket.h>
#include <stdio.h>

static hkt_event at_work;

static int sew(void *what)
{
    printf("The tailor begins the %s.\n", (const char *)what);
    hkt_event_set(&at_work);
    int err = hkt_sleep(3600);
    if (err < 0)
        printf("The tailor puts the %s away.\n", (const char *)what);
    return err;
}

int main(void)
{
    hkt_future *coat = NULL, *hat = NULL;
    hkt_executor *tailor;
    int err = hkt_thread_pool_create(&tailor, &(hkt_thread_pool_options){ .max_workers = 1 });
    if (err < 0)
        return hkt_report(err);

    err = hkt_submit(tailor, &coat, sew, "coat");
    if (err == 0)
        err = hkt_submit(tailor, &hat, sew, "hat");
    if (err == 0)
        err = hkt_event_wait(&at_work);
    if (err == 0) {
        printf("Take back the hat: %s\n", hkt_future_cancel(hat) == 0 ? "done" : "too late");
        printf("Take back the coat: %s\n", hkt_future_cancel(coat) == 0 ? "done" : "too late");
        hkt_future_request_cancel(coat);
        int result = hkt_future_finish(coat); /* waits until it has been put away */
        printf("The coat was given up: %s\n", result == -ECANCELED ? "yes" : "no");
        printf("The hat was never begun: %s\n", hkt_future_cancelled(hat) ? "yes" : "no");
        hkt_future_destroy(hat);
    }
    hkt_executor_destroy(tailor);
    return hkt_report(err);
}
