/* SPDX-License-Identifier: MIT */
/* Nobody runs before the gun: the runners wait for an event, and one set() lets them all go.
 * (threading.Event: wait, set, is_set) */
#include <hocket.h>
#include <stdio.h>

enum { RUNNERS = 5 };

static hkt_event gun;
static double fired; /* written before the gun is set, read after it: no lock needed */

static int run(void *arg)
{
    const int *number = arg;
    int err = hkt_event_wait(&gun);
    if (err < 0)
        return err;
    bool early = hkt_monotonic() < fired;
    printf("Runner %d %s.\n", *number, early ? "made a false start" : "is off");
    return 0;
}

int main(void)
{
    static int numbers[RUNNERS];
    puts("On your marks...");
    int err = 0;
    for (int i = 0; i < RUNNERS && err == 0; i++) {
        numbers[i] = i + 1;
        err = hkt_thread_spawn(NULL, run, &numbers[i], NULL);
    }

    puts("Set...");
    if (err == 0)
        err = hkt_sleep(0.1);
    printf("Go! (The gun was %s.)\n", hkt_event_is_set(&gun) ? "fired" : "silent");
    fired = hkt_monotonic();
    hkt_event_set(&gun);
    hkt_join_all();
    return hkt_report(err);
}
