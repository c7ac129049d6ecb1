/* SPDX-License-Identifier: MIT */
/* Waits at a hkt_shared_queue: for an item, for room, for the end of all work; given up, cancelled, and
 * ended by a shutdown. By threads and tasks of one process. */
#include <hocket/shared_queue.h>

#include "caller.h"
#include "shared_tests.h"

enum { SEVERAL = 4 };

static hkt_shared_queue *queue_new(size_t maxsize)
{
    hkt_shared_queue *queue;
    hkt_shared_queue_options options = { .maxsize = maxsize };
    CHECK_EQ(hkt_shared_queue_create(&queue, &options), 0);
    return queue;
}

static void queue_end(hkt_shared_queue *queue)
{
    hkt_shared_queue_destroy(queue);
    CHECK_EQ(hkt_finalize(), 0);
}

static int put_seven(void *queue)
{
    int number = 7;
    return hkt_shared_queue_put(queue, HKT_ITEM(number));
}

static int put_long(void *queue)
{
    static char bytes[10000];
    return hkt_shared_queue_put(queue, bytes, sizeof bytes);
}

static int get_one(void *queue)
{
    int number = -1, size = hkt_shared_queue_get(queue, HKT_ITEM(number));
    return size == sizeof number ? number : size;
}

static int take_one(void *queue)
{
    void *message = NULL;
    size_t size = 0;
    int err = hkt_shared_queue_take(queue, &message, &size);
    hkt_shared_free(message);
    return err == 0 ? (int)size : err;
}

static int join(void *queue)
{
    return hkt_shared_queue_join(queue);
}

TEST(a_getter_waits_for_an_item)
{
    hkt_shared_queue *queue = queue_new(2);
    struct caller getter, taker;
    caller_start_waiting(&getter, get_one, queue, queue);
    CHECK_EQ(put_seven(queue), 0);
    CHECK_EQ(caller_end(&getter), 7);
    caller_start_waiting(&taker, take_one, queue, queue);
    CHECK_EQ(put_seven(queue), 0);
    CHECK_EQ(caller_end(&taker), sizeof(int));
    queue_end(queue);
}

TEST(a_putter_waits_for_room)
{
    hkt_shared_queue *queue = queue_new(1);
    struct caller putter;
    CHECK_EQ(put_seven(queue), 0);
    caller_start_waiting(&putter, put_seven, queue, queue);
    CHECK_EQ(hkt_shared_queue_qsize(queue), 1);
    CHECK_EQ(get_one(queue), 7);
    CHECK_EQ(caller_end(&putter), 0);
    CHECK_EQ(get_one(queue), 7);
    queue_end(queue);
}

TEST(a_join_waits_for_the_work)
{
    hkt_shared_queue *queue = queue_new(1);
    struct caller joiner;
    CHECK_EQ(put_seven(queue), 0);
    caller_start_waiting(&joiner, join, queue, queue);
    CHECK_EQ(get_one(queue), 7);
    CHECK_EQ(hkt_shared_queue_task_done(queue), 0);
    CHECK_EQ(caller_end(&joiner), 0);
    queue_end(queue);
}

TEST(each_item_wakes_one_of_several)
{
    hkt_shared_queue *queue = queue_new(SEVERAL);
    struct caller getters[SEVERAL];
    for (int i = 0; i < SEVERAL; i++)
        caller_start_waiting(&getters[i], get_one, queue, queue);
    for (int i = 0; i < SEVERAL; i++)
        CHECK_EQ(put_seven(queue), 0);
    for (int i = 0; i < SEVERAL; i++)
        CHECK_EQ(caller_end(&getters[i]), 7);
    queue_end(queue);
}

TEST(each_place_wakes_one_of_several)
{
    hkt_shared_queue *queue = queue_new(1);
    struct caller putters[SEVERAL];
    CHECK_EQ(put_seven(queue), 0);
    for (int i = 0; i < SEVERAL; i++)
        caller_start_waiting(&putters[i], i % 2 ? put_long : put_seven, queue, queue);
    for (int i = 0; i < SEVERAL + 1; i++)
        CHECK(take_one(queue) > 0);
    for (int i = 0; i < SEVERAL; i++)
        CHECK_EQ(caller_end(&putters[i]), 0);
    queue_end(queue);
}

