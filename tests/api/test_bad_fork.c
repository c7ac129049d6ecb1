/* SPDX-License-Identifier: MIT */
/* Bad days: a raw fork. If none of hocket's threads run, the child may use everything; if some
 * do, it may exec, and what would wait is refused with a sentence. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "waits.h"

extern char **environ;

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int wait_for_event(void *event)
{
    return hkt_event_wait(event);
}

static int wait_for(pid_t child)
{
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    return status;
}

static void must_exit(pid_t child, int code)
{
    int status = wait_for(child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), code);
}

static void say_nothing(void *context, const char *line)
{
    (void)context;
    (void)line;
}

/* In the child: it is a program of one thread, which may use everything. */
static void use_everything(void)
{
    struct place place;
    hkt_timer *timer;
    hkt_thread_info infos[8];
    CHECK_EQ(hkt_native_id(), getpid());
    CHECK(hkt_thread_current() == hkt_thread_main());
    CHECK_EQ(hkt_thread_enumerate(infos, 8), 1);
    CHECK_EQ(infos[0].native_id, getpid());
    CHECK_EQ(infos[0].ident, hkt_ident());
    place_open(&place);
    for (size_t i = 0; i < wait_kind_count; i++) {
        struct waiter waiter = { .place = &place, .kind = &wait_kinds[i] };
        waiter_start(&waiter);
        await_asleep(waiter.thread);
        hkt_scope_cancel(&waiter.scope);
        waiter_join(&waiter);
        CHECK_EQ(waiter.result, -ECANCELED);
    }
    CHECK_EQ(hkt_fd_wait_until(place.pipe[0], HKT_READABLE, hkt_after(0.002)), -ETIMEDOUT);
    place_close(&place);
    CHECK_EQ(hkt_timer_start(&timer, 0.001, nothing, NULL), 0);
    CHECK_EQ(hkt_timer_join(timer), 0);
    hkt_timer_destroy(timer);
    hkt_set_report_sink(say_nothing, NULL);
    hkt_thread_report_all();
    CHECK_EQ(hkt_thread_report_on_signal(SIGUSR1), 0);
    CHECK_EQ(hkt_join_all(), 0);
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(hkt_allocation_count(), 0);
}

TEST(before_any_thread_the_child_may_use_everything)
{
    pid_t child = fork();
    if (child == 0) {
        use_everything();
        _exit(0);
    }
    must_exit(child, 0);
    use_everything(); /* and so may the parent */
}

TEST(after_all_threads_the_child_may_use_everything)
{
    hkt_sleep(0);
    for (int i = 0; i < 5; i++)
        must_join(must_spawn(nothing, NULL, NULL));
    uint64_t ident = hkt_ident();
    pid_t child = fork();
    if (child == 0) {
        CHECK_EQ(hkt_ident(), ident);
        use_everything();
        pid_t grandchild = fork();
        if (grandchild == 0) {
            use_everything();
            _exit(0);
        }
        must_exit(grandchild, 0);
        _exit(0);
    }
    must_exit(child, 0);
    use_everything();
}

TEST_TIMEOUT(a_fork_right_after_joining_all, 60)
{
    for (long i = 0; i < test_scaled(100); i++) {
        CHECK_EQ(hkt_thread_spawn(NULL, nothing, NULL, NULL), 0);
        CHECK_EQ(hkt_join_all(), 0);
        pid_t child = fork();
        if (child == 0) {
            CHECK_EQ(hkt_sleep(0.0001), 0);
            if (!UNDER_TSAN) /* which still sees the thread that has just ended */
                must_join(must_spawn(nothing, NULL, NULL));
            _exit(0);
        }
        must_exit(child, 0);
    }
}

TEST(a_lock_and_a_scope_go_on_in_the_child)
{
    hkt_lock lock = { 0 };
    hkt_scope scope;
    hkt_lock_acquire(&lock);
    hkt_scope_enter(&scope, NULL);
    pid_t child = fork();
    if (child == 0) {
        hkt_lock_release(&lock);
        CHECK_EQ(hkt_sleep(0.001), 0);
        hkt_scope_cancel(&scope);
        CHECK_EQ(hkt_sleep(0.001), -ECANCELED);
        CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
        _exit(0);
    }
    must_exit(child, 0);
    CHECK_EQ(hkt_sleep(0.001), 0);
    CHECK_EQ(hkt_scope_leave(&scope), 0);
    hkt_lock_release(&lock);
}

/* A child that does `what`, while a thread of hocket's waits in the parent. */
static pid_t fork_beside_a_thread(void (*what)(void), int *output)
{
    static hkt_event event;
    hkt_thread *thread = must_spawn(wait_for_event, &event, NULL);
    int fds[2];
    await_asleep(thread);
    CHECK_EQ(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(fds[1], STDERR_FILENO);
        what();
        _exit(0);
    }
    hkt_event_set(&event);
    must_join(thread);
    hkt_event_clear(&event);
    close(fds[1]);
    *output = fds[0];
    return child;
}

