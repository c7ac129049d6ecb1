/* SPDX-License-Identifier: MIT */
/* How parallel algorithms end early: the first failure stops the rest soon and its sentence arrives;
 * so do a cancel of the caller's scope and its deadline, wherever the parts run. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "pools.h"

#define LONG_AFTER 10.0 /* an upper bound on a loaded machine */

static const unsigned worker_counts[] = { 1, 2, 3, 7 };
#define COUNTS (sizeof worker_counts / sizeof *worker_counts)

static int in_job(hkt_executor *pool, hkt_job *job, void *arg)
{
    return hkt_future_finish(must_submit(pool, job, arg));
}

/* All the calls that are tested here, on the same work: `count` parts of one index. */
struct task {
    hkt_executor *pool;
    size_t count;
    int (*part)(struct task *task, size_t index);
    size_t failing; /* the index that fails, and all that are multiples of `step` after it */
    size_t step;
    atomic_size_t ran;
    hkt_event never;
    struct index *places;
};

struct index {
    struct task *task;
    size_t index;
};

static int run_place(void *arg)
{
    struct index *place = arg;
    return place->task->part(place->task, place->index);
}

static int run_range(void *context, size_t begin, size_t end)
{
    struct task *task = context;
    int err = 0;
    for (size_t i = begin; i < end && err == 0; i++)
        err = task->part(task, i);
    return err;
}

static int fold(void *context, size_t begin, size_t end, void *value)
{
    (void)value;
    return run_range(context, begin, end);
}

static void combine(void *context, void *left, const void *right)
{
    (void)context;
    (void)left;
    (void)right;
}

static int by_range(void *arg)
{
    struct task *task = arg;
    return hkt_parallel_for(task->pool, 0, task->count, run_range, task);
}

static int by_grain(void *arg)
{
    struct task *task = arg;
    return hkt_parallel_for_grain(task->pool, 0, task->count, 1, run_range, task);
}

static int by_items(void *arg)
{
    struct task *task = arg;
    return hkt_parallel_for_each(task->pool, run_place, task->places, task->count,
                                 sizeof *task->places);
}

static int by_invocations(void *arg)
{
    struct task *task = arg;
    hkt_invocation *invocations = calloc(task->count, sizeof *invocations);
    CHECK(invocations != NULL);
    for (size_t i = 0; i < task->count; i++)
        invocations[i] = (hkt_invocation){ run_place, &task->places[i] };
    int err = hkt_parallel_invoke(task->pool, invocations, task->count);
    free(invocations);
    return err;
}

static int by_reduction(void *arg)
{
    struct task *task = arg;
    char value;
    hkt_reduce_options options = {
        .fold = fold, .combine = combine, .context = task, .value_size = sizeof value
    };
    return hkt_reduce(task->pool, 0, task->count, &value, &options);
}

static hkt_job *const calls[] = { by_range, by_grain, by_items, by_invocations, by_reduction };
#define CALLS (sizeof calls / sizeof *calls)

static void open_task(struct task *task, unsigned workers)
{
    task->pool = must_pool(workers);
    task->places = calloc(task->count, sizeof *task->places);
    CHECK(task->places != NULL);
    for (size_t i = 0; i < task->count; i++)
        task->places[i] = (struct index){ task, i };
}

static void close_task(struct task *task)
{
    free(task->places);
    end_pool(task->pool);
}

/* Failures. */

static int fail_some(struct task *task, size_t index)
{
    atomic_fetch_add(&task->ran, 1);
    if (index >= task->failing && (index - task->failing) % task->step == 0)
        return hkt_fail(-EDOM - (int)(index % 2), "index %zu is bad", index);
    await_spinning(0.000002);
    return 0;
}

/* The failure is one of those that there are, and its sentence is its own. */
static void check_failure(const struct task *task, int err)
{
    size_t index = 0;
    CHECK(sscanf(hkt_sentence(err), "index %zu is bad", &index) == 1);
    CHECK_EQ(err, -EDOM - (int)(index % 2));
    CHECK(index >= task->failing && (index - task->failing) % task->step == 0);
}

static void check_failures(struct task task)
{
    for (size_t i = 0; i < COUNTS; i++) {
        open_task(&task, worker_counts[i]);
        for (size_t c = 0; c < CALLS; c++) {
            task.ran = 0;
            check_failure(&task, calls[c](&task));
            CHECK(task.ran >= 1);
            task.ran = 0;
            check_failure(&task, in_job(task.pool, calls[c], &task));
        }
        close_task(&task);
    }
}

