/* SPDX-License-Identifier: MIT */
/* hkt_condition in its other forms: with an rlock, whose levels it gives back and takes again, and
 * waiting for a predicate. */
#include <hocket/condition.h>

#include "caller.h"
#include "random.h"
#include "test.h"

struct hall {
    hkt_rlock lock;
    hkt_condition changed;
    hkt_deadline deadline;
    int levels;
};

static int wait_with_levels(void *arg)
{
    struct hall *hall = arg;
    for (int level = 0; level < hall->levels; level++)
        hkt_rlock_acquire(&hall->lock);
    int err = hall->deadline.ns
                  ? hkt_condition_wait_rlock_until(&hall->changed, &hall->lock, hall->deadline)
                  : hkt_condition_wait_rlock(&hall->changed, &hall->lock);
    for (int level = 0; level < hall->levels; level++) {
        CHECK(hkt_rlock_owned(&hall->lock));
        hkt_rlock_release(&hall->lock);
    }
    CHECK(!hkt_rlock_owned(&hall->lock));
    return err;
}

TEST(a_wait_gives_back_all_levels_and_takes_as_many_again)
{
    struct hall hall = { .levels = 5 };
    struct caller waiter;
    caller_start_waiting(&waiter, wait_with_levels, &hall, &hall.changed);
    CHECK_EQ(hkt_rlock_acquire_nowait(&hall.lock), 0);
    CHECK_EQ(hkt_rlock_acquire_nowait(&hall.lock), 0);
    hkt_condition_notify(&hall.changed, 1);
    hkt_rlock_release(&hall.lock);
    CHECK(hkt_rlock_owned(&hall.lock));
    hkt_rlock_release(&hall.lock);
    CHECK_EQ(caller_end(&waiter), 0);
    CHECK(!hkt_rlock_locked(&hall.lock));
}

TEST(a_wait_that_fails_takes_all_levels_again)
{
    struct hall hall = { .levels = 3, .deadline = hkt_after(0.01) };
    struct caller waiter;
    CHECK_EQ(wait_with_levels(&hall), -ETIMEDOUT);
    CHECK(hkt_deadline_passed(hall.deadline));
    hall.deadline = hkt_after(0);
    CHECK_EQ(wait_with_levels(&hall), -ETIMEDOUT);
    hall.deadline = hkt_after(1000);
    CHECK_EQ(call_cancelled(wait_with_levels, &hall), -ECANCELED);
    caller_start_waiting(&waiter, wait_with_levels, &hall, &hall.changed);
    caller_cancel(&waiter);
    CHECK_EQ(caller_end(&waiter), -ECANCELED);
    CHECK(!hkt_rlock_locked(&hall.lock));
}

static int hold_and_wait(void *arg)
{
    struct hall *hall = arg;
    return hkt_condition_wait_rlock(&hall->changed, &hall->lock);
}

TEST_ABORTS(waiting_with_an_rlock_of_nobody_is_misuse, "hkt_condition_wait_rlock: rlock 0x")
{
    static struct hall hall;
    hold_and_wait(&hall);
}

TEST_ABORTS(waiting_with_the_rlock_of_another_is_misuse, "is not held by the caller")
{
    static struct hall hall;
    hkt_rlock_acquire(&hall.lock);
    call_elsewhere(hold_and_wait, &hall);
}

/* A number that somebody waits for. */
struct goal {
    hkt_lock lock;
    hkt_condition changed;
    hkt_deadline deadline;
    int value, wanted;
    int asked; /* how often the predicate was called */
    atomic_bool over;
};

static bool reached(void *arg)
{
    struct goal *goal = arg;
    CHECK(hkt_lock_locked(&goal->lock));
    goal->asked++;
    return goal->value >= goal->wanted;
}

static int wait_for_goal(void *arg)
{
    struct goal *goal = arg;
    hkt_lock_acquire(&goal->lock);
    int err = goal->deadline.ns
                  ? hkt_condition_wait_for_until(&goal->changed, &goal->lock, reached, goal,
                                                 goal->deadline)
                  : hkt_condition_wait_for(&goal->changed, &goal->lock, reached, goal);
    CHECK(hkt_lock_locked(&goal->lock));
    CHECK(err < 0 || goal->value >= goal->wanted);
    hkt_lock_release(&goal->lock);
    atomic_store(&goal->over, true);
    return err;
}

/* As others change it: how often the predicate was asked till now. */
static int step(struct goal *goal, bool notify)
{
    hkt_lock_acquire(&goal->lock);
    goal->value++;
    if (notify)
        hkt_condition_notify_all(&goal->changed);
    int asked = goal->asked;
    hkt_lock_release(&goal->lock);
    return asked;
}

static int times_asked(struct goal *goal)
{
    hkt_lock_acquire(&goal->lock);
    int asked = goal->asked;
    hkt_lock_release(&goal->lock);
    return asked;
}

TEST(a_predicate_that_holds_is_asked_once_and_needs_no_wait)
{
    struct goal goal = { .wanted = 0 };
    CHECK_EQ(wait_for_goal(&goal), 0);
    CHECK_EQ(goal.asked, 1);
    goal.deadline = hkt_after(0);
    CHECK_EQ(wait_for_goal(&goal), 0);
    CHECK_EQ(goal.asked, 2);
}

