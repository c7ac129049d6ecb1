/* SPDX-License-Identifier: MIT */
/* Event loops: run, again, for ever, stopped, cancelled, idle, and ended with work in them. */
#include "loops.h"

/* Five who sleep, and whether all did so before the first of their times had come: who asks for a
 * time that has passed does not sleep. */
struct sleepers {
    struct log log;
    struct entry entries[5];
    bool in_time;
};

static int await_sleepers(void *arg)
{
    struct sleepers *sleepers = arg;
    CHECK_EQ(hkt_yield(), 0); /* now all of them have asked */
    sleepers->in_time = !hkt_deadline_passed(entry_time(&sleepers->entries[1]));
    while (sleepers->log.length < 5)
        CHECK_EQ(hkt_sleep(0.001), 0);
    return 0;
}

TEST(tasks_that_sleep_end_in_the_order_of_their_times)
{
    struct sleepers sleepers = { .in_time = false };
    hkt_loop *loop = must_loop();
    for (double unit = 0.01; !sleepers.in_time; unit *= 2) {
        struct log *log = &sleepers.log;
        sleepers = (struct sleepers){ .entries = { { log, 'c', 3 * unit },
                                                   { log, 'a', unit },
                                                   { log, 'd', 4 * unit },
                                                   { log, 'b', 2 * unit },
                                                   { log, 'e', 10 * unit } } };
        double began = hkt_monotonic();
        log->start = hkt_after(0.001);
        for (int i = 0; i < 5; i++)
            CHECK_EQ(hkt_submit(hkt_loop_executor(loop), NULL, sleep_and_write_entry,
                                &sleepers.entries[i]),
                     0);
        CHECK_EQ(hkt_loop_run(loop, await_sleepers, &sleepers), 0);
        double took = hkt_monotonic() - began;
        CHECK(took >= 10 * unit);
        if (sleepers.in_time)
            CHECK_STR(log->text, "abcde");
    }
    end_loop(loop);
}

static int sleep_a_tenth(void *arg)
{
    (void)arg;
    return hkt_sleep(0.1);
}

static int sleep_by_the_hundred(void *arg)
{
    hkt_task *tasks[100];
    (void)arg;
    for (int i = 0; i < 100; i++)
        tasks[i] = must_start(sleep_a_tenth, NULL);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(hkt_future_finish(tasks[i]), 0);
    return 0;
}

TEST(a_hundred_tasks_sleep_side_by_side)
{
    double began = hkt_monotonic();
    must_run(sleep_by_the_hundred, NULL);
    double took = hkt_monotonic() - began;
    CHECK(took >= 0.1);
    CHECK(took < 5.0); /* ten seconds one after the other */
}

static int nest(void *arg)
{
    hkt_loop *loop = arg;
    CHECK_EQ(hkt_loop_run(loop, do_nothing, NULL), -EBUSY);
    CHECK_EQ(hkt_loop_run_forever(loop), -EBUSY);
    CHECK_EQ(hkt_run(do_nothing, NULL), -EBUSY);
    CHECK_EQ(hkt_loop_step(loop), -EBUSY);
    CHECK(hkt_loop_is_running(loop));
    CHECK(hkt_loop_running() == loop);
    CHECK(hkt_executor_current() == hkt_loop_executor(loop));
    return 0;
}

static int nest_two(void *arg)
{
    hkt_loop **loops = arg;
    CHECK_EQ(hkt_loop_run(loops[1], do_nothing, NULL), -EBUSY);
    CHECK_EQ(hkt_loop_run_forever(loops[1]), -EBUSY);
    CHECK(hkt_loop_running() == loops[0]);
    CHECK(!hkt_loop_is_running(loops[1]));
    return 0;
}

TEST(a_loop_in_a_loop_is_refused)
{
    hkt_loop *loop = must_loop();
    hkt_loop *loops[2] = { must_loop(), must_loop() };
    CHECK(hkt_loop_running() == NULL);
    CHECK(!hkt_loop_is_running(loop));
    CHECK_EQ(hkt_loop_run(loop, nest, loop), 0);
    CHECK_EQ(hkt_loop_run(loops[0], nest_two, loops), 0);
    CHECK_EQ(hkt_loop_run(loops[1], do_nothing, NULL), 0);
    CHECK(hkt_loop_running() == NULL);
    hkt_loop_destroy(loops[0]);
    hkt_loop_destroy(loops[1]);
    end_loop(loop);
}

