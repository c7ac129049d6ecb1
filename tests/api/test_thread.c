/* SPDX-License-Identifier: MIT */
/* hocket/thread.h: made, started, ended; results and sentences; daemons; stacks; the hook.
 * Joining is in test_thread_join.c, names and numbers in test_thread_names.c, threads of others
 * in test_thread_foreign.c. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "waits.h"

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int add_one(void *arg)
{
    ++*(int *)arg;
    return 0;
}

static int give(void *arg)
{
    return *(int *)arg;
}

static int wait_for_event(void *event)
{
    return hkt_event_wait(event);
}

TEST(a_thread_runs_its_function_once_with_its_argument)
{
    int number = 41;
    hkt_thread *thread = must_spawn(add_one, &number, NULL);
    must_join(thread);
    CHECK_EQ(number, 42);
}

TEST(a_thread_that_was_made_runs_nothing_yet)
{
    int number = 41;
    hkt_thread *thread;
    CHECK_EQ(hkt_thread_create(&thread, add_one, &number, NULL), 0);
    CHECK(hkt_thread_get_state(thread) == HKT_THREAD_NEW);
    CHECK(!hkt_thread_is_alive(thread));
    CHECK_EQ(hkt_thread_ident(thread), 0);
    CHECK_EQ(hkt_thread_native_id(thread), 0);
    CHECK_EQ(hkt_thread_active_count(), 1);
    hkt_thread_destroy(thread);
    CHECK_EQ(number, 41);
}

TEST(a_thread_is_started_once)
{
    int number = 0;
    hkt_thread *thread;
    CHECK_EQ(hkt_thread_create(&thread, add_one, &number, NULL), 0);
    CHECK_EQ(hkt_thread_start(thread), 0);
    CHECK_EQ(hkt_thread_start(thread), -EALREADY);
    CHECK_EQ(hkt_thread_join(thread), 0);
    CHECK_EQ(hkt_thread_start(thread), -EALREADY);
    CHECK_EQ(number, 1);
    hkt_thread_destroy(thread);
}

TEST(main_was_started_already)
{
    CHECK_EQ(hkt_thread_start(hkt_thread_main()), -EALREADY);
}

TEST(after_the_start_the_numbers_are_known)
{
    hkt_event event = { 0 };
    hkt_thread *thread;
    CHECK_EQ(hkt_thread_create(&thread, wait_for_event, &event, NULL), 0);
    CHECK_EQ(hkt_thread_start(thread), 0);
    CHECK(hkt_thread_is_alive(thread));
    CHECK(hkt_thread_ident(thread) != 0);
    CHECK(hkt_thread_native_id(thread) > 0);
    hkt_event_set(&event);
    must_join(thread);
}

TEST(results_are_those_of_the_function)
{
    const int results[] = { 0, 1, 4711, INT32_MAX };
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        int result = results[i];
        CHECK_EQ(join_result(must_spawn(give, &result, NULL)), results[i]);
    }
}

TEST(there_is_no_result_before_the_end)
{
    hkt_event event = { 0 };
    hkt_thread *thread;
    int result = 4711;
    CHECK_EQ(hkt_thread_create(&thread, wait_for_event, &event, NULL), 0);
    CHECK_EQ(hkt_thread_result(thread, &result), -EBUSY);
    CHECK_EQ(hkt_thread_start(thread), 0);
    CHECK_EQ(hkt_thread_result(thread, &result), -EBUSY);
    CHECK_STR(hkt_thread_sentence(thread), "");
    CHECK_EQ(result, 4711); /* written on success alone */
    hkt_event_set(&event);
    CHECK_EQ(hkt_thread_join(thread), 0);
    CHECK_EQ(hkt_thread_result(thread, &result), 0);
    CHECK_EQ(result, 0);
    CHECK_EQ(hkt_thread_result(thread, &result), 0);
    hkt_thread_destroy(thread);
}

static void say_nothing(void *context, const char *line)
{
    (void)context;
    CHECK(line[0] != '\0');
}

static int fail_with_sentence(void *arg)
{
    return hkt_fail(-EIO, "cannot read %s", (const char *)arg);
}

