/* SPDX-License-Identifier: MIT */
/* Threads and the giant lock, under all schedules. */
#include "proof.h"

static int ran;

static int runs(void *arg)
{
    (void)arg;
    ran++;
    return 0;
}

static hkt_thread *shared;

static int joins(void *arg)
{
    (void)arg;
    int result = -1;
    MUST(hkt_thread_join(shared) == 0);
    MUST(hkt_thread_result(shared, &result) == 0 && result == 0);
    return 0;
}

static int many_join(void *arg)
{
    (void)arg;
    size_t allocations = hkt_allocation_count();
    ran = 0;
    MUST(hkt_thread_spawn(&shared, runs, NULL, NULL) == 0);
    int err = TOGETHER(joins, joins);
    hkt_thread_destroy(shared);
    MUST(ran == 1 && hkt_allocation_count() == allocations);
    return err;
}

TEST_TIMEOUT(many_may_join_one, 120)
{
    prove(many_join);
}

static int nobody_joins(void *arg)
{
    (void)arg;
    ran = 0;
    MUST(hkt_thread_spawn(NULL, runs, NULL, NULL) == 0);
    MUST(hkt_thread_spawn(&shared, runs, NULL, NULL) == 0);
    hkt_thread_destroy(shared);
    MUST(hkt_join_all() == 0 && ran == 2);
    return 0;
}

TEST_TIMEOUT(a_handle_may_be_given_back_at_any_time, 120)
{
    prove(nobody_joins);
}

static int rings;

static int rings_once(void *arg)
{
    (void)arg;
    rings++;
    return 0;
}

static int timer_and_cancel(void *arg)
{
    (void)arg;
    hkt_timer *timer;
    size_t allocations = hkt_allocation_count();
    rings = 0;
    MUST(hkt_timer_start(&timer, 10e-6, rings_once, NULL) == 0);
    hkt_sleep(10e-6);
    hkt_timer_cancel(timer);
    MUST(hkt_timer_join(timer) == 0 && rings <= 1);
    hkt_timer_destroy(timer);
    MUST(hkt_join_all() == 0 && hkt_allocation_count() == allocations);
    return 0;
}

TEST_TIMEOUT(a_timer_rings_once_or_is_cancelled, 120)
{
    prove(timer_and_cancel);
}

static hkt_giant_lock giant;
static int inside;

static int computes(void *arg)
{
    (void)arg;
    int err = 0;
    hkt_giant_lock_acquire(&giant);
    for (int i = 0; i < 3 && err == 0; i++) {
        err = pass_alone(&inside);
        hkt_giant_lock_checkpoint(&giant);
    }
    hkt_giant_lock_release(&giant);
    return err;
}

static int waits(void *arg)
{
    (void)arg;
    hkt_giant_lock_acquire(&giant);
    int err = pass_alone(&inside);
    if (err == 0)
        err = hkt_sleep(10e-6);
    if (err == 0)
        err = pass_alone(&inside);
    hkt_giant_lock_begin_blocking(&giant);
    hkt_simulate_point();
    hkt_giant_lock_end_blocking(&giant);
    if (err == 0)
        err = pass_alone(&inside);
    hkt_giant_lock_release(&giant);
    return err;
}

static int under_the_giant_lock(void *arg)
{
    (void)arg;
    giant = (hkt_giant_lock){ { 0 } };
    inside = 0;
    MUST(hkt_giant_lock_set_interval(&giant, 1e-6) == 0);
    return TOGETHER(computes, waits, computes);
}

static void be_quiet(void *context, const char *line)
{
    (void)context;
    (void)line;
}

TEST_TIMEOUT(one_thread_at_a_time_under_the_giant_lock, 120)
{
    hkt_set_report_sink(be_quiet, NULL); /* with so short an interval all are slow to give way */
    prove(under_the_giant_lock);
}
