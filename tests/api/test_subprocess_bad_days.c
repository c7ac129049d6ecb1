/* SPDX-License-Identifier: MIT */
/* hocket/subprocess.h on bad days: children whose end somebody else has taken, no fds, no memory,
 * no pidfds; and the children of others, which stay theirs. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "subprocesses.h"

TEST(the_children_of_others_stay_theirs)
{
    int status, gate[2];
    CHECK_EQ(pipe(gate), 0);
    pid_t early = fork(), late = early ? fork() : -1;
    if (early == 0)
        _exit(11);
    if (late == 0) {
        close(gate[1]);
        _exit(read(gate[0], &status, 1) == 0 ? 12 : 13);
    }
    for (int i = 0; i < 20; i++) {
        hkt_subprocess_result result = { 0 };
        CHECK_EQ(hkt_subprocess_run(ARGV("true"), NULL, 0, &result, NULL), 0);
        hkt_subprocess_result_free(&result);
        hkt_subprocess *child = must_exec(ARGV("sleep", "1000"), NULL);
        hkt_subprocess_destroy(child);
    }
    close(gate[1]);
    close(gate[0]);
    CHECK_EQ(waitpid(early, &status, 0), early);
    CHECK_EQ(WEXITSTATUS(status), 11);
    CHECK_EQ(waitpid(late, &status, 0), late);
    CHECK_EQ(WEXITSTATUS(status), 12);
    check_finalized();
}

static void end_by_somebody_else(hkt_subprocess *child)
{
    int status;
    CHECK_EQ(kill(hkt_subprocess_pid(child), SIGKILL), 0);
    CHECK_EQ(waitpid(hkt_subprocess_pid(child), &status, 0), hkt_subprocess_pid(child));
}

TEST(what_somebody_else_has_waited_for_is_not_known)
{
    for (int i = 0; i < 8; i++) {
        int code = 4711;
        hkt_subprocess_options options = pipes;
        options.new_group = i % 2;
        hkt_subprocess *child = must_exec(ARGV("cat"), &options);
        end_by_somebody_else(child);
        if (i / 2 == 0)
            CHECK_EQ(hkt_subprocess_wait(child, &code), -ECHILD);
        if (i / 2 <= 1)
            CHECK_EQ(hkt_subprocess_end(child, &code), -ECHILD);
        hkt_subprocess_result result = { 0 };
        if (i / 2 == 2)
            CHECK_EQ(hkt_subprocess_communicate(child, "x", 1, &result), -ECHILD);
        hkt_subprocess_result_free(&result);
        CHECK_EQ(hkt_subprocess_send_signal(child, SIGTERM), -ESRCH);
        CHECK_EQ(code, 4711);
        hkt_subprocess_destroy(child);
    }
    check_finalized();
}

TEST(where_sigchld_is_ignored_nothing_is_known)
{
    CHECK(signal(SIGCHLD, SIG_IGN) == SIG_DFL);
    hkt_subprocess_result result = { 0 };
    CHECK_EQ(hkt_subprocess_run(ARGV("echo", "hello"), NULL, 0, &result, NULL), -ECHILD);
    CHECK_STR(result.output, "hello\n");
    hkt_subprocess_result_free(&result);
    CHECK(signal(SIGCHLD, SIG_DFL) == SIG_IGN);
    check_finalized();
}

static int lowest_free_fd(void)
{
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    CHECK(fd >= 3);
    close(fd);
    return fd;
}

/* With room for no fd more, for one, for two, ...: until it works. Each pipe, the pidfd and the
 * waits fail once. */
TEST(any_fd_may_be_refused)
{
    struct rlimit usual;
    int failures = 0, err;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &usual), 0);
    do {
        struct run run = { .argv = ARGV("cat"), .input = "hello", .size = 5 };
        struct rlimit few = { (rlim_t)(lowest_free_fd() + failures), usual.rlim_max };
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
        err = run_it(&run);
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &usual), 0);
        CHECK(err == 0 || err == -EMFILE);
        if (err == 0)
            CHECK_STR(run.result.output, "hello");
        else
            failures++;
        hkt_subprocess_result_free(&run.result);
        CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
        CHECK_EQ(errno, ECHILD);
    } while (err < 0);
    CHECK(failures >= 6);
    check_finalized();
}