static int run_a_loop(void *arg)
{
    return hkt_loop_run(arg, do_nothing, NULL);
}

/* Its worker is a coroutine too, and would hold up all of them. */
static int run_in_a_pool(void *arg)
{
    (void)arg;
    CHECK_EQ(hkt_run(do_nothing, NULL), -EBUSY);
    return 0;
}

TEST(a_loop_in_a_job_of_a_pool_is_refused)
{
    hkt_executor *pool = must_pool(1);
    CHECK_EQ(hkt_future_finish(must_submit(pool, run_in_a_pool, NULL)), 0);
    end_pool(pool);
}

TEST_ABORTS(a_loop_of_another_thread_is_not_run, "belongs to another thread")
{
    (void)call_elsewhere(run_a_loop, must_loop());
}

static int destroy_loop(void *arg)
{
    hkt_loop_destroy(arg);
    return 0;
}

TEST_ABORTS(a_loop_is_not_destroyed_by_its_task, "runs, or the caller is a task")
{
    hkt_loop *loop = must_loop();
    CHECK_EQ(hkt_loop_run(loop, destroy_loop, loop), 0);
}

static int fail_by_io(void *arg)
{
    (void)arg;
    return hkt_fail(-EIO, "the disk is gone");
}

TEST(a_loop_is_run_again_and_again)
{
    hkt_loop *loop = must_loop();
    atomic_int count = 0;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_loop_run(loop, count_up, &count), 0);
    CHECK_EQ(atomic_load(&count), 3);
    CHECK_EQ(hkt_loop_run(loop, fail_by_io, NULL), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "the disk is gone");
    CHECK_EQ(hkt_loop_run(loop, count_up, &count), 0);
    end_loop(loop);
}

TEST(tasks_that_are_left_go_on_in_the_next_run)
{
    hkt_loop *loop = must_loop();
    struct gate gate = { 0 };
    hkt_future *task = must_submit(hkt_loop_executor(loop), stand_at, &gate);
    CHECK_EQ(hkt_loop_run(loop, do_nothing, NULL), 0);
    CHECK(hkt_event_is_set(&gate.entered));
    hkt_event_set(&gate.open);
    CHECK(!hkt_future_done(task));
    CHECK_EQ(hkt_loop_run(loop, sleep_a_tenth, NULL), 0);
    CHECK(hkt_future_done(task));
    CHECK_EQ(result_of(task), 0);
    hkt_future_destroy(task);
    end_loop(loop);
}

static int stop(void *arg)
{
    hkt_loop_stop(arg);
    return 0;
}

TEST(a_loop_runs_for_ever_until_it_is_stopped)
{
    struct log log = { 0 };
    struct entry first = { &log, 'a', 0 }, second = { &log, 'b', 0.01 }, third = { &log, 'c', 0.1 };
    hkt_loop *loop = must_loop();
    double began = hkt_monotonic();
    log.start = hkt_after(0.001);
    CHECK_EQ(hkt_loop_call_later(loop, NULL, 0.1, stop, loop), 0);
    CHECK_EQ(hkt_submit(hkt_loop_executor(loop), NULL, write_entry, &first), 0);
    CHECK_EQ(hkt_submit(hkt_loop_executor(loop), NULL, sleep_and_write_entry, &second), 0);
    CHECK_EQ(hkt_loop_run_forever(loop), 0);
    CHECK(hkt_monotonic() - began >= 0.1);
    CHECK_STR(log.text, "ab");
    CHECK_EQ(hkt_submit(hkt_loop_executor(loop), NULL, write_entry, &third), 0);
    CHECK_EQ(hkt_loop_call_later(loop, NULL, 0, stop, loop), 0);
    CHECK_EQ(hkt_loop_run_forever(loop), 0);
    CHECK_STR(log.text, "abc");
    end_loop(loop);
}

