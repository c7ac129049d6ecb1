/* SPDX-License-Identifier: MIT */
/* The end of a queue: drained or at once, and what that means for all who put, get and join. */
#include <hocket/queue.h>

#include "caller.h"
#include "random.h"
#include "test.h"

static hkt_queue *made(size_t maxsize)
{
    hkt_queue *queue;
    CHECK_EQ(hkt_queue_create(&queue, sizeof(long), &(hkt_queue_options){ .maxsize = maxsize }), 0);
    return queue;
}

static void fill(hkt_queue *queue, long count)
{
    for (long item = 0; item < count; item++)
        CHECK_EQ(hkt_queue_put_nowait(queue, &item), 0);
}

static int put_one(void *queue)
{
    long item = 99;
    return hkt_queue_put(queue, &item);
}

static int get_one(void *queue)
{
    long item = -1;
    int err = hkt_queue_get(queue, &item);
    CHECK(err == 0 || item == -1);
    return err;
}

static int join_it(void *queue)
{
    return hkt_queue_join(queue);
}

/* All ways to put fail, and the queue stays as it is. */
static void check_takes_nothing(hkt_queue *queue)
{
    size_t size = hkt_queue_qsize(queue);
    long item = 99;
    CHECK_EQ(hkt_queue_put(queue, &item), -ESHUTDOWN);
    CHECK_EQ(hkt_queue_put_nowait(queue, &item), -ESHUTDOWN);
    CHECK_EQ(hkt_queue_put_until(queue, &item, hkt_after(0)), -ESHUTDOWN);
    CHECK_EQ(hkt_queue_put_until(queue, &item, hkt_after(1000)), -ESHUTDOWN);
    CHECK_EQ(hkt_queue_qsize(queue), size);
}

static void check_gives_nothing(hkt_queue *queue)
{
    long item = 7;
    CHECK_EQ(hkt_queue_get(queue, &item), -ESHUTDOWN);
    CHECK_EQ(hkt_queue_get_nowait(queue, &item), -ESHUTDOWN);
    CHECK_EQ(hkt_queue_get_until(queue, &item, hkt_after(0)), -ESHUTDOWN);
    CHECK_EQ(hkt_queue_get_until(queue, &item, hkt_after(1000)), -ESHUTDOWN);
    CHECK_EQ(item, 7);
    CHECK(hkt_queue_empty(queue));
}

TEST(after_a_shutdown_an_empty_queue_takes_and_gives_nothing)
{
    for (int immediate = 0; immediate < 2; immediate++) {
        hkt_queue *queue = made(2);
        hkt_queue_shutdown(queue, immediate);
        check_takes_nothing(queue);
        check_gives_nothing(queue);
        CHECK_EQ(hkt_queue_join(queue), 0);
        hkt_queue_destroy(queue);
    }
}

TEST(after_a_shutdown_what_is_left_can_still_be_had)
{
    hkt_queue *queue = made(4);
    long item;
    fill(queue, 3);
    hkt_queue_shutdown(queue, false);
    check_takes_nothing(queue);
    CHECK_EQ(hkt_queue_get(queue, &item), 0);
    CHECK_EQ(item, 0);
    CHECK_EQ(hkt_queue_get_nowait(queue, &item), 0);
    CHECK_EQ(item, 1);
    CHECK_EQ(hkt_queue_get_until(queue, &item, hkt_after(0)), 0);
    CHECK_EQ(item, 2);
    check_gives_nothing(queue);
    hkt_queue_destroy(queue);
}

TEST(a_full_queue_that_is_shut_down_says_shut_down)
{
    hkt_queue *queue = made(2);
    fill(queue, 2);
    hkt_queue_shutdown(queue, false);
    check_takes_nothing(queue);
    hkt_queue_destroy(queue);
}

TEST(an_immediate_shutdown_drops_what_is_left)
{
    hkt_queue *queue = made(4);
    fill(queue, 3);
    hkt_queue_shutdown(queue, true);
    CHECK_EQ(hkt_queue_qsize(queue), 0);
    check_takes_nothing(queue);
    check_gives_nothing(queue);
    CHECK_EQ(hkt_queue_join(queue), 0);
    hkt_queue_destroy(queue);
}

