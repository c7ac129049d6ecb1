/* SPDX-License-Identifier: MIT */
/* The coroutine engine's limits and its end. How it runs jobs is tested in test_coroutine_pool.c. */
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

/* Limits. */

struct count {
    atomic_int now, most;
};

static int be_counted(void *arg)
{
    struct count *count = arg;
    int now = atomic_fetch_add(&count->now, 1) + 1;
    for (int most = atomic_load(&count->most); now > most;)
        if (atomic_compare_exchange_weak(&count->most, &most, now))
            break;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_yield(), 0);
    atomic_fetch_sub(&count->now, 1);
    return 0;
}

TEST(as_many_jobs_as_max_tasks_says_run_at_a_time)
{
    for (unsigned loops = 1; loops <= 3; loops++)
        for (unsigned max = 1; max <= 5; max += 2) {
            struct count count = { 0 };
            struct gate gates[5] = { 0 }, late = { 0 };
            hkt_future *held[5];
            hkt_executor *pool = must_coroutines(max, loops);
            for (unsigned i = 0; i < max; i++)
                held[i] = hold_worker(pool, &gates[i]); /* all of these at once, */
            hkt_future *pending = must_submit(pool, stand_at, &late);
            for (int i = 0; i < 10; i++)
                await_moment();
            CHECK(!hkt_future_running(pending)); /* and no more */
            hkt_event_set(&late.open);
            for (unsigned i = 0; i < max; i++)
                let_through(&gates[i], held[i]);
            CHECK_EQ(hkt_future_finish(pending), 0);
            for (int i = 0; i < 200; i++)
                CHECK_EQ(hkt_submit(pool, NULL, be_counted, &count), 0);
            end_pool(pool);
            CHECK(count.most >= 1 && count.most <= (int)max);
        }
}

static struct gate first_gate;

static int note_order(void *arg)
{
    static atomic_int place;
    return *(int *)arg = atomic_fetch_add(&place, 1);
}

TEST(those_of_high_priority_go_first_and_those_of_the_background_last)
{
    hkt_executor *pool = must_make(0);
    int place[6];
    hkt_future *held = hold_worker(pool, &first_gate);
    static const hkt_priority order[6] = { HKT_PRIORITY_BACKGROUND, HKT_PRIORITY_NORMAL,
                                           HKT_PRIORITY_HIGH,       HKT_PRIORITY_BACKGROUND,
                                           HKT_PRIORITY_NORMAL,     HKT_PRIORITY_HIGH };
    static const int expected[6] = { 4, 2, 0, 5, 3, 1 };
    for (int i = 0; i < 6; i++)
        CHECK_EQ(hkt_submit_with(pool, NULL, note_order, &place[i],
                                 &(hkt_submit_options){ .priority = order[i] }),
                 0);
    let_through(&first_gate, held);
    end_pool(pool);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(place[i], expected[i]);
}

TEST(outsiders_wait_while_max_pending_jobs_have_not_begun)
{
    hkt_executor *pool = must_make_with(
        &(hkt_coroutine_pool_options){ .max_tasks = 1, .max_pending = 3 });
    struct gate gate = { 0 };
    atomic_int ran = 0;
    struct attempt attempt = { pool, count_up, &ran };
    struct caller waiting, cancelled;
    hkt_future *running = hold_worker(pool, &gate);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(submit(&attempt), 0);
    caller_start_waiting(&waiting, submit, &attempt, pool);
    caller_start_waiting(&cancelled, submit, &attempt, pool);
    caller_cancel(&cancelled);
    CHECK_EQ(caller_end(&cancelled), -ECANCELED);
    CHECK(hkt_thread_is_alive(waiting.thread));
    let_through(&gate, running);
    CHECK_EQ(caller_end(&waiting), 0);
    end_pool(pool);
    CHECK_EQ(ran, 4);
}

TEST(who_waits_for_room_learns_of_the_end)
{
    hkt_executor *pool = must_make_with(
        &(hkt_coroutine_pool_options){ .max_tasks = 1, .max_pending = 1 });
    struct gate gate = { 0 };
    atomic_int ran = 0;
    struct attempt attempt = { pool, count_up, &ran };
    struct caller callers[3];
    hkt_future *running = hold_worker(pool, &gate);
    CHECK_EQ(submit(&attempt), 0);
    for (int i = 0; i < 3; i++)
        caller_start_waiting(&callers[i], submit, &attempt, pool);
    hkt_executor_close(pool, false);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&callers[i]), -ESHUTDOWN);
    let_through(&gate, running);
    end_pool(pool);
    CHECK_EQ(ran, 1);
}

struct insider {
    hkt_executor *pool;
    struct gate gate;
    atomic_int ran;
    int result;
};

static int submit_many(void *arg)
{
    struct insider *insider = arg;
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(hkt_submit(insider->pool, NULL, count_up, &insider->ran), 0);
    return 0;
}

