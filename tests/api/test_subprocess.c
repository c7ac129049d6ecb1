/* SPDX-License-Identifier: MIT */
/* hocket/subprocess.h: starting programs, what they get, and waiting for them. */
#include <sys/stat.h>

#include "subprocesses.h"

/* What a shell command writes, which must succeed. */
static void check_output(const char *command, const hkt_subprocess_options *options,
                         const char *expected)
{
    hkt_subprocess_result result = { 0 };
    CHECK_EQ(hkt_subprocess_run(ARGV("sh", "-c", command), NULL, 0, &result, options), 0);
    CHECK_STR(result.error ? result.error : "", "");
    CHECK_STR(result.output, expected);
    CHECK_EQ(result.output_size, strlen(expected));
    CHECK_EQ(result.code, 0);
    CHECK(!result.truncated);
    hkt_subprocess_result_free(&result);
    CHECK(result.output == NULL && result.output_size == 0);
}

static void start_fails(char *const argv[], const hkt_subprocess_options *options, int err,
                        const char *sentence)
{
    hkt_subprocess *child = NULL;
    CHECK_EQ(hkt_subprocess_exec(&child, argv, options), err);
    CHECK(child == NULL);
    CHECK_STR(hkt_sentence(err), sentence);
}

TEST(how_it_ended_is_told_again_and_again)
{
    const struct {
        const char *command;
        int code;
    } ends[] = { { "true", 0 },           { "exit 1", 1 },          { "exit 255", 255 },
                 { "kill -KILL $$", -9 }, { "kill -TERM $$", -15 }, { "kill -ABRT $$", -6 } };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        hkt_subprocess *child = must_shell(ends[i].command, NULL);
        CHECK(hkt_subprocess_pid(child) > 0);
        CHECK(hkt_subprocess_input(child) == NULL && hkt_subprocess_output(child) == NULL &&
              hkt_subprocess_error(child) == NULL);
        for (int again = 0; again < 3; again++)
            CHECK_EQ(must_wait(child), ends[i].code);
        CHECK_EQ(hkt_subprocess_wait_until(child, NULL, hkt_after(0)), 0);
        CHECK_EQ(hkt_subprocess_send_signal(child, SIGTERM), -ESRCH);
        hkt_subprocess_destroy(child);
    }
    hkt_subprocess_destroy(NULL);
    check_finalized();
}

TEST(output_and_error_are_two)
{
    hkt_subprocess_result result = { 0 };
    CHECK_EQ(hkt_subprocess_run(ARGV("sh", "-c", "echo out; echo err >&2; exit 3"), NULL, 0,
                                &result, NULL),
             0);
    CHECK_STR(result.output, "out\n");
    CHECK_STR(result.error, "err\n");
    CHECK_EQ(result.code, 3);
    hkt_subprocess_result_free(&result);
    hkt_subprocess_options options = { .error = HKT_REDIRECT_OUTPUT };
    CHECK_EQ(
        hkt_subprocess_run(ARGV("sh", "-c", "echo out; echo err >&2"), NULL, 0, &result, &options),
        0);
    CHECK_STR(result.output, "out\nerr\n");
    CHECK(result.error == NULL);
    hkt_subprocess_result_free(&result);
    check_finalized();
}

TEST(a_command_may_begin_with_a_dash)
{
    hkt_subprocess *child = must_shell("-x",
                                       &(hkt_subprocess_options){ .error = HKT_REDIRECT_NULL });
    CHECK_EQ(must_wait(child), 127); /* no such command, and no option either */
    hkt_subprocess_destroy(child);
    check_finalized();
}

TEST(the_null_device_is_empty_and_takes_all)
{
    hkt_subprocess_options options = { .input = HKT_REDIRECT_NULL,
                                       .output = HKT_REDIRECT_NULL,
                                       .error = HKT_REDIRECT_NULL };
    hkt_subprocess *child = must_shell("cat; echo out; echo err >&2", &options);
    CHECK_EQ(must_wait(child), 0);
    hkt_subprocess_destroy(child);
    check_output("cat; readlink /proc/self/fd/0",
                 &(hkt_subprocess_options){ .input = HKT_REDIRECT_NULL }, "/dev/null\n");
    check_finalized();
}

