/* SPDX-License-Identifier: MIT */
/* strand/overflow.h: the sentence before a strand's overflow ends the program. */
#include "strand/overflow.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"
#include "os/switch.h"
#include "strand/stack.h"
#include "test.h"

#define KIB ((size_t)1024)

#if defined(HKT_SIM) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NEEDS_REPORTS TEST_SKIP("this build has no reports of overflows")
#else
#define NEEDS_REPORTS (void)0
#endif

struct outcome {
    int status;
    char said[4096];
};

/* Runs `body` in a child: how it ended, and what it wrote to stderr. */
static void in_child(struct outcome *outcome, void (*body)(void))
{
    int ends[2];
    size_t length = 0;
    ssize_t got;
    CHECK_EQ(pipe(ends), 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        body();
        _exit(0);
    }
    close(ends[1]);
    while ((got = read(ends[0], outcome->said + length, sizeof outcome->said - 1 - length)) > 0)
        length += (size_t)got;
    outcome->said[length] = 0;
    close(ends[0]);
    CHECK_EQ(waitpid(child, &outcome->status, 0), child);
    printf("%s", outcome->said);
}

static struct hkti_context here, there;
static struct hkti_stack stack;

__attribute__((noinline)) static int recurse(int depth)
{
    volatile char frame[256];
    frame[0] = (char)depth;
    if (depth == 1000 * 1000 * 1000)
        return 0;
    return recurse(depth + 1) + frame[0];
}

static void overflow(void *value)
{
    (void)value;
    hkti_switch(&there, &here, (void *)(uintptr_t)recurse(0));
}

static const char *a_name(void)
{
    return "digger";
}

static void on_a_strand(void (*entry)(void *))
{
    hkti_overflow_watch();
    hkti_overflow_watch();
    CHECK_EQ(hkti_overflow_thread(), 0);
    CHECK_EQ(hkti_overflow_thread(), 0);
    CHECK_EQ(hkti_stack_take(&stack, 64 * KIB), 0);
    hkti_context_make(&there, stack.low, stack.size, entry);
    hkti_switch(&here, &there, NULL);
    hkti_stack_give(&stack);
    hkti_overflow_thread_end();
}

static void overflow_with_a_name(void)
{
    hkti_overflow_name = a_name;
    on_a_strand(overflow);
}

static void check_sentence(const struct outcome *outcome, const char *strand)
{
    char start[200];
    snprintf(start, sizeof start, "hocket: stack overflow in %s on thread ", strand);
    CHECK(strncmp(outcome->said, start, strlen(start)) == 0);
    CHECK(strstr(outcome->said, ": 64 KiB are not enough, ask for more by .stack_size\n"));
}

TEST(an_overflow_is_told_and_kills)
{
    NEEDS_REPORTS;
    struct outcome outcome;
    in_child(&outcome, overflow_with_a_name);
    CHECK(WIFSIGNALED(outcome.status) && WTERMSIG(outcome.status) == SIGSEGV);
    check_sentence(&outcome, "strand \"digger\"");
}

static void *overflow_elsewhere(void *arg)
{
    on_a_strand(overflow);
    return arg;
}

static void overflow_on_a_thread(void)
{
    pthread_t thread;
    hkti_overflow_watch();
    CHECK_EQ(pthread_create(&thread, NULL, overflow_elsewhere, NULL), 0);
    pthread_join(thread, NULL);
}

TEST(on_other_threads_too_and_without_a_name)
{
    NEEDS_REPORTS;
    struct outcome outcome;
    in_child(&outcome, overflow_on_a_thread);
    CHECK(WIFSIGNALED(outcome.status) && WTERMSIG(outcome.status) == SIGSEGV);
    check_sentence(&outcome, "a strand");
}

static void handle(int signo, siginfo_t *info, void *context)
{
    (void)context;
    _exit(info->si_signo == signo && info->si_addr ? 33 : 34);
}

static void catch_faults(void)
{
    struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK };
    action.sa_sigaction = handle;
    CHECK_EQ(sigaction(SIGSEGV, &action, NULL), 0);
}

static void overflow_that_is_caught(void)
{
    catch_faults();
    on_a_strand(overflow);
}

TEST(a_handler_that_was_there_gets_the_overflow_after_the_report)
{
    NEEDS_REPORTS;
    struct outcome outcome;
    in_child(&outcome, overflow_that_is_caught);
    CHECK(WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == 33);
    check_sentence(&outcome, "a strand");
}

static char *volatile forbidden;

static void touch_something_else(void *value)
{
    (void)value;
    *forbidden = 1;
}

static void other_fault_that_is_caught(void)
{
    catch_faults();
    forbidden = hkti_os_stack_map(64 * KIB);
    on_a_strand(touch_something_else);
}

static void other_fault(void)
{
    forbidden = hkti_os_stack_map(64 * KIB);
    on_a_strand(touch_something_else);
}

static void touch_guard_from_outside(void)
{
    CHECK_EQ(hkti_stack_take(&stack, 64 * KIB), 0);
    hkti_overflow_watch();
    CHECK_EQ(hkti_overflow_thread(), 0);
    *(volatile char *)(stack.low - 1) = 1;
}

static void raised(void)
{
    hkti_overflow_watch();
    raise(SIGSEGV);
    raise(SIGSEGV); /* not reached */
}

TEST(other_faults_go_their_way_in_silence)
{
    NEEDS_REPORTS;
    static void (*const bodies[])(void) = { other_fault, touch_guard_from_outside, raised };
    struct outcome outcome;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        in_child(&outcome, bodies[i]);
        CHECK(WIFSIGNALED(outcome.status) && WTERMSIG(outcome.status) == SIGSEGV);
        CHECK(!strstr(outcome.said, "hocket"));
    }
    in_child(&outcome, other_fault_that_is_caught);
    CHECK(WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == 33);
    CHECK(!strstr(outcome.said, "hocket"));
}

TEST(a_signal_stack_of_the_programs_own_stays)
{
    NEEDS_REPORTS;
    static char mine[64 * 1024];
    stack_t own = { .ss_sp = mine, .ss_size = sizeof mine }, now;
    CHECK_EQ(hkti_overflow_thread(), 0);
    CHECK_EQ(sigaltstack(NULL, &now), 0);
    CHECK_EQ(now.ss_flags, 0);
    hkti_overflow_thread_end();
    CHECK_EQ(sigaltstack(NULL, &now), 0);
    CHECK_EQ(now.ss_flags, SS_DISABLE);
    CHECK_EQ(sigaltstack(&own, NULL), 0);
    CHECK_EQ(hkti_overflow_thread(), 0);
    hkti_overflow_thread_end();
    CHECK_EQ(sigaltstack(NULL, &now), 0);
    CHECK(now.ss_sp == mine);
    CHECK_EQ(sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL), 0);
}