static int fail_without_sentence(void *arg)
{
    (void)arg;
    hkt_fail(-EIO, "of another error");
    return -EBUSY;
}

TEST(a_sentence_can_be_read_by_who_joins)
{
    int result = 0;
    hkt_set_report_sink(say_nothing, NULL);
    hkt_thread *thread = must_spawn(fail_with_sentence, "the news", NULL);
    CHECK_EQ(hkt_thread_join(thread), 0); /* the join went well */
    CHECK_EQ(hkt_thread_result(thread, &result), 0);
    CHECK_EQ(result, -EIO);
    CHECK_STR(hkt_thread_sentence(thread), "cannot read the news");
    hkt_fail(-EIO, "of main");
    must_join(must_spawn(nothing, NULL, NULL));
    CHECK_STR(hkt_thread_sentence(thread), "cannot read the news");
    hkt_thread_destroy(thread);
}

TEST(without_a_sentence_there_are_general_words)
{
    hkt_set_report_sink(say_nothing, NULL);
    hkt_thread *thread = must_spawn(fail_without_sentence, NULL, NULL);
    CHECK_EQ(hkt_thread_join(thread), 0);
    CHECK_STR(hkt_thread_sentence(thread), hkt_strerror(-EBUSY));
    hkt_thread_destroy(thread);
}

TEST(wrong_arguments_are_refused)
{
    hkt_thread *thread = NULL;
    CHECK_EQ(hkt_thread_create(&thread, nothing, NULL, &(hkt_thread_options){ .stack_size = 1 }),
             -EINVAL);
    CHECK_EQ(
        hkt_thread_create(&thread, nothing, NULL, &(hkt_thread_options){ .stack_size = 32767 }),
        -EINVAL);
    CHECK_EQ(hkt_thread_spawn(&thread, nothing, NULL, &(hkt_thread_options){ .stack_size = 100 }),
             -EINVAL);
    CHECK(thread == NULL);
    CHECK_EQ(hkt_thread_set_stack_size(32767), -EINVAL);
    CHECK_EQ(hkt_thread_set_stack_size(1), -EINVAL);
    CHECK_EQ(hkt_thread_stack_size(), 0);
}

static int measure_stack(void *arg)
{
    pthread_attr_t attributes;
    CHECK_EQ(pthread_getattr_np(pthread_self(), &attributes), 0);
    CHECK_EQ(pthread_attr_getstacksize(&attributes, arg), 0);
    pthread_attr_destroy(&attributes);
    return 0;
}

static size_t stack_of_new_thread(size_t asked)
{
    size_t size = 0;
    must_join(must_spawn(measure_stack, &size, &(hkt_thread_options){ .stack_size = asked }));
    return size;
}

#define KIB ((size_t)1024)

TEST(the_stack_is_as_large_as_asked_for)
{
    size_t usual = stack_of_new_thread(0);
    if (UNDER_TSAN)
        TEST_SKIP("TSan makes stacks larger");
    CHECK(usual > 256 * KIB);
    CHECK(stack_of_new_thread(512 * KIB) >= 500 * KIB);
    CHECK(stack_of_new_thread(512 * KIB) <= 600 * KIB);
    CHECK(stack_of_new_thread(16 * 1024 * KIB) >= 16000 * KIB);
    CHECK_EQ(hkt_thread_set_stack_size(1024 * KIB), 0);
    CHECK_EQ(hkt_thread_stack_size(), 1024 * KIB);
    CHECK(stack_of_new_thread(0) >= 1000 * KIB);
    CHECK(stack_of_new_thread(0) <= 1100 * KIB);
    CHECK(stack_of_new_thread(512 * KIB) <= 600 * KIB); /* what the options say goes first */
    CHECK_EQ(hkt_thread_set_stack_size(0), 0);
    CHECK_EQ(hkt_thread_stack_size(), 0);
    CHECK_EQ(stack_of_new_thread(0), usual);
}

TEST(the_least_stack_is_enough_to_wait)
{
    hkt_event event = { 0 };
    if (SANITIZED)
        TEST_SKIP("sanitizers need more stack");
    const size_t sizes[] = { 32 * KIB, 32 * KIB + 1, 40000 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        hkt_thread_options options = { .stack_size = sizes[i] };
        hkt_thread *thread = must_spawn(wait_for_event, &event, &options);
        hkt_event_set(&event);
        must_join(thread);
        hkt_event_clear(&event);
    }
}

