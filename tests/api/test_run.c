/* SPDX-License-Identifier: MIT */
/* hkt_run and runners: results, what is left at the end, contexts, and Ctrl-C. */
#include <sys/wait.h>

#include "loops.h"

static int return_it(void *arg)
{
    return *(int *)arg;
}

static int fail_by_io(void *arg)
{
    (void)arg;
    return hkt_fail(-EIO, "the disk is gone");
}

TEST(a_run_returns_what_its_job_returned)
{
    int results[] = { 0, 1, 4711, -EIO, -ECANCELED, -EINTR };
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        CHECK_EQ(hkt_run(return_it, &results[i]), results[i]);
    check_finalized();
}

TEST(a_run_brings_the_sentence_of_a_failure)
{
    CHECK_EQ(hkt_run(fail_by_io, NULL), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "the disk is gone");
    check_finalized();
}

static int be_in_a_task(void *arg)
{
    char name[HKT_NAME_MAX];
    (void)arg;
    CHECK(hkt_loop_running() != NULL);
    CHECK(hkt_task_current() != NULL);
    hkt_task_get_name(hkt_task_current(), name);
    CHECK_STR(name, "main");
    return 0;
}

TEST(the_job_of_a_run_is_a_task)
{
    CHECK(hkt_task_current() == NULL);
    must_run(be_in_a_task, NULL);
    CHECK(hkt_task_current() == NULL);
}

static int run_again(void *arg)
{
    CHECK_EQ(hkt_run(do_nothing, arg), -EBUSY);
    CHECK_EQ(hkt_run_with(do_nothing, arg, &(hkt_loop_options){ .name = "inner" }), -EBUSY);
    return 5;
}

TEST(a_run_in_a_run_is_refused)
{
    CHECK_EQ(hkt_run(run_again, NULL), 5);
    check_finalized();
}

static int start_two_and_leave(void *arg)
{
    hkt_task *task = must_start(stand_at, arg);
    hkt_future_destroy(task);
    CHECK_EQ(hkt_task_spawn(NULL, sleep_forever, NULL), 0);
    CHECK_EQ(hkt_yield(), 0);
    CHECK(hkt_event_is_set(&((struct gate *)arg)->entered));
    return 0;
}

TEST(tasks_that_are_left_end_with_the_run)
{
    struct lines lines;
    struct gate gate = { 0 };
    lines_open(&lines);
    must_run(start_two_and_leave, &gate);
    CHECK_EQ(lines_count(&lines), 0); /* to be cancelled is no failure */
}

static int fail_when_cancelled(void *arg)
{
    int err = hkt_sleep(INFINITY);
    hkt_scope shield;
    hkt_scope_enter(&shield, &(hkt_scope_options){ .shield = true });
    CHECK_EQ(hkt_sleep(0.01), 0);
    hkt_scope_leave(&shield);
    return err == -ECANCELED ? hkt_fail(-EIO, "could not save %s", (const char *)arg) : err;
}

static int leave_failures(void *arg)
{
    (void)arg;
    CHECK_EQ(hkt_task_spawn(NULL, fail_when_cancelled, "the page"), 0);
    CHECK_EQ(hkt_task_spawn(NULL, fail_when_cancelled, "the book"), 0);
    return hkt_yield();
}

TEST(failures_of_tasks_that_are_left_are_reported)
{
    struct lines lines;
    lines_open(&lines);
    must_run(leave_failures, NULL);
    CHECK_EQ(lines_count(&lines), 2);
    CHECK(lines_have(&lines, "could not save the page"));
    CHECK(lines_have(&lines, "could not save the book"));
}

TEST(the_end_of_the_callers_scope_ends_the_run)
{
    hkt_scope scope;
    double began = hkt_monotonic();
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.05) });
    CHECK_EQ(hkt_run(sleep_forever, NULL), -ECANCELED);
    CHECK(hkt_monotonic() - began >= 0.05);
    CHECK_EQ(hkt_run(do_nothing, NULL), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    check_finalized();
}

TEST(options_of_a_run_are_looked_at)
{
    CHECK_EQ(hkt_run_with(do_nothing, NULL, &(hkt_loop_options){ .stack_size = 1 }), -EINVAL);
    CHECK_EQ(hkt_run_with(do_nothing, NULL, &(hkt_loop_options){ .stack_size = 32768 }), 0);
    check_finalized();
}

/* Runners. */

static hkt_runner *must_runner(void)
{
    hkt_runner *runner = NULL;
    CHECK_EQ(hkt_runner_create(&runner, NULL), 0);
    CHECK(hkt_runner_loop(runner) != NULL);
    return runner;
}

static void end_runner(hkt_runner *runner)
{
    hkt_runner_destroy(runner);
    check_finalized();
}

static hkt_context_var *city;

static int go_to(void *arg)
{
    return hkt_context_set(city, arg, NULL);
}

static int where_am_i(void *arg)
{
    return strcmp(hkt_context_get(city), arg);
}

