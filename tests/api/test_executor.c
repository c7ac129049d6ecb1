/* SPDX-License-Identifier: MIT */
/* Executors: handing in, closing, shutting down, destroying; the inline and the default executor.
 * What holds for each engine is tested on pools and the inline one; engines of users are in
 * test_executor_engine.c, maps in test_executor_map.c. */
#include "pools.h"

static hkt_executor *must_inline(void)
{
    hkt_executor *made = NULL;
    CHECK_EQ(hkt_inline_executor_create(&made), 0);
    return made;
}

/* Of each kind one. */
#define KINDS 3

static hkt_executor *must_make(int kind)
{
    return kind == 0 ? must_inline() : must_pool(kind == 1 ? 1 : 3);
}

struct attempt {
    hkt_executor *executor;
    hkt_job *job;
    void *arg;
};

static int submit(void *arg)
{
    struct attempt *attempt = arg;
    return hkt_submit(attempt->executor, NULL, attempt->job, attempt->arg);
}

TEST(jobs_that_are_handed_in_run_once)
{
    for (int kind = 0; kind < KINDS; kind++) {
        hkt_executor *executor = must_make(kind);
        atomic_int ran = 0;
        hkt_future *future = must_submit(executor, count_up, &ran);
        CHECK_EQ(hkt_submit(executor, NULL, count_up, &ran), 0);
        for (int i = 0; i < 1000; i++)
            CHECK_EQ(hkt_submit(executor, NULL, count_up, &ran), 0);
        CHECK_EQ(hkt_future_finish(future), 0);
        hkt_executor_destroy(executor);
        CHECK_EQ(ran, 1002);
        check_finalized();
    }
}

TEST(in_an_ended_scope_nothing_is_handed_in)
{
    for (int kind = 0; kind < KINDS; kind++) {
        hkt_executor *executor = must_make(kind);
        atomic_int ran = 0;
        struct attempt attempt = { executor, count_up, &ran };
        CHECK_EQ(call_cancelled(submit, &attempt), -ECANCELED);
        end_pool(executor);
        CHECK_EQ(ran, 0);
    }
}

TEST(a_closed_executor_takes_no_more)
{
    for (int kind = 0; kind < KINDS; kind++) {
        hkt_executor *executor = must_make(kind);
        hkt_future *untouched = NULL;
        atomic_int ran = 0;
        int items[3] = { 0 };
        CHECK_EQ(hkt_submit(executor, NULL, count_up, &ran), 0);
        hkt_executor_close(executor, false);
        hkt_executor_close(executor, false);
        CHECK_EQ(hkt_submit(executor, &untouched, count_up, &ran), -ESHUTDOWN);
        CHECK(untouched == NULL);
        CHECK_EQ(hkt_map(executor, do_nothing, HKT_ARRAY(items)), -ESHUTDOWN);
        CHECK_EQ(hkt_executor_shutdown(executor), 0);
        CHECK_EQ(hkt_executor_shutdown(executor), 0);
        CHECK_EQ(hkt_executor_shutdown_until(executor, hkt_after(0)), 0);
        CHECK_EQ(hkt_submit(executor, &untouched, count_up, &ran), -ESHUTDOWN);
        CHECK_EQ(ran, 1);
        end_pool(executor);
    }
}

static int shut_down(void *executor)
{
    return hkt_executor_shutdown(executor);
}

TEST(many_shut_down_and_wait_for_the_jobs)
{
    hkt_executor *pool = must_pool(1);
    struct gate gate = { 0 };
    struct caller callers[4];
    atomic_int ran = 0;
    hkt_future_destroy(hold_worker(pool, &gate));
    CHECK_EQ(hkt_submit(pool, NULL, count_up, &ran), 0);
    for (int i = 0; i < 4; i++)
        caller_start_waiting(&callers[i], shut_down, pool, pool);
    CHECK_EQ(hkt_submit(pool, NULL, count_up, &ran), -ESHUTDOWN);
    CHECK_EQ(ran, 0);
    hkt_event_set(&gate.open);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
    CHECK_EQ(ran, 1);
    end_pool(pool);
}

TEST(a_shutdown_that_ends_early_may_be_repeated)
{
    hkt_executor *pool = must_pool(1);
    struct gate gate = { 0 };
    struct caller caller;
    struct lines lines;
    lines_open(&lines);
    hkt_future_destroy(hold_worker(pool, &gate));
    CHECK_EQ(hkt_executor_shutdown_until(pool, hkt_after(0)), -ETIMEDOUT);
    CHECK_EQ(call_cancelled(shut_down, pool), -ECANCELED);
    caller_start_waiting(&caller, shut_down, pool, pool);
    caller_cancel(&caller);
    CHECK_EQ(caller_end(&caller), -ECANCELED);
    double before = hkt_monotonic();
    CHECK_EQ(hkt_executor_shutdown_until(pool, hkt_after(0.01)), -ETIMEDOUT);
    CHECK(hkt_monotonic() - before >= 0.01);
    CHECK_EQ(hkt_submit(pool, NULL, do_nothing, NULL), -ESHUTDOWN);
    hkt_event_set(&gate.open);
    CHECK_EQ(hkt_executor_shutdown(pool), 0);
    end_pool(pool);
    CHECK_EQ(lines_count(&lines), 0);
}

