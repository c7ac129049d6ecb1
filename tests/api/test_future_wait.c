/* SPDX-License-Identifier: MIT */
/* Waiting for several futures: hkt_wait and as_completed. */
#include "pools.h"
#include "random.h"

#define N 6

static void create_all(hkt_future **futures, size_t count)
{
    for (size_t i = 0; i < count; i++)
        CHECK_EQ(hkt_future_create(&futures[i]), 0);
}

static void destroy_all(hkt_future **futures, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)hkt_future_cancel(futures[i]);
        hkt_future_destroy(futures[i]);
    }
    check_finalized();
}

static void set(hkt_future *future, int result)
{
    CHECK_EQ(hkt_future_set_result(future, result), 0);
}

/* A call of hkt_wait in another thread. */
struct waits {
    hkt_future **futures;
    size_t count;
    hkt_return_when when;
};

static int wait_all(void *arg)
{
    struct waits *waits = arg;
    return hkt_wait(waits->futures, waits->count, waits->when);
}

static void start_waiting(struct caller *caller, struct waits *waits)
{
    caller_start(caller, wait_all, waits);
    await_state(caller->thread, HKT_THREAD_BLOCKED);
}

TEST(nothing_to_wait_for_is_there_at_once)
{
    hkt_future *none[2] = { NULL, NULL };
    for (int when = HKT_ALL_COMPLETED; when <= HKT_FIRST_EXCEPTION; when++) {
        CHECK_EQ(hkt_wait(NULL, 0, (hkt_return_when)when), 0);
        CHECK_EQ(hkt_wait(none, 2, (hkt_return_when)when), 0);
    }
    check_finalized();
}

TEST(what_to_wait_for_must_be_known)
{
    hkt_future *futures[1];
    create_all(futures, 1);
    CHECK_EQ(hkt_wait(futures, 1, (hkt_return_when)3), -EINVAL);
    CHECK_EQ(hkt_wait_until(futures, 1, (hkt_return_when)-1, hkt_after(0)), -EINVAL);
    destroy_all(futures, 1);
}

TEST(all_are_waited_for)
{
    struct caller caller;
    hkt_future *futures[N];
    struct waits waits = { futures, N, HKT_ALL_COMPLETED };
    create_all(futures, N);
    set(futures[2], -EIO);
    start_waiting(&caller, &waits);
    for (int i = 0; i < N; i++) {
        CHECK_EQ(hkt_thread_get_state(caller.thread), HKT_THREAD_BLOCKED);
        if (i == 4)
            CHECK_EQ(hkt_future_cancel(futures[i]), 0);
        else if (i != 2)
            set(futures[i], 0);
    }
    CHECK_EQ(caller_end(&caller), N);
    CHECK_EQ(hkt_wait_until(futures, N, HKT_ALL_COMPLETED, hkt_after(0)), N);
    CHECK_EQ(result_of(futures[2]), -EIO);
    destroy_all(futures, N);
}

TEST(the_same_several_times_counts_once)
{
    hkt_future *futures[2];
    create_all(futures, 2);
    hkt_future *many[] = { futures[0], NULL, futures[1], futures[0], futures[1], NULL };
    struct waits waits = { many, 6, HKT_ALL_COMPLETED };
    struct caller caller;
    start_waiting(&caller, &waits);
    set(futures[0], 0);
    CHECK_EQ(hkt_wait(many, 6, HKT_FIRST_COMPLETED), 1);
    set(futures[1], 0);
    CHECK_EQ(caller_end(&caller), 2);
    destroy_all(futures, 2);
}

TEST(the_first_that_is_done_is_enough)
{
    struct caller caller;
    hkt_future *futures[N];
    struct waits waits = { futures, N, HKT_FIRST_COMPLETED };
    create_all(futures, N);
    start_waiting(&caller, &waits);
    set(futures[3], 0);
    CHECK_EQ(caller_end(&caller), 1);
    set(futures[0], 0);
    CHECK_EQ(hkt_wait(futures, N, HKT_FIRST_COMPLETED), 2); /* how many are done */
    destroy_all(futures, N);
}

TEST(a_cancelled_one_is_done_too)
{
    struct caller caller;
    hkt_future *futures[N];
    struct waits waits = { futures, N, HKT_FIRST_COMPLETED };
    create_all(futures, N);
    start_waiting(&caller, &waits);
    CHECK_EQ(hkt_future_cancel(futures[3]), 0);
    CHECK_EQ(caller_end(&caller), 1);
    destroy_all(futures, N);
}