TEST(to_shut_down_again_is_fine)
{
    hkt_queue *queue = made(4);
    fill(queue, 3);
    hkt_queue_shutdown(queue, false);
    hkt_queue_shutdown(queue, false);
    CHECK_EQ(hkt_queue_qsize(queue), 3);
    hkt_queue_shutdown(queue, true);
    check_gives_nothing(queue);
    hkt_queue_shutdown(queue, true);
    hkt_queue_shutdown(queue, false);
    check_takes_nothing(queue);
    check_gives_nothing(queue);
    hkt_queue_destroy(queue);
}

TEST(all_who_wait_for_an_item_are_sent_away)
{
    for (int immediate = 0; immediate < 2; immediate++) {
        hkt_queue *queue = made(4);
        struct caller getters[3];
        for (int i = 0; i < 3; i++)
            caller_start_waiting(&getters[i], get_one, queue, queue);
        hkt_queue_shutdown(queue, immediate);
        for (int i = 0; i < 3; i++)
            CHECK_EQ(caller_end(&getters[i]), -ESHUTDOWN);
        hkt_queue_destroy(queue);
    }
}

TEST(all_who_wait_for_room_are_sent_away_with_their_items)
{
    for (int immediate = 0; immediate < 2; immediate++) {
        hkt_queue *queue = made(2);
        struct caller putters[3];
        long item;
        fill(queue, 2);
        for (int i = 0; i < 3; i++)
            caller_start_waiting(&putters[i], put_one, queue, queue);
        hkt_queue_shutdown(queue, immediate);
        for (int i = 0; i < 3; i++)
            CHECK_EQ(caller_end(&putters[i]), -ESHUTDOWN);
        for (long left = 0; left < 2 && !immediate; left++) {
            CHECK_EQ(hkt_queue_get(queue, &item), 0);
            CHECK_EQ(item, left);
        }
        check_gives_nothing(queue);
        hkt_queue_destroy(queue);
    }
}

TEST(who_joins_waits_on_until_what_is_left_is_done)
{
    hkt_queue *queue = made(4);
    struct caller joiner;
    fill(queue, 2);
    caller_start_waiting(&joiner, join_it, queue, queue);
    hkt_queue_shutdown(queue, false);
    CHECK(waits_for(joiner.thread, queue));
    for (int i = 0; i < 2; i++) {
        CHECK(waits_for(joiner.thread, queue));
        CHECK_EQ(get_one(queue), 0);
        CHECK_EQ(hkt_queue_task_done(queue), 0);
    }
    CHECK_EQ(caller_end(&joiner), 0);
    CHECK_EQ(hkt_queue_task_done(queue), -EINVAL);
    hkt_queue_destroy(queue);
}

TEST(an_immediate_shutdown_counts_what_it_drops_as_done)
{
    hkt_queue *queue = made(4);
    struct caller joiners[2];
    fill(queue, 3);
    for (int i = 0; i < 2; i++)
        caller_start_waiting(&joiners[i], join_it, queue, queue);
    hkt_queue_shutdown(queue, true);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(caller_end(&joiners[i]), 0);
    CHECK_EQ(hkt_queue_task_done(queue), -EINVAL);
    hkt_queue_destroy(queue);
}

TEST(what_was_taken_out_before_an_immediate_shutdown_is_still_waited_for)
{
    hkt_queue *queue = made(4);
    struct caller joiner;
    fill(queue, 3);
    CHECK_EQ(get_one(queue), 0);
    caller_start_waiting(&joiner, join_it, queue, queue);
    hkt_queue_shutdown(queue, true);
    CHECK(waits_for(joiner.thread, queue));
    CHECK_EQ(hkt_queue_join_until(queue, hkt_after(0)), -ETIMEDOUT);
    CHECK_EQ(hkt_queue_task_done(queue), 0);
    CHECK_EQ(caller_end(&joiner), 0);
    CHECK_EQ(hkt_queue_task_done(queue), -EINVAL);
    hkt_queue_destroy(queue);
}

