/* SPDX-License-Identifier: MIT */
/* The process engine: what a job gets and gives, how pools begin and end, and that everything that is
 * made of futures works on it. */
#include "process_pools.h"

TEST(a_job_runs_in_another_process_and_its_argument_comes_back)
{
    hkt_executor *pool = must_workers(1);
    int pid = 0;
    CHECK_EQ(hkt_apply(pool, tell_pid, HKT_ITEM(pid)), 0);
    CHECK(pid > 0 && pid != getpid());
    end_process_pool(pool);
}

static int return_seven(void *arg)
{
    (void)arg;
    return 7;
}

TEST(a_result_comes_back_and_so_does_a_failure_with_its_sentence)
{
    hkt_executor *pool = must_workers(1);
    hkt_future *future;
    CHECK_EQ(hkt_submit(pool, &future, return_seven, NULL), 0);
    CHECK_EQ(hkt_future_finish(future), 7);
    end_process_pool(pool);
}

static int fail_politely(void *arg)
{
    ((struct square *)arg)->squared = -1;
    return hkt_fail(-EIO, "no root of %d", ((struct square *)arg)->number);
}

TEST(a_failure_has_its_sentence_and_its_argument)
{
    hkt_executor *pool = must_workers(1);
    struct square item = { -4, 0 };
    CHECK_EQ(hkt_apply(pool, fail_politely, HKT_ITEM(item)), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "no root of -4");
    CHECK_EQ(item.squared, -1);
    end_process_pool(pool);
}

TEST(the_same_job_runs_on_threads_and_on_processes)
{
    hkt_executor *engines[2] = { must_workers(2), NULL };
    CHECK_EQ(hkt_thread_pool_create(&engines[1], NULL), 0);
    for (int i = 0; i < 2; i++) {
        struct square item = { 12, 0 }, items[100];
        CHECK_EQ(hkt_apply(engines[i], square, HKT_ITEM(item)), 0);
        CHECK_EQ(item.squared, 144);
        for (int k = 0; k < 100; k++)
            items[k] = (struct square){ k, 0 };
        CHECK_EQ(hkt_map(engines[i], square, HKT_ARRAY(items)), 0);
        for (int k = 0; k < 100; k++)
            CHECK_EQ(items[k].squared, k * k);
    }
    hkt_executor_destroy(engines[1]);
    end_process_pool(engines[0]);
}

struct sized {
    size_t size;
    unsigned char bytes[];
};

static int invert(void *arg)
{
    struct sized *sized = arg;
    for (size_t i = 0; i < sized->size; i++)
        sized->bytes[i] = (unsigned char)~sized->bytes[i];
    return 0;
}

TEST(arguments_of_any_size_go_over_and_back)
{
    hkt_executor *pool = must_workers(2);
    const size_t sizes[] = { 0, 1, 7, 8, 100, 183, 184, 185, 192, 193, 4096, 65536, 1 << 20 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t bytes = sizeof(struct sized) + sizes[i];
        struct sized *sized = malloc(bytes);
        sized->size = sizes[i];
        for (size_t k = 0; k < sizes[i]; k++)
            sized->bytes[k] = (unsigned char)(k * 7);
        CHECK_EQ(hkt_apply(pool, invert, sized, bytes), 0);
        for (size_t k = 0; k < sizes[i]; k++)
            CHECK(sized->bytes[k] == (unsigned char)~(unsigned char)(k * 7));
        free(sized);
    }
    end_process_pool(pool);
}

TEST(shared_memory_is_passed_as_it_is)
{
    hkt_executor *pool = must_workers(1);
    size_t before = hkt_shared_used();
    struct square *item = hkt_shared_alloc(sizeof *item);
    hkt_future *future;
    item->number = 9;
    CHECK_EQ(hkt_submit(pool, &future, square, item), 0);
    CHECK_EQ(hkt_future_finish(future), 0);
    CHECK_EQ(item->squared, 81);
    hkt_shared_free(item);
    CHECK(hkt_shared_used() == before);
    end_process_pool(pool);
}

