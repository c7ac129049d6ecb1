/* SPDX-License-Identifier: MIT */
/* Scopes under way: new deadlines from other threads, and cancels from several at once while the
 * scope is being entered, waited in and left. */
#include <errno.h>
#include <stdatomic.h>

#include "waits.h"

static const struct wait_kind *const sleeping = &wait_kinds[0];
static const struct wait_kind *const reading = &wait_kinds[14];

static void start_asleep(struct waiter *waiter)
{
    waiter_start(waiter);
    await_asleep(waiter->thread);
}

/* Each test below is for a sleep on a futex and one in ppoll. */
static void for_both(void (*test)(struct place *place, const struct wait_kind *kind))
{
    struct place place;
    place_open(&place);
    CHECK_STR(reading->name, "fd, reading");
    test(&place, sleeping);
    test(&place, reading);
    place_close(&place);
}

static void earlier(struct place *place, const struct wait_kind *kind)
{
    struct waiter waiter = { .place = place, .kind = kind };
    waiter.options.deadline = hkt_after(100);
    start_asleep(&waiter);
    double before = hkt_monotonic();
    hkt_scope_reschedule(&waiter.scope, hkt_after(0.01));
    waiter_join(&waiter);
    double took = hkt_monotonic() - before;
    CHECK(took >= 0.01 - 1e-6 && took < SOON);
    CHECK_EQ(waiter.result, -ECANCELED);
    CHECK_EQ(waiter.left, -ETIMEDOUT);
}

TEST(an_earlier_deadline_from_another_thread)
{
    for_both(earlier);
}

static void first(struct place *place, const struct wait_kind *kind)
{
    struct waiter waiter = { .place = place, .kind = kind };
    start_asleep(&waiter);
    hkt_scope_reschedule(&waiter.scope, hkt_after(0.01));
    waiter_join(&waiter);
    CHECK_EQ(waiter.result, -ECANCELED);
    CHECK_EQ(waiter.left, -ETIMEDOUT);
}

TEST(a_first_deadline_from_another_thread)
{
    for_both(first);
}

static void past(struct place *place, const struct wait_kind *kind)
{
    struct waiter waiter = { .place = place, .kind = kind };
    start_asleep(&waiter);
    hkt_scope_reschedule(&waiter.scope, hkt_after(0));
    waiter_join(&waiter);
    CHECK_EQ(waiter.result, -ECANCELED);
    CHECK_EQ(waiter.left, -ETIMEDOUT);
}

TEST(a_passed_deadline_from_another_thread)
{
    for_both(past);
}

static void later(struct place *place, const struct wait_kind *kind)
{
    struct waiter waiter = { .place = place, .kind = kind };
    double before = hkt_monotonic();
    waiter.options.deadline = hkt_after(5);
    start_asleep(&waiter);
    hkt_scope_reschedule(&waiter.scope,
                         hkt_after(0.05)); /* earlier first, so that it is no wait of 5 s */
    hkt_scope_reschedule(&waiter.scope, hkt_after(0.1));
    double at = hkt_monotonic();
    waiter_join(&waiter);
    CHECK(hkt_monotonic() - before >= 0.05 - 1e-6);
    CHECK_EQ(waiter.result, -ECANCELED);
    CHECK_EQ(waiter.left, -ETIMEDOUT);
    /* Unless the first one had passed before it was put off. */
    if (at - before < 0.05)
        CHECK(hkt_monotonic() - before >= 0.1 - 1e-6);
}

TEST(a_later_deadline_from_another_thread)
{
    for_both(later);
}

static void taken_away(struct place *place, const struct wait_kind *kind)
{
    struct waiter waiter = { .place = place, .kind = kind };
    waiter.options.deadline = hkt_after(1);
    start_asleep(&waiter);
    hkt_scope_reschedule(&waiter.scope, (hkt_deadline){ 0 });
    await_time(waiter.began + 1.05);
    hkt_scope_cancel(&waiter.scope);
    waiter_join(&waiter);
    CHECK_EQ(waiter.result, -ECANCELED);
    if (waiter.left != -ECANCELED)
        CHECK(waiter.took < 1.01); /* the machine was late by a second: put off in vain */
}

TEST(a_deadline_taken_away_from_another_thread)
{
    for_both(taken_away);
}

static hkt_scope scopes[2];

