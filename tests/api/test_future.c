/* SPDX-License-Identifier: MIT */
/* Futures: states, results, cancels, the failure that nobody looked at, and the producer's side.
 * Waiting for several is in test_future_wait.c, callbacks are in test_future_callbacks.c. */
#include "pools.h"

static int give_seven(void *arg)
{
    (void)arg;
    return 7;
}

TEST(a_job_ends_with_what_it_returned)
{
    hkt_executor *pool = must_pool(1);
    hkt_future *future = must_submit(pool, give_seven, NULL);
    CHECK_EQ(hkt_future_wait(future), 0);
    CHECK(hkt_future_done(future));
    CHECK(!hkt_future_running(future));
    CHECK(!hkt_future_cancelled(future));
    CHECK_EQ(result_of(future), 7);
    CHECK_EQ(result_of(future), 7);
    CHECK_EQ(hkt_future_wait_until(future, hkt_after(0)), 0);
    CHECK(hkt_future_arg(future) == NULL);
    CHECK_EQ(hkt_future_finish(future), 7);
    end_pool(pool);
}

TEST(a_future_tells_where_its_job_stands)
{
    hkt_executor *pool = must_pool(1);
    struct gate gate = { .result = 3 };
    int untouched = 99;
    hkt_future *running = hold_worker(pool, &gate);
    hkt_future *pending = must_submit(pool, give_seven, NULL);
    CHECK(hkt_future_running(running) && !hkt_future_done(running));
    CHECK(!hkt_future_running(pending) && !hkt_future_done(pending));
    CHECK(!hkt_future_cancelled(running) && !hkt_future_cancelled(pending));
    CHECK_EQ(hkt_future_result(running, &untouched), -EBUSY);
    CHECK_EQ(hkt_future_result(pending, &untouched), -EBUSY);
    CHECK_EQ(untouched, 99);
    let_through(&gate, running);
    CHECK_EQ(hkt_future_finish(pending), 7);
    end_pool(pool);
}

TEST(a_wait_that_ends_early_leaves_the_job_alone)
{
    hkt_executor *pool = must_pool(1);
    struct gate gate = { .result = 3 };
    hkt_future *future = hold_worker(pool, &gate);
    CHECK_EQ(hkt_future_wait_until(future, hkt_after(0)), -ETIMEDOUT);
    double before = hkt_monotonic();
    CHECK_EQ(hkt_future_wait_until(future, hkt_after(0.01)), -ETIMEDOUT);
    CHECK(hkt_monotonic() - before >= 0.01);
    hkt_scope scope;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.01) });
    CHECK_EQ(hkt_future_wait(future), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    CHECK(hkt_future_running(future));
    let_through(&gate, future);
    end_pool(pool);
}

static int wait_for(void *future)
{
    return hkt_future_wait(future);
}

TEST(a_waiter_is_cancelled_and_the_job_is_not)
{
    hkt_executor *pool = must_pool(1);
    struct gate gate = { .result = 3 };
    struct caller caller;
    hkt_future *future = hold_worker(pool, &gate);
    CHECK_EQ(call_cancelled(wait_for, future), -ECANCELED);
    caller_start_waiting(&caller, wait_for, future, future);
    caller_cancel(&caller);
    CHECK_EQ(caller_end(&caller), -ECANCELED);
    CHECK(hkt_future_running(future));
    let_through(&gate, future);
    end_pool(pool);
}

TEST(many_wait_for_one_future)
{
    hkt_executor *pool = must_pool(1);
    struct gate gate = { .result = 3 };
    struct caller callers[8];
    hkt_future *future = hold_worker(pool, &gate);
    for (int i = 0; i < 8; i++)
        caller_start_waiting(&callers[i], wait_for, future, future);
    hkt_event_set(&gate.open);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
    CHECK_EQ(hkt_future_finish(future), 3);
    end_pool(pool);
}

struct own {
    hkt_event known;
    hkt_future *future;
    int waited, waited_until, deep, finished;
};

static int wait_for_oneself(void *arg)
{
    struct own *own = arg;
    hkt_scope scope;
    CHECK_EQ(hkt_event_wait(&own->known), 0);
    own->waited = hkt_future_wait(own->future);
    own->waited_until = hkt_future_wait_until(own->future, hkt_after(60));
    hkt_scope_enter(&scope, &(hkt_scope_options){ .shield = true });
    own->deep = hkt_future_wait(own->future);
    hkt_scope_leave(&scope);
    own->finished = hkt_future_finish(own->future); /* which stays */
    return 5;
}