TEST(an_argument_of_unknown_size_is_refused_in_words)
{
    hkt_executor *pool = must_workers(1);
    struct square item = { 2, 0 };
    hkt_future *future;
    CHECK_EQ(hkt_submit(pool, &future, square, &item), -EINVAL);
    const char *sentence = hkt_sentence(-EINVAL);
    CHECK(strstr(sentence, ".arg_size") && strstr(sentence, "HKT_ITEM") &&
          strstr(sentence, "hkt_shared_alloc"));
    end_process_pool(pool);
}

TEST(many_futures_end_each_with_its_own_result)
{
    enum { MANY = 20000 };
    hkt_executor *pool = must_workers(2);
    struct square *items = calloc(MANY, sizeof *items);
    hkt_future **futures = calloc(MANY, sizeof *futures);
    for (int i = 0; i < MANY; i++) {
        items[i].number = i % 1000;
        futures[i] = must_apply_async(pool, square, &items[i], sizeof items[i]);
    }
    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(hkt_future_finish(futures[i]), 0);
        CHECK_EQ(items[i].squared, (i % 1000) * (i % 1000));
    }
    free(items);
    free(futures);
    end_process_pool(pool);
}

static void count_call(hkt_future *future, void *arg)
{
    int result;
    CHECK_EQ(hkt_future_result(future, &result), 0);
    CHECK_EQ(result, 7);
    __atomic_add_fetch((int *)arg, 1, __ATOMIC_SEQ_CST);
}

TEST(callbacks_come_without_anybody_waiting)
{
    hkt_executor *pool = must_workers(2);
    int calls = 0;
    for (int i = 0; i < 100; i++) {
        hkt_future *future;
        CHECK_EQ(hkt_submit(pool, &future, return_seven, NULL), 0);
        CHECK_EQ(hkt_future_add_done_callback(future, count_call, &calls), 0);
        hkt_future_destroy(future);
    }
    CHECK_EQ(hkt_executor_shutdown(pool), 0);
    CHECK_EQ(calls, 100);
    end_process_pool(pool);
}

TEST(several_are_waited_for_and_come_as_they_are_completed)
{
    hkt_executor *pool = must_workers(2);
    struct square items[50];
    hkt_future *futures[50], *next;
    hkt_as_completed *iterator;
    for (int i = 0; i < 50; i++) {
        items[i] = (struct square){ i, 0 };
        futures[i] = must_apply_async(pool, square, &items[i], sizeof items[i]);
    }
    CHECK(hkt_wait(futures, 50, HKT_FIRST_COMPLETED) >= 1);
    CHECK_EQ(hkt_as_completed_create(&iterator, futures, 50), 0);
    int count = 0;
    while (hkt_as_completed_next(iterator, &next) == 1)
        count++;
    CHECK_EQ(count, 50);
    hkt_as_completed_destroy(iterator);
    CHECK_EQ(hkt_wait(futures, 50, HKT_ALL_COMPLETED), 50);
    for (int i = 0; i < 50; i++)
        CHECK_EQ(hkt_future_finish(futures[i]), 0);
    end_process_pool(pool);
}

struct stream {
    int produced, consumed;
};

static int produce(void *context, void *item)
{
    struct stream *stream = context;
    if (stream->produced == 500)
        return 0;
    ((struct square *)item)->number = stream->produced++;
    return 1;
}

static int consume(void *context, void *item, int code)
{
    struct stream *stream = context;
    const struct square *squared = item;
    CHECK_EQ(code, 0);
    CHECK_EQ(squared->squared, squared->number * squared->number);
    CHECK_EQ(squared->number, stream->consumed++);
    return 0;
}

TEST(a_stream_goes_through_the_workers_in_order)
{
    hkt_executor *pool = must_workers(2);
    struct stream stream = { 0, 0 };
    hkt_imap_options options = { .produce = produce, .consume = consume, .context = &stream };
    CHECK_EQ(hkt_imap(pool, square, sizeof(struct square), &options), 0);
    CHECK_EQ(stream.consumed, 500);
    end_process_pool(pool);
}

