/* SPDX-License-Identifier: MIT */
/* hocket/subprocess.h: how programs are ended, alone and with their groups, and what races with
 * that. */
#include "subprocesses.h"

/* A shell command, which first writes a line: then it has set its traps. */
static hkt_subprocess *must_begin(const char *command, const hkt_subprocess_options *options)
{
    char line[16];
    hkt_subprocess *child = must_exec(ARGV("sh", "-c", command), options);
    CHECK_EQ(hkt_stream_read_line(hkt_subprocess_output(child), line, sizeof line), 6);
    CHECK_STR(line, "ready\n");
    return child;
}

/* All that is left in its output, up to the end of the last one who has it. */
static void check_rest(hkt_subprocess *child, const char *expected)
{
    char text[64];
    size_t size = 0;
    int err = hkt_stream_read_exactly(hkt_subprocess_output(child), text, sizeof text - 1, &size);
    CHECK_EQ(err, -ENODATA);
    text[size] = '\0';
    CHECK_STR(text, expected);
}

TEST(to_end_is_sigterm_and_the_code)
{
    hkt_subprocess *child = must_exec(ARGV("sleep", "1000"), NULL);
    double began = hkt_monotonic();
    CHECK_EQ(must_end(child), -SIGTERM);
    CHECK(hkt_monotonic() - began < SOON);
    CHECK_EQ(must_end(child), -SIGTERM); /* again */
    CHECK_EQ(hkt_subprocess_end(child, NULL), 0);
    hkt_subprocess_destroy(child);
    child = must_begin("trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done", &pipes);
    CHECK_EQ(must_end(child), 9);
    hkt_subprocess_destroy(child);
    child = must_exec(ARGV("sh", "-c", "exit 3"), &pipes);
    check_rest(child, "");
    int code = must_end(child);
    CHECK(code == 3 || code == -SIGTERM); /* it closes its output before it ends */
    hkt_subprocess_destroy(child);
    check_finalized();
}

TEST(who_does_not_hear_sigterm_is_killed_after_the_patience)
{
    hkt_subprocess_options options = pipes;
    options.patience = 0.05;
    for (int group = 0; group < 2; group++) {
        options.new_group = group;
        hkt_subprocess *child = must_begin("trap '' TERM; echo ready; exec sleep 1000", &options);
        double began = hkt_monotonic();
        CHECK_EQ(must_end(child), -SIGKILL);
        double took = hkt_monotonic() - began;
        CHECK(took >= 0.05 && took < SOON);
        hkt_subprocess_destroy(child);
    }
    check_finalized();
}

static int end_it(void *child)
{
    return hkt_subprocess_end(child, NULL);
}

TEST(it_is_ended_in_an_ended_scope_too)
{
    hkt_subprocess_options options = pipes;
    options.patience = 0.02;
    hkt_subprocess *child = must_begin("trap '' TERM; echo ready; exec sleep 1000", &options);
    CHECK_EQ(call_cancelled(end_it, child), 0);
    CHECK_EQ(must_end(child), -SIGKILL);
    hkt_subprocess_destroy(child);
    check_finalized();
}

/* A child of the child holds the pipe. */
TEST(a_group_is_ended_with_its_leader)
{
    for (int i = 0; i < 4; i++) {
        hkt_subprocess_options options = pipes;
        options.new_group = i % 2 == 0;
        options.new_session = i % 2;
        hkt_subprocess *child = must_begin("sleep 1000 & echo ready; wait", &options);
        int code = i < 2 ? must_end(child) : -SIGTERM;
        CHECK_EQ(code, -SIGTERM);
        if (i >= 2)
            CHECK_EQ(hkt_subprocess_send_signal(child, SIGTERM), 0);
        check_rest(child, "");
        hkt_subprocess_destroy(child);
    }
    check_finalized();
}

TEST(a_group_has_the_patience_that_its_leader_does_not_need)
{
    hkt_subprocess_options options = pipes;
    options.new_group = true;
    hkt_subprocess *child = must_begin(
        "sh -c 'trap \"sleep 0.1; echo bye; exit\" TERM; echo ready; "
        "while :; do sleep 0.01; done' & wait",
        &options);
    CHECK_EQ(must_end(child), -SIGTERM); /* the leader: at once */
    check_rest(child, "bye\n");
    hkt_subprocess_destroy(child);
    options.patience = 0.05;
    child = must_begin("sh -c 'trap \"\" TERM; echo ready; sleep 1000; echo bye' & wait", &options);
    double began = hkt_monotonic();
    CHECK_EQ(must_end(child), -SIGTERM);
    CHECK(hkt_monotonic() - began >= 0.05);
    check_rest(child, ""); /* killed */
    hkt_subprocess_destroy(child);
    check_finalized();
}

/* As long as nobody has waited for the leader. */
TEST(a_group_outlives_its_leader_until_that_is_waited_for)
{
    hkt_subprocess_options options = pipes;
    options.new_group = true;
    hkt_subprocess *child = must_begin("sleep 1000 & echo ready", &options);
    siginfo_t info;
    pid_t pid = hkt_subprocess_pid(child);
    CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    CHECK_EQ(hkt_subprocess_send_signal(child, SIGCONT), 0);
    CHECK_EQ(hkt_subprocess_send_signal(child, SIGTERM), 0);
    check_rest(child, "");
    CHECK_EQ(must_end(child), 0);
    CHECK_EQ(hkt_subprocess_send_signal(child, SIGTERM), -ESRCH);
    hkt_subprocess_destroy(child);
    check_finalized();
}