TEST(a_loop_that_was_stopped_before_returns_at_once)
{
    hkt_loop *loop = must_loop();
    hkt_loop_stop(loop);
    hkt_loop_stop(loop);
    CHECK_EQ(hkt_loop_run_forever(loop), 0);
    hkt_loop_call_soon(loop, NULL, stop, loop);
    CHECK_EQ(hkt_loop_run_forever(loop), 0);
    end_loop(loop);
}

TEST(a_loop_is_stopped_from_another_thread)
{
    for (int i = 0; i < (int)test_scaled(300); i++) {
        struct caller caller;
        hkt_loop *loop = must_loop();
        caller_start(&caller, stop, loop);
        CHECK_EQ(hkt_loop_run_forever(loop), 0);
        CHECK_EQ(caller_end(&caller), 0);
        hkt_loop_destroy(loop);
    }
    check_finalized();
}

/* It could also spin for it: hkt_loop_run does not end by a stop, and has to sleep all the same. */
static int stop_and_sleep(void *arg)
{
    hkt_loop_stop(arg);
    double before = cpu_seconds();
    int err = hkt_sleep(0.5);
    check_idle_since(before);
    return err < 0 ? err : 4;
}

TEST(a_stop_is_nothing_to_a_loop_that_runs_a_job)
{
    hkt_loop *loop = must_loop();
    CHECK_EQ(hkt_loop_run(loop, stop_and_sleep, loop), 4);
    end_loop(loop);
}

static int cancel_in_a_while(void *arg)
{
    await_spinning(0.01);
    hkt_scope_cancel(arg);
    return 0;
}

/* Runs the job, whose run is cancelled by another thread. */
static int run_cancelled(hkt_loop *loop, hkt_job *job)
{
    hkt_scope scope;
    struct caller caller;
    hkt_scope_enter(&scope, NULL);
    caller_start(&caller, cancel_in_a_while, &scope);
    int result = job ? hkt_loop_run(loop, job, NULL) : hkt_loop_run_forever(loop);
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
    CHECK_EQ(caller_end(&caller), 0);
    return result;
}

TEST(the_end_of_the_callers_scope_cancels_the_job)
{
    hkt_loop *loop = must_loop();
    hkt_scope scope;
    CHECK_EQ(run_cancelled(loop, sleep_forever), -ECANCELED);
    CHECK_EQ(run_cancelled(loop, NULL), -ECANCELED);
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.05) });
    CHECK_EQ(hkt_loop_run(loop, sleep_forever, NULL), -ECANCELED);
    CHECK_EQ(hkt_loop_run(loop, do_nothing, NULL), -ECANCELED);
    CHECK_EQ(hkt_loop_run_forever(loop), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    CHECK_EQ(hkt_loop_run(loop, do_nothing, NULL), 0);
    end_loop(loop);
}

TEST(the_end_of_the_callers_scope_is_heard_in_a_busy_loop)
{
    hkt_loop *loop = must_loop();
    hkt_scope scope;
    CHECK_EQ(run_cancelled(loop, yield_forever), -ECANCELED);
    hkt_future *busy = must_submit(hkt_loop_executor(loop), yield_forever, NULL);
    CHECK_EQ(run_cancelled(loop, sleep_forever), -ECANCELED);
    CHECK_EQ(run_cancelled(loop, NULL), -ECANCELED);
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.05) });
    CHECK_EQ(hkt_loop_run(loop, sleep_forever, NULL), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    hkt_future_destroy(busy);
    end_loop(loop);
}

static int clean_up_when_cancelled(void *arg)
{
    CHECK_EQ(hkt_sleep(INFINITY), -ECANCELED);
    CHECK_EQ(hkt_yield(), -ECANCELED);
    hkt_scope shield;
    hkt_scope_enter(&shield, &(hkt_scope_options){ .shield = true });
    CHECK_EQ(hkt_sleep(0.01), 0);
    CHECK_EQ(hkt_scope_leave(&shield), 0);
    *(bool *)arg = true;
    return 7;
}

TEST(a_job_that_is_cancelled_may_clean_up_and_return_what_it_wants)
{
    hkt_loop *loop = must_loop();
    hkt_scope scope;
    bool cleaned = false;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.01) });
    CHECK_EQ(hkt_loop_run(loop, clean_up_when_cancelled, &cleaned), 7);
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    CHECK(cleaned);
    end_loop(loop);
}

