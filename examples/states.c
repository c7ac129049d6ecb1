/* SPDX-License-Identifier: MIT */
/* The five states of a thread's life, seen from outside, and what it waits for: main leads a thread
 * through all of them and looks on. (Python tells only: is_alive) */
#include <hocket.h>
#include <stdio.h>

static hkt_event computed, letter, bell;

static int live(void *arg)
{
    (void)arg;
    while (!hkt_event_is_set(&computed)) /* a long computation */
        continue;
    int err = hkt_event_wait(&letter);
    if (err == 0)
        err = hkt_event_wait_until(&bell, hkt_after(3600));
    return err;
}

static int watch(const hkt_thread *thread, hkt_thread_state state)
{
    int err = 0;
    while (hkt_thread_get_state(thread) != state && err == 0)
        err = hkt_sleep(0.001);

    hkt_thread_info info;
    hkt_thread_get_info(thread, &info);
    printf("%s", hkt_thread_state_name(info.state));
    if (info.waits_for != NULL)
        printf(", waits for: %s", info.waits_for);
    puts("");
    return err;
}

int main(void)
{
    hkt_thread *thread;
    int err = hkt_thread_create(&thread, live, NULL, NULL);
    if (err < 0)
        return hkt_report(err);
    watch(thread, HKT_THREAD_NEW);
    err = hkt_thread_start(thread);
    if (err == 0) {
        watch(thread, HKT_THREAD_RUNNABLE);
        hkt_event_set(&computed);
        watch(thread, HKT_THREAD_BLOCKED);
        hkt_event_set(&letter);
        watch(thread, HKT_THREAD_TIMED_WAITING);
        hkt_event_set(&bell);
        watch(thread, HKT_THREAD_TERMINATED);
    }
    hkt_thread_destroy(thread);
    return hkt_report(err);
}