TEST(a_job_that_waits_for_itself_is_told_so)
{
    hkt_executor *pool = must_pool(2);
    struct own own = { 0 };
    own.future = must_submit(pool, wait_for_oneself, &own);
    hkt_event_set(&own.known);
    CHECK_EQ(hkt_executor_shutdown(pool), 0);
    CHECK_EQ(own.waited, -EDEADLK);
    CHECK_EQ(own.waited_until, -EDEADLK);
    CHECK_EQ(own.deep, -EDEADLK);
    CHECK_EQ(own.finished, -EDEADLK);
    CHECK_EQ(hkt_future_finish(own.future), 5);
    end_pool(pool);
}

TEST(a_job_that_has_not_begun_is_taken_back)
{
    hkt_executor *pool = must_pool(1);
    struct gate gate = { 0 };
    atomic_int ran = 0;
    hkt_future *running = hold_worker(pool, &gate);
    hkt_future *pending = must_submit(pool, count_up, &ran);
    CHECK(hkt_future_arg(running) == &gate && hkt_future_arg(pending) == &ran);
    CHECK_EQ(hkt_future_cancel(NULL), 0);
    CHECK_EQ(hkt_future_request_cancel(NULL), 0);
    CHECK_EQ(hkt_future_cancel(running), -EBUSY);
    CHECK_EQ(hkt_future_cancel(pending), 0);
    CHECK(hkt_future_done(pending) && hkt_future_cancelled(pending));
    CHECK(!hkt_future_running(pending));
    CHECK_EQ(hkt_future_cancel(pending), 0);
    CHECK_EQ(hkt_future_request_cancel(pending), 0);
    CHECK_EQ(hkt_future_wait(pending), 0);
    CHECK_EQ(result_of(pending), -ECANCELED);
    CHECK_EQ(hkt_future_finish(pending), -ECANCELED);
    hkt_event_set(&gate.open);
    CHECK_EQ(hkt_future_wait(running), 0);
    CHECK_EQ(hkt_future_cancel(running), -EBUSY);
    CHECK_EQ(hkt_future_request_cancel(running), -EBUSY);
    CHECK_EQ(hkt_future_finish(running), 0);
    CHECK_EQ(hkt_executor_shutdown(pool), 0);
    CHECK_EQ(ran, 0);
    end_pool(pool);
}

struct stubborn {
    hkt_event entered;
    int waited, again, checked;
};

static int answer_a_cancel(void *arg)
{
    struct stubborn *stubborn = arg;
    hkt_event_set(&stubborn->entered);
    stubborn->waited = hkt_sleep_until((hkt_deadline){ 0 });
    stubborn->again = hkt_sleep_until((hkt_deadline){ 0 });
    stubborn->checked = hkt_checkpoint();
    return 11;
}

TEST(a_running_job_is_asked_to_stop_and_says_what_it_made_of_it)
{
    hkt_executor *pool = must_pool(1);
    struct stubborn stubborn = { 0 };
    hkt_future *future = must_submit(pool, answer_a_cancel, &stubborn);
    CHECK_EQ(hkt_event_wait(&stubborn.entered), 0);
    CHECK_EQ(hkt_future_request_cancel(future), 0);
    CHECK_EQ(hkt_future_wait(future), 0);
    CHECK_EQ(stubborn.waited, -ECANCELED);
    CHECK_EQ(stubborn.again, -ECANCELED);
    CHECK_EQ(stubborn.checked, -ECANCELED);
    CHECK(!hkt_future_cancelled(future));
    CHECK_EQ(hkt_future_finish(future), 11);
    CHECK_EQ(hkt_future_finish(must_submit(pool, give_seven, NULL)), 7); /* the worker is well */
    end_pool(pool);
}

static int cancel_oneself(void *arg)
{
    struct own *own = arg;
    CHECK_EQ(hkt_event_wait(&own->known), 0);
    CHECK_EQ(hkt_future_cancel(own->future), -EBUSY);
    CHECK_EQ(hkt_checkpoint(), 0);
    CHECK_EQ(hkt_future_request_cancel(own->future), 0);
    CHECK_EQ(hkt_future_request_cancel(own->future), 0);
    return hkt_checkpoint();
}

