/* SPDX-License-Identifier: MIT */
/* How processes end: by signals, by exit, with their parents, and when the fork server dies. */
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "processes.h"

struct family {
    int *words; /* [0], [1]: numbers of processes; [2]: what a child may do */
    hkt_start_method method;
};

static int stay(void *arg)
{
    if (arg)
        put(arg, getpid());
    while (pause() < 0)
        continue;
    return 0;
}

TEST(a_process_that_is_killed_says_by_which_signal)
{
    (void)signal(SIGINT, SIG_DFL); /* a copy has it ignored if we have, by who started the tests */
    EACH_METHOD(method)
    {
        int result = 0, code = 0;
        hkt_process *process = start_by(method, stay, NULL, 0);
        CHECK_EQ(hkt_process_kill(process), 0);
        CHECK_EQ(hkt_process_join(process), 0);
        CHECK_EQ(hkt_process_result(process, &result), 0);
        CHECK_EQ(result, -EOWNERDEAD);
        CHECK(strstr(hkt_sentence(result), "was ended by signal 9 (SIGKILL)") != NULL);
        CHECK_EQ(hkt_process_exit_code(process, &code), 0);
        CHECK_EQ(code, -SIGKILL);
        CHECK_EQ(hkt_process_kill(process), 0); /* it is no more, and nobody else is hit */
        hkt_process_destroy(process);
        process = start_by(method, stay, NULL, 0);
        CHECK_EQ(hkt_process_terminate(process), 0);
        CHECK_EQ(end_of(process), -SIGTERM);
        process = start_by(method, stay, NULL, 0);
        CHECK_EQ(hkt_process_interrupt(process), 0);
        CHECK_EQ(end_of(process), -SIGINT);
        process = start_by(method, stay, NULL, 0);
        CHECK_EQ(hkt_process_send_signal(process, 1000), -EINVAL);
        CHECK_EQ(hkt_process_send_signal(process, SIGUSR1), 0);
        CHECK_EQ(end_of(process), -SIGUSR1);
    }
    finalize_alone();
}

static int call_exit(void *arg)
{
    (void)arg;
    exit(3);
}

static int call_abort(void *arg)
{
    (void)arg;
    abort();
}

TEST(a_process_may_call_exit_and_its_result_says_so)
{
    EACH_METHOD(method)
    {
        int result = 0;
        hkt_process *process = start_by(method, call_exit, NULL, 0);
        CHECK_EQ(hkt_process_join(process), 0);
        CHECK_EQ(hkt_process_result(process, &result), 0);
        CHECK_EQ(result, -EOWNERDEAD);
        CHECK(strstr(hkt_sentence(result), "called exit(3)") != NULL);
        CHECK_EQ(end_of(process), 3);
        CHECK_EQ(end_of(start_by(method, call_abort, NULL, 0)), -SIGABRT);
    }
    finalize_alone();
}

static int print_and_leave(void *arg)
{
    CHECK(dup2(*(int *)arg, STDOUT_FILENO) >= 0);
    printf("written at the end");
    return 0;
}

TEST(what_a_process_has_printed_is_written_out_at_its_end_and_once)
{
    EACH_METHOD(method)
    {
        int ends[2];
        char text[64] = "";
        CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
        hkt_process_options options = { .method = method,
                                        .pass_fds = &ends[1],
                                        .pass_fd_count = 1 };
        hkt_process *process;
        printf("%s", "in the parent's buffer: not the child's to write\n");
        CHECK_EQ(hkt_process_spawn(&process, print_and_leave, HKT_ITEM(ends[1]), &options), 0);
        CHECK_EQ(end_of(process), 0);
        close(ends[1]);
        CHECK_EQ(read(ends[0], text, sizeof text - 1), 18);
        CHECK_STR(text, "written at the end");
        CHECK_EQ(read(ends[0], text, 1), 0);
        close(ends[0]);
    }
    finalize_alone();
}

static int late(void *arg)
{
    CHECK_EQ(hkt_sleep(0.05), 0);
    put(arg, 1);
    return 0;
}

static int leave_a_thread_and_a_child(void *arg)
{
    struct family *family = arg;
    hkt_process *process;
    hkt_process_options options = { .method = family->method };
    if (family->method != HKT_START_FORK) /* which is for processes of one thread */
        CHECK_EQ(hkt_thread_spawn(NULL, late, &family->words[0], NULL), 0);
    else
        put(&family->words[0], 1);
    CHECK_EQ(hkt_process_spawn(&process, late, &family->words[1], 0, &options), 0);
    hkt_process_destroy(process);
    return 4;
}

TEST(a_process_waits_at_its_end_for_its_threads_and_children)
{
    EACH_METHOD(method)
    {
        struct family family = { .words = shared_words(2), .method = method };
        CHECK_EQ(end_of(start_by(method, leave_a_thread_and_a_child, HKT_ITEM(family))), 4);
        CHECK_EQ(get(&family.words[0]), 1);
        CHECK_EQ(get(&family.words[1]), 1);
        hkt_shared_free(family.words);
    }
    finalize_alone();
}

static int leave_a_daemon(void *arg)
{
    struct family *family = arg;
    hkt_process *process;
    hkt_process_options options = { .method = family->method, .daemon = true };
    CHECK_EQ(hkt_process_spawn(&process, stay, &family->words[0], 0, &options), 0);
    await_word(&family->words[0]);
    hkt_process_destroy(process);
    return 5;
}

TEST(a_daemon_ends_with_its_parent_and_is_not_waited_for)
{
    EACH_METHOD(method)
    {
        struct family family = { .words = shared_words(1), .method = method };
        CHECK_EQ(end_of(start_by(method, leave_a_daemon, HKT_ITEM(family))), 5);
        CHECK(is_gone_within(get(&family.words[0]), 1.0));
        hkt_shared_free(family.words);
    }
    finalize_alone();
}

