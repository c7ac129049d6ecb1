/* SPDX-License-Identifier: MIT */
/* The program ends when its threads have ended, but does not wait for its daemons: the watchman
 * would walk all night. (Thread(daemon=True)) */
#include <hocket.h>
#include <stdio.h>

static hkt_event on_duty;

static int watchman(void *arg)
{
    (void)arg;
    puts("The watchman begins his rounds.");
    hkt_event_set(&on_duty);
    int err = 0;
    while (err == 0)
        err = hkt_sleep(3600);
    return err;
}

static int visitor(void *name)
{
    int err = hkt_sleep(0.2);
    if (err < 0)
        return err;
    printf("%s has seen enough and goes home.\n", (const char *)name);
    return 0;
}

int main(void)
{
    hkt_thread *guard;
    hkt_thread_options options = { .name = "watchman", .daemon = HKT_DAEMON_YES };
    int err = hkt_thread_spawn(&guard, watchman, NULL, &options);
    if (err == 0)
        err = hkt_event_wait(&on_duty);
    if (err == 0)
        err = hkt_thread_spawn(NULL, visitor, "The visitor", NULL);
    if (err == 0)
        err = hkt_join_all();
    if (err < 0)
        return hkt_report(err);

    printf("The museum closes. Is the watchman still there? %s\n",
           hkt_thread_is_alive(guard) ? "Yes." : "No.");
    hkt_thread_destroy(guard);
    return 0;
}