static int daemon_inside(void *arg)
{
    *(bool *)arg = hkt_thread_daemon(hkt_thread_current());
    return 0;
}

/* Makes a thread without saying whether it is a daemon; tells whether it was. */
static int make_child(void *arg)
{
    must_join(must_spawn(daemon_inside, arg, NULL));
    return 0;
}

static bool child_of(hkt_daemon daemon)
{
    bool child = false;
    must_join(must_spawn(make_child, &child, &(hkt_thread_options){ .daemon = daemon }));
    return child;
}

TEST(to_be_a_daemon_is_inherited)
{
    bool child = true;
    CHECK(!hkt_thread_daemon(hkt_thread_main()));
    must_join(must_spawn(daemon_inside, &child, NULL));
    CHECK(!child);
    must_join(must_spawn(daemon_inside, &child, &(hkt_thread_options){ .daemon = HKT_DAEMON_YES }));
    CHECK(child);
    CHECK(child_of(HKT_DAEMON_YES));
    CHECK(!child_of(HKT_DAEMON_NO));
    CHECK(!child_of(HKT_DAEMON_INHERIT));
}

TEST(it_is_inherited_from_who_creates_not_who_starts)
{
    hkt_thread *thread;
    bool daemon = true;
    hkt_thread_options options = { .daemon = HKT_DAEMON_NO };
    CHECK_EQ(hkt_thread_create(&thread, daemon_inside, &daemon, &options), 0);
    CHECK(!hkt_thread_daemon(thread));
    CHECK_EQ(hkt_thread_set_daemon(thread, true), 0);
    CHECK(hkt_thread_daemon(thread));
    CHECK_EQ(hkt_thread_set_daemon(thread, false), 0);
    CHECK_EQ(hkt_thread_start(thread), 0);
    CHECK_EQ(hkt_thread_set_daemon(thread, true), -EBUSY);
    CHECK_EQ(hkt_thread_join(thread), 0);
    CHECK_EQ(hkt_thread_set_daemon(thread, true), -EBUSY);
    CHECK(!daemon);
    hkt_thread_destroy(thread);
    CHECK_EQ(hkt_thread_set_daemon(hkt_thread_main(), true), -EBUSY);
}

TEST(a_handle_may_be_given_back_while_the_thread_runs)
{
    static hkt_event event;
    hkt_thread *thread = must_spawn(wait_for_event, &event, NULL);
    await_asleep(thread);
    hkt_thread_destroy(thread);
    CHECK_EQ(hkt_thread_active_count(), 2);
    hkt_event_set(&event);
    CHECK_EQ(hkt_join_all(), 0);
    AWAIT(hkt_allocation_count() == 0);
}

static int count_up(void *arg)
{
    ++*(atomic_int *)arg;
    return 0;
}

static int check_handle(void *arg)
{
    hkt_thread **handle = arg;
    CHECK(*handle == hkt_thread_current());
    return 0;
}

TEST(the_handle_is_there_before_the_thread_runs)
{
    for (long i = 0; i < test_scaled(300); i++) {
        hkt_thread *thread = NULL;
        CHECK_EQ(hkt_thread_spawn(&thread, check_handle, &thread, NULL), 0);
        must_join(thread);
    }
}

TEST(a_handle_is_left_alone_without_success)
{
    hkt_thread_options wrong = { .stack_size = 5 }, huge = { .stack_size = (size_t)1 << 52 };
    hkt_thread *before = hkt_thread_main(), *thread = before;
    CHECK_EQ(hkt_thread_spawn(&thread, nothing, NULL, &wrong), -EINVAL);
    CHECK(thread == before);
    int err = hkt_thread_spawn(&thread, nothing, NULL, &huge);
    CHECK(err == -EAGAIN || err == -ENOMEM);
    CHECK(thread == before);
}

TEST(a_thread_without_a_handle)
{
    static atomic_int ran;
    for (int i = 0; i < 50; i++)
        CHECK_EQ(hkt_thread_spawn(NULL, count_up, &ran, NULL), 0);
    CHECK_EQ(hkt_join_all(), 0);
    CHECK_EQ(ran, 50);
    CHECK_EQ(hkt_allocation_count(), 0);
}

