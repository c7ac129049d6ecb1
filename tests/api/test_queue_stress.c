/* SPDX-License-Identifier: MIT */
/* Many threads put into one queue and get from it, in all ways: every item comes out once, in an
 * order that the queue promises. */
#include <hocket/queue.h>
#include <stdlib.h>

#include "caller.h"
#include "random.h"
#include "test.h"

#define SIDES 3 /* so many put, and so many get */

/* Who put it, and which of theirs it is. */
struct item {
    uint32_t producer;
    uint32_t number;
};

struct traffic {
    hkt_queue *queue;
    uint32_t per_producer;
    bool in_order;         /* items of one producer come in order to each consumer */
    bool plain;            /* the plain forms alone */
    atomic_uchar *arrived; /* per producer and number */
};

struct worker {
    struct traffic *traffic;
    uint32_t number;
    struct test_random random;
    hkt_scope *_Atomic scope; /* to be cancelled by the tormentor; */
    hkt_scope *scopes;        /* one for each attempt, used once */
    size_t attempts;
};

#define ATTEMPTS_MAX 100000

/* One attempt in a form that chance chooses: 0, or it gave up. */
static int attempt(struct worker *worker, struct item *item,
                   int (*plain)(hkt_queue *, struct item *),
                   int (*until)(hkt_queue *, struct item *, hkt_deadline),
                   int (*nowait)(hkt_queue *, struct item *))
{
    hkt_queue *queue = worker->traffic->queue;
    hkt_deadline deadline = hkt_after(random_seconds(&worker->random, 0.0002));
    uint64_t choice = worker->traffic->plain ? 0 : random_below(&worker->random, 4);
    if (choice == 0)
        return plain(queue, item);
    if (choice == 1)
        return nowait(queue, item);
    if (choice == 2 || worker->attempts == ATTEMPTS_MAX) {
        int err = until(queue, item, deadline);
        CHECK(err != -ETIMEDOUT || hkt_deadline_passed(deadline));
        return err;
    }
    hkt_scope *scope = &worker->scopes[worker->attempts++];
    hkt_scope_enter(scope, &(hkt_scope_options){ .deadline = deadline });
    atomic_store(&worker->scope, scope);
    int err = plain(queue, item);
    CHECK(err == 0 || (err == -ECANCELED && hkt_scope_cancelled(scope)) || err == -ESHUTDOWN);
    hkt_scope_leave(scope);
    return err;
}

static int put_plain(hkt_queue *queue, struct item *item)
{
    return hkt_queue_put(queue, item);
}

static int put_until(hkt_queue *queue, struct item *item, hkt_deadline deadline)
{
    return hkt_queue_put_until(queue, item, deadline);
}

static int put_nowait(hkt_queue *queue, struct item *item)
{
    return hkt_queue_put_nowait(queue, item);
}

static int get_plain(hkt_queue *queue, struct item *item)
{
    return hkt_queue_get(queue, item);
}

static int get_until(hkt_queue *queue, struct item *item, hkt_deadline deadline)
{
    return hkt_queue_get_until(queue, item, deadline);
}

static int get_nowait(hkt_queue *queue, struct item *item)
{
    return hkt_queue_get_nowait(queue, item);
}

static bool gave_up(int err)
{
    return err == -EAGAIN || err == -ETIMEDOUT || err == -ECANCELED;
}

static int produce(void *arg)
{
    struct worker *worker = arg;
    struct item item = { .producer = worker->number };
    while (item.number < worker->traffic->per_producer) {
        int err = attempt(worker, &item, put_plain, put_until, put_nowait);
        CHECK(err == 0 || gave_up(err));
        item.number += err == 0;
    }
    return 0;
}

static int consume(void *arg)
{
    struct worker *worker = arg;
    struct traffic *traffic = worker->traffic;
    int64_t last[SIDES] = { -1, -1, -1 };
    for (;;) {
        struct item item = { .producer = UINT32_MAX };
        int err = attempt(worker, &item, get_plain, get_until, get_nowait);
        if (err == -ESHUTDOWN)
            return 0;
        CHECK(err == 0 ? item.producer < SIDES : gave_up(err) && item.producer == UINT32_MAX);
        if (err < 0)
            continue;
        size_t index = (size_t)item.producer * traffic->per_producer + item.number;
        CHECK_EQ(atomic_fetch_add(&traffic->arrived[index], 1), 0);
        CHECK(!traffic->in_order || item.number > last[item.producer]);
        last[item.producer] = item.number;
        CHECK_EQ(hkt_queue_task_done(traffic->queue), 0);
    }
}