TEST(join_all_waits_for_children_that_were_given_back)
{
    int *word = shared_words(1);
    EACH_METHOD(method)
    {
        put(word, 0);
        hkt_process_destroy(start_by(method, late, word, 0));
        CHECK_EQ(hkt_join_all_until(hkt_after(0.001)), -ETIMEDOUT);
        CHECK_EQ(hkt_join_all(), 0);
        CHECK_EQ(get(word), 1);
    }
    hkt_shared_free(word);
    finalize_alone();
}

static int middle(void *arg)
{
    struct family *family = arg;
    hkt_process *process;
    hkt_process_options options = { .method = family->method };
    CHECK_EQ(hkt_process_spawn(&process, stay, &family->words[1], 0, &options), 0);
    put(&family->words[0], getpid());
    return hkt_process_join(process);
}

TEST(when_a_process_is_killed_its_children_end_within_a_second)
{
    EACH_METHOD(method)
    {
        struct family family = { .words = shared_words(2), .method = method };
        hkt_process *process = start_by(method, middle, HKT_ITEM(family));
        int child = await_word(&family.words[1]);
        CHECK(!is_gone(child));
        CHECK_EQ(hkt_process_kill(process), 0);
        CHECK_EQ(end_of(process), -SIGKILL);
        CHECK(is_gone_within(child, 1.0));
        hkt_shared_free(family.words);
    }
    finalize_alone();
}

/* A generation more, started by a process that is no child of hocket's, which is killed. */
TEST(grandchildren_of_a_killed_program_end_within_a_second)
{
    EACH_METHOD(method)
    {
        struct family family = { .words = shared_words(2), .method = method };
        pid_t program = fork();
        if (program == 0) {
            (void)start_by(method, middle, HKT_ITEM(family));
            stay(NULL);
        }
        int child = await_word(&family.words[0]), grandchild = await_word(&family.words[1]);
        CHECK_EQ(kill(program, SIGKILL), 0);
        CHECK_EQ(waitpid(program, NULL, 0), program);
        CHECK(is_gone_within(child, 1.0));
        CHECK(is_gone_within(grandchild, 1.0));
        hkt_shared_free(family.words);
    }
    finalize_alone();
}

TEST(when_the_fork_server_is_killed_its_children_are_over_and_the_next_start_makes_a_new_one)
{
    for (int turn = 0; turn < 3; turn++) {
        int code = 0;
        hkt_process *server_s[2] = { start_by(HKT_START_FORKSERVER, stay, NULL, 0),
                                     start_by(HKT_START_SPAWN, stay, NULL, 0) };
        struct pollfd look = { .fd = hkt_process_sentinel(server_s[0]), .events = POLLIN };
        int server = server_pid();
        CHECK(server > 0);
        CHECK_EQ(kill(server, SIGKILL), 0);
        CHECK_EQ(poll(&look, 1, 20000), 1);
        for (int i = 0; i < 2; i++) {
            int pid = hkt_process_pid(server_s[i]);
            CHECK_EQ(hkt_process_join(server_s[i]), 0);
            CHECK(is_gone(pid));
            CHECK_EQ(hkt_process_exit_code(server_s[i], &code), 0);
            CHECK_EQ(code, -SIGKILL);
            CHECK_EQ(hkt_process_kill(server_s[i]), 0);
            hkt_process_destroy(server_s[i]);
        }
        hkt_process *process = start_by(HKT_START_FORKSERVER, late, NULL, 0);
        CHECK_EQ(hkt_process_kill(process), 0);
        CHECK_EQ(end_of(process), -SIGKILL);
    }
    finalize_alone();
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int start_some(void *arg)
{
    int *stop = arg;
    long started = 0;
    while (!get(stop) || started == 0) {
        hkt_process *process;
        int err = hkt_process_spawn(&process, nothing, NULL, 0, NULL);
        CHECK(err == 0 || err == -EAGAIN);
        if (err < 0)
            continue;
        CHECK_EQ(hkt_process_join(process), 0);
        hkt_process_destroy(process);
        started++;
    }
    return 0;
}

TEST(the_fork_server_may_be_killed_while_processes_are_being_started)
{
    int stop = 0;
    hkt_thread *threads[3];
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_thread_spawn(&threads[i], start_some, &stop, NULL), 0);
    for (long i = 0; i < test_scaled(20); i++) {
        int server;
        while ((server = server_pid()) == 0)
            usleep(1000);
        (void)kill(server, SIGKILL);
        usleep((useconds_t)(test_seed() * 31 + (uint64_t)i * 7919) % 5000);
    }
    put(&stop, 1);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(hkt_thread_join(threads[i]), 0);
        hkt_thread_destroy(threads[i]);
    }
    finalize_alone();
}

TEST(a_start_waits_for_a_server_that_is_stopped)
{
    CHECK_EQ(end_of(start_by(HKT_START_FORKSERVER, nothing, NULL, 0)), 0);
    int server = server_pid();
    CHECK_EQ(kill(server, SIGSTOP), 0);
    double begun = hkt_monotonic();
    pid_t helper = fork();
    if (helper == 0) {
        usleep(50000);
        kill(server, SIGCONT);
        _exit(0);
    }
    CHECK_EQ(end_of(start_by(HKT_START_FORKSERVER, nothing, NULL, 0)), 0);
    CHECK(hkt_monotonic() - begun >= 0.05);
    CHECK_EQ(waitpid(helper, NULL, 0), helper);
    finalize_alone();
}
