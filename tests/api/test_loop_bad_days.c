/* SPDX-License-Identifier: MIT */
/* Bad days of loops and groups: cancel storms, children that do not hear, deadlines in the past, all
 * levels failing at once, no fds, no room for stacks. Tasks that end otherwise than by return are in
 * test_loop_bad_exits.c. */
#include <sys/resource.h>
#include <unistd.h>

#include "groups.h"
#include "loops.h"
#include "random.h"

/* Cancel storms. */

#define STORMERS 4
#define CHILDREN 40

struct storm {
    hkt_task_group group;
    hkt_future *tasks[CHILDREN];
    hkt_event raging;
    atomic_int began, ended, inner;
    atomic_bool over;
};

static int sleep_a_bit(void *arg)
{
    struct storm *storm = arg;
    atomic_fetch_add(&storm->inner, 1);
    int err = hkt_sleep(0.0001);
    atomic_fetch_sub(&storm->inner, 1);
    return err;
}

/* A child with a group of its own, until it is cancelled. */
static int bear_storm(void *arg)
{
    struct storm *storm = arg;
    int err = 0;
    atomic_fetch_add(&storm->began, 1);
    while (err == 0) {
        hkt_task_group group = { 0 };
        hkt_task_group_enter(&group, &(hkt_task_group_options){ .limit = 2 });
        for (int i = 0; err == 0 && i < 4; i++)
            err = hkt_task_group_spawn(&group, NULL, sleep_a_bit, storm);
        err = hkt_task_group_leave(&group, err);
    }
    CHECK_EQ(err, -ECANCELED);
    atomic_fetch_add(&storm->ended, 1);
    return err;
}

struct stormer {
    struct storm *storm;
    uint64_t number;
};

static int rage(void *arg)
{
    struct stormer *stormer = arg;
    struct storm *storm = stormer->storm;
    struct test_random random = random_of(stormer->number);
    CHECK_EQ(hkt_event_wait(&storm->raging), 0);
    while (!atomic_load(&storm->over)) {
        uint64_t what = random_below(&random, 4 * CHILDREN);
        if (what < CHILDREN)
            (void)hkt_future_request_cancel(storm->tasks[what]);
        else if (what < CHILDREN + 4)
            (void)hkt_future_cancel(storm->tasks[random_below(&random, CHILDREN)]);
        else if (what == CHILDREN + 4)
            hkt_task_group_cancel(&storm->group);
        await_spinning(random_seconds(&random, 2e-5));
    }
    return 0;
}

static int weather_storm(void *arg)
{
    static uint64_t rounds;
    struct storm storm = { 0 };
    struct stormer stormers[STORMERS];
    struct caller callers[STORMERS];
    (void)arg;
    hkt_task_group_enter(&storm.group, NULL);
    for (int i = 0; i < CHILDREN; i++)
        storm.tasks[i] = must_spawn_child(&storm.group, bear_storm, &storm);
    for (int i = 0; i < STORMERS; i++) {
        stormers[i] = (struct stormer){ &storm, rounds++ };
        caller_start(&callers[i], rage, &stormers[i]);
    }
    hkt_event_set(&storm.raging);
    CHECK_EQ(hkt_task_group_leave(&storm.group, 0), 0);
    CHECK_EQ(storm.began, storm.ended);
    CHECK_EQ(storm.inner, 0);
    atomic_store(&storm.over, true);
    for (int i = 0; i < STORMERS; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
    for (int i = 0; i < CHILDREN; i++)
        CHECK_EQ(hkt_future_finish(storm.tasks[i]), -ECANCELED);
    return 0;
}

TEST_TIMEOUT(a_storm_of_cancels_from_four_threads, 60)
{
    for (long i = test_scaled(20); i > 0; i--) {
        int kind = (int)(i % SIDE_BY_SIDE);
        CHECK_EQ(run_in(kind, weather_storm, NULL), 0);
        check_finalized();
    }
}

/* A child that does not hear. */

struct deaf {
    atomic_bool go_on;
    hkt_event entered;
};

static int hear_nothing(void *arg)
{
    struct deaf *deaf = arg;
    hkt_scope scope;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .shield = true });
    hkt_event_set(&deaf->entered);
    while (!atomic_load(&deaf->go_on))
        CHECK_EQ(hkt_yield(), 0);
    hkt_scope_leave(&scope);
    return 0;
}

