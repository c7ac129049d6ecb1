/* SPDX-License-Identifier: MIT */
/* Reports: the sink, the lines of failed threads, of all threads, on a signal, and before an
 * abort. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "waits.h"

/* What the sink got. */
struct report {
    pthread_mutex_t mutex; /* a sink must not call hocket */
    char lines[64][256];
    int count;
};

static struct report report = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void keep_line(void *context, const char *line)
{
    struct report *kept = context;
    pthread_mutex_lock(&kept->mutex);
    CHECK(kept->count < 64);
    snprintf(kept->lines[kept->count++], sizeof kept->lines[0], "%s", line);
    pthread_mutex_unlock(&kept->mutex);
}

static int line_count(void)
{
    pthread_mutex_lock(&report.mutex);
    int count = report.count;
    pthread_mutex_unlock(&report.mutex);
    return count;
}

/* The first line that contains both, or NULL. */
static const char *find_line(const char *a, const char *b)
{
    const char *found = NULL;
    pthread_mutex_lock(&report.mutex);
    for (int i = 0; i < report.count && !found; i++)
        if (strstr(report.lines[i], a) && strstr(report.lines[i], b))
            found = report.lines[i];
    pthread_mutex_unlock(&report.mutex);
    return found;
}

static int fail_with_words(void *arg)
{
    (void)arg;
    return hkt_fail(-EIO, "the disk is full of %s", "eels");
}

TEST(a_failed_thread_is_reported)
{
    hkt_set_report_sink(keep_line, &report);
    hkt_thread *thread = must_spawn(fail_with_words, NULL,
                                    &(hkt_thread_options){ .name = "fisher" });
    CHECK_EQ(join_result(thread), -EIO);
    CHECK_EQ(line_count(), 1);
    CHECK(find_line("\"fisher\"", "the disk is full of eels"));
    CHECK(strncmp(report.lines[0], "hocket: ", 8) == 0);
    CHECK(!strchr(report.lines[0], '\n'));
}

static int give_seven(void *arg)
{
    (void)arg;
    return 7;
}

TEST(a_thread_that_succeeds_is_not_reported)
{
    hkt_set_report_sink(keep_line, &report);
    CHECK_EQ(join_result(must_spawn(give_seven, NULL, NULL)), 7);
    CHECK_EQ(line_count(), 0);
}

TEST(without_a_sink_reports_go_to_standard_error)
{
    char text[256] = "";
    int fds[2], saved = dup(STDERR_FILENO);
    CHECK_EQ(pipe(fds), 0);
    hkt_set_report_sink(keep_line, &report);
    hkt_set_report_sink(NULL, NULL);
    dup2(fds[1], STDERR_FILENO);
    int code = hkt_report(hkt_fail(-EIO, "heard"));
    dup2(saved, STDERR_FILENO);
    CHECK_EQ(code, 1);
    CHECK_EQ(line_count(), 0);
    CHECK(read(fds[0], text, sizeof text - 1) > 0);
    CHECK_STR(text, "hocket: heard\n");
    close(fds[0]);
    close(fds[1]);
    close(saved);
}

static void mark_line(void *context, const char *line)
{
    dprintf(STDERR_FILENO, "%s<%s>\n", (const char *)context, line);
}

TEST_ABORTS(misuse_is_told_to_the_sink_before_the_abort, "SINK<hocket: hkt_lock_release: lock 0x")
{
    hkt_lock lock = { 0 };
    hkt_set_report_sink(mark_line, "SINK");
    hkt_lock_release(&lock);
}

static int report_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        CHECK_EQ(hkt_report(hkt_fail(-EIO, "%050d", 8)), 1);
    return 0;
}

TEST(lines_of_several_threads_come_whole)
{
    hkt_thread *threads[4];
    hkt_set_report_sink(keep_line, &report);
    for (int i = 0; i < 4; i++)
        threads[i] = must_spawn(report_often, NULL, NULL);
    for (int i = 0; i < 4; i++)
        must_join(threads[i]);
    CHECK_EQ(report.count, 40);
    for (int i = 0; i < 40; i++)
        CHECK_STR(report.lines[i], "hocket: 00000000000000000000000000000000000000000000000008");
}

TEST(the_report_of_all_has_a_line_for_each)
{
    struct place place;
    place_open(&place);
    struct waiter locker = { .place = &place, .kind = &wait_kinds[2] };
    struct waiter sleeper = { .place = &place, .kind = &wait_kinds[0] };
    sleeper.deadline = hkt_after(1000);
    waiter_start(&locker);
    waiter_start(&sleeper);
    await_state(locker.thread, HKT_THREAD_BLOCKED);
    await_state(sleeper.thread, HKT_THREAD_TIMED_WAITING);
    hkt_set_report_sink(keep_line, &report);
    hkt_thread_report_all();
    CHECK(line_count() >= 4); /* main, keeper, two waiters */
    CHECK(find_line("\"main\"", "runnable"));
    CHECK(find_line("\"keeper\"", "blocked: event 0x"));
    CHECK(find_line("\"lock\"", "blocked: lock 0x"));
    CHECK(find_line("\"lock\"", "daemon"));
    CHECK(find_line("\"sleep\"", "timed waiting: sleep"));
    CHECK(find_line("\"sleep\"", "since "));
    char number[32];
    snprintf(number, sizeof number, "thread %d ", hkt_thread_native_id(locker.thread));
    CHECK(find_line("\"lock\"", number));
    hkt_scope_cancel(&sleeper.scope);
    hkt_scope_cancel(&locker.scope);
    waiter_join(&sleeper);
    waiter_join(&locker);
    place_close(&place);
}