TEST(a_task_group_has_its_children_in_workers)
{
    hkt_executor *pool = must_workers(2);
    hkt_task_group group = { 0 };
    struct square items[20];
    hkt_task_group_enter(&group, &(hkt_task_group_options){ .executor = pool });
    for (int i = 0; i < 20; i++) {
        items[i] = (struct square){ i, 0 };
        hkt_submit_options options = { .arg_size = sizeof items[i] };
        CHECK_EQ(hkt_task_group_spawn_with(&group, NULL, square, &items[i], &options), 0);
    }
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(items[i].squared, i * i);
    end_process_pool(pool);
}

TEST(a_task_group_that_fails_cancels_those_that_run)
{
    hkt_executor *pool = must_workers(2);
    hkt_task_group group = { 0 };
    int *entered = hkt_shared_alloc(sizeof *entered);
    struct square item = { 3, 0 };
    hkt_submit_options options = { .arg_size = sizeof entered },
                       other = { .arg_size = sizeof item };
    hkt_task_group_enter(&group, &(hkt_task_group_options){ .executor = pool });
    CHECK_EQ(hkt_task_group_spawn_with(&group, NULL, wait_for_ever, &entered, &options), 0);
    await_entered(entered);
    CHECK_EQ(hkt_task_group_spawn_with(&group, NULL, fail_politely, &item, &other), 0);
    CHECK_EQ(hkt_task_group_leave(&group, 0), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "no root of 3");
    hkt_shared_free(entered);
    end_process_pool(pool);
}

static int apply_in_a_loop(void *arg)
{
    for (int i = 0; i < 50; i++) {
        struct square item = { i, 0 };
        CHECK_EQ(hkt_apply(arg, square, HKT_ITEM(item)), 0);
        CHECK_EQ(item.squared, i * i);
    }
    return 0;
}

TEST(tasks_of_a_loop_wait_for_workers)
{
    hkt_executor *pool = must_workers(2);
    CHECK_EQ(hkt_run(apply_in_a_loop, pool), 0);
    end_process_pool(pool);
}

TEST(threads_wait_for_the_same_pool_side_by_side)
{
    hkt_executor *pool = must_workers(2);
    hkt_thread *threads[4];
    for (int i = 0; i < 4; i++)
        CHECK_EQ(hkt_thread_spawn(&threads[i], apply_in_a_loop, pool, NULL), 0);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(hkt_thread_join(threads[i]), 0);
        hkt_thread_destroy(threads[i]);
    }
    end_process_pool(pool);
}

TEST(what_is_out_of_range_is_refused)
{
    hkt_executor *pool;
    CHECK_EQ(hkt_process_pool_create(&pool, &(hkt_process_pool_options){ .max_workers = 257 }),
             -EINVAL);
    CHECK_EQ(hkt_process_pool_create(&pool, &(hkt_process_pool_options){ .method = 17 }), -EINVAL);
    pool = must_workers(3);
    CHECK_EQ(hkt_executor_max_workers(pool), 3);
    hkt_submit_options options = { .priority = 3 };
    CHECK_EQ(hkt_submit_with(pool, NULL, return_seven, NULL, &options), -EINVAL);
    end_process_pool(pool);
}

TEST(a_closed_pool_takes_no_more)
{
    hkt_executor *pool = must_workers(1);
    hkt_executor_close(pool, false);
    CHECK_EQ(hkt_submit(pool, NULL, return_seven, NULL), -ESHUTDOWN);
    CHECK_EQ(hkt_executor_shutdown(pool), 0);
    end_process_pool(pool);
}

/* The copy of a pool in a copy of its process. */
static hkt_executor *inherited;

static int submit_to_inherited(void *arg)
{
    (void)arg;
    return hkt_submit(inherited, NULL, return_seven, NULL);
}

