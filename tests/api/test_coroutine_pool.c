/* SPDX-License-Identifier: MIT */
/* The coroutine engine: all that holds for executors, futures, maps and streams, on loops; jobs that wait
 * for jobs. Limits and the end are in test_coroutine_pool_limits.c; what is the same code for each engine is
 * tested in test_executor.c and its neighbours. */
#include <hocket/imap.h>

#include "groups.h"

/* One job at a time; many in one loop; in several loops. */
#define POOLS 3

static hkt_executor *must_make(int which)
{
    return must_coroutines(which == 0 ? 1 : 0, which == 2 ? 3 : 1);
}

static hkt_executor *must_make_with(const hkt_coroutine_pool_options *options)
{
    hkt_executor *pool = NULL;
    CHECK_EQ(hkt_coroutine_pool_create(&pool, options), 0);
    return pool;
}

/* Handing in. */

struct attempt {
    hkt_executor *pool;
    hkt_job *job;
    void *arg;
};

static int submit(void *arg)
{
    struct attempt *attempt = arg;
    return hkt_submit(attempt->pool, NULL, attempt->job, attempt->arg);
}

TEST(jobs_that_are_handed_in_run_once)
{
    for (int which = 0; which < POOLS; which++) {
        hkt_executor *pool = must_make(which);
        atomic_int ran = 0;
        struct attempt attempt = { pool, count_up, &ran };
        hkt_future *future = must_submit(pool, count_up, &ran);
        CHECK_EQ(call_cancelled(submit, &attempt), -ECANCELED);
        for (int i = 0; i < 3000; i++)
            CHECK_EQ(submit(&attempt), 0);
        CHECK_EQ(hkt_future_finish(future), 0);
        CHECK(hkt_executor_max_workers(pool) == (which == 0 ? 1 : 1024));
        end_pool(pool);
        CHECK_EQ(ran, 3001);
    }
}

TEST(a_pool_nobody_hands_anything_in_to_ends)
{
    for (int which = 0; which < POOLS; which++)
        end_pool(must_make(which));
    hkt_executor *pool = must_make_with(NULL);
    end_pool(pool);
}

TEST(what_is_out_of_range_is_refused)
{
    static const hkt_coroutine_pool_options bad[] = { { .loops = 1025 },
                                                      { .stack_size = 16383 },
                                                      { .stack_size = ((size_t)64 << 20) + 1 } };
    hkt_executor *pool = NULL;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_coroutine_pool_create(&pool, &bad[i]), -EINVAL);
    CHECK(pool == NULL);
    pool = must_make(1);
    hkt_submit_options options = { .priority = (hkt_priority)3 };
    CHECK_EQ(hkt_submit(pool, NULL, NULL, NULL), -EINVAL);
    CHECK_EQ(hkt_submit_with(pool, NULL, do_nothing, NULL, &options), -EINVAL);
    CHECK_EQ(hkt_map(pool, NULL, NULL, 0, 1), -EINVAL);
    end_pool(pool);
}

struct where {
    hkt_executor *pool;
    hkt_loop *loop;
    int native;
    char name[HKT_NAME_MAX];
};

static int look_where(void *arg)
{
    struct where *where = arg;
    hkt_thread_info info;
    where->loop = hkt_loop_running();
    where->native = hkt_native_id();
    hkt_thread_get_info(hkt_thread_current(), &info);
    memcpy(where->name, info.name, sizeof where->name);
    CHECK(hkt_executor_current() == where->pool);
    CHECK(hkt_task_current() != NULL);
    return hkt_yield();
}

TEST(jobs_are_tasks_of_the_pools_loops)
{
    struct where where[6];
    hkt_executor *pool = must_make_with(
        &(hkt_coroutine_pool_options){ .loops = 3, .name = "weavers" });
    for (int i = 0; i < 6; i++) {
        where[i].pool = pool;
        CHECK_EQ(hkt_future_finish(must_submit(pool, look_where, &where[i])), 0);
        CHECK(where[i].loop != NULL);
        CHECK(strncmp(where[i].name, "weavers-", 8) == 0);
    }
    for (int i = 0; i < 3; i++) { /* in turn */
        CHECK(where[i].loop == where[i + 3].loop && where[i].native == where[i + 3].native);
        CHECK(where[i].loop != where[(i + 1) % 3].loop);
        CHECK(where[i].native != where[(i + 1) % 3].native);
    }
    end_pool(pool);
}

/* Futures. */

static int give_seven(void *arg)
{
    (void)arg;
    return hkt_yield() < 0 ? -ECANCELED : 7;
}

