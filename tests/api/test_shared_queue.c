/* SPDX-License-Identifier: MIT */
/* hkt_shared_queue in one process: what each call promises. tests/api/test_shared_queue_processes.c has
 * the same between several. */
#include <hocket/error.h>
#include <hocket/shared_queue.h>
#include <limits.h>
#include <stdlib.h>

#include "caller.h"
#include "shared_tests.h"

static size_t used_before;

static hkt_shared_queue *queue_new(size_t maxsize, size_t message_size)
{
    hkt_shared_queue *queue;
    hkt_shared_queue_options options = { .maxsize = maxsize, .message_size = message_size };
    used_before = hkt_shared_used();
    CHECK_EQ(hkt_shared_queue_create(&queue, &options), 0);
    return queue;
}

/* All that it had is given back. */
static void queue_end(hkt_shared_queue *queue)
{
    hkt_shared_queue_destroy(queue);
    CHECK_EQ(hkt_shared_used(), used_before);
    CHECK_EQ(hkt_finalize(), 0);
}

static void put(hkt_shared_queue *queue, int number)
{
    CHECK_EQ(hkt_shared_queue_put_nowait(queue, HKT_ITEM(number)), 0);
}

static void expect(hkt_shared_queue *queue, int number)
{
    int got = -1;
    CHECK_EQ(hkt_shared_queue_get_nowait(queue, HKT_ITEM(got)), sizeof got);
    CHECK_EQ(got, number);
}

TEST(first_in_first_out)
{
    hkt_shared_queue *queue = queue_new(0, 0);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 700; i++)
            put(queue, i);
        for (int i = 0; i < 700; i++)
            expect(queue, i);
    }
    queue_end(queue);
}

TEST(what_was_put_is_there_when_put_returns)
{
    hkt_shared_queue *queue = queue_new(2, 0);
    for (int i = 0; i < 10000; i++) {
        put(queue, i);
        expect(queue, i);
    }
    queue_end(queue);
}

TEST(maxsize_is_exact)
{
    static const size_t sizes[] = { 1, 2, 3, 5, 64, 100 };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        hkt_shared_queue *queue = queue_new(sizes[s], 0);
        for (int turn = 0; turn < 3; turn++) {
            CHECK(hkt_shared_queue_empty(queue));
            for (size_t i = 0; i < sizes[s]; i++) {
                CHECK(!hkt_shared_queue_full(queue));
                CHECK_EQ(hkt_shared_queue_qsize(queue), i);
                put(queue, (int)i);
            }
            int more = 0;
            CHECK(hkt_shared_queue_full(queue) && !hkt_shared_queue_empty(queue));
            CHECK_EQ(hkt_shared_queue_put_nowait(queue, HKT_ITEM(more)), -EAGAIN);
            CHECK_EQ(hkt_shared_queue_put_until(queue, HKT_ITEM(more), hkt_after(0)), -ETIMEDOUT);
            for (size_t i = 0; i < sizes[s]; i++)
                expect(queue, (int)i);
        }
        hkt_shared_queue_destroy(queue);
    }
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(the_default_has_room_for_1024)
{
    hkt_shared_queue *queue = queue_new(0, 0);
    for (int i = 0; i < 1024; i++)
        put(queue, i);
    CHECK(hkt_shared_queue_full(queue));
    queue_end(queue);
}

TEST(limits_of_the_options)
{
    hkt_shared_queue *queue = NULL;
    hkt_shared_queue_options many = { .maxsize = 1000001 };
    hkt_shared_queue_options big = { .message_size = ((size_t)64 << 20) + 1 };
    CHECK_EQ(hkt_shared_queue_create(&queue, &many), -EINVAL);
    CHECK(strstr(hkt_sentence(-EINVAL), "1000000"));
    CHECK_EQ(hkt_shared_queue_create(&queue, &big), -EINVAL);
    CHECK(queue == NULL);
    hkt_shared_queue_destroy(NULL);
    queue = queue_new(1000000, 1);
    put(queue, 7); /* longer than that: lies elsewhere */
    expect(queue, 7);
    queue_end(queue);
}

TEST(nothing_is_a_message_too)
{
    hkt_shared_queue *queue = queue_new(4, 0);
    void *message = NULL;
    size_t size = 1;
    CHECK_EQ(hkt_shared_queue_put(queue, NULL, 0), 0);
    CHECK_EQ(hkt_shared_queue_put(queue, NULL, 0), 0);
    CHECK_EQ(hkt_shared_queue_qsize(queue), 2);
    CHECK_EQ(hkt_shared_queue_next_size(queue), 0);
    CHECK_EQ(hkt_shared_queue_get(queue, NULL, 0), 0);
    CHECK_EQ(hkt_shared_queue_take(queue, &message, &size), 0);
    CHECK(message != NULL && size == 0);
    hkt_shared_free(message);
    queue_end(queue);
}

/* Byte i of a message of this size. */
static unsigned char byte_of(size_t size, size_t i)
{
    return (unsigned char)(size * 31 + i * 7 + i / 256);
}