TEST(a_job_does_not_use_its_process_s_pool)
{
    hkt_process_pool_options options = { .max_workers = 1, .method = HKT_START_FORK };
    hkt_executor *outer;
    inherited = must_workers(1);
    options.max_workers = 1;
    int err = hkt_process_pool_create(&outer, &options);
    CHECK(err == 0 || err == -EBUSY); /* the first pool's watcher is a thread */
    if (err == 0) {
        CHECK_EQ(hkt_apply(outer, submit_to_inherited, NULL, 0), -EPERM);
        CHECK(strstr(hkt_sentence(-EPERM), "of another process") != NULL);
        hkt_executor_destroy(outer);
    }
    end_process_pool(inherited);
}

TEST(a_pool_of_copies_has_what_its_process_had)
{
#ifdef __SANITIZE_THREAD__
    TEST_SKIP("TSan lets no copy of a program with threads start any");
#endif
    inherited = NULL;
    hkt_executor *pool = must_process_pool(
        &(hkt_process_pool_options){ .max_workers = 2, .method = HKT_START_FORK });
    CHECK_EQ(hkt_apply(pool, return_seven, NULL, 0), 7);
    end_process_pool(pool);
}

TEST(a_deadline_is_for_process_pools_alone)
{
    hkt_submit_options options = { .deadline = hkt_after(60) };
    hkt_executor *threads;
    CHECK_EQ(hkt_thread_pool_create(&threads, NULL), 0);
    CHECK_EQ(hkt_submit_with(threads, NULL, return_seven, NULL, &options), -EOPNOTSUPP);
    CHECK_EQ(hkt_process_pool_terminate_workers(threads), -EINVAL);
    hkt_process_pool_state state;
    hkt_process_pool_look(threads, &state);
    CHECK_EQ(state.workers, 0);
    end_process_pool(threads);
}

TEST(what_a_pool_is_about_can_be_seen)
{
    hkt_executor *pool = must_workers(1);
    int *entered = hkt_shared_alloc(sizeof *entered), pids[4];
    hkt_future *running = must_apply_async(pool, wait_for_ever, &entered, sizeof entered);
    hkt_future *pending = must_apply_async(pool, return_seven, NULL, 0);
    int pid = await_entered(entered);
    hkt_process_pool_state state;
    hkt_process_pool_look(pool, &state);
    CHECK_EQ(state.workers, 1);
    CHECK_EQ(state.running, 1);
    CHECK_EQ(state.pending, 1);
    CHECK_EQ(hkt_process_pool_pids(pool, pids, 4), 1);
    CHECK_EQ(pids[0], pid);
    CHECK(hkt_future_running(running) && !hkt_future_running(pending));
    CHECK_EQ(hkt_future_cancel(running), -EBUSY);
    CHECK_EQ(hkt_future_cancel(pending), 0);
    CHECK(hkt_future_cancelled(pending));
    CHECK_EQ(hkt_future_request_cancel(running), 0);
    CHECK_EQ(hkt_future_finish(running), -ECANCELED);
    hkt_future_destroy(pending);
    hkt_shared_free(entered);
    end_process_pool(pool);
}

struct greeting {
    char text[16];
};

static int print_greeting(void *arg)
{
    printf("%s", ((struct greeting *)arg)->text);
    return 0;
}

TEST(what_a_job_prints_is_out_before_its_result)
{
    struct greeting greeting = { "hello" };
    char got[8] = "";
    int ends[2], kept = dup(1);
    CHECK_EQ(pipe(ends), 0);
    dup2(ends[1], 1);
    hkt_executor *pool = must_process_pool(
        &(hkt_process_pool_options){ .max_workers = 1, .method = HKT_START_SPAWN });
    dup2(kept, 1);
    CHECK_EQ(hkt_apply(pool, print_greeting, HKT_ITEM(greeting)), 0);
    CHECK_EQ(read(ends[0], got, 5), 5);
    CHECK_STR(got, "hello");
    close(ends[0]);
    close(ends[1]);
    close(kept);
    end_process_pool(pool);
}