static int sleep_idly(void *arg)
{
    double before = cpu_seconds();
    (void)arg;
    CHECK_EQ(hkt_sleep(1.0), 0);
    check_idle_since(before);
    return 0;
}

static int sleep_idly_with_fds(void *arg)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(hkt_loop_add_watcher(hkt_loop_running(), ends[0], HKT_READABLE, do_nothing, NULL), 0);
    CHECK_EQ(sleep_idly(arg), 0);
    CHECK(hkt_loop_remove_watcher(hkt_loop_running(), ends[0], HKT_READABLE));
    CHECK_EQ(hkt_yield(), 0);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

TEST(an_idle_loop_does_nothing)
{
    hkt_loop *loop = must_loop();
    hkt_future *tasks[10];
    for (int i = 0; i < 10; i++)
        tasks[i] = must_submit(hkt_loop_executor(loop), sleep_forever, NULL);
    CHECK_EQ(hkt_loop_run(loop, sleep_idly, NULL), 0);
    CHECK_EQ(hkt_loop_run(loop, sleep_idly_with_fds, NULL), 0);
    for (int i = 0; i < 10; i++)
        hkt_future_destroy(tasks[i]);
    end_loop(loop);
}

static int go_deep(int left)
{
    char room[512];
    memset(room, left, sizeof room);
    return left == 0 ? room[0] : go_deep(left - 1) + room[511] - left;
}

static int use_stack(void *arg)
{
    return go_deep(*(int *)arg);
}

TEST(the_size_of_stacks_is_chosen)
{
    hkt_loop *loop;
    int depth = 100; /* some 60 KiB and more than 16 */
    hkt_loop_options large = { .stack_size = 1 << 20, .name = "large" };
    CHECK_EQ(hkt_loop_create(&loop, &(hkt_loop_options){ .stack_size = 16383 }), -EINVAL);
    CHECK_EQ(hkt_loop_create(&loop, &(hkt_loop_options){ .stack_size = (64 << 20) + 1 }), -EINVAL);
    CHECK_EQ(hkt_loop_create(&loop, &(hkt_loop_options){ .stack_size = 16384 }), 0);
    CHECK_EQ(hkt_loop_run(loop, do_nothing, NULL), 0);
    hkt_loop_destroy(loop);
    CHECK_EQ(hkt_loop_create(&loop, &large), 0);
    CHECK_EQ(hkt_loop_run(loop, use_stack, &depth), 0);
    end_loop(loop);
}

TEST(a_loop_that_never_ran_is_given_back)
{
    hkt_loop_destroy(NULL);
    end_loop(must_loop());
}

TEST(several_loops_of_a_thread_run_in_turn_and_end_in_any_order)
{
    hkt_loop *loops[3];
    struct gate gates[3] = { { .result = 0 }, { .result = 1 }, { .result = 2 } };
    hkt_future *tasks[3];
    double hundredth = 0.01;
    for (int i = 0; i < 3; i++) {
        loops[i] = must_loop();
        tasks[i] = must_submit(hkt_loop_executor(loops[i]), stand_at, &gates[i]);
    }
    for (int i = 0; i < 6; i++)
        CHECK_EQ(hkt_loop_run(loops[i % 3], sleep_seconds, &hundredth), 0);
    for (int i = 0; i < 3; i++)
        hkt_event_set(&gates[i].open);
    for (int i = 2; i >= 0; i--)
        CHECK_EQ(hkt_loop_run(loops[i], sleep_seconds, &hundredth), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(result_of(tasks[i]), i);
        hkt_future_destroy(tasks[i]);
    }
    hkt_loop_destroy(loops[1]);
    CHECK_EQ(hkt_loop_run(loops[0], sleep_seconds, &hundredth), 0);
    hkt_loop_destroy(loops[0]);
    end_loop(loops[2]);
}

static int run_in_a_thread(void *arg)
{
    (void)arg;
    return hkt_run(sleep_by_the_hundred, NULL);
}

TEST(any_thread_may_have_a_loop)
{
    struct caller callers[4];
    for (int i = 0; i < 4; i++)
        caller_start(&callers[i], run_in_a_thread, NULL);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
    check_finalized();
}