struct tormentor {
    struct worker *workers;
    struct test_random random;
    atomic_bool over;
};

static int torment(void *arg)
{
    struct tormentor *tormentor = arg;
    while (!atomic_load(&tormentor->over)) {
        struct worker *victim = &tormentor->workers[random_below(&tormentor->random, 2 * SIDES)];
        hkt_scope *scope = atomic_load(&victim->scope);
        if (scope)
            hkt_scope_cancel(scope);
        await_moment();
    }
    return 0;
}

static void workers_init(struct worker *workers, struct traffic *traffic)
{
    for (uint32_t i = 0; i < 2 * SIDES; i++) {
        workers[i] = (struct worker){ .traffic = traffic, .number = i, .random = random_of(i) };
        workers[i].scopes = calloc(ATTEMPTS_MAX, sizeof(hkt_scope));
        CHECK(workers[i].scopes);
    }
}

/* Lets all items through the queue, which it destroys. */
static void run(hkt_queue *queue, bool in_order, bool plain, long per_producer)
{
    struct traffic traffic = { .queue = queue, .in_order = in_order, .plain = plain };
    struct worker workers[2 * SIDES];
    struct caller callers[2 * SIDES], cancels;
    struct tormentor tormentor = { .workers = workers, .random = random_of(1000) };
    traffic.per_producer = (uint32_t)per_producer;
    size_t items = (size_t)SIDES * traffic.per_producer;
    traffic.arrived = calloc(items, sizeof *traffic.arrived);
    CHECK(traffic.arrived);
    workers_init(workers, &traffic);
    for (int i = 0; i < 2 * SIDES; i++)
        caller_start(&callers[i], i < SIDES ? produce : consume, &workers[i]);
    caller_start(&cancels, torment, &tormentor);
    for (int i = 0; i < SIDES; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
    CHECK_EQ(hkt_queue_join(queue), 0);
    hkt_queue_shutdown(queue, false);
    for (int i = SIDES; i < 2 * SIDES; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
    atomic_store(&tormentor.over, true);
    CHECK_EQ(caller_end(&cancels), 0);
    for (size_t i = 0; i < items; i++)
        CHECK_EQ(atomic_load(&traffic.arrived[i]), 1);
    CHECK_EQ(hkt_queue_task_done(queue), -EINVAL);
    hkt_queue_destroy(queue);
    for (int i = 0; i < 2 * SIDES; i++)
        free(workers[i].scopes);
    free(traffic.arrived);
}

static int compare_items(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

TEST_TIMEOUT(all_items_come_out_once_and_in_order, 60)
{
    hkt_queue *queue;
    hkt_queue_options options = { .maxsize = 7 };
    CHECK_EQ(hkt_queue_create(&queue, sizeof(struct item), &options), 0);
    run(queue, true, false, test_scaled(5000));
}

TEST_TIMEOUT(all_items_come_out_once_when_each_has_to_wait, 60)
{
    hkt_queue *queue;
    hkt_queue_options options = { .maxsize = 1 };
    CHECK_EQ(hkt_queue_create(&queue, sizeof(struct item), &options), 0);
    run(queue, true, false, test_scaled(3000));
}

TEST_TIMEOUT(all_items_come_out_once_by_plain_puts_and_gets, 60)
{
    hkt_queue *queue;
    CHECK_EQ(hkt_queue_create(&queue, sizeof(struct item), NULL), 0);
    run(queue, true, true, test_scaled(50000));
}

TEST_TIMEOUT(all_items_come_out_once_of_an_unbounded_queue, 60)
{
    hkt_queue *queue;
    hkt_queue_options options = { .maxsize = HKT_UNBOUNDED };
    CHECK_EQ(hkt_queue_create(&queue, sizeof(struct item), &options), 0);
    run(queue, true, false, test_scaled(5000));
}

TEST_TIMEOUT(all_items_come_out_once_of_a_stack, 60)
{
    hkt_queue *queue;
    hkt_queue_options options = { .maxsize = 5 };
    CHECK_EQ(hkt_lifo_queue_create(&queue, sizeof(struct item), &options), 0);
    run(queue, false, false, test_scaled(5000));
}

TEST_TIMEOUT(all_items_come_out_once_of_a_priority_queue, 60)
{
    hkt_queue *queue;
    hkt_queue_options options = { .maxsize = 20 };
    CHECK_EQ(hkt_priority_queue_create(&queue, sizeof(struct item), compare_items, &options), 0);
    run(queue, false, false, test_scaled(5000));
}
