/* SPDX-License-Identifier: MIT */
/* A program that hangs can be asked who waits for what: here one thread has gone to sleep with the
 * lock that another wants. Once for people, as one call; once for programs, as structs.
 * (faulthandler.dump_traceback, threading.enumerate) */
#include <hocket.h>
#include <stdio.h>

static hkt_lock pen;
static hkt_event asleep, morning;

static int poet(void *arg)
{
    (void)arg;
    hkt_lock_acquire(&pen);
    hkt_event_set(&asleep);
    int err = hkt_event_wait(&morning);
    hkt_lock_release(&pen);
    return err;
}

static int scribe(void *arg)
{
    (void)arg;
    hkt_lock_acquire(&pen);
    hkt_lock_release(&pen);
    return 0;
}

static void list(void)
{
    hkt_thread_info threads[8];
    size_t n = hkt_thread_enumerate(threads, 8);
    for (size_t i = 0; i < n && i < 8; i++)
        printf("%s is %s%s%s\n", threads[i].name, hkt_thread_state_name(threads[i].state),
               threads[i].waits_for != NULL ? ", waiting for: " : "",
               threads[i].waits_for != NULL ? threads[i].waits_for : "");
}

int main(void)
{
    hkt_thread *waiting = NULL;
    int err = hkt_thread_spawn(NULL, poet, NULL, &(hkt_thread_options){ .name = "poet" });
    if (err == 0)
        err = hkt_event_wait(&asleep);
    if (err == 0)
        err = hkt_thread_spawn(&waiting, scribe, NULL, &(hkt_thread_options){ .name = "scribe" });
    while (err == 0 && hkt_thread_get_state(waiting) != HKT_THREAD_BLOCKED)
        err = hkt_sleep(0.001);

    hkt_thread_report_all(); /* to the report sink: standard error */
    list();
    hkt_event_set(&morning);
    hkt_join_all();
    hkt_thread_destroy(waiting);
    return hkt_report(err);
}
