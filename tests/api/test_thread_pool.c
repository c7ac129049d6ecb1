/* SPDX-License-Identifier: MIT */
/* The thread pool's own: its workers, their names and their number, the initializer, priorities,
 * the limits are in test_pool_limits.c. */
#include <sched.h>

#include "pools.h"

static hkt_executor *must_make(const hkt_thread_pool_options *options)
{
    hkt_executor *pool = NULL;
    CHECK_EQ(hkt_thread_pool_create(&pool, options), 0);
    return pool;
}

TEST(options_out_of_range_are_refused)
{
    hkt_executor *pool = NULL;
    CHECK_EQ(hkt_thread_pool_create(&pool, &(hkt_thread_pool_options){ .stack_size = 1 }), -EINVAL);
    CHECK_EQ(hkt_thread_pool_create(&pool, &(hkt_thread_pool_options){ .stack_size = 16383 }),
             -EINVAL);
    CHECK(pool == NULL);
    end_pool(must_make(&(hkt_thread_pool_options){ .stack_size = 16384 }));
    end_pool(must_make(NULL));
}

TEST(a_pool_has_no_more_workers_than_processors)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CHECK_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    hkt_executor *pool = must_make(NULL);
    CHECK(hkt_executor_max_workers(pool) >= 1);
    CHECK(hkt_executor_max_workers(pool) <= (unsigned)CPU_COUNT(&set));
    end_pool(pool);
}

TEST(a_pool_has_as_many_workers_as_processors_that_it_may_use)
{
    cpu_set_t before, one;
    CPU_ZERO(&one);
    CPU_ZERO(&before);
    CHECK_EQ(sched_getaffinity(0, sizeof before, &before), 0);
    hkt_executor *pool;
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &before))
            CPU_SET(cpu, &one);
    CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    pool = must_make(NULL);
    CHECK_EQ(hkt_executor_max_workers(pool), 1);
    end_pool(pool);
    pool = must_pool(7);
    CHECK_EQ(hkt_executor_max_workers(pool), 7);
    end_pool(pool);
}

struct worker {
    struct gate gate;
    hkt_thread *thread;
    char name[HKT_NAME_MAX];
};

static int note_worker(void *arg)
{
    struct worker *worker = arg;
    worker->thread = hkt_thread_current();
    snprintf(worker->name, sizeof worker->name, "%s", hkt_thread_name(worker->thread));
    return stand_at(&worker->gate);
}

TEST(workers_are_named_after_the_pool)
{
    char name[16] = "kitchen";
    hkt_executor *pool = must_make(&(hkt_thread_pool_options){ .max_workers = 2, .name = name });
    struct worker workers[2] = { 0 };
    strcpy(name, "cellar"); /* it was copied */
    for (int i = 0; i < 2; i++) {
        hkt_future_destroy(must_submit(pool, note_worker, &workers[i]));
        CHECK_EQ(hkt_event_wait(&workers[i].gate.entered), 0);
    }
    CHECK_STR(workers[0].name, "kitchen-1");
    CHECK_STR(workers[1].name, "kitchen-2");
    for (int i = 0; i < 2; i++)
        hkt_event_set(&workers[i].gate.open);
    end_pool(pool);
    pool = must_pool(1);
    struct worker plain = { 0 };
    hkt_event_set(&plain.gate.open);
    CHECK_EQ(hkt_future_finish(must_submit(pool, note_worker, &plain)), 0);
    CHECK_STR(plain.name, "pool-1");
    end_pool(pool);
}

static bool is_idle(const hkt_thread *thread)
{
    hkt_thread_info info;
    hkt_thread_get_info(thread, &info);
    return info.waits_for && strcmp(info.waits_for, "work") == 0;
}

TEST(a_thread_is_started_only_when_nobody_is_idle)
{
    hkt_executor *pool = must_pool(8);
    struct worker first = { 0 };
    CHECK_EQ(hkt_thread_active_count(), 1);
    hkt_event_set(&first.gate.open);
    for (int i = 0; i < 50; i++) { /* one after the other: one is enough */
        struct worker worker = { 0 };
        hkt_event_set(&worker.gate.open);
        CHECK_EQ(hkt_future_finish(must_submit(pool, note_worker, &worker)), 0);
        CHECK_STR(worker.name, "pool-1");
        AWAIT(is_idle(worker.thread));
    }
    CHECK_EQ(hkt_thread_active_count(), 2);
    struct worker workers[8] = { 0 };
    for (int i = 0; i < 8; i++) {
        hkt_future_destroy(must_submit(pool, note_worker, &workers[i]));
        CHECK_EQ(hkt_event_wait(&workers[i].gate.entered), 0);
        CHECK_EQ(hkt_thread_active_count(), 2 + (size_t)i);
    }
    CHECK_EQ(hkt_submit(pool, NULL, do_nothing, NULL), 0);
    CHECK_EQ(hkt_thread_active_count(), 9); /* no more than max_workers */
    for (int i = 0; i < 8; i++)
        hkt_event_set(&workers[i].gate.open);
    end_pool(pool);
}