static void put_sized(hkt_shared_queue *queue, size_t size)
{
    unsigned char *bytes = malloc(size + 1);
    CHECK(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_of(size, i);
    CHECK_EQ(hkt_shared_queue_put(queue, bytes, size), 0);
    memset(bytes, 0, size); /* it was copied */
    free(bytes);
}

static void check_bytes(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != byte_of(size, i))
            CHECK_EQ(bytes[i], byte_of(size, i));
}

TEST(messages_have_any_size)
{
    static const size_t sizes[] = { 0, 1, 15, 239, 240, 241, 4096, 65536, 1000000 };
    enum { SIZES = sizeof sizes / sizeof *sizes };
    static unsigned char bytes[1000000];
    hkt_shared_queue *queue = queue_new(SIZES, 0);
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < SIZES; i++)
            put_sized(queue, sizes[i]);
        for (int i = 0; i < SIZES; i++) {
            CHECK_EQ(hkt_shared_queue_next_size(queue), sizes[i]);
            if (turn == 0) {
                CHECK_EQ(hkt_shared_queue_get(queue, bytes, sizeof bytes), sizes[i]);
                check_bytes(bytes, sizes[i]);
                continue;
            }
            void *message;
            size_t size;
            CHECK_EQ(hkt_shared_queue_take_until(queue, &message, &size, hkt_after(0)), 0);
            CHECK(hkt_shared_contains(message));
            CHECK_EQ(size, sizes[i]);
            check_bytes(message, size);
            hkt_shared_free(message);
        }
    }
    queue_end(queue);
}

TEST(a_message_that_is_too_long_stays_the_first)
{
    hkt_shared_queue *queue = queue_new(4, 0);
    static unsigned char bytes[5000];
    put_sized(queue, 100);
    put_sized(queue, 5000);
    CHECK_EQ(hkt_shared_queue_get(queue, bytes, 99), -EMSGSIZE);
    CHECK(strstr(hkt_sentence(-EMSGSIZE), "100 bytes"));
    CHECK_EQ(hkt_shared_queue_get_nowait(queue, bytes, 0), -EMSGSIZE);
    CHECK_EQ(hkt_shared_queue_get_until(queue, bytes, 1, hkt_after(0)), -EMSGSIZE);
    CHECK_EQ(hkt_shared_queue_next_size(queue), 100);
    CHECK_EQ(hkt_shared_queue_get(queue, bytes, 100), 100);
    CHECK_EQ(hkt_shared_queue_get(queue, bytes, 4999), -EMSGSIZE);
    CHECK_EQ(hkt_shared_queue_qsize(queue), 1);
    CHECK_EQ(hkt_shared_queue_get(queue, bytes, 5000), 5000);
    check_bytes(bytes, 5000);
    queue_end(queue);
}

TEST(an_empty_queue_has_no_next_size)
{
    hkt_shared_queue *queue = queue_new(4, 0);
    int number = 0;
    void *message;
    size_t size;
    CHECK_EQ(hkt_shared_queue_next_size(queue), -EAGAIN);
    CHECK_EQ(hkt_shared_queue_get_nowait(queue, HKT_ITEM(number)), -EAGAIN);
    CHECK_EQ(hkt_shared_queue_get_until(queue, HKT_ITEM(number), hkt_after(0)), -ETIMEDOUT);
    CHECK_EQ(hkt_shared_queue_take_until(queue, &message, &size, hkt_after(0)), -ETIMEDOUT);
    double began = hkt_monotonic();
    CHECK_EQ(hkt_shared_queue_get_until(queue, HKT_ITEM(number), hkt_after(0.02)), -ETIMEDOUT);
    CHECK_EQ(hkt_shared_queue_take_until(queue, &message, &size, hkt_after(0.02)), -ETIMEDOUT);
    CHECK(hkt_monotonic() - began >= 0.04);
    queue_end(queue);
}

TEST(destroy_frees_what_is_in_it)
{
    hkt_shared_queue *queue = queue_new(100, 0);
    for (size_t i = 0; i < 100; i++)
        put_sized(queue, i * 100);
    queue_end(queue);
}

TEST(work_is_counted)
{
    hkt_shared_queue *queue = queue_new(4, 0);
    int number;
    CHECK_EQ(hkt_shared_queue_task_done(queue), -EINVAL);
    CHECK(strstr(hkt_sentence(-EINVAL), "more often"));
    CHECK_EQ(hkt_shared_queue_join(queue), 0);
    put(queue, 1);
    put(queue, 2);
    CHECK_EQ(hkt_shared_queue_join_until(queue, hkt_after(0)), -ETIMEDOUT);
    expect(queue, 1);
    CHECK_EQ(hkt_shared_queue_task_done(queue), 0);
    CHECK_EQ(hkt_shared_queue_join_until(queue, hkt_after(0.01)), -ETIMEDOUT);
    CHECK_EQ(hkt_shared_queue_get(queue, HKT_ITEM(number)), sizeof number);
    CHECK_EQ(hkt_shared_queue_task_done(queue), 0);
    CHECK_EQ(hkt_shared_queue_join(queue), 0);
    CHECK_EQ(hkt_shared_queue_task_done(queue), -EINVAL);
    queue_end(queue);
}

