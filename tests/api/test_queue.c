/* SPDX-License-Identifier: MIT */
/* Queues as one thread sees them: making them, order, bounds, copies, memory. Waiting in them:
 * test_queue_waiting.c; tasks and shutdown: test_queue_shutdown.c. */
#include <errno.h>
#include <hocket/memory.h>
#include <hocket/queue.h>
#include <stdlib.h>

#include "random.h"
#include "test.h"

static int compare_longs(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

enum kind { FIFO, LIFO, PRIORITY, SIMPLE, KINDS };

static int create(hkt_queue **queue, enum kind kind, size_t item_size, size_t maxsize)
{
    hkt_queue_options options = { .maxsize = maxsize };
    switch (kind) {
    case FIFO:
        return hkt_queue_create(queue, item_size, &options);
    case LIFO:
        return hkt_lifo_queue_create(queue, item_size, &options);
    case PRIORITY:
        return hkt_priority_queue_create(queue, item_size, compare_longs, &options);
    default:
        return hkt_simple_queue_create(queue, item_size);
    }
}

static hkt_queue *made(enum kind kind, size_t maxsize)
{
    hkt_queue *queue;
    CHECK_EQ(create(&queue, kind, sizeof(long), maxsize), 0);
    return queue;
}

TEST(items_of_no_size_are_refused)
{
    hkt_queue *queue = (hkt_queue *)&queue;
    for (enum kind kind = 0; kind < KINDS; kind++)
        CHECK_EQ(create(&queue, kind, 0, 10), -EINVAL);
    CHECK(queue == (hkt_queue *)&queue);
}

TEST(more_than_any_memory_is_refused)
{
    hkt_queue *queue = (hkt_queue *)&queue;
    for (enum kind kind = FIFO; kind <= PRIORITY; kind++) {
        CHECK_EQ(create(&queue, kind, SIZE_MAX / 2, 1024), -ENOMEM);
        CHECK_EQ(create(&queue, kind, 8, SIZE_MAX - 1), -ENOMEM);
        CHECK_EQ(create(&queue, kind, SIZE_MAX, HKT_UNBOUNDED), -ENOMEM);
    }
    CHECK_EQ(create(&queue, SIMPLE, SIZE_MAX / 2, 0), -ENOMEM);
    CHECK(queue == (hkt_queue *)&queue);
}

TEST(destroying_nothing_is_fine)
{
    hkt_queue_destroy(NULL);
}

TEST(a_queue_with_items_in_it_can_be_destroyed)
{
    size_t before = hkt_allocation_count();
    for (enum kind kind = 0; kind < KINDS; kind++) {
        hkt_queue *queue = made(kind, 100);
        for (long item = 0; item < 100; item++)
            CHECK_EQ(hkt_queue_put(queue, &item), 0);
        hkt_queue_destroy(queue);
    }
    CHECK_EQ(hkt_allocation_count(), before);
}

TEST(the_first_in_is_the_first_out)
{
    hkt_queue *queue = made(FIFO, 5);
    long next_out = 0, got;
    for (long item = 0; item < 1000; item++) {
        CHECK_EQ(hkt_queue_put_nowait(queue, &item), 0);
        while (item % 3 && hkt_queue_qsize(queue) > (size_t)(item % 4)) {
            CHECK_EQ(hkt_queue_get(queue, &got), 0);
            CHECK_EQ(got, next_out++);
        }
    }
    hkt_queue_destroy(queue);
}

TEST(of_a_stack_the_last_in_is_the_first_out)
{
    hkt_queue *queue = made(LIFO, 100);
    long got;
    for (long item = 0; item < 100; item++)
        CHECK_EQ(hkt_queue_put(queue, &item), 0);
    for (long item = 99; item >= 0; item--) {
        CHECK_EQ(hkt_queue_get_nowait(queue, &got), 0);
        CHECK_EQ(got, item);
    }
    hkt_queue_destroy(queue);
}

/* What an array says that a queue of this kind should do. */
struct model {
    enum kind kind;
    size_t maxsize, count;
    long items[64];
};

static int model_put(struct model *model, long item)
{
    if (model->count == model->maxsize)
        return -EAGAIN;
    model->items[model->count++] = item;
    return 0;
}

static int model_get(struct model *model, long *item)
{
    size_t chosen = 0;
    if (model->count == 0)
        return -EAGAIN;
    if (model->kind == LIFO)
        chosen = model->count - 1;
    for (size_t i = 0; model->kind == PRIORITY && i < model->count; i++)
        if (model->items[i] < model->items[chosen])
            chosen = i;
    *item = model->items[chosen];
    model->count--;
    for (size_t i = chosen; i < model->count; i++)
        model->items[i] = model->items[i + 1];
    return 0;
}

static void compare_with_model(enum kind kind, size_t maxsize, struct test_random *random)
{
    struct model model = { .kind = kind, .maxsize = maxsize };
    hkt_queue *queue = made(kind, maxsize);
    for (long step = test_scaled(2000); step > 0; step--) {
        long item = (long)random_below(random, 100), got = -1, expected = -1;
        if (random_below(random, 100) < (step / 100 % 2 ? 60 : 40)) {
            CHECK_EQ(hkt_queue_put_nowait(queue, &item), model_put(&model, item));
        } else {
            CHECK_EQ(hkt_queue_get_nowait(queue, &got), model_get(&model, &expected));
            CHECK_EQ(got, expected);
        }
        CHECK_EQ(hkt_queue_qsize(queue), model.count);
        CHECK_EQ(hkt_queue_empty(queue), model.count == 0);
        CHECK_EQ(hkt_queue_full(queue), model.count == maxsize);
    }
    hkt_queue_destroy(queue);
}

TEST(random_puts_and_gets_do_as_an_array_says)
{
    struct test_random random = random_of(0);
    for (enum kind kind = FIFO; kind <= PRIORITY; kind++)
        for (size_t maxsize = 1; maxsize <= 33; maxsize += maxsize < 9 ? 1 : 8)
            compare_with_model(kind, maxsize, &random);
}

static void fill(hkt_queue *queue, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        long item = (long)i;
        CHECK(!hkt_queue_full(queue));
        CHECK_EQ(hkt_queue_put_nowait(queue, &item), 0);
    }
    CHECK_EQ(hkt_queue_qsize(queue), count);
}