TEST(the_failure_arrives_with_its_sentence)
{
    check_failures((struct task){ .count = 2000, .part = fail_some, .failing = 0, .step = 9999 });
    check_failures((struct task){ .count = 2000, .part = fail_some, .failing = 1999, .step = 1 });
    check_failures((struct task){ .count = 1, .part = fail_some, .failing = 0, .step = 1 });
}

TEST(one_of_several_failures_arrives_with_its_sentence)
{
    check_failures((struct task){ .count = 2000, .part = fail_some, .failing = 3, .step = 7 });
    check_failures((struct task){ .count = 2000, .part = fail_some, .failing = 0, .step = 1 });
}

/* Most of the rest is not run; with one worker, nothing after the failure is. */
static int fail_first(struct task *task, size_t index)
{
    atomic_fetch_add(&task->ran, 1);
    if (index == task->failing)
        return -EIO;
    await_spinning(0.00002);
    return 0;
}

TEST(a_failure_stops_the_rest_soon)
{
    for (size_t i = 0; i < COUNTS; i++) {
        struct task task = { .count = 20000, .part = fail_first };
        open_task(&task, worker_counts[i]);
        for (size_t c = 0; c < CALLS; c++) {
            for (int j = 0; j < 2; j++) {
                task.ran = 0;
                CHECK_EQ(j ? in_job(task.pool, calls[c], &task) : calls[c](&task), -EIO);
                CHECK_STR(hkt_sentence(-EIO), hkt_strerror(-EIO));
                CHECK(task.ran <= (worker_counts[i] == 1 ? 1 : task.count / 2));
            }
        }
        close_task(&task);
    }
}

/* Parts that fail on threads of the pool alone. */
static int fail_elsewhere(struct task *task, size_t index)
{
    if (atomic_fetch_add(&task->ran, 1) == 0)
        task->failing = (size_t)hkt_native_id();
    await_spinning(0.00002);
    if ((size_t)hkt_native_id() != task->step)
        return hkt_fail(-EIO, "index %zu failed on another thread", index);
    return 0;
}

TEST(a_failure_on_another_thread_arrives_with_its_sentence)
{
    struct task task = { .count = 100, .part = fail_elsewhere, .step = (size_t)hkt_native_id() };
    open_task(&task, 3);
    for (size_t c = 0; c < CALLS; c++) {
        int err;
        do
            err = calls[c](&task);
        while (err == 0);
        CHECK_EQ(err, -EIO);
        CHECK(strstr(hkt_sentence(-EIO), "failed on another thread"));
    }
    close_task(&task);
}

/* A failure inside of a nested call is the failure of all. */
static int fail_nested(struct task *task, size_t index)
{
    struct task inner = *task;
    inner.part = fail_some;
    inner.count = 10;
    inner.failing = index == 11 ? 7 : 9999;
    inner.step = 9999;
    return by_grain(&inner);
}

TEST(a_nested_failure_arrives_with_its_sentence)
{
    for (size_t i = 0; i < COUNTS; i++) {
        struct task task = { .count = 30, .part = fail_nested };
        open_task(&task, worker_counts[i]);
        for (size_t c = 0; c < CALLS; c++) {
            CHECK_EQ(calls[c](&task), -EDOM - 1);
            CHECK_STR(hkt_sentence(-EDOM - 1), "index 7 is bad");
        }
        close_task(&task);
    }
}

/* Cancels. */

static int compute(struct task *task, size_t index)
{
    (void)index;
    atomic_fetch_add(&task->ran, 1);
    await_spinning(0.00002);
    return 0;
}

static int wait_for_ever(struct task *task, size_t index)
{
    (void)index;
    atomic_fetch_add(&task->ran, 1);
    return hkt_event_wait(&task->never);
}

static struct task *current;

static int call_current(void *call)
{
    return (*(hkt_job *const *)call)(current);
}

/* With this many parts, each call would last for seconds. */
#define MANY 200000

