/* SPDX-License-Identifier: MIT */
/* The process pool's limits: workers that come and go, initializers, room for jobs, priorities, and
 * what the system does not give. */
#include "process_pools.h"

TEST(workers_are_started_as_jobs_come)
{
    hkt_executor *pool = must_workers(3);
    int *entered = hkt_shared_alloc(3 * sizeof *entered), *places[3], pids[4];
    hkt_future *futures[3];
    CHECK_EQ(hkt_process_pool_pids(pool, pids, 4), 1);
    for (int i = 0; i < 3; i++) {
        places[i] = entered + i;
        futures[i] = must_apply_async(pool, wait_for_ever, &places[i], sizeof places[i]);
    }
    for (int i = 0; i < 3; i++)
        await_entered(entered + i);
    while (hkt_process_pool_pids(pool, pids, 4) < 3)
        usleep(100); /* who started it is about to know its number */
    for (int i = 0; i < 3; i++) {
        hkt_future_request_cancel(futures[i]);
        CHECK_EQ(hkt_future_finish(futures[i]), -ECANCELED);
    }
    hkt_shared_free(entered);
    end_process_pool(pool);
}

TEST(a_worker_is_replaced_after_so_many_jobs)
{
    hkt_executor *pool = must_process_pool(
        &(hkt_process_pool_options){ .max_workers = 1, .max_tasks_per_child = 3 });
    int pids[12], different = 1;
    for (int i = 0; i < 12; i++)
        CHECK_EQ(hkt_apply(pool, tell_pid, HKT_ITEM(pids[i])), 0);
    for (int i = 1; i < 12; i++)
        different += pids[i] != pids[i - 1];
    CHECK_EQ(different, 4);
    end_process_pool(pool);
}

TEST(many_jobs_go_through_workers_of_few_jobs_each)
{
    hkt_executor *pool = must_process_pool(
        &(hkt_process_pool_options){ .max_workers = 2, .max_tasks_per_child = 10 });
    struct square items[300];
    hkt_future *futures[300];
    for (int i = 0; i < 300; i++) {
        items[i] = (struct square){ i, 0 };
        futures[i] = must_apply_async(pool, square, &items[i], sizeof items[i]);
    }
    for (int i = 0; i < 300; i++)
        CHECK_EQ(hkt_future_finish(futures[i]), 0);
    end_process_pool(pool);
}

TEST(an_idle_worker_ends_and_another_comes_when_needed)
{
    hkt_executor *pool = must_process_pool(
        &(hkt_process_pool_options){ .max_workers = 1, .idle_timeout = 0.02 });
    int first = 0, second = 0, pids[2];
    CHECK_EQ(hkt_apply(pool, tell_pid, HKT_ITEM(first)), 0);
    while (hkt_process_pool_pids(pool, pids, 2) > 0)
        usleep(1000);
    CHECK_EQ(hkt_apply(pool, tell_pid, HKT_ITEM(second)), 0);
    CHECK(first != second);
    end_process_pool(pool);
}

static int initialized;

static int initialize(void *arg)
{
    initialized = *(int *)arg;
    return 0;
}

static int tell_initialized(void *arg)
{
    *(int *)arg = initialized;
    return 0;
}

TEST(an_initializer_runs_first_with_a_copy_of_its_argument)
{
    int value = 4711, got = 0;
    hkt_executor *pool = must_process_pool(
        &(hkt_process_pool_options){ .max_workers = 1,
                                     .initializer = initialize,
                                     .initializer_arg = &value,
                                     .initializer_size = sizeof value });
    value = 0;
    CHECK_EQ(hkt_apply(pool, tell_initialized, HKT_ITEM(got)), 0);
    CHECK_EQ(got, 4711);
    end_process_pool(pool);
}

static int fail_to_initialize(void *arg)
{
    (void)arg;
    return hkt_fail(-ENOTDIR, "no place to work in");
}

TEST(an_initializer_that_fails_breaks_the_pool)
{
    hkt_executor *pool = must_process_pool(
        &(hkt_process_pool_options){ .max_workers = 2, .initializer = fail_to_initialize });
    struct square item = { 1, 0 };
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(hkt_apply(pool, square, HKT_ITEM(item)), -ENOTDIR);
        CHECK_STR(hkt_sentence(-ENOTDIR), "no place to work in");
    }
    end_process_pool(pool);
}

TEST(an_initializer_that_dies_breaks_the_pool)
{
    hkt_executor *pool = must_process_pool(
        &(hkt_process_pool_options){ .max_workers = 2, .initializer = die_by_kill });
    struct square item = { 1, 0 };
    CHECK_EQ(hkt_apply(pool, square, HKT_ITEM(item)), -EOWNERDEAD);
    CHECK(strstr(hkt_sentence(-EOWNERDEAD), "in the initializer") != NULL);
    CHECK_EQ(hkt_apply(pool, square, HKT_ITEM(item)), -EOWNERDEAD);
    end_process_pool(pool);
}

struct attempt {
    hkt_executor *pool;
    int submitted;
    struct square items[3]; /* each is lent to its job until that has ended */
};

static int submit_three(void *arg)
{
    struct attempt *attempt = arg;
    for (int i = 0; i < 3; i++) {
        int err = hkt_apply_async(attempt->pool, NULL, square, HKT_ITEM(attempt->items[i]));
        if (err < 0)
            return err;
        __atomic_add_fetch(&attempt->submitted, 1, __ATOMIC_SEQ_CST);
    }
    return 0;
}