TEST(futures_tell_where_their_jobs_stand_and_how_they_ended)
{
    hkt_executor *pool = must_make(0);
    struct gate gate = { .result = 3 };
    int untouched = 99;
    hkt_future *running = hold_worker(pool, &gate);
    hkt_future *pending = must_submit(pool, give_seven, &gate);
    hkt_future *taken_back = must_submit(pool, give_seven, NULL);
    CHECK(hkt_future_running(running) && !hkt_future_done(running));
    CHECK(!hkt_future_running(pending) && !hkt_future_done(pending));
    CHECK(hkt_future_arg(pending) == &gate);
    CHECK_EQ(hkt_future_result(pending, &untouched), -EBUSY);
    CHECK_EQ(hkt_future_wait_until(pending, hkt_after(0)), -ETIMEDOUT);
    CHECK_EQ(hkt_future_cancel(running), -EBUSY);
    CHECK_EQ(hkt_future_cancel(taken_back), 0);
    CHECK(hkt_future_cancelled(taken_back));
    let_through(&gate, running);
    CHECK_EQ(hkt_future_wait(pending), 0);
    CHECK_EQ(result_of(pending), 7);
    CHECK_EQ(hkt_future_finish(pending), 7);
    CHECK_EQ(hkt_future_finish(taken_back), -ECANCELED);
    end_pool(pool);
}

TEST(a_running_job_is_asked_to_stop)
{
    for (int which = 0; which < POOLS; which++) {
        hkt_executor *pool = must_make(which);
        struct sleeper sleeper = { 0 };
        hkt_future *future = must_submit(pool, sleep_in_group, &sleeper);
        CHECK_EQ(hkt_event_wait(&sleeper.asleep), 0);
        CHECK_EQ(hkt_future_request_cancel(future), 0);
        CHECK_EQ(hkt_future_finish(future), -ECANCELED);
        CHECK_EQ(sleeper.cancelled, 1);
        end_pool(pool);
    }
}

TEST(sentences_of_failures_come_to_who_asks_or_to_the_sink)
{
    struct lines lines;
    hkt_executor *pool = must_make(2);
    lines_open(&lines);
    CHECK_EQ(hkt_future_finish(must_submit(pool, fail_with_io, "fish")), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "no fish in the sea");
    CHECK_EQ(lines_count(&lines), 0);
    CHECK_EQ(hkt_submit(pool, NULL, fail_with_io, "eel"), 0);
    end_pool(pool);
    CHECK_EQ(lines_count(&lines), 1);
    CHECK(strstr(lines.text[0], "no eel in the sea"));
}

static void note_done(hkt_future *future, void *arg)
{
    CHECK_EQ(result_of(future), 7);
    count_up(arg);
}

TEST(callbacks_are_called_when_a_job_is_done)
{
    atomic_int told = 0;
    hkt_executor *pool = must_make(1);
    hkt_future *future = must_submit(pool, give_seven, NULL);
    CHECK_EQ(hkt_future_add_done_callback(future, note_done, &told), 0);
    CHECK_EQ(hkt_future_finish(future), 7);
    end_pool(pool);
    CHECK_EQ(told, 1);
}

/* Each way to wait for jobs, from outside and from jobs that wait for jobs. */

enum way { FINISH, WAIT, MAP, COMPLETED, IMAP, IMAP_UNORDERED, GROUP, MIXED, WAYS };

struct node {
    hkt_executor *pool;
    enum way way;
    int depth, width;
    atomic_int *leaves;
    int produced;
};

static int descend(void *arg);

static int produce_child(void *context, void *item)
{
    struct node *node = context, *child = item;
    *child = *node;
    child->depth--;
    child->produced = 0;
    return node->produced++ < node->width;
}

static int descend_in_group(struct node *node, struct node *children)
{
    hkt_task_group group = { 0 };
    hkt_task_group_enter(&group, &(hkt_task_group_options){ .executor = node->pool, .limit = 2 });
    for (int i = 0; i < node->width; i++)
        must_spawn_into(&group, descend, &children[i]);
    return hkt_task_group_leave(&group, 0);
}

static int wait_for_children(struct node *node, struct node *children, enum way way)
{
    hkt_future *futures[8], *next;
    hkt_as_completed *ended = NULL;
    for (int i = 0; i < node->width; i++)
        futures[i] = must_submit(node->pool, descend, &children[i]);
    size_t width = (size_t)node->width;
    if (way == WAIT)
        CHECK_EQ(hkt_wait(futures, width, HKT_ALL_COMPLETED), node->width);
    if (way == COMPLETED)
        CHECK_EQ(hkt_as_completed_create(&ended, futures, width), 0);
    for (int i = 0; i < node->width && ended; i++)
        CHECK_EQ(hkt_as_completed_next(ended, &next), 1);
    hkt_as_completed_destroy(ended);
    for (int i = 0; i < node->width; i++)
        CHECK_EQ(hkt_future_finish(futures[i]), 0);
    return 0;
}

