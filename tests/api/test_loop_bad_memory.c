/* SPDX-License-Identifier: MIT */
/* Bad days of loops: no memory. Everything that a loop has is used while the n-th allocation fails, for
 * every n: once, and from then on. Each time the error is clear, what was taken ends, nothing is leaked,
 * nothing hangs. */
#include <stdlib.h>
#include <unistd.h>

#include "groups.h"
#include "loops.h"

static atomic_long calls, alive;
static long fail_from, fail_to; /* these calls fail, counted from 1 */

static void *allocate(void *context, size_t size)
{
    (void)context;
    long call = ++calls;
    void *memory = call >= fail_from && call <= fail_to ? NULL : malloc(size);
    if (memory)
        alive++;
    return memory;
}

static void release(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    alive--;
    free(memory);
}

static const hkt_allocator failing = { allocate, release, NULL, { 0 } };

static atomic_int blind; /* watchers that had to stop, as the sink was told */

static void hear(void *context, const char *line)
{
    (void)context;
    blind += strstr(line, "cannot watch fd") != NULL;
}

#define TASKS 40

static atomic_int ran;

/* What tasks do: their result is 3, or that there was no memory to begin them. */
static int work(void *arg)
{
    (void)arg;
    ran++;
    return hkt_yield() < 0 ? -EIO : 3;
}

/* Finishes a task that was taken: 0, or -ENOMEM if it could not begin. */
static int finish(hkt_future *future, int *done)
{
    int result = hkt_future_finish(future);
    CHECK(result == 3 || result == -ENOMEM);
    *done += result == 3;
    return result == 3 ? 0 : result;
}

static int use_spawn(void)
{
    hkt_task *tasks[TASKS];
    int count = 0, done = 0, err = 0;
    ran = 0;
    while (count < TASKS && (err = hkt_task_spawn(&tasks[count], work, NULL)) == 0)
        count++;
    for (int i = 0; i < count; i++) {
        int failed = finish(tasks[i], &done);
        err = err < 0 ? err : failed;
    }
    CHECK_EQ(ran, done);
    return err;
}

static int use_eager_start(void)
{
    hkt_task *task = NULL;
    hkt_submit_options options = { .eager_start = true, .name = "Anna" };
    int done = 0;
    int err = hkt_task_spawn_with(&task, work, NULL, &options);
    if (err < 0)
        return err;
    (void)hkt_task_set_name(task, "a longer name");
    return finish(task, &done);
}

/* An error of a spawn, or of a child that could not begin, is the group's. */
static int use_group(void)
{
    hkt_task_group group = { 0 };
    hkt_future *tasks[10] = { NULL };
    int err = 0, done = 0, count = 0;
    ran = 0;
    hkt_task_group_enter(&group, &(hkt_task_group_options){ .limit = 4 });
    for (int i = 0; err == 0 && i < 10; i++) {
        err = hkt_task_group_spawn(&group, &tasks[i], work, NULL);
        count += err == 0;
    }
    CHECK(hkt_task_group_count(&group) <= 4);
    err = hkt_task_group_leave(&group, err);
    CHECK(err == 0 || err == -ENOMEM);
    for (int i = 0; i < count; i++) {
        int result = result_of(tasks[i]);
        CHECK(result == 3 || (err < 0 && (result < 0 || result == 3)));
        done += result != -ENOMEM && !hkt_future_cancelled(tasks[i]);
        hkt_future_destroy(tasks[i]);
    }
    CHECK(ran <= done);
    CHECK(err < 0 || ran == 10);
    return err;
}

static int use_gather(void)
{
    char items[TASKS];
    int codes[TASKS], done = 0;
    memset(codes, 0x55, sizeof codes);
    ran = 0;
    int err = hkt_gather_with(work, HKT_ARRAY(items), &(hkt_map_options){ .codes = codes });
    for (int i = 0; i < TASKS && ran > 0; i++)
        done += codes[i] == 3;
    CHECK(done <= ran && (err == -ENOMEM || done == TASKS));
    return err;
}

static int set_event(void *event)
{
    hkt_event_set(event);
    return 0;
}

/* A callback that was taken is called, however little memory there is. */
static int use_callbacks(void)
{
    hkt_loop *loop = hkt_loop_running();
    hkt_event called[5] = { { { 0 } } };
    hkt_handle handles[2] = { 0 };
    int errs[5];
    errs[0] = hkt_loop_call_soon(loop, &handles[0], set_event, &called[0]);
    CHECK_EQ(errs[0], 0); /* the handle is all that it needs */
    errs[1] = hkt_loop_call_soon(loop, NULL, set_event, &called[1]);
    errs[2] = hkt_loop_call_later(loop, &handles[1], 0.0001, set_event, &called[2]);
    errs[3] = hkt_loop_call_later(loop, NULL, 0.0001, set_event, &called[3]);
    errs[4] = hkt_loop_call_at(loop, NULL, hkt_after(0), set_event, &called[4]);
    int err = 0;
    for (int i = 0; i < 5; i++) {
        CHECK(errs[i] == 0 || errs[i] == -ENOMEM);
        if (errs[i] == 0)
            CHECK_EQ(hkt_event_wait(&called[i]), 0);
        else
            err = errs[i];
    }
    return err;
}

