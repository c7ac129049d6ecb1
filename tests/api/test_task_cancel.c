/* SPDX-License-Identifier: MIT */
/* Tasks cancelled before, during and after their run; and hkt_wait_for. */
#include "loops.h"

static int return_it(void *arg)
{
    return *(int *)arg;
}

static int cancel_before(void *arg)
{
    atomic_int count = 0;
    (void)arg;
    hkt_task *task = must_start(count_up, &count), *other = must_start(count_up, &count);
    CHECK_EQ(hkt_future_cancel(task), 0);
    CHECK_EQ(hkt_future_request_cancel(other), 0);
    CHECK(hkt_future_cancelled(task) && hkt_future_done(task));
    CHECK(hkt_future_cancelled(other) && hkt_future_done(other));
    CHECK_EQ(hkt_task_all(NULL, 0), 1);
    CHECK_EQ(hkt_yield(), 0);
    CHECK_EQ(atomic_load(&count), 0);
    CHECK_EQ(hkt_future_finish(task), -ECANCELED);
    CHECK_EQ(hkt_future_finish(other), -ECANCELED);
    hkt_task *gone = must_start(count_up, &count); /* cancelled, and nobody holds it */
    CHECK_EQ(hkt_future_cancel(gone), 0);
    hkt_future_destroy(gone);
    CHECK_EQ(hkt_yield(), 0);
    CHECK_EQ(atomic_load(&count), 0);
    return 0;
}

TEST(a_task_that_is_cancelled_before_its_first_step_does_not_begin)
{
    must_run(cancel_before, NULL);
}

static int cancel_during(void *arg)
{
    struct gate gate = { 0 };
    (void)arg;
    hkt_task *task = must_start(stand_at, &gate);
    CHECK_EQ(hkt_yield(), 0);
    CHECK_EQ(hkt_future_cancel(task), -EBUSY);
    CHECK(hkt_future_running(task));
    CHECK_EQ(hkt_future_request_cancel(task), 0);
    CHECK(!hkt_future_done(task)); /* it has not heard yet */
    CHECK_EQ(hkt_future_request_cancel(task), 0);
    CHECK_EQ(hkt_future_wait(task), 0);
    CHECK_EQ(result_of(task), -ECANCELED);
    CHECK(!hkt_future_cancelled(task));
    CHECK_EQ(hkt_future_request_cancel(task), -EBUSY);
    CHECK_EQ(hkt_future_cancel(task), -EBUSY);
    CHECK_EQ(hkt_future_finish(task), -ECANCELED);
    return 0;
}

TEST(a_task_that_waits_is_cancelled)
{
    must_run(cancel_during, NULL);
}

static int cancel_after(void *arg)
{
    int nine = 9;
    (void)arg;
    hkt_task *task = must_start(return_it, &nine);
    CHECK_EQ(hkt_yield(), 0);
    CHECK_EQ(hkt_future_cancel(task), -EBUSY);
    CHECK_EQ(hkt_future_request_cancel(task), -EBUSY);
    CHECK_EQ(hkt_future_finish(task), 9);
    CHECK_EQ(hkt_future_cancel(NULL), 0);
    CHECK_EQ(hkt_future_request_cancel(NULL), 0);
    return 0;
}

TEST(a_cancel_is_nothing_to_a_task_that_has_ended)
{
    must_run(cancel_after, NULL);
}

static int cancel_itself(void *arg)
{
    (void)arg;
    CHECK_EQ(hkt_future_request_cancel(hkt_task_current()), 0);
    CHECK_EQ(hkt_yield(), -ECANCELED);
    CHECK_EQ(hkt_sleep(0), -ECANCELED);
    return 6;
}

TEST(a_task_cancels_itself)
{
    CHECK_EQ(hkt_run(cancel_itself, NULL), 6);
    check_finalized();
}

/* The wait that was chosen ends with success, and what comes after it is cancelled. */
static int get_and_sleep(void *arg)
{
    CHECK_EQ(hkt_event_wait(arg), 0);
    CHECK_EQ(hkt_yield(), -ECANCELED);
    return 8;
}

static int set_and_cancel(void *arg)
{
    hkt_event event = { 0 };
    (void)arg;
    hkt_task *task = must_start(get_and_sleep, &event);
    CHECK_EQ(hkt_yield(), 0);
    hkt_event_set(&event);
    CHECK_EQ(hkt_future_request_cancel(task), 0);
    CHECK_EQ(hkt_future_finish(task), 8);
    return 0;
}