static int descend(void *arg)
{
    struct node *node = arg;
    struct node children[8];
    hkt_imap_options stream = { .produce = produce_child, .context = node };
    enum way way = node->way == MIXED ? (enum way)(node->depth % MIXED) : node->way;
    if (node->depth == 0)
        return hkt_yield() < 0 ? -EIO : count_up(node->leaves);
    for (int i = 0; i < node->width; i++) {
        children[i] = *node;
        children[i].depth--;
        children[i].produced = 0;
    }
    if (way == MAP)
        return hkt_map(node->pool, descend, children, (size_t)node->width, sizeof *children);
    if (way == IMAP)
        return hkt_imap(node->pool, descend, sizeof *node, &stream);
    if (way == IMAP_UNORDERED)
        return hkt_imap_unordered(node->pool, descend, sizeof *node, &stream);
    if (way == GROUP)
        return descend_in_group(node, children);
    return wait_for_children(node, children, way);
}

static void check_tree(enum way way, int which, int depth, int width, int leaves)
{
    atomic_int counted = 0;
    struct node root = { must_make(which), way, depth, width, &counted, 0 };
    CHECK_EQ(hkt_future_finish(must_submit(root.pool, descend, &root)), 0);
    root.produced = 0;
    CHECK_EQ(descend(&root), 0); /* from outside too */
    CHECK_EQ(counted, 2 * leaves);
    end_pool(root.pool);
}

TEST(jobs_wait_for_jobs_in_each_way)
{
    for (int way = 0; way < WAYS; way++)
        for (int which = 0; which < POOLS; which++)
            check_tree((enum way)way, which, 4, 3, 81);
}

TEST(jobs_wait_for_jobs_to_great_depth)
{
    for (int way = 0; way < WAYS; way++)
        for (int which = 0; which < POOLS; which++)
            check_tree((enum way)way, which, 100, 1, 1);
}

TEST(jobs_wait_for_many_jobs)
{
    for (int way = 0; way < WAYS; way++)
        check_tree((enum way)way, 2, 3, 8, 512);
}

/* Maps and streams. */

static int fail_if_odd(void *item)
{
    int number = *(int *)item;
    CHECK_EQ(hkt_yield(), 0);
    return number % 2 ? hkt_fail(-EIO, "item %d is odd", number) : number;
}

TEST(a_map_keeps_going_or_ends_at_the_first_failure)
{
    for (int which = 0; which < POOLS; which++) {
        hkt_executor *pool = must_make(which);
        int items[40], codes[40];
        size_t failed = 77;
        hkt_map_options options = { .keep_going = true, .codes = codes, .failed = &failed };
        for (int i = 0; i < 40; i++)
            items[i] = i;
        CHECK_EQ(hkt_map_with(pool, fail_if_odd, HKT_ARRAY(items), &options), -EIO);
        CHECK_EQ(failed, 1);
        for (int i = 0; i < 40; i++)
            CHECK_EQ(codes[i], i % 2 ? -EIO : i);
        options.keep_going = false;
        CHECK_EQ(hkt_map_with(pool, fail_if_odd, HKT_ARRAY(items), &options), -EIO);
        CHECK(failed < 40 && failed % 2 == 1 && codes[failed] == -EIO);
        CHECK(strstr(hkt_sentence(-EIO), " is odd"));
        end_pool(pool);
    }
}

struct flow {
    int produced, consumed, in_flight;
    bool ordered;
};

static int produce(void *context, void *item)
{
    struct flow *flow = context;
    if (flow->produced == 500)
        return 0;
    *(int *)item = flow->produced++;
    CHECK(flow->produced - flow->consumed <= flow->in_flight);
    return 1;
}

static int double_it(void *item)
{
    *(int *)item *= 2;
    return hkt_yield();
}

static int consume(void *context, void *item, int code)
{
    struct flow *flow = context;
    CHECK_EQ(code, 0);
    CHECK(*(int *)item % 2 == 0);
    if (flow->ordered)
        CHECK_EQ(*(int *)item, 2 * flow->consumed);
    flow->consumed++;
    return 0;
}

TEST(streams_have_no_more_in_flight_than_they_may)
{
    for (int which = 0; which < POOLS; which++)
        for (int ordered = 0; ordered < 2; ordered++) {
            struct flow flow = { .in_flight = 7, .ordered = ordered };
            hkt_executor *pool = must_make(which);
            hkt_imap_options options = {
                .produce = produce, .consume = consume, .context = &flow, .in_flight = 7
            };
            CHECK_EQ(
                (ordered ? hkt_imap : hkt_imap_unordered)(pool, double_it, sizeof(int), &options),
                0);
            CHECK_EQ(flow.consumed, 500);
            end_pool(pool);
        }
}
