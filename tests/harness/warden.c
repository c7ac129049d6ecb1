/* SPDX-License-Identifier: MIT */
/*
 * The warden of one test: a process that starts the test, waits for it until
 * the deadline, judges how it ended, and ends whatever it left behind. Being
 * a subreaper it becomes the parent of the test's orphans, so it finds them.
 * Its exit code is the verdict; its reasons go where the test's output goes.
 */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define QUIT_SECONDS 1.0   /* from SIGQUIT (a report, perhaps) to SIGKILL */
#define ORPHAN_SECONDS 0.2 /* for an orphan that is about to end */

/* An emulator is named in full by HOCKET_TEST_EMULATOR, with its options. */
#define EMULATE "exec $HOCKET_TEST_EMULATOR \"$0\" \"$@\""

/* In the test's process, before exec. */
__attribute__((noreturn)) static void start_test(const struct test_options *options,
                                                 const struct test_case *test, uint64_t seed,
                                                 int output)
{
    char seed_text[32];
    const char *last = options->in_loop ? "--in-loop" : NULL;
    snprintf(seed_text, sizeof seed_text, "%" PRIu64, seed);
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
        _exit(TEST_FAILED);
    if (getenv("HOCKET_TEST_EMULATOR"))
        execl("/bin/sh", "sh", "-c", EMULATE, options->program, "--run", test->name, "--seed",
              seed_text, last, (char *)NULL);
    else
        execl(options->program, options->program, "--run", test->name, "--seed", seed_text, last,
              (char *)NULL);
    dprintf(STDERR_FILENO, "cannot run %s: %s\n", options->program, strerror(errno));
    _exit(TEST_FAILED);
}

/* Waits until the process has ended, but does not reap it. False: time is over.
 * SIGCHLD is blocked here, so it stays pending until this asks for it. (Not by
 * pidfd, which valgrind 3.19 does not know.) */
static bool wait_until_ended(pid_t pid, const sigset_t *sigchld, double seconds)
{
    double limit = test_now() + seconds;
    for (;;) {
        siginfo_t info;
        info.si_pid = 0;
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid)
            return true;
        double left = limit - test_now();
        if (left <= 0)
            return false;
        struct timespec wait = { (time_t)left, (long)((left - (double)(time_t)left) * 1e9) };
        sigtimedwait(sigchld, NULL, &wait);
    }
}

/* The first child of this process that is in /proc, or 0. Scanned, since not
 * every kernel has /proc/<pid>/task/<tid>/children. */
static pid_t any_child(void)
{
    pid_t found = 0;
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    while (proc && !found && (entry = readdir(proc))) {
        char path[64], line[512] = "";
        pid_t pid = (pid_t)atoi(entry->d_name);
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        FILE *stat = pid > 0 ? fopen(path, "re") : NULL;
        if (!stat)
            continue;
        /* pid (name) state ppid; the name may hold anything, so take the last ')' */
        char *end = fgets(line, sizeof line, stat) ? strrchr(line, ')') : NULL;
        int parent = 0;
        if (end && sscanf(end, ") %*c %d", &parent) == 1 && parent == getpid())
            found = pid;
        fclose(stat);
    }
    if (proc)
        closedir(proc);
    return found;
}

/* Reaps orphans that have ended. True: there is none left. */
static bool reap_orphans(double seconds)
{
    double limit = test_now() + seconds;
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid < 0 && errno == ECHILD)
            return true;
        if (pid == 0 && test_now() > limit)
            return false;
        if (pid == 0)
            usleep(1000);
    }
}

/* Ends all that the test left; false if there was anything. */
static bool end_orphans(void)
{
    if (reap_orphans(ORPHAN_SECONDS))
        return true;
    pid_t pid;
    while ((pid = any_child())) {
        dprintf(STDERR_FILENO, "orphan check: process %d was left running\n", (int)pid);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0); /* its own children come to us now */
    }
    return false;
}

static bool output_contains(int output, const char *text)
{
    static char buffer[1 << 16];
    ssize_t length = pread(output, buffer, sizeof buffer - 1, 0);
    buffer[length > 0 ? length : 0] = '\0';
    return strstr(buffer, text) != NULL;
}

static int judge_death(const struct test_case *test, int status, int output)
{
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT) {
        dprintf(STDERR_FILENO, "expected an abort; %s %d\n",
                WIFSIGNALED(status) ? "it was ended by signal" : "it exited with",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        return TEST_FAILED;
    }
    if (!output_contains(output, test->sentence)) {
        dprintf(STDERR_FILENO, "it aborted, but did not say: %s\n", test->sentence);
        return TEST_FAILED;
    }
    return TEST_PASSED;
}

static int judge(const struct test_case *test, int status, int output)
{
    bool skipped = WIFEXITED(status) && WEXITSTATUS(status) == TEST_SKIPPED;
    if (test->sentence && !skipped)
        return judge_death(test, status, output);
    if (WIFSIGNALED(status)) {
        dprintf(STDERR_FILENO, "it was ended by signal %d (%s)\n", WTERMSIG(status),
                strsignal(WTERMSIG(status)));
        return TEST_FAILED;
    }
    int code = WEXITSTATUS(status);
    if (code != TEST_PASSED && code != TEST_FAILED && code != TEST_SKIPPED)
        dprintf(STDERR_FILENO, "it exited with %d\n", code);
    return code == TEST_PASSED || code == TEST_SKIPPED ? code : TEST_FAILED;
}

void test_warden_run(const struct test_options *options, const struct test_case *test,
                     uint64_t seed, int output)
{
    sigset_t sigchld, old_mask;
    sigemptyset(&sigchld);
    sigaddset(&sigchld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &sigchld, &old_mask);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pid_t pid = fork();
    if (pid == 0) {
        sigprocmask(SIG_SETMASK, &old_mask, NULL);
        start_test(options, test, seed, output);
    }
    dup2(output, STDERR_FILENO); /* the warden's own sentences belong to the test */
    if (pid < 0) {
        dprintf(STDERR_FILENO, "cannot start a test: %s\n", strerror(errno));
        _exit(TEST_FAILED);
    }
    double seconds = test->timeout * test_timeout_factor();
    bool in_time = wait_until_ended(pid, &sigchld, seconds);
    if (!in_time) {
        dprintf(STDERR_FILENO, "it did not end within %g seconds\n", seconds);
        kill(-pid, SIGQUIT);
        wait_until_ended(pid, &sigchld, QUIT_SECONDS);
    }
    /* The rest of its group is killed while the zombie still keeps the number ours. */
    int status = 0;
    if (!in_time)
        kill(-pid, SIGKILL);
    waitpid(pid, &status, 0);
    int verdict = in_time ? judge(test, status, output) : TEST_FAILED;
    if (!end_orphans())
        verdict = TEST_FAILED;
    _exit(verdict);
}
