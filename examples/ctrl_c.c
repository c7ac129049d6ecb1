/* SPDX-License-Identifier: MIT */
/* A long job, and a user who presses Ctrl-C: the wait under way returns, and
 * the job closes its file in peace, shielded from the cancel. Then the program
 * says so. Without a terminal it presses the key itself. (asyncio.run and
 * KeyboardInterrupt) */
#include <hocket.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static int press_key(void *arg)
{
    (void)arg;
    int err = hkt_sleep(0.2);
    return err < 0 ? err : raise(SIGINT);
}

static void close_file(void)
{
    hkt_scope apart;
    hkt_scope_enter(&apart, &(hkt_scope_options){ .shield = true, .deadline = hkt_after(5) });
    puts("Closing the file ...");
    if (hkt_sleep(0.1) == 0) /* waits, though the job has been cancelled */
        puts("... closed.");
    hkt_scope_leave(&apart);
}

static int record(void *arg)
{
    (void)arg;
    puts("Recording. Ctrl-C ends it.");
    int err = 0;
    if (!isatty(STDIN_FILENO))
        err = hkt_task_spawn(NULL, press_key, NULL);
    while (err == 0)
        err = hkt_sleep(3600);
    close_file();
    return err;
}

int main(void)
{
    if (!isatty(STDIN_FILENO))
        signal(SIGINT, SIG_DFL); /* shells ignore it for programs in the background */
    int err = hkt_run(record, NULL);
    if (err != -EINTR)
        return hkt_report(err);
    puts("Ended by Ctrl-C.");
    return 0;
}
