/* SPDX-License-Identifier: MIT */
/* Task groups with a limit: how many children are there at a time, who waits for room and in which order,
 * and how that ends. */
#include "groups.h"

struct count {
    atomic_int now, most, ran;
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
    return count_up(&count->ran);
}

static int spawn_up_to_a_limit(void *arg)
{
    (void)arg;
    for (size_t limit = 1; limit <= 3; limit++) {
        struct count count = { 0 };
        hkt_task_group group = { 0 };
        hkt_task_group_enter(&group, &(hkt_task_group_options){ .limit = limit });
        for (int i = 0; i < 50; i++) {
            must_spawn_into(&group, be_counted, &count);
            CHECK(hkt_task_group_count(&group) <= limit);
        }
        CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
        CHECK_EQ(count.ran, 50);
        CHECK(count.most >= 1 && count.most <= (int)limit);
    }
    return 0;
}

TEST(no_more_children_than_the_limit_says_are_there_at_a_time)
{
    in_each_kind(spawn_up_to_a_limit);
}

static int spawn_below_a_limit(void *arg)
{
    atomic_int ran = 0;
    hkt_task_group group = { 0 };
    struct tree levels[5];
    (void)arg;
    for (int i = 0; i < 5; i++)
        levels[i] = (struct tree){ &group, 4 - i, &ran };
    hkt_task_group_enter(&group, &(hkt_task_group_options){ .limit = 1 });
    must_spawn_into(&group, grow, &levels[0]);
    must_spawn_into(&group, grow, &levels[4]);
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    CHECK_EQ(ran, 32);
    return 0;
}

TEST(children_do_not_wait_for_room_in_their_own_group)
{
    in_each_kind(spawn_below_a_limit);
}

/* Spawns that wait for room. */

struct spawner {
    hkt_task_group *group;
    hkt_job *job;
    void *arg;
    char letter;
    char *log;
    atomic_int *place;
};

static int spawn_one(void *arg)
{
    struct spawner *spawner = arg;
    int err = hkt_task_group_spawn(spawner->group, NULL, spawner->job, spawner->arg);
    if (spawner->log)
        spawner->log[atomic_fetch_add(spawner->place, 1)] = spawner->letter;
    return err;
}

static int wait_for_room(void *arg)
{
    struct gate gate = { 0 };
    atomic_int ran = 0;
    hkt_task_group group = { 0 };
    struct spawner spawner = { .group = &group, .job = count_up, .arg = &ran };
    struct caller callers[2];
    (void)arg;
    hkt_task_group_enter(&group, &(hkt_task_group_options){ .limit = 1 });
    must_spawn_into(&group, stand_at, &gate);
    for (int i = 0; i < 2; i++)
        caller_start_waiting(&callers[i], spawn_one, &spawner, &group);
    caller_cancel(&callers[0]);
    CHECK_EQ(caller_end(&callers[0]), -ECANCELED);
    CHECK_EQ(hkt_task_group_count(&group), 1);
    hkt_event_set(&gate.open);
    CHECK_EQ(caller_end(&callers[1]), 0);
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    CHECK_EQ(ran, 1);
    return 0;
}

TEST(a_spawn_that_waits_for_room_may_be_cancelled)
{
    side_by_side(wait_for_room);
    CHECK_EQ(wait_for_room(NULL), 0);
    check_finalized();
}

static int end_those_who_wait_for_room(void *arg)
{
    (void)arg;
    for (int by_failure = 0; by_failure < 2; by_failure++) {
        struct gate gate = { .result = -EBADF };
        atomic_int ran = 0;
        hkt_task_group group = { 0 };
        struct spawner spawner = { .group = &group, .job = count_up, .arg = &ran };
        struct caller callers[3];
        hkt_scope shield;
        hkt_task_group_enter(&group, &(hkt_task_group_options){ .limit = 1 });
        must_spawn_into(&group, stand_at, &gate);
        for (int i = 0; i < 3; i++)
            caller_start_waiting(&callers[i], spawn_one, &spawner, &group);
        if (by_failure)
            hkt_event_set(&gate.open);
        else
            hkt_task_group_cancel(&group);
        hkt_scope_enter(&shield, &(hkt_scope_options){ .shield = true });
        for (int i = 0; i < 3; i++)
            CHECK_EQ(caller_end(&callers[i]), -ECANCELED);
        hkt_scope_leave(&shield);
        CHECK_EQ(hkt_task_group_leave(&group, 0), by_failure ? -EBADF : 0);
        CHECK_EQ(ran, 0);
    }
    return 0;
}

TEST(who_waits_for_room_learns_of_the_end_of_the_group)
{
    side_by_side(end_those_who_wait_for_room);
    CHECK_EQ(end_those_who_wait_for_room(NULL), 0);
    check_finalized();
}

/* The tasks of one loop get room in the order in which they came, and one who comes when there is room
 * again, but others have waited, goes behind them. */
#define QUEUE 6

static int queue_for_room(void *arg)
{
    char log[QUEUE + 2] = "";
    atomic_int place = 0;
    struct gate gate = { 0 };
    struct spawner spawners[QUEUE + 1];
    hkt_future *tasks[QUEUE + 1];
    hkt_task_group group = { 0 };
    (void)arg;
    hkt_task_group_enter(&group, &(hkt_task_group_options){ .limit = 1 });
    hkt_future *held = must_spawn_child(&group, stand_at, &gate);
    for (int i = 0; i <= QUEUE; i++)
        spawners[i] = (struct spawner){ &group, do_nothing, NULL, (char)('a' + i), log, &place };
    for (int i = 0; i < QUEUE; i++)
        CHECK_EQ(hkt_task_spawn(&tasks[i], spawn_one, &spawners[i]), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_yield(), 0); /* all of them wait */
    hkt_event_set(&gate.open);
    CHECK_EQ(hkt_future_finish(held), 0); /* there is room, and 'a' has not got its turn yet */
    CHECK_EQ(spawn_one(&spawners[QUEUE]), 0);
    for (int i = 0; i < QUEUE; i++)
        CHECK_EQ(hkt_future_finish(tasks[i]), 0);
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    CHECK_STR(log, "abcdefg");
    return 0;
}

TEST(room_is_given_in_the_order_of_coming)
{
    CHECK_EQ(hkt_run(queue_for_room, NULL), 0);
    check_finalized();
}
