/* SPDX-License-Identifier: MIT */
/* How jobs of a process pool end before their time: cancels, deadlines, the deaths of workers. */
#include <fcntl.h>

#include "process_pools.h"

TEST(a_killed_worker_fails_its_job_alone_and_is_named)
{
    hkt_executor *pool = must_workers(1);
    hkt_future *future = NULL;
    hkt_submit_options options = { .name = "resize" };
    CHECK_EQ(hkt_submit_with(pool, &future, die_by_kill, NULL, &options), 0);
    hkt_future *next = must_apply_async(pool, die_by_kill, NULL, 0);
    struct square item = { 5, 0 };
    CHECK_EQ(hkt_future_finish(future), -EOWNERDEAD);
    const char *sentence = hkt_sentence(-EOWNERDEAD);
    CHECK(strstr(sentence, "resize") && strstr(sentence, "worker-1") &&
          strstr(sentence, "signal 9 (SIGKILL)"));
    CHECK_EQ(hkt_future_finish(next), -EOWNERDEAD);
    CHECK_EQ(hkt_apply(pool, square, HKT_ITEM(item)), 0);
    CHECK_EQ(item.squared, 25);
    hkt_process_pool_state state;
    hkt_process_pool_look(pool, &state);
    CHECK_EQ(state.lost, 2);
    CHECK_EQ(state.ended, 3);
    CHECK(state.started >= 3);
    struct square many[100] = { { 0 } };
    CHECK_EQ(hkt_map(pool, square, HKT_ARRAY(many)), 0);
    hkt_process_pool_look(pool, &state);
    CHECK_EQ(state.ended, 103);
    end_process_pool(pool);
}

static int leave_by_exit(void *arg)
{
    exit(*(int *)arg);
}

static int abort_at_once(void *arg)
{
    (void)arg;
    signal(SIGABRT, SIG_DFL);
    abort();
}

TEST(a_job_that_exits_or_aborts_is_lost_and_says_how)
{
    hkt_executor *pool = must_workers(1);
    int status = 3;
    CHECK_EQ(hkt_apply(pool, leave_by_exit, HKT_ITEM(status)), -EOWNERDEAD);
    CHECK(strstr(hkt_sentence(-EOWNERDEAD), "exit(3)") != NULL);
    CHECK_EQ(hkt_apply(pool, abort_at_once, NULL, 0), -EOWNERDEAD);
    CHECK(strstr(hkt_sentence(-EOWNERDEAD), "SIGABRT") != NULL);
    end_process_pool(pool);
}

static int close_all(void *arg)
{
    (void)arg;
    close_range(0, ~0U, 0);
    return 1;
}

static int fork_and_return(void *arg)
{
    (void)arg;
    return fork() < 0 ? -errno : 2;
}

TEST(a_job_that_closes_everything_or_forks_does_no_harm)
{
    hkt_executor *pool = must_workers(1);
    struct square item = { 6, 0 };
    CHECK_EQ(hkt_apply(pool, fork_and_return, NULL, 0), 2);
    CHECK_EQ(hkt_apply(pool, close_all, NULL, 0), 1);
    CHECK_EQ(hkt_apply(pool, square, HKT_ITEM(item)), 0);
    CHECK_EQ(item.squared, 36);
    end_process_pool(pool);
}

static int die_twice(void *arg)
{
    int *count = *(int **)arg;
    if (__atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST) <= 2)
        raise(SIGKILL);
    return 0;
}

TEST(a_lost_job_is_run_again_if_that_was_asked_for)
{
    hkt_executor *pool = must_process_pool(
        &(hkt_process_pool_options){ .max_workers = 1, .on_lost_worker = HKT_LOST_RETRY });
    int *count = hkt_shared_alloc(sizeof *count);
    CHECK_EQ(hkt_apply(pool, die_twice, &count, sizeof count), 0);
    CHECK_EQ(*count, 3);
    CHECK_EQ(hkt_apply(pool, die_by_kill, NULL, 0), -EOWNERDEAD);
    CHECK(strstr(hkt_sentence(-EOWNERDEAD), "killed 4 workers") != NULL);
    hkt_shared_free(count);
    end_process_pool(pool);
}

TEST(a_running_job_that_is_cancelled_ends_its_waits)
{
    hkt_executor *pool = must_workers(1);
    int *entered = hkt_shared_alloc(sizeof *entered);
    hkt_future *future = must_apply_async(pool, wait_for_ever, &entered, sizeof entered);
    int pid = await_entered(entered), again = 0;
    CHECK_EQ(hkt_future_request_cancel(future), 0);
    CHECK_EQ(hkt_future_finish(future), -ECANCELED);
    CHECK_EQ(hkt_apply(pool, tell_pid, HKT_ITEM(again)), 0);
    CHECK_EQ(again, pid); /* the worker lives on */
    hkt_shared_free(entered);
    end_process_pool(pool);
}

