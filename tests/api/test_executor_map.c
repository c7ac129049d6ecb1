/* SPDX-License-Identifier: MIT */
/* Maps: each item once, the first failure, keep_going, codes and failed, the caller's cancel. */
#include <stdio.h>

#include "pools.h"

#define N 40

static int square(void *item)
{
    int *number = item;
    *number *= *number;
    return 1; /* a useful count */
}

static void check_squares(hkt_executor *executor)
{
    int items[N], codes[N];
    size_t failed = 77;
    hkt_map_options options = { .codes = codes, .failed = &failed };
    for (int i = 0; i < N; i++)
        items[i] = i;
    CHECK_EQ(hkt_map_with(executor, square, HKT_ARRAY(items), &options), 0);
    for (int i = 0; i < N; i++)
        CHECK(items[i] == i * i && codes[i] == 1);
    CHECK_EQ(failed, N); /* none */
    CHECK_EQ(hkt_map(executor, square, HKT_ARRAY(items)), 0);
    for (int i = 0; i < N; i++)
        CHECK_EQ(items[i], i * i * i * i);
    CHECK_EQ(hkt_map(executor, square, items, 0, sizeof items[0]), 0);
    CHECK_EQ(hkt_map(executor, square, NULL, 0, sizeof items[0]), 0);
    CHECK_EQ(items[2], 16);
}

TEST(a_map_runs_the_job_for_each_item)
{
    hkt_executor *executor;
    CHECK_EQ(hkt_inline_executor_create(&executor), 0);
    check_squares(executor);
    end_pool(executor);
    for (unsigned workers = 1; workers <= 3; workers++) {
        executor = must_pool(workers);
        check_squares(executor);
        end_pool(executor);
    }
}

/* What an item does, in this order. */
struct item {
    atomic_int *ran;
    struct gate *after; /* waits until somebody stands there, */
    bool opens;         /* lets him through, */
    struct gate *gate;  /* stands at this one, */
    int result;         /* and returns this */
};

static int run_item(void *arg)
{
    struct item *item = arg;
    atomic_fetch_add(item->ran, 1);
    if (item->after)
        CHECK_EQ(hkt_event_wait(&item->after->entered), 0);
    if (item->opens)
        hkt_event_set(&item->after->open);
    int err = item->gate ? stand_at(item->gate) : 0;
    if (err == 0 && item->result < 0)
        return hkt_fail(item->result, "item of %d", item->result);
    return err < 0 ? err : item->result;
}

TEST(the_first_failure_leaves_the_rest_out)
{
    hkt_executor *pool = must_pool(1);
    atomic_int ran = 0;
    struct item items[N];
    int codes[N];
    size_t failed = 77;
    for (int i = 0; i < N; i++)
        items[i] = (struct item){ .ran = &ran, .result = i };
    items[7].result = -EIO;
    items[9].result = -ENOENT;
    hkt_map_options options = { .codes = codes, .failed = &failed };
    CHECK_EQ(hkt_map_with(pool, run_item, HKT_ARRAY(items), &options), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "item of -5");
    CHECK_EQ(failed, 7);
    CHECK_EQ(ran, 8); /* one worker takes them in order */
    for (int i = 0; i < N; i++)
        CHECK_EQ(codes[i], i < 7 ? i : i == 7 ? -EIO : -ECANCELED);
    end_pool(pool);
}

TEST(those_that_run_at_the_first_failure_are_cancelled)
{
    hkt_executor *pool = must_pool(2);
    atomic_int ran = 0;
    struct gate never = { 0 };
    struct item items[3] = { { .ran = &ran, .gate = &never },
                             { .ran = &ran, .result = -EIO, .after = &never },
                             { .ran = &ran } };
    int codes[3];
    size_t failed = 77;
    hkt_map_options options = { .codes = codes, .failed = &failed };
    CHECK_EQ(hkt_map_with(pool, run_item, HKT_ARRAY(items), &options), -EIO);
    CHECK_EQ(failed, 1);
    CHECK_EQ(codes[0], -ECANCELED); /* it stood there */
    CHECK_EQ(codes[1], -EIO);
    CHECK(codes[2] == 0 || codes[2] == -ECANCELED);
    end_pool(pool);
}

/* The first in time, not the first in the array. */
TEST(the_failure_that_counts_is_the_first_in_time)
{
    hkt_executor *pool = must_pool(2);
    atomic_int ran = 0;
    struct gate late = { 0 };
    struct item items[2] = { { .ran = &ran, .result = -ENOENT, .gate = &late },
                             { .ran = &ran, .result = -EIO, .after = &late } };
    size_t failed = 77;
    hkt_map_options options = { .failed = &failed };
    CHECK_EQ(hkt_map_with(pool, run_item, HKT_ARRAY(items), &options), -EIO);
    CHECK_EQ(failed, 1);
    CHECK_STR(hkt_sentence(-EIO), "item of -5");
    end_pool(pool);
}