/* A job that uses its own executor. */
struct insider {
    hkt_executor *executor;
    struct gate gate;
    atomic_int ran;
    int submitted, finished, shut, shut_until;
};

static int submit_later(void *arg)
{
    struct insider *insider = arg;
    hkt_future *future = NULL;
    CHECK_EQ(stand_at(&insider->gate), 0);
    insider->submitted = hkt_submit(insider->executor, &future, count_up, &insider->ran);
    insider->finished = hkt_future_finish(future);
    return hkt_submit(insider->executor, NULL, count_up, &insider->ran);
}

TEST(jobs_of_a_closed_executor_may_still_hand_in)
{
    for (unsigned workers = 1; workers < 4; workers++) {
        hkt_executor *pool = must_pool(workers);
        struct insider insider = { .executor = pool };
        hkt_future *future = must_submit(pool, submit_later, &insider);
        CHECK_EQ(hkt_event_wait(&insider.gate.entered), 0);
        hkt_executor_close(pool, false);
        CHECK_EQ(hkt_submit(pool, NULL, do_nothing, NULL), -ESHUTDOWN);
        hkt_event_set(&insider.gate.open);
        CHECK_EQ(hkt_executor_shutdown(pool), 0);
        CHECK_EQ(hkt_future_finish(future), 0);
        CHECK_EQ(insider.submitted, 0);
        CHECK_EQ(insider.finished, 0);
        CHECK_EQ(insider.ran, 2);
        end_pool(pool);
    }
}

static int shut_down_oneself(void *arg)
{
    struct insider *insider = arg;
    insider->shut_until = hkt_executor_shutdown_until(insider->executor, hkt_after(0.05));
    insider->shut = hkt_executor_shutdown(insider->executor);
    return 0;
}

static void check_shut_down_oneself(hkt_executor *executor)
{
    struct insider insider = { .executor = executor };
    CHECK_EQ(hkt_future_finish(must_submit(executor, shut_down_oneself, &insider)), 0);
    CHECK_EQ(insider.shut_until, -EDEADLK);
    CHECK_EQ(insider.shut, -EDEADLK);
    end_pool(executor);
}

TEST(a_job_that_shuts_its_own_pool_down_is_told_so)
{
    check_shut_down_oneself(must_pool(1));
    check_shut_down_oneself(must_pool(3));
}

TEST(a_job_that_shuts_the_inline_executor_down_is_told_so)
{
    check_shut_down_oneself(must_inline());
}

TEST(a_close_that_cancels_takes_back_what_has_not_begun)
{
    hkt_executor *pool = must_pool(1);
    struct gate gate = { .result = 5 };
    atomic_int ran = 0;
    hkt_future *futures[300];
    hkt_future *running = hold_worker(pool, &gate);
    for (int i = 0; i < 300; i++)
        futures[i] = must_submit(pool, count_up, &ran);
    hkt_executor_close(pool, true);
    CHECK(hkt_future_running(running));
    for (int i = 0; i < 300; i++) {
        CHECK(hkt_future_cancelled(futures[i]));
        CHECK_EQ(hkt_future_finish(futures[i]), -ECANCELED);
    }
    let_through(&gate, running);
    hkt_executor_close(pool, true);
    end_pool(pool);
    CHECK_EQ(ran, 0);
}

/* Leaves many jobs behind in its own executor, and closes it itself. */
static int fill_and_close(void *arg)
{
    struct insider *insider = arg;
    for (int i = 0; i < 400; i++)
        CHECK_EQ(hkt_submit(insider->executor, NULL, count_up, &insider->ran), 0);
    hkt_executor_close(insider->executor, true);
    return hkt_submit(insider->executor, NULL, count_up, &insider->ran);
}

TEST(a_job_may_close_its_executor_and_cancel_what_it_handed_in)
{
    hkt_executor *pool = must_pool(1);
    struct insider insider = { .executor = pool };
    CHECK_EQ(hkt_future_finish(must_submit(pool, fill_and_close, &insider)), 0);
    end_pool(pool);
    CHECK_EQ(insider.ran, 1);
}

static int destroy(void *executor)
{
    hkt_executor_destroy(executor);
    return 0;
}

TEST(to_destroy_awaits_the_jobs_even_in_an_ended_scope)
{
    hkt_executor *pool = must_pool(1);
    struct gate gate = { .result = 5 };
    struct caller caller;
    hkt_future *running = hold_worker(pool, &gate);
    hkt_future *pending = must_submit(pool, do_nothing, NULL);
    caller_start_waiting(&caller, destroy, pool, pool);
    caller_cancel(&caller);
    CHECK(hkt_thread_is_alive(caller.thread));
    hkt_event_set(&gate.open);
    CHECK_EQ(caller_end(&caller), 0);
    CHECK_EQ(hkt_finalize(), -EBUSY);        /* futures were not destroyed */
    CHECK_EQ(hkt_future_finish(running), 5); /* they stay valid */
    CHECK_EQ(hkt_future_finish(pending), 0);
    hkt_executor_destroy(NULL);
    check_finalized();
}

