/* SPDX-License-Identifier: MIT */
/* Bad days of loops: tasks that end otherwise than by return, or return too early; stacks that overflow;
 * raw forks. */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "groups.h"

/* A child process: how it ended, and what it wrote to stdout and stderr. */
struct outcome {
    int status;
    char said[4096];
};

static void in_child(struct outcome *outcome, void (*body)(void))
{
    int ends[2];
    size_t length = 0;
    ssize_t got;
    fflush(stdout);
    CHECK_EQ(pipe(ends), 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        body();
        _exit(99);
    }
    close(ends[1]);
    while ((got = read(ends[0], outcome->said + length, sizeof outcome->said - 1 - length)) > 0)
        length += (size_t)got;
    outcome->said[length] = 0;
    close(ends[0]);
    CHECK_EQ(waitpid(child, &outcome->status, 0), child);
    printf("%s", outcome->said);
}

static bool exited(const struct outcome *outcome, int code)
{
    return WIFEXITED(outcome->status) && WEXITSTATUS(outcome->status) == code;
}

static bool killed(const struct outcome *outcome, int signal)
{
    return WIFSIGNALED(outcome->status) && WTERMSIG(outcome->status) == signal;
}

/* Runs it as a task that the first one has spawned, in a loop; or as a job of coroutines. */
static int spawn_and_finish(void *job)
{
    return hkt_future_finish(must_submit(hkt_executor_current(), *(hkt_job **)job, NULL));
}

static void in_loop(hkt_job *job)
{
    CHECK_EQ(hkt_run(spawn_and_finish, &job), 4711);
}

static void in_coroutines(hkt_job *job)
{
    hkt_executor *pool = must_coroutines(1, 1);
    CHECK_EQ(hkt_future_finish(must_submit(pool, spawn_and_finish, &job)), 4711);
}

/* exit. */

static void say_bye(void)
{
    printf("bye\n");
}

static int call_exit(void *arg)
{
    (void)arg;
    printf("hello, ");
    exit(7);
}

static void exit_in_task(void)
{
    CHECK_EQ(atexit(say_bye), 0);
    in_loop(call_exit);
}

static void exit_in_coroutine_job(void)
{
    CHECK_EQ(atexit(say_bye), 0);
    in_coroutines(call_exit);
}

TEST(exit_in_a_task_ends_the_process_as_ever)
{
    static void (*const bodies[])(void) = { exit_in_task, exit_in_coroutine_job };
    struct outcome outcome;
    if (UNDER_TSAN)
        TEST_SKIP("TSan wants all threads joined");
    for (int i = 0; i < 2; i++) {
        in_child(&outcome, bodies[i]);
        CHECK(exited(&outcome, 7));
        CHECK(strstr(outcome.said, "hello, bye\n"));
    }
}

/* pthread_exit. */

static int call_pthread_exit(void *arg)
{
    (void)arg;
    pthread_exit(NULL);
}

#define NEEDS_UNWINDING                                                                            \
    if (SANITIZED)                                                                                 \
    TEST_SKIP("sanitizers know pthread_exit of threads alone")

TEST_ABORTS(pthread_exit_in_a_task_is_refused, "called pthread_exit: it must return")
{
    NEEDS_UNWINDING;
    in_loop(call_pthread_exit);
}

TEST_ABORTS(pthread_exit_in_a_job_of_coroutines_is_refused, "called pthread_exit: it must return")
{
    NEEDS_UNWINDING;
    in_coroutines(call_pthread_exit);
}

static void *run_a_loop(void *arg)
{
    hkt_job *job = call_pthread_exit;
    CHECK_EQ(hkt_run(spawn_and_finish, &job), 4711);
    return arg;
}

TEST_ABORTS(pthread_exit_in_a_task_of_a_foreign_thread_is_refused,
            "called pthread_exit: it must return")
{
    pthread_t pthread;
    NEEDS_UNWINDING;
    CHECK_EQ(pthread_create(&pthread, NULL, run_a_loop, NULL), 0);
    pthread_join(pthread, NULL);
}

/* Returns with something open. */

static int return_in_scope(void *arg)
{
    hkt_scope *scope = malloc(sizeof *scope);
    (void)arg;
    hkt_scope_enter(scope, NULL);
    return 0;
}

TEST_ABORTS(a_task_that_returns_without_leaving_a_scope, "returned without leaving scope")
{
    in_loop(return_in_scope);
}

TEST_ABORTS(a_job_of_coroutines_that_returns_without_leaving_a_scope,
            "returned without leaving scope")
{
    in_coroutines(return_in_scope);
}

static int return_in_group(void *arg)
{
    hkt_task_group *group = calloc(1, sizeof *group);
    (void)arg;
    hkt_task_group_enter(group, NULL);
    must_spawn_into(group, do_nothing, NULL);
    return 0;
}

TEST_ABORTS(a_task_that_returns_without_leaving_a_group, "returned without leaving scope")
{
    in_loop(return_in_group);
}

static int leave_in_wrong_order(void *arg)
{
    hkt_task_group group = { 0 };
    hkt_scope scope;
    (void)arg;
    hkt_task_group_enter(&group, NULL);
    hkt_scope_enter(&scope, NULL);
    return hkt_task_group_leave(&group, 0);
}

