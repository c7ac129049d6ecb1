/* SPDX-License-Identifier: MIT */
/* One deadline around several waits: breakfast must be over in 0.35 s. The wait that it finds ends
 * early, the steps after it do not begin; the washing-up is shielded, and is done all the same.
 * (asyncio.timeout, asyncio.shield) */
#include <errno.h>
#include <hocket.h>
#include <stdio.h>

static int take_time(const char *what, double seconds)
{
    int err = hkt_sleep(seconds);
    printf("%s: %s\n", what, err == 0 ? "done" : "broken off");
    return err;
}

static void wash_up(void)
{
    hkt_scope apart;
    hkt_scope_enter(&apart, &(hkt_scope_options){ .shield = true, .deadline = hkt_after(10) });
    take_time("Wash up", 0.1);
    hkt_scope_leave(&apart);
}

static int breakfast(void) /* knows nothing of any deadline */
{
    int err = take_time("Boil water", 0.1);
    if (err == 0)
        err = take_time("Make tea", 0.1);
    if (err == 0)
        err = take_time("Drink tea", 0.3);
    if (err == 0)
        err = take_time("Read the paper", 0.3);
    wash_up();
    return err;
}

int main(void)
{
    hkt_scope morning;
    hkt_scope_enter(&morning, &(hkt_scope_options){ .deadline = hkt_after(0.35) });
    int err = breakfast();
    if (hkt_scope_leave(&morning) == -ETIMEDOUT) {
        puts("Off to work.");
        err = 0;
    }
    return hkt_report(err);
}