static void check_read(int fd, const char *expected)
{
    char text[64] = "";
    CHECK_EQ(read(fd, text, sizeof text - 1), strlen(expected));
    CHECK_STR(text, expected);
}

TEST(an_fd_of_ours_stays_ours)
{
    int out[2], err[2];
    CHECK_EQ(pipe2(out, O_CLOEXEC), 0);
    CHECK_EQ(pipe2(err, O_CLOEXEC), 0);
    hkt_subprocess_options options = {
        .output = HKT_REDIRECT_FD, .output_fd = out[1], .error = HKT_REDIRECT_FD, .error_fd = err[1]
    };
    for (int i = 0; i < 2; i++) {
        hkt_subprocess *child = must_shell("echo out; echo err >&2", &options);
        CHECK_EQ(must_wait(child), 0);
        hkt_subprocess_destroy(child);
        check_read(out[0], "out\n");
        check_read(err[0], "err\n");
    }
    options.error_fd = out[1]; /* the same */
    hkt_subprocess *child = must_shell("echo out; echo err >&2", &options);
    CHECK_EQ(must_wait(child), 0);
    hkt_subprocess_destroy(child);
    check_read(out[0], "out\nerr\n");
    for (int i = 0; i < 2; i++) {
        close(out[i]);
        close(err[i]);
    }
    check_finalized();
}

/* Ours are 0, 1 and 2 themselves, in every order; or closed. */
TEST(the_three_fds_may_change_places)
{
    int saved[3];
    for (int i = 0; i < 3; i++) {
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 3);
        CHECK(saved[i] >= 3);
    }
    for (int order = 0; order < 27; order++) {
        const int from[3] = { order % 3, order / 3 % 3, order / 9 };
        char program[160];
        hkt_subprocess_options options = { HKT_REDIRECT_FD,
                                           HKT_REDIRECT_FD,
                                           HKT_REDIRECT_FD,
                                           from[0],
                                           from[1],
                                           from[2],
                                           NULL,
                                           NULL,
                                           0,
                                           0,
                                           0,
                                           0,
                                           { 0 } };
        /* Each of our three is another device. */
        int devices[3] = { open("/dev/null", O_RDWR | O_CLOEXEC),
                           open("/dev/zero", O_RDWR | O_CLOEXEC),
                           open("/dev/full", O_RDWR | O_CLOEXEC) };
        for (int i = 0; i < 3; i++)
            dup2(devices[i], i);
        static const char *const names[] = { "null", "zero", "full" };
        snprintf(program, sizeof program,
                 "[ \"$(for i in 0 1 2; do readlink /proc/$$/fd/$i; done | tr '\\n' ' ')\" = "
                 "\"/dev/%s /dev/%s /dev/%s \" ]",
                 names[from[0]], names[from[1]], names[from[2]]);
        hkt_subprocess *child = NULL;
        int err = hkt_subprocess_shell(&child, program, &options), code = -1;
        err = err < 0 ? err : hkt_subprocess_wait(child, &code);
        hkt_subprocess_destroy(child);
        for (int i = 0; i < 3; i++) {
            dup2(saved[i], i);
            close(devices[i]);
        }
        CHECK_EQ(err, 0);
        CHECK_EQ(code, 0);
    }
    for (int i = 0; i < 3; i++)
        close(i);
    hkt_subprocess_result result = { 0 }; /* its pipes' ends are 0, 1 and 2 */
    int err = hkt_subprocess_run(ARGV("cat"), "hello", 5, &result, NULL);
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    CHECK_EQ(err, 0);
    CHECK_STR(result.output, "hello");
    hkt_subprocess_result_free(&result);
    check_finalized();
}

TEST(an_environment_of_its_own)
{
    char *const environment[] = { (char *)(uintptr_t) "ANSWER=42", NULL };
    CHECK_EQ(setenv("QUESTION", "six times seven", 1), 0);
    check_output("echo $QUESTION.$ANSWER", NULL, "six times seven.\n");
    check_output("echo $QUESTION.$ANSWER", &(hkt_subprocess_options){ .environment = environment },
                 ".42\n");
    check_finalized();
}

TEST(a_directory_to_begin_in)
{
    check_output("pwd", &(hkt_subprocess_options){ .directory = "/usr" }, "/usr\n");
    hkt_subprocess_result result = { 0 }; /* where the program is looked for, too */
    CHECK_EQ(hkt_subprocess_run(ARGV("./true"), NULL, 0, &result,
                                &(hkt_subprocess_options){ .directory = "/usr/bin" }),
             0);
    CHECK_EQ(result.code, 0);
    hkt_subprocess_result_free(&result);
    check_finalized();
}