TEST(waits_can_be_cancelled)
{
    static int (*const full[])(void *) = { put_seven, put_long, join };
    static int (*const empty[])(void *) = { get_one, take_one };
    hkt_shared_queue *queue = queue_new(1);
    struct caller caller;
    for (int i = 0; i < 2; i++) {
        caller_start_waiting(&caller, empty[i], queue, queue);
        caller_cancel(&caller);
        CHECK_EQ(caller_end(&caller), -ECANCELED);
    }
    CHECK_EQ(put_seven(queue), 0);
    size_t used = hkt_shared_used();
    for (int i = 0; i < 3; i++) {
        caller_start_waiting(&caller, full[i], queue, queue);
        caller_cancel(&caller);
        CHECK_EQ(caller_end(&caller), -ECANCELED);
        CHECK_EQ(hkt_shared_used(), used);
    }
    CHECK_EQ(hkt_shared_queue_qsize(queue), 1);
    queue_end(queue);
}

TEST(in_a_cancelled_scope_nothing_goes_on_but_what_does_not_wait)
{
    hkt_shared_queue *queue = queue_new(2);
    hkt_scope scope;
    int number = 1;
    hkt_scope_enter(&scope, NULL);
    hkt_scope_cancel(&scope);
    CHECK_EQ(put_seven(queue), -ECANCELED);
    CHECK_EQ(hkt_shared_queue_put_until(queue, HKT_ITEM(number), hkt_after(1)), -ECANCELED);
    CHECK_EQ(hkt_shared_queue_put_until(queue, HKT_ITEM(number), hkt_after(0)), 0);
    CHECK_EQ(hkt_shared_queue_put_nowait(queue, HKT_ITEM(number)), 0);
    CHECK_EQ(get_one(queue), -ECANCELED);
    CHECK_EQ(take_one(queue), -ECANCELED);
    CHECK_EQ(join(queue), -ECANCELED);
    CHECK_EQ(hkt_shared_queue_get_until(queue, HKT_ITEM(number), hkt_after(0)), sizeof number);
    CHECK_EQ(hkt_shared_queue_get_nowait(queue, HKT_ITEM(number)), sizeof number);
    hkt_scope_leave(&scope);
    queue_end(queue);
}

TEST(deadlines_pass_and_not_before_their_time)
{
    hkt_shared_queue *queue = queue_new(1);
    int number = 1;
    double began = hkt_monotonic();
    CHECK_EQ(hkt_shared_queue_get_until(queue, HKT_ITEM(number), hkt_after(0.02)), -ETIMEDOUT);
    CHECK_EQ(put_seven(queue), 0);
    CHECK_EQ(hkt_shared_queue_put_until(queue, HKT_ITEM(number), hkt_after(0.02)), -ETIMEDOUT);
    CHECK_EQ(hkt_shared_queue_join_until(queue, hkt_after(0.02)), -ETIMEDOUT);
    CHECK(hkt_monotonic() - began >= 0.06);
    queue_end(queue);
}

TEST(a_shutdown_ends_all_waits_for_items)
{
    hkt_shared_queue *queue = queue_new(1);
    struct caller callers[SEVERAL];
    for (int i = 0; i < SEVERAL; i++)
        caller_start_waiting(&callers[i], i % 2 ? get_one : take_one, queue, queue);
    hkt_shared_queue_shutdown(queue, false);
    for (int i = 0; i < SEVERAL; i++)
        CHECK_EQ(caller_end(&callers[i]), -ESHUTDOWN);
    queue_end(queue);
}

TEST(a_shutdown_ends_all_waits_for_room)
{
    hkt_shared_queue *queue = queue_new(1);
    struct caller callers[SEVERAL];
    CHECK_EQ(put_seven(queue), 0);
    for (int i = 0; i < SEVERAL; i++)
        caller_start_waiting(&callers[i], i % 2 ? put_seven : put_long, queue, queue);
    hkt_shared_queue_shutdown(queue, false);
    for (int i = 0; i < SEVERAL; i++)
        CHECK_EQ(caller_end(&callers[i]), -ESHUTDOWN);
    CHECK_EQ(get_one(queue), 7);
    CHECK_EQ(get_one(queue), -ESHUTDOWN);
    queue_end(queue);
}