TEST_ABORTS(a_group_that_is_left_before_a_scope_in_it, "scope")
{
    in_loop(leave_in_wrong_order);
}

/* Overflows. */

__attribute__((noinline)) static int recurse(int depth)
{
    volatile char frame[256];
    frame[0] = (char)depth;
    if (depth == 1000 * 1000 * 1000)
        return 0;
    return recurse(depth + 1) + frame[0];
}

static int overflow(void *arg)
{
    (void)arg;
    return recurse(0);
}

static int overflow_in_named_task(void *arg)
{
    hkt_future *future = NULL;
    hkt_submit_options options = { .name = "digger" };
    (void)arg;
    CHECK_EQ(hkt_submit_with(hkt_executor_current(), &future, overflow, NULL, &options), 0);
    return hkt_future_finish(future);
}

static void overflow_in_loop(void)
{
    in_loop(overflow_in_named_task);
}

static void overflow_in_coroutines(void)
{
    in_coroutines(overflow_in_named_task);
}

TEST(a_task_whose_stack_overflows_is_named)
{
    static void (*const bodies[])(void) = { overflow_in_loop, overflow_in_coroutines };
    struct outcome outcome;
    if (SANITIZED)
        TEST_SKIP("this build has no reports of overflows");
    for (int i = 0; i < 2; i++) {
        in_child(&outcome, bodies[i]);
        CHECK(killed(&outcome, SIGSEGV));
        CHECK(strstr(outcome.said, "hocket: stack overflow in strand \"digger\""));
        CHECK(strstr(outcome.said, ": 64 KiB are not enough, ask for more by .stack_size\n"));
    }
}

/* Raw forks, in a task. */

static void be_true(void)
{
    execl("/bin/true", "true", (char *)NULL);
    execl("/usr/bin/true", "true", (char *)NULL);
    _exit(127);
}

static hkt_executor *here;

static void yield_in_child(void)
{
    _exit(hkt_sleep(0.001) == 0 ? 3 : 4);
}

static void submit_in_child(void)
{
    _exit(hkt_submit(here, NULL, do_nothing, NULL) == 0 ? 3 : 4);
}

static void gather_in_child(void)
{
    char items[3];
    _exit(hkt_map(here, do_nothing, HKT_ARRAY(items)) == 0 ? 3 : 4);
}

static void group_in_child(void)
{
    hkt_task_group group = { 0 };
    hkt_task_group_enter(&group, NULL);
    int err = hkt_task_group_spawn(&group, NULL, do_nothing, NULL);
    _exit(hkt_task_group_leave(&group, err) == 0 ? 3 : 4);
}

static void thread_in_child(void)
{
    _exit(hkt_to_thread(do_nothing, NULL) == 0 ? 3 : 4);
}

static void run_in_child(void)
{
    _exit(hkt_run(do_nothing, NULL) == 0 ? 3 : 4);
}

static int exec_in_child(void *outcome)
{
    in_child(outcome, be_true);
    return hkt_yield();
}

TEST(a_task_may_fork_and_exec)
{
    for (int kind = 0; kind < KINDS; kind++) {
        struct outcome outcome;
        CHECK_EQ(run_in(kind, exec_in_child, &outcome), 0);
        CHECK(exited(&outcome, 0));
        check_finalized();
    }
}

static int misbehave_in_child(void *arg)
{
    static void (*const what[])(void) = { yield_in_child, submit_in_child, gather_in_child,
                                          group_in_child, thread_in_child };
    struct outcome outcome;
    (void)arg;
    here = hkt_executor_current();
    for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
        in_child(&outcome, what[i]);
        CHECK(killed(&outcome, SIGABRT));
        CHECK(strstr(outcome.said, "this is the child of a fork"));
        CHECK_EQ(hkt_yield(), 0); /* the parent goes on */
    }
    return 0;
}

TEST(the_child_of_a_fork_in_a_job_of_coroutines_may_only_exec)
{
    CHECK_EQ(run_in(IN_COROUTINES, misbehave_in_child, NULL), 0);
    CHECK_EQ(run_in(IN_COROUTINES_OF_ONE, misbehave_in_child, NULL), 0);
    check_finalized();
}

static int start_thread_and_misbehave(void *arg)
{
    struct gate gate = { 0 };
    struct caller caller;
    caller_start(&caller, stand_at, &gate);
    int err = misbehave_in_child(arg);
    hkt_event_set(&gate.open);
    CHECK_EQ(caller_end(&caller), 0);
    return err;
}

TEST(the_child_of_a_fork_in_a_task_beside_threads_may_only_exec)
{
    CHECK_EQ(hkt_run(start_thread_and_misbehave, NULL), 0);
    check_finalized();
}

TEST(the_child_of_a_fork_in_a_task_may_only_exec)
{
    CHECK_EQ(hkt_run(misbehave_in_child, NULL), 0);
    check_finalized();
}

/* Outside of it, without threads, nothing has been lost. */
TEST(after_a_loop_the_child_of_a_fork_may_run_another)
{
    struct outcome outcome;
    CHECK_EQ(hkt_run(do_nothing, NULL), 0);
    in_child(&outcome, run_in_child);
    CHECK(exited(&outcome, 3));
    CHECK_EQ(hkt_run(do_nothing, NULL), 0);
    check_finalized();
}