TEST(a_runner_keeps_its_context_from_run_to_run)
{
    CHECK_EQ(hkt_context_var_create(&city, "city", "Bern"), 0);
    hkt_runner *runner = must_runner(), *other = must_runner();
    CHECK_EQ(hkt_runner_run(runner, where_am_i, "Bern"), 0);
    CHECK_EQ(hkt_runner_run(runner, go_to, "Rome"), 0);
    CHECK_EQ(hkt_runner_run(runner, where_am_i, "Rome"), 0);
    CHECK_EQ(hkt_runner_run(other, where_am_i, "Bern"), 0);
    CHECK_STR(hkt_context_get(city), "Bern");
    hkt_runner_destroy(other);
    hkt_runner_destroy(runner);
    hkt_context_var_destroy(city);
    check_finalized();
}

TEST(a_runner_begins_with_the_context_of_who_makes_it)
{
    hkt_context_token token;
    CHECK_EQ(hkt_context_var_create(&city, "city", "Bern"), 0);
    CHECK_EQ(hkt_context_set(city, "Oslo", &token), 0);
    hkt_runner *runner = must_runner();
    CHECK_EQ(hkt_context_reset(&token), 0);
    CHECK_EQ(hkt_runner_run(runner, where_am_i, "Oslo"), 0);
    hkt_runner_destroy(runner);
    hkt_context_var_destroy(city);
    check_finalized();
}

static int start_standing(void *arg)
{
    CHECK_EQ(hkt_task_spawn(NULL, stand_at, arg), 0);
    return hkt_yield();
}

static int open_and_wait(void *arg)
{
    struct gate *gate = arg;
    CHECK(hkt_event_is_set(&gate->entered));
    hkt_event_set(&gate->open);
    return hkt_sleep(0.01);
}

TEST(in_a_runner_tasks_that_are_left_go_on_in_the_next_run)
{
    struct lines lines;
    struct gate gate = { .result = -EIO };
    lines_open(&lines);
    hkt_runner *runner = must_runner();
    CHECK_EQ(hkt_runner_run(runner, start_standing, &gate), 0);
    CHECK_EQ(lines_count(&lines), 0);
    CHECK_EQ(hkt_runner_run(runner, open_and_wait, &gate), 0);
    CHECK_EQ(lines_count(&lines), 1); /* its failure, which nobody looked at */
    struct gate closed = { 0 };
    CHECK_EQ(hkt_runner_run(runner, start_standing, &closed), 0);
    end_runner(runner);
    CHECK_EQ(lines_count(&lines), 1);
}

TEST(a_runner_may_never_run)
{
    hkt_runner *runner = NULL;
    hkt_runner_destroy(NULL);
    CHECK_EQ(hkt_runner_create(&runner, &(hkt_loop_options){ .stack_size = 1 }), -EINVAL);
    end_runner(must_runner());
}

static int run_in_itself(void *arg)
{
    CHECK_EQ(hkt_runner_run(arg, fail_by_io, NULL), -EBUSY);
    return 3;
}

TEST(a_runner_does_not_run_in_itself)
{
    hkt_runner *runner = must_runner();
    CHECK_EQ(hkt_runner_run(runner, run_in_itself, runner), 3);
    /* A task that goes before the main one must not change what that one runs. */
    hkt_loop *loop = hkt_runner_loop(runner);
    hkt_future *before = must_submit(hkt_loop_executor(loop), run_in_itself, runner);
    int nine = 9;
    CHECK_EQ(hkt_runner_run(runner, return_it, &nine), 9);
    CHECK_EQ(hkt_future_finish(before), 3);
    end_runner(runner);
}

/* Ctrl-C. */

static int press_and_sleep(void *arg)
{
    (void)arg;
    CHECK_EQ(raise(SIGINT), 0);
    return hkt_sleep(INFINITY);
}

TEST(a_ctrl_c_ends_the_run)
{
    CHECK_EQ(hkt_run(press_and_sleep, NULL), -EINTR);
    CHECK_EQ(hkt_run(do_nothing, NULL), 0);
    CHECK_EQ(hkt_run(press_and_sleep, NULL), -EINTR);
    check_finalized();
}

struct pressing {
    hkt_event sleeps, ended;
};

static int press(void *arg)
{
    struct pressing *pressing = arg;
    CHECK_EQ(hkt_event_wait(&pressing->sleeps), 0);
    await_spinning(0.002);
    CHECK_EQ(kill(getpid(), SIGINT), 0);
    /* TSan may keep it with a fiber that rests: then it is pressed again. */
    while (UNDER_TSAN && hkt_event_wait_until(&pressing->ended, hkt_after(10)) == -ETIMEDOUT)
        CHECK_EQ(kill(getpid(), SIGINT), 0);
    return 0;
}

static int say_and_sleep(void *arg)
{
    hkt_event_set(arg);
    return sleep_for_signals(NULL);
}