static struct lines heard;

static int wait_for_the_deaf(void *arg)
{
    struct deaf deaf = { 0 };
    hkt_task_group group = { 0 };
    hkt_submit_options options = { .name = "Ludwig" };
    (void)arg;
    hkt_task_group_enter(&group, &(hkt_task_group_options){ .patience = 0.01 });
    CHECK_EQ(hkt_task_group_spawn_with(&group, NULL, hear_nothing, &deaf, &options), 0);
    CHECK_EQ(hkt_event_wait(&deaf.entered), 0);
    double began = hkt_monotonic();
    hkt_task_group_cancel(&group);
    while (lines_count(&heard) == 0)
        CHECK_EQ(hkt_task_group_leave_until(&group, 0, hkt_after(0.05)), -ETIMEDOUT);
    CHECK(hkt_monotonic() - began >= 0.01); /* after the patience, not before */
    CHECK(lines_have(&heard, "Ludwig"));
    CHECK(lines_have(&heard, "1 of its tasks have not ended"));
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_task_group_leave_until(&group, 0, hkt_after(0.001)), -ETIMEDOUT);
    CHECK_EQ(hkt_task_group_count(&group), 1);
    atomic_store(&deaf.go_on, true);
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    return 0;
}

TEST(a_child_that_ignores_its_cancel_is_reported_and_awaited)
{
    for (int kind = 0; kind < SIDE_BY_SIDE; kind++) {
        lines_open(&heard);
        CHECK_EQ(run_in(kind, wait_for_the_deaf, NULL), 0);
        check_finalized();
    }
    lines_open(&heard);
    CHECK_EQ(wait_for_the_deaf(NULL), 0);
    check_finalized();
}

/* The leave itself waits on after its report, without a deadline. */
static int let_go_on_after_a_report(void *arg)
{
    struct deaf *deaf = arg;
    AWAIT(lines_count(&heard) > 0);
    atomic_store(&deaf->go_on, true);
    return 0;
}

static int leave_the_deaf(void *arg)
{
    struct deaf deaf = { 0 };
    struct caller caller;
    hkt_task_group group = { 0 };
    (void)arg;
    hkt_task_group_enter(&group, &(hkt_task_group_options){ .patience = 0.01 });
    must_spawn_into(&group, hear_nothing, &deaf);
    CHECK_EQ(hkt_event_wait(&deaf.entered), 0);
    caller_start(&caller, let_go_on_after_a_report, &deaf);
    CHECK_EQ(hkt_task_group_leave(&group, hkt_fail(-EIO, "the body")), -EIO);
    CHECK(atomic_load(&deaf.go_on));
    CHECK_EQ(caller_end(&caller), 0);
    return 0;
}

TEST(a_leave_goes_on_waiting_after_its_report)
{
    lines_open(&heard);
    CHECK_EQ(hkt_run(leave_the_deaf, NULL), 0);
    check_finalized();
}

/* Deadlines in the past. */

static int look_at_scope(void *arg)
{
    (void)arg;
    return hkt_checkpoint();
}

static int live_in_the_past(void *arg)
{
    hkt_deadline past = hkt_after(-1);
    hkt_handle handle = { 0 };
    atomic_int ran = 0;
    hkt_task_group group = { 0 };
    hkt_scope scope;
    (void)arg;
    CHECK_EQ(hkt_sleep_until(past), 0);
    CHECK_EQ(hkt_wait_for_until(look_at_scope, NULL, past), -ETIMEDOUT);
    CHECK_EQ(hkt_wait_for(do_nothing, NULL, -1), 0); /* it looked at nothing */
    CHECK_EQ(hkt_loop_call_at(hkt_loop_running(), &handle, past, count_up, &ran), 0);
    YIELD_UNTIL(ran == 1);
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = past });
    hkt_task_group_enter(&group, NULL);
    int err = hkt_task_group_spawn(&group, NULL, count_up, &ran);
    CHECK(err == 0 || err == -ECANCELED);
    CHECK_EQ(hkt_sleep(60), -ECANCELED);
    CHECK_EQ(hkt_task_group_spawn(&group, NULL, count_up, &ran), -ECANCELED);
    CHECK_EQ(hkt_task_group_leave(&group, -ECANCELED), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    CHECK(ran <= 2);
    return 0;
}

