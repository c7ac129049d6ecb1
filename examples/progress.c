/* SPDX-License-Identifier: MIT */
/* A progress bar beside a download: a thread draws while main waits for the network. On a terminal
 * one line grows; into a pipe go plain lines. (threading.Thread, queue.SimpleQueue) */
#include <hocket.h>
#include <stdio.h>
#include <unistd.h>

static hkt_queue *news; /* percents, as they come */

static int draw(void *arg)
{
    (void)arg;
    int percent;
    bool terminal = isatty(STDOUT_FILENO);
    while (hkt_queue_get(news, &percent) == 0) {
        if (terminal)
            printf("\r[%-20.*s] %3d %%", percent / 5, "####################", percent);
        else
            printf("%d %%\n", percent);
        fflush(stdout);
    }
    if (terminal)
        puts("");
    return 0;
}

static int download(void)
{
    int err = 0;
    for (int percent = 10; percent <= 100 && err == 0; percent += 10) {
        err = hkt_sleep(0.05);
        if (err == 0)
            err = hkt_queue_put(news, &percent);
    }
    return err;
}

int main(void)
{
    hkt_thread *bar = NULL;
    int err = hkt_simple_queue_create(&news, sizeof(int));
    if (err == 0)
        err = hkt_thread_spawn(&bar, draw, NULL, NULL);
    if (err < 0)
        return hkt_report(err);

    err = download();
    hkt_queue_shutdown(news, false);
    hkt_thread_join(bar);
    puts(err == 0 ? "Here is your file." : "It was cut short.");

    hkt_thread_destroy(bar);
    hkt_queue_destroy(news);
    return hkt_report(err);
}