TEST(a_wait_that_has_ended_is_not_cancelled)
{
    must_run(set_and_cancel, NULL);
}

static int finish_it(void *arg)
{
    return hkt_future_finish(arg);
}

static int cancel_who_finishes(void *arg)
{
    struct gate gate = { 0 };
    (void)arg;
    hkt_task *task = must_start(stand_at, &gate), *finisher = must_start(finish_it, task);
    CHECK_EQ(hkt_yield(), 0);
    CHECK_EQ(hkt_future_request_cancel(finisher), 0);
    CHECK_EQ(hkt_future_finish(finisher), -ECANCELED);
    CHECK_EQ(hkt_task_all(NULL, 0), 1); /* both have ended */
    return 0;
}

TEST(who_finishes_a_task_hands_a_cancel_on)
{
    must_run(cancel_who_finishes, NULL);
}

static int wait_for_it(void *arg)
{
    return hkt_future_wait(arg);
}

static int cancel_who_waits(void *arg)
{
    struct gate gate = { .result = 2 };
    (void)arg;
    hkt_task *task = must_start(stand_at, &gate), *waiter = must_start(wait_for_it, task);
    CHECK_EQ(hkt_yield(), 0);
    CHECK_EQ(hkt_future_request_cancel(waiter), 0);
    CHECK_EQ(hkt_future_finish(waiter), -ECANCELED);
    CHECK(!hkt_future_done(task));
    hkt_event_set(&gate.open);
    CHECK_EQ(hkt_future_finish(task), 2);
    return 0;
}

TEST(who_waits_for_a_task_is_cancelled_alone)
{
    must_run(cancel_who_waits, NULL);
}

struct crossing {
    hkt_future *task;
    hkt_event ready;
};

static int cancel_from_outside(void *arg)
{
    struct crossing *crossing = arg;
    CHECK_EQ(hkt_event_wait(&crossing->ready), 0);
    (void)hkt_future_request_cancel(crossing->task);
    return 0;
}

static int yield_a_little(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        int err = hkt_yield();
        if (err < 0)
            return err;
    }
    return 1;
}

static int cross(void *arg)
{
    struct crossing *crossing = arg;
    crossing->task = must_start(yield_a_little, NULL);
    hkt_event_set(&crossing->ready);
    CHECK_EQ(hkt_future_wait(crossing->task), 0);
    int result = result_of(crossing->task);
    CHECK(result == 1 || result == -ECANCELED);
    return 0;
}

/* It comes before, during and after the task's run. */
TEST_TIMEOUT(a_task_is_cancelled_from_another_thread_at_any_moment, 60)
{
    hkt_loop *loop = must_loop();
    for (long i = 0; i < test_scaled(500); i++) {
        struct crossing crossing = { 0 };
        struct caller caller;
        caller_start(&caller, cancel_from_outside, &crossing);
        CHECK_EQ(hkt_loop_run(loop, cross, &crossing), 0);
        CHECK_EQ(caller_end(&caller), 0);
        hkt_future_destroy(crossing.task);
    }
    end_loop(loop);
}

/* hkt_wait_for. */

static int ignore_the_end(void *arg)
{
    CHECK_EQ(hkt_sleep(INFINITY), -ECANCELED);
    return *(int *)arg;
}

static int take_time(void *arg)
{
    await_spinning(*(double *)arg);
    return 4;
}

static int wait_for_several(void *arg)
{
    int three = 3, minus = -EIO, cancelled = -ECANCELED;
    double soon = 0.02;
    (void)arg;
    CHECK_EQ(hkt_wait_for(return_it, &three, 100), 3);
    CHECK_EQ(hkt_wait_for(return_it, &minus, 100), -EIO);
    CHECK_EQ(hkt_wait_for(return_it, &cancelled, 100), -ECANCELED);
    double began = hkt_monotonic();
    CHECK_EQ(hkt_wait_for(sleep_forever, NULL, 0.05), -ETIMEDOUT);
    CHECK(hkt_monotonic() - began >= 0.05);
    CHECK_EQ(hkt_wait_for_until(sleep_forever, NULL, hkt_after(0.01)), -ETIMEDOUT);
    CHECK_EQ(hkt_wait_for(ignore_the_end, &three, 0.01), 3); /* came all the same */
    CHECK_EQ(hkt_wait_for(ignore_the_end, &minus, 0.01), -EIO);
    CHECK_EQ(hkt_wait_for(sleep_seconds, &soon, 100), 0);
    CHECK_EQ(hkt_wait_for(take_time, &soon, 0.001), 4); /* nothing in it looked at the clock */
    CHECK_EQ(hkt_wait_for(sleep_forever, NULL, 0), -ETIMEDOUT);
    CHECK_EQ(hkt_wait_for(return_it, &three, -1), 3);
    return 0;
}