TEST(an_immediate_shutdown_ends_a_join)
{
    hkt_shared_queue *queue = queue_new(2);
    struct caller joiner;
    CHECK_EQ(put_seven(queue), 0);
    CHECK_EQ(put_long(queue), 0);
    caller_start_waiting(&joiner, join, queue, queue);
    hkt_shared_queue_shutdown(queue, true);
    CHECK_EQ(caller_end(&joiner), 0);
    queue_end(queue);
}

/* One for whom the message is too long passes its ring on. */
static int get_byte(void *queue)
{
    char byte;
    return hkt_shared_queue_get(queue, HKT_ITEM(byte));
}

TEST(who_has_no_room_for_it_leaves_it_to_the_next)
{
    hkt_shared_queue *queue = queue_new(2);
    struct caller small, large;
    caller_start_waiting(&small, get_byte, queue, queue);
    caller_start_waiting(&large, get_one, queue, queue);
    CHECK_EQ(put_seven(queue), 0);
    CHECK_EQ(caller_end(&large), 7);
    CHECK_EQ(put_seven(queue), 0);
    CHECK_EQ(caller_end(&small), -EMSGSIZE);
    CHECK_EQ(get_one(queue), 7);
    queue_end(queue);
}

/* Races: callers that give up against messages that come. None is lost, none is doubled. */
struct race {
    hkt_shared_queue *queue;
    atomic_long put, got;
    uint64_t stream;
};

static int puts_or_gives_up(void *arg)
{
    struct race *race = arg;
    struct test_random random = random_of(1);
    for (long i = test_scaled(2000); i > 0; i--) {
        int number = 1;
        int err = hkt_shared_queue_put_until(race->queue, HKT_ITEM(number),
                                             hkt_after(random_seconds(&random, 0.0002)));
        CHECK(err == 0 || err == -ETIMEDOUT);
        race->put += err == 0;
    }
    return 0;
}

static int gets_or_gives_up(void *arg)
{
    struct race *race = arg;
    struct test_random random = random_of(2);
    for (;;) {
        int number;
        int err = hkt_shared_queue_get_until(race->queue, HKT_ITEM(number),
                                             hkt_after(random_seconds(&random, 0.0002)));
        if (err == -ESHUTDOWN)
            return 0;
        CHECK(err == sizeof number || err == -ETIMEDOUT);
        race->got += err > 0;
    }
}

TEST_TIMEOUT(who_gives_up_in_time_loses_nothing, 60)
{
    struct race race = { .queue = queue_new(2) };
    struct caller putters[2], getters[2];
    for (int i = 0; i < 2; i++) {
        caller_start(&putters[i], puts_or_gives_up, &race);
        caller_start(&getters[i], gets_or_gives_up, &race);
    }
    for (int i = 0; i < 2; i++)
        CHECK_EQ(caller_end(&putters[i]), 0);
    hkt_shared_queue_shutdown(race.queue, false);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(caller_end(&getters[i]), 0);
    CHECK_EQ(race.got, race.put);
    queue_end(race.queue);
}

static int get_once(void *arg)
{
    struct race *race = arg;
    int number, err = hkt_shared_queue_get(race->queue, HKT_ITEM(number));
    race->got += err > 0;
    return err;
}

TEST_TIMEOUT(a_cancel_against_a_put_loses_nothing, 60)
{
    struct race race = { .queue = queue_new(1) };
    struct test_random random = random_of(3);
    for (long i = test_scaled(300); i > 0; i--) {
        struct caller getter;
        int number = 1;
        caller_start(&getter, get_once, &race);
        await_spinning(random_seconds(&random, 0.00005));
        CHECK_EQ(hkt_shared_queue_put_nowait(race.queue, HKT_ITEM(number)), 0);
        caller_cancel(&getter);
        int err = caller_end(&getter);
        CHECK(err == sizeof number || err == -ECANCELED);
        CHECK_EQ(hkt_shared_queue_qsize(race.queue), err > 0 ? 0 : 1);
        if (err < 0)
            CHECK_EQ(hkt_shared_queue_get_nowait(race.queue, HKT_ITEM(number)), sizeof number);
    }
    queue_end(race.queue);
}