TEST(the_first_failure_is_enough_and_a_cancel_is_none)
{
    struct caller caller;
    hkt_future *futures[N];
    struct waits waits = { futures, N, HKT_FIRST_EXCEPTION };
    create_all(futures, N);
    start_waiting(&caller, &waits);
    CHECK_EQ(hkt_future_cancel(futures[3]), 0);
    set(futures[1], 8);
    CHECK_EQ(hkt_wait_until(futures, N, HKT_FIRST_EXCEPTION, hkt_after(0)), -ETIMEDOUT);
    CHECK_EQ(hkt_thread_get_state(caller.thread), HKT_THREAD_BLOCKED);
    set(futures[5], -EIO);
    CHECK_EQ(caller_end(&caller), 3);
    CHECK_EQ(hkt_wait(futures, N, HKT_FIRST_EXCEPTION), 3); /* at once, too */
    CHECK_EQ(result_of(futures[5]), -EIO);
    destroy_all(futures, N);
}

TEST(without_a_failure_all_are_waited_for)
{
    struct caller caller;
    hkt_future *futures[N];
    struct waits waits = { futures, N, HKT_FIRST_EXCEPTION };
    create_all(futures, N);
    start_waiting(&caller, &waits);
    for (int i = 0; i < N; i++)
        set(futures[i], i);
    CHECK_EQ(caller_end(&caller), N);
    destroy_all(futures, N);
}

TEST(a_wait_for_several_ends_early)
{
    struct caller caller;
    hkt_future *futures[N];
    struct waits waits = { futures, N, HKT_ALL_COMPLETED };
    create_all(futures, N);
    set(futures[0], 0);
    CHECK_EQ(hkt_wait_until(futures, N, HKT_ALL_COMPLETED, hkt_after(0)), -ETIMEDOUT);
    double before = hkt_monotonic();
    CHECK_EQ(hkt_wait_until(futures, N, HKT_ALL_COMPLETED, hkt_after(0.01)), -ETIMEDOUT);
    CHECK(hkt_monotonic() - before >= 0.01);
    CHECK_EQ(call_cancelled(wait_all, &waits), -ECANCELED);
    start_waiting(&caller, &waits);
    caller_cancel(&caller);
    CHECK_EQ(caller_end(&caller), -ECANCELED);
    destroy_all(futures, N);
}

static hkt_as_completed *must_iterate(hkt_future **futures, size_t count)
{
    hkt_as_completed *iterator = NULL;
    CHECK_EQ(hkt_as_completed_create(&iterator, futures, count), 0);
    return iterator;
}

static hkt_future *next(hkt_as_completed *iterator)
{
    hkt_future *future = NULL;
    CHECK_EQ(hkt_as_completed_next(iterator, &future), 1);
    CHECK(future && hkt_future_done(future));
    return future;
}

TEST(they_come_in_the_order_in_which_they_end)
{
    static const int order[N] = { 4, 1, 0, 5, 2, 3 };
    hkt_future *futures[N], *future = NULL;
    create_all(futures, N);
    set(futures[order[0]], 0); /* before */
    hkt_as_completed *iterator = must_iterate(futures, N);
    for (int i = 1; i < N; i++)
        if (i == 3)
            CHECK_EQ(hkt_future_cancel(futures[order[i]]), 0);
        else
            set(futures[order[i]], i == 2 ? -EIO : 0);
    for (int i = 0; i < N; i++)
        CHECK(next(iterator) == futures[order[i]]);
    CHECK_EQ(hkt_as_completed_next(iterator, &future), 0);
    CHECK_EQ(hkt_as_completed_next_until(iterator, &future, hkt_after(0)), 0);
    CHECK_EQ(hkt_as_completed_next(iterator, &future), 0);
    CHECK(future == NULL);
    hkt_as_completed_destroy(iterator);
    CHECK_EQ(result_of(futures[0]), -EIO);
    destroy_all(futures, N);
}

