/* SPDX-License-Identifier: MIT */
/* hocket/error.h: errors in words, the sentence left beside one, and that errno stays as it was. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "waits.h"

static char lines[8][256];
static int line_count;

static void keep_line(void *context, const char *line)
{
    CHECK(context == lines);
    CHECK(line_count < 8);
    snprintf(lines[line_count++], sizeof lines[0], "%s", line);
}

static const int listed[] = { -ETIMEDOUT,    -ECANCELED,  -EAGAIN,   -ESHUTDOWN, -EPIPE,
                              -EDEADLK,      -EINVAL,     -EALREADY, -ENOMEM,    -EBUSY,
                              -ENOENT,       -EEXIST,     -ENODATA,  -EMSGSIZE,  -EBADMSG,
                              -EKEYREJECTED, -EOPNOTSUPP, -EINTR,    -ENOSYS,    -EOWNERDEAD,
                              -EPERM,        -ENOEXEC,    -EOVERFLOW };

TEST(listed_values_have_constant_words)
{
    CHECK_STR(hkt_strerror(-ETIMEDOUT), "the deadline passed (-ETIMEDOUT)");
    for (size_t i = 0; i < sizeof listed / sizeof *listed; i++) {
        const char *words = hkt_strerror(listed[i]);
        CHECK(strlen(words) > 5 && strlen(words) < HKT_SENTENCE_MAX);
        CHECK(strstr(words, "(-E"));
        hkt_strerror(-EXDEV);
        CHECK(hkt_strerror(listed[i]) == words);
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(words, hkt_strerror(listed[k])) != 0);
    }
    CHECK(hkt_strerror(0) == hkt_strerror(0));
    CHECK(strlen(hkt_strerror(0)) > 0);
}

TEST(other_values_have_the_words_of_the_c_library)
{
    CHECK(strstr(hkt_strerror(-EISDIR), "Is a directory"));
    CHECK(strstr(hkt_strerror(-EXDEV), "ross-device link"));
}

TEST(no_value_is_without_words)
{
    const int odd[] = { -99999, -1000000, 5, 4711, INT32_MAX, INT32_MIN + 1, INT32_MIN };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        CHECK(strlen(hkt_strerror(odd[i])) > 0);
}

TEST(a_sentence_is_kept_beside_its_error)
{
    char path[] = "/no/such";
    CHECK_EQ(hkt_fail(-EIO, "cannot read %s: %d", path, 7), -EIO);
    path[1] = 'X'; /* it was copied */
    CHECK_STR(hkt_sentence(-EIO), "cannot read /no/such: 7");
    CHECK_STR(hkt_sentence(-EIO), "cannot read /no/such: 7");
    CHECK_STR(hkt_sentence(-EBUSY), hkt_strerror(-EBUSY));
    CHECK_STR(hkt_sentence(0), hkt_strerror(0));
    hkt_fail(-EBUSY, "taken");
    CHECK_STR(hkt_sentence(-EBUSY), "taken");
    CHECK_STR(hkt_sentence(-EIO), hkt_strerror(-EIO)); /* only the last one is kept */
}

TEST(without_a_sentence_the_general_words_are_said)
{
    CHECK_STR(hkt_sentence(-ETIMEDOUT), "the deadline passed (-ETIMEDOUT)");
    CHECK_STR(hkt_sentence(-ENOENT), hkt_strerror(-ENOENT));
}

TEST(a_long_sentence_is_cut)
{
    char text[400];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    CHECK_EQ(hkt_fail(-EIO, "%s", text), -EIO);
    CHECK_EQ(strlen(hkt_sentence(-EIO)), HKT_SENTENCE_MAX - 1);
    text[HKT_SENTENCE_MAX - 1] = '\0';
    CHECK_STR(hkt_sentence(-EIO), text);
    CHECK_EQ(hkt_fail(-EIO, "%s", text), -EIO); /* just fits */
    CHECK_STR(hkt_sentence(-EIO), text);
}

TEST_ABORTS(failing_with_zero_is_misuse, "hkt_fail: 0 is no error")
{
    (void)!hkt_fail(0, "all is well");
}

TEST_ABORTS(failing_with_a_count_is_misuse, "hkt_fail: 3 is no error")
{
    (void)!hkt_fail(3, "all is well");
}

static int fail_otherwise(void *arg)
{
    (void)arg;
    CHECK_STR(hkt_sentence(-EIO), hkt_strerror(-EIO));
    hkt_fail(-EIO, "of the other thread");
    CHECK_STR(hkt_sentence(-EIO), "of the other thread");
    return 0;
}

TEST(each_thread_has_its_own_sentence)
{
    hkt_fail(-EIO, "of main");
    must_join(must_spawn(fail_otherwise, NULL, NULL));
    CHECK_STR(hkt_sentence(-EIO), "of main");
}