TEST(after_a_timeout_what_still_runs_is_left_to_itself)
{
    struct lines lines;
    hkt_executor *pool = must_pool(1);
    struct gate gate = { .result = 5 };
    lines_open(&lines);
    hkt_future *running = hold_worker(pool, &gate);
    CHECK_EQ(hkt_executor_shutdown_until(pool, hkt_after(0.001)), -ETIMEDOUT);
    hkt_executor_destroy(pool);
    CHECK_EQ(lines_count(&lines), 1);
    CHECK(strstr(lines.text[0], "\"pool\""));
    let_through(&gate, running);
    AWAIT(hkt_finalize() == 0);
    AWAIT(hkt_thread_active_count() == 1);
    CHECK_EQ(lines_count(&lines), 1);
}

static int destroy_own(void *arg)
{
    hkt_executor_destroy(arg);
    return 0;
}

TEST_ABORTS(a_job_must_not_destroy_its_executor, "hkt_executor_destroy: ")
{
    hkt_executor *pool = must_pool(1);
    (void)hkt_future_finish(must_submit(pool, destroy_own, pool));
}

TEST_ABORTS(a_job_must_not_destroy_its_inline_executor, "hkt_executor_destroy: ")
{
    hkt_executor *executor = must_inline();
    (void)hkt_future_finish(must_submit(executor, destroy_own, executor));
}

static int note_ident(void *arg)
{
    *(uint64_t *)arg = hkt_ident();
    return 9;
}

TEST(the_inline_executor_runs_a_job_where_it_is_handed_in)
{
    hkt_executor *executor = must_inline();
    uint64_t ident = 0;
    CHECK_EQ(hkt_executor_max_workers(executor), 1);
    hkt_future *future = must_submit(executor, note_ident, &ident);
    CHECK(hkt_future_done(future));
    CHECK_EQ(ident, hkt_ident());
    CHECK_EQ(hkt_future_finish(future), 9);
    CHECK_EQ(hkt_thread_active_count(), 1);
    end_pool(executor);
}

struct depth {
    hkt_executor *executor;
    int left;
};

static int descend(void *arg)
{
    struct depth *depth = arg;
    struct depth below = { depth->executor, depth->left - 1 };
    if (depth->left == 0)
        return 0;
    return 1 + hkt_future_finish(must_submit(depth->executor, descend, &below));
}

TEST(jobs_of_the_inline_executor_nest)
{
    struct depth depth = { must_inline(), 100 };
    CHECK_EQ(hkt_future_finish(must_submit(depth.executor, descend, &depth)), 100);
    end_pool(depth.executor);
}

TEST(the_inline_executor_leaves_the_callers_sentence)
{
    hkt_executor *executor = must_inline();
    (void)hkt_fail(-EIO, "mine");
    CHECK_EQ(hkt_submit(executor, NULL, do_nothing, NULL), 0);
    CHECK_STR(hkt_sentence(-EIO), "mine");
    end_pool(executor);
}

TEST(the_default_executor_is_one_for_all)
{
    atomic_int ran = 0;
    int items[5] = { 0 };
    hkt_executor *executor = hkt_default_executor();
    CHECK(executor != NULL);
    CHECK(hkt_default_executor() == executor);
    CHECK(hkt_executor_max_workers(executor) >= 1);
    CHECK_EQ(hkt_future_finish(must_submit(NULL, count_up, &ran)), 0);
    CHECK_EQ(hkt_submit_with(NULL, NULL, count_up, &ran, NULL), 0);
    CHECK_EQ(hkt_map(NULL, do_nothing, HKT_ARRAY(items)), 0);
    CHECK_EQ(hkt_join_all(), 0); /* its threads hold nobody up */
    check_finalized();
    CHECK_EQ(ran, 2);
}

TEST(null_stands_for_the_default_executor)
{
    CHECK_EQ(hkt_executor_max_workers(NULL), hkt_executor_max_workers(hkt_default_executor()));
    check_finalized();
}

static int finalize(void *arg)
{
    (void)arg;
    return hkt_finalize();
}

TEST(jobs_of_the_default_executor_hold_up_the_end)
{
    struct gate gate = { 0 };
    hkt_future_destroy(hold_worker(NULL, &gate));
    hkt_executor *executor = hkt_default_executor();
    struct caller caller;
    caller_start_waiting(&caller, finalize, NULL, executor);
    hkt_event_set(&gate.open);
    (void)caller_end(&caller); /* the caller's own thread may be what is left */
    check_finalized();
}

TEST(what_is_out_of_range_is_refused)
{
    hkt_executor *pool = must_pool(1);
    hkt_submit_options options = { .priority = (hkt_priority)3 };
    CHECK_EQ(hkt_submit(pool, NULL, NULL, NULL), -EINVAL);
    CHECK_EQ(hkt_submit_with(pool, NULL, do_nothing, NULL, &options), -EINVAL);
    CHECK_EQ(hkt_map(pool, NULL, NULL, 0, 1), -EINVAL);
    end_pool(pool);
}
