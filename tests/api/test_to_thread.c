/* SPDX-License-Identifier: MIT */
/* hkt_to_thread: jobs that block in calls that are not ours, beside a loop that goes on. */
#include <unistd.h>

#include "groups.h"

static int note_thread(void *arg)
{
    *(int *)arg = hkt_native_id();
    CHECK(hkt_loop_running() == NULL);
    return 7;
}

static int run_on_a_thread(void *arg)
{
    int native = 0;
    (void)arg;
    CHECK_EQ(hkt_to_thread(note_thread, &native), 7);
    CHECK(native != 0 && native != hkt_native_id());
    CHECK_EQ(hkt_to_thread(fail_with_io, "fish"), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "no fish in the sea");
    CHECK_EQ(hkt_to_thread(NULL, NULL), -EINVAL);
    return 0;
}

TEST(the_job_runs_on_another_thread_and_its_result_comes_back)
{
    in_each_kind(run_on_a_thread);
}

/* A task that is blocked, in a read that is not ours, until another task of the same loop writes. */
static int read_letter(void *arg)
{
    char letter = 0;
    CHECK_EQ(read(*(int *)arg, &letter, 1), 1);
    return letter;
}

static int read_elsewhere(void *arg)
{
    return hkt_to_thread(read_letter, arg);
}

static int block_and_go_on(void *arg)
{
    int ends[2];
    (void)arg;
    CHECK_EQ(pipe(ends), 0);
    hkt_future *task = must_submit(hkt_executor_current(), read_elsewhere, &ends[0]);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(hkt_yield(), 0);
    CHECK(!hkt_future_done(task));
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(hkt_future_finish(task), 'x');
    close(ends[0]);
    close(ends[1]);
    return 0;
}

TEST(the_others_go_on_while_a_job_blocks)
{
    CHECK_EQ(hkt_run(block_and_go_on, NULL), 0);
    CHECK_EQ(run_in(IN_COROUTINES, block_and_go_on, NULL), 0);
    check_finalized();
}

/* More than there are processors, at once: each waits until all have come. */
#define MANY 16

static pthread_barrier_t barrier;

static int meet(void *arg)
{
    (void)arg;
    int err = pthread_barrier_wait(&barrier);
    return err == PTHREAD_BARRIER_SERIAL_THREAD ? 0 : -err;
}

static int meet_elsewhere(void *arg)
{
    return hkt_to_thread(meet, arg);
}

static int meet_all(void *arg)
{
    hkt_task_group group = { 0 };
    hkt_task_group_enter(&group, NULL);
    for (int i = 0; i < MANY; i++)
        must_spawn_into(&group, meet_elsewhere, arg);
    return hkt_task_group_leave(&group, 0);
}

TEST(many_jobs_block_at_a_time)
{
    CHECK_EQ(pthread_barrier_init(&barrier, NULL, MANY), 0);
    CHECK_EQ(hkt_run(meet_all, NULL), 0);
    CHECK_EQ(pthread_barrier_destroy(&barrier), 0);
    check_finalized();
}

/* More than there are threads: the rest waits for its turn. */
static int count_elsewhere(void *arg)
{
    return hkt_to_thread(count_up, arg);
}

static int count_all(void *arg)
{
    atomic_int ran = 0;
    hkt_task_group group = { 0 };
    (void)arg;
    hkt_task_group_enter(&group, NULL);
    for (int i = 0; i < 500; i++)
        must_spawn_into(&group, count_elsewhere, &ran);
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    CHECK_EQ(ran, 500);
    return 0;
}

TEST(more_jobs_than_threads_take_turns)
{
    CHECK_EQ(hkt_run(count_all, NULL), 0);
    CHECK_EQ(run_in(IN_COROUTINES, count_all, NULL), 0);
    check_finalized();
}

/* The caller's scope ends: the job is told, and awaited. */
static int sleep_elsewhere(void *arg)
{
    return hkt_to_thread(sleep_in_group, arg);
}

/* Ends the scope as soon as somebody sleeps in it. */
struct ender {
    hkt_scope scope;
    struct sleeper sleeper;
};

static int end_scope(void *arg)
{
    struct ender *ender = arg;
    CHECK_EQ(hkt_event_wait(&ender->sleeper.asleep), 0);
    hkt_scope_cancel(&ender->scope);
    return 0;
}

static int end_the_caller(void *arg)
{
    (void)arg;
    for (int result = -ECANCELED; result <= 5; result += 5 + ECANCELED) {
        struct ender ender = { .sleeper.result = result };
        struct caller caller;
        hkt_scope_enter(&ender.scope, NULL);
        caller_start(&caller, end_scope, &ender);
        CHECK_EQ(sleep_elsewhere(&ender.sleeper), result); /* one that came is not lost */
        CHECK_EQ(ender.sleeper.cancelled, 1);
        CHECK_EQ(sleep_elsewhere(&ender.sleeper), -ECANCELED);
        CHECK_EQ(ender.sleeper.began, 1);
        CHECK_EQ(hkt_scope_leave(&ender.scope), -ECANCELED);
        CHECK_EQ(caller_end(&caller), 0);
    }
    return 0;
}

TEST(the_end_of_the_callers_scope_reaches_the_job_which_is_awaited)
{
    in_each_kind(end_the_caller);
}

/* One that does not hear of it holds the caller up, since it uses his memory. */
struct deaf {
    atomic_int entered, open;
};

static int hear_nothing(void *arg)
{
    struct deaf *deaf = arg;
    atomic_store(&deaf->entered, 1);
    AWAIT(atomic_load(&deaf->open));
    return 3;
}

static int call_deaf(void *arg)
{
    return hkt_to_thread(hear_nothing, arg);
}

static int cancel_the_deaf(void *arg)
{
    struct deaf deaf = { 0 };
    (void)arg;
    hkt_future *task = must_submit(hkt_executor_current(), call_deaf, &deaf);
    while (!atomic_load(&deaf.entered))
        CHECK_EQ(hkt_yield(), 0);
    CHECK_EQ(hkt_future_request_cancel(task), 0);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(hkt_yield(), 0);
    CHECK(!hkt_future_done(task));
    atomic_store(&deaf.open, 1);
    CHECK_EQ(hkt_future_finish(task), 3);
    return 0;
}

TEST(a_job_that_does_not_hear_of_a_cancel_is_awaited)
{
    CHECK_EQ(hkt_run(cancel_the_deaf, NULL), 0);
    check_finalized();
}

/* From a job that is on such a thread itself. */
struct depth {
    int left;
};

static int descend(void *arg)
{
    struct depth *depth = arg;
    struct depth below = { depth->left - 1 };
    return depth->left == 0 ? 0 : hkt_to_thread(descend, &below);
}

static int descend_deep(void *arg)
{
    struct depth depth = { 100 };
    (void)arg;
    return descend(&depth);
}

TEST(jobs_on_threads_may_do_the_same)
{
    in_each_kind(descend_deep);
}
