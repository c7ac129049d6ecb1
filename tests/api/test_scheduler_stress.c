/* SPDX-License-Identifier: MIT */
/* hocket/scheduler.h against a sorted list, and with four threads at it. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "caller.h"
#include "random.h"
#include "waits.h"

/* An event as the model has it. */
struct entry {
    hkt_deadline when;
    int priority;
    long order; /* of entering */
    uint64_t event;
    bool in;
};

#define ENTRIES 300

static struct entry entries[ENTRIES];
static long order_called[ENTRIES], count_called;

static int note(void *arg)
{
    order_called[count_called++] = ((struct entry *)arg)->order;
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->in != y->in)
        return x->in ? -1 : 1;
    if (x->when.ns != y->when.ns)
        return x->when.ns < y->when.ns ? -1 : 1;
    if (x->priority != y->priority)
        return x->priority < y->priority ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* Few times and priorities, so that many are equal; every third is cancelled. */
TEST(the_order_is_that_of_a_sorted_list)
{
    struct test_random random = random_of(0);
    for (long round = 0; round < test_scaled(200); round++) {
        hkt_scheduler *scheduler;
        int64_t now = (int64_t)(hkt_monotonic() * 1e9);
        size_t count = random_below(&random, ENTRIES), left = 0;
        CHECK_EQ(hkt_scheduler_create(&scheduler), 0);
        for (size_t i = 0; i < count; i++) {
            struct entry *entry = &entries[i];
            *entry = (struct entry){ .order = (long)i, .in = true };
            entry->when.ns = now - (int64_t)random_below(&random, 10);
            entry->priority = (int)random_below(&random, 3) - 1;
            CHECK_EQ(hkt_scheduler_enter_at(scheduler, entry->when, entry->priority, note, entry,
                                            &entry->event),
                     0);
            struct entry *victim = &entries[random_below(&random, i + 1)];
            if (random_below(&random, 3) == 0) {
                CHECK_EQ(hkt_scheduler_cancel(scheduler, victim->event), victim->in ? 0 : -ENOENT);
                victim->in = false;
            }
        }
        for (size_t i = 0; i < count; i++)
            left += entries[i].in;
        CHECK_EQ(hkt_scheduler_size(scheduler), left);
        count_called = 0;
        CHECK_EQ(hkt_scheduler_run(scheduler), 0);
        CHECK_EQ(count_called, left);
        qsort(entries, count, sizeof *entries, compare);
        for (size_t i = 0; i < left; i++)
            CHECK_EQ(order_called[i], entries[i].order);
        hkt_scheduler_destroy(scheduler);
    }
}

/* Four threads enter events and cancel some of them, while a fifth runs them: each is called or
 * cancelled, once, and not before its time. */
struct one {
    double due;
    atomic_int calls;
};

struct worker {
    hkt_scheduler *scheduler;
    uint64_t stream;
    long count, cancelled;
    struct one *all;
};

static atomic_long all_calls;

static int be_called(void *arg)
{
    struct one *one = arg;
    CHECK(hkt_monotonic() >= one->due - 1e-6);
    CHECK_EQ(one->calls++, 0);
    all_calls++;
    return 0;
}

static int enter_and_cancel(void *arg)
{
    struct worker *worker = arg;
    struct test_random random = random_of(worker->stream);
    for (long i = 0; i < worker->count; i++) {
        struct one *one = &worker->all[i];
        uint64_t event;
        double delay = random_seconds(&random, 0.003);
        one->due = hkt_monotonic() + delay;
        CHECK_EQ(hkt_scheduler_enter(worker->scheduler, delay, (int)random_below(&random, 3),
                                     be_called, one, &event),
                 0);
        if (random_below(&random, 4) == 0)
            await_spinning(random_seconds(&random, 0.0003));
        if (random_below(&random, 2) == 0)
            continue;
        int err = hkt_scheduler_cancel(worker->scheduler, event);
        CHECK(err == 0 || err == -ENOENT);
        if (err == 0) {
            CHECK_EQ(one->calls++, 0);
            worker->cancelled++;
        }
    }
    return 0;
}

static int run_it(void *scheduler)
{
    return hkt_scheduler_run(scheduler);
}

TEST(four_threads_enter_and_cancel_while_one_runs)
{
    struct worker workers[4];
    struct caller callers[4], runner;
    hkt_scheduler *scheduler;
    uint64_t keep;
    long cancelled = 0, count = test_scaled(5000);
    CHECK_EQ(hkt_scheduler_create(&scheduler), 0);
    CHECK_EQ(hkt_scheduler_enter(scheduler, 1000, 0, note, NULL, &keep), 0);
    caller_start_waiting(&runner, run_it, scheduler, scheduler);
    for (int i = 0; i < 4; i++) {
        struct one *all = calloc((size_t)count, sizeof *all);
        CHECK(all != NULL);
        workers[i] = (struct worker){ scheduler, (uint64_t)i + 1, count, 0, all };
        caller_start(&callers[i], enter_and_cancel, &workers[i]);
    }
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(caller_end(&callers[i]), 0);
        cancelled += workers[i].cancelled;
    }
    AWAIT(hkt_scheduler_size(scheduler) == 1);
    CHECK_EQ(hkt_scheduler_cancel(scheduler, keep), 0);
    CHECK_EQ(caller_end(&runner), 0);
    CHECK_EQ(all_calls + cancelled, 4 * count);
    hkt_scheduler_destroy(scheduler);
    for (int i = 0; i < 4; i++) {
        for (long k = 0; k < count; k++)
            CHECK_EQ(workers[i].all[k].calls, 1);
        free(workers[i].all);
    }
    CHECK_EQ(hkt_allocation_count(), 0);
}

static int enter_hundred(void *arg)
{
    struct worker *worker = arg;
    for (long i = 0; i < 100; i++)
        CHECK_EQ(hkt_scheduler_enter(worker->scheduler, 0, 0, be_called, &worker->all[i], NULL), 0);
    return 0;
}

TEST(four_threads_make_it_grow)
{
    for (long round = 0; round < test_scaled(100); round++) {
        static struct one all[4][100];
        struct worker workers[4];
        hkt_scheduler *scheduler;
        memset(all, 0, sizeof all);
        CHECK_EQ(hkt_scheduler_create(&scheduler), 0);
        for (int i = 0; i < 4; i++)
            workers[i] = (struct worker){ .scheduler = scheduler, .all = all[i] };
        call_in_threads(4, enter_hundred, workers, sizeof *workers);
        CHECK_EQ(hkt_scheduler_size(scheduler), 400);
        CHECK_EQ(hkt_scheduler_run(scheduler), 0);
        for (int i = 0; i < 400; i++)
            CHECK_EQ(all[i / 100][i % 100].calls, 1);
        hkt_scheduler_destroy(scheduler);
    }
}
