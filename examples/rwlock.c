/* SPDX-License-Identifier: MIT */
/* Four travellers read the timetable side by side; now and then a clerk writes a new one, alone.
 * Nobody ever reads half a timetable. All in 0.3 s instead of 0.75. (Python has none) */
#include <hocket.h>
#include <stdio.h>

enum { TRAVELLERS = 4, TIMES = 3 };

static hkt_rwlock timetable;
static int arrives = 10, departs = 12; /* two minutes stop, always */
static hkt_lock lock;                  /* guards the next two */
static int readings, torn;

static int travel(void *arg)
{
    (void)arg;
    int err = 0;
    for (int i = 0; i < TIMES && err == 0; i++) {
        hkt_rwlock_acquire_read(&timetable);
        int first = arrives;
        err = hkt_sleep(0.05);
        bool whole = departs == first + 2;
        hkt_rwlock_release_read(&timetable);

        hkt_lock_acquire(&lock);
        readings++;
        torn += !whole;
        hkt_lock_release(&lock);
    }
    return err;
}

static int revise(void *arg)
{
    (void)arg;
    int err = 0;
    for (int i = 0; i < TIMES && err == 0; i++) {
        hkt_rwlock_acquire_write(&timetable);
        arrives += 7;
        err = hkt_sleep(0.05);
        departs = arrives + 2;
        hkt_rwlock_release_write(&timetable);
    }
    return err;
}

int main(void)
{
    int err = 0;
    for (int i = 0; i < TRAVELLERS && err == 0; i++)
        err = hkt_thread_spawn(NULL, travel, NULL, NULL);
    if (err == 0)
        err = hkt_thread_spawn(NULL, revise, NULL, NULL);
    hkt_join_all();

    printf("%d readings, %d of them torn.\n", readings, torn);
    printf("The train departs at 9:%d.\n", departs);
    return hkt_report(err);
}
