/* SPDX-License-Identifier: MIT */
/* Starts that the system, or the program, does not allow; and many at once. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "processes.h"

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int stay(void *arg)
{
    (void)arg;
    while (pause() < 0)
        continue;
    return 0;
}

TEST_TIMEOUT(a_thousand_starts_leave_nothing, 60)
{
    for (long i = 0; i < test_scaled(1000); i++)
        CHECK_EQ(end_of(start_by(HKT_START_FORKSERVER, nothing, NULL, 0)), 0);
    finalize_alone();
}

TEST_TIMEOUT(fifty_run_at_once, 60)
{
    EACH_METHOD(method)
    {
        hkt_process *processes[50];
        for (int i = 0; i < 50; i++)
            processes[i] = start_by(method, stay, NULL, 0);
        CHECK_EQ(hkt_process_active_children(NULL, 0), 50);
        for (int i = 0; i < 50; i++)
            CHECK_EQ(hkt_process_terminate(processes[i]), 0);
        for (int i = 0; i < 50; i++)
            CHECK_EQ(end_of(processes[i]), -SIGTERM);
    }
    finalize_alone();
}

static int start_ten(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        CHECK_EQ(end_of(start_by((hkt_start_method)(1 + i % 2), nothing, NULL, 0)), 0);
    return 0;
}

TEST_TIMEOUT(many_threads_may_start_processes, 60)
{
    hkt_thread *threads[8];
    for (int i = 0; i < 8; i++)
        CHECK_EQ(hkt_thread_spawn(&threads[i], start_ten, NULL, NULL), 0);
    for (int i = 0; i < 8; i++) {
        CHECK_EQ(hkt_thread_join(threads[i]), 0);
        hkt_thread_destroy(threads[i]);
    }
    finalize_alone();
}

TEST(tasks_of_a_loop_may_start_processes_but_not_copy_themselves)
{
    hkt_process *process;
    hkt_process_options options = { .method = HKT_START_FORK };
    CHECK_EQ(hkt_run(start_ten, NULL), 0);
    CHECK_EQ(hkt_process_create(&process, nothing, NULL, 0, &options), 0);
    CHECK_EQ(hkt_run((hkt_job *)(uintptr_t)hkt_process_start, process), -EBUSY);
    CHECK_EQ(hkt_process_start(process), 0); /* not here */
    CHECK_EQ(end_of(process), 0);
    finalize_alone();
}

static int wait_for_word(void *arg)
{
    await_word(arg);
    return 0;
}

static void *wait_as_pthread(void *arg)
{
    await_word(arg);
    return NULL;
}

static int start_one(void *arg)
{
    hkt_process *process;
    (void)arg;
    return hkt_process_spawn(&process, nothing, NULL, 0, NULL) == -EBUSY ? 6 : 7;
}

TEST(a_fork_is_refused_while_other_threads_run)
{
    int stop = 0;
    hkt_thread *thread;
    pthread_t foreign;
    hkt_process *process;
    hkt_process_options options = { .method = HKT_START_FORK };
    CHECK_EQ(hkt_thread_spawn(&thread, wait_for_word, &stop, NULL), 0);
    CHECK_EQ(hkt_process_spawn(&process, nothing, NULL, 0, &options), -EBUSY);
    CHECK(strstr(hkt_sentence(-EBUSY), "other thread") != NULL);
    options.with_threads = true;
    CHECK_EQ(hkt_process_spawn(&process, start_one, NULL, 0, &options), 0);
    CHECK_EQ(end_of(process), 6);
    put(&stop, 1);
    CHECK_EQ(hkt_thread_join(thread), 0);
    hkt_thread_destroy(thread);
    put(&stop, 0);
    CHECK_EQ(pthread_create(&foreign, NULL, wait_as_pthread, &stop), 0);
    options.with_threads = false;
    CHECK_EQ(hkt_process_spawn(&process, nothing, NULL, 0, &options), -EBUSY);
    put(&stop, 1);
    CHECK_EQ(pthread_join(foreign, NULL), 0);
    CHECK_EQ(hkt_process_spawn(&process, nothing, NULL, 0, &options), 0);
    CHECK_EQ(end_of(process), 0);
    finalize_alone();
}

static int tell_and_stay(void *arg)
{
    put(arg, getpid());
    while (pause() < 0)
        continue;
    return 0;
}

static void *start_and_end(void *arg)
{
    hkt_process_options options = { .method = HKT_START_FORK, .with_threads = true };
    hkt_process *process;
    CHECK_EQ(hkt_process_spawn(&process, tell_and_stay, arg, 0, &options), 0);
    return NULL;
}

static int start_and_die(void *arg)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, start_and_end, arg), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    await_word(arg);
    _exit(0);
}