TEST(who_keeps_going_gets_the_failure_of_the_lowest_index)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        hkt_executor *pool = must_pool(workers);
        atomic_int ran = 0;
        struct gate late = { 0 };
        struct item items[N];
        int codes[N];
        size_t failed = 77;
        for (int i = 0; i < N; i++)
            items[i] = (struct item){ .ran = &ran, .result = i % 3 == 2 ? -i : i };
        if (workers == 2) { /* the lowest one fails last */
            items[2].gate = &late;
            items[N - 1].after = &late;
            items[N - 1].opens = true;
        }
        hkt_map_options options = { .keep_going = true, .codes = codes, .failed = &failed };
        CHECK_EQ(hkt_map_with(pool, run_item, HKT_ARRAY(items), &options), -2);
        CHECK_STR(hkt_sentence(-2), "item of -2");
        CHECK_EQ(failed, 2);
        CHECK_EQ(ran, N);
        for (int i = 0; i < N; i++)
            CHECK_EQ(codes[i], i % 3 == 2 ? -i : i);
        end_pool(pool);
    }
}

struct map_call {
    hkt_executor *pool;
    struct item *items;
    size_t count;
    hkt_map_options options;
};

static int map(void *arg)
{
    struct map_call *call = arg;
    return hkt_map_with(call->pool, run_item, call->items, call->count, sizeof *call->items,
                        &call->options);
}

/* Whoever is cancelled comes back when all have ended, and says which did not run. */
static void check_cancelled_map(bool keep_going)
{
    hkt_executor *pool = must_pool(2);
    atomic_int ran = 0;
    struct gate gates[2] = { { .open = { { 0 } } }, { .open = { { 0 } } } };
    struct item items[N];
    int codes[N];
    struct caller caller;
    for (int i = 0; i < N; i++)
        items[i] = (struct item){ .ran = &ran, .gate = i < 2 ? &gates[i] : NULL };
    struct map_call call = { pool, items, N, { .keep_going = keep_going, .codes = codes } };
    caller_start(&caller, map, &call);
    CHECK_EQ(hkt_event_wait(&gates[0].entered), 0);
    CHECK_EQ(hkt_event_wait(&gates[1].entered), 0);
    await_state(caller.thread, HKT_THREAD_BLOCKED);
    caller_cancel(&caller);
    CHECK_EQ(caller_end(&caller), -ECANCELED);
    CHECK_EQ(ran, 2);
    for (int i = 0; i < N; i++)
        CHECK_EQ(codes[i], -ECANCELED);
    end_pool(pool);
}

TEST(a_cancelled_map_returns_when_all_have_ended)
{
    check_cancelled_map(false);
    check_cancelled_map(true);
}

static int finish_late(void *arg)
{
    struct gate *gates = arg;
    if (stand_at(&gates[0]) == -ECANCELED) { /* it cleans up, which takes its time */
        hkt_scope shield;
        hkt_scope_enter(&shield, &(hkt_scope_options){ .shield = true });
        CHECK_EQ(stand_at(&gates[1]), 0);
        hkt_scope_leave(&shield);
    }
    return 6;
}

struct late_map {
    hkt_executor *pool;
    struct gate *gates;
    int code;
};

static int map_late(void *arg)
{
    struct late_map *late = arg;
    hkt_map_options options = { .codes = &late->code };
    return hkt_map_with(late->pool, finish_late, late->gates, 1, sizeof *late->gates, &options);
}

TEST(a_cancelled_map_awaits_those_that_take_their_time)
{
    hkt_executor *pool = must_pool(1);
    struct gate gates[2] = { { .open = { { 0 } } }, { .open = { { 0 } } } };
    struct late_map late = { pool, gates, 0 };
    struct caller caller;
    caller_start(&caller, map_late, &late);
    CHECK_EQ(hkt_event_wait(&gates[0].entered), 0);
    caller_cancel(&caller);
    CHECK_EQ(hkt_event_wait(&gates[1].entered), 0);
    CHECK(hkt_thread_is_alive(caller.thread));
    hkt_event_set(&gates[1].open);
    CHECK_EQ(caller_end(&caller), -ECANCELED);
    CHECK_EQ(late.code, 6);
    end_pool(pool);
}