static void check_cancels(int (*part)(struct task *task, size_t index))
{
    for (size_t i = 0; i < COUNTS; i++) {
        struct task task = { .count = MANY, .part = part };
        open_task(&task, worker_counts[i]);
        current = &task;
        for (size_t c = 0; c < CALLS; c++) {
            struct caller caller;
            task.ran = 0;
            caller_start(&caller, call_current, (void *)&calls[c]);
            AWAIT(task.ran > 0);
            double since = hkt_monotonic();
            caller_cancel(&caller);
            CHECK_EQ(caller_end(&caller), -ECANCELED);
            CHECK(hkt_monotonic() - since < LONG_AFTER);
            CHECK(task.ran < task.count);
        }
        close_task(&task);
    }
}

TEST_TIMEOUT(a_cancel_from_outside_stops_computing_parts, 60)
{
    check_cancels(compute);
}

TEST_TIMEOUT(a_cancel_from_outside_reaches_waiting_parts, 60)
{
    check_cancels(wait_for_ever);
}

/* The same of a job that computes in parallel. */
static void cancel_jobs(struct task *task)
{
    for (size_t c = 0; c < CALLS; c++) {
        hkt_future *future;
        task->ran = 0;
        CHECK_EQ(hkt_submit(task->pool, &future, calls[c], task), 0);
        AWAIT(task->ran > 0);
        CHECK_EQ(hkt_future_request_cancel(future), 0);
        CHECK_EQ(hkt_future_finish(future), -ECANCELED);
        CHECK(task->ran < task->count);
    }
}

TEST_TIMEOUT(a_cancel_of_the_job_stops_its_parts, 60)
{
    for (size_t i = 0; i < COUNTS; i++) {
        struct task task = { .count = MANY, .part = i % 2 ? compute : wait_for_ever };
        open_task(&task, worker_counts[i]);
        cancel_jobs(&task);
        task.part = i % 2 ? wait_for_ever : compute;
        cancel_jobs(&task);
        close_task(&task);
    }
}

/* Within a scope that ends by its deadline. */
static int with_deadline(struct task *task, hkt_job *call)
{
    hkt_scope scope;
    double since = hkt_monotonic();
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.01) });
    int err = call(task);
    CHECK_EQ(hkt_scope_leave(&scope), err == 0 ? 0 : -ETIMEDOUT);
    if (err < 0)
        CHECK(hkt_monotonic() - since >= 0.01);
    CHECK(hkt_monotonic() - since < LONG_AFTER);
    return err;
}

TEST_TIMEOUT(a_deadline_stops_the_parts, 60)
{
    for (size_t i = 0; i < COUNTS; i++) {
        struct task task = { .count = MANY };
        open_task(&task, worker_counts[i]);
        for (size_t c = 0; c < CALLS; c++) {
            task.part = compute;
            CHECK_EQ(with_deadline(&task, calls[c]), -ECANCELED);
            task.part = wait_for_ever;
            CHECK_EQ(with_deadline(&task, calls[c]), -ECANCELED);
        }
        close_task(&task);
    }
}

TEST(in_an_ended_scope_nothing_is_run)
{
    struct task task = { .count = 100, .part = compute };
    open_task(&task, 3);
    for (size_t c = 0; c < CALLS; c++)
        CHECK_EQ(call_cancelled(calls[c], &task), -ECANCELED);
    CHECK_EQ(task.ran, 0);
    close_task(&task);
}

/* A part that has a deadline of its own for what it computes in parallel: until somebody else took
 * parts of that too. */
struct inner {
    struct task task; /* first */
    int owner;
    atomic_int elsewhere;
};

static int wait_or_compute(struct task *task, size_t index)
{
    struct inner *inner = (struct inner *)task;
    if (hkt_native_id() != inner->owner)
        atomic_store(&inner->elsewhere, 1);
    return index % 2 ? compute(task, index) : wait_for_ever(task, index);
}

static int nest_deadlines(struct task *outer, size_t index)
{
    struct inner inner = { .owner = hkt_native_id() };
    (void)index;
    while (!inner.elsewhere && atomic_load(&outer->ran) == 0) {
        inner.task.pool = outer->pool;
        inner.task.count = 100;
        inner.task.part = wait_or_compute;
        CHECK_EQ(with_deadline(&inner.task, by_grain), -ECANCELED);
    }
    atomic_fetch_add(&outer->ran, 1);
    return 0;
}

TEST(a_deadline_inside_of_a_part_stops_the_parts_of_that)
{
    struct task task = { .count = 2, .part = nest_deadlines };
    open_task(&task, 3);
    CHECK_EQ(by_grain(&task), 0);
    task.ran = 0;
    CHECK_EQ(in_job(task.pool, by_grain, &task), 0);
    close_task(&task);
}