/* Work said to be done before it was taken out: dropping what is left never counts below nothing.
 */
TEST(dropping_what_was_done_already_does_not_count_twice)
{
    hkt_queue *queue = made(4);
    fill(queue, 3);
    CHECK_EQ(hkt_queue_task_done(queue), 0);
    CHECK_EQ(hkt_queue_task_done(queue), 0);
    hkt_queue_shutdown(queue, true);
    CHECK_EQ(hkt_queue_join(queue), 0);
    CHECK_EQ(hkt_queue_task_done(queue), -EINVAL);
    hkt_queue_destroy(queue);
}

TEST(stacks_priority_and_simple_queues_shut_down_likewise)
{
    hkt_queue *queue;
    CHECK_EQ(hkt_lifo_queue_create(&queue, sizeof(long), NULL), 0);
    fill(queue, 2);
    hkt_queue_shutdown(queue, false);
    check_takes_nothing(queue);
    CHECK_EQ(get_one(queue), 0);
    hkt_queue_shutdown(queue, true);
    check_gives_nothing(queue);
    hkt_queue_destroy(queue);
    CHECK_EQ(hkt_simple_queue_create(&queue, sizeof(long)), 0);
    fill(queue, 2);
    hkt_queue_shutdown(queue, false);
    check_takes_nothing(queue);
    CHECK_EQ(get_one(queue), 0);
    hkt_queue_shutdown(queue, true);
    check_gives_nothing(queue);
    hkt_queue_destroy(queue);
}

/* Everybody does everything while the queue is shut down: all return, and nothing is unaccounted
 * for. */
struct closing {
    hkt_queue *queue;
    bool immediate;
    atomic_long put, got, closed; /* closed: callers who have seen the end */
};

static int put_until_closed(void *arg)
{
    struct closing *closing = arg;
    long item = 1;
    int err;
    while ((err = hkt_queue_put(closing->queue, &item)) == 0)
        atomic_fetch_add(&closing->put, 1);
    atomic_fetch_add(&closing->closed, 1);
    return err == -ESHUTDOWN ? 0 : err;
}

static int get_until_closed(void *arg)
{
    struct closing *closing = arg;
    long item;
    int err;
    while ((err = hkt_queue_get(closing->queue, &item)) == 0) {
        atomic_fetch_add(&closing->got, 1);
        CHECK_EQ(hkt_queue_task_done(closing->queue), 0);
    }
    atomic_fetch_add(&closing->closed, 1);
    return err == -ESHUTDOWN ? 0 : err;
}

static int join_until_closed(void *arg)
{
    struct closing *closing = arg;
    while (atomic_load(&closing->closed) == 0)
        CHECK_EQ(hkt_queue_join(closing->queue), 0);
    return hkt_queue_join(closing->queue);
}

static int close_it(void *arg)
{
    struct closing *closing = arg;
    hkt_queue_shutdown(closing->queue, closing->immediate);
    return 0;
}

static void close_under_load(struct test_random *random)
{
    struct closing closing = { .queue = made(random_below(random, 4) + 1) };
    struct caller callers[7];
    closing.immediate = random_below(random, 2);
    for (int i = 0; i < 7; i++)
        caller_start(&callers[i],
                     i < 3   ? put_until_closed
                     : i < 5 ? get_until_closed
                             : join_until_closed,
                     &closing);
    await_time(hkt_monotonic() + random_seconds(random, 0.002));
    CHECK_EQ(call_elsewhere(close_it, &closing), 0);
    for (int i = 0; i < 7; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
    CHECK(hkt_queue_empty(closing.queue));
    CHECK(atomic_load(&closing.got) <= atomic_load(&closing.put));
    if (!closing.immediate)
        CHECK_EQ(atomic_load(&closing.got), atomic_load(&closing.put));
    CHECK_EQ(hkt_queue_task_done(closing.queue), -EINVAL);
    hkt_queue_destroy(closing.queue);
}

TEST_TIMEOUT(a_shutdown_under_load_sends_everybody_home, 60)
{
    struct test_random random = random_of(0);
    for (long round = test_scaled(200); round > 0; round--)
        close_under_load(&random);
}
