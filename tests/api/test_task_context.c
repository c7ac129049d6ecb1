/* SPDX-License-Identifier: MIT */
/* Context variables follow the work: into tasks, callbacks, pool jobs, children of groups and threads for
 * blocking jobs; each begins with the values of who started it, and what it sets is its own. */
#include <hocket/imap.h>

#include "groups.h"
#include "loops.h"

static hkt_context_var *var;
static char value[100]; /* values are pointers into this */

static void begin(void)
{
    CHECK_EQ(hkt_context_var_create(&var, "request", value), 0);
}

static void end(void)
{
    hkt_context_var_destroy(var);
    check_finalized();
}

static void set(int number)
{
    CHECK_EQ(hkt_context_set(var, value + number, NULL), 0);
}

static int get(void)
{
    return (int)((char *)hkt_context_get(var) - value);
}

/* What it saw, over a wait, and after it had set its own. */
static int see_and_set(void *arg)
{
    int *seen = arg;
    *seen = get();
    set(*seen + 50);
    if (hkt_yield() < 0 || get() != *seen + 50)
        return -EIO;
    return 0;
}

typedef int starter(hkt_job *job, void *arg);

/* What is started sees the value at its start, and what it sets does not come back. */
static void check_start(starter *start)
{
    for (int i = 1; i < 4; i++) {
        int seen = -1;
        set(i);
        CHECK_EQ(start(see_and_set, &seen), 0);
        CHECK_EQ(seen, i);
        CHECK_EQ(get(), i);
    }
}

static int start_by_submit(hkt_job *job, void *arg)
{
    hkt_future *future = must_submit(hkt_executor_current(), job, arg);
    set(9); /* too late for it */
    int result = hkt_future_finish(future);
    CHECK_EQ(get(), 9);
    set(*(int *)arg);
    return result;
}

static int start_in_group(hkt_job *job, void *arg)
{
    hkt_task_group group = { 0 };
    hkt_task_group_enter(&group, NULL);
    must_spawn_into(&group, job, arg);
    return hkt_task_group_leave(&group, 0);
}

static int start_in_other_pool(hkt_job *job, void *arg)
{
    hkt_executor *pool = must_pool(1);
    int result = hkt_future_finish(must_submit(pool, job, arg));
    hkt_executor_destroy(pool);
    return result;
}

static int start_in_coroutines(hkt_job *job, void *arg)
{
    hkt_executor *pool = must_coroutines(1, 1);
    int result = hkt_future_finish(must_submit(pool, job, arg));
    hkt_executor_destroy(pool);
    return result;
}

static int start_inline(hkt_job *job, void *arg)
{
    hkt_executor *executor = NULL;
    CHECK_EQ(hkt_inline_executor_create(&executor), 0);
    int result = hkt_future_finish(must_submit(executor, job, arg));
    hkt_executor_destroy(executor);
    return result;
}

static int start_in_gather(hkt_job *job, void *arg)
{
    return hkt_gather(job, arg, 1, sizeof(int));
}

static int produce(void *context, void *item)
{
    void **what = context;
    *(void **)item = *what;
    *what = NULL;
    return *(void **)item != NULL;
}

static int see_by_pointer(void *item)
{
    return see_and_set(*(void **)item);
}

static int start_in_stream(hkt_job *job, void *arg)
{
    hkt_imap_options options = { .produce = produce, .context = &arg };
    CHECK(job == see_and_set);
    return hkt_imap(hkt_executor_current(), see_by_pointer, sizeof(void *), &options);
}

static int start_everything(void *arg)
{
    (void)arg;
    CHECK_EQ(get(), 7);
    check_start(start_in_group);
    check_start(hkt_to_thread);
    check_start(start_in_other_pool);
    check_start(start_in_coroutines);
    check_start(start_inline);
    check_start(start_in_gather);
    check_start(start_in_stream);
    if (hkt_executor_current())
        check_start(start_by_submit);
    return 0;
}

TEST(values_go_into_all_that_is_started_and_do_not_come_back)
{
    for (int kind = 0; kind < KINDS; kind++) {
        begin();
        set(7);
        CHECK_EQ(run_in(kind, start_everything, NULL), 0);
        CHECK_EQ(get(), kind == ON_THREAD ? 3 : 7);
        end();
    }
}

/* Tasks of one loop, in turn on one thread. */
struct walker {
    int number;
    hkt_task_group *group;
};

static int walk(void *arg)
{
    struct walker *walker = arg;
    CHECK_EQ(get(), 1);
    for (int i = 0; i < 20; i++) {
        set(walker->number + i % 2);
        CHECK_EQ(hkt_yield(), 0);
        CHECK_EQ(get(), walker->number + i % 2);
    }
    return 0;
}

static int walk_together(void *arg)
{
    struct walker walkers[10];
    hkt_task_group group = { 0 };
    (void)arg;
    set(1);
    hkt_task_group_enter(&group, NULL);
    for (int i = 0; i < 10; i++) {
        walkers[i] = (struct walker){ 10 + 2 * i, &group };
        must_spawn_into(&group, walk, &walkers[i]);
    }
    set(2);
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    CHECK_EQ(get(), 2);
    return 0;
}

TEST(each_task_keeps_its_own_over_its_waits)
{
    begin();
    for (int kind = 0; kind < KINDS; kind++)
        CHECK_EQ(run_in(kind, walk_together, NULL), 0);
    end();
}