static int wait_until_set(void *arg)
{
    int **places = arg; /* entered, open */
    __atomic_store_n(places[0], 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(places[1], __ATOMIC_SEQ_CST))
        usleep(100);
    return 0;
}

TEST(who_submits_waits_while_max_pending_jobs_have_not_begun)
{
    hkt_executor *pool = must_process_pool(
        &(hkt_process_pool_options){ .max_workers = 1, .max_pending = 2 });
    int *words = hkt_shared_alloc(2 * sizeof *words), *places[2] = { words, words + 1 };
    hkt_future *running = must_apply_async(pool, wait_until_set, places, sizeof places);
    await_entered(words);
    struct attempt attempt = { .pool = pool };
    hkt_thread *thread;
    CHECK_EQ(hkt_thread_spawn(&thread, submit_three, &attempt, NULL), 0);
    while (__atomic_load_n(&attempt.submitted, __ATOMIC_SEQ_CST) < 2)
        usleep(100);
    CHECK(hkt_thread_is_alive(thread));
    __atomic_store_n(words + 1, 1, __ATOMIC_SEQ_CST);
    CHECK_EQ(hkt_thread_join(thread), 0);
    CHECK_EQ(attempt.submitted, 3);
    hkt_thread_destroy(thread);
    CHECK_EQ(hkt_future_finish(running), 0);
    hkt_shared_free(words);
    end_process_pool(pool);
}

static int note_order(void *arg)
{
    int *next = ((int **)arg)[0], *mine = ((int **)arg)[1];
    *mine = __atomic_fetch_add(next, 1, __ATOMIC_SEQ_CST);
    return 0;
}

TEST(what_is_urgent_comes_first)
{
    enum { MANY = 20 };
    hkt_executor *pool = must_workers(1);
    int *words = hkt_shared_alloc((3 + 3 * MANY) * sizeof *words);
    int *places[2] = { words, words + 1 }, *order = words + 3;
    hkt_future *running = must_apply_async(pool, wait_until_set, places, sizeof places);
    hkt_future *futures[3 * MANY];
    int *both[3 * MANY][2];
    await_entered(words);
    for (int i = 0; i < 3 * MANY; i++) {
        both[i][0] = words + 2;
        both[i][1] = order + i;
        static const hkt_priority kinds[] = { HKT_PRIORITY_BACKGROUND, HKT_PRIORITY_NORMAL,
                                              HKT_PRIORITY_HIGH };
        hkt_submit_options options = { .priority = kinds[i / MANY], .arg_size = sizeof both[i] };
        CHECK_EQ(hkt_submit_with(pool, &futures[i], note_order, both[i], &options), 0);
    }
    __atomic_store_n(words + 1, 1, __ATOMIC_SEQ_CST);
    CHECK_EQ(hkt_future_finish(running), 0);
    for (int i = 0; i < 3 * MANY; i++)
        CHECK_EQ(hkt_future_finish(futures[i]), 0);
    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(order[2 * MANY + i], i);
        CHECK(order[MANY + i] >= MANY);
        if (i > 0)
            CHECK(order[i] > order[i - 1] && order[MANY + i] > order[MANY + i - 1]);
    }
    CHECK(order[0] < 2 * MANY); /* now and then one of the background */
    hkt_shared_free(words);
    end_process_pool(pool);
}

TEST(a_stopped_worker_holds_up_nobody)
{
    hkt_executor *pool = must_workers(2);
    int *entered = hkt_shared_alloc(sizeof *entered);
    hkt_future *running = must_apply_async(pool, wait_for_ever, &entered, sizeof entered);
    await_entered(entered);
    struct square item = { 4, 0 };
    CHECK_EQ(hkt_apply(pool, square, HKT_ITEM(item)), 0);
    int pids[2];
    while (hkt_process_pool_pids(pool, pids, 2) < 2)
        usleep(100); /* it works already, and whoever started it is about to know its number */
    int idle = pids[0] == *entered ? pids[1] : pids[0];
    hkt_future_request_cancel(running);
    CHECK_EQ(hkt_future_finish(running), -ECANCELED);
    hkt_process_pool_state state;
    do /* until it has gone to rest */
        hkt_process_pool_look(pool, &state);
    while (state.idle < 2);
    kill(idle, SIGSTOP);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(hkt_apply(pool, square, HKT_ITEM(item)), 0);
    kill(idle, SIGCONT);
    hkt_shared_free(entered);
    end_process_pool(pool);
}

static uint32_t interrupts;

static void count_interrupt(int signo)
{
    (void)signo;
    __atomic_add_fetch(&interrupts, 1, __ATOMIC_SEQ_CST);
}

TEST(a_ctrl_c_is_for_the_program_and_not_for_its_workers)
{
    signal(SIGINT, count_interrupt);
    hkt_executor *pool = must_workers(1);
    int *words = hkt_shared_alloc(2 * sizeof *words), *places[2] = { words, words + 1 };
    hkt_future *running = must_apply_async(pool, wait_until_set, places, sizeof places);
    await_entered(words);
    kill(0, SIGINT); /* the whole group, as the terminal does */
    while (__atomic_load_n(&interrupts, __ATOMIC_SEQ_CST) == 0)
        usleep(100);
    __atomic_store_n(words + 1, 1, __ATOMIC_SEQ_CST);
    CHECK_EQ(hkt_future_finish(running), 0);
    hkt_shared_free(words);
    end_process_pool(pool);
}
