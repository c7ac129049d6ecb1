/* SPDX-License-Identifier: MIT */
/* An old library blocks its caller for a second. Called on a thread it holds up
 * nobody but the task that asked for it: the clock goes on ticking.
 * (asyncio.to_thread) */
#include <hocket.h>
#include <stdio.h>
#include <unistd.h>

static int compute(void *arg)
{
    int *answer = arg;
    sleep(1); /* of libc, which knows no tasks: in a loop all would stand still */
    *answer = 42;
    return 0;
}

static int ask(void *arg)
{
    (void)arg;
    int answer = 0;
    int err = hkt_to_thread(compute, &answer); /* parks the task until the thread is done */
    if (err == 0)
        printf("The answer is %d.\n", answer);
    return err;
}

static int tick(void *arg)
{
    (void)arg;
    int err = 0;
    for (int i = 0; i < 3 && err == 0; i++) {
        puts("tick");
        err = hkt_sleep(0.2);
    }
    return err;
}

static int work(void *arg)
{
    (void)arg;
    hkt_task_group group = { 0 };
    hkt_task_group_enter(&group, NULL);
    int err = hkt_task_group_spawn(&group, NULL, ask, NULL);
    if (err == 0)
        err = hkt_task_group_spawn(&group, NULL, tick, NULL);
    return hkt_task_group_leave(&group, err);
}

int main(void)
{
    return hkt_report(hkt_run(work, NULL));
}