TEST(the_predicate_is_asked_after_each_notify_until_it_holds)
{
    struct goal goal = { .wanted = 4 };
    struct caller waiter;
    caller_start_waiting(&waiter, wait_for_goal, &goal, &goal.changed);
    for (int i = 1; i <= 3; i++) {
        CHECK_EQ(step(&goal, true), i);
        AWAIT(times_asked(&goal) == i + 1 && waits_for(waiter.thread, &goal.changed));
    }
    CHECK_EQ(step(&goal, true), 4);
    CHECK_EQ(caller_end(&waiter), 0);
    CHECK_EQ(goal.asked, 5);
}

TEST(a_wait_for_a_predicate_ends_at_its_deadline_and_not_before)
{
    struct goal goal = { .wanted = 1, .deadline = hkt_after(0.03) };
    CHECK_EQ(wait_for_goal(&goal), -ETIMEDOUT);
    CHECK(hkt_deadline_passed(goal.deadline));
    goal.deadline = hkt_after(0);
    CHECK_EQ(wait_for_goal(&goal), -ETIMEDOUT);
}

/* Somebody notifies all the time, and it is never so. A deadline for each wait would never pass. */
TEST(many_notifies_do_not_move_the_one_deadline)
{
    struct goal goal = { .wanted = INT32_MAX, .deadline = hkt_after(0.1) };
    struct caller waiter;
    double begin = hkt_monotonic();
    caller_start(&waiter, wait_for_goal, &goal);
    while (!atomic_load(&goal.over)) {
        step(&goal, true);
        await_moment();
    }
    CHECK_EQ(caller_end(&waiter), -ETIMEDOUT);
    CHECK(hkt_deadline_passed(goal.deadline));
    CHECK(hkt_monotonic() - begin < 10);
}

TEST(what_has_become_true_by_the_deadline_is_success)
{
    struct goal goal = { .wanted = 1 };
    struct caller waiter;
    goal.deadline = hkt_after(0.05);
    caller_start(&waiter, wait_for_goal, &goal);
    AWAIT(waits_for(waiter.thread, &goal.changed) || hkt_deadline_passed(goal.deadline));
    bool in_time = !hkt_deadline_passed(goal.deadline);
    step(&goal, false);
    in_time = in_time && !hkt_deadline_passed(goal.deadline);
    int err = caller_end(&waiter);
    CHECK(err == 0 || !in_time);
}

TEST(what_has_become_true_by_the_cancel_is_success)
{
    struct goal goal = { .wanted = 1 };
    struct caller waiter;
    caller_start_waiting(&waiter, wait_for_goal, &goal, &goal.changed);
    step(&goal, false);
    caller_cancel(&waiter);
    CHECK_EQ(caller_end(&waiter), 0);
}

TEST(a_cancel_ends_the_wait_for_a_predicate)
{
    struct goal goal = { .wanted = 1 };
    struct caller waiter;
    caller_start_waiting(&waiter, wait_for_goal, &goal, &goal.changed);
    caller_cancel(&waiter);
    CHECK_EQ(caller_end(&waiter), -ECANCELED);
    CHECK_EQ(call_cancelled(wait_for_goal, &goal), -ECANCELED);
    goal.value = 1;
    CHECK_EQ(call_cancelled(wait_for_goal, &goal), 0);
}

/* The textbook's bounded buffer: two conditions, several producers and consumers. */
struct buffer {
    hkt_lock lock;
    hkt_condition not_full, not_empty;
    long items[4];
    size_t count;
    long turns;
    long put, taken; /* sums */
};

static bool has_room(void *arg)
{
    return ((struct buffer *)arg)->count < 4;
}

static bool has_item(void *arg)
{
    return ((struct buffer *)arg)->count > 0;
}

static int produce(void *arg)
{
    struct buffer *buffer = arg;
    for (long turn = 1; turn <= buffer->turns; turn++) {
        hkt_lock_acquire(&buffer->lock);
        CHECK_EQ(hkt_condition_wait_for(&buffer->not_full, &buffer->lock, has_room, buffer), 0);
        buffer->items[buffer->count++] = turn;
        buffer->put += turn;
        hkt_condition_notify(&buffer->not_empty, 1);
        hkt_lock_release(&buffer->lock);
    }
    return 0;
}

static int consume(void *arg)
{
    struct buffer *buffer = arg;
    for (long turn = 1; turn <= buffer->turns; turn++) {
        hkt_lock_acquire(&buffer->lock);
        while (!has_item(buffer))
            CHECK_EQ(hkt_condition_wait(&buffer->not_empty, &buffer->lock), 0);
        buffer->taken += buffer->items[--buffer->count];
        hkt_lock_release(&buffer->lock);
        hkt_condition_notify(&buffer->not_full, 1);
    }
    return 0;
}

TEST_TIMEOUT(a_bounded_buffer_loses_nothing, 60)
{
    struct buffer buffer = { .turns = test_scaled(10000) };
    struct caller callers[6];
    for (int i = 0; i < 6; i++)
        caller_start(&callers[i], i % 2 ? produce : consume, &buffer);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
    CHECK_EQ(buffer.count, 0);
    CHECK_EQ(buffer.put, 3 * buffer.turns * (buffer.turns + 1) / 2);
    CHECK_EQ(buffer.taken, buffer.put);
}
