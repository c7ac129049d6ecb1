/* SPDX-License-Identifier: MIT */
/* The end of a loop with work in it, and what debug mode tells. */
#include "loops.h"

struct counts {
    atomic_int began, cancelled, done;
};

static int wait_for_the_end(void *arg)
{
    struct counts *counts = arg;
    atomic_fetch_add(&counts->began, 1);
    int err = hkt_sleep(INFINITY);
    if (err == -ECANCELED)
        atomic_fetch_add(&counts->cancelled, 1);
    atomic_fetch_add(&counts->done, 1);
    return err;
}

TEST(a_loops_end_cancels_its_tasks_and_waits_for_them)
{
    struct counts counts = { 0 };
    hkt_future *begun[5], *fresh[5];
    hkt_loop *loop = must_loop();
    for (int i = 0; i < 5; i++)
        begun[i] = must_submit(hkt_loop_executor(loop), wait_for_the_end, &counts);
    CHECK_EQ(hkt_loop_run(loop, do_nothing, NULL), 0);
    CHECK_EQ(atomic_load(&counts.began), 5);
    for (int i = 0; i < 5; i++)
        fresh[i] = must_submit(hkt_loop_executor(loop), wait_for_the_end, &counts);
    hkt_loop_destroy(loop);
    CHECK_EQ(atomic_load(&counts.began), 5);
    CHECK_EQ(atomic_load(&counts.cancelled), 5);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(result_of(begun[i]), -ECANCELED);
        CHECK(!hkt_future_cancelled(begun[i])); /* it ran */
        CHECK(hkt_future_cancelled(fresh[i]));
        hkt_future_destroy(begun[i]);
        hkt_future_destroy(fresh[i]);
    }
    check_finalized();
}

/* When cancelled it starts another one, which is to be cancelled too. */
static int leave_a_child(void *arg)
{
    int err = hkt_sleep(INFINITY);
    hkt_scope shield;
    hkt_scope_enter(&shield, &(hkt_scope_options){ .shield = true });
    CHECK_EQ(hkt_task_spawn(NULL, wait_for_the_end, arg), 0);
    CHECK_EQ(hkt_yield(), 0);
    hkt_scope_leave(&shield);
    return err;
}

TEST(tasks_that_are_born_at_the_end_are_cancelled_too)
{
    struct counts counts = { 0 };
    hkt_loop *loop;
    CHECK_EQ(hkt_loop_create(&loop, &(hkt_loop_options){ .grace = 0.1 }), 0);
    CHECK_EQ(hkt_submit(hkt_loop_executor(loop), NULL, leave_a_child, &counts), 0);
    CHECK_EQ(hkt_loop_run(loop, do_nothing, NULL), 0);
    end_loop(loop);
    CHECK_EQ(atomic_load(&counts.began), 1);
    CHECK_EQ(atomic_load(&counts.cancelled), 1);
}

TEST(calls_at_a_later_time_are_dropped_at_the_end)
{
    atomic_int count = 0;
    hkt_handle handle = { { 0 } };
    hkt_loop *loop = must_loop();
    CHECK_EQ(hkt_loop_call_later(loop, NULL, 1000, count_up, &count), 0);
    CHECK_EQ(hkt_loop_call_later(loop, NULL, 2000, count_up, &count), 0);
    CHECK_EQ(hkt_loop_call_later(loop, NULL, INFINITY, count_up, &count), 0);
    CHECK_EQ(hkt_loop_call_later(loop, &handle, 1000, count_up, &count), 0);
    CHECK_EQ(hkt_loop_run(loop, do_nothing, NULL), 0);
    CHECK(hkt_handle_cancel(&handle));
    hkt_loop_destroy(loop);
    CHECK_EQ(atomic_load(&count), 0);
    check_finalized();
}

/* Whatever is still in it: watchers, signal handlers, callbacks, tasks of other threads. */
TEST(a_loop_is_destroyed_with_everything_in_it)
{
    static atomic_int count;
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    hkt_loop *loop = must_loop();
    CHECK_EQ(hkt_loop_add_watcher(loop, ends[0], HKT_READABLE, count_up, &count), 0);
    CHECK_EQ(hkt_loop_run(loop, do_nothing, NULL), 0);
    CHECK_EQ(hkt_loop_add_watcher(loop, ends[1], HKT_WRITABLE, count_up, &count), 0);
    CHECK_EQ(hkt_loop_add_signal_handler(loop, SIGUSR1, count_up, &count), 0);
    CHECK_EQ(hkt_submit(hkt_loop_executor(loop), NULL, sleep_forever, NULL), 0);
    CHECK(hkt_loop_fd(loop) >= 0);
    end_loop(loop);
    CHECK_EQ(atomic_load(&count), 0);
    close(ends[0]);
    close(ends[1]);
}

/* A task that does not hear: it waits where the cancel does not reach. */
static int ignore_cancel(void *arg)
{
    hkt_scope shield;
    hkt_scope_enter(&shield, &(hkt_scope_options){ .shield = true });
    int err = hkt_event_wait(arg);
    hkt_scope_leave(&shield);
    return err;
}

/* Static, for what is left is found from there. */
static hkt_loop *stubborn;
static struct lines lines;