static int write_letter(void *arg)
{
    int err = hkt_sleep(0.0001);
    CHECK_EQ(write(*(int *)arg, "x", 1), 1);
    return err < 0 ? err : 3;
}

static int use_fds(void)
{
    int ends[2], done = 0;
    hkt_task *writer = NULL;
    CHECK_EQ(pipe(ends), 0);
    int err = hkt_fd_wait_until(ends[0], HKT_READABLE, hkt_after(0.0001));
    CHECK(err == -ETIMEDOUT || err == -ENOMEM);
    err = err == -ETIMEDOUT ? hkt_task_spawn(&writer, write_letter, &ends[1]) : err;
    if (writer) {
        err = hkt_fd_wait_until(ends[0], HKT_READABLE, hkt_after(0.001));
        CHECK(err == HKT_READABLE || err == -ENOMEM || err == -ETIMEDOUT);
        int result = finish(writer, &done);
        err = result < 0 ? result : err == -ENOMEM ? err : 0;
    }
    close(ends[0]);
    close(ends[1]);
    return err;
}

struct watched {
    hkt_event seen;
    int fd;
};

static int take_letter(void *arg)
{
    struct watched *watched = arg;
    char letter;
    CHECK_EQ(read(watched->fd, &letter, 1), 1);
    hkt_event_set(&watched->seen);
    return 0;
}

static int use_watchers(void)
{
    int ends[2];
    struct watched watched = { .fd = -1 };
    int before = blind;
    hkt_loop *loop = hkt_loop_running();
    CHECK_EQ(pipe(ends), 0);
    watched.fd = ends[0];
    int err = hkt_loop_add_watcher(loop, ends[0], HKT_READABLE, take_letter, &watched);
    if (err == 0) {
        CHECK_EQ(write(ends[1], "x", 1), 1);
        while (blind == before && !hkt_event_is_set(&watched.seen))
            CHECK_EQ(hkt_yield(), 0);
        err = blind == before ? 0 : -ENOMEM;
        CHECK_EQ(hkt_loop_remove_watcher(loop, ends[0], HKT_READABLE), err == 0);
    }
    close(ends[0]);
    close(ends[1]);
    if (err == 0)
        err = hkt_loop_add_signal_handler(loop, SIGUSR1, do_nothing, NULL);
    if (err == 0)
        CHECK(hkt_loop_remove_signal_handler(loop, SIGUSR1));
    return err;
}

static int use_trees(void)
{
    char text[1000];
    hkt_task_info infos[4];
    (void)hkt_task_all(infos, 4); /* none without memory to sort them */
    CHECK(hkt_task_tree_format(text, sizeof text) < sizeof text);
    hkt_task_tree();
    return 0;
}

static int be_on_a_thread(void *arg)
{
    (void)arg;
    return 5;
}

static int use_threads(void)
{
    int err = hkt_to_thread(be_on_a_thread, NULL);
    CHECK(err == 5 || err == -ENOMEM);
    return err == 5 ? 0 : err;
}

static int use_context(void)
{
    hkt_context_var *var;
    hkt_context_token token;
    int err = hkt_context_var_create(&var, "v", NULL);
    if (err < 0)
        return err;
    err = hkt_context_set(var, &ran, &token);
    if (err == 0) {
        err = use_spawn();
        CHECK_EQ(hkt_context_reset(&token), 0);
    }
    hkt_context_var_destroy(var);
    return err;
}

static int use_all(void *arg)
{
    static int (*const uses[])(void) = { use_spawn,     use_eager_start, use_group,    use_gather,
                                         use_callbacks, use_fds,         use_watchers, use_trees,
                                         use_threads,   use_context };
    int err = 0;
    (void)arg;
    for (size_t i = 0; err == 0 && i < sizeof uses / sizeof *uses; i++)
        err = uses[i]();
    return err;
}

static int use_a_run(void)
{
    return hkt_run(use_all, NULL);
}

/* A loop by hand: driven from outside, handed to from another thread, with a task left at the end. */
static int hand_in(void *executor)
{
    hkt_future *future;
    int done = 0;
    int err = hkt_submit(executor, &future, work, NULL);
    return err < 0 ? err : finish(future, &done);
}

