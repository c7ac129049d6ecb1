/* SPDX-License-Identifier: MIT */
/* Bad days of pools: jobs that end otherwise than by return. exit ends the process as C says;
 * pthread_exit and longjmp out of a job are refused with a sentence; a stack that overflows is named;
 * in the child of a raw fork nobody but exec may go on. */
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pools.h"

static hkt_executor *pool;

static int in_job(hkt_job *job, void *arg)
{
    return hkt_future_finish(must_submit(pool, job, arg));
}

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

static int wait_for_exit(void *arg)
{
    (void)arg;
    return in_job(call_exit, NULL);
}

static int fork_exit(void *arg)
{
    hkt_fork(call_exit, arg);
    return hkt_join();
}

static void open_pool(void)
{
    pool = must_pool(2);
    CHECK_EQ(atexit(say_bye), 0);
}

static void exit_in_job(void)
{
    open_pool();
    in_job(call_exit, NULL);
}

static void exit_in_nested_job(void)
{
    open_pool();
    in_job(wait_for_exit, NULL);
}

static void exit_in_fork(void)
{
    open_pool();
    in_job(fork_exit, NULL);
}

static void exit_in_fork_run(void)
{
    open_pool();
    (void)hkt_fork_run(pool, fork_exit, NULL);
}

/* Beside a job that never ends, and with others behind it. */
static void exit_beside_jobs(void)
{
    static struct gate gate;
    open_pool();
    hold_worker(pool, &gate);
    hkt_future *last = must_submit(pool, call_exit, NULL);
    for (int i = 0; i < 100; i++)
        must_submit(pool, do_nothing, NULL);
    hkt_future_finish(last);
}

static void exit_from_main(void)
{
    static struct gate gate;
    open_pool();
    hold_worker(pool, &gate);
    call_exit(NULL);
}

TEST(exit_in_a_job_ends_the_process_as_ever)
{
    static void (*const bodies[])(void) = { exit_in_job,      exit_in_nested_job, exit_in_fork,
                                            exit_in_fork_run, exit_beside_jobs,   exit_from_main };
    struct outcome outcome;
    if (UNDER_TSAN)
        TEST_SKIP("TSan wants all threads joined");
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        in_child(&outcome, bodies[i]);
        CHECK(exited(&outcome, 7));
        CHECK(strstr(outcome.said, "hello, bye\n"));
    }
}

/* pthread_exit. */

#define NEEDS_UNWINDING                                                                            \
    if (SANITIZED)                                                                                 \
    TEST_SKIP("sanitizers know pthread_exit of threads alone")

static int call_pthread_exit(void *arg)
{
    (void)arg;
    pthread_exit(NULL);
}

static int wait_for_pthread_exit(void *arg)
{
    (void)arg;
    return in_job(call_pthread_exit, NULL);
}

static int fork_pthread_exit(void *arg)
{
    hkt_fork(call_pthread_exit, arg);
    return hkt_join();
}

TEST_ABORTS(pthread_exit_in_a_job_is_refused, "called pthread_exit: it must return")
{
    NEEDS_UNWINDING;
    pool = must_pool(2);
    in_job(call_pthread_exit, NULL);
}

TEST_ABORTS(pthread_exit_in_a_nested_job_is_refused, "called pthread_exit: it must return")
{
    NEEDS_UNWINDING;
    pool = must_pool(1);
    in_job(wait_for_pthread_exit, NULL);
}

TEST_ABORTS(pthread_exit_in_a_fork_is_refused, "called pthread_exit: it must return")
{
    NEEDS_UNWINDING;
    pool = must_pool(2);
    in_job(fork_pthread_exit, NULL);
}

/* On a thread that is not the pool's. */
static void *run_pthread_exit(void *arg)
{
    (void)hkt_fork_run(pool, fork_pthread_exit, NULL);
    return arg;
}

TEST_ABORTS(pthread_exit_in_a_run_of_forks_is_refused, "pthread_exit")
{
    pthread_t pthread;
    pool = must_pool(1);
    CHECK_EQ(pthread_create(&pthread, NULL, run_pthread_exit, NULL), 0);
    pthread_join(pthread, NULL);
}

/* longjmp. */

static jmp_buf place;

static int call_longjmp(void *arg)
{
    (void)arg;
    longjmp(place, 1);
}

static int jump_into_the_waiting_job(void *arg)
{
    (void)arg;
    if (setjmp(place))
        return 0;
    return in_job(call_longjmp, NULL);
}

#define NEEDS_JUMPS                                                                                \
    if (SANITIZED)                                                                                 \
    TEST_SKIP("sanitizers do not like such jumps")

TEST_ABORTS(longjmp_into_the_job_that_waits_is_refused, "left by longjmp")
{
    NEEDS_JUMPS;
    pool = must_pool(1);
    in_job(jump_into_the_waiting_job, NULL);
}

/* The waiting job runs the other one itself. */
TEST_ABORTS(longjmp_into_a_job_without_foreign_work_is_refused, "a job")
{
    hkt_future *future;
    hkt_submit_options options = { .no_foreign_work = true };
    NEEDS_JUMPS;
    pool = must_pool(1);
    CHECK_EQ(hkt_submit_with(pool, &future, jump_into_the_waiting_job, NULL, &options), 0);
    hkt_future_finish(future);
}

/* Over forks that were not joined. */
static int fork_and_jump(void *arg)
{
    hkt_fork(do_nothing, arg);
    return call_longjmp(arg);
}

static int jump_over_forks(void *arg)
{
    if (setjmp(place))
        return 0;
    return fork_and_jump(arg);
}

TEST_ABORTS(longjmp_over_forks_is_refused, "forks that it has not joined")
{
    NEEDS_JUMPS;
    pool = must_pool(1);
    in_job(jump_over_forks, NULL);
}

