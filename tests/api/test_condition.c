/* SPDX-License-Identifier: MIT */
/* hkt_condition with a lock: who is woken, who is not, and how waits end. With an rlock, and for a
 * predicate: test_condition_forms.c. */
#include <hocket/condition.h>

#include "caller.h"
#include "random.h"
#include "test.h"

#define VISITORS 6

/* A lock, its condition, and who was woken in which order. */
struct room {
    hkt_lock lock;
    hkt_condition changed;
    hkt_deadline deadline;
    int order[VISITORS];
    int woken;
    bool released; /* by the test, before it releases the lock for the last time */
};

struct visitor {
    struct room *room;
    int number;
    struct caller caller;
};

/* Waits in the room; always comes back with the lock held. */
static int visit(void *arg)
{
    struct visitor *visitor = arg;
    struct room *room = visitor->room;
    hkt_lock_acquire(&room->lock);
    int err = hkt_condition_wait_until(&room->changed, &room->lock, room->deadline);
    CHECK(hkt_lock_locked(&room->lock));
    CHECK_EQ(hkt_lock_acquire_nowait(&room->lock), -EAGAIN);
    if (err == 0)
        room->order[room->woken++] = visitor->number;
    hkt_lock_release(&room->lock);
    return err;
}

/* Visitors first ... last - 1 wait, in this order. */
static void let_visit(struct room *room, struct visitor *visitors, int first, int last)
{
    for (int i = first; i < last; i++) {
        visitors[i].room = room;
        visitors[i].number = i;
        caller_start_waiting(&visitors[i].caller, visit, &visitors[i], &room->changed);
    }
}

/* These were not woken: a cancel still reaches them, as it would not if a notify had. */
static void check_not_woken(struct visitor *visitors, int first, int last)
{
    for (int i = first; i < last; i++)
        caller_cancel(&visitors[i].caller);
    for (int i = first; i < last; i++)
        CHECK_EQ(caller_end(&visitors[i].caller), -ECANCELED);
}

static void check_woken(struct visitor *visitors, int first, int last)
{
    for (int i = first; i < last; i++)
        CHECK_EQ(caller_end(&visitors[i].caller), 0);
}

TEST(a_notify_wakes_exactly_n_and_those_who_have_waited_longest)
{
    for (int n = 0; n <= VISITORS; n++) {
        struct room room = { .woken = 0 };
        struct visitor visitors[VISITORS];
        let_visit(&room, visitors, 0, VISITORS);
        hkt_lock_acquire(&room.lock);
        hkt_condition_notify(&room.changed, (size_t)n);
        hkt_lock_release(&room.lock);
        check_not_woken(visitors, n, VISITORS);
        check_woken(visitors, 0, n);
        CHECK_EQ(room.woken, n);
        for (int i = 0; i < n; i++)
            CHECK_EQ(room.order[i], i);
    }
}

TEST(a_notify_without_the_lock_wakes_just_as_many)
{
    struct room room = { .woken = 0 };
    struct visitor visitors[VISITORS];
    let_visit(&room, visitors, 0, VISITORS);
    hkt_condition_notify(&room.changed, 2);
    check_not_woken(visitors, 2, VISITORS);
    check_woken(visitors, 0, 2);
}

TEST(notifies_add_up)
{
    struct room room = { .woken = 0 };
    struct visitor visitors[VISITORS];
    let_visit(&room, visitors, 0, VISITORS);
    hkt_lock_acquire(&room.lock);
    hkt_condition_notify(&room.changed, 1);
    hkt_condition_notify(&room.changed, 3);
    hkt_lock_release(&room.lock);
    check_not_woken(visitors, 4, VISITORS);
    check_woken(visitors, 0, 4);
}

TEST(notify_all_wakes_all)
{
    struct room room = { .woken = 0 };
    struct visitor visitors[VISITORS];
    let_visit(&room, visitors, 0, VISITORS);
    hkt_condition_notify_all(&room.changed);
    check_woken(visitors, 0, VISITORS);
}

TEST(a_notify_for_more_than_there_are_wakes_all)
{
    struct room room = { .woken = 0 };
    struct visitor visitors[VISITORS];
    let_visit(&room, visitors, 0, 2);
    hkt_condition_notify(&room.changed, 100);
    check_woken(visitors, 0, 2);
    let_visit(&room, visitors, 2, 3); /* nothing is left over for this one */
    check_not_woken(visitors, 2, 3);
}

TEST(a_notify_with_nobody_there_is_forgotten)
{
    struct room room = { .woken = 0 };
    struct visitor visitors[VISITORS];
    hkt_condition_notify(&room.changed, 1);
    hkt_condition_notify_all(&room.changed);
    let_visit(&room, visitors, 0, 2);
    check_not_woken(visitors, 0, 2);
}