TEST(a_ctrl_c_wakes_a_loop_that_sleeps)
{
    for (int i = 0; i < (int)test_scaled(20); i++) {
        struct caller caller;
        struct pressing pressing = { .sleeps = { { 0 } } };
        caller_start(&caller, press, &pressing);
        CHECK_EQ(hkt_run(say_and_sleep, &pressing.sleeps), -EINTR);
        hkt_event_set(&pressing.ended);
        CHECK_EQ(caller_end(&caller), 0);
    }
    check_finalized();
}

static int sleep_for_an_fd(void *arg)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    hkt_event_set(arg);
    /* TSan keeps a signal with the fiber that it came to, until that one makes a call that TSan knows. */
    int err;
    do
        err = hkt_fd_wait_until(ends[0], HKT_READABLE,
                                UNDER_TSAN ? hkt_after(0.01) : (hkt_deadline){ 0 });
    while (err == -ETIMEDOUT);
    close(ends[0]);
    close(ends[1]);
    return err;
}

TEST(a_ctrl_c_wakes_a_loop_that_waits_for_fds)
{
    for (int i = 0; i < (int)test_scaled(20); i++) {
        struct caller caller;
        struct pressing pressing = { .sleeps = { { 0 } } };
        caller_start(&caller, press, &pressing);
        CHECK_EQ(hkt_run(sleep_for_an_fd, &pressing.sleeps), -EINTR);
        hkt_event_set(&pressing.ended);
        CHECK_EQ(caller_end(&caller), 0);
    }
    check_finalized();
}

static int press_and_finish(void *arg)
{
    CHECK_EQ(press_and_sleep(NULL), -ECANCELED);
    return *(int *)arg;
}

TEST(a_job_may_end_in_its_own_way_after_a_ctrl_c)
{
    int results[] = { 0, 7, -EIO };
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_run(press_and_finish, &results[i]), results[i]);
    check_finalized();
}

static int press_and_nest(void *arg)
{
    CHECK_EQ(press_and_sleep(NULL), -ECANCELED);
    CHECK_EQ(hkt_runner_run(arg, do_nothing, NULL), -EBUSY);
    return -ECANCELED;
}

TEST(a_runner_is_ended_by_a_ctrl_c_and_runs_again)
{
    hkt_runner *runner = must_runner();
    CHECK_EQ(hkt_runner_run(runner, press_and_sleep, NULL), -EINTR);
    CHECK_EQ(hkt_runner_run(runner, do_nothing, NULL), 0);
    CHECK_EQ(hkt_runner_run(runner, press_and_nest, runner), -EINTR);
    end_runner(runner);
}

static bool interrupt_is_default(void)
{
    struct sigaction action;
    CHECK_EQ(sigaction(SIGINT, NULL, &action), 0);
    return action.sa_handler == SIG_DFL;
}

static int see_handler(void *arg)
{
    (void)arg;
    return interrupt_is_default();
}

TEST(the_action_of_a_ctrl_c_is_as_before_after_the_run)
{
    CHECK(interrupt_is_default());
    CHECK_EQ(hkt_run(see_handler, NULL), 0);
    CHECK(interrupt_is_default());
    CHECK_EQ(hkt_run(press_and_sleep, NULL), -EINTR);
    CHECK(interrupt_is_default());
    check_finalized();
}

static atomic_int seen;

static void see(int signo)
{
    (void)signo;
    atomic_fetch_add(&seen, 1);
}

static int press_and_go_on(void *arg)
{
    (void)arg;
    CHECK_EQ(raise(SIGINT), 0);
    return hkt_sleep(0.01);
}

TEST(who_handles_a_ctrl_c_himself_gets_it)
{
    CHECK(signal(SIGINT, see) == SIG_DFL);
    CHECK_EQ(hkt_run(press_and_go_on, NULL), 0);
    CHECK_EQ(atomic_load(&seen), 1);
    CHECK(signal(SIGINT, SIG_IGN) == see);
    CHECK_EQ(hkt_run(press_and_go_on, NULL), 0);
    CHECK(signal(SIGINT, SIG_DFL) == SIG_IGN);
    check_finalized();
}

static int see_handler_in_a_thread(void *arg)
{
    return hkt_run(see_handler, arg);
}

TEST(only_the_main_thread_hears_a_ctrl_c)
{
    CHECK_EQ(call_elsewhere(see_handler_in_a_thread, NULL), 1);
    check_finalized();
}

static int press_twice(void *arg)
{
    CHECK_EQ(press_and_sleep(arg), -ECANCELED);
    CHECK_EQ(raise(SIGINT), 0);
    return 0;
}

static int press_twice_at_once(void *arg)
{
    (void)arg;
    CHECK_EQ(raise(SIGINT), 0);
    CHECK_EQ(raise(SIGINT), 0);
    return 0;
}

/* In a child, which is ended by the signal. */
static void must_die(hkt_job *job)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)!hkt_run(job, NULL);
        _exit(3);
    }
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGINT);
}

TEST(a_second_ctrl_c_ends_the_process)
{
    must_die(press_twice);
    must_die(press_twice_at_once);
}