TEST(jobs_of_the_pool_do_not_wait_for_room)
{
    struct insider insider = { .pool = must_make_with(&(hkt_coroutine_pool_options){
                                   .max_tasks = 1, .max_pending = 2 }) };
    CHECK_EQ(hkt_future_finish(must_submit(insider.pool, submit_many, &insider)), 0);
    end_pool(insider.pool);
    CHECK_EQ(insider.ran, 1000);
}

/* One that is to begin at once does so before the submit returns, if there is room; else later. */
static int begin_at_once(void *arg)
{
    struct insider *insider = arg;
    hkt_future *future = NULL;
    hkt_submit_options options = { .eager_start = true };
    for (int i = 0; i < 10; i++) {
        insider->ran = 0;
        CHECK_EQ(hkt_submit_with(insider->pool, &future, count_up, &insider->ran, &options), 0);
        insider->result = insider->ran;
        CHECK_EQ(hkt_future_finish(future), 0);
        CHECK_EQ(insider->ran, 1);
    }
    return 0;
}

TEST(a_job_that_is_to_begin_at_once_does_so_if_there_is_room)
{
    for (int which = 0; which < POOLS; which++) {
        struct insider insider = { .pool = must_make(which) };
        CHECK_EQ(hkt_future_finish(must_submit(insider.pool, begin_at_once, &insider)), 0);
        CHECK_EQ(insider.result, which == 0 ? 0 : 1);
        end_pool(insider.pool);
    }
}

static int use_stack(void *arg)
{
    size_t size = *(size_t *)arg;
    volatile char *memory = __builtin_alloca(size);
    for (size_t i = 0; i < size; i += 512)
        memory[i] = (char)i;
    return memory[512] == 0;
}

TEST(each_job_has_a_stack_of_the_size_that_was_asked_for)
{
    size_t most = (size_t)7 << 20, plain = (size_t)40 << 10;
    hkt_executor *pool = must_make_with(
        &(hkt_coroutine_pool_options){ .stack_size = (size_t)8 << 20 });
    CHECK_EQ(hkt_future_finish(must_submit(pool, use_stack, &most)), 1);
    hkt_executor_destroy(pool);
    pool = must_make(0);
    CHECK_EQ(hkt_future_finish(must_submit(pool, use_stack, &plain)), 1);
    end_pool(pool);
}

/* The end. */

TEST(a_closed_pool_takes_no_more)
{
    for (int which = 0; which < POOLS; which++) {
        hkt_executor *pool = must_make(which);
        hkt_future *untouched = NULL;
        atomic_int ran = 0;
        int items[3] = { 0 };
        CHECK_EQ(hkt_submit(pool, NULL, count_up, &ran), 0);
        hkt_executor_close(pool, false);
        hkt_executor_close(pool, false);
        CHECK_EQ(hkt_submit(pool, &untouched, count_up, &ran), -ESHUTDOWN);
        CHECK(untouched == NULL);
        CHECK_EQ(hkt_map(pool, do_nothing, HKT_ARRAY(items)), -ESHUTDOWN);
        CHECK_EQ(hkt_executor_shutdown(pool), 0);
        CHECK_EQ(hkt_executor_shutdown(pool), 0);
        CHECK_EQ(hkt_executor_shutdown_until(pool, hkt_after(0)), 0);
        CHECK_EQ(ran, 1);
        end_pool(pool);
    }
}

static int shut_down(void *pool)
{
    return hkt_executor_shutdown(pool);
}

TEST(many_shut_down_and_wait_for_the_jobs)
{
    hkt_executor *pool = must_make(0);
    struct gate gate = { 0 };
    struct caller callers[4];
    atomic_int ran = 0;
    hkt_future_destroy(hold_worker(pool, &gate));
    CHECK_EQ(hkt_submit(pool, NULL, count_up, &ran), 0);
    for (int i = 0; i < 4; i++)
        caller_start_waiting(&callers[i], shut_down, pool, pool);
    CHECK_EQ(ran, 0);
    hkt_event_set(&gate.open);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
    CHECK_EQ(ran, 1);
    end_pool(pool);
}

TEST(a_shutdown_that_ends_early_may_be_repeated)
{
    hkt_executor *pool = must_make(0);
    struct gate gate = { 0 };
    struct caller caller;
    hkt_future_destroy(hold_worker(pool, &gate));
    CHECK_EQ(hkt_executor_shutdown_until(pool, hkt_after(0)), -ETIMEDOUT);
    CHECK_EQ(call_cancelled(shut_down, pool), -ECANCELED);
    caller_start_waiting(&caller, shut_down, pool, pool);
    caller_cancel(&caller);
    CHECK_EQ(caller_end(&caller), -ECANCELED);
    double before = hkt_monotonic();
    CHECK_EQ(hkt_executor_shutdown_until(pool, hkt_after(0.01)), -ETIMEDOUT);
    CHECK(hkt_monotonic() - before >= 0.01);
    hkt_event_set(&gate.open);
    CHECK_EQ(hkt_executor_shutdown(pool), 0);
    end_pool(pool);
}

