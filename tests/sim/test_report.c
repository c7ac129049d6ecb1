/* SPDX-License-Identifier: MIT */
/* What is said when a schedule fails, and when the program dies within one. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab.h"
#include "os/sim/describe.h"

static uint32_t word;
static int count;

static struct lab_report report;

static void keep_reports(void)
{
    report.text[0] = '\0';
    hkt_set_report_sink(lab_keep_report, &report);
}

static void sleep_for_ever(void *arg)
{
    (void)arg;
    while (hkti_load_acquire(&word) == 0)
        (void)hkti_os_futex_wait(&word, 0, 0);
}

static int deadlock(void *arg)
{
    (void)arg;
    hkti_init(&word, 0);
    LAB_RUN(sleep_for_ever);
    return 0;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

TEST(a_deadlock_is_reported_and_another_simulation_can_follow)
{
    for (int i = 0; i < 100; i++) {
        keep_reports();
        CHECK_EQ(hkt_simulate(5, deadlock, NULL), -EDEADLK);
        CHECK(strstr(report.text, "hocket: simulation: deadlock: nobody can go on (seed 5, "));
        CHECK(strstr(report.text, "thread 1 waits for the end of thread 2"));
        CHECK(strstr(report.text, "thread 2 waits for futex "));
    }
    CHECK_EQ(hkt_simulate(5, nothing, NULL), 0);
}

static int crowd(void *arg)
{
    static struct hkti_os_thread threads[30];
    (void)arg;
    hkti_init(&word, 0);
    for (int i = 0; i < 30; i++)
        CHECK_EQ(hkti_os_thread_start(&threads[i], sleep_for_ever, NULL), 0);
    hkti_os_thread_join(&threads[0]);
    return 0;
}

TEST(a_report_of_many_threads_is_short)
{
    keep_reports();
    CHECK_EQ(hkt_simulate(5, crowd, NULL), -EDEADLK);
    CHECK(strstr(report.text, "thread 20 waits"));
    CHECK(!strstr(report.text, "thread 21 waits"));
    CHECK(strstr(report.text, "  and 11 more"));
}

static void spin_for_ever(void *arg)
{
    (void)arg;
    while (hkti_load_relaxed(&word) == 0)
        hkti_os_pause();
}

static int livelock(void *arg)
{
    (void)arg;
    hkti_init(&word, 0);
    LAB_RUN(spin_for_ever, spin_for_ever);
    return 0;
}

TEST(a_livelock_is_reported)
{
    for (int strategy = HKT_SIMULATE_RANDOM; strategy <= HKT_SIMULATE_EXHAUSTIVE; strategy++) {
        keep_reports();
        CHECK_EQ(lab_simulate((hkt_simulate_strategy)strategy, 1, livelock, NULL), -ELOOP);
        CHECK(strstr(report.text, "livelock: too many steps"));
        CHECK(strstr(report.text, "thread 2 could go on"));
    }
}

static int fail(void *arg)
{
    (void)arg;
    return hkt_simulate_seed() >= 20 ? hkt_fail(-EIO, "too high: %d", 20) : 0;
}

TEST(a_function_that_fails_is_reported_with_its_seed)
{
    hkt_simulate_options options = { .seed = 3 };
    hkt_simulate_result result;
    keep_reports();
    hkti_sim_sentence = hkt_sentence;
    CHECK_EQ(hkt_simulate_many(&options, fail, NULL, &result), -EIO);
    CHECK_EQ(result.failed_seed, 20);
    CHECK_EQ(result.schedules, 18);
    CHECK(strstr(report.text, "simulation: the program failed with -5: too high: 20 (seed 20, "));
}

/* A schedule that failed among many fails alone, at the same step. */

static void store_one(void *arg)
{
    (void)arg;
    hkti_store_release(&word, hkti_load_acquire(&word) + 1);
}

static int unsafe_adders(void *arg)
{
    (void)arg;
    hkti_init(&word, 0);
    LAB_RUN(store_one, store_one);
    return hkti_load_acquire(&word) == 2 ? 0 : -EIO;
}

TEST(a_failure_is_had_again_by_its_seed)
{
    static struct lab_report again;
    hkt_simulate_options options = { .seed = 1000 };
    hkt_simulate_result result;
    keep_reports();
    CHECK_EQ(hkt_simulate_many(&options, unsafe_adders, NULL, &result), -EIO);
    hkt_set_report_sink(lab_keep_report, &again);
    CHECK_EQ(hkt_simulate(result.failed_seed, unsafe_adders, NULL), -EIO);
    CHECK_STR(again.text, report.text);
}

static int die(void *arg)
{
    (void)arg;
    abort();
}

TEST_ABORTS(a_program_that_dies_tells_its_seed, "thread 1 died of signal 6 (seed 42, ")
{
    CHECK_EQ(hkt_simulate(42, die, NULL), 0);
}

__attribute__((noinline)) static int recurse(int depth)
{
    volatile char frame[512];
    frame[0] = (char)depth;
    return depth == 0 ? frame[0] : recurse(depth + 1) + frame[0];
}

static void overflow(void *arg)
{
    (void)arg;
    count = recurse(1);
}

static int overflows(void *arg)
{
    (void)arg;
    LAB_RUN(overflow);
    return 0;
}

TEST(an_overflow_of_a_stack_is_named)
{
    char text[256] = "";
    int status;
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(fds[1], STDERR_FILENO);
        CHECK_EQ(hkt_simulate(43, overflows, NULL), 0);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK(read(fds[0], text, sizeof text - 1) > 0);
    CHECK(strstr(text, "thread 2 overflowed its stack (seed 43, "));
    close(fds[0]);
    close(fds[1]);
}