TEST(deadlines_in_the_past)
{
    must_run(live_in_the_past, NULL);
}

/* Ten levels of groups, every other one in a shield, and all leaves fail at once. */

#define LEVELS 10

struct level {
    int left;
    hkt_event *now;
    atomic_int *waiting, *failed;
    bool shield;
};

static int fail_now(void *arg)
{
    struct level *level = arg;
    atomic_fetch_add(level->waiting, 1);
    int err = hkt_event_wait(level->now);
    if (err == 0) {
        atomic_fetch_add(level->failed, 1);
        err = hkt_fail(-EIO, "level %d", level->left);
    }
    return err;
}

static int go_down(void *arg)
{
    struct level *level = arg;
    struct level below = *level;
    hkt_task_group group = { 0 };
    hkt_scope scope;
    below.left--;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .shield = level->left % 2 });
    hkt_task_group_enter(&group, NULL);
    int err = hkt_task_group_spawn(&group, NULL, fail_now, level);
    if (err == 0 && level->left > 1)
        err = hkt_task_group_spawn(&group, NULL, go_down, &below);
    err = hkt_task_group_leave(&group, err);
    hkt_scope_leave(&scope);
    return err;
}

static int fail_at_all_levels(void *arg)
{
    hkt_event now = { { 0 } };
    atomic_int waiting = 0, failed = 0;
    struct level top = { LEVELS, &now, &waiting, &failed, false };
    (void)arg;
    hkt_future *task = must_submit(hkt_executor_current(), go_down, &top);
    while (atomic_load(&waiting) < LEVELS)
        CHECK_EQ(hkt_yield(), 0);
    hkt_event_set(&now);
    CHECK_EQ(hkt_future_finish(task), -EIO);
    CHECK(strncmp(hkt_sentence(-EIO), "level ", 6) == 0);
    CHECK(failed >= 1 && failed <= LEVELS);
    return 0;
}

TEST_TIMEOUT(ten_levels_of_groups_and_shields_fail_at_once, 60)
{
    for (long i = test_scaled(60); i > 0; i--) {
        hkt_executor *pool;
        CHECK_EQ(hkt_run(fail_at_all_levels, NULL), 0);
        pool = i % 2 ? must_coroutines(0, 3) : must_pool(2 * LEVELS);
        CHECK_EQ(hkt_future_finish(must_submit(pool, fail_at_all_levels, NULL)), 0);
        hkt_executor_destroy(pool);
        check_finalized();
    }
}

/* No fds. */

static struct rlimit all_fds;

/* None beyond those that are open. */
static void leave_no_fds(void)
{
    int next = dup(STDOUT_FILENO);
    CHECK(next >= 0);
    close(next);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &all_fds), 0);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ (rlim_t)next, all_fds.rlim_max }), 0);
}

static void leave_all_fds(void)
{
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &all_fds), 0);
}

static int do_without_fds(void *arg)
{
    int *ends = arg;
    char items[5] = "";
    leave_no_fds();
    int waited = hkt_fd_wait_until(ends[0], HKT_READABLE, hkt_after(0.001));
    int handled = hkt_loop_add_signal_handler(hkt_loop_running(), SIGUSR1, do_nothing, NULL);
    int gathered = hkt_gather(do_nothing, HKT_ARRAY(items));
    int slept = hkt_sleep(0.001);
    int on_thread = hkt_to_thread(do_nothing, NULL);
    leave_all_fds();
    CHECK_EQ(waited, -EMFILE);
    CHECK(handled == -EMFILE || handled == 0); /* one that needs none is fine */
    if (handled == 0)
        CHECK(hkt_loop_remove_signal_handler(hkt_loop_running(), SIGUSR1));
    CHECK_EQ(gathered, 0);
    CHECK_EQ(slept, 0);
    CHECK_EQ(on_thread, 0);
    CHECK_EQ(hkt_fd_wait_until(ends[0], HKT_READABLE, hkt_after(0.001)), -ETIMEDOUT);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(hkt_fd_wait(ends[0], HKT_READABLE), HKT_READABLE);
    return 0;
}