/* Out of hkt_fork_run: told at the latest when the pool is destroyed, or at the next run. */
TEST_ABORTS(longjmp_out_of_a_run_of_forks_is_refused, "longjmp")
{
    NEEDS_JUMPS;
    pool = must_pool(1);
    if (setjmp(place) == 0)
        (void)hkt_fork_run(pool, call_longjmp, NULL);
    hkt_executor_destroy(pool);
}

/* Within one job it is nobody's business. */
static int jump_within(void *arg)
{
    if (setjmp(place))
        return in_job(do_nothing, NULL);
    return call_longjmp(arg);
}

TEST(longjmp_within_a_job_is_fine)
{
    pool = must_pool(1);
    CHECK_EQ(in_job(jump_within, NULL), 0);
    end_pool(pool);
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

static int wait_for_overflow(void *arg)
{
    (void)arg;
    return in_job(overflow, NULL);
}

static void overflow_in(hkt_job *job)
{
    hkt_thread_pool_options options = { .max_workers = 1, .name = "diggers", .stack_size = 65536 };
    CHECK_EQ(hkt_thread_pool_create(&pool, &options), 0);
    in_job(job, NULL);
}

static void overflow_in_job(void)
{
    overflow_in(overflow);
}

static void overflow_in_nested_job(void)
{
    overflow_in(wait_for_overflow);
}

TEST(a_stack_that_overflows_is_named)
{
    static void (*const bodies[])(void) = { overflow_in_job, overflow_in_nested_job };
    struct outcome outcome;
    if (SANITIZED)
        TEST_SKIP("this build has no reports of overflows");
    for (size_t i = 0; i < 2; i++) {
        in_child(&outcome, bodies[i]);
        CHECK(killed(&outcome, SIGSEGV));
        CHECK(strstr(outcome.said, "hocket: stack overflow in strand \""));
        CHECK(strstr(outcome.said, "diggers"));
        CHECK(strstr(outcome.said, ": 64 KiB are not enough, ask for more by .stack_size\n"));
    }
}

/* Raw forks: the child of a program with a pool. */

static void be_true(void)
{
    execl("/bin/true", "true", (char *)NULL);
    execl("/usr/bin/true", "true", (char *)NULL);
    _exit(127);
}

static void submit_in_child(void)
{
    _exit(hkt_submit(pool, NULL, do_nothing, NULL) == 0 ? 3 : 4);
}

static void map_in_child(void)
{
    char items[3];
    _exit(hkt_map(pool, do_nothing, HKT_ARRAY(items)) == 0 ? 3 : 4);
}

static int produce(void *context, void *item)
{
    (void)context;
    (void)item;
    return 1;
}

static void stream_in_child(void)
{
    _exit(hkt_imap(pool, do_nothing, 1, &(hkt_imap_options){ .produce = produce }) == 0 ? 3 : 4);
}

static int fork_in_child(void *arg)
{
    for (int i = 0; i < 10; i++)
        hkt_fork(do_nothing, arg);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(hkt_join(), 0);
    return 0;
}

static void run_forks_in_child(void)
{
    (void)hkt_fork_run(pool, fork_in_child, NULL);
}

static void loop_in_child(void)
{
    char items[100];
    _exit(hkt_parallel_for_each(pool, do_nothing, HKT_ARRAY(items)) == 0 ? 3 : 4);
}

static hkt_future *held;

static void wait_in_child(void)
{
    _exit(hkt_future_wait(held) == 0 ? 3 : 4);
}

static void finish_in_child(void)
{
    (void)hkt_future_finish(held);
}

static void shut_down_in_child(void)
{
    (void)hkt_executor_shutdown(pool);
}

static void destroy_in_child(void)
{
    hkt_executor_destroy(pool);
}

static void must_be_refused(void (*what)(void))
{
    struct outcome outcome;
    in_child(&outcome, what);
    CHECK(killed(&outcome, SIGABRT));
    CHECK(strstr(outcome.said, "this is the child of a fork of a program whose threads ran"));
}

/* One worker is at a job, one is idle. */
static void beside_a_pool(void (*what)(void))
{
    struct gate gate = { .result = 3 };
    pool = must_pool(2);
    held = hold_worker(pool, &gate);
    CHECK_EQ(in_job(do_nothing, NULL), 0);
    must_be_refused(what);
    let_through(&gate, held);
    CHECK_EQ(in_job(do_nothing, NULL), 0);
    end_pool(pool);
}

TEST(beside_a_pool_the_child_may_exec)
{
    struct outcome outcome;
    pool = must_pool(2);
    CHECK_EQ(in_job(do_nothing, NULL), 0);
    in_child(&outcome, be_true);
    CHECK(exited(&outcome, 0));
    end_pool(pool);
}

static int exec_in_child(void *arg)
{
    in_child(arg, be_true);
    return 0;
}

TEST(a_job_may_fork_and_exec)
{
    struct outcome outcome;
    pool = must_pool(2);
    CHECK_EQ(in_job(exec_in_child, &outcome), 0);
    CHECK(exited(&outcome, 0));
    end_pool(pool);
}

TEST(beside_a_pool_the_child_may_not_wait_for_jobs)
{
    beside_a_pool(wait_in_child);
    beside_a_pool(finish_in_child);
    beside_a_pool(map_in_child);
    beside_a_pool(stream_in_child);
    beside_a_pool(shut_down_in_child);
    beside_a_pool(destroy_in_child);
}

TEST(beside_a_pool_the_child_may_not_hand_in)
{
    beside_a_pool(submit_in_child);
}

TEST(beside_a_pool_the_child_may_not_fork_jobs)
{
    beside_a_pool(run_forks_in_child);
    beside_a_pool(loop_in_child);
}