static void *start_and_leave(void *arg)
{
    int *word = arg;
    hkt_process_options options = { .method = HKT_START_FORK, .with_threads = true };
    hkt_process *process;
    CHECK_EQ(hkt_process_spawn(&process, wait_for_word, word, 0, &options), 0);
    return process;
}

TEST(a_copy_outlives_the_thread_that_made_it_and_ends_with_the_process)
{
    int *word = shared_words(1);
    void *process;
    pthread_t thread;
    CHECK_EQ(hkt_process_start_method(), HKT_START_FORKSERVER);
    CHECK_EQ(pthread_create(&thread, NULL, start_and_leave, word), 0);
    CHECK_EQ(pthread_join(thread, &process), 0);
    usleep(20000);
    CHECK(hkt_process_is_alive(process));
    put(word, 1);
    CHECK_EQ(end_of(process), 0);
    put(word, 0);
    CHECK_EQ(end_of(start_by(HKT_START_SPAWN, start_and_die, word, 0)), 0);
    CHECK(is_gone_within(await_word(word), 1.0));
    hkt_shared_free(word);
    finalize_alone();
}

/* Few fds: as many starts as there can be, and then as with many. */
TEST(without_fds_a_start_fails_and_may_be_tried_again)
{
    struct rlimit before, few;
    hkt_process *process;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK_EQ(hkt_process_create(&process, nothing, NULL, 0, NULL), 0);
    int next = dup(0);
    close(next);
    for (int more = 0; more < 4; more++) {
        few = before;
        few.rlim_cur = (rlim_t)(next + more);
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
        int err = hkt_process_start(process);
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
        if (err == 0)
            break;
        CHECK_EQ(err, -EMFILE);
        CHECK(strstr(hkt_sentence(err), "ulimit -n") != NULL);
    }
    int err = hkt_process_start(process);
    CHECK(err == 0 || err == -EALREADY);
    CHECK_EQ(end_of(process), 0);
    process = start_by(HKT_START_FORKSERVER, nothing, NULL, 0);
    few.rlim_cur = (rlim_t)next;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    CHECK_EQ(hkt_process_sentinel(process), -EMFILE);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK_EQ(end_of(process), 0);
    finalize_alone();
}

TEST(an_fd_that_is_not_open_cannot_be_passed)
{
    int number = 1000;
    hkt_process *process;
    hkt_process_options options = { .pass_fds = &number, .pass_fd_count = 1 };
    CHECK_EQ(hkt_process_spawn(&process, nothing, NULL, 0, &options), -EBADF);
    finalize_alone();
}

/* For somebody who is not root, whose processes the system counts. */
TEST(without_processes_a_start_fails_and_may_be_tried_again)
{
    pid_t user = fork();
    if (user == 0) {
        struct rlimit limit;
        hkt_process *process;
        if (geteuid() == 0)
            CHECK(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
        CHECK_EQ(hkt_process_create(&process, nothing, NULL, 0, NULL), 0);
        int err = hkt_process_start(process); /* the server is there */
        if (err < 0)
            _exit(hkt_report(err));
        CHECK_EQ(end_of(process), 0);
        CHECK_EQ(getrlimit(RLIMIT_NPROC, &limit), 0);
        limit.rlim_cur = 1;
        CHECK_EQ(setrlimit(RLIMIT_NPROC, &limit), 0);
        CHECK_EQ(prlimit(server_pid(), RLIMIT_NPROC, &limit, NULL), 0);
        CHECK_EQ(hkt_process_create(&process, nothing, NULL, 0, NULL), 0);
        CHECK_EQ(hkt_process_start(process), -EAGAIN);
        CHECK(strstr(hkt_sentence(-EAGAIN), "ulimit -u") != NULL);
        limit.rlim_cur = limit.rlim_max;
        CHECK_EQ(prlimit(server_pid(), RLIMIT_NPROC, &limit, NULL), 0);
        CHECK_EQ(hkt_process_start(process), 0);
        CHECK_EQ(end_of(process), 0);
        _exit(hkt_finalize() == 0 ? 0 : 9);
    }
    int status;
    CHECK_EQ(waitpid(user, &status, 0), user);
    CHECK_EQ(status, 0);
}

static int preloaded;

static void preload(void)
{
    preloaded = 77;
}

static int look_at_preloaded(void *arg)
{
    (void)arg;
    return preloaded;
}

TEST(the_preload_function_runs_in_the_server_alone)
{
    CHECK_EQ(hkt_forkserver_set_preload(preload), 0);
    CHECK_EQ(end_of(start_by(HKT_START_FORKSERVER, look_at_preloaded, NULL, 0)), 77);
    CHECK_EQ(end_of(start_by(HKT_START_SPAWN, look_at_preloaded, NULL, 0)), 0);
    CHECK_EQ(preloaded, 0);
    CHECK_EQ(hkt_forkserver_set_preload(NULL), -EALREADY);
    finalize_alone();
}