static void be_true(void)
{
    execl("/bin/true", "true", (char *)NULL);
    execl("/usr/bin/true", "true", (char *)NULL);
    _exit(127);
}

TEST(beside_threads_the_child_may_exec)
{
    int output;
    pid_t child = fork_beside_a_thread(be_true, &output);
    must_exit(child, 0);
    close(output);
}

/* The child dies by its misuse, and says why. */
static void must_be_refused(void (*what)(void))
{
    int output;
    char said[512] = "";
    pid_t child = fork_beside_a_thread(what, &output);
    int status = wait_for(child);
    CHECK(read(output, said, sizeof said - 1) >= 0);
    close(output);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGABRT);
    CHECK(strstr(said, "this is the child of a fork of a program whose threads ran"));
}

static void sleep_in_child(void)
{
    hkt_sleep(0.001);
}

static void wait_in_child(void)
{
    hkt_event event = { 0 };
    hkt_event_wait(&event);
}

static void acquire_in_child(void)
{
    hkt_semaphore semaphore = { 0 };
    if (hkt_semaphore_acquire(&semaphore) == 0)
        _exit(3);
}

static void get_in_child(void)
{
    hkt_queue *queue;
    int item;
    CHECK_EQ(hkt_queue_create(&queue, sizeof item, NULL), 0);
    if (hkt_queue_get(queue, &item) == 0)
        _exit(3);
}

static void start_in_child(void)
{
    hkt_thread *thread;
    if (hkt_thread_spawn(&thread, nothing, NULL, NULL) == 0)
        _exit(3);
}

TEST(beside_threads_the_child_may_not_wait)
{
    must_be_refused(sleep_in_child);
    must_be_refused(wait_in_child);
    must_be_refused(acquire_in_child);
    must_be_refused(get_in_child);
    must_be_refused(start_in_child);
}

static int fork_in_a_thread(void *arg)
{
    (void)arg;
    pid_t child = fork();
    if (child == 0)
        be_true();
    must_exit(child, 0);
    return 0;
}

TEST(a_thread_may_fork_and_exec)
{
    must_join(must_spawn(fork_in_a_thread, NULL, NULL));
}

static int run_commands(void *arg)
{
    char *const arguments[] = { "sh", "-c", "exit 5", NULL };
    pid_t child;
    (void)arg;
    CHECK_EQ(posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ), 0);
    must_exit(child, 5);
    CHECK_EQ(WEXITSTATUS(system("exit 6")), 6);
    CHECK_EQ(hkt_sleep(0.001), 0);
    return 0;
}

TEST(threads_may_run_commands)
{
    hkt_thread *threads[3];
    for (int i = 0; i < 3; i++)
        threads[i] = must_spawn(run_commands, NULL, NULL);
    for (int i = 0; i < 3; i++)
        must_join(threads[i]);
}

struct foreign {
    hkt_event known, leave;
    int code;
};

static void *be_known(void *arg)
{
    struct foreign *foreign = arg;
    hkt_event_set(&foreign->known);
    CHECK_EQ(hkt_event_wait(&foreign->leave), 0);
    return NULL;
}

/* Threads that are not hocket's do not forbid it; they are not in the child, nor in its list. */
TEST(beside_foreign_threads_the_child_may_use_everything)
{
    struct foreign foreign[3] = { 0 };
    pthread_t pthreads[3];
    if (UNDER_TSAN)
        TEST_SKIP("TSan starts no threads after a fork of a threaded program");
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(pthread_create(&pthreads[i], NULL, be_known, &foreign[i]), 0);
        CHECK_EQ(hkt_event_wait(&foreign[i].known), 0);
    }
    pid_t child = fork();
    if (child == 0) {
        use_everything();
        _exit(0);
    }
    must_exit(child, 0);
    for (int i = 0; i < 3; i++) {
        hkt_event_set(&foreign[i].leave);
        pthread_join(pthreads[i], NULL);
    }
    use_everything();
}

static void *fork_and_use(void *arg)
{
    struct foreign *foreign = arg;
    CHECK_EQ(hkt_sleep(0), 0);
    pid_t child = fork();
    if (child == 0) {
        use_everything(); /* the thread that forked is the child's main one */
        _exit(0);
    }
    foreign->code = wait_for(child);
    return NULL;
}

TEST(a_foreign_thread_may_fork)
{
    struct foreign foreign = { .code = -1 };
    pthread_t pthread;
    if (UNDER_TSAN)
        TEST_SKIP("TSan starts no threads after a fork of a threaded program");
    CHECK_EQ(pthread_create(&pthread, NULL, fork_and_use, &foreign), 0);
    pthread_join(pthread, NULL);
    CHECK_EQ(foreign.code, 0);
    use_everything();
}