TEST(a_wait_for_ends_with_the_result_or_at_the_deadline)
{
    CHECK_EQ(wait_for_several(NULL), 0); /* in a thread */
    must_run(wait_for_several, NULL);
}

static int wait_for_long(void *arg)
{
    (void)arg;
    return hkt_wait_for(sleep_forever, NULL, 1000);
}

static int wait_shortly_in_long(void *arg)
{
    (void)arg;
    CHECK_EQ(hkt_wait_for(wait_for_long, NULL, 0.01), -ETIMEDOUT);
    return hkt_yield();
}

static int cancel_a_wait_for(void *arg)
{
    hkt_task *task = must_start(wait_for_long, NULL);
    (void)arg;
    CHECK_EQ(hkt_yield(), 0);
    CHECK_EQ(hkt_future_request_cancel(task), 0);
    CHECK_EQ(hkt_future_finish(task), -ECANCELED);
    return hkt_wait_for(wait_shortly_in_long, NULL, 1000);
}

TEST(a_wait_for_is_cancelled_from_around_it)
{
    must_run(cancel_a_wait_for, NULL);
}

static int wait_for_event(void *arg)
{
    return hkt_wait_for(wait_for_it, arg, 1000);
}

/* At the same time: the job has its result, and the task is cancelled. The result is not lost. */
static int complete_and_cancel(void *arg)
{
    hkt_future *result;
    (void)arg;
    CHECK_EQ(hkt_future_create(&result), 0);
    hkt_task *first = must_start(wait_for_event, result);
    CHECK_EQ(hkt_yield(), 0);
    CHECK_EQ(hkt_future_set_result(result, 0), 0);
    CHECK_EQ(hkt_future_request_cancel(first), 0);
    CHECK_EQ(hkt_future_finish(first), 0);
    hkt_future_destroy(result);

    CHECK_EQ(hkt_future_create(&result), 0);
    hkt_task *second = must_start(wait_for_event, result);
    CHECK_EQ(hkt_yield(), 0);
    CHECK_EQ(hkt_future_request_cancel(second), 0);
    CHECK_EQ(hkt_future_set_result(result, 0), 0);
    int end = hkt_future_finish(second);
    CHECK(end == 0 || end == -ECANCELED);
    hkt_future_destroy(result);
    return 0;
}

TEST(a_result_that_comes_with_a_cancel_is_not_lost)
{
    must_run(complete_and_cancel, NULL);
}

struct race {
    hkt_queue *queue;
    int item, put;
};

static int put_item(void *arg)
{
    struct race *race = arg;
    return hkt_queue_put(race->queue, &race->put);
}

static int get_item(void *arg)
{
    struct race *race = arg;
    return hkt_queue_get(race->queue, &race->item);
}

/* The item comes at the deadline: it is got, or it is still there. */
static int race_deadline(void *arg)
{
    struct race race = { 0 };
    (void)arg;
    CHECK_EQ(hkt_queue_create(&race.queue, sizeof(int), NULL), 0);
    for (int i = 0; i < 200; i++) {
        hkt_deadline when = hkt_after(0.0005);
        race.put = i + 1;
        CHECK_EQ(hkt_loop_call_at(hkt_loop_running(), NULL, when, put_item, &race), 0);
        int err = hkt_wait_for_until(get_item, &race, when);
        CHECK(err == 0 || err == -ETIMEDOUT);
        if (err < 0)
            CHECK_EQ(get_item(&race), 0);
        CHECK_EQ(race.item, race.put);
        CHECK_EQ(hkt_queue_qsize(race.queue), 0);
    }
    hkt_queue_destroy(race.queue);
    return 0;
}

TEST(an_item_is_not_lost_at_a_deadline)
{
    must_run(race_deadline, NULL);
}
