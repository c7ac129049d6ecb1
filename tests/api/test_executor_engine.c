/* SPDX-License-Identifier: MIT */
/* Executors with an engine of one's own: what the engine is told, what it may refuse, and that all
 * that holds for executors holds for it. */
#include "pools.h"

/* An engine that keeps what it is given until the test runs it. */
struct shelf {
    hkt_future *futures[16];
    hkt_submit_options options[16];
    int count;
    int refusal;
    int closed, cancelled, destroyed; /* how often it was told */
};

static int shelve(void *engine, hkt_future *future, const hkt_submit_options *options)
{
    struct shelf *shelf = engine;
    if (shelf->refusal)
        return shelf->refusal;
    CHECK(shelf->count < 16);
    if (options)
        shelf->options[shelf->count] = *options;
    shelf->futures[shelf->count++] = future;
    return 0;
}

static void run_all(struct shelf *shelf)
{
    for (int i = 0; i < shelf->count; i++)
        hkt_future_run(shelf->futures[i]);
    shelf->count = 0;
}

static void note_close(void *engine, bool cancel_futures)
{
    struct shelf *shelf = engine;
    shelf->closed++;
    shelf->cancelled += cancel_futures;
    for (int i = 0; i < shelf->count && cancel_futures; i++)
        (void)hkt_future_cancel(shelf->futures[i]);
}

static void note_destroy(void *engine)
{
    struct shelf *shelf = engine;
    CHECK_EQ(shelf->count, 0);
    shelf->destroyed++;
}

static const hkt_engine shelving = { .name = "shelf",
                                     .submit = shelve,
                                     .close = note_close,
                                     .destroy = note_destroy,
                                     .max_workers = 5 };

static hkt_executor *must_shelve(struct shelf *shelf)
{
    hkt_executor *executor = NULL;
    *shelf = (struct shelf){ 0 };
    CHECK_EQ(hkt_executor_create(&executor, &shelving, shelf), 0);
    return executor;
}

TEST(an_engine_must_be_able_to_take_jobs)
{
    static const hkt_engine empty = { .name = "empty" };
    hkt_executor *executor = NULL;
    CHECK_EQ(hkt_executor_create(&executor, &empty, NULL), -EINVAL);
    CHECK_EQ(hkt_executor_create(&executor, NULL, NULL), -EINVAL);
    CHECK(executor == NULL);
    check_finalized();
}

TEST(an_engine_runs_what_it_was_given_when_it_likes)
{
    struct shelf shelf;
    hkt_executor *executor = must_shelve(&shelf);
    atomic_int ran = 0;
    CHECK_EQ(hkt_executor_max_workers(executor), 5);
    hkt_future *future = must_submit(executor, count_up, &ran);
    CHECK_EQ(hkt_submit(executor, NULL, count_up, &ran), 0);
    CHECK_EQ(shelf.count, 2);
    CHECK(!hkt_future_done(future) && !hkt_future_running(future));
    CHECK_EQ(ran, 0);
    run_all(&shelf);
    CHECK_EQ(ran, 2);
    CHECK(hkt_future_done(future));
    CHECK_EQ(hkt_future_finish(future), 0);
    hkt_executor_destroy(executor);
    CHECK_EQ(shelf.closed, 1);
    CHECK_EQ(shelf.cancelled, 0);
    CHECK_EQ(shelf.destroyed, 1);
    check_finalized();
}

TEST(an_engine_is_told_how_a_job_is_to_be_run)
{
    struct shelf shelf;
    hkt_executor *executor = must_shelve(&shelf);
    hkt_submit_options options = { .priority = HKT_PRIORITY_HIGH, .no_foreign_work = true };
    hkt_map_options map_options = { .priority = HKT_PRIORITY_BACKGROUND, .no_foreign_work = true };
    hkt_scope scope;
    int items[1] = { 0 };
    CHECK_EQ(hkt_submit_with(executor, NULL, do_nothing, NULL, &options), 0);
    CHECK_EQ(hkt_submit(executor, NULL, do_nothing, NULL), 0);
    CHECK_EQ(shelf.options[0].priority, HKT_PRIORITY_HIGH);
    CHECK(shelf.options[0].no_foreign_work);
    CHECK_EQ(shelf.options[1].priority, HKT_PRIORITY_NORMAL);
    CHECK(!shelf.options[1].no_foreign_work);
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.001) });
    CHECK_EQ(hkt_map_with(executor, do_nothing, HKT_ARRAY(items), &map_options), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    CHECK_EQ(shelf.options[2].priority, HKT_PRIORITY_BACKGROUND);
    CHECK(shelf.options[2].no_foreign_work);
    run_all(&shelf);
    end_pool(executor);
}