/* No fd to be woken by, and yet it is ended. */
TEST(it_is_ended_without_fds)
{
    struct rlimit usual;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &usual), 0);
    hkt_subprocess_options options = { .patience = 0.02, .new_group = true };
    hkt_subprocess *one = must_exec(ARGV("sleep", "1000"), &options);
    hkt_subprocess *two = must_exec(ARGV("sleep", "1000"), NULL);
    struct rlimit none = { 1, usual.rlim_max };
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK_EQ(must_end(one), -SIGTERM);
    hkt_subprocess_destroy(one);
    none.rlim_cur = 0;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    hkt_subprocess_destroy(two);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &usual), 0);
    check_finalized();
}

/* A system without a call: it says ENOSYS from now on. */
static void forbid_call(int number)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof filter / sizeof *filter, filter };
    CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        TEST_SKIP("system calls cannot be forbidden here");
}

TEST(without_pidfds_there_are_no_subprocesses)
{
    hkt_subprocess *child = NULL;
    hkt_subprocess_options options = { .new_group = true };
    forbid_call(SYS_pidfd_open);
    CHECK_EQ(hkt_subprocess_exec(&child, ARGV("sleep", "1000"), NULL), -ENOSYS);
    CHECK_STR(hkt_sentence(-ENOSYS), "cannot start \"sleep\": the system has no pidfd (Linux 5.4)");
    CHECK_EQ(hkt_subprocess_exec(&child, ARGV("sleep", "1000"), &options), -ENOSYS);
    CHECK(child == NULL);
    check_finalized();
}

/* Allocations, of which the n-th fails, or all from there on. */
static atomic_long calls, alive;
static long fail_from, fail_to;

static void *allocate(void *context, size_t size)
{
    (void)context;
    long call = atomic_fetch_add(&calls, 1) + 1;
    void *memory = call >= fail_from && call <= fail_to ? NULL : malloc(size);
    if (memory)
        atomic_fetch_add(&alive, 1);
    return memory;
}

static void release(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    atomic_fetch_sub(&alive, 1);
    free(memory);
}

/* Beyond the limit, so that all that is allocated is. */
static int run_with_failures(const char *input, size_t size, long from, long to)
{
    struct run run = { .argv = ARGV("tee", "/dev/stderr"),
                       .input = input,
                       .size = size,
                       .options = { .limit = size - 1 } };
    long before = atomic_load(&alive);
    atomic_store(&calls, 0);
    fail_from = from;
    fail_to = to;
    int err = run_it(&run);
    fail_to = 0;
    if (err == 0)
        CHECK_EQ(run.result.output_size, size - 1);
    hkt_subprocess_result_free(&run.result);
    CHECK(atomic_load(&alive) <= before + 3); /* of the loop's poller */
    return err;
}

TEST_TIMEOUT(any_allocation_may_fail, 60)
{
    const hkt_allocator failing = { allocate, release, NULL, { 0 } };
    size_t size = 40000;
    char *input = calloc(1, size);
    CHECK(input != NULL);
    CHECK_EQ(hkt_set_allocator(&failing), 0);
    CHECK_EQ(run_with_failures(input, size, 0, 0), 0);
    for (int all_after = 0; all_after < 2; all_after++) {
        long most = atomic_load(&calls), failures = 0;
        for (long n = 1; n <= most; n++) {
            int err = run_with_failures(input, size, n, all_after ? INT32_MAX : n);
            CHECK(err == 0 || err == -ENOMEM);
            failures += err < 0;
        }
        CHECK(failures >= 8);
        CHECK_EQ(run_with_failures(input, size, 0, 0), 0);
    }
    free(input);
    check_finalized();
    CHECK(hkt_loop_running() || atomic_load(&alive) == 0);
}

TEST(errno_stays)
{
    errno = 77;
    hkt_subprocess_result result = { 0 };
    CHECK_EQ(hkt_subprocess_run(ARGV("cat"), "x", 1, &result, NULL), 0);
    hkt_subprocess_result_free(&result);
    CHECK_EQ(hkt_subprocess_run(ARGV("no-such-program"), "x", 1, &result, NULL), -ENOENT);
    hkt_subprocess *child = must_exec(ARGV("sleep", "1000"), NULL);
    CHECK_EQ(hkt_subprocess_wait_until(child, NULL, hkt_after(0.001)), -ETIMEDOUT);
    CHECK_EQ(hkt_subprocess_end(child, NULL), 0);
    CHECK_EQ(hkt_subprocess_send_signal(child, SIGTERM), -ESRCH);
    hkt_subprocess_destroy(child);
    CHECK_EQ(errno, 77);
    check_finalized();
}