TEST(a_job_may_cancel_itself)
{
    hkt_executor *pool = must_pool(1);
    struct own own = { 0 };
    own.future = must_submit(pool, cancel_oneself, &own);
    hkt_event_set(&own.known);
    CHECK_EQ(hkt_future_wait(own.future), 0);
    CHECK(!hkt_future_cancelled(own.future)); /* it ran */
    CHECK_EQ(hkt_future_finish(own.future), -ECANCELED);
    end_pool(pool);
}

static int see_a_scope(void *arg)
{
    (void)arg;
    return hkt_checkpoint();
}

TEST(the_scope_of_who_submits_does_not_reach_into_the_job)
{
    hkt_executor *pool = must_pool(1);
    struct gate gate = { 0 };
    hkt_scope scope;
    hkt_future *running = hold_worker(pool, &gate);
    hkt_scope_enter(&scope, NULL);
    hkt_future *future = must_submit(pool, see_a_scope, NULL);
    hkt_scope_cancel(&scope);
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
    let_through(&gate, running);
    CHECK_EQ(hkt_future_finish(future), 0);
    end_pool(pool);
}

TEST(the_sentence_of_a_failure_comes_to_who_asks)
{
    hkt_executor *pool = must_pool(1);
    hkt_future *future = must_submit(pool, fail_with_io, "fish");
    CHECK_EQ(hkt_future_wait(future), 0);
    CHECK_STR(hkt_sentence(-EIO), hkt_strerror(-EIO)); /* to wait is not to ask */
    CHECK_EQ(result_of(future), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "no fish in the sea");
    (void)hkt_fail(-EIO, "another");
    CHECK_EQ(hkt_future_finish(future), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "no fish in the sea");
    end_pool(pool);
}

static int ask_for_result(void *future)
{
    CHECK_EQ(result_of(future), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "no fish in the sea");
    return 0;
}

TEST(the_sentence_comes_to_each_thread_and_to_reports)
{
    struct lines lines;
    hkt_executor *pool = must_pool(1);
    lines_open(&lines);
    hkt_future *future = must_submit(pool, fail_with_io, "fish");
    CHECK_EQ(hkt_future_wait(future), 0);
    CHECK_EQ(call_elsewhere(ask_for_result, future), 0);
    CHECK_EQ(call_elsewhere(ask_for_result, future), 0);
    CHECK_EQ(hkt_report(hkt_future_finish(future)), 1);
    CHECK_EQ(lines_count(&lines), 1);
    CHECK_STR(lines.text[0], "hocket: no fish in the sea");
    end_pool(pool);
}

static int speak_of_another_error(void *arg)
{
    (void)arg;
    (void)hkt_fail(-EIO, "a failure that was dealt with");
    return -ENOENT;
}

TEST(a_sentence_belongs_to_its_error_and_its_job)
{
    hkt_executor *pool = must_pool(1);
    CHECK_EQ(hkt_future_finish(must_submit(pool, speak_of_another_error, NULL)), -ENOENT);
    CHECK_STR(hkt_sentence(-ENOENT), hkt_strerror(-ENOENT));
    CHECK_EQ(hkt_future_finish(must_submit(pool, fail_with_io, "fish")), -EIO);
    (void)hkt_fail(-ENOENT, "mine");
    CHECK_EQ(hkt_future_finish(must_submit(pool, give_seven, NULL)), 7);
    CHECK_STR(hkt_sentence(-ENOENT), "mine"); /* a success leaves it */
    end_pool(pool);
}

static int finish(void *future)
{
    return hkt_future_finish(future);
}

TEST(to_finish_in_an_ended_scope_cancels_and_awaits_the_job)
{
    hkt_executor *pool = must_pool(1);
    struct stubborn stubborn = { 0 };
    atomic_int ran = 0;
    hkt_future *running = must_submit(pool, answer_a_cancel, &stubborn);
    CHECK_EQ(hkt_event_wait(&stubborn.entered), 0);
    hkt_future *pending = must_submit(pool, count_up, &ran);
    CHECK_EQ(call_cancelled(finish, pending), -ECANCELED);
    CHECK_EQ(call_cancelled(finish, running), 11);
    CHECK_EQ(stubborn.waited, -ECANCELED);
    hkt_future *done = must_submit(pool, give_seven, NULL);
    CHECK_EQ(hkt_future_wait(done), 0);
    CHECK_EQ(call_cancelled(finish, done), 7);
    CHECK_EQ(ran, 0);
    CHECK_EQ(hkt_future_finish(NULL), 0);
    end_pool(pool);
}

