/* SPDX-License-Identifier: MIT */
/* Futures, under all schedules: one end for each, told to all who want to know, and no touch after
 * the last. In the simulated build a future that is given back is memory given back. */
#include "crew.h"

static hkt_future *future;
static int ends; /* how many said that they ended it */

static int sets_seven(void *arg)
{
    (void)arg;
    int err = hkt_future_set_result(future, 7);
    MUST(err == 0 || err == -ECANCELED || err == -EALREADY);
    ends += err == 0;
    return 0;
}

static int begins_and_fails(void *arg)
{
    (void)arg;
    int err = hkt_future_set_running(future);
    MUST(err == 0 || err == -ECANCELED || err == -EALREADY);
    if (err == 0)
        err = hkt_future_set_result(future, hkt_fail(-EIO, "the third disk"));
    MUST(err != -ECANCELED || hkt_future_cancelled(future));
    ends += err == 0;
    return 0;
}

static int takes_back(void *arg)
{
    (void)arg;
    int err = hkt_future_cancel(future);
    MUST(err == 0 || err == -EBUSY);
    MUST(hkt_future_cancelled(future) == (err == 0));
    ends += err == 0;
    return 0;
}

/* It has ended as one said. */
static int look(void)
{
    int result = 0;
    MUST(hkt_future_done(future) && !hkt_future_running(future));
    MUST(hkt_future_result(future, &result) == 0);
    MUST(result == 7 || result == -EIO || result == -ECANCELED);
    MUST(hkt_future_cancelled(future) == (result == -ECANCELED));
    MUST(result != -EIO || strcmp(hkt_sentence(-EIO), "the third disk") == 0);
    return 0;
}

static int waits(void *arg)
{
    (void)arg;
    int err = hkt_future_wait(future);
    MUST(err == 0);
    return look();
}

static int waits_shortly(void *arg)
{
    (void)arg;
    int err = hkt_future_wait_until(future, hkt_after(2e-6));
    MUST(err == 0 || err == -ETIMEDOUT);
    return err == 0 ? look() : 0;
}

static int begin(void)
{
    ends = 0;
    crew_allocations = hkt_allocation_count();
    return hkt_future_create(&future);
}

static int finish(int err)
{
    MUST(err < 0 || ends == 1);
    MUST(err < 0 || look() == 0);
    hkt_future_destroy(future);
    MUST(err < 0 || hkt_allocation_count() == crew_allocations);
    return err;
}

static int ended_by_three(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    return finish(TOGETHER(sets_seven, begins_and_fails, takes_back, waits));
}

TEST_TIMEOUT(one_ends_it, 60)
{
    prove(ended_by_three);
}

static int awaited_by_three(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    return finish(TOGETHER(sets_seven, waits, waits_shortly, waits_shortly));
}

TEST_TIMEOUT(all_who_wait_are_told, 60)
{
    prove(awaited_by_three);
}

/* The one who waited destroys it at once. */
static int waits_and_destroys(void *arg)
{
    int err = waits(arg);
    hkt_future_destroy(future);
    return err;
}

static int destroyed_at_once(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    int err = TOGETHER(sets_seven, waits_and_destroys);
    MUST(err < 0 || hkt_allocation_count() == crew_allocations);
    return err;
}

TEST_TIMEOUT(it_may_be_destroyed_as_soon_as_it_is_done, 60)
{
    prove(destroyed_at_once);
    prove_whole(destroyed_at_once);
}

/* Callbacks. */
static int called[4];

static void count(hkt_future *done, void *arg)
{
    hkt_simulate_point();
    called[(intptr_t)arg] += hkt_future_done(done) ? 1 : 100;
}

static int adds_two(void *arg)
{
    intptr_t first = 2 * (intptr_t)arg;
    MUST(hkt_future_add_done_callback(future, count, (void *)first) == 0);
    MUST(hkt_future_add_done_callback(future, count, (void *)(first + 1)) == 0);
    return 0;
}

static int with_callbacks(void *arg)
{
    (void)arg;
    memset(called, 0, sizeof called);
    MUST(begin() == 0);
    int err = TOGETHER(adds_two, adds_two, sets_seven, waits_shortly);
    for (int i = 0; err == 0 && i < 4; i++)
        MUST(called[i] == 1);
    return finish(err);
}

TEST_TIMEOUT(each_callback_is_called_once, 60)
{
    prove(with_callbacks);
}

/* Its last touch is the cancel. */
static int takes_back_alone(void *arg)
{
    (void)arg;
    return hkt_future_cancel(future);
}

static int called_before_the_end(void *arg)
{
    (void)arg;
    memset(called, 0, sizeof called);
    MUST(begin() == 0);
    MUST(adds_two((void *)0) == 0);
    int err = TOGETHER(takes_back_alone, waits_and_destroys);
    MUST(err < 0 || (called[0] == 1 && called[1] == 1));
    MUST(err < 0 || hkt_allocation_count() == crew_allocations);
    return err;
}

TEST_TIMEOUT(callbacks_run_though_it_is_destroyed, 60)
{
    prove(called_before_the_end);
    prove_whole(called_before_the_end);
}

/* Several at a time. */
static hkt_future *pair[2];

static int sets_first(void *arg)
{
    (void)arg;
    return hkt_future_set_result(pair[0], 1);
}

static int sets_second(void *arg)
{
    (void)arg;
    return hkt_future_set_result(pair[1], -EIO);
}

static int waits_for_one(void *arg)
{
    (void)arg;
    int err = hkt_wait(pair, 2, HKT_FIRST_COMPLETED);
    MUST(err == 1 || err == 2);
    MUST(hkt_future_done(pair[0]) + hkt_future_done(pair[1]) >= err);
    err = hkt_wait(pair, 2, HKT_FIRST_EXCEPTION);
    MUST(err >= 1 && hkt_future_done(pair[1]));
    return 0;
}

static int takes_as_they_end(void *arg)
{
    (void)arg;
    hkt_as_completed *ended;
    hkt_future *first = NULL, *second = NULL, *third;
    MUST(hkt_as_completed_create(&ended, pair, 2) == 0);
    int err;
    while ((err = hkt_as_completed_next_until(ended, &first, hkt_after(2e-6))) == -ETIMEDOUT)
        continue;
    MUST(err == 1 && hkt_future_done(first));
    MUST(hkt_as_completed_next(ended, &second) == 1 && hkt_future_done(second));
    MUST(first != second && hkt_as_completed_next(ended, &third) == 0);
    hkt_as_completed_destroy(ended);
    return 0;
}

static int begin_pair(void)
{
    crew_allocations = hkt_allocation_count();
    int err = hkt_future_create(&pair[0]);
    return err < 0 ? err : hkt_future_create(&pair[1]);
}

static int finish_pair(int err)
{
    int result;
    MUST(err < 0 || hkt_future_result(pair[1], &result) == 0);
    hkt_future_destroy(pair[0]);
    hkt_future_destroy(pair[1]);
    MUST(err < 0 || hkt_allocation_count() == crew_allocations);
    return err;
}

static int two_in_a_crowd(void *arg)
{
    (void)arg;
    MUST(begin_pair() == 0);
    return finish_pair(TOGETHER(sets_first, sets_second, waits_for_one, takes_as_they_end));
}

TEST_TIMEOUT(a_crowd_hears_of_each_once, 60)
{
    prove(two_in_a_crowd);
}
