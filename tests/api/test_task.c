/* SPDX-License-Identifier: MIT */
/* Tasks: begun, named, awaited, cancelled in every state, left alone. */
#include "loops.h"

static int fail_by_io(void *arg)
{
    return hkt_fail(-EIO, "no %s in the sea", (const char *)arg);
}

static int return_it(void *arg)
{
    return *(int *)arg;
}

static int write_later(void *arg)
{
    struct log log = { 0 };
    struct entry entries[] = { { &log, 'a', 0 }, { &log, 'b', 0 }, { &log, 'c', 0 } };
    hkt_task *tasks[3];
    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = must_start(write_entry, &entries[i]);
    CHECK_STR(log.text, ""); /* not before the caller waits */
    for (int i = 0; i < 3; i++)
        CHECK(!hkt_future_running(tasks[i]) && !hkt_future_done(tasks[i]));
    CHECK_EQ(hkt_yield(), 0);
    CHECK_STR(log.text, "abc");
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_future_finish(tasks[i]), 0);
    return 0;
}

TEST(tasks_begin_when_the_caller_waits)
{
    must_run(write_later, NULL);
}

static int write_twice(void *arg)
{
    struct entry *entry = arg;
    log_add(entry->log, entry->letter);
    int err = hkt_yield();
    log_add(entry->log, (char)(entry->letter - 'a' + 'A'));
    return err;
}

static int start_eagerly(void *arg)
{
    struct log log = { 0 };
    struct entry one = { &log, 'a', 0 }, two = { &log, 'b', 0 }, three = { &log, 'c', 0 };
    hkt_submit_options eager = { .eager_start = true };
    hkt_task *tasks[3];
    (void)arg;
    tasks[0] = must_start(write_entry, &one);
    CHECK_EQ(hkt_task_spawn_with(&tasks[1], write_twice, &two, &eager), 0);
    CHECK_STR(log.text, "b"); /* up to its first wait, before the other one */
    CHECK(hkt_future_running(tasks[1]));
    CHECK_EQ(hkt_task_spawn_with(&tasks[2], write_entry, &three, &eager), 0);
    CHECK_STR(log.text, "bc");
    CHECK(hkt_future_done(tasks[2])); /* without one wait */
    CHECK_EQ(hkt_yield(), 0);
    CHECK_STR(log.text, "bcaB");
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_future_finish(tasks[i]), 0);
    return 0;
}

TEST(an_eager_task_runs_at_once_up_to_its_first_wait)
{
    must_run(start_eagerly, NULL);
}

/* Each starts the next one before it goes on. */
static int go_down(void *arg)
{
    int *left = arg;
    if (--*left == 0)
        return 0;
    hkt_task *next;
    hkt_submit_options eager = { .eager_start = true };
    CHECK_EQ(hkt_task_spawn_with(&next, go_down, left, &eager), 0);
    CHECK(hkt_future_done(next) || *left == 0);
    return hkt_future_finish(next);
}

TEST(eager_tasks_start_eager_tasks)
{
    int left = 200; /* more than go on in a turn */
    must_run(go_down, &left);
    CHECK_EQ(left, 0);
}

TEST(outside_a_task_there_are_none)
{
    hkt_task_info info;
    hkt_task *task = NULL;
    CHECK_EQ(hkt_task_spawn(&task, do_nothing, NULL), -EINVAL);
    CHECK(task == NULL);
    CHECK(hkt_task_current() == NULL);
    CHECK_EQ(hkt_task_all(&info, 1), 0);
    CHECK_EQ(hkt_yield(), 0);
    CHECK_EQ(hkt_finalize(), 0);
}

static int spawn_in_a_pool(void *arg)
{
    int seven = 7;
    hkt_task *task = NULL;
    CHECK(hkt_executor_current() == arg);
    CHECK_EQ(hkt_task_spawn(&task, return_it, &seven), 0);
    CHECK(hkt_task_current() != NULL && hkt_task_current() != task);
    return hkt_future_finish(task);
}