TEST(it_is_bounded_unless_you_say_otherwise)
{
    hkt_queue *queues[3];
    long item = 1;
    CHECK_EQ(hkt_queue_create(&queues[0], sizeof(long), NULL), 0);
    CHECK_EQ(hkt_lifo_queue_create(&queues[1], sizeof(long), &(hkt_queue_options){ 0 }), 0);
    CHECK_EQ(hkt_priority_queue_create(&queues[2], sizeof(long), compare_longs, NULL), 0);
    for (int i = 0; i < 3; i++) {
        fill(queues[i], HKT_QUEUE_MAXSIZE);
        CHECK_EQ(HKT_QUEUE_MAXSIZE, 1024);
        CHECK(hkt_queue_full(queues[i]));
        CHECK_EQ(hkt_queue_put_nowait(queues[i], &item), -EAGAIN);
        hkt_queue_destroy(queues[i]);
    }
}

TEST(a_full_one_takes_nothing)
{
    for (enum kind kind = FIFO; kind <= PRIORITY; kind++) {
        hkt_queue *queue = made(kind, 3);
        long item = 7;
        fill(queue, 3);
        CHECK(hkt_queue_full(queue));
        CHECK_EQ(hkt_queue_put_nowait(queue, &item), -EAGAIN);
        CHECK_EQ(hkt_queue_put_until(queue, &item, hkt_after(0)), -ETIMEDOUT);
        CHECK_EQ(hkt_queue_qsize(queue), 3);
        CHECK_EQ(hkt_queue_get(queue, &item), 0);
        CHECK_EQ(hkt_queue_put_until(queue, &item, hkt_after(0)), 0);
        hkt_queue_destroy(queue);
    }
}

TEST(an_empty_one_gives_nothing_and_writes_nothing)
{
    for (enum kind kind = 0; kind < KINDS; kind++) {
        hkt_queue *queue = made(kind, 3);
        long item = 7;
        CHECK(hkt_queue_empty(queue));
        CHECK_EQ(hkt_queue_get_nowait(queue, &item), -EAGAIN);
        CHECK_EQ(hkt_queue_get_until(queue, &item, hkt_after(0)), -ETIMEDOUT);
        CHECK_EQ(hkt_queue_get_until(queue, &item, hkt_after(0.001)), -ETIMEDOUT);
        CHECK_EQ(item, 7);
        hkt_queue_destroy(queue);
    }
}

TEST(items_are_copied_in_and_out)
{
    hkt_queue *queue = made(FIFO, 3);
    long item = 1, first = 0, second = 0;
    CHECK_EQ(hkt_queue_put(queue, &item), 0);
    item = 2;
    CHECK_EQ(hkt_queue_put(queue, &item), 0);
    item = 3;
    CHECK_EQ(hkt_queue_get(queue, &first), 0);
    CHECK_EQ(hkt_queue_get(queue, &second), 0);
    CHECK_EQ(first, 1);
    CHECK_EQ(second, 2);
    hkt_queue_destroy(queue);
}

static unsigned char byte_of(size_t item, size_t place)
{
    return (unsigned char)(item * 31 + place * 7 + 3);
}

