/* SPDX-License-Identifier: MIT */
/* Gathers: maps on the executor that the caller is in. What all maps have in common is tested in
 * test_executor_map.c. */
#include "groups.h"

#define N 40

static int square(void *item)
{
    int *number = item;
    *number *= *number;
    return hkt_yield() < 0 ? -EIO : 1;
}

static int gather_squares(void *arg)
{
    int items[N], codes[N];
    size_t failed = 77;
    hkt_map_options options = { .codes = codes, .failed = &failed };
    (void)arg;
    for (int i = 0; i < N; i++)
        items[i] = i;
    CHECK_EQ(hkt_gather(square, HKT_ARRAY(items)), 0);
    for (int i = 0; i < N; i++)
        CHECK_EQ(items[i], i * i);
    CHECK_EQ(hkt_gather_with(square, HKT_ARRAY(items), &options), 0);
    for (int i = 0; i < N; i++)
        CHECK(items[i] == i * i * i * i && codes[i] == 1);
    CHECK_EQ(failed, N);
    CHECK_EQ(hkt_gather(square, NULL, 0, 1), 0);
    CHECK_EQ(hkt_gather(NULL, NULL, 0, 1), -EINVAL);
    return 0;
}

TEST(a_gather_runs_the_job_for_each_item)
{
    in_each_kind(gather_squares);
}

static hkt_executor *gatherer;

static int look_where(void *item)
{
    (void)item;
    return hkt_executor_current() == gatherer ? 0 : -EXDEV;
}

static int gather_where_it_is_called(void *arg)
{
    char items[9];
    (void)arg;
    gatherer = hkt_executor_current();
    if (gatherer == NULL)
        gatherer = hkt_default_executor();
    return hkt_gather(look_where, HKT_ARRAY(items));
}

TEST(the_items_are_worked_on_where_the_caller_is)
{
    in_each_kind(gather_where_it_is_called);
}

/* They wait for each other, which they could not do one after the other. */
static int wait_at_barrier(void *item)
{
    int err = hkt_barrier_wait(*(hkt_barrier **)item);
    return err < 0 ? err : 0;
}

static int gather_at_a_barrier(void *arg)
{
    hkt_barrier barrier;
    hkt_barrier *items[3] = { &barrier, &barrier, &barrier };
    (void)arg;
    CHECK_EQ(hkt_barrier_init(&barrier, 3, NULL), 0);
    return hkt_gather(wait_at_barrier, HKT_ARRAY(items));
}

TEST(the_items_are_worked_on_side_by_side)
{
    side_by_side(gather_at_a_barrier);
}

struct item {
    struct sleeper *sleeper;
    int result;
};

static int sleep_or_fail(void *arg)
{
    struct item *item = arg;
    if (item->result == 0)
        return sleep_in_group(item->sleeper);
    CHECK_EQ(hkt_event_wait(&item->sleeper->asleep), 0);
    return hkt_fail(item->result, "item of %d", item->result);
}

static int gather_a_failure(void *arg)
{
    struct sleeper sleeper = { 0 };
    struct item items[2] = { { &sleeper, 0 }, { &sleeper, -EIO } };
    int codes[2];
    size_t failed = 77;
    hkt_map_options options = { .codes = codes, .failed = &failed };
    (void)arg;
    CHECK_EQ(hkt_gather_with(sleep_or_fail, HKT_ARRAY(items), &options), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "item of -5");
    CHECK_EQ(failed, 1);
    CHECK(codes[0] == -ECANCELED && codes[1] == -EIO);
    CHECK_EQ(sleeper.cancelled, 1);
    return 0;
}

TEST(the_first_failure_cancels_the_others)
{
    side_by_side(gather_a_failure);
}

static int fail_if_odd(void *item)
{
    int number = *(int *)item;
    CHECK_EQ(hkt_yield(), 0);
    return number % 2 ? hkt_fail(-EIO, "item %d is odd", number) : number;
}

static int gather_all_the_same(void *arg)
{
    int items[N], codes[N];
    hkt_map_options options = { .keep_going = true, .codes = codes };
    (void)arg;
    for (int i = 0; i < N; i++)
        items[i] = i;
    CHECK_EQ(hkt_gather_with(fail_if_odd, HKT_ARRAY(items), &options), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "item 1 is odd");
    for (int i = 0; i < N; i++)
        CHECK_EQ(codes[i], i % 2 ? -EIO : i);
    return 0;
}

TEST(a_gather_that_keeps_going_runs_all)
{
    in_each_kind(gather_all_the_same);
}

/* The caller's scope ends. */
static int gather_sleepers(void *arg)
{
    struct sleeper *sleeper = arg;
    struct item items[3] = { { sleeper, 0 }, { sleeper, 0 }, { sleeper, 0 } };
    return hkt_gather(sleep_or_fail, HKT_ARRAY(items));
}

static int end_a_gather(void *arg)
{
    struct sleeper sleeper = { 0 };
    (void)arg;
    CHECK_EQ(hkt_wait_for(gather_sleepers, &sleeper, 0.01), -ETIMEDOUT);
    CHECK_EQ(sleeper.began, sleeper.cancelled);
    CHECK_EQ(call_cancelled(gather_sleepers, &sleeper), -ECANCELED);
    CHECK_EQ(sleeper.began, sleeper.cancelled);
    return 0;
}

TEST(a_gather_ends_with_the_scope_around_it_and_awaits_the_items)
{
    in_each_kind(end_a_gather);
}

struct depth {
    int left;
};

static int gather_below(void *arg)
{
    struct depth *depth = arg;
    struct depth below[2] = { { depth->left - 1 }, { 0 } };
    return depth->left == 0 ? hkt_yield() : hkt_gather(gather_below, HKT_ARRAY(below));
}

static int gather_deep(void *arg)
{
    struct depth depth = { 60 };
    (void)arg;
    return gather_below(&depth);
}

TEST(gathers_nest)
{
    in_each_kind(gather_deep);
}

/* A gather among the children of a group, which fails. */
static int gather_in_a_group(void *arg)
{
    struct sleeper sleeper = { 0 };
    struct gate gate = { .result = -ENOENT };
    hkt_task_group group = { 0 };
    (void)arg;
    hkt_task_group_enter(&group, NULL);
    must_spawn_into(&group, gather_sleepers, &sleeper);
    must_spawn_into(&group, stand_at, &gate);
    CHECK_EQ(hkt_event_wait(&gate.entered), 0);
    CHECK_EQ(hkt_event_wait(&sleeper.asleep), 0);
    hkt_event_set(&gate.open);
    CHECK_EQ(hkt_task_group_leave(&group, 0), -ENOENT);
    CHECK_EQ(sleeper.began, sleeper.cancelled);
    return 0;
}

TEST(the_end_of_a_group_ends_a_gather_in_it)
{
    side_by_side(gather_in_a_group);
}
