/* SPDX-License-Identifier: MIT */
/* Joining: one thread, by many and again, by itself, all of them. Deadlines and cancels are in
 * test_cancel.c. */
#include <errno.h>
#include <stdatomic.h>

#include "waits.h"

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int wait_for_event(void *event)
{
    return hkt_event_wait(event);
}

static int join_other(void *thread)
{
    return hkt_thread_join(thread);
}

static const hkt_thread_options be_daemon = { .daemon = HKT_DAEMON_YES };
static const hkt_deadline never;

TEST(a_join_waits_for_the_end)
{
    hkt_event event = { 0 };
    hkt_thread *thread = must_spawn(wait_for_event, &event, NULL);
    CHECK_EQ(hkt_thread_join_until(thread, hkt_after(0)), -ETIMEDOUT);
    CHECK_EQ(hkt_thread_join_until(thread, hkt_after(0.01)), -ETIMEDOUT);
    CHECK(hkt_thread_is_alive(thread));
    hkt_event_set(&event);
    CHECK_EQ(hkt_thread_join(thread), 0);
    CHECK(!hkt_thread_is_alive(thread));
    CHECK_EQ(hkt_thread_get_state(thread), HKT_THREAD_TERMINATED);
    hkt_thread_destroy(thread);
}

TEST(a_join_may_be_repeated)
{
    hkt_thread *thread = must_spawn(nothing, NULL, NULL);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(hkt_thread_join(thread), 0);
        CHECK_EQ(hkt_thread_join_until(thread, hkt_after(0)), 0);
        CHECK_EQ(hkt_thread_join_until(thread, hkt_after(1)), 0);
        CHECK_EQ(hkt_thread_join_until(thread, never), 0);
    }
    hkt_thread_destroy(thread);
}

TEST(many_join_one)
{
    hkt_event event = { 0 };
    hkt_thread *joiners[10];
    hkt_thread *thread = must_spawn(wait_for_event, &event, NULL);
    for (int i = 0; i < 10; i++)
        joiners[i] = must_spawn(join_other, thread, NULL);
    for (int i = 0; i < 9; i++)
        await_asleep(joiners[i]);
    hkt_event_set(&event);
    for (int i = 0; i < 10; i++)
        must_join(joiners[i]);
    must_join(thread);
}

static int join_oneself(void *arg)
{
    (void)arg;
    CHECK_EQ(hkt_thread_join(hkt_thread_current()), -EDEADLK);
    CHECK_EQ(hkt_thread_join_until(hkt_thread_current(), hkt_after(0)), -EDEADLK);
    CHECK_EQ(hkt_thread_join_until(hkt_thread_current(), hkt_after(0.01)), -EDEADLK);
    return 0;
}

TEST(joining_oneself_is_refused)
{
    must_join(must_spawn(join_oneself, NULL, NULL));
}

static int join_by_handle(void *arg)
{
    hkt_thread **handle = arg;
    CHECK(*handle == hkt_thread_current());
    return hkt_thread_join(*handle);
}

static void no_report(hkt_thread *thread, int err, const char *sentence)
{
    (void)thread;
    (void)err;
    (void)sentence;
}

TEST(joining_oneself_by_ones_handle_is_refused)
{
    static hkt_thread *thread;
    hkt_thread_set_excepthook(no_report);
    CHECK_EQ(hkt_thread_create(&thread, join_by_handle, &thread, NULL), 0);
    CHECK_EQ(hkt_thread_start(thread), 0);
    CHECK_EQ(join_result(thread), -EDEADLK);
}

TEST(joining_before_the_start_is_refused)
{
    hkt_thread *thread;
    CHECK_EQ(hkt_thread_create(&thread, nothing, NULL, NULL), 0);
    CHECK_EQ(hkt_thread_join(thread), -EINVAL);
    CHECK_EQ(hkt_thread_join_until(thread, hkt_after(0)), -EINVAL);
    CHECK_EQ(hkt_thread_start(thread), 0);
    must_join(thread);
}

TEST(joining_nobody_is_fine)
{
    CHECK_EQ(hkt_thread_join(NULL), 0);
    CHECK_EQ(hkt_thread_join_until(NULL, hkt_after(0)), 0);
}

static int join_main(void *arg)
{
    (void)arg;
    CHECK_EQ(hkt_thread_join(hkt_thread_main()), -EINVAL);
    return 0;
}

TEST(joining_main_is_refused)
{
    CHECK_EQ(hkt_thread_join(hkt_thread_main()), -EINVAL);
    must_join(must_spawn(join_main, NULL, NULL));
}

static int write_number(void *arg)
{
    *(int *)arg += 1;
    return 0;
}

TEST(what_the_thread_wrote_is_seen_after_the_join)
{
    int number = 0;
    for (int i = 0; i < test_scaled(500); i++) {
        hkt_thread *thread = must_spawn(write_number, &number, NULL);
        if (i % 2)
            CHECK_EQ(hkt_join_all(), 0);
        else
            CHECK_EQ(hkt_thread_join(thread), 0);
        CHECK_EQ(number, i + 1); /* plain memory: TSan would tell of a race */
        must_join(thread);
    }
}

TEST(all_are_joined_at_once_if_there_are_none)
{
    CHECK_EQ(hkt_join_all(), 0);
    CHECK_EQ(hkt_join_all_until(hkt_after(0)), 0);
    CHECK_EQ(hkt_join_all_until(hkt_after(1)), 0);
}

