/* SPDX-License-Identifier: MIT */
/* Play goes on for ever, until the other thread calls for supper: it ends the scope in which the
 * child waits, and the wait under way returns at once. Every function on the way out just returns
 * its error. (asyncio.Task.cancel, trio.CancelScope) */
#include <errno.h>
#include <hocket.h>
#include <stdio.h>

static int call_for_supper(void *arg)
{
    hkt_scope *afternoon = arg;
    int err = hkt_sleep(0.2);
    puts("Supper is ready!");
    hkt_scope_cancel(afternoon);
    return err;
}

static int hide(const char *where)
{
    printf("The child hides %s.\n", where);
    return hkt_sleep(3600);
}

static int play(void)
{
    int err = hide("behind the curtain");
    while (err == 0)
        err = hide("under the bed");
    return err;
}

int main(void)
{
    hkt_thread *mother;
    hkt_scope afternoon;
    hkt_scope_enter(&afternoon, NULL);
    int err = hkt_thread_spawn(&mother, call_for_supper, &afternoon, NULL);
    if (err < 0)
        return hkt_report(err);

    err = play();
    if (hkt_scope_leave(&afternoon) == -ECANCELED) {
        puts("The child comes out and washes its hands.");
        err = 0;
    }
    hkt_thread_join(mother);
    hkt_thread_destroy(mother);
    return hkt_report(err);
}
