/* SPDX-License-Identifier: MIT */
/* Two egg timers: one rings, the other is stopped before it can. Minutes last a tenth of a second
 * here. (threading.Timer: start, cancel, join) */
#include <hocket.h>
#include <stdio.h>

static const double minutes = 0.1;

static int ring(void *egg)
{
    printf("Ding! The %s egg is ready.\n", (const char *)egg);
    return 0;
}

int main(void)
{
    puts("Two eggs go into the water.");
    hkt_timer *soft = NULL, *hard = NULL;
    int err = hkt_timer_start(&soft, 3 * minutes, ring, "soft");
    if (err == 0)
        err = hkt_timer_start(&hard, 600 * minutes, ring, "hard");
    if (err == 0)
        err = hkt_timer_join(soft);
    if (err == 0) {
        puts("The other has gone cold: nobody waits for it.");
        hkt_timer_cancel(hard);
        err = hkt_timer_join(hard);
    }
    hkt_timer_destroy(soft);
    hkt_timer_destroy(hard);
    return hkt_report(err);
}