TEST(one_that_does_not_return_is_killed_after_the_grace)
{
    hkt_executor *pool = must_process_pool(
        &(hkt_process_pool_options){ .max_workers = 1, .grace = 0.05 });
    int *entered = hkt_shared_alloc(sizeof *entered);
    struct square item = { 7, 0 };
    hkt_future *future = must_apply_async(pool, spin_for_ever, &entered, sizeof entered);
    await_entered(entered);
    double start = hkt_monotonic();
    CHECK_EQ(hkt_future_request_cancel(future), 0);
    CHECK_EQ(hkt_future_finish(future), -ECANCELED);
    CHECK(hkt_monotonic() - start >= 0.05);
    CHECK_EQ(hkt_apply(pool, square, HKT_ITEM(item)), 0);
    hkt_shared_free(entered);
    end_process_pool(pool);
}

/* Hands in a job with a deadline that comes after it has entered: later ones, until that is so. */
static hkt_future *must_enter(hkt_executor *pool, hkt_job *job, int **arg, hkt_deadline *deadline)
{
    int *entered = *arg; /* arg is the job's while it runs */
    for (double seconds = 0.1;; seconds *= 2) {
        hkt_future *future;
        *deadline = hkt_after(seconds);
        hkt_submit_options options = { .arg_size = sizeof *arg, .deadline = *deadline };
        CHECK_EQ(hkt_submit_with(pool, &future, job, arg, &options), 0);
        while (!hkt_future_done(future) && __atomic_load_n(entered, __ATOMIC_SEQ_CST) == 0)
            usleep(100);
        if (__atomic_load_n(entered, __ATOMIC_SEQ_CST) != 0)
            return future;
        CHECK_EQ(hkt_future_finish(future), -ETIMEDOUT);
    }
}

TEST(a_deadline_ends_jobs_that_run_and_jobs_that_wait)
{
    hkt_executor *pool = must_process_pool(
        &(hkt_process_pool_options){ .max_workers = 1, .grace = 0.05 });
    int *words = hkt_shared_alloc(3 * sizeof *words);
    int *args[3] = { words, words + 1, words + 2 };
    hkt_deadline deadline;
    hkt_future *waits, *runs = must_enter(pool, wait_for_ever, &args[0], &deadline);
    hkt_submit_options options = { .arg_size = sizeof args[1], .deadline = hkt_after(0.1) };
    CHECK_EQ(hkt_submit_with(pool, &waits, wait_for_ever, &args[1], &options), 0);
    CHECK_EQ(hkt_future_finish(runs), -ETIMEDOUT);
    CHECK(hkt_deadline_passed(deadline));
    CHECK_EQ(hkt_future_finish(waits), -ETIMEDOUT);
    CHECK(hkt_deadline_passed(options.deadline));
    runs = must_enter(pool, spin_for_ever, &args[2], &deadline);
    CHECK_EQ(hkt_future_finish(runs), -ETIMEDOUT);
    CHECK(hkt_deadline_passed((hkt_deadline){ deadline.ns + 50000000 })); /* and the grace */
    hkt_shared_free(words);
    end_process_pool(pool);
}

TEST(a_scope_that_ends_around_a_wait_ends_the_job)
{
    hkt_executor *pool = must_workers(1);
    int *entered = hkt_shared_alloc(sizeof *entered);
    hkt_scope scope;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.05) });
    hkt_future *future = must_apply_async(pool, wait_for_ever, &entered, sizeof entered);
    CHECK_EQ(hkt_scope_leave_with(&scope, hkt_future_finish(future)), -ETIMEDOUT);
    hkt_shared_free(entered);
    end_process_pool(pool);
}

TEST(closing_with_cancel_takes_back_what_has_not_begun)
{
    hkt_executor *pool = must_workers(1);
    int *entered = hkt_shared_alloc(sizeof *entered);
    hkt_future *futures[2000];
    hkt_future *running = must_apply_async(pool, wait_for_ever, &entered, sizeof entered);
    await_entered(entered);
    for (int i = 0; i < 2000; i++)
        futures[i] = must_apply_async(pool, die_by_kill, NULL, 0);
    hkt_executor_close(pool, true);
    for (int i = 0; i < 2000; i++) {
        CHECK(hkt_future_cancelled(futures[i]));
        hkt_future_destroy(futures[i]);
    }
    CHECK_EQ(hkt_future_request_cancel(running), 0);
    CHECK_EQ(hkt_future_finish(running), -ECANCELED);
    hkt_shared_free(entered);
    end_process_pool(pool);
}

static void end_workers(int (*how)(hkt_executor *))
{
    hkt_executor *pool = must_workers(1);
    int *entered = hkt_shared_alloc(sizeof *entered);
    hkt_future *running = must_apply_async(pool, spin_for_ever, &entered, sizeof entered);
    await_entered(entered);
    hkt_future *pending = must_apply_async(pool, die_by_kill, NULL, 0);
    CHECK_EQ(how(pool), 0);
    CHECK_EQ(hkt_submit(pool, NULL, die_by_kill, NULL), -ESHUTDOWN);
    CHECK_EQ(hkt_future_finish(running), -EOWNERDEAD);
    CHECK_EQ(hkt_future_finish(pending), -ECANCELED);
    hkt_shared_free(entered);
    end_process_pool(pool);
}