struct crowd {
    atomic_int inside, most, ran;
};

static int enter_and_leave(void *arg)
{
    struct crowd *crowd = arg;
    int inside = atomic_fetch_add(&crowd->inside, 1) + 1;
    for (int most = atomic_load(&crowd->most); most < inside;)
        if (atomic_compare_exchange_weak(&crowd->most, &most, inside))
            break;
    CHECK_EQ(hkt_sleep(0.0002), 0);
    atomic_fetch_sub(&crowd->inside, 1);
    return count_up(&crowd->ran);
}

TEST(no_more_than_max_workers_run_at_a_time)
{
    for (unsigned workers = 1; workers <= 3; workers++) {
        hkt_executor *pool = must_pool(workers);
        struct crowd crowd = { 0 };
        for (int i = 0; i < 100; i++)
            CHECK_EQ(hkt_submit(pool, NULL, enter_and_leave, &crowd), 0);
        end_pool(pool);
        CHECK_EQ(crowd.ran, 100);
        CHECK(crowd.most <= (int)workers);
    }
}

static _Thread_local int greeted;

static int greet(void *arg)
{
    greeted = 1;
    return count_up(arg);
}

static int must_be_greeted(void *arg)
{
    struct gate *gate = arg;
    return greeted ? stand_at(gate) : -EPROTO;
}

TEST(each_worker_is_initialized_before_its_first_job)
{
    atomic_int greetings = 0;
    hkt_executor *pool = must_make(&(hkt_thread_pool_options){
        .max_workers = 3, .initializer = greet, .initializer_arg = &greetings });
    struct gate gates[3] = { 0 };
    hkt_future *futures[3];
    for (int i = 0; i < 3; i++)
        futures[i] = hold_worker(pool, &gates[i]);
    CHECK_EQ(greetings, 3);
    for (int i = 0; i < 3; i++)
        let_through(&gates[i], futures[i]);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(hkt_future_finish(must_submit(pool, must_be_greeted, &gates[0])), 0);
    CHECK_EQ(greetings, 3);
    end_pool(pool);
}

static int fail_at_gate(void *arg)
{
    int err = stand_at(arg);
    return err < 0 ? err : -ENOTTY;
}

/* What becomes of a job of a broken pool: refused, or ended, with the initializer's error. */
static int attempt(hkt_executor *pool, atomic_int *ran)
{
    hkt_future *future = NULL;
    int err = hkt_submit(pool, &future, count_up, ran);
    return err < 0 ? err : hkt_future_finish(future);
}

TEST(an_initializer_that_fails_breaks_the_pool)
{
    struct gate gate = { 0 };
    atomic_int ran = 0;
    int items[4] = { 0 };
    hkt_future *futures[20];
    hkt_executor *pool = must_make(&(hkt_thread_pool_options){
        .max_workers = 1, .initializer = fail_at_gate, .initializer_arg = &gate });
    for (int i = 0; i < 20; i++)
        futures[i] = must_submit(pool, count_up, &ran);
    hkt_event_set(&gate.open);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(hkt_future_wait(futures[i]), 0);
        CHECK(!hkt_future_cancelled(futures[i]));
        CHECK_EQ(hkt_future_finish(futures[i]), -ENOTTY);
    }
    CHECK_EQ(attempt(pool, &ran), -ENOTTY);
    CHECK_EQ(hkt_map(pool, do_nothing, HKT_ARRAY(items)), -ENOTTY);
    CHECK_EQ(hkt_executor_shutdown(pool), 0);
    CHECK_EQ(attempt(pool, &ran), -ENOTTY); /* or that it is closed; but it says why */
    CHECK_EQ(ran, 0);
    end_pool(pool);
}

static int fail_the_second_time(void *arg)
{
    return atomic_fetch_add((atomic_int *)arg, 1) == 1 ? -ENOTTY : 0;
}

TEST(a_later_worker_that_fails_breaks_the_pool_too)
{
    atomic_int calls = 0, ran = 0;
    struct gate gate = { .result = 6 };
    hkt_executor *pool = must_make(&(hkt_thread_pool_options){
        .max_workers = 2, .initializer = fail_the_second_time, .initializer_arg = &calls });
    hkt_future *running = hold_worker(pool, &gate);
    CHECK_EQ(attempt(pool, &ran), -ENOTTY);
    CHECK_EQ(attempt(pool, &ran), -ENOTTY);
    let_through(&gate, running); /* what runs goes on */
    CHECK_EQ(ran, 0);
    end_pool(pool);
}

