/* SPDX-License-Identifier: MIT */
/* A clock that does not drift: it sleeps until the next tick, not for the time between two, so what the
 * work takes is not added. Then a bell by callbacks: each stroke sets the next one.
 * (loop.call_later, loop.call_at) */
#include <hocket.h>
#include <stdio.h>

#define PERIOD 0.1 /* seconds */

static int tick(void)
{
    hkt_deadline next = hkt_after(PERIOD);
    int err = 0;
    for (int i = 1; i <= 5 && err == 0; i++) {
        if ((err = hkt_sleep_until(next)) < 0)
            return err;
        printf("tick %d\n", i);
        err = hkt_sleep(0.07); /* the work, which takes most of the time */
        next = hkt_deadline_after(next, PERIOD);
    }
    return err;
}

struct bell {
    hkt_handle handle;
    int strokes;
    hkt_event done;
};

static int ring(void *arg)
{
    struct bell *bell = arg;
    printf("dong %d\n", ++bell->strokes);
    if (bell->strokes < 3)
        return hkt_loop_call_later(hkt_loop_running(), &bell->handle, PERIOD, ring, bell);
    hkt_event_set(&bell->done);
    return 0;
}

static int run_clock(void *arg)
{
    (void)arg;
    int err = tick();
    struct bell bell = { .strokes = 0 };
    if (err == 0)
        err = hkt_loop_call_later(hkt_loop_running(), &bell.handle, PERIOD, ring, &bell);
    if (err == 0)
        err = hkt_event_wait(&bell.done);
    hkt_handle_cancel(&bell.handle); /* if it was the wait that was cancelled */
    return err;
}

int main(void)
{
    return hkt_report(hkt_run(run_clock, NULL));
}