TEST(an_engine_may_refuse)
{
    struct shelf shelf;
    hkt_executor *executor = must_shelve(&shelf);
    hkt_future *untouched = NULL;
    int items[2] = { 0 }, codes[2] = { 33, 33 };
    size_t failed = 77;
    hkt_map_options options = { .codes = codes, .failed = &failed };
    shelf.refusal = -ENOSPC;
    CHECK_EQ(hkt_submit(executor, &untouched, do_nothing, NULL), -ENOSPC);
    CHECK(untouched == NULL);
    CHECK_EQ(hkt_map_with(executor, do_nothing, HKT_ARRAY(items), &options), -ENOSPC);
    CHECK_EQ(codes[0], -ECANCELED);
    CHECK_EQ(codes[1], -ECANCELED);
    end_pool(executor); /* it waits for none of them */
    CHECK_EQ(shelf.destroyed, 1);
}

TEST(a_future_that_was_cancelled_is_not_run)
{
    struct shelf shelf;
    hkt_executor *executor = must_shelve(&shelf);
    atomic_int ran = 0;
    hkt_future *kept = must_submit(executor, count_up, &ran);
    hkt_future *gone = must_submit(executor, count_up, &ran);
    CHECK_EQ(hkt_future_cancel(kept), 0);
    CHECK_EQ(hkt_future_cancel(gone), 0);
    hkt_future_destroy(gone); /* the engine still has it */
    run_all(&shelf);
    CHECK_EQ(ran, 0);
    CHECK_EQ(hkt_future_finish(kept), -ECANCELED);
    end_pool(executor);
}

static int shut_down(void *executor)
{
    return hkt_executor_shutdown(executor);
}

TEST(a_shutdown_waits_until_the_engine_has_run_all)
{
    struct shelf shelf;
    hkt_executor *executor = must_shelve(&shelf);
    struct caller caller;
    hkt_future *future = must_submit(executor, do_nothing, NULL);
    CHECK_EQ(hkt_executor_shutdown_until(executor, hkt_after(0)), -ETIMEDOUT);
    caller_start_waiting(&caller, shut_down, executor, executor);
    run_all(&shelf);
    CHECK_EQ(caller_end(&caller), 0);
    CHECK_EQ(hkt_future_finish(future), 0);
    end_pool(executor);
    CHECK_EQ(shelf.closed, 1);
}

TEST(a_close_that_cancels_reaches_the_engine)
{
    struct shelf shelf;
    hkt_executor *executor = must_shelve(&shelf);
    hkt_future *future = must_submit(executor, do_nothing, NULL);
    hkt_executor_close(executor, false);
    hkt_executor_close(executor, false);
    CHECK_EQ(shelf.closed, 1);
    CHECK(!hkt_future_done(future));
    hkt_executor_close(executor, true); /* asked for later */
    CHECK_EQ(shelf.cancelled, 1);
    CHECK(hkt_future_cancelled(future));
    run_all(&shelf);
    CHECK_EQ(hkt_future_finish(future), -ECANCELED);
    end_pool(executor);
}

TEST(a_closed_engine_gets_nothing_from_outside_while_jobs_are_out)
{
    struct shelf shelf;
    hkt_executor *executor = must_shelve(&shelf);
    CHECK_EQ(hkt_submit(executor, NULL, do_nothing, NULL), 0);
    hkt_executor_close(executor, false);
    int err = hkt_submit(executor, NULL, do_nothing, NULL);
    run_all(&shelf);
    hkt_executor_destroy(executor);
    CHECK_EQ(err, -ESHUTDOWN);
    check_finalized();
}

struct insider {
    hkt_executor *executor;
    int submitted;
};

static int submit_one_more(void *arg)
{
    struct insider *insider = arg;
    insider->submitted = hkt_submit(insider->executor, NULL, do_nothing, NULL);
    return 0;
}

TEST(jobs_of_a_closed_engine_may_still_hand_in)
{
    struct shelf shelf;
    hkt_executor *executor = must_shelve(&shelf);
    struct insider insider = { executor, -1 };
    CHECK_EQ(hkt_submit(executor, NULL, submit_one_more, &insider), 0);
    hkt_executor_close(executor, false);
    hkt_future_run(shelf.futures[0]);
    CHECK_EQ(insider.submitted, 0);
    CHECK_EQ(hkt_executor_shutdown_until(executor, hkt_after(0)), -ETIMEDOUT);
    hkt_future_run(shelf.futures[1]);
    shelf.count = 0;
    end_pool(executor);
}