TEST(each_comes_once)
{
    hkt_future *futures[2], *future = NULL;
    create_all(futures, 2);
    hkt_future *many[] = { futures[1], NULL, futures[0], futures[1], futures[0] };
    hkt_as_completed *iterator = must_iterate(many, 5);
    set(futures[0], 0);
    set(futures[1], 0);
    CHECK(next(iterator) == futures[0]);
    CHECK(next(iterator) == futures[1]);
    CHECK_EQ(hkt_as_completed_next(iterator, &future), 0);
    hkt_as_completed_destroy(iterator);
    iterator = must_iterate(NULL, 0);
    CHECK_EQ(hkt_as_completed_next(iterator, &future), 0);
    hkt_as_completed_destroy(iterator);
    hkt_as_completed_destroy(NULL);
    destroy_all(futures, 2);
}

static int ask_next(void *iterator)
{
    hkt_future *future = NULL;
    int err = hkt_as_completed_next(iterator, &future);
    CHECK_EQ(err == 1, future != NULL);
    return err;
}

TEST(who_got_none_may_ask_again)
{
    struct caller caller;
    hkt_future *futures[3], *future = NULL;
    create_all(futures, 3);
    hkt_as_completed *iterator = must_iterate(futures, 3);
    CHECK_EQ(hkt_as_completed_next_until(iterator, &future, hkt_after(0)), -ETIMEDOUT);
    double before = hkt_monotonic();
    CHECK_EQ(hkt_as_completed_next_until(iterator, &future, hkt_after(0.01)), -ETIMEDOUT);
    CHECK(hkt_monotonic() - before >= 0.01);
    CHECK_EQ(call_cancelled(ask_next, iterator), -ECANCELED);
    caller_start(&caller, ask_next, iterator);
    await_state(caller.thread, HKT_THREAD_BLOCKED);
    caller_cancel(&caller);
    CHECK_EQ(caller_end(&caller), -ECANCELED);
    set(futures[1], 0);
    CHECK_EQ(hkt_as_completed_next_until(iterator, &future, hkt_after(0)), 1);
    CHECK(future == futures[1]);
    caller_start(&caller, ask_next, iterator);
    await_state(caller.thread, HKT_THREAD_BLOCKED);
    set(futures[2], 0);
    CHECK_EQ(caller_end(&caller), 1);
    set(futures[0], 0);
    CHECK(next(iterator) == futures[0]);
    hkt_as_completed_destroy(iterator);
    destroy_all(futures, 3);
}

TEST(an_iterator_may_be_destroyed_before_all_have_come)
{
    hkt_future *futures[N];
    create_all(futures, N);
    set(futures[0], 0);
    set(futures[1], 0);
    hkt_as_completed *iterator = must_iterate(futures, N);
    CHECK(next(iterator) == futures[0]);
    set(futures[2], 0);
    hkt_as_completed_destroy(iterator);
    for (int i = 3; i < N; i++)
        set(futures[i], 0); /* nobody is told */
    destroy_all(futures, N);
}

struct traffic {
    hkt_executor *pool;
    int count;
};

static int take_a_while(void *arg)
{
    struct test_random random = random_of((uint64_t)(uintptr_t)arg);
    await_spinning(random_seconds(&random, 2e-5));
    return (int)(intptr_t)arg;
}

/* Each that comes is destroyed at once, while who finished it may still be at it. */
static int collect_and_destroy(void *arg)
{
    struct traffic *traffic = arg;
    hkt_future *futures[64], *future;
    bool seen[64] = { false };
    for (int i = 0; i < traffic->count; i++)
        futures[i] = must_submit(traffic->pool, take_a_while, (void *)(intptr_t)i);
    hkt_as_completed *iterator = must_iterate(futures, (size_t)traffic->count);
    for (int i = 0; i < traffic->count; i++) {
        future = next(iterator);
        int number = hkt_future_finish(future);
        CHECK(number >= 0 && number < traffic->count && !seen[number]);
        CHECK(futures[number] == future);
        seen[number] = true;
    }
    CHECK_EQ(hkt_as_completed_next(iterator, &future), 0);
    hkt_as_completed_destroy(iterator);
    return 0;
}

TEST_TIMEOUT(all_come_once_and_may_go_at_once, 60)
{
    hkt_executor *pool = must_pool(3);
    struct traffic traffic = { .pool = pool, .count = 64 };
    for (long i = test_scaled(200); i > 0; i--) {
        CHECK_EQ(collect_and_destroy(&traffic), 0);
        CHECK_EQ(call_elsewhere(collect_and_destroy, &traffic), 0);
        CHECK_EQ(hkt_future_finish(must_submit(pool, collect_and_destroy, &traffic)), 0);
    }
    end_pool(pool);
}