TEST(a_signal_makes_the_report)
{
    hkt_set_report_sink(keep_line, &report);
    CHECK_EQ(hkt_thread_report_on_signal(SIGQUIT), 0);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(kill(getpid(), SIGQUIT), 0);
        AWAIT(find_line("threads in all", "")); /* its last line */
        CHECK(find_line("\"main\"", "runnable"));
        CHECK(find_line("hocket-report", "daemon"));
        pthread_mutex_lock(&report.mutex);
        report.count = 0;
        pthread_mutex_unlock(&report.mutex);
    }
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(the_report_on_a_signal_shows_who_waits)
{
    struct place place;
    place_open(&place);
    struct waiter waiters[3] = {
        { .place = &place, .kind = &wait_kinds[1] },  /* an event */
        { .place = &place, .kind = &wait_kinds[10] }, /* an item of a queue */
        { .place = &place, .kind = &wait_kinds[14] }, /* an fd */
    };
    for (int i = 0; i < 3; i++) {
        waiter_start(&waiters[i]);
        await_asleep(waiters[i].thread);
    }
    hkt_set_report_sink(keep_line, &report);
    CHECK_EQ(hkt_thread_report_on_signal(SIGQUIT), 0);
    CHECK_EQ(pthread_kill(pthread_self(), SIGQUIT), 0);
    AWAIT(find_line("threads in all", ""));
    CHECK(find_line("\"event\"", "blocked: event"));
    CHECK(find_line("\"queue get\"", "blocked: queue: item"));
    CHECK(find_line("\"fd, reading\"", "blocked: fd"));
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(hkt_thread_get_state(waiters[i].thread), HKT_THREAD_BLOCKED); /* still */
        hkt_scope_cancel(&waiters[i].scope);
        waiter_join(&waiters[i]);
    }
    place_close(&place);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(one_signal_is_enough)
{
    hkt_set_report_sink(keep_line, &report);
    CHECK_EQ(hkt_thread_report_on_signal(SIGUSR1), 0);
    CHECK_EQ(hkt_thread_report_on_signal(SIGUSR1), -EALREADY);
    CHECK_EQ(hkt_thread_report_on_signal(SIGUSR2), -EALREADY);
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(hkt_thread_report_on_signal(SIGUSR2), 0); /* afresh */
    CHECK_EQ(raise(SIGUSR2), 0);
    AWAIT(find_line("threads in all", ""));
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(a_signal_that_cannot_be_caught_is_refused)
{
    const int wrong[] = { SIGKILL, SIGSTOP, 0, -1, 1000 };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_EQ(hkt_thread_report_on_signal(wrong[i]), -EINVAL);
    CHECK_EQ(hkt_thread_active_count(), 1);
    CHECK_EQ(hkt_thread_report_on_signal(SIGUSR1), 0); /* it may be tried again */
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(a_refused_signal_in_an_ended_scope)
{
    hkt_scope scope;
    hkt_scope_enter(&scope, NULL);
    hkt_scope_cancel(&scope);
    CHECK_EQ(hkt_thread_report_on_signal(SIGKILL), -EINVAL);
    CHECK_EQ(hkt_thread_report_on_signal(SIGUSR1), 0);
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(the_reporting_thread_is_a_daemon)
{
    hkt_set_report_sink(keep_line, &report);
    CHECK_EQ(hkt_thread_report_on_signal(SIGUSR1), 0);
    CHECK_EQ(hkt_join_all(), 0);
    CHECK_EQ(hkt_thread_active_count(), 2);
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(hkt_thread_active_count(), 1);
}

TEST(after_the_end_the_signal_is_as_at_first)
{
    struct sigaction action;
    hkt_set_report_sink(keep_line, &report);
    CHECK_EQ(hkt_thread_report_on_signal(SIGWINCH), 0);
    CHECK_EQ(sigaction(SIGWINCH, NULL, &action), 0);
    CHECK(action.sa_handler != SIG_DFL);
    CHECK(action.sa_flags & SA_RESTART);
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(sigaction(SIGWINCH, NULL, &action), 0);
    CHECK(action.sa_handler == SIG_DFL);
    CHECK_EQ(raise(SIGWINCH), 0);
    CHECK_EQ(line_count(), 0);
}