TEST(all_are_joined)
{
    hkt_event event = { 0 };
    hkt_thread *threads[8];
    for (int i = 0; i < 8; i++)
        threads[i] = must_spawn(wait_for_event, &event, NULL);
    CHECK_EQ(hkt_join_all_until(hkt_after(0)), -ETIMEDOUT);
    CHECK_EQ(hkt_join_all_until(hkt_after(0.01)), -ETIMEDOUT);
    hkt_event_set(&event);
    CHECK_EQ(hkt_join_all(), 0);
    for (int i = 0; i < 8; i++) {
        CHECK(!hkt_thread_is_alive(threads[i]));
        must_join(threads[i]);
    }
}

static atomic_int born, generations;

/* A thread that is followed by another, which nobody holds a handle of. */
static int bear(void *arg)
{
    born++;
    if (generations-- > 0)
        CHECK_EQ(hkt_thread_spawn(NULL, bear, arg, NULL), 0);
    return hkt_sleep(0.0005);
}

TEST(later_born_threads_are_joined_too)
{
    generations = 30;
    CHECK_EQ(hkt_thread_spawn(NULL, bear, NULL, NULL), 0);
    CHECK_EQ(hkt_join_all(), 0);
    CHECK_EQ(born, 31);
}

TEST(daemons_do_not_hold_up)
{
    static hkt_event event;
    hkt_thread *thread = must_spawn(wait_for_event, &event, &be_daemon);
    CHECK_EQ(hkt_thread_spawn(NULL, nothing, NULL, NULL), 0);
    CHECK_EQ(hkt_join_all(), 0);
    CHECK(hkt_thread_is_alive(thread));
    hkt_event_set(&event);
    must_join(thread);
}

static int join_all_of_a_daemon(void *arg)
{
    (void)arg;
    return hkt_join_all();
}

TEST(all_are_joined_by_another_than_main)
{
    hkt_event event = { 0 };
    hkt_thread *thread = must_spawn(wait_for_event, &event, NULL);
    hkt_thread *joiner = must_spawn(join_all_of_a_daemon, NULL, &be_daemon);
    await_asleep(joiner);
    hkt_event_set(&event);
    must_join(joiner);
    CHECK(!hkt_thread_is_alive(thread));
    must_join(thread);
    must_join(must_spawn(join_all_of_a_daemon, NULL, NULL)); /* itself does not count */
}

static int fail_quietly(void *arg)
{
    (void)arg;
    return -EIO;
}

TEST(the_failure_of_one_is_no_failure_of_joining_all)
{
    hkt_thread_set_excepthook(no_report);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(hkt_thread_spawn(NULL, fail_quietly, NULL, NULL), 0);
    CHECK_EQ(hkt_join_all(), 0);
}

TEST_TIMEOUT(after_joining_all_each_has_ended, 60)
{
    for (long i = 0; i < test_scaled(3000); i++) {
        int result = -1;
        hkt_thread *thread = must_spawn(nothing, NULL, NULL);
        CHECK_EQ(hkt_join_all(), 0);
        CHECK_EQ(hkt_thread_result(thread, &result), 0);
        CHECK_EQ(hkt_thread_get_state(thread), HKT_THREAD_TERMINATED);
        hkt_thread_destroy(thread);
    }
}

TEST_TIMEOUT(after_joining_all_nothing_is_left, 60)
{
    for (long i = 0; i < test_scaled(2000); i++) {
        CHECK_EQ(hkt_thread_spawn(NULL, nothing, NULL, NULL), 0);
        CHECK_EQ(hkt_join_all(), 0);
        CHECK_EQ(hkt_allocation_count(), 0);
        CHECK_EQ(hkt_thread_active_count(), 1);
    }
    CHECK_EQ(hkt_finalize(), 0);
}

/* Several join all while another starts threads that end at once: the start may not have returned
 * when the thread has been joined. */
struct race {
    atomic_bool over;
    atomic_long joins;
};

static int join_all_always(void *arg)
{
    struct race *race = arg;
    while (!race->over) {
        CHECK_EQ(hkt_join_all(), 0);
        race->joins++;
    }
    return 0;
}

TEST_TIMEOUT(joiners_race_with_the_start, 60)
{
    static struct race race;
    hkt_thread *joiners[2];
    for (int i = 0; i < 2; i++)
        joiners[i] = must_spawn(join_all_always, &race, &be_daemon);
    AWAIT(race.joins > 0);
    for (long i = 0; i < test_scaled(3000); i++)
        CHECK_EQ(hkt_thread_spawn(NULL, nothing, NULL, NULL), 0);
    CHECK_EQ(hkt_join_all(), 0);
    race.over = true;
    for (int i = 0; i < 2; i++)
        must_join(joiners[i]);
}

/* A handle that is given to another thread before the start: who joins meets the very start. */
struct given {
    hkt_thread *thread;
    hkt_barrier barrier;
};

static int join_given(void *arg)
{
    struct given *given = arg;
    int err;
    CHECK(hkt_barrier_wait(&given->barrier) >= 0);
    while ((err = hkt_thread_join(given->thread)) == -EINVAL)
        ;
    return err;
}

TEST_TIMEOUT(a_join_meets_the_start, 60)
{
    for (long i = 0; i < test_scaled(500); i++) {
        struct given given;
        CHECK_EQ(hkt_barrier_init(&given.barrier, 2, NULL), 0);
        CHECK_EQ(hkt_thread_create(&given.thread, nothing, NULL, NULL), 0);
        hkt_thread *joiner = must_spawn(join_given, &given, NULL);
        CHECK(hkt_barrier_wait(&given.barrier) >= 0);
        CHECK_EQ(hkt_thread_start(given.thread), 0);
        must_join(joiner);
        must_join(given.thread);
    }
}