TEST(a_scope_that_ends_while_it_finishes_cancels_the_job)
{
    hkt_executor *pool = must_pool(1);
    struct caller caller;
    hkt_scope scope;
    for (int by_deadline = 0; by_deadline < 2; by_deadline++) {
        struct stubborn stubborn = { 0 };
        hkt_future *future = must_submit(pool, answer_a_cancel, &stubborn);
        CHECK_EQ(hkt_event_wait(&stubborn.entered), 0);
        if (by_deadline) {
            hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.01) });
            CHECK_EQ(hkt_future_finish(future), 11);
            CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
        } else {
            caller_start_waiting(&caller, finish, future, future);
            caller_cancel(&caller);
            CHECK_EQ(caller_end(&caller), 11);
        }
        CHECK_EQ(stubborn.waited, -ECANCELED);
    }
    end_pool(pool);
}

TEST(a_future_may_be_destroyed_before_its_job_has_ended)
{
    hkt_executor *pool = must_pool(1);
    struct gate gate = { 0 };
    atomic_int ran = 0;
    hkt_future_destroy(hold_worker(pool, &gate));
    hkt_future_destroy(must_submit(pool, count_up, &ran));
    hkt_future *taken_back = must_submit(pool, count_up, &ran);
    CHECK_EQ(hkt_future_cancel(taken_back), 0);
    hkt_future_destroy(taken_back);
    hkt_future_destroy(NULL);
    hkt_event_set(&gate.open);
    CHECK_EQ(hkt_executor_shutdown(pool), 0);
    CHECK_EQ(ran, 1);
    end_pool(pool);
}

TEST(a_failure_that_nobody_looked_at_goes_to_the_sink)
{
    struct lines lines;
    hkt_executor *pool = must_pool(1);
    lines_open(&lines);
    hkt_future *waited = must_submit(pool, fail_with_io, "fish");
    CHECK_EQ(hkt_future_wait(waited), 0);
    CHECK_EQ(lines_count(&lines), 0); /* it may still be looked at */
    hkt_future_destroy(waited);
    AWAIT(lines_count(&lines) == 1); /* by who finished it, if he is still at it */
    CHECK(strstr(lines.text[0], "no fish in the sea"));
    CHECK_EQ(hkt_submit(pool, NULL, fail_with_io, "eel"), 0);
    AWAIT(lines_count(&lines) == 2);
    CHECK(strstr(lines.text[1], "no eel in the sea"));
    hkt_future_destroy(must_submit(pool, speak_of_another_error, NULL));
    AWAIT(lines_count(&lines) == 3);
    CHECK(strstr(lines.text[2], hkt_strerror(-ENOENT)));
    end_pool(pool);
}

static int look(void *future)
{
    (void)result_of(future);
    return 0;
}

TEST(the_sink_hears_of_nothing_else)
{
    struct lines lines;
    hkt_executor *pool = must_pool(1);
    struct gate gate = { .result = -ECANCELED };
    lines_open(&lines);
    hkt_future *looked_at = must_submit(pool, fail_with_io, "fish");
    CHECK_EQ(hkt_future_wait(looked_at), 0);
    CHECK_EQ(call_elsewhere(look, looked_at), 0);
    hkt_future_destroy(looked_at);
    CHECK_EQ(hkt_future_finish(must_submit(pool, fail_with_io, "fish")), -EIO);
    CHECK_EQ(hkt_submit(pool, NULL, give_seven, NULL), 0);
    hkt_future *running = hold_worker(pool, &gate);
    hkt_future *taken_back = must_submit(pool, give_seven, NULL);
    CHECK_EQ(hkt_future_cancel(taken_back), 0);
    hkt_future_destroy(taken_back);
    CHECK_EQ(hkt_future_request_cancel(running), 0);
    hkt_future_destroy(running);
    end_pool(pool);
    CHECK_EQ(lines_count(&lines), 0);
}