TEST(a_loop_without_fds_says_so_and_goes_on)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(hkt_run(do_without_fds, ends), 0);
    close(ends[0]);
    close(ends[1]);
    check_finalized();
}

TEST(loops_and_pools_are_made_without_fds)
{
    hkt_loop *loop = NULL;
    leave_no_fds();
    int made = hkt_loop_create(&loop, NULL);
    int fd = hkt_loop_fd(loop);
    int ran = hkt_loop_run(loop, do_nothing, NULL);
    hkt_executor *pool = must_coroutines(2, 2);
    int finished = hkt_future_finish(must_submit(pool, do_nothing, NULL));
    leave_all_fds();
    CHECK_EQ(made, 0);
    CHECK_EQ(fd, -EMFILE);
    CHECK_EQ(ran, 0);
    CHECK_EQ(finished, 0);
    hkt_executor_destroy(pool);
    CHECK(hkt_loop_fd(loop) >= 0); /* asked again */
    end_loop(loop);
}

/* No room for stacks: each is larger than what is left of the address space. */

#define LARGE ((size_t)64 << 20)

static struct rlimit all_room;

static void leave_little_room(void)
{
    struct rlimit little;
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    CHECK(statm && fscanf(statm, "%ld", &pages) == 1);
    fclose(statm);
    CHECK_EQ(getrlimit(RLIMIT_AS, &all_room), 0);
    little = all_room;
    little.rlim_cur = (rlim_t)pages * 4096 + ((rlim_t)48 << 20);
    CHECK_EQ(setrlimit(RLIMIT_AS, &little), 0);
}

static void leave_all_room(void)
{
    CHECK_EQ(setrlimit(RLIMIT_AS, &all_room), 0);
}

static int spawn_without_room(void *arg)
{
    hkt_future *tasks[20];
    hkt_task_group group = { 0 };
    char items[5] = "";
    atomic_int called = 0, ran = 0;
    int results[20], began = 0;
    (void)arg;
    leave_little_room();
    for (int i = 0; i < 20; i++)
        tasks[i] = must_submit(hkt_executor_current(), yield_and_count, &ran);
    for (int i = 0; i < 20; i++)
        results[i] = hkt_future_finish(tasks[i]);
    hkt_task_group_enter(&group, NULL);
    int err = hkt_task_group_spawn(&group, NULL, yield_and_count, &ran);
    int left = hkt_task_group_leave(&group, err);
    int gathered = hkt_gather(do_nothing, HKT_ARRAY(items));
    int soon = hkt_loop_call_soon(hkt_loop_running(), NULL, count_up, &called);
    leave_all_room();
    for (int i = 0; i < 20; i++) {
        CHECK(results[i] == 0 || results[i] == -ENOMEM);
        began += results[i] == 0;
    }
    CHECK(began < 20);
    CHECK(left == -ENOMEM || left == 0);
    CHECK(gathered == -ENOMEM || gathered == 0);
    CHECK_EQ(soon, 0);
    YIELD_UNTIL(called == 1); /* it is tried again */
    CHECK_EQ(ran, began + (left == 0));
    return 0;
}

TEST(without_room_for_stacks_tasks_fail_and_the_loop_goes_on)
{
    hkt_loop_options options = { .stack_size = LARGE };
    if (SANITIZED)
        TEST_SKIP("sanitizers need address space themselves");
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_run_with(spawn_without_room, NULL, &options), 0);
    check_finalized();
}