/* Every byte of items of this size comes out as it went in, and none beside them is written. */
static void carry(enum kind kind, size_t size, size_t count)
{
    unsigned char *item = malloc(size + 2);
    hkt_queue *queue;
    CHECK(item);
    CHECK_EQ(create(&queue, kind, size, HKT_UNBOUNDED), 0);
    for (size_t i = 0; i < count; i++) {
        for (size_t place = 0; place < size; place++)
            item[place] = byte_of(i, place);
        CHECK_EQ(hkt_queue_put(queue, item), 0);
    }
    item[0] = item[size + 1] = 0xaa;
    for (size_t i = 0; i < count; i++) {
        size_t expected = kind == LIFO ? count - 1 - i : i;
        CHECK_EQ(hkt_queue_get(queue, item + 1), 0);
        for (size_t place = 0; place < size; place++)
            CHECK_EQ(item[place + 1], byte_of(expected, place));
        CHECK(item[0] == 0xaa && item[size + 1] == 0xaa);
    }
    hkt_queue_destroy(queue);
    free(item);
}

TEST(items_may_have_any_size)
{
    for (size_t size = 1; size <= 40; size++) {
        carry(FIFO, size, 50);
        carry(LIFO, size, 50);
        carry(SIMPLE, size, 50);
    }
    carry(FIFO, 1, 5000);
    carry(FIFO, 4097, 40);
    carry(LIFO, 100000, 20);
    carry(SIMPLE, 1000000, 3);
}

TEST(an_unbounded_one_grows_as_it_fills)
{
    for (enum kind kind = 0; kind < KINDS; kind++) {
        hkt_queue *queue = made(kind, HKT_UNBOUNDED);
        long count = test_scaled(100000), got;
        fill(queue, (size_t)count);
        for (long i = 0; i < count; i++) {
            CHECK_EQ(hkt_queue_get(queue, &got), 0);
            CHECK_EQ(got, kind == LIFO ? count - 1 - i : i);
        }
        CHECK(hkt_queue_empty(queue));
        hkt_queue_destroy(queue);
    }
}

/* Growing while its ring is bent: the first item is not at the beginning of the memory. */
TEST(growing_keeps_the_order)
{
    hkt_queue *queue = made(FIFO, HKT_UNBOUNDED);
    long next_in = 0, next_out = 0, got;
    while (next_in < 5000) {
        for (int i = 0; i < 7; i++, next_in++)
            CHECK_EQ(hkt_queue_put(queue, &next_in), 0);
        for (int i = 0; i < 3; i++) {
            CHECK_EQ(hkt_queue_get(queue, &got), 0);
            CHECK_EQ(got, next_out++);
        }
    }
    while (next_out < next_in) {
        CHECK_EQ(hkt_queue_get(queue, &got), 0);
        CHECK_EQ(got, next_out++);
    }
    hkt_queue_destroy(queue);
}

/* An allocator that has only so many left. */
static long allocations_left;

static void *allocate(void *context, size_t size)
{
    (void)context;
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void release(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    free(memory);
}

TEST(without_memory_there_is_no_queue_and_no_leak)
{
    hkt_allocator allocator = { .allocate = allocate, .release = release };
    CHECK_EQ(hkt_set_allocator(&allocator), 0);
    for (enum kind kind = 0; kind < KINDS; kind++) {
        hkt_queue *queue;
        long needed = 0;
        for (allocations_left = 0; create(&queue, kind, 8, 10) == -ENOMEM;)
            allocations_left = ++needed;
        CHECK_EQ(needed, 2);
        hkt_queue_destroy(queue);
        CHECK_EQ(hkt_allocation_count(), 0);
    }
}

TEST(a_queue_that_cannot_grow_says_so_and_works_on)
{
    hkt_allocator allocator = { .allocate = allocate, .release = release };
    CHECK_EQ(hkt_set_allocator(&allocator), 0);
    for (enum kind kind = 0; kind < KINDS; kind++) {
        allocations_left = 2;
        hkt_queue *queue = made(kind, HKT_UNBOUNDED);
        long count = 0, got;
        while (hkt_queue_put_nowait(queue, &count) == 0)
            count++;
        CHECK_EQ(hkt_queue_put(queue, &count), -ENOMEM);
        CHECK_EQ(hkt_queue_put_until(queue, &count, hkt_after(1)), -ENOMEM);
        CHECK_EQ(hkt_queue_qsize(queue), count);
        allocations_left = 1;
        CHECK_EQ(hkt_queue_put(queue, &count), 0);
        for (long i = 0; i <= count; i++) {
            CHECK_EQ(hkt_queue_get(queue, &got), 0);
            CHECK_EQ(got, kind == LIFO ? count - i : i);
        }
        hkt_queue_destroy(queue);
    }
}

TEST(a_bounded_one_has_all_its_memory_from_the_start)
{
    hkt_allocator allocator = { .allocate = allocate, .release = release };
    CHECK_EQ(hkt_set_allocator(&allocator), 0);
    for (enum kind kind = FIFO; kind <= PRIORITY; kind++) {
        allocations_left = 2;
        hkt_queue *queue = made(kind, 1000);
        fill(queue, 1000);
        hkt_queue_destroy(queue);
    }
}