static int submit_later(void *arg)
{
    struct insider *insider = arg;
    hkt_future *future = NULL;
    CHECK_EQ(stand_at(&insider->gate), 0);
    CHECK_EQ(hkt_executor_shutdown(insider->pool), -EDEADLK);
    CHECK_EQ(hkt_submit(insider->pool, &future, count_up, &insider->ran), 0);
    CHECK_EQ(hkt_future_finish(future), 0);
    return hkt_submit(insider->pool, NULL, count_up, &insider->ran);
}

TEST(jobs_of_a_closed_pool_may_still_hand_in)
{
    for (int which = 0; which < POOLS; which++) {
        struct insider insider = { .pool = must_make(which) };
        hkt_future *future = must_submit(insider.pool, submit_later, &insider);
        CHECK_EQ(hkt_event_wait(&insider.gate.entered), 0);
        hkt_executor_close(insider.pool, false);
        CHECK_EQ(hkt_submit(insider.pool, NULL, do_nothing, NULL), -ESHUTDOWN);
        hkt_event_set(&insider.gate.open);
        CHECK_EQ(hkt_executor_shutdown(insider.pool), 0);
        CHECK_EQ(hkt_future_finish(future), 0);
        CHECK_EQ(insider.ran, 2);
        end_pool(insider.pool);
    }
}

TEST(a_close_that_cancels_takes_back_what_has_not_begun)
{
    hkt_executor *pool = must_make(0);
    struct gate gate = { .result = 5 };
    atomic_int ran = 0;
    hkt_future *futures[300];
    hkt_future *running = hold_worker(pool, &gate);
    for (int i = 0; i < 300; i++)
        futures[i] = must_submit(pool, count_up, &ran);
    hkt_executor_close(pool, true);
    CHECK(hkt_future_running(running));
    for (int i = 0; i < 300; i++) {
        CHECK(hkt_future_cancelled(futures[i]));
        CHECK_EQ(hkt_future_finish(futures[i]), -ECANCELED);
    }
    let_through(&gate, running);
    hkt_executor_close(pool, true);
    end_pool(pool);
    CHECK_EQ(ran, 0);
}

static int fill_and_close(void *arg)
{
    struct insider *insider = arg;
    for (int i = 0; i < 400; i++)
        CHECK_EQ(hkt_submit(insider->pool, NULL, count_up, &insider->ran), 0);
    hkt_executor_close(insider->pool, true);
    return hkt_submit(insider->pool, NULL, count_up, &insider->ran);
}

TEST(a_job_may_close_its_pool_and_cancel_what_it_handed_in)
{
    struct insider insider = { .pool = must_make(0) };
    CHECK_EQ(hkt_future_finish(must_submit(insider.pool, fill_and_close, &insider)), 0);
    end_pool(insider.pool);
    CHECK_EQ(insider.ran, 1);
}

static int destroy(void *pool)
{
    hkt_executor_destroy(pool);
    return 0;
}

TEST(to_destroy_awaits_the_jobs_even_in_an_ended_scope)
{
    hkt_executor *pool = must_make(0);
    struct gate gate = { .result = 5 };
    struct caller caller;
    hkt_future *running = hold_worker(pool, &gate);
    hkt_future *pending = must_submit(pool, do_nothing, NULL);
    caller_start_waiting(&caller, destroy, pool, pool);
    caller_cancel(&caller);
    CHECK(hkt_thread_is_alive(caller.thread));
    hkt_event_set(&gate.open);
    CHECK_EQ(caller_end(&caller), 0);
    CHECK_EQ(hkt_future_finish(running), 5); /* they stay valid */
    CHECK_EQ(hkt_future_finish(pending), 0);
    check_finalized();
}

TEST(after_a_timeout_what_still_runs_is_left_to_itself)
{
    struct lines lines;
    for (int which = 0; which < POOLS; which++) {
        hkt_executor *pool = must_make(which);
        struct gate gate = { .result = 5 };
        lines_open(&lines);
        hkt_future *running = hold_worker(pool, &gate);
        CHECK_EQ(hkt_executor_shutdown_until(pool, hkt_after(0.001)), -ETIMEDOUT);
        hkt_executor_destroy(pool);
        CHECK_EQ(lines_count(&lines), 1);
        CHECK(strstr(lines.text[0], "pool \"coroutines\" is destroyed"));
        let_through(&gate, running);
        AWAIT(hkt_thread_active_count() == 1);
        AWAIT(hkt_finalize() == 0);
        CHECK_EQ(hkt_allocation_count(), 0);
        CHECK_EQ(lines_count(&lines), 1);
    }
}

TEST_ABORTS(a_job_must_not_destroy_its_pool, "hkt_executor_destroy: ")
{
    hkt_executor *pool = must_make(1);
    (void)hkt_future_finish(must_submit(pool, destroy, pool));
}
