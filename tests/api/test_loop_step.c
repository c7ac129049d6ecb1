/* SPDX-License-Identifier: MIT */
/* Steps of a loop by hand, and between runs. */
#include <poll.h>

#include "loops.h"

static bool is_readable(int fd)
{
    struct pollfd interest = { .fd = fd, .events = POLLIN };
    return poll(&interest, 1, 0) == 1;
}

/* Timers of the system may take a moment. */
static void await_readable(int fd)
{
    struct pollfd interest = { .fd = fd, .events = POLLIN };
    CHECK_EQ(poll(&interest, 1, -1), 1);
}

TEST(a_step_does_what_is_ready_and_says_how_much)
{
    static atomic_int count;
    hkt_loop *loop = must_loop();
    CHECK_EQ(hkt_loop_step(loop), 0);
    CHECK_EQ(hkt_loop_call_soon(loop, NULL, count_up, &count), 0);
    CHECK_EQ(hkt_submit(hkt_loop_executor(loop), NULL, count_up, &count), 0);
    CHECK_EQ(hkt_loop_step(loop), 2);
    CHECK_EQ(atomic_load(&count), 2);
    CHECK_EQ(hkt_loop_step(loop), 0);
    CHECK(!hkt_loop_is_running(loop));
    end_loop(loop);
}

TEST(the_fd_is_readable_when_there_is_something_to_do)
{
    static atomic_int count;
    hkt_loop *loop = must_loop();
    CHECK_EQ(hkt_loop_call_soon(loop, NULL, count_up, &count), 0);
    int fd = hkt_loop_fd(loop); /* what came before it counts */
    CHECK(is_readable(fd));
    CHECK_EQ(hkt_loop_step(loop), 1);
    CHECK(!is_readable(fd));
    CHECK_EQ(hkt_loop_call_soon(loop, NULL, count_up, &count), 0);
    CHECK(is_readable(fd));
    CHECK_EQ(hkt_loop_step(loop), 1);
    CHECK(!is_readable(fd));
    CHECK_EQ(hkt_loop_call_later(loop, NULL, 0, count_up, &count), 0);
    await_readable(fd);
    CHECK_EQ(hkt_loop_step(loop), 1);
    CHECK(!is_readable(fd));
    CHECK_EQ(atomic_load(&count), 3);
    end_loop(loop);
}

static int call_soon(void *arg)
{
    return hkt_loop_call_soon(arg, NULL, do_nothing, NULL);
}

TEST(the_fd_is_readable_when_another_thread_has_handed_in)
{
    hkt_loop *loop = must_loop();
    CHECK_EQ(call_elsewhere(call_soon, loop), 0);
    int fd = hkt_loop_fd(loop);
    for (int i = 0; i < 3; i++) {
        CHECK(is_readable(fd));
        CHECK_EQ(hkt_loop_step(loop), 1);
        CHECK(!is_readable(fd));
        CHECK_EQ(call_elsewhere(call_soon, loop), 0);
        CHECK_EQ(call_elsewhere(call_soon, loop), 0);
        CHECK(is_readable(fd));
        CHECK_EQ(hkt_loop_step(loop), 2);
        CHECK(!is_readable(fd));
        CHECK_EQ(call_elsewhere(call_soon, loop), 0);
    }
    end_loop(loop);
}

static int step_in_a_task(void *arg)
{
    CHECK_EQ(hkt_loop_step(arg), -EBUSY);
    return 0;
}

TEST(a_loop_that_has_an_fd_is_run_too)
{
    hkt_loop *loop = must_loop();
    struct gate gate = { .result = 3 };
    double tick = 0.001;
    int fd = hkt_loop_fd(loop);
    hkt_future *task = must_submit(hkt_loop_executor(loop), stand_at, &gate);
    CHECK_EQ(hkt_loop_step(loop), 1);
    CHECK_EQ(hkt_loop_run(loop, step_in_a_task, loop), 0);
    CHECK_EQ(hkt_loop_run(loop, sleep_seconds, &tick), 0);
    CHECK(!is_readable(fd));
    hkt_event_set(&gate.open);
    CHECK(is_readable(fd));
    CHECK_EQ(hkt_loop_step(loop), 1);
    CHECK_EQ(hkt_future_finish(task), 3);
    CHECK(!is_readable(fd));
    CHECK_EQ(hkt_loop_call_soon(loop, NULL, do_nothing, NULL), 0);
    CHECK_EQ(hkt_loop_run(loop, sleep_seconds, &tick), 0);
    CHECK(!is_readable(fd));
    end_loop(loop);
}

static int step_elsewhere(void *arg)
{
    return hkt_loop_step(arg);
}

TEST_ABORTS(a_step_is_for_the_loops_thread_alone, "belongs to another thread")
{
    (void)call_elsewhere(step_elsewhere, must_loop());
}

static int fd_elsewhere(void *arg)
{
    return hkt_loop_fd(arg);
}

TEST_ABORTS(the_fd_is_for_the_loops_thread_alone, "belongs to another thread")
{
    (void)call_elsewhere(fd_elsewhere, must_loop());
}