static int use_a_loop(void)
{
    hkt_loop *loop = NULL;
    hkt_future *left = NULL;
    struct caller caller;
    bool spawned = false;
    int err = hkt_loop_create(&loop, NULL);
    CHECK_EQ(err == 0, loop != NULL);
    if (err == 0) {
        int fd = hkt_loop_fd(loop);
        CHECK(fd >= 0 || fd == -ENOMEM);
        err = fd < 0 ? fd : 0;
    }
    if (err == 0)
        err = hkt_submit(hkt_loop_executor(loop), &left, sleep_forever, NULL);
    if (err == 0) {
        caller = (struct caller){ .call = hand_in, .arg = hkt_loop_executor(loop) };
        err = hkt_thread_spawn(&caller.thread, caller_run, &caller, NULL);
        spawned = err == 0;
    }
    if (spawned) {
        while (hkt_thread_is_alive(caller.thread))
            CHECK(hkt_loop_step(loop) >= 0);
        err = caller_end(&caller);
    }
    if (err == 0)
        err = hkt_loop_run(loop, use_all, NULL);
    hkt_loop_destroy(loop);
    if (left) {
        int result = hkt_future_finish(left);
        CHECK(result == -ECANCELED || result == -ENOMEM);
    }
    return err;
}

static int use_a_runner(void)
{
    hkt_runner *runner = NULL;
    int err = hkt_runner_create(&runner, NULL);
    for (int i = 0; err == 0 && i < 2; i++)
        err = hkt_runner_run(runner, use_all, NULL);
    hkt_runner_destroy(runner);
    return err;
}

/* The coroutine engine, from outside and from inside. */
static int use_pool_from_inside(void *arg)
{
    int err = use_spawn();
    (void)arg;
    if (err == 0)
        err = use_group();
    return err == 0 ? use_gather() : err;
}

static int use_a_pool(void)
{
    hkt_executor *pool = NULL;
    hkt_future *futures[TASKS], *inside;
    int count = 0, done = 0;
    char items[TASKS];
    int err = hkt_coroutine_pool_create(
        &pool, &(hkt_coroutine_pool_options){ .max_tasks = 3, .loops = 2 });
    CHECK_EQ(err == 0, pool != NULL);
    ran = 0;
    while (err == 0 && count < TASKS)
        if ((err = hkt_submit(pool, &futures[count], work, NULL)) == 0)
            count++;
    for (int i = 0; i < count; i++) {
        int failed = finish(futures[i], &done);
        err = err < 0 ? err : failed;
    }
    CHECK_EQ(ran, done);
    if (err == 0)
        err = hkt_map(pool, work, HKT_ARRAY(items));
    if (err == 0 && (err = hkt_submit(pool, &inside, use_pool_from_inside, NULL)) == 0)
        err = hkt_future_finish(inside);
    hkt_executor_destroy(pool);
    return err;
}

static int use_with_failures(int (*use)(void), long from, long to)
{
    calls = 0;
    fail_from = from;
    fail_to = to;
    int err = use();
    fail_to = 0;
    check_finalized();
    CHECK_EQ(alive, 0);
    return err;
}

static void fail_each(int (*use)(void), int least)
{
    CHECK_EQ(hkt_set_allocator(&failing), 0);
    hkt_set_report_sink(hear, NULL);
    CHECK_EQ(use_with_failures(use, 0, 0), 0);
    for (int and_all_after = 0; and_all_after < 2; and_all_after++) {
        int failures = 0;
        for (long n = 1, most = calls; n <= most; n++) {
            int err = use_with_failures(use, n, and_all_after ? INT32_MAX : n);
            CHECK(err == 0 || err == -ENOMEM);
            failures += err < 0;
        }
        CHECK(failures >= least);
        CHECK_EQ(use_with_failures(use, 0, 0), 0); /* and all is well again */
    }
}

TEST_TIMEOUT(any_allocation_of_a_run_may_fail, 60)
{
    fail_each(use_a_run, 10);
}

TEST_TIMEOUT(any_allocation_of_a_loop_may_fail, 60)
{
    fail_each(use_a_loop, 10);
}

TEST_TIMEOUT(any_allocation_of_a_runner_may_fail, 60)
{
    fail_each(use_a_runner, 10);
}

TEST_TIMEOUT(any_allocation_of_a_coroutine_pool_may_fail, 60)
{
    fail_each(use_a_pool, 5);
}

/* To make one takes the same number each time: each of them is missed. */
TEST(a_loop_is_made_or_not)
{
    hkt_loop *loop = NULL;
    CHECK_EQ(hkt_set_allocator(&failing), 0);
    CHECK_EQ(hkt_loop_create(&loop, NULL), 0);
    hkt_loop_destroy(loop);
    CHECK_EQ(hkt_finalize(), 0);
    calls = 0;
    CHECK_EQ(hkt_loop_create(&loop, NULL), 0);
    long most = calls;
    hkt_loop_destroy(loop);
    CHECK_EQ(hkt_finalize(), 0);
    for (long n = 1; n <= most; n++) {
        calls = 0;
        fail_from = fail_to = n;
        loop = NULL;
        int err = hkt_loop_create(&loop, NULL);
        CHECK(err == 0 || err == -ENOMEM); /* what an overflow's report needs is not missed */
        CHECK_EQ(err == 0, loop != NULL);
        hkt_loop_destroy(loop);
        fail_to = 0;
        check_finalized();
        CHECK_EQ(alive, 0);
    }
}