TEST(an_engine_that_does_not_end_is_left_to_itself)
{
    struct lines lines;
    struct shelf shelf;
    hkt_executor *executor = must_shelve(&shelf);
    lines_open(&lines);
    hkt_future *future = must_submit(executor, do_nothing, NULL);
    CHECK_EQ(hkt_executor_shutdown_until(executor, hkt_after(0.001)), -ETIMEDOUT);
    hkt_executor_destroy(executor);
    CHECK_EQ(lines_count(&lines), 1);
    CHECK(strstr(lines.text[0], "\"shelf\""));
    run_all(&shelf);
    CHECK_EQ(hkt_future_finish(future), 0);
    CHECK_EQ(shelf.destroyed, 0); /* nobody may end the engine's threads from one of them */
}

TEST_ABORTS(a_producers_future_is_not_run, "hkt_future_run: ")
{
    hkt_future *future;
    CHECK_EQ(hkt_future_create(&future), 0);
    hkt_future_run(future);
}

/* An engine with a thread for each job. */
static int run_here(void *future)
{
    hkt_future_run(future);
    return 0;
}

static int spawn_thread(void *engine, hkt_future *future, const hkt_submit_options *options)
{
    (void)engine;
    (void)options;
    return hkt_thread_spawn(NULL, run_here, future, NULL);
}

static const hkt_engine threads = { .name = "threads", .submit = spawn_thread, .max_workers = 99 };

struct depth {
    hkt_executor *executor;
    int left;
};

static int descend(void *arg)
{
    struct depth *depth = arg;
    struct depth below[2] = { { depth->executor, depth->left - 1 },
                              { depth->executor, depth->left - 1 } };
    return depth->left == 0 ? 0 : hkt_map(depth->executor, descend, HKT_ARRAY(below));
}

static int yield_number(void *context, void *item)
{
    int *left = context;
    *(int *)item = *left;
    return (*left)-- > 0;
}

static int give_number(void *item)
{
    return *(int *)item;
}

static int sum_numbers(void *context, void *item, int code)
{
    CHECK_EQ(*(int *)item, code);
    (void)context;
    return 0;
}

TEST(everything_works_on_an_engine_of_ones_own)
{
    hkt_executor *executor = NULL;
    struct gate gate = { .result = 4 };
    int left = 30;
    CHECK_EQ(hkt_executor_create(&executor, &threads, NULL), 0);
    hkt_future *future = hold_worker(executor, &gate);
    CHECK_EQ(hkt_future_cancel(future), -EBUSY);
    CHECK_EQ(hkt_future_wait_until(future, hkt_after(0)), -ETIMEDOUT);
    CHECK_EQ(hkt_future_request_cancel(future), 0);
    CHECK_EQ(hkt_future_finish(future), -ECANCELED);
    struct depth depth = { executor, 4 };
    CHECK_EQ(hkt_future_finish(must_submit(executor, descend, &depth)), 0);
    hkt_imap_options options = { .produce = yield_number,
                                 .consume = sum_numbers,
                                 .context = &left };
    CHECK_EQ(hkt_imap(executor, give_number, sizeof(int), &options), 0);
    left = 30;
    CHECK_EQ(hkt_imap_unordered(executor, give_number, sizeof(int), &options), 0);
    CHECK_EQ(hkt_future_finish(must_submit(executor, fail_with_io, "fish")), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "no fish in the sea");
    hkt_executor_destroy(executor);
    CHECK_EQ(hkt_join_all(), 0);
    check_finalized();
}

/* An engine with one thread, which takes futures out of a queue. */
static int serve(void *queue)
{
    hkt_future *future;
    while (hkt_queue_get(queue, &future) == 0)
        hkt_future_run(future);
    return 0;
}

static int put(void *queue, hkt_future *future, const hkt_submit_options *options)
{
    (void)options;
    return hkt_queue_put(queue, &future);
}

static const hkt_engine server = { .name = "server", .submit = put, .max_workers = 1 };

TEST(jobs_that_wait_for_jobs_end_on_an_engine_with_one_thread)
{
    hkt_queue *queue = NULL;
    hkt_thread *thread = NULL;
    hkt_executor *executor = NULL;
    CHECK_EQ(hkt_queue_create(&queue, sizeof(hkt_future *), NULL), 0);
    CHECK_EQ(hkt_thread_spawn(&thread, serve, queue, NULL), 0);
    CHECK_EQ(hkt_executor_create(&executor, &server, queue), 0);
    struct depth depth = { executor, 5 };
    CHECK_EQ(hkt_future_finish(must_submit(executor, descend, &depth)), 0);
    hkt_executor_destroy(executor);
    hkt_queue_shutdown(queue, false);
    CHECK_EQ(hkt_thread_join(thread), 0);
    hkt_thread_destroy(thread);
    hkt_queue_destroy(queue);
    check_finalized();
}