/* One that begins at once has its own too; who spawned it goes on with his. */
static int begin_at_once(void *arg)
{
    int seen = -1;
    hkt_task *task;
    (void)arg;
    set(4);
    CHECK_EQ(hkt_task_spawn_with(&task, see_and_set, &seen,
                                 &(hkt_submit_options){ .eager_start = true }),
             0);
    CHECK_EQ(seen, 4);
    CHECK_EQ(get(), 4);
    set(5);
    CHECK_EQ(hkt_future_finish(task), 0);
    CHECK_EQ(get(), 5);
    return 0;
}

TEST(a_task_that_begins_at_once_has_its_own_values)
{
    begin();
    CHECK_EQ(hkt_run(begin_at_once, NULL), 0);
    end();
}

/* Callbacks have the values of the time at which they were set. */
static int see_and_tell(void *arg)
{
    struct gate *gate = arg;
    gate->result = get();
    set(80);
    hkt_event_set(&gate->entered);
    return 0;
}

static int set_callbacks(void *arg)
{
    struct gate gates[4] = { 0 };
    hkt_handle handles[4] = { 0 };
    hkt_loop *loop = hkt_loop_running();
    (void)arg;
    set(1);
    CHECK_EQ(hkt_loop_call_soon(loop, &handles[0], see_and_tell, &gates[0]), 0);
    set(2);
    CHECK_EQ(hkt_loop_call_later(loop, &handles[1], 0.001, see_and_tell, &gates[1]), 0);
    set(3);
    CHECK_EQ(hkt_loop_call_at(loop, &handles[2], hkt_after(0), see_and_tell, &gates[2]), 0);
    set(4);
    CHECK_EQ(hkt_loop_call_soon(loop, NULL, see_and_tell, &gates[3]), 0);
    set(5);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(hkt_event_wait(&gates[i].entered), 0);
        CHECK_EQ(gates[i].result, i + 1);
    }
    CHECK_EQ(get(), 5);
    return 0;
}

TEST(callbacks_have_the_values_of_who_set_them)
{
    begin();
    CHECK_EQ(hkt_run(set_callbacks, NULL), 0);
    end();
}

static int cancel_callbacks(void *arg)
{
    hkt_handle handle = { 0 };
    (void)arg;
    set(1);
    CHECK_EQ(hkt_loop_call_later(hkt_loop_running(), &handle, 60, do_nothing, NULL), 0);
    CHECK(hkt_handle_cancel(&handle));
    CHECK_EQ(hkt_loop_call_soon(hkt_loop_running(), &handle, do_nothing, NULL), 0);
    CHECK(hkt_handle_cancel(&handle));
    return 0;
}

TEST(a_callback_that_is_cancelled_gives_its_values_back)
{
    begin();
    CHECK_EQ(hkt_run(cancel_callbacks, NULL), 0);
    end();
}

/* A runner keeps its values from one run to the next; a token is reset in the context it is of. */
static int count_runs(void *arg)
{
    int *expected = arg;
    CHECK_EQ(get(), *expected);
    set(++*expected);
    return 0;
}

TEST(a_runner_keeps_the_values_from_run_to_run)
{
    hkt_runner *runner;
    int expected = 7;
    begin();
    set(7);
    CHECK_EQ(hkt_runner_create(&runner, NULL), 0);
    set(20);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_runner_run(runner, count_runs, &expected), 0);
    CHECK_EQ(get(), 20);
    hkt_runner_destroy(runner);
    end();
}

static int reset_elsewhere(void *token)
{
    return hkt_context_reset(token);
}

static int set_and_reset(void *arg)
{
    hkt_context_token token;
    hkt_task_group group = { 0 };
    (void)arg;
    set(1);
    CHECK_EQ(hkt_context_set(var, value + 2, &token), 0);
    hkt_task_group_enter(&group, NULL);
    hkt_future *child = must_spawn_child(&group, reset_elsewhere, &token);
    CHECK_EQ(hkt_task_group_leave(&group, 0), -EINVAL);
    CHECK_EQ(hkt_future_finish(child), -EINVAL);
    CHECK_EQ(get(), 2);
    CHECK_EQ(hkt_context_reset(&token), 0);
    CHECK_EQ(get(), 1);
    CHECK_EQ(hkt_context_reset(&token), -EALREADY);
    return 0;
}

TEST(a_task_does_not_reset_what_another_has_set)
{
    begin();
    for (int kind = 0; kind < KINDS; kind++)
        CHECK_EQ(run_in(kind, set_and_reset, NULL), 0);
    end();
}

/* Jobs that are cancelled before they begin give theirs back too. */
static int cancel_before_they_begin(void *arg)
{
    hkt_task_group group = { 0 };
    (void)arg;
    set(1);
    hkt_task_group_enter(&group, NULL);
    for (int i = 0; i < 20; i++) {
        hkt_future *child = must_spawn_child(&group, do_nothing, NULL);
        (void)hkt_future_cancel(child);
        hkt_future_destroy(child);
    }
    hkt_task_group_cancel(&group);
    return hkt_task_group_leave(&group, 0);
}

TEST(jobs_that_never_begin_give_their_values_back)
{
    begin();
    for (int kind = 0; kind < KINDS; kind++)
        CHECK_EQ(run_in(kind, cancel_before_they_begin, NULL), 0);
    end();
}