/* The notified have not run yet when the later one comes. */
TEST(a_later_comer_does_not_take_the_notify_of_another)
{
    struct room room = { .woken = 0 };
    struct visitor visitors[VISITORS];
    let_visit(&room, visitors, 0, 3);
    hkt_lock_acquire(&room.lock);
    hkt_condition_notify(&room.changed, 2);
    visitors[3] = (struct visitor){ &room, 3, { .thread = NULL } };
    caller_start_waiting(&visitors[3].caller, visit, &visitors[3], &room.lock);
    hkt_lock_release(&room.lock);
    await_waiting_for(visitors[3].caller.thread, &room.changed);
    check_not_woken(visitors, 2, 4);
    check_woken(visitors, 0, 2);
}

TEST(the_lock_is_free_while_they_wait)
{
    struct room room = { .woken = 0 };
    struct visitor visitors[VISITORS];
    let_visit(&room, visitors, 0, 3);
    CHECK_EQ(hkt_lock_acquire_nowait(&room.lock), 0);
    hkt_lock_release(&room.lock);
    hkt_condition_notify_all(&room.changed);
    check_woken(visitors, 0, 3);
    CHECK(!hkt_lock_locked(&room.lock));
}

/* 0 if the wait returned before the test released the lock for good; else its error, or 1. */
static int visit_and_look(void *arg)
{
    struct room *room = arg;
    hkt_lock_acquire(&room->lock);
    int err = hkt_condition_wait_until(&room->changed, &room->lock, room->deadline);
    bool released = room->released;
    hkt_lock_release(&room->lock);
    return !released ? 0 : err < 0 ? err : 1;
}

static void release_at_last(struct room *room)
{
    await_time(hkt_monotonic() + 0.002);
    room->released = true;
    hkt_lock_release(&room->lock);
}

TEST(the_woken_return_when_the_lock_is_theirs)
{
    struct room room = { .woken = 0 };
    struct caller visitors[3];
    for (int i = 0; i < 3; i++)
        caller_start_waiting(&visitors[i], visit_and_look, &room, &room.changed);
    hkt_lock_acquire(&room.lock);
    hkt_condition_notify_all(&room.changed);
    release_at_last(&room);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&visitors[i]), 1);
}

TEST(the_cancelled_return_when_the_lock_is_theirs)
{
    struct room room = { .woken = 0 };
    struct caller visitor;
    caller_start_waiting(&visitor, visit_and_look, &room, &room.changed);
    hkt_lock_acquire(&room.lock);
    caller_cancel(&visitor);
    release_at_last(&room);
    CHECK_EQ(caller_end(&visitor), -ECANCELED);
}

TEST(the_late_return_when_the_lock_is_theirs)
{
    for (double seconds = 0.02;; seconds *= 2) {
        struct room room = { .deadline = hkt_after(seconds) };
        struct caller visitor;
        caller_start(&visitor, visit_and_look, &room);
        AWAIT(waits_for(visitor.thread, &room.changed) || hkt_deadline_passed(room.deadline));
        hkt_lock_acquire(&room.lock);
        bool in_time = !hkt_deadline_passed(room.deadline);
        AWAIT(hkt_deadline_passed(room.deadline));
        release_at_last(&room);
        int err = caller_end(&visitor);
        if (in_time) { /* else this machine was busy: once more, with more time */
            CHECK_EQ(err, -ETIMEDOUT);
            break;
        }
    }
}

TEST(a_wait_for_a_condition_ends_at_its_deadline_and_not_before)
{
    hkt_lock lock = { 0 };
    hkt_condition changed = { 0 };
    double begin = hkt_monotonic();
    hkt_deadline deadline = hkt_after(0.03);
    hkt_lock_acquire(&lock);
    CHECK_EQ(hkt_condition_wait_until(&changed, &lock, deadline), -ETIMEDOUT);
    CHECK(hkt_deadline_passed(deadline));
    CHECK(hkt_monotonic() - begin >= 0.03 && hkt_monotonic() - begin < 10);
    CHECK_EQ(hkt_condition_wait_until(&changed, &lock, hkt_after(0)), -ETIMEDOUT);
    CHECK(hkt_lock_locked(&lock));
}

TEST(who_gave_up_takes_no_notify)
{
    struct room room = { .deadline = hkt_after(0.02) };
    struct visitor visitors[VISITORS];
    visitors[0] = (struct visitor){ &room, 0, { .thread = NULL } };
    caller_start(&visitors[0].caller, visit, &visitors[0]);
    CHECK_EQ(caller_end(&visitors[0].caller), -ETIMEDOUT);
    room.deadline = (hkt_deadline){ 0 };
    let_visit(&room, visitors, 1, 4);
    check_not_woken(visitors, 1, 2);
    hkt_condition_notify(&room.changed, 1);
    check_not_woken(visitors, 3, 4);
    check_woken(visitors, 2, 3);
}

TEST(who_is_notified_is_not_cancelled_any_more)
{
    struct room room = { .woken = 0 };
    struct visitor visitors[VISITORS];
    let_visit(&room, visitors, 0, VISITORS);
    hkt_lock_acquire(&room.lock);
    hkt_condition_notify_all(&room.changed);
    for (int i = 0; i < VISITORS; i++)
        caller_cancel(&visitors[i].caller);
    hkt_lock_release(&room.lock);
    check_woken(visitors, 0, VISITORS);
}