static int sleep_in_two_scopes(void *entered)
{
    hkt_scope_enter(&scopes[0], &(hkt_scope_options){ .deadline = hkt_after(100) });
    hkt_scope_enter(&scopes[1], &(hkt_scope_options){ .deadline = hkt_after(200) });
    hkt_event_set(entered);
    CHECK_EQ(hkt_sleep(300), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scopes[1]), 0);
    CHECK_EQ(hkt_scope_leave(&scopes[0]), -ETIMEDOUT);
    return 0;
}

TEST(a_new_deadline_of_an_outer_scope_reaches_inner_waits)
{
    hkt_event entered = { 0 };
    hkt_thread *thread = must_spawn(sleep_in_two_scopes, &entered, NULL);
    CHECK_EQ(hkt_event_wait(&entered), 0);
    await_asleep(thread);
    hkt_scope_reschedule(&scopes[0], hkt_after(0.01));
    must_join(thread);
}

/* A scope that several threads are at, while its own thread enters, waits in and leaves it. */
struct storm {
    hkt_scope scope;
    hkt_event never;
    hkt_barrier start, end;
    atomic_bool over;
    atomic_long cancels;
};

static int cancel_always(void *arg)
{
    struct storm *storm = arg;
    while (hkt_barrier_wait(&storm->start) >= 0 && !storm->over) {
        hkt_scope_cancel(&storm->scope);
        storm->cancels++;
        hkt_scope_reschedule(&storm->scope, hkt_after(0.0001));
        CHECK(hkt_barrier_wait(&storm->end) >= 0);
    }
    return 0;
}

TEST_TIMEOUT(cancels_from_several_threads_race_with_the_wait, 60)
{
    static struct storm storm;
    hkt_thread *threads[3];
    CHECK_EQ(hkt_barrier_init(&storm.start, 4, NULL), 0);
    CHECK_EQ(hkt_barrier_init(&storm.end, 4, NULL), 0);
    for (int i = 0; i < 3; i++)
        threads[i] = must_spawn(cancel_always, &storm, NULL);
    for (long i = 0; i < test_scaled(2000); i++) {
        hkt_scope_enter(&storm.scope, NULL);
        CHECK(hkt_barrier_wait(&storm.start) >= 0 || hkt_scope_cancelled(&storm.scope));
        CHECK_EQ(hkt_event_wait(&storm.never), -ECANCELED);
        int left = hkt_scope_leave(&storm.scope);
        CHECK(left == -ECANCELED || left == -ETIMEDOUT);
        CHECK_EQ(hkt_checkpoint(), 0);
        CHECK(hkt_barrier_wait(&storm.end) >= 0);
    }
    storm.over = true;
    CHECK(hkt_barrier_wait(&storm.start) >= 0);
    for (int i = 0; i < 3; i++)
        must_join(threads[i]);
    CHECK_EQ(storm.cancels, 3 * test_scaled(2000));
}

/* A thread that passes through scopes quickly, none of them waited in, while another cancels. */
static int cancel_until_over(void *arg)
{
    struct storm *storm = arg;
    while (!storm->over) {
        hkt_scope_cancel(&storm->scope);
        storm->cancels++;
    }
    return 0;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* The cancelled scope is left while the canceller may still be at its thread, which then ends. */
TEST_TIMEOUT(leaving_waits_for_who_is_at_the_scope, 60)
{
    for (long i = 0; i < test_scaled(300); i++) {
        struct place place = { 0 };
        struct waiter waiter = { .place = &place, .kind = &wait_kinds[1] };
        waiter_start(&waiter);
        hkt_scope_cancel(&waiter.scope);
        hkt_scope_cancel(&waiter.scope);
        waiter_join(&waiter);
        CHECK_EQ(waiter.result, -ECANCELED);
    }
    must_join(must_spawn(nothing, NULL, NULL));
}

TEST_TIMEOUT(a_left_scope_is_cancelled_all_the_time, 60)
{
    static struct storm storm;
    hkt_scope_enter(&storm.scope, NULL);
    hkt_scope_leave(&storm.scope);
    hkt_thread *thread = must_spawn(cancel_until_over, &storm, NULL);
    AWAIT(storm.cancels > 10);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(hkt_checkpoint(), 0);
        CHECK_EQ(hkt_sleep(0), 0);
    }
    storm.over = true;
    must_join(thread);
}