TEST(what_cannot_be_started_is_told)
{
    char file[] = "/tmp/hocket-no-program-XXXXXX", sentence[120];
    int fd = mkostemp(file, O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, "hello\n", 6), 6);
    close(fd);
    start_fails(ARGV("no-such-program"), NULL, -ENOENT,
                "cannot start \"no-such-program\": no such program in PATH");
    start_fails(ARGV("/no/program"), NULL, -ENOENT,
                "cannot start \"/no/program\": no such program");
    start_fails(ARGV(""), NULL, -ENOENT, "cannot start \"\": no such program in PATH");
    start_fails(ARGV("true"), &(hkt_subprocess_options){ .directory = "/no/folder" }, -ENOENT,
                "cannot start \"true\": there is no directory \"/no/folder\"");
    start_fails(ARGV("true"), &(hkt_subprocess_options){ .directory = "/etc/passwd" }, -ENOTDIR,
                "cannot start \"true\": it cannot begin in directory \"/etc/passwd\"");
    start_fails(ARGV("/etc/passwd/true"), &(hkt_subprocess_options){ .directory = "/" }, -ENOTDIR,
                "cannot start \"/etc/passwd/true\": a part of its path is no directory");
    snprintf(sentence, sizeof sentence, "cannot start \"%s\": it may not be executed", file);
    start_fails(ARGV(file), NULL, -EACCES, sentence);
    CHECK_EQ(chmod(file, 0700), 0);
    snprintf(sentence, sizeof sentence, "cannot start \"%s\": it is no program", file);
    start_fails(ARGV(file), NULL, -ENOEXEC, sentence);
    CHECK_EQ(unlink(file), 0);
    hkt_subprocess_result result = { 0 };
    CHECK_EQ(hkt_subprocess_run(ARGV("no-such-program"), NULL, 0, &result, NULL), -ENOENT);
    CHECK(result.output == NULL);
    check_finalized();
}

TEST(bad_arguments_are_told)
{
    hkt_subprocess *child = NULL;
    char *const none[] = { NULL };
    hkt_subprocess_options wrong[] = {
        { .input = HKT_REDIRECT_OUTPUT },
        { .output = HKT_REDIRECT_OUTPUT },
        { .error = (hkt_redirect)5 },
        { .input = (hkt_redirect)-1 },
        { .patience = NAN },
        { .patience = -1 },
    };
    CHECK_EQ(hkt_subprocess_exec(&child, NULL, NULL), -EINVAL);
    CHECK_EQ(hkt_subprocess_exec(&child, none, NULL), -EINVAL);
    CHECK_EQ(hkt_subprocess_shell(&child, NULL, NULL), -EINVAL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_EQ(hkt_subprocess_exec(&child, ARGV("true"), &wrong[i]), -EINVAL);
    const int bad[] = { -1, 9999 };
    for (int i = 0; i < 2; i++)
        CHECK_EQ(hkt_subprocess_exec(
                     &child, ARGV("true"),
                     &(hkt_subprocess_options){ .output = HKT_REDIRECT_FD, .output_fd = bad[i] }),
                 -EBADF);
    CHECK(child == NULL);
    child = must_exec(ARGV("true"), NULL);
    CHECK_EQ(hkt_subprocess_communicate(child, "x", 1, &(hkt_subprocess_result){ .output = NULL }),
             -EINVAL);
    CHECK_EQ(must_wait(child), 0);
    hkt_subprocess_destroy(child);
    child = must_exec(ARGV("sleep", "1000"), NULL);
    CHECK_EQ(hkt_subprocess_send_signal(child, 1000), -EINVAL);
    hkt_subprocess_destroy(child);
    check_finalized();
}

/* Of a process that does nothing with signals itself. */
TEST(signals_are_as_at_the_beginning)
{
    sigset_t set, before;
    hkt_subprocess_result result = { 0 };
    CHECK(signal(SIGINT, SIG_IGN) != SIG_ERR);
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    CHECK(signal(SIGRTMAX, SIG_IGN) != SIG_ERR);
    sigfillset(&set);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, &before), 0);
    int err = hkt_subprocess_run(ARGV("cat", "/proc/self/status"), NULL, 0, &result, NULL);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
    CHECK_EQ(err, 0);
    CHECK(strstr(result.output, "SigBlk:\t0000000000000000\n") != NULL);
    CHECK(strstr(result.output, "SigIgn:\t0000000000000000\n") != NULL);
    CHECK(strstr(result.output, "SigCgt:\t0000000000000000\n") != NULL);
    hkt_subprocess_result_free(&result);
    check_finalized();
}