TEST(workers_can_be_terminated)
{
    end_workers(hkt_process_pool_terminate_workers);
}

TEST(workers_can_be_killed)
{
    end_workers(hkt_process_pool_kill_workers);
}

static int fail_at_13(void *arg)
{
    struct square *item = arg;
    if (item->number == 13)
        return hkt_fail(-EDOM, "%d is unlucky", item->number);
    item->squared = 1;
    return 0;
}

TEST(a_map_ends_with_its_first_failure)
{
    hkt_executor *pool = must_workers(2);
    struct square items[100];
    int codes[100];
    size_t failed = 0;
    for (int i = 0; i < 100; i++)
        items[i] = (struct square){ i, 0 };
    hkt_map_options options = { .codes = codes, .failed = &failed };
    CHECK_EQ(hkt_map_with(pool, fail_at_13, HKT_ARRAY(items), &options), -EDOM);
    CHECK_STR(hkt_sentence(-EDOM), "13 is unlucky");
    CHECK_EQ(failed, 13);
    CHECK_EQ(codes[13], -EDOM);
    for (int i = 0; i < 100; i++)
        CHECK(i == 13 || (codes[i] == 0 && items[i].squared == 1) || codes[i] == -ECANCELED);
    end_process_pool(pool);
}

static int fail_always(void *arg)
{
    return hkt_fail(-ERANGE, "item %d", ((struct square *)arg)->number);
}

struct told {
    size_t next;
};

static void check_told(void *context, size_t index, int code)
{
    struct told *told = context;
    char text[32];
    snprintf(text, sizeof text, "item %zu", index);
    CHECK_EQ(index, told->next++);
    CHECK_EQ(code, -ERANGE);
    CHECK_STR(hkt_sentence(-ERANGE), text);
}

TEST(a_map_that_keeps_going_has_each_item_s_own_sentence)
{
    hkt_executor *pool = must_workers(2);
    struct square items[300];
    struct told told = { 0 };
    for (int i = 0; i < 300; i++)
        items[i] = (struct square){ i, 0 };
    hkt_map_options options = { .keep_going = true, .done = check_told, .context = &told };
    CHECK_EQ(hkt_map_with(pool, fail_always, HKT_ARRAY(items), &options), -ERANGE);
    CHECK_STR(hkt_sentence(-ERANGE), "item 0");
    CHECK_EQ(told.next, 300);
    end_process_pool(pool);
}

static int die_at_13(void *arg)
{
    struct square *item = arg;
    if (item->number % 50 == 13)
        raise(SIGKILL);
    item->squared = 1;
    return 0;
}

TEST(a_death_in_a_map_costs_one_item)
{
    hkt_executor *pool = must_workers(2);
    struct square items[200];
    int codes[200];
    for (int i = 0; i < 200; i++)
        items[i] = (struct square){ i, 0 };
    hkt_map_options options = { .keep_going = true, .codes = codes };
    CHECK_EQ(hkt_map_with(pool, die_at_13, HKT_ARRAY(items), &options), -EOWNERDEAD);
    CHECK_EQ(strncmp(hkt_sentence(-EOWNERDEAD), "item 13 was lost: worker-", 25), 0);
    for (int i = 0; i < 200; i++) {
        CHECK_EQ(codes[i], i % 50 == 13 ? -EOWNERDEAD : 0);
        CHECK_EQ(items[i].squared, i % 50 != 13);
    }
    end_process_pool(pool);
}

static int sleep_long(void *arg)
{
    (void)arg;
    return hkt_sleep(3600);
}

TEST(a_map_is_cancelled_by_its_caller_s_scope)
{
    hkt_executor *pool = must_workers(2);
    struct square items[64] = { { 0, 0 } };
    hkt_scope scope;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.05) });
    int err = hkt_map(pool, sleep_long, HKT_ARRAY(items));
    CHECK_EQ(hkt_scope_leave_with(&scope, err), -ETIMEDOUT);
    end_process_pool(pool);
}

TEST(a_map_of_shared_memory_copies_nothing_and_of_nothing_is_done)
{
    hkt_executor *pool = must_workers(2);
    struct square *items = hkt_shared_alloc(1000 * sizeof *items);
    for (int i = 0; i < 1000; i++)
        items[i].number = i;
    CHECK_EQ(hkt_map(pool, square, items, 1000, sizeof *items), 0);
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(items[i].squared, i * i);
    CHECK_EQ(hkt_map(pool, square, items, 0, sizeof *items), 0);
    hkt_shared_free(items);
    end_process_pool(pool);
}
