/* SPDX-License-Identifier: MIT */
/* The tasks of a queue: what was put in and is not done yet, and who waits until all is. */
#include <hocket/queue.h>

#include "caller.h"
#include "random.h"
#include "test.h"

struct work {
    hkt_queue *queue;
    hkt_deadline deadline;
    long turns;
    atomic_long done; /* said before task_done */
};

static void work_init(struct work *work, size_t maxsize)
{
    hkt_queue_options options = { .maxsize = maxsize };
    *work = (struct work){ .queue = NULL };
    CHECK_EQ(hkt_queue_create(&work->queue, sizeof(long), &options), 0);
}

static void put(struct work *work, int count)
{
    for (long item = 0; item < count; item++)
        CHECK_EQ(hkt_queue_put_nowait(work->queue, &item), 0);
}

static void get(struct work *work, int count)
{
    long item;
    for (int i = 0; i < count; i++)
        CHECK_EQ(hkt_queue_get_nowait(work->queue, &item), 0);
}

static void say_done(struct work *work, int count)
{
    for (int i = 0; i < count; i++)
        CHECK_EQ(hkt_queue_task_done(work->queue), 0);
}

static int join(void *arg)
{
    return hkt_queue_join(((struct work *)arg)->queue);
}

static int join_until(void *arg)
{
    struct work *work = arg;
    int err = hkt_queue_join_until(work->queue, work->deadline);
    CHECK(err != -ETIMEDOUT || hkt_deadline_passed(work->deadline));
    return err;
}

/* Is nothing outstanding? */
static bool all_done(struct work *work)
{
    int err = hkt_queue_join_until(work->queue, hkt_after(0));
    CHECK(err == 0 || err == -ETIMEDOUT);
    return err == 0;
}

TEST(a_join_of_a_queue_never_used_returns_at_once)
{
    struct work work;
    work_init(&work, 10);
    CHECK_EQ(hkt_queue_join(work.queue), 0);
    CHECK(all_done(&work));
    CHECK_EQ(hkt_queue_task_done(work.queue), -EINVAL);
    hkt_queue_destroy(work.queue);
}

TEST(what_counts_is_done_and_not_taken_out)
{
    struct work work;
    work_init(&work, 10);
    put(&work, 2);
    CHECK(!all_done(&work));
    get(&work, 2);
    CHECK(hkt_queue_empty(work.queue));
    CHECK(!all_done(&work));
    say_done(&work, 1);
    CHECK(!all_done(&work));
    say_done(&work, 1);
    CHECK(all_done(&work));
    hkt_queue_destroy(work.queue);
}

TEST(more_done_than_was_put_in_is_refused)
{
    struct work work;
    work_init(&work, 10);
    put(&work, 3);
    get(&work, 3);
    say_done(&work, 3);
    CHECK_EQ(hkt_queue_task_done(work.queue), -EINVAL);
    CHECK_EQ(hkt_queue_task_done(work.queue), -EINVAL);
    put(&work, 1);
    CHECK(!all_done(&work));
    say_done(&work, 1);
    CHECK_EQ(hkt_queue_task_done(work.queue), -EINVAL);
    hkt_queue_destroy(work.queue);
}

TEST(all_who_join_wait_until_the_last_is_done)
{
    struct work work;
    struct caller joiners[3];
    work_init(&work, 10);
    work.deadline = hkt_after(1000);
    put(&work, 2);
    for (int i = 0; i < 3; i++)
        caller_start_waiting(&joiners[i], i ? join : join_until, &work, work.queue);
    get(&work, 2);
    say_done(&work, 1);
    for (int i = 0; i < 3; i++)
        CHECK(waits_for(joiners[i].thread, work.queue));
    CHECK_EQ(hkt_thread_get_state(joiners[0].thread), HKT_THREAD_TIMED_WAITING);
    CHECK_EQ(hkt_thread_get_state(joiners[1].thread), HKT_THREAD_BLOCKED);
    say_done(&work, 1);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&joiners[i]), 0);
    hkt_queue_destroy(work.queue);
}

