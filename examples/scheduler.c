/* SPDX-License-Identifier: MIT */
/* The day of a school's janitor: a list of what is to be done when, and one thread that does it.
 * The bell enters itself again, and when it rains, the garden stays locked. (sched) */
#include <hocket.h>
#include <stdio.h>

#define HOUR 0.05 /* seconds */

static hkt_scheduler *day;
static hkt_deadline dawn;
static uint64_t garden;

static hkt_deadline hours_after_dawn(double hours)
{
    return (hkt_deadline){ dawn.ns + (int64_t)(hours * HOUR * 1e9) };
}

static int ring(void *arg)
{
    int *times = arg;
    printf("The bell rings: %d.\n", ++*times);
    return *times < 3 ? hkt_scheduler_enter(day, HOUR, 1, ring, times, NULL) : 0;
}

static int unlock(void *what)
{
    printf("The %s is unlocked.\n", (const char *)what);
    return 0;
}

static int rain(void *arg)
{
    (void)arg;
    puts("It rains: the garden stays locked.");
    return hkt_scheduler_cancel(day, garden);
}

int main(void)
{
    int times = 0;
    int err = hkt_scheduler_create(&day);
    dawn = hkt_after(0.001);
    if (err == 0) /* two at the same time: the lower number first */
        err = hkt_scheduler_enter_at(day, hours_after_dawn(1), 1, ring, &times, NULL);
    if (err == 0)
        err = hkt_scheduler_enter_at(day, hours_after_dawn(1), 0, unlock, "door", NULL);
    if (err == 0)
        err = hkt_scheduler_enter_at(day, hours_after_dawn(1.8), 0, unlock, "garden", &garden);
    if (err == 0)
        err = hkt_scheduler_enter_at(day, hours_after_dawn(1.5), 0, rain, NULL, NULL);
    if (err == 0)
        err = hkt_scheduler_run(day);
    if (err == 0)
        puts("The day is done.");
    hkt_scheduler_destroy(day);
    return hkt_report(err);
}