static hkt_thread *hooked;
static int hook_err, hook_calls;
static char hook_sentence[HKT_SENTENCE_MAX];

static void hook(hkt_thread *thread, int err, const char *sentence)
{
    CHECK(thread == hkt_thread_current()); /* called in the thread itself */
    CHECK(hkt_thread_is_alive(thread));    /* before its end */
    hooked = thread;
    hook_err = err;
    hook_calls++;
    snprintf(hook_sentence, sizeof hook_sentence, "%s", sentence);
}

static void no_line(void *context, const char *line)
{
    (void)context;
    test_fail(__FILE__, __LINE__, "unexpected report: %s", line);
}

TEST(a_failed_thread_calls_the_hook)
{
    hkt_set_report_sink(no_line, NULL);
    hkt_thread_set_excepthook(hook);
    hkt_thread *thread = must_spawn(fail_with_sentence, "it", NULL);
    CHECK_EQ(hkt_thread_join(thread), 0);
    CHECK(hooked == thread);
    CHECK_EQ(hook_err, -EIO);
    CHECK_STR(hook_sentence, "cannot read it");
    CHECK_EQ(hook_calls, 1);
    hkt_thread_destroy(thread);
    must_join(must_spawn(nothing, NULL, NULL));
    CHECK_EQ(join_result(must_spawn(give, &(int){ 3 }, NULL)), 3);
    CHECK_EQ(hook_calls, 1); /* not for success */
    CHECK_EQ(join_result(must_spawn(fail_without_sentence, NULL, NULL)), -EBUSY);
    CHECK_STR(hook_sentence, hkt_strerror(-EBUSY));
    CHECK_EQ(hook_calls, 2);
}

static int give_up(void *arg)
{
    (void)arg;
    return -ECANCELED;
}

TEST(to_be_cancelled_is_no_line_but_a_call_of_the_hook)
{
    hkt_set_report_sink(no_line, NULL);
    CHECK_EQ(join_result(must_spawn(give_up, NULL, NULL)), -ECANCELED);
    hkt_thread_set_excepthook(hook);
    CHECK_EQ(join_result(must_spawn(give_up, NULL, NULL)), -ECANCELED);
    CHECK_EQ(hook_calls, 1);
    CHECK_EQ(hook_err, -ECANCELED);
}

static int lines;

static void count_line(void *context, const char *line)
{
    (void)context;
    (void)line;
    lines++;
}

TEST(without_a_hook_the_line_is_back)
{
    hkt_set_report_sink(count_line, NULL);
    hkt_thread_set_excepthook(hook);
    CHECK_EQ(join_result(must_spawn(fail_with_sentence, "it", NULL)), -EIO);
    CHECK_EQ(lines, 0);
    hkt_thread_set_excepthook(NULL);
    CHECK_EQ(join_result(must_spawn(fail_with_sentence, "it", NULL)), -EIO);
    CHECK_EQ(lines, 1);
    CHECK_EQ(hook_calls, 1);
}

/* A hook may call everything, and fail itself: that changes neither result nor sentence. */
static void busy_hook(hkt_thread *thread, int err, const char *sentence)
{
    hook(thread, err, sentence);
    hkt_fail(-EBUSY, "of the hook");
    CHECK_EQ(hkt_sleep(0.001), 0);
    must_join(must_spawn(nothing, NULL, NULL));
}

TEST(a_hook_may_wait_and_fail)
{
    int result = 0;
    hkt_thread_set_excepthook(busy_hook);
    hkt_thread *thread = must_spawn(fail_with_sentence, "it", NULL);
    CHECK_EQ(hkt_thread_join(thread), 0);
    CHECK_EQ(hkt_thread_result(thread, &result), 0);
    CHECK_EQ(result, -EIO);
    CHECK_STR(hkt_thread_sentence(thread), "cannot read it");
    hkt_thread_destroy(thread);
}

TEST_ABORTS(giving_main_back_is_misuse, "was not made by hkt_thread_create")
{
    hkt_thread_destroy(hkt_thread_main());
}