TEST(a_later_put_arms_the_join_again)
{
    struct work work;
    struct caller joiner;
    work_init(&work, 10);
    for (int round = 0; round < 3; round++) {
        put(&work, 1);
        caller_start_waiting(&joiner, join, &work, work.queue);
        get(&work, 1);
        say_done(&work, 1);
        put(&work, 1); /* this one was put in after the end that the joiner has seen */
        CHECK_EQ(caller_end(&joiner), 0);
        CHECK(!all_done(&work));
        get(&work, 1);
        say_done(&work, 1);
    }
    hkt_queue_destroy(work.queue);
}

TEST(a_join_ends_at_its_deadline_and_not_before)
{
    struct work work;
    work_init(&work, 10);
    put(&work, 1);
    work.deadline = hkt_after(0.02);
    double begin = hkt_monotonic();
    CHECK_EQ(join_until(&work), -ETIMEDOUT);
    CHECK(hkt_monotonic() - begin < 10);
    hkt_queue_destroy(work.queue);
}

TEST(a_join_is_cancelled)
{
    struct work work;
    struct caller joiner;
    work_init(&work, 10);
    put(&work, 1);
    caller_start_waiting(&joiner, join, &work, work.queue);
    caller_cancel(&joiner);
    CHECK_EQ(caller_end(&joiner), -ECANCELED);
    get(&work, 1);
    say_done(&work, 1);
    CHECK_EQ(call_cancelled(join, &work), -ECANCELED);
    work.deadline = hkt_after(0);
    CHECK_EQ(call_cancelled(join_until, &work), 0);
    hkt_queue_destroy(work.queue);
}

static int put_one(void *arg)
{
    long item = 1;
    return hkt_queue_put(((struct work *)arg)->queue, &item);
}

TEST(a_put_counts_from_when_its_item_is_in)
{
    struct work work;
    struct caller first, second;
    work_init(&work, 1);
    put(&work, 1);
    caller_start_waiting(&first, put_one, &work, work.queue);
    caller_start_waiting(&second, put_one, &work, work.queue);
    caller_cancel(&second); /* never in, never counted */
    CHECK_EQ(caller_end(&second), -ECANCELED);
    get(&work, 1);
    CHECK_EQ(caller_end(&first), 0);
    say_done(&work, 1);
    CHECK(!all_done(&work));
    get(&work, 1);
    say_done(&work, 1);
    CHECK(all_done(&work));
    hkt_queue_destroy(work.queue);
}

static int get_one(void *arg)
{
    long item;
    return hkt_queue_get(((struct work *)arg)->queue, &item);
}

TEST(an_item_handed_to_one_who_waited_counts_too)
{
    struct work work;
    struct caller getter;
    work_init(&work, 1);
    caller_start_waiting(&getter, get_one, &work, work.queue);
    put(&work, 1);
    CHECK_EQ(caller_end(&getter), 0);
    CHECK(!all_done(&work));
    say_done(&work, 1);
    CHECK(all_done(&work));
    hkt_queue_destroy(work.queue);
}

static int do_tasks(void *arg)
{
    struct work *work = arg;
    long item;
    while (hkt_queue_get(work->queue, &item) == 0) {
        atomic_fetch_add(&work->done, 1);
        CHECK_EQ(hkt_queue_task_done(work->queue), 0);
    }
    return 0;
}

/* One puts in a batch and joins, again and again: at each join all of the batch is done. */
TEST_TIMEOUT(after_each_join_all_is_done, 60)
{
    struct test_random random = random_of(0);
    struct work work;
    struct caller workers[3];
    long given = 0;
    work_init(&work, 4);
    for (int i = 0; i < 3; i++)
        caller_start(&workers[i], do_tasks, &work);
    for (long round = test_scaled(2000); round > 0; round--) {
        for (uint64_t i = random_below(&random, 8); i > 0; i--, given++)
            CHECK_EQ(hkt_queue_put(work.queue, &given), 0);
        CHECK_EQ(hkt_queue_join(work.queue), 0);
        CHECK_EQ(atomic_load(&work.done), given);
    }
    hkt_queue_shutdown(work.queue, false);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&workers[i]), 0);
    hkt_queue_destroy(work.queue);
}

TEST_ABORTS(destroying_a_queue_that_somebody_joins_is_misuse,
            "hkt_queue_destroy: threads wait in queue 0x")
{
    struct work work;
    struct caller joiner;
    work_init(&work, 10);
    put(&work, 1);
    caller_start_waiting(&joiner, join, &work, work.queue);
    hkt_queue_destroy(work.queue);
}
