/* SPDX-License-Identifier: MIT */
/* Waiting in a queue for an item or for room: who is served, in which order, and that no item is
 * lost or doubled when somebody gives up. */
#include <hocket/queue.h>

#include "caller.h"
#include "random.h"
#include "test.h"

#define COMERS 4

static hkt_queue *made(size_t maxsize)
{
    hkt_queue *queue;
    CHECK_EQ(hkt_queue_create(&queue, sizeof(long), &(hkt_queue_options){ .maxsize = maxsize }), 0);
    return queue;
}

static void put(hkt_queue *queue, long item)
{
    CHECK_EQ(hkt_queue_put_nowait(queue, &item), 0);
}

static long get(hkt_queue *queue)
{
    long item;
    CHECK_EQ(hkt_queue_get_nowait(queue, &item), 0);
    return item;
}

/* One that puts or gets one item. */
struct party {
    hkt_queue *queue;
    hkt_deadline deadline;
    long item;
    struct caller caller;
};

static int put_item(void *arg)
{
    struct party *party = arg;
    return hkt_queue_put(party->queue, &party->item);
}

static int get_item(void *arg)
{
    struct party *party = arg;
    return hkt_queue_get(party->queue, &party->item);
}

static int put_until(void *arg)
{
    struct party *party = arg;
    int err = hkt_queue_put_until(party->queue, &party->item, party->deadline);
    CHECK(err != -ETIMEDOUT || hkt_deadline_passed(party->deadline));
    return err;
}

static int get_until(void *arg)
{
    struct party *party = arg;
    int err = hkt_queue_get_until(party->queue, &party->item, party->deadline);
    CHECK(err != -ETIMEDOUT || hkt_deadline_passed(party->deadline));
    return err;
}

/* They wait in this queue, in this order. */
static void let_wait(struct party *parties, int count, hkt_queue *queue, int (*call)(void *))
{
    for (int i = 0; i < count; i++) {
        parties[i].queue = queue;
        caller_start_waiting(&parties[i].caller, call, &parties[i], queue);
    }
}

TEST(who_finds_no_item_waits_for_one)
{
    hkt_queue *queue = made(0);
    struct party getter = { .item = -1 };
    let_wait(&getter, 1, queue, get_item);
    await_state(getter.caller.thread, HKT_THREAD_BLOCKED);
    put(queue, 5);
    CHECK_EQ(caller_end(&getter.caller), 0);
    CHECK_EQ(getter.item, 5);
    hkt_queue_destroy(queue);
}

TEST(who_finds_no_room_waits_for_it)
{
    hkt_queue *queue = made(1);
    struct party putter = { .item = 2, .deadline = hkt_after(1000) };
    put(queue, 1);
    let_wait(&putter, 1, queue, put_until);
    await_state(putter.caller.thread, HKT_THREAD_TIMED_WAITING);
    CHECK_EQ(get(queue), 1);
    CHECK_EQ(caller_end(&putter.caller), 0);
    CHECK_EQ(get(queue), 2);
    hkt_queue_destroy(queue);
}

TEST(getters_are_served_in_the_order_of_coming)
{
    hkt_queue *queue = made(0);
    struct party getters[COMERS];
    let_wait(getters, COMERS, queue, get_item);
    for (int i = 0; i < COMERS; i++)
        put(queue, 10 + i);
    for (int i = 0; i < COMERS; i++) {
        CHECK_EQ(caller_end(&getters[i].caller), 0);
        CHECK_EQ(getters[i].item, 10 + i);
    }
    hkt_queue_destroy(queue);
}

TEST(putters_are_served_in_the_order_of_coming)
{
    hkt_queue *queue = made(2);
    struct party putters[COMERS];
    put(queue, 8);
    put(queue, 9);
    for (int i = 0; i < COMERS; i++)
        putters[i].item = 10 + i;
    let_wait(putters, COMERS, queue, put_item);
    for (long item = 8; item < 10 + COMERS; item++)
        CHECK_EQ(get(queue), item);
    for (int i = 0; i < COMERS; i++)
        CHECK_EQ(caller_end(&putters[i].caller), 0);
    hkt_queue_destroy(queue);
}

TEST(a_put_serves_exactly_one)
{
    hkt_queue *queue = made(0);
    struct party getters[COMERS];
    let_wait(getters, COMERS, queue, get_item);
    put(queue, 1);
    put(queue, 2);
    for (int i = 0; i < COMERS; i++)
        caller_cancel(&getters[i].caller);
    for (int i = 0; i < COMERS; i++)
        CHECK_EQ(caller_end(&getters[i].caller), i < 2 ? 0 : -ECANCELED);
    CHECK(hkt_queue_empty(queue));
    hkt_queue_destroy(queue);
}

TEST(who_comes_later_does_not_take_the_item_of_who_waits)
{
    hkt_queue *queue = made(0);
    for (long round = test_scaled(100); round > 0; round--) {
        struct party getter = { .item = -1 };
        long item;
        let_wait(&getter, 1, queue, get_item);
        put(queue, round);
        CHECK_EQ(hkt_queue_get_nowait(queue, &item), -EAGAIN);
        CHECK_EQ(caller_end(&getter.caller), 0);
        CHECK_EQ(getter.item, round);
    }
    hkt_queue_destroy(queue);
}