static int words_of_many(void *arg)
{
    int err = -(int)(intptr_t)arg;
    char expected[HKT_SENTENCE_MAX];
    snprintf(expected, sizeof expected, "%s", hkt_strerror(err));
    for (long i = 0; i < test_scaled(2000); i++)
        CHECK_STR(hkt_strerror(err), expected);
    return 0;
}

TEST(the_words_are_in_a_buffer_of_the_thread)
{
    hkt_thread *threads[4];
    for (int i = 0; i < 4; i++)
        threads[i] = must_spawn(words_of_many, (void *)(intptr_t)(20 + i), NULL);
    for (int i = 0; i < 4; i++)
        must_join(threads[i]);
}

TEST(a_report_says_the_sentence)
{
    hkt_set_report_sink(keep_line, lines);
    CHECK_EQ(hkt_report(-EBUSY), 1);
    hkt_fail(-EIO, "cannot read it");
    CHECK_EQ(hkt_report(-EIO), 1);
    CHECK_EQ(line_count, 2);
    char expected[HKT_SENTENCE_MAX + 16];
    snprintf(expected, sizeof expected, "hocket: %s", hkt_strerror(-EBUSY));
    CHECK_STR(lines[0], expected);
    CHECK_STR(lines[1], "hocket: cannot read it");
}

TEST(success_is_not_reported)
{
    hkt_set_report_sink(keep_line, lines);
    CHECK_EQ(hkt_report(0), 0);
    CHECK_EQ(hkt_report(42), 0);
    CHECK_EQ(line_count, 0);
}

static int fail_soon(void *arg)
{
    (void)arg;
    return hkt_fail(-EIO, "on purpose");
}

/* Calls that fail, and calls that wait; each must leave errno as it is. */
static void call_much(void)
{
    hkt_event event = { 0 };
    hkt_lock lock = { 0 };
    hkt_queue *queue = NULL;
    hkt_thread *thread = NULL;
    int item = 0;
    CHECK_EQ(hkt_event_wait_until(&event, hkt_after(0.001)), -ETIMEDOUT);
    CHECK_EQ(hkt_sleep(0.001), 0);
    hkt_lock_acquire(&lock);
    CHECK_EQ(hkt_lock_acquire_until(&lock, hkt_after(0.001)), -ETIMEDOUT);
    CHECK_EQ(hkt_fd_wait_until(12345, HKT_READABLE, hkt_after(0.001)), -EBADF);
    CHECK_EQ(hkt_queue_create(&queue, sizeof item, NULL), 0);
    CHECK_EQ(hkt_queue_get_nowait(queue, &item), -EAGAIN);
    CHECK_EQ(hkt_queue_get_until(queue, &item, hkt_after(0.001)), -ETIMEDOUT);
    hkt_queue_destroy(queue);
    thread = must_spawn(fail_soon, NULL, NULL);
    CHECK_EQ(hkt_thread_set_name(thread, "a name"), 0);
    CHECK_EQ(join_result(thread), -EIO);
    hkt_report(-EXDEV);
    hkt_strerror(-123456);
    hkt_thread_report_all();
    CHECK_EQ(hkt_thread_report_on_signal(-1), -EINVAL);
}

TEST(errno_is_left_as_it_was)
{
    errno = 4711;
    call_much();
    CHECK_EQ(errno, 4711);
}

TEST(errno_is_left_as_it_was_when_fds_are_waited_for)
{
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    errno = 4711;
    CHECK_EQ(hkt_fd_wait_until(fds[0], HKT_READABLE, hkt_after(0.001)), -ETIMEDOUT);
    CHECK_EQ(hkt_fd_wait_until(fds[0], 77, hkt_after(0.001)), -EINVAL);
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(errno, 4711);
    close(fds[0]);
    close(fds[1]);
}

TEST(errno_is_left_as_it_was_without_memory)
{
    hkt_queue *queue = NULL;
    hkt_queue_options huge = { .maxsize = SIZE_MAX / 4 };
    errno = 4711;
    CHECK_EQ(hkt_queue_create(&queue, 1, &huge), -ENOMEM);
    CHECK(queue == NULL);
    CHECK_EQ(errno, 4711);
}

TEST(errno_is_left_as_it_was_without_threads)
{
    hkt_thread *thread = NULL;
    hkt_thread_options huge = { .stack_size = (size_t)1 << 52 };
    errno = 4711;
    int err = hkt_thread_spawn(&thread, fail_soon, NULL, &huge);
    CHECK(err == -EAGAIN || err == -ENOMEM);
    CHECK(thread == NULL);
    CHECK_EQ(errno, 4711);
}
