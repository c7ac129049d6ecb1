/* SPDX-License-Identifier: MIT */
/* The simple queue: no bound, no tasks. Order, sizes, growth and shutdown it has in common with the
 * others (test_queue.c, test_queue_shutdown.c). */
#include <hocket/queue.h>

#include "caller.h"
#include "random.h"
#include "test.h"

static hkt_queue *made(void)
{
    hkt_queue *queue;
    CHECK_EQ(hkt_simple_queue_create(&queue, sizeof(long)), 0);
    return queue;
}

TEST(a_simple_queue_has_no_tasks)
{
    hkt_queue *queue = made();
    long item = 1;
    CHECK_EQ(hkt_queue_put(queue, &item), 0);
    CHECK_EQ(hkt_queue_task_done(queue), -EINVAL);
    CHECK_EQ(hkt_queue_join(queue), -EINVAL);
    CHECK_EQ(hkt_queue_join_until(queue, hkt_after(0)), -EINVAL);
    hkt_queue_destroy(queue);
}

TEST(a_put_into_a_simple_queue_never_waits)
{
    hkt_queue *queue = made();
    long count = test_scaled(200000), got;
    for (long item = 0; item < count; item++) {
        CHECK_EQ(hkt_queue_put_until(queue, &item, hkt_after(0)), 0);
        CHECK(!hkt_queue_full(queue));
    }
    CHECK_EQ(hkt_queue_qsize(queue), count);
    for (long item = 0; item < count; item++) {
        CHECK_EQ(hkt_queue_get(queue, &got), 0);
        CHECK_EQ(got, item);
    }
    hkt_queue_destroy(queue);
}

static int put_one(void *queue)
{
    long item = 5;
    return hkt_queue_put(queue, &item);
}

static int get_one(void *queue)
{
    long item;
    return hkt_queue_get(queue, &item);
}

TEST(a_get_from_a_simple_queue_waits_and_is_cancelled)
{
    hkt_queue *queue = made();
    struct caller getters[2];
    for (int i = 0; i < 2; i++)
        caller_start_waiting(&getters[i], get_one, queue, queue);
    caller_cancel(&getters[0]);
    CHECK_EQ(caller_end(&getters[0]), -ECANCELED);
    CHECK_EQ(put_one(queue), 0);
    CHECK_EQ(caller_end(&getters[1]), 0);
    CHECK_EQ(call_cancelled(put_one, queue), -ECANCELED);
    CHECK(hkt_queue_empty(queue));
    hkt_queue_destroy(queue);
}

/* Many put while one takes: it grows under them, and loses nothing. */
struct sum {
    hkt_queue *queue;
    long turns;
};

static int put_numbers(void *arg)
{
    struct sum *sum = arg;
    for (long item = 1; item <= sum->turns; item++)
        CHECK_EQ(hkt_queue_put(sum->queue, &item), 0);
    return 0;
}

TEST(several_put_while_it_grows)
{
    struct sum sum = { made(), test_scaled(20000) };
    struct caller putters[3];
    long total = 0, item;
    for (int i = 0; i < 3; i++)
        caller_start(&putters[i], put_numbers, &sum);
    for (long i = 0; i < 3 * sum.turns / 2; i++) {
        CHECK_EQ(hkt_queue_get(sum.queue, &item), 0);
        total += item;
    }
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&putters[i]), 0);
    while (hkt_queue_get_nowait(sum.queue, &item) == 0)
        total += item;
    CHECK_EQ(total, 3 * (sum.turns * (sum.turns + 1) / 2));
    hkt_queue_destroy(sum.queue);
}