TEST(who_comes_later_does_not_take_the_room_of_who_waits)
{
    hkt_queue *queue = made(1);
    for (long round = test_scaled(100); round > 0; round--) {
        struct party putter = { .item = 2 };
        long item = 3;
        put(queue, 1);
        let_wait(&putter, 1, queue, put_item);
        CHECK_EQ(get(queue), 1);
        CHECK_EQ(hkt_queue_put_nowait(queue, &item), -EAGAIN);
        CHECK_EQ(get(queue), 2);
        CHECK_EQ(caller_end(&putter.caller), 0);
    }
    hkt_queue_destroy(queue);
}

TEST(waits_in_a_queue_end_at_their_deadline_and_not_before)
{
    hkt_queue *queue = made(1);
    struct party party = { .queue = queue, .item = 7, .deadline = hkt_after(0.02) };
    double begin = hkt_monotonic();
    CHECK_EQ(get_until(&party), -ETIMEDOUT);
    CHECK_EQ(party.item, 7);
    put(queue, 1);
    party.deadline = hkt_after(0.02);
    CHECK_EQ(put_until(&party), -ETIMEDOUT);
    CHECK(hkt_monotonic() - begin >= 0.04 && hkt_monotonic() - begin < 10);
    CHECK_EQ(hkt_queue_qsize(queue), 1);
    CHECK_EQ(get(queue), 1);
    CHECK(hkt_queue_empty(queue));
    hkt_queue_destroy(queue);
}

TEST(a_cancelled_get_takes_nothing_and_writes_nothing)
{
    hkt_queue *queue = made(0);
    struct party getters[2] = { { .item = 7 }, { .item = 7 } };
    let_wait(getters, 2, queue, get_item);
    caller_cancel(&getters[0].caller);
    CHECK_EQ(caller_end(&getters[0].caller), -ECANCELED);
    put(queue, 1);
    CHECK_EQ(caller_end(&getters[1].caller), 0);
    CHECK_EQ(getters[0].item, 7);
    CHECK_EQ(getters[1].item, 1);
    hkt_queue_destroy(queue);
}

TEST(a_cancelled_put_puts_nothing_in)
{
    hkt_queue *queue = made(1);
    struct party putters[2] = { { .item = 7 }, { .item = 8 } };
    put(queue, 1);
    let_wait(putters, 2, queue, put_item);
    caller_cancel(&putters[0].caller);
    CHECK_EQ(caller_end(&putters[0].caller), -ECANCELED);
    CHECK_EQ(get(queue), 1);
    CHECK_EQ(get(queue), 8);
    CHECK_EQ(caller_end(&putters[1].caller), 0);
    CHECK(hkt_queue_empty(queue));
    hkt_queue_destroy(queue);
}

TEST(in_an_ended_scope_nothing_goes_in_or_out)
{
    hkt_queue *queue = made(2);
    struct party party = { .queue = queue, .item = 7, .deadline = hkt_after(1000) };
    put(queue, 1);
    CHECK_EQ(call_cancelled(get_item, &party), -ECANCELED);
    CHECK_EQ(call_cancelled(get_until, &party), -ECANCELED);
    CHECK_EQ(call_cancelled(put_item, &party), -ECANCELED);
    CHECK_EQ(call_cancelled(put_until, &party), -ECANCELED);
    CHECK_EQ(party.item, 7);
    CHECK_EQ(hkt_queue_qsize(queue), 1);
    hkt_queue_destroy(queue);
}

static int put_nowait(void *arg)
{
    struct party *party = arg;
    return hkt_queue_put_nowait(party->queue, &party->item);
}

static int get_nowait(void *arg)
{
    struct party *party = arg;
    return hkt_queue_get_nowait(party->queue, &party->item);
}

TEST(in_an_ended_scope_what_does_not_wait_works)
{
    hkt_queue *queue = made(2);
    struct party party = { .queue = queue, .item = 7, .deadline = hkt_after(0) };
    CHECK_EQ(call_cancelled(put_nowait, &party), 0);
    CHECK_EQ(call_cancelled(put_until, &party), 0);
    CHECK_EQ(call_cancelled(put_until, &party), -ETIMEDOUT);
    CHECK_EQ(call_cancelled(get_nowait, &party), 0);
    CHECK_EQ(call_cancelled(get_until, &party), 0);
    CHECK_EQ(call_cancelled(get_until, &party), -ETIMEDOUT);
    hkt_queue_destroy(queue);
}

TEST_ABORTS(destroying_a_queue_that_somebody_waits_in_is_misuse,
            "hkt_queue_destroy: threads wait in queue 0x")
{
    hkt_queue *queue = made(0);
    struct party getter;
    let_wait(&getter, 1, queue, get_item);
    hkt_queue_destroy(queue);
}

TEST_ABORTS(destroying_a_queue_that_a_putter_waits_in_is_misuse, "shut it down and join them")
{
    hkt_queue *queue = made(1);
    struct party putter = { .item = 1 };
    put(queue, 1);
    let_wait(&putter, 1, queue, put_item);
    hkt_queue_destroy(queue);
}