TEST(a_simple_queue_counts_no_work)
{
    hkt_shared_queue *queue;
    CHECK_EQ(hkt_shared_simple_queue_create(&queue), 0);
    put(queue, 1);
    expect(queue, 1);
    CHECK_EQ(hkt_shared_queue_task_done(queue), -EINVAL);
    CHECK_EQ(hkt_shared_queue_join(queue), -EINVAL);
    CHECK_EQ(hkt_shared_queue_join_until(queue, hkt_after(0)), -EINVAL);
    hkt_shared_queue_destroy(queue);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(a_shutdown_lets_out_what_is_left)
{
    hkt_shared_queue *queue = queue_new(4, 0);
    int number = 3;
    put(queue, 1);
    put(queue, 2);
    hkt_shared_queue_shutdown(queue, false);
    hkt_shared_queue_shutdown(queue, false);
    CHECK_EQ(hkt_shared_queue_put(queue, HKT_ITEM(number)), -ESHUTDOWN);
    CHECK_EQ(hkt_shared_queue_put_nowait(queue, HKT_ITEM(number)), -ESHUTDOWN);
    CHECK_EQ(hkt_shared_queue_put_until(queue, HKT_ITEM(number), hkt_after(0)), -ESHUTDOWN);
    expect(queue, 1);
    expect(queue, 2);
    CHECK_EQ(hkt_shared_queue_get(queue, HKT_ITEM(number)), -ESHUTDOWN);
    CHECK_EQ(hkt_shared_queue_get_nowait(queue, HKT_ITEM(number)), -ESHUTDOWN);
    CHECK_EQ(hkt_shared_queue_next_size(queue), -EAGAIN);
    CHECK_EQ(hkt_shared_queue_join_until(queue, hkt_after(0)), -ETIMEDOUT);
    CHECK_EQ(hkt_shared_queue_task_done(queue), 0);
    CHECK_EQ(hkt_shared_queue_task_done(queue), 0);
    CHECK_EQ(hkt_shared_queue_join(queue), 0);
    queue_end(queue);
}

TEST(an_immediate_shutdown_drops_it_and_counts_it_as_done)
{
    hkt_shared_queue *queue = queue_new(4, 0);
    static char long_one[100000];
    int number;
    put(queue, 1);
    expect(queue, 1);
    put(queue, 2);
    CHECK_EQ(hkt_shared_queue_put(queue, long_one, sizeof long_one), 0);
    hkt_shared_queue_shutdown(queue, true);
    CHECK(hkt_shared_queue_empty(queue));
    CHECK_EQ(hkt_shared_queue_get(queue, HKT_ITEM(number)), -ESHUTDOWN);
    CHECK_EQ(hkt_shared_queue_join_until(queue, hkt_after(0)), -ETIMEDOUT);
    CHECK_EQ(hkt_shared_queue_task_done(queue), 0);
    CHECK_EQ(hkt_shared_queue_join(queue), 0);
    CHECK_EQ(hkt_shared_queue_task_done(queue), -EINVAL);
    queue_end(queue);
}

TEST(no_memory_for_a_long_message_is_an_error)
{
    hkt_shared_queue *queue = queue_new(4, 0);
    static char small[8];
    CHECK_EQ(hkt_shared_queue_put(queue, small, SIZE_MAX / 4), -ENOMEM);
    CHECK(strstr(hkt_sentence(-ENOMEM), "in use"));
    CHECK_EQ(hkt_shared_queue_qsize(queue), 0);
    put(queue, 1);
    expect(queue, 1);
    queue_end(queue);
}

TEST_TIMEOUT(a_message_of_three_gigabytes_is_taken, 120)
{
    size_t size = (size_t)3 << 30, got = 0;
    if (sizeof size < 8 || test_scale() < 0.5 || hkt_shared_capacity() < 2 * size)
        size = (size_t)300 << 20;
    hkt_shared_queue *queue = queue_new(2, 0);
    char *bytes = calloc(1, size), *message = NULL;
    CHECK(bytes);
    bytes[0] = 1;
    bytes[size - 1] = 2;
    int err = hkt_shared_queue_put(queue, bytes, size);
    free(bytes);
    if (err == -ENOMEM)
        TEST_SKIP("there are no three gigabytes of memory here");
    CHECK_EQ(err, 0);
    CHECK_EQ(hkt_shared_queue_next_size(queue), size < INT_MAX ? (long long)size : INT_MAX);
    CHECK_EQ(hkt_shared_queue_get(queue, NULL, 0), -EMSGSIZE);
    CHECK_EQ(hkt_shared_queue_take(queue, (void **)&message, &got), 0);
    CHECK_EQ(got, size);
    CHECK(message[0] == 1 && message[1] == 0 && message[size - 1] == 2);
    hkt_shared_free(message);
    queue_end(queue);
}