TEST(in_a_pools_job_a_task_is_another_job_of_the_pool)
{
    hkt_executor *pool = must_pool(1);
    CHECK_EQ(hkt_future_finish(must_submit(pool, spawn_in_a_pool, pool)), 7);
    end_pool(pool);
}

static int take_turns(void *arg)
{
    struct log *log = arg;
    struct entry one = { log, 'a', 0 }, two = { log, 'b', 0 };
    hkt_task *first = must_start(write_twice, &one), *second = must_start(write_twice, &two);
    CHECK_EQ(hkt_yield(), 0);
    log_add(log, '-');
    CHECK_EQ(hkt_yield(), 0);
    CHECK_STR(log->text, "ab-AB");
    CHECK_EQ(hkt_future_finish(first), 0);
    return hkt_future_finish(second);
}

TEST(a_yield_goes_behind_those_that_are_ready)
{
    struct log log = { 0 };
    must_run(take_turns, &log);
}

static int yield_cancelled(void *arg)
{
    hkt_scope scope;
    (void)arg;
    hkt_scope_enter(&scope, NULL);
    hkt_scope_cancel(&scope);
    CHECK_EQ(hkt_yield(), -ECANCELED);
    CHECK_EQ(hkt_task_spawn(NULL, do_nothing, NULL), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
    return hkt_yield();
}

TEST(a_yield_is_a_cancellation_point)
{
    must_run(yield_cancelled, NULL);
}

/* Results. */

static int look_at_results(void *arg)
{
    int results[] = { 0, 3, -EIO, -ECANCELED };
    (void)arg;
    for (int i = 0; i < 4; i++) {
        hkt_task *task = must_start(return_it, &results[i]);
        CHECK(hkt_future_arg(task) == &results[i]);
        CHECK_EQ(hkt_future_wait(task), 0);
        CHECK_EQ(result_of(task), results[i]);
        CHECK(!hkt_future_cancelled(task));
        hkt_future_destroy(task);
    }
    hkt_task *failed = must_start(fail_by_io, "fish"), *other = must_start(fail_by_io, "whale");
    CHECK_EQ(hkt_future_finish(failed), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "no fish in the sea");
    CHECK_EQ(hkt_future_finish(other), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "no whale in the sea");
    return 0;
}

TEST(a_task_tells_what_its_job_returned)
{
    must_run(look_at_results, NULL);
}

/* Each of the two leaves a sentence, waits, and finds its own again. */
static int keep_sentence(void *arg)
{
    char expected[HKT_SENTENCE_MAX];
    int err = fail_by_io(arg);
    snprintf(expected, sizeof expected, "no %s in the sea", (const char *)arg);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(hkt_yield(), 0);
        CHECK_STR(hkt_sentence(err), expected);
    }
    return err;
}

static int keep_two_sentences(void *arg)
{
    hkt_task *one = must_start(keep_sentence, "fish"), *two = must_start(keep_sentence, "whale");
    (void)arg;
    CHECK_EQ(hkt_future_finish(one), -EIO);
    CHECK_EQ(hkt_future_finish(two), -EIO);
    return 0;
}

TEST(each_task_has_its_own_sentence)
{
    must_run(keep_two_sentences, NULL);
}

static int wait_for_itself(void *arg)
{
    (void)arg;
    CHECK_EQ(hkt_future_wait(hkt_task_current()), -EDEADLK);
    return 0;
}

TEST(a_task_does_not_wait_for_itself)
{
    must_run(wait_for_itself, NULL);
}

static int leave_failures(void *arg)
{
    int seen;
    (void)arg;
    hkt_future_destroy(must_start(fail_by_io, "fish"));
    CHECK_EQ(hkt_task_spawn(NULL, fail_by_io, "whale"), 0);
    hkt_task *looked_at = must_start(fail_by_io, "shark");
    CHECK_EQ(hkt_yield(), 0);
    CHECK_EQ(hkt_future_result(looked_at, &seen), 0);
    hkt_future_destroy(looked_at);
    return 0;
}

