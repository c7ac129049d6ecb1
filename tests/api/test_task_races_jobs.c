/* SPDX-License-Identifier: MIT */
/* A cancel against a completion, for futures, jobs, time, turns, fds and groups: see test_task_races.c. */
#include <unistd.h>

#include "task_races.h"

static int set_event(struct round *round)
{
    hkt_event_set(&round->event);
    return 0;
}

/* Futures. */

static void open_futures(struct round *round)
{
    for (int i = 0; i < 2; i++)
        CHECK_EQ(hkt_future_create(&round->futures[i]), 0);
}

static int call_future(struct round *round)
{
    return hkt_future_wait(round->futures[1]);
}

static int call_wait(struct round *round)
{
    return hkt_wait(round->futures, 2, HKT_ALL_COMPLETED);
}

static int set_futures(struct round *round)
{
    for (int i = 0; i < 2; i++)
        CHECK_EQ(hkt_future_set_result(round->futures[i], 5), 0);
    return 0;
}

static void check_futures(struct round *round)
{
    CHECK_EQ(hkt_wait(round->futures, 2, HKT_ALL_COMPLETED), 2);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(hkt_future_finish(round->futures[i]), 5);
}

static void open_iterator(struct round *round)
{
    open_futures(round);
    CHECK_EQ(hkt_as_completed_create(&round->iterator, round->futures, 2), 0);
}

static int call_next(struct round *round)
{
    hkt_future *future = NULL;
    int err = hkt_as_completed_next(round->iterator, &future);
    CHECK(err < 0 || future == round->futures[0]);
    return err;
}

/* Each comes once. */
static void check_iterator(struct round *round)
{
    hkt_future *future;
    for (int i = round->result == 1; i < 2; i++)
        CHECK(hkt_as_completed_next(round->iterator, &future) == 1 && future == round->futures[i]);
    CHECK_EQ(hkt_as_completed_next(round->iterator, &future), 0);
    hkt_as_completed_destroy(round->iterator);
    check_futures(round);
}

/* The job that is finished ends in any case, by its gate or by the cancel, and only once. */
static int wait_and_count(void *arg)
{
    struct round *round = arg;
    int err = hkt_event_wait(&round->event);
    atomic_fetch_add(&round->ran, 1);
    return err;
}

static void open_job(struct round *round)
{
    round->futures[0] = must_submit(hkt_executor_current(), wait_and_count, round);
}

static int call_finish(struct round *round)
{
    int err = hkt_future_finish(round->futures[0]);
    CHECK(hkt_checkpoint() == 0 || atomic_load(&round->ran) <= 1);
    return err;
}

static void check_job(struct round *round)
{
    CHECK(atomic_load(&round->ran) == 1 ||
          (round->result == -ECANCELED && atomic_load(&round->ran) == 0));
}

/* Time, fds, turns. */

static int call_sleep(struct round *round)
{
    return hkt_sleep(round->spin / 50);
}

static int do_no_more(struct round *round)
{
    (void)round;
    return 0;
}

static int call_yield(struct round *round)
{
    int err = 0;
    while (err == 0 && !hkt_event_is_set(&round->event))
        err = hkt_yield();
    return err;
}

static void check_nothing(struct round *round)
{
    (void)round;
}

static void open_pipe(struct round *round)
{
    CHECK_EQ(pipe(round->pipe), 0);
}

static int call_fd(struct round *round)
{
    return hkt_fd_wait(round->pipe[0], HKT_READABLE);
}

static int write_letter(struct round *round)
{
    CHECK_EQ(write(round->pipe[1], "x", 1), 1);
    return 0;
}

static void check_fd(struct round *round)
{
    char letter;
    CHECK_EQ(hkt_fd_wait(round->pipe[0], HKT_READABLE), HKT_READABLE);
    CHECK_EQ(read(round->pipe[0], &letter, 1), 1);
    close(round->pipe[0]);
    close(round->pipe[1]);
}

/* Groups. */

static int call_leave(struct round *round)
{
    hkt_task_group group = { 0 };
    hkt_task_group_enter(&group, NULL);
    int err = hkt_task_group_spawn(&group, NULL, wait_and_count, round);
    int began = err == 0;
    err = hkt_task_group_leave(&group, err);
    CHECK_EQ(hkt_task_group_count(&group), 0);
    CHECK(atomic_load(&round->ran) <= began);
    return err;
}

static void check_leave(struct round *round)
{
    CHECK(round->result < 0 || atomic_load(&round->ran) == 1);
}

static void open_full_group(struct round *round)
{
    hkt_task_group_enter(&round->group, &(hkt_task_group_options){ .limit = 1 });
    must_spawn_into(&round->group, wait_and_count, round);
}

static int call_spawn(struct round *round)
{
    return hkt_task_group_spawn(&round->group, NULL, count_up, &round->ran);
}

static void check_spawn(struct round *round)
{
    must_spawn_into(&round->group, count_up, &round->ran); /* there is room again */
    CHECK_EQ(hkt_task_group_leave(&round->group, 0), 0);
    CHECK_EQ(round->ran, round->result == 0 ? 3 : 2);
}

TEST_TIMEOUT(a_cancel_and_a_wait_for_a_future, 60)
{
    race(&(struct race){ .open = open_futures,
                         .call = call_future,
                         .complete = set_futures,
                         .check = check_futures });
}

TEST_TIMEOUT(a_cancel_and_a_wait_for_several_futures, 60)
{
    race(&(struct race){ .open = open_futures,
                         .call = call_wait,
                         .complete = set_futures,
                         .check = check_futures,
                         .success = 2 });
}

TEST_TIMEOUT(a_cancel_and_a_wait_for_the_next_that_is_completed, 60)
{
    race(&(struct race){ .open = open_iterator,
                         .call = call_next,
                         .complete = set_futures,
                         .check = check_iterator,
                         .success = 1 });
}

TEST_TIMEOUT(a_cancel_and_a_wait_for_the_end_of_a_job, 60)
{
    race(&(struct race){
        .open = open_job, .call = call_finish, .complete = set_event, .check = check_job });
}

TEST_TIMEOUT(a_cancel_and_a_wait_for_time, 60)
{
    race(&(struct race){ .call = call_sleep, .complete = do_no_more, .check = check_nothing });
}

TEST_TIMEOUT(a_cancel_and_a_wait_for_a_turn, 60)
{
    race(&(struct race){ .call = call_yield, .complete = set_event, .check = check_nothing });
}

TEST_TIMEOUT(a_cancel_and_a_wait_for_an_fd, 60)
{
    race(&(struct race){ .open = open_pipe,
                         .call = call_fd,
                         .complete = write_letter,
                         .check = check_fd,
                         .success = HKT_READABLE });
}

TEST_TIMEOUT(a_cancel_and_a_wait_for_the_children_of_a_group, 60)
{
    race(&(struct race){ .call = call_leave, .complete = set_event, .check = check_leave });
}

TEST_TIMEOUT(a_cancel_and_a_wait_for_room_in_a_group, 60)
{
    race(&(struct race){
        .open = open_full_group, .call = call_spawn, .complete = set_event, .check = check_spawn });
}