TEST(to_destroy_kills_what_still_runs)
{
    for (int group = 0; group < 2; group++) {
        hkt_subprocess_options options = pipes;
        options.new_group = group;
        options.patience = 1000;
        int fd = -1;
        hkt_subprocess *child = must_begin(group
                                               ? "trap '' TERM; sleep 1000 & echo ready; sleep 1000"
                                               : "trap '' TERM; echo ready; exec sleep 1000",
                                           &options);
        fd = fcntl(hkt_stream_fd(hkt_subprocess_output(child)), F_DUPFD_CLOEXEC, 3);
        hkt_subprocess_destroy(child);
        CHECK_EQ(hkt_fd_wait(fd, HKT_READABLE), HKT_READABLE);
        CHECK_EQ(read(fd, &(char){ 0 }, 1), 0);
        close(fd);
    }
    check_finalized();
}

/* What is kept for writing, and for which there is no room, does not hold it up. */
TEST(to_destroy_drops_what_nobody_reads)
{
    static char much[200000];
    char path[64];
    hkt_subprocess *child = must_exec(ARGV("sleep", "1000"), &pipes);
    hkt_stream *input = hkt_subprocess_input(child);
    snprintf(path, sizeof path, "/proc/%d/fd/0", hkt_subprocess_pid(child));
    int reader = open(path, O_RDONLY | O_CLOEXEC); /* so the pipe is not broken */
    CHECK(reader >= 0);
    while (hkt_stream_write_nowait(input, much, sizeof much) > 0)
        ;
    CHECK_EQ(hkt_stream_set_write_buffer(input, sizeof much), 0);
    CHECK_EQ(hkt_stream_write(input, much, sizeof much), 0);
    hkt_subprocess_destroy(child);
    close(reader);
    check_finalized();
}

TEST(a_timeout_around_a_run_ends_all_of_it)
{
    struct run run = { .argv = ARGV("sh", "-c", "sleep 1000 & wait") };
    run.options.new_group = true;
    double began = hkt_monotonic();
    CHECK_EQ(hkt_wait_for(run_it, &run, 0.1), -ETIMEDOUT);
    double took = hkt_monotonic() - began;
    CHECK(took >= 0.1 && took < SOON);
    CHECK_EQ(run.result.code, -SIGTERM);
    hkt_subprocess_result_free(&run.result);
    CHECK_EQ(call_cancelled(run_it, &run), -ECANCELED); /* nothing is started */
    CHECK(run.result.output == NULL);
    check_finalized();
}

static int wait_for_child(void *child)
{
    int code = 4711;
    int err = hkt_subprocess_wait(child, &code);
    CHECK(err == -ECANCELED || (err == 0 && code == -SIGTERM));
    return err;
}

/* A wait that is cancelled while the child ends: one or the other, and nothing is lost. */
TEST_TIMEOUT(a_cancel_races_with_the_end, 60)
{
    for (long i = 0; i < test_scaled(200); i++) {
        struct caller callers[2];
        hkt_subprocess *child = must_exec(ARGV("sleep", "1000"), NULL);
        for (int j = 0; j < 2; j++)
            caller_start(&callers[j], wait_for_child, child);
        if (i % 2)
            await_waiting_for(callers[0].thread, child);
        CHECK_EQ(hkt_subprocess_send_signal(child, SIGTERM), 0);
        await_spinning((double)(i % 20) * 50e-6);
        caller_cancel(&callers[0]);
        int err = caller_end(&callers[0]);
        CHECK(err == 0 || err == -ECANCELED);
        CHECK_EQ(caller_end(&callers[1]), 0);
        CHECK_EQ(must_end(child), -SIGTERM);
        hkt_subprocess_destroy(child);
    }
    check_finalized();
}

static int end_or_wait(void *arg)
{
    hkt_subprocess *child = *(hkt_subprocess **)arg;
    int code = 4711;
    if ((uintptr_t)arg / sizeof(void *) % 2)
        CHECK_EQ(hkt_subprocess_end(child, &code), 0);
    else
        CHECK_EQ(hkt_subprocess_wait(child, &code), 0);
    CHECK_EQ(code, -SIGTERM);
    int err = hkt_subprocess_send_signal(child, SIGCONT);
    CHECK_EQ(err, -ESRCH);
    return 0;
}

TEST_TIMEOUT(many_end_it_and_wait_for_it, 60)
{
    for (long i = 0; i < test_scaled(50); i++) {
        hkt_subprocess_options options = { .new_group = i % 2 };
        hkt_subprocess *child = must_exec(ARGV("sleep", "1000"), &options), *args[12];
        for (int j = 0; j < 12; j++)
            args[j] = child;
        call_in_threads(12, end_or_wait, args, sizeof *args);
        hkt_subprocess_destroy(child);
    }
    check_finalized();
}

static int cancelled_run(void *arg)
{
    struct run *run = arg;
    int err = run_it(run);
    CHECK(err == 0 || err == -ECANCELED);
    CHECK(err < 0 || run->result.output_size == run->size);
    hkt_subprocess_result_free(&run->result);
    return 0;
}

TEST_TIMEOUT(a_run_may_be_cancelled_at_any_moment, 60)
{
    static char input[200000];
    for (long i = 0; i < test_scaled(200); i++) {
        struct run run = { .argv = ARGV("cat"), .input = input, .size = sizeof input };
        struct caller caller;
        run.options.new_group = i % 2;
        caller_start(&caller, cancelled_run, &run);
        await_spinning((double)(i % 50) * 60e-6);
        caller_cancel(&caller);
        CHECK_EQ(caller_end(&caller), 0);
    }
    check_finalized();
}