TEST(it_has_no_fds_but_the_three)
{
    int stray[2];
    CHECK_EQ(pipe(stray), 0); /* not closed when a program begins */
    int high = fcntl(stray[0], F_DUPFD, 700);
    CHECK(high >= 700);
    hkt_subprocess *others[3];
    hkt_subprocess_options all = pipes;
    all.error = HKT_REDIRECT_PIPE;
    for (int i = 0; i < 3; i++)
        others[i] = must_exec(ARGV("cat"), &all);
    check_output("ls /proc/self/fd", NULL, "0\n1\n2\n3\n"); /* the last one reads the folder */
    for (int i = 0; i < 3; i++)
        hkt_subprocess_destroy(others[i]);
    close(high);
    close(stray[0]);
    close(stray[1]);
    check_finalized();
}

TEST(it_leads_a_group_or_a_session)
{
    for (int i = 0; i < 4; i++) {
        hkt_subprocess_options options = { .new_group = i & 1, .new_session = i & 2 };
        hkt_subprocess *child = must_exec(ARGV("sleep", "1000"), &options);
        pid_t pid = hkt_subprocess_pid(child);
        CHECK_EQ(getpgid(pid), i ? pid : getpgid(0));
        CHECK_EQ(getsid(pid), i & 2 ? pid : getsid(0));
        hkt_subprocess_destroy(child);
    }
    check_finalized();
}

static int wait_for_child(void *child)
{
    int code = 4711;
    int err = hkt_subprocess_wait(child, &code);
    return err < 0 ? err : code;
}

TEST(a_wait_ends_with_its_deadline_or_scope_and_the_child_runs_on)
{
    int code = 4711;
    struct caller caller;
    hkt_subprocess *child = must_exec(ARGV("sleep", "1000"), NULL);
    double began = hkt_monotonic();
    CHECK_EQ(hkt_subprocess_wait_until(child, &code, hkt_after(0.02)), -ETIMEDOUT);
    CHECK(hkt_monotonic() - began >= 0.02);
    CHECK_EQ(hkt_subprocess_wait_until(child, &code, hkt_after(0)), -ETIMEDOUT);
    caller_start_waiting(&caller, wait_for_child, child, child);
    caller_cancel(&caller);
    CHECK_EQ(caller_end(&caller), -ECANCELED);
    CHECK_EQ(call_cancelled(wait_for_child, child), -ECANCELED);
    CHECK_EQ(code, 4711);
    CHECK_EQ(hkt_subprocess_send_signal(child, 0), 0); /* it is there */
    CHECK_EQ(hkt_subprocess_send_signal(child, SIGTERM), 0);
    CHECK_EQ(must_wait(child), -SIGTERM);
    CHECK_EQ(call_cancelled(wait_for_child, child), -ECANCELED);
    hkt_subprocess_destroy(child);
    check_finalized();
}

static int expect_code_7(void *arg)
{
    CHECK_EQ(must_wait(*(hkt_subprocess **)arg), 7);
    return 0;
}

TEST(all_who_wait_are_told_the_code)
{
    for (long round = 0; round < test_scaled(30); round++) {
        hkt_subprocess_options options = { .input = HKT_REDIRECT_PIPE };
        hkt_subprocess *child = must_shell("read line; exit 7", &options), *args[8];
        struct caller caller;
        for (int i = 0; i < 8; i++)
            args[i] = child;
        caller_start(&caller, expect_code_7, &args[0]);
        if (round % 2)
            await_waiting_for(caller.thread, child);
        CHECK_EQ(hkt_stream_close(hkt_subprocess_input(child)), 0);
        call_in_threads(8, expect_code_7, args, sizeof *args);
        CHECK_EQ(caller_end(&caller), 0);
        hkt_subprocess_destroy(child);
    }
    check_finalized();
}
