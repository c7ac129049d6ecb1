/* SPDX-License-Identifier: MIT */
/* A service that is told by signals: SIGHUP, to read its settings anew, and
 * SIGTERM, to end. What it does about them is ordinary code in a task, beside
 * its work. Without a terminal it sends them itself. (signal.sigwait) */
#include <hocket.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static int work(void *arg)
{
    (void)arg;
    int err;
    do
        err = hkt_sleep(0.05); /* waits for guests */
    while (err == 0);
    puts("The last guest has gone.");
    return err;
}

static int send_signals(void *arg)
{
    (void)arg;
    int err = hkt_sleep(0.1);
    if (err == 0)
        err = kill(getpid(), SIGHUP);
    if (err == 0)
        err = hkt_sleep(0.1);
    return err < 0 ? err : kill(getpid(), SIGTERM);
}

static int serve(void *arg)
{
    (void)arg;
    hkt_signals *signals;
    int err = hkt_signals_create(&signals, 2, (const int[]){ SIGHUP, SIGTERM });
    if (err < 0)
        return err;
    hkt_task_group group = { 0 };
    hkt_task_group_enter(&group, NULL);
    err = hkt_task_group_spawn(&group, NULL, work, NULL);
    if (err == 0 && !isatty(STDIN_FILENO))
        err = hkt_task_group_spawn(&group, NULL, send_signals, NULL);
    puts("We are open.");
    while (err >= 0 && (err = hkt_signals_wait(signals)) != SIGTERM && err >= 0)
        puts("New settings.");
    puts("We are closing.");
    hkt_task_group_cancel(&group);
    err = hkt_task_group_leave(&group, err < 0 ? err : 0);
    hkt_signals_destroy(signals);
    return err;
}

int main(void)
{
    return hkt_report(hkt_run(serve, NULL));
}