TEST(who_is_notified_in_time_is_not_late_any_more)
{
    for (double seconds = 0.02;; seconds *= 2) {
        struct room room = { .deadline = hkt_after(seconds) };
        struct visitor visitor = { .room = &room };
        caller_start(&visitor.caller, visit, &visitor);
        AWAIT(waits_for(visitor.caller.thread, &room.changed) ||
              hkt_deadline_passed(room.deadline));
        hkt_lock_acquire(&room.lock);
        hkt_condition_notify(&room.changed, 1);
        bool in_time = !hkt_deadline_passed(room.deadline);
        AWAIT(hkt_deadline_passed(room.deadline));
        hkt_lock_release(&room.lock);
        int err = caller_end(&visitor.caller);
        if (in_time) { /* else this machine was busy: once more, with more time */
            CHECK_EQ(err, 0);
            break;
        }
    }
}

static int wait_with_the_lock(void *arg)
{
    struct room *room = arg;
    CHECK(hkt_lock_locked(&room->lock));
    int err = hkt_condition_wait_until(&room->changed, &room->lock, room->deadline);
    CHECK(hkt_lock_locked(&room->lock));
    return err;
}

TEST(in_an_ended_scope_nobody_waits)
{
    struct room room = { .woken = 0 };
    hkt_lock_acquire(&room.lock);
    CHECK_EQ(call_cancelled(wait_with_the_lock, &room), -ECANCELED);
    room.deadline = hkt_after(1000);
    CHECK_EQ(call_cancelled(wait_with_the_lock, &room), -ECANCELED);
    room.deadline = hkt_after(0);
    CHECK_EQ(call_cancelled(wait_with_the_lock, &room), -ETIMEDOUT);
}

TEST_ABORTS(waiting_without_the_lock_is_misuse, "of condition 0x")
{
    static hkt_condition changed;
    static hkt_lock lock;
    CHECK_EQ(hkt_condition_wait(&changed, &lock), 0);
}

TEST_ABORTS(waiting_without_the_lock_until_a_deadline_is_misuse, "is not held")
{
    static hkt_condition changed;
    static hkt_lock lock;
    CHECK_EQ(hkt_condition_wait_until(&changed, &lock, hkt_after(0)), 0);
}

/* One notify for one token, and one who always waits. Beside that one there are others, who give
 * up all the time: whoever returns 0 takes the token, so each notify must end in exactly one 0. */
struct counter {
    hkt_lock lock;
    hkt_condition changed;
    bool patient_waits;
    bool over;
    long tokens; /* notified, and not yet taken */
    long taken;
    struct test_random random;
};

static int wait_patiently(void *arg)
{
    struct counter *counter = arg;
    hkt_lock_acquire(&counter->lock);
    while (!counter->over) {
        counter->patient_waits = true;
        CHECK_EQ(hkt_condition_wait(&counter->changed, &counter->lock), 0);
        counter->patient_waits = false;
        counter->taken += !counter->over;
        counter->tokens -= !counter->over;
    }
    hkt_lock_release(&counter->lock);
    return 0;
}

static int wait_shortly(void *arg)
{
    struct counter *counter = arg;
    hkt_lock_acquire(&counter->lock);
    while (!counter->over) {
        hkt_deadline deadline = hkt_after(random_seconds(&counter->random, 0.0003));
        int err = hkt_condition_wait_until(&counter->changed, &counter->lock, deadline);
        CHECK(err == 0 || (err == -ETIMEDOUT && hkt_deadline_passed(deadline)));
        counter->taken += !err && !counter->over;
        counter->tokens -= !err && !counter->over;
    }
    hkt_lock_release(&counter->lock);
    return 0;
}

/* Nobody owes anything, so the next token can be given out. */
static bool all_taken(struct counter *counter)
{
    hkt_lock_acquire(&counter->lock);
    bool all = counter->tokens == 0;
    hkt_lock_release(&counter->lock);
    return all;
}

TEST_TIMEOUT(a_notify_is_never_lost_with_one_who_gives_up, 60)
{
    long rounds = test_scaled(3000);
    struct counter counter = { .random = random_of(0) };
    struct caller callers[4];
    for (int i = 0; i < 4; i++)
        caller_start(&callers[i], i ? wait_shortly : wait_patiently, &counter);
    for (long round = 0; round < rounds;) {
        AWAIT(all_taken(&counter));
        hkt_lock_acquire(&counter.lock);
        if (counter.patient_waits) {
            counter.tokens++;
            hkt_condition_notify(&counter.changed, 1);
            round++;
        }
        hkt_lock_release(&counter.lock);
    }
    AWAIT(all_taken(&counter));
    hkt_lock_acquire(&counter.lock);
    CHECK_EQ(counter.taken, rounds);
    counter.over = true;
    hkt_condition_notify_all(&counter.changed);
    hkt_lock_release(&counter.lock);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
}