/* The order in which one worker took the jobs. */
struct order {
    atomic_int next;
    int turn[50];
};

struct turn {
    struct order *order;
    int number;
};

static int take_turn(void *arg)
{
    struct turn *turn = arg;
    turn->order->turn[turn->number] = atomic_fetch_add(&turn->order->next, 1);
    return 0;
}

TEST(high_comes_first_and_background_last)
{
    static const hkt_priority priorities[6] = { HKT_PRIORITY_BACKGROUND, HKT_PRIORITY_NORMAL,
                                                HKT_PRIORITY_HIGH,       HKT_PRIORITY_BACKGROUND,
                                                HKT_PRIORITY_NORMAL,     HKT_PRIORITY_HIGH };
    static const int turns[6] = { 4, 2, 0, 5, 3, 1 };
    hkt_executor *pool = must_pool(1);
    struct gate gate = { 0 };
    struct order order = { 0 };
    struct turn list[6];
    hkt_future *running = hold_worker(pool, &gate);
    for (int i = 0; i < 6; i++) {
        hkt_submit_options options = { .priority = priorities[i] };
        list[i] = (struct turn){ &order, i };
        CHECK_EQ(hkt_submit_with(pool, NULL, take_turn, &list[i], &options), 0);
    }
    let_through(&gate, running);
    CHECK_EQ(hkt_executor_shutdown(pool), 0);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(order.turn[i], turns[i]);
    end_pool(pool);
}

TEST(jobs_of_one_priority_begin_in_the_order_of_coming)
{
    hkt_executor *pool = must_pool(1);
    struct gate gate = { 0 };
    struct order order = { 0 };
    struct turn list[50];
    hkt_future *running = hold_worker(pool, &gate);
    for (int i = 0; i < 50; i++) {
        list[i] = (struct turn){ &order, i };
        CHECK_EQ(hkt_submit(pool, NULL, take_turn, &list[i]), 0);
    }
    let_through(&gate, running);
    CHECK_EQ(hkt_executor_shutdown(pool), 0);
    for (int i = 0; i < 50; i++)
        CHECK_EQ(order.turn[i], i);
    end_pool(pool);
}

/* Jobs that hand themselves in again until somebody says stop. */
struct flood {
    hkt_executor *pool;
    hkt_priority priority;
    atomic_bool stop;
};

static int again(void *arg)
{
    struct flood *flood = arg;
    hkt_submit_options options = { .priority = flood->priority };
    if (atomic_load(&flood->stop))
        return 0;
    return hkt_submit_with(flood->pool, NULL, again, flood, &options);
}

/* Floods of some priorities do not keep a job of another from being run. */
static void check_no_starving(unsigned workers, unsigned floods, hkt_priority priority)
{
    hkt_executor *pool = must_pool(workers);
    struct flood list[3];
    hkt_submit_options options = { .priority = priority };
    hkt_future *future = NULL;
    for (int i = 0; i < 3; i++) {
        list[i] = (struct flood){ .pool = pool, .priority = (hkt_priority)i };
        for (unsigned k = 0; k < 2 * workers && (floods >> i & 1); k++)
            CHECK_EQ(again(&list[i]), 0);
    }
    CHECK_EQ(hkt_submit_with(pool, &future, do_nothing, NULL, &options), 0);
    CHECK_EQ(hkt_future_finish(future), 0);
    for (int i = 0; i < 3; i++)
        atomic_store(&list[i].stop, true);
    end_pool(pool);
}

TEST(background_jobs_come_in_spite_of_others)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        check_no_starving(workers, 1U << HKT_PRIORITY_NORMAL, HKT_PRIORITY_BACKGROUND);
        check_no_starving(workers, 1U << HKT_PRIORITY_HIGH, HKT_PRIORITY_BACKGROUND);
        check_no_starving(workers, 3, HKT_PRIORITY_BACKGROUND);
    }
}

TEST(normal_jobs_come_in_spite_of_others)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        check_no_starving(workers, 1U << HKT_PRIORITY_NORMAL, HKT_PRIORITY_NORMAL);
        check_no_starving(workers, 1U << HKT_PRIORITY_HIGH, HKT_PRIORITY_NORMAL);
        check_no_starving(workers, 1U << HKT_PRIORITY_BACKGROUND, HKT_PRIORITY_NORMAL);
    }
}

TEST(normal_jobs_come_in_spite_of_high_and_background_ones)
{
    check_no_starving(1, 1U << HKT_PRIORITY_HIGH | 1U << HKT_PRIORITY_BACKGROUND,
                      HKT_PRIORITY_NORMAL);
}

TEST(high_jobs_come_in_spite_of_all_others)
{
    check_no_starving(1, 7, HKT_PRIORITY_HIGH);
    check_no_starving(2, 7, HKT_PRIORITY_HIGH);
}
