/* SPDX-License-Identifier: MIT */
/* hkt_once: one run that succeeds, whoever comes first. */
#include <hocket/event.h>
#include <hocket/once.h>

#include "caller.h"
#include "random.h"
#include "test.h"

/* Something to set up, and how that goes. */
struct setup {
    hkt_once once;
    hkt_event go_on;   /* the function waits for this */
    atomic_int runs;   /* of the function */
    int result;        /* of the function, */
    int failures_left; /* when these have been had */
    long value;        /* plain: what it sets up */
};

static int set_up(void *arg)
{
    struct setup *setup = arg;
    atomic_fetch_add(&setup->runs, 1);
    CHECK(!hkt_once_done(&setup->once));
    if (setup->failures_left-- > 0)
        return -EIO;
    setup->value = 42;
    return setup->result;
}

static int set_up_slowly(void *arg)
{
    struct setup *setup = arg;
    CHECK_EQ(hkt_event_wait(&setup->go_on), 0);
    return set_up(setup);
}

static int call_once(void *arg)
{
    struct setup *setup = arg;
    int err = hkt_once_call(&setup->once, set_up, setup);
    CHECK(err < 0 || setup->value == 42);
    return err;
}

static int call_once_slowly(void *arg)
{
    struct setup *setup = arg;
    int err = hkt_once_call(&setup->once, set_up_slowly, setup);
    CHECK(err < 0 || setup->value == 42);
    return err;
}

TEST(all_zero_is_a_once_that_is_not_done)
{
    static hkt_once once;
    CHECK(!hkt_once_done(&once));
}

TEST(it_runs_one_time)
{
    struct setup setup = { .value = 0 };
    for (int i = 0; i < 5; i++)
        CHECK_EQ(call_once(&setup), 0);
    CHECK(hkt_once_done(&setup.once));
    CHECK_EQ(setup.runs, 1);
}

TEST(any_number_that_is_not_negative_is_success)
{
    struct setup setup = { .result = 7 };
    CHECK_EQ(call_once(&setup), 0);
    CHECK_EQ(call_once(&setup), 0);
    CHECK_EQ(setup.runs, 1);
}

TEST(many_at_once_run_it_one_time_and_see_what_it_wrote)
{
    for (long round = test_scaled(300); round > 0; round--) {
        struct setup setup = { .value = 0 };
        call_in_threads(6, call_once, &setup, 0);
        CHECK_EQ(setup.runs, 1);
    }
}

TEST(others_wait_for_its_end)
{
    struct setup setup = { .value = 0 };
    struct caller runner, others[3];
    caller_start_waiting(&runner, call_once_slowly, &setup, &setup.go_on);
    for (int i = 0; i < 3; i++) {
        caller_start(&others[i], call_once, &setup);
        await_state(others[i].thread, HKT_THREAD_BLOCKED);
        CHECK(waits_for(others[i].thread, &setup.once));
    }
    CHECK(!hkt_once_done(&setup.once));
    hkt_event_set(&setup.go_on);
    CHECK_EQ(caller_end(&runner), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&others[i]), 0);
    CHECK_EQ(setup.runs, 1);
}

TEST(after_a_failure_the_next_to_come_tries_again)
{
    struct setup setup = { .failures_left = 2 };
    CHECK_EQ(call_once(&setup), -EIO);
    CHECK(!hkt_once_done(&setup.once));
    CHECK_EQ(call_once(&setup), -EIO);
    CHECK_EQ(call_once(&setup), 0);
    CHECK_EQ(call_once(&setup), 0);
    CHECK_EQ(setup.runs, 3);
}

TEST(after_a_failure_one_of_those_who_wait_runs_it)
{
    struct setup setup = { .failures_left = 1 };
    struct caller runner, others[3];
    caller_start_waiting(&runner, call_once_slowly, &setup, &setup.go_on);
    for (int i = 0; i < 3; i++)
        caller_start_waiting(&others[i], call_once, &setup, &setup.once);
    hkt_event_set(&setup.go_on);
    CHECK_EQ(caller_end(&runner), -EIO);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&others[i]), 0);
    CHECK_EQ(setup.runs, 2);
}

TEST(each_failure_goes_to_who_ran_it)
{
    struct setup setup = { .failures_left = 3 };
    struct caller runner, others[5];
    int failures = 0;
    caller_start_waiting(&runner, call_once_slowly, &setup, &setup.go_on);
    for (int i = 0; i < 5; i++)
        caller_start_waiting(&others[i], call_once, &setup, &setup.once);
    hkt_event_set(&setup.go_on);
    CHECK_EQ(caller_end(&runner), -EIO);
    for (int i = 0; i < 5; i++)
        failures += caller_end(&others[i]) == -EIO;
    CHECK_EQ(failures, 2);
    CHECK_EQ(setup.runs, 4);
    CHECK(hkt_once_done(&setup.once));
}

static int call_itself(void *arg)
{
    struct setup *setup = arg;
    setup->result = hkt_once_call(&setup->once, set_up, setup);
    return 0;
}

TEST(a_call_from_within_is_refused)
{
    struct setup setup = { .value = 0 };
    CHECK_EQ(hkt_once_call(&setup.once, call_itself, &setup), 0);
    CHECK_EQ(setup.result, -EDEADLK);
    CHECK_EQ(setup.runs, 0);
    CHECK(hkt_once_done(&setup.once));
}

TEST(only_those_who_wait_are_cancelled)
{
    struct setup setup = { .value = 0 };
    struct caller runner, waiter;
    caller_start_waiting(&runner, call_once_slowly, &setup, &setup.go_on);
    caller_start_waiting(&waiter, call_once, &setup, &setup.once);
    caller_cancel(&waiter);
    CHECK_EQ(caller_end(&waiter), -ECANCELED);
    CHECK_EQ(call_cancelled(call_once, &setup), -ECANCELED);
    hkt_event_set(&setup.go_on);
    CHECK_EQ(caller_end(&runner), 0);
    CHECK_EQ(call_cancelled(call_once, &setup), 0);
    CHECK_EQ(setup.runs, 1);
}

TEST(in_an_ended_scope_who_comes_first_runs_it)
{
    struct setup setup = { .value = 0 };
    CHECK_EQ(call_cancelled(call_once, &setup), 0);
    CHECK_EQ(setup.runs, 1);
}

/* Whoever is cancelled while the function fails does not take the next try with it. */
TEST(a_cancel_at_the_moment_of_a_failure_leaves_nobody_behind)
{
    struct test_random random = random_of(0);
    for (long round = test_scaled(300); round > 0; round--) {
        struct setup setup = { .failures_left = 1 };
        struct caller runner, quitter, waiter;
        caller_start_waiting(&runner, call_once_slowly, &setup, &setup.go_on);
        caller_start_waiting(&quitter, call_once, &setup, &setup.once);
        caller_start_waiting(&waiter, call_once, &setup, &setup.once);
        if (random_below(&random, 2))
            caller_cancel(&quitter);
        hkt_event_set(&setup.go_on);
        caller_cancel(&quitter);
        CHECK_EQ(caller_end(&runner), -EIO);
        CHECK_EQ(caller_end(&waiter), 0);
        int err = caller_end(&quitter);
        CHECK(err == 0 || err == -ECANCELED);
        CHECK_EQ(setup.runs, 2);
    }
}