TEST(a_task_that_ignores_the_end_is_reported_and_left)
{
    static hkt_event never;
    hkt_submit_options named = { .name = "deaf" };
    lines_open(&lines);
    CHECK_EQ(hkt_loop_create(&stubborn, &(hkt_loop_options){ .name = "old", .grace = 0.2 }), 0);
    CHECK_EQ(hkt_submit_with(hkt_loop_executor(stubborn), NULL, ignore_cancel, &never, &named), 0);
    CHECK_EQ(hkt_loop_run(stubborn, do_nothing, NULL), 0);
    CHECK_EQ(lines_count(&lines), 0);
    double began = hkt_monotonic();
    hkt_loop_destroy(stubborn);
    double took = hkt_monotonic() - began;
    CHECK(took >= 0.2);
    CHECK(took < 2.6); /* the default grace would be five seconds */
    CHECK_EQ(lines_count(&lines), 1);
    CHECK(lines_have(&lines, "\"old\""));
    CHECK(lines_have(&lines, "\"deaf\""));
    CHECK(lines_have(&lines, "event"));
}

static int wait_long(void *arg)
{
    return hkt_event_wait(arg);
}

TEST(a_callback_that_does_not_end_is_reported_and_left)
{
    static hkt_event never;
    lines_open(&lines);
    CHECK_EQ(hkt_loop_create(&stubborn, &(hkt_loop_options){ .name = "old", .grace = 0.2 }), 0);
    CHECK_EQ(hkt_loop_call_soon(stubborn, NULL, wait_long, &never), 0);
    CHECK_EQ(hkt_loop_run(stubborn, do_nothing, NULL), 0);
    hkt_loop_destroy(stubborn);
    CHECK_EQ(lines_count(&lines), 1);
    CHECK(lines_have(&lines, "\"old\""));
    CHECK(lines_have(&lines, "callback"));
}

static int fail_at_the_end(void *arg)
{
    (void)arg;
    (void)hkt_sleep(INFINITY);
    return hkt_fail(-EIO, "could not save the page");
}

TEST(a_failure_at_the_end_is_reported)
{
    lines_open(&lines);
    hkt_loop *loop = must_loop();
    CHECK_EQ(hkt_submit(hkt_loop_executor(loop), NULL, fail_at_the_end, NULL), 0);
    CHECK_EQ(hkt_loop_run(loop, do_nothing, NULL), 0);
    CHECK_EQ(lines_count(&lines), 0);
    end_loop(loop);
    CHECK_EQ(lines_count(&lines), 1);
    CHECK(lines_have(&lines, "could not save the page"));
}

/* Debug mode. */

static int compute(void *arg)
{
    await_spinning(*(double *)arg);
    return 0;
}

static int compute_and_wait(void *arg)
{
    await_spinning(*(double *)arg);
    CHECK_EQ(hkt_sleep(0.001), 0);
    return 0;
}

static void run_named(hkt_loop *loop, hkt_job *job, double seconds)
{
    hkt_submit_options named = { .name = "busy" };
    hkt_future *task;
    CHECK_EQ(hkt_submit_with(hkt_loop_executor(loop), &task, job, &seconds, &named), 0);
    double most = 0.1;
    while (!hkt_future_done(task))
        CHECK_EQ(hkt_loop_run(loop, sleep_seconds, &most), 0);
    CHECK_EQ(hkt_future_finish(task), 0);
}

TEST(debug_mode_tells_who_runs_long)
{
    lines_open(&lines);
    hkt_loop *loop;
    CHECK_EQ(hkt_loop_create(&loop, &(hkt_loop_options){ .name = "it", .debug = true }), 0);
    run_named(loop, compute, 0.11);
    CHECK(lines_have(&lines, "loop \"it\": busy ran for "));
    int count = lines_count(&lines);
    run_named(loop, compute_and_wait, 0.11);
    CHECK(lines_count(&lines) > count);
    end_loop(loop);
}

TEST(debug_mode_tells_of_callbacks_too)
{
    double seconds = 0.06, more = 0.1;
    lines_open(&lines);
    hkt_loop *loop = must_loop();
    hkt_loop_set_debug(loop, true, 0.05);
    CHECK_EQ(hkt_loop_call_soon(loop, NULL, compute, &seconds), 0);
    CHECK_EQ(hkt_loop_run(loop, sleep_seconds, &more), 0);
    CHECK(lines_have(&lines, "a callback ran for "));
    end_loop(loop);
}

TEST(without_debug_mode_nothing_is_told)
{
    lines_open(&lines);
    hkt_loop *loop = must_loop();
    run_named(loop, compute, 0.11);
    hkt_loop_set_debug(loop, true, 100);
    run_named(loop, compute, 0.11);
    hkt_loop_set_debug(loop, true, 0);
    hkt_loop_set_debug(loop, false, 0);
    run_named(loop, compute, 0.11);
    CHECK_EQ(lines_count(&lines), 0);
    end_loop(loop);
}

/* Who waits for long does not run. */
TEST(in_debug_mode_waits_are_not_counted)
{
    double seconds = 1.1;
    lines_open(&lines);
    hkt_loop *loop = must_loop();
    hkt_loop_set_debug(loop, true, 1.0);
    CHECK_EQ(hkt_loop_run(loop, sleep_seconds, &seconds), 0);
    CHECK_EQ(lines_count(&lines), 0);
    end_loop(loop);
}
