/* SPDX-License-Identifier: MIT */
/* The smallest program in a loop: hkt_run makes one, runs the job in it as its
 * first task, and gives the loop back. While the task sleeps, others would run.
 * (asyncio.run(main())) */
#include <hocket.h>
#include <stdio.h>

static int hello(void *arg)
{
    (void)arg;
    puts("Hello ...");
    int err = hkt_sleep(0.2);
    if (err < 0) /* cancelled: leave */
        return err;
    puts("... World!");
    return 0;
}

int main(void)
{
    return hkt_report(hkt_run(hello, NULL));
}
