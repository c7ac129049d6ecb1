/* SPDX-License-Identifier: MIT */
/* hkt_scheduler under all schedules: each event is called or cancelled, once, and not before its
 * time; whoever runs it sleeps through none, and does not sleep when nothing is left. */
#include "proof.h"

static hkt_scheduler *scheduler;
static hkt_deadline due[3];
static int called[3], too_early;
static uint64_t keep;

static int be_called(void *arg)
{
    int i = (int)((int *)arg - called);
    called[i]++;
    too_early += !hkt_deadline_passed(due[i]);
    return 0;
}

/* Begins with one in it that never comes, so that the runner waits for news. */
static int begin(void)
{
    memset(called, 0, sizeof called);
    too_early = 0;
    int err = hkt_scheduler_create(&scheduler);
    return err < 0 ? err
                   : hkt_scheduler_enter_at(scheduler, (hkt_deadline){ 0 }, 0, be_called,
                                            &called[2], &keep);
}

static int enter(int i, double delay, uint64_t *event)
{
    due[i] = hkt_after(delay);
    return hkt_scheduler_enter_at(scheduler, due[i], 0, be_called, &called[i], event);
}

static int runs(void *arg)
{
    (void)arg;
    return hkt_scheduler_run(scheduler);
}

static int enters(void *arg)
{
    (void)arg;
    return enter(0, 30e-6, NULL);
}

/* An earlier one; and then nothing keeps the runner any more. */
static int enters_and_lets_go(void *arg)
{
    (void)arg;
    int err = enter(1, 10e-6, NULL);
    return err < 0 ? err : hkt_scheduler_cancel(scheduler, keep);
}

static int all_called(void *arg)
{
    (void)arg;
    size_t before = hkt_allocation_count();
    int err = begin();
    if (err == 0)
        err = TOGETHER(runs, enters, enters_and_lets_go);
    if (err == 0) /* what came when it had ended already */
        err = hkt_scheduler_run(scheduler);
    if (err < 0)
        return err;
    MUST(hkt_scheduler_empty(scheduler));
    hkt_scheduler_destroy(scheduler);
    MUST(called[0] == 1 && called[1] == 1 && called[2] == 0 && too_early == 0);
    MUST(hkt_allocation_count() == before);
    return 0;
}

TEST_TIMEOUT(each_is_called_at_its_time, 120)
{
    prove(all_called);
}

static int enters_and_cancels(void *arg)
{
    int i = (int)(intptr_t)arg - 1;
    uint64_t event;
    int err = enter(i, 10e-6 * i, &event);
    if (err < 0)
        return err;
    hkt_simulate_point();
    err = hkt_scheduler_cancel(scheduler, event);
    MUST(err == 0 || err == -ENOENT);
    if (err == 0)
        called[i]++;
    return i == 1 ? hkt_scheduler_cancel(scheduler, keep) : 0;
}

static int called_or_cancelled(void *arg)
{
    (void)arg;
    int err = begin();
    if (err == 0)
        err = TOGETHER(runs, enters_and_cancels, enters_and_cancels);
    if (err < 0)
        return err;
    MUST(hkt_scheduler_empty(scheduler));
    hkt_scheduler_destroy(scheduler);
    MUST(called[0] == 1 && called[1] == 1 && called[2] == 0);
    return 0;
}

TEST_TIMEOUT(each_is_called_or_cancelled, 120)
{
    prove(called_or_cancelled);
}

/* Memory for 16 is there; two at once find that it is full. */
static int fills(void *arg)
{
    (void)arg;
    int err = 0;
    for (int i = 0; i < 3 && err == 0; i++)
        err = hkt_scheduler_enter(scheduler, 0, 0, be_called, &called[1], NULL);
    return err;
}

static int grows_in_two(void *arg)
{
    (void)arg;
    int err = begin();
    due[1] = hkt_after(0);
    for (int i = 0; i < 14 && err == 0; i++)
        err = hkt_scheduler_enter(scheduler, 0, 0, be_called, &called[1], NULL);
    if (err == 0)
        err = TOGETHER(fills, fills, fills);
    if (err == 0)
        err = hkt_scheduler_run_nowait(scheduler, NULL);
    MUST(err < 0 || (called[1] == 14 + 9 && hkt_scheduler_size(scheduler) == 1));
    hkt_scheduler_destroy(scheduler);
    return err;
}

TEST_TIMEOUT(several_may_find_it_full, 120)
{
    prove(grows_in_two);
}
