/* SPDX-License-Identifier: MIT */
/* The priority queue: the least item first, by a function of yours. What it has in common with
 * other queues is in test_queue.c and its neighbours. */
#include <hocket/queue.h>
#include <stdlib.h>

#include "caller.h"
#include "random.h"
#include "test.h"

static int compare_longs(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

static hkt_queue *made(size_t maxsize)
{
    hkt_queue *queue;
    hkt_queue_options options = { .maxsize = maxsize };
    CHECK_EQ(hkt_priority_queue_create(&queue, sizeof(long), compare_longs, &options), 0);
    return queue;
}

TEST(items_come_out_as_qsort_would_have_them)
{
    struct test_random random = random_of(0);
    for (size_t count = 1; count <= 200; count += 1 + count / 4) {
        hkt_queue *queue = made(count);
        long items[256], got;
        for (size_t i = 0; i < count; i++) {
            items[i] = (long)random_below(&random, count); /* so, with equal ones */
            CHECK_EQ(hkt_queue_put(queue, &items[i]), 0);
        }
        qsort(items, count, sizeof *items, compare_longs);
        for (size_t i = 0; i < count; i++) {
            CHECK_EQ(hkt_queue_get(queue, &got), 0);
            CHECK_EQ(got, items[i]);
        }
        CHECK(hkt_queue_empty(queue));
        hkt_queue_destroy(queue);
    }
}

TEST(sorted_and_reversed_input_come_out_sorted)
{
    hkt_queue *queue = made(HKT_UNBOUNDED);
    long got;
    for (long i = 0; i < 1000; i++) {
        long up = 2 * i, down = 1999 - 2 * i;
        CHECK_EQ(hkt_queue_put(queue, &up), 0);
        CHECK_EQ(hkt_queue_put(queue, &down), 0);
    }
    for (long i = 0; i < 2000; i++) {
        CHECK_EQ(hkt_queue_get(queue, &got), 0);
        CHECK_EQ(got, i);
    }
    hkt_queue_destroy(queue);
}

/* Items that are larger than their rank: all of an item travels with it. */
struct parcel {
    unsigned char rank;
    unsigned char text[100];
};

static int compare_parcels(const void *a, const void *b)
{
    return ((const struct parcel *)b)->rank - ((const struct parcel *)a)->rank;
}

TEST(the_order_is_what_the_function_says)
{
    struct test_random random = random_of(1);
    struct parcel parcel;
    hkt_queue *queue;
    int last = 256;
    CHECK_EQ(hkt_priority_queue_create(&queue, sizeof parcel, compare_parcels, NULL), 0);
    for (int i = 0; i < 500; i++) {
        parcel.rank = (unsigned char)random_below(&random, 256);
        memset(parcel.text, parcel.rank ^ 0x5a, sizeof parcel.text);
        CHECK_EQ(hkt_queue_put(queue, &parcel), 0);
    }
    for (int i = 0; i < 500; i++) {
        CHECK_EQ(hkt_queue_get(queue, &parcel), 0);
        CHECK(parcel.rank <= last); /* here the greatest is first */
        last = parcel.rank;
        for (size_t place = 0; place < sizeof parcel.text; place++)
            CHECK_EQ(parcel.text[place], parcel.rank ^ 0x5a);
    }
    hkt_queue_destroy(queue);
}

/* Two items are equal where their rank is: each must come out once, in whichever order. */
TEST(equal_items_all_come_out)
{
    struct parcel parcel = { .rank = 1 };
    bool seen[100] = { false };
    hkt_queue *queue;
    CHECK_EQ(hkt_priority_queue_create(&queue, sizeof parcel, compare_parcels, NULL), 0);
    for (unsigned char i = 0; i < 100; i++) {
        parcel.text[0] = i;
        CHECK_EQ(hkt_queue_put(queue, &parcel), 0);
    }
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(hkt_queue_get(queue, &parcel), 0);
        CHECK(parcel.text[0] < 100 && !seen[parcel.text[0]]);
        seen[parcel.text[0]] = true;
    }
    hkt_queue_destroy(queue);
}

TEST(there_is_no_priority_queue_without_an_order)
{
    hkt_queue *queue;
    CHECK_EQ(hkt_priority_queue_create(&queue, 8, NULL, NULL), -EINVAL);
}

struct party {
    hkt_queue *queue;
    long item;
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

TEST(an_item_takes_its_rank_when_it_has_got_room)
{
    hkt_queue *queue = made(2);
    struct party late = { queue, 0 };
    struct caller putter;
    long items[] = { 5, 3 }, got;
    for (int i = 0; i < 2; i++)
        CHECK_EQ(hkt_queue_put(queue, &items[i]), 0);
    caller_start_waiting(&putter, put_item, &late, queue);
    CHECK_EQ(hkt_queue_get(queue, &got), 0);
    CHECK_EQ(got, 3); /* 0 was not in yet */
    CHECK_EQ(caller_end(&putter), 0);
    CHECK_EQ(hkt_queue_get(queue, &got), 0);
    CHECK_EQ(got, 0);
    CHECK_EQ(hkt_queue_get(queue, &got), 0);
    CHECK_EQ(got, 5);
    hkt_queue_destroy(queue);
}

TEST(who_waits_for_an_item_gets_the_next_one_whatever_its_rank)
{
    hkt_queue *queue = made(10);
    struct party parties[2] = { { queue, -1 }, { queue, -1 } };
    struct caller getters[2];
    for (int i = 0; i < 2; i++)
        caller_start_waiting(&getters[i], get_item, &parties[i], queue);
    for (long item = 9; item > 6; item--)
        CHECK_EQ(hkt_queue_put(queue, &item), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(caller_end(&getters[i]), 0);
        CHECK_EQ(parties[i].item, 9 - i);
    }
    CHECK_EQ(hkt_queue_qsize(queue), 1);
    hkt_queue_destroy(queue);
}
