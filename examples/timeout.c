/* SPDX-License-Identifier: MIT */
/* Two ways to say how long is long enough: hkt_wait_for for one call, and a
 * scope for a block of them. What is asked knows nothing of either.
 * (asyncio.wait_for, asyncio.timeout) */
#include <hocket.h>
#include <stdio.h>

struct mirror {
    const char *name;
    double seconds;
};

static int fetch(void *arg)
{
    const struct mirror *mirror = arg;
    int err = hkt_sleep(mirror->seconds);
    printf("%s: %s\n", mirror->name, err == 0 ? "here it is" : "broken off");
    return err;
}

static int fetch_three(struct mirror *first)
{
    int err = fetch(&first[0]);
    if (err == 0)
        err = fetch(&first[1]);
    if (err == 0)
        err = fetch(&first[2]);
    return err;
}

static int fetch_all(void *arg)
{
    (void)arg;
    struct mirror slow = { "Lima", 3600 };
    int err = hkt_wait_for(fetch, &slow, 0.2);
    if (err == -ETIMEDOUT)
        puts("Lima needs too long.");

    struct mirror mirrors[] = { { "Oslo", 0.1 }, { "Rome", 3600 }, { "Bern", 0.1 } };
    hkt_scope scope;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.6) });
    err = fetch_three(mirrors);
    if (hkt_scope_leave(&scope) == -ETIMEDOUT) {
        puts("Together they need too long.");
        err = 0;
    }
    return err;
}

int main(void)
{
    return hkt_report(hkt_run(fetch_all, NULL));
}