TEST(a_failure_that_nobody_looked_at_is_reported)
{
    struct lines lines;
    lines_open(&lines);
    must_run(leave_failures, NULL);
    CHECK_EQ(lines_count(&lines), 2);
    CHECK(lines_have(&lines, "no fish in the sea"));
    CHECK(lines_have(&lines, "no whale in the sea"));
}

/* Ownership. */

static int destroy_handles(void *arg)
{
    struct gate gate = { 0 };
    (void)arg;
    hkt_task *task = must_start(stand_at, &gate);
    hkt_future_destroy(task); /* before it has begun */
    CHECK_EQ(hkt_event_wait(&gate.entered), 0);
    hkt_task *other = must_start(stand_at, &gate);
    CHECK_EQ(hkt_yield(), 0);
    hkt_future_destroy(other); /* while it waits */
    CHECK_EQ(hkt_task_all(NULL, 0), 3);
    hkt_event_set(&gate.open);
    YIELD_UNTIL(hkt_task_all(NULL, 0) == 1);
    return 0;
}

TEST(a_task_whose_handle_is_gone_goes_on)
{
    must_run(destroy_handles, NULL);
}

static int destroy_itself_beside(void *arg)
{
    hkt_future_destroy(arg);
    return hkt_yield();
}

static int destroy_in_another(void *arg)
{
    struct gate gate = { 0 };
    (void)arg;
    hkt_task *task = must_start(stand_at, &gate);
    hkt_task *destroyer = must_start(destroy_itself_beside, task);
    CHECK_EQ(hkt_future_finish(destroyer), 0);
    hkt_event_set(&gate.open);
    return hkt_yield();
}

TEST(a_handle_may_be_destroyed_by_another_task)
{
    must_run(destroy_in_another, NULL);
}

static int wait_for_it(void *arg)
{
    return hkt_future_wait(arg);
}

static int wait_by_many(void *arg)
{
    struct gate gate = { .result = 5 };
    hkt_task *task = must_start(stand_at, &gate), *waiters[10];
    (void)arg;
    for (int i = 0; i < 10; i++)
        waiters[i] = must_start(wait_for_it, task);
    CHECK_EQ(hkt_yield(), 0);
    hkt_event_set(&gate.open);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(hkt_future_finish(waiters[i]), 0);
    return hkt_future_finish(task) == 5 ? 0 : -EIO;
}

TEST(many_wait_for_one_task)
{
    must_run(wait_by_many, NULL);
}

static int submit_from_a_thread(void *arg)
{
    hkt_future *task = must_submit(arg, sleep_seconds, &(double){ 0.01 });
    CHECK_EQ(hkt_future_wait(task), 0);
    return hkt_future_finish(task);
}

static int end_callers(void *arg)
{
    struct caller *callers = arg;
    for (int i = 0; i < 4; i++)
        while (callers[i].thread && hkt_thread_is_alive(callers[i].thread))
            CHECK_EQ(hkt_sleep(0.001), 0);
    return 0;
}

TEST(other_threads_start_tasks_and_wait_for_them)
{
    struct caller callers[4];
    hkt_loop *loop = must_loop();
    for (int i = 0; i < 4; i++)
        caller_start(&callers[i], submit_from_a_thread, hkt_loop_executor(loop));
    CHECK_EQ(hkt_loop_run(loop, end_callers, callers), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
    end_loop(loop);
}

static int count_down(void *arg)
{
    long *left = arg;
    int err = hkt_yield();
    --*left;
    return err;
}

static int start_very_many(void *arg)
{
    static long left;
    (void)arg;
    long count = test_scaled(20000);
    left = count;
    for (long i = 0; i < count; i++)
        CHECK_EQ(hkt_task_spawn(NULL, count_down, &left), 0);
    CHECK_EQ(hkt_task_all(NULL, 0), count + 1);
    YIELD_UNTIL(left == 0);
    return 0;
}

TEST_TIMEOUT(there_may_be_very_many_tasks, 60)
{
    must_run(start_very_many, NULL);
}