TEST(a_map_in_an_ended_scope_runs_nothing_and_says_so)
{
    hkt_executor *pool = must_pool(1);
    atomic_int ran = 0;
    struct item items[2] = { { .ran = &ran }, { .ran = &ran } };
    int codes[2] = { 33, 33 };
    struct map_call call = { pool, items, 2, { .codes = codes } };
    CHECK_EQ(call_cancelled(map, &call), -ECANCELED);
    CHECK_EQ(ran, 0);
    CHECK_EQ(codes[0], -ECANCELED);
    CHECK_EQ(codes[1], -ECANCELED);
    end_pool(pool);
}

TEST(a_map_that_is_refused_says_that_nothing_was_run)
{
    hkt_executor *pool = must_pool(1);
    atomic_int ran = 0;
    struct item items[2] = { { .ran = &ran }, { .ran = &ran } };
    int codes[2] = { 33, 33 };
    size_t failed = 77;
    hkt_executor_close(pool, false);
    hkt_map_options options = { .codes = codes, .failed = &failed };
    CHECK_EQ(hkt_map_with(pool, run_item, HKT_ARRAY(items), &options), -ESHUTDOWN);
    CHECK_EQ(ran, 0);
    CHECK_EQ(codes[0], -ECANCELED);
    CHECK_EQ(codes[1], -ECANCELED);
    end_pool(pool);
}

TEST(the_failures_of_a_map_have_been_looked_at)
{
    struct lines lines;
    hkt_executor *pool = must_pool(2);
    atomic_int ran = 0;
    struct item items[N];
    lines_open(&lines);
    for (int i = 0; i < N; i++)
        items[i] = (struct item){ .ran = &ran, .result = -EIO };
    hkt_map_options options = { .keep_going = true };
    CHECK_EQ(hkt_map_with(pool, run_item, HKT_ARRAY(items), &options), -EIO);
    CHECK_EQ(hkt_map(pool, run_item, HKT_ARRAY(items)), -EIO);
    end_pool(pool);
    CHECK_EQ(lines_count(&lines), 0);
}

/* The order in which a worker took them. */
struct turn {
    atomic_int *turns;
    int mine;
};

static int take_turn(void *arg)
{
    struct turn *turn = arg;
    turn->mine = atomic_fetch_add(turn->turns, 1);
    return 0;
}

struct urgent {
    hkt_executor *pool;
    struct turn *items;
    size_t count;
    hkt_priority priority;
};

static int map_with_priority(void *arg)
{
    struct urgent *urgent = arg;
    hkt_map_options options = { .priority = urgent->priority };
    return hkt_map_with(urgent->pool, take_turn, urgent->items, urgent->count, sizeof(struct turn),
                        &options);
}

TEST(a_map_has_a_priority)
{
    hkt_executor *pool = must_pool(1);
    struct gate gate = { 0 };
    atomic_int turns = 0;
    struct turn plain = { &turns, -1 },
                items[3] = { { &turns, -1 }, { &turns, -1 }, { &turns, -1 } };
    struct urgent urgent = { pool, items, 3, HKT_PRIORITY_HIGH };
    struct caller caller;
    hkt_future *running = hold_worker(pool, &gate);
    hkt_future *future = must_submit(pool, take_turn, &plain);
    caller_start(&caller, map_with_priority, &urgent);
    await_state(caller.thread, HKT_THREAD_BLOCKED); /* all are handed in */
    let_through(&gate, running);
    CHECK_EQ(caller_end(&caller), 0);
    CHECK_EQ(hkt_future_finish(future), 0);
    CHECK_EQ(plain.mine, 3);
    end_pool(pool);
}

/* Each item's end is told in order, with its own sentence. */
static int fail_if_odd(void *arg)
{
    const int *item = arg;
    return *item % 2 ? hkt_fail(-EIO, "item %d is odd", *item) : *item;
}

static void hear(void *context, size_t index, int code)
{
    size_t *heard = context;
    char words[40];
    CHECK_EQ(index, *heard);
    snprintf(words, sizeof words, "item %zu is odd", index);
    CHECK_EQ(code, index % 2 ? -EIO : (int)index);
    if (code < 0)
        CHECK_STR(hkt_sentence(code), words);
    ++*heard;
}

TEST(the_end_of_each_item_is_told_in_order)
{
    hkt_executor *pool = must_pool(3);
    size_t heard = 0, failed = 0;
    int items[N];
    hkt_map_options options = {
        .keep_going = true, .failed = &failed, .done = hear, .context = &heard
    };
    for (int i = 0; i < N; i++)
        items[i] = i;
    CHECK_EQ(hkt_map_with(pool, fail_if_odd, HKT_ARRAY(items), &options), -EIO);
    CHECK_EQ(heard, N);
    CHECK_EQ(failed, 1);
    CHECK_STR(hkt_sentence(-EIO), "item 1 is odd");
    end_pool(pool);
}
