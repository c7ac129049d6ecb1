/* SPDX-License-Identifier: MIT */
/* hkt_shared_condition between the threads of one process: who is woken, who is not, and how waits
 * end. Between processes: test_shared_condition_kills.c. */
#include <hocket/shared_condition.h>

#include "caller.h"
#include "shared_tests.h"

#define VISITORS 6

/* A lock, its condition, and how many were woken. */
struct room {
    hkt_shared_lock lock;
    hkt_shared_rlock rlock;
    hkt_shared_condition changed;
    hkt_deadline deadline;
    int woken;
    bool open;
    long turns, items, taken;
};

static void lock(struct room *room)
{
    CHECK_EQ(hkt_shared_lock_acquire(&room->lock), 0);
}

/* Waits in the room; always comes back with the lock held. */
static int visit(void *arg)
{
    struct room *room = arg;
    lock(room);
    int err = hkt_shared_condition_wait_until(&room->changed, &room->lock, room->deadline);
    CHECK_EQ(hkt_shared_lock_holder(&room->lock), getpid());
    if (err == 0)
        room->woken++;
    CHECK(err != -ETIMEDOUT || hkt_deadline_passed(room->deadline));
    hkt_shared_lock_release(&room->lock);
    return err;
}

static void let_visit(struct room *room, struct caller *visitors, int first, int last)
{
    for (int i = first; i < last; i++)
        caller_start_waiting(&visitors[i], visit, room, &room->changed);
}

/* Exactly so many of them were woken: a cancel reaches the others, as it would not if a notify
 * had. */
static void check_woken(struct caller *visitors, int first, int last, int n)
{
    int woken = 0, cancelled = 0;
    for (int i = first; i < last; i++)
        caller_cancel(&visitors[i]);
    for (int i = first; i < last; i++) {
        int err = caller_end(&visitors[i]);
        woken += err == 0;
        cancelled += err == -ECANCELED;
    }
    CHECK_EQ(woken, n);
    CHECK_EQ(cancelled, last - first - n);
}

TEST(a_notify_wakes_exactly_n)
{
    struct room *room = shared_new(sizeof *room);
    for (int n = 0; n <= VISITORS; n++) {
        struct caller visitors[VISITORS];
        let_visit(room, visitors, 0, VISITORS);
        lock(room);
        hkt_shared_condition_notify(&room->changed, (size_t)n);
        hkt_shared_lock_release(&room->lock);
        check_woken(visitors, 0, VISITORS, n);
    }
    shared_end(room);
}

TEST(a_notify_without_the_lock_wakes_just_as_many)
{
    struct room *room = shared_new(sizeof *room);
    struct caller visitors[VISITORS];
    let_visit(room, visitors, 0, VISITORS);
    hkt_shared_condition_notify(&room->changed, 2);
    check_woken(visitors, 0, VISITORS, 2);
    shared_end(room);
}

TEST(notifies_add_up)
{
    struct room *room = shared_new(sizeof *room);
    struct caller visitors[VISITORS];
    let_visit(room, visitors, 0, VISITORS);
    lock(room);
    hkt_shared_condition_notify(&room->changed, 1);
    hkt_shared_condition_notify(&room->changed, 3);
    hkt_shared_lock_release(&room->lock);
    check_woken(visitors, 0, VISITORS, 4);
    shared_end(room);
}

TEST(notify_all_wakes_all_and_leaves_nothing_over)
{
    struct room *room = shared_new(sizeof *room);
    struct caller visitors[VISITORS];
    hkt_shared_condition_notify(&room->changed, 1);
    hkt_shared_condition_notify_all(&room->changed);
    let_visit(room, visitors, 0, 3);
    hkt_shared_condition_notify_all(&room->changed);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&visitors[i]), 0);
    let_visit(room, visitors, 0, 2);
    hkt_shared_condition_notify(&room->changed, 100);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(caller_end(&visitors[i]), 0);
    let_visit(room, visitors, 0, VISITORS);
    check_woken(visitors, 0, VISITORS, 0);
    shared_end(room);
}

/* The notified cannot go on before the later ones wait, too: a notify for two is had by two. */
TEST(who_comes_later_takes_no_notify_of_others)
{
    struct room *room = shared_new(sizeof *room);
    for (long round = test_scaled(50); round > 0; round--) {
        struct caller visitors[VISITORS], later[2];
        let_visit(room, visitors, 0, 3);
        lock(room);
        hkt_shared_condition_notify(&room->changed, 3);
        for (int i = 0; i < 2; i++)
            caller_start_waiting(&later[i], visit, room, &room->lock);
        hkt_shared_lock_release(&room->lock);
        for (int i = 0; i < 2; i++)
            await_waiting_for(later[i].thread, &room->changed);
        for (int i = 0; i < 3; i++)
            CHECK_EQ(caller_end(&visitors[i]), 0);
        check_woken(later, 0, 2, 0);
    }
    shared_end(room);
}

TEST(a_wait_ends_at_its_deadline_and_not_before)
{
    struct room *room = shared_new(sizeof *room);
    double begin = hkt_monotonic();
    room->deadline = hkt_after(0.03);
    CHECK_EQ(call_elsewhere(visit, room), -ETIMEDOUT);
    CHECK(hkt_monotonic() - begin >= 0.03);
    room->deadline = hkt_after(0);
    CHECK_EQ(call_elsewhere(visit, room), -ETIMEDOUT);
    CHECK_EQ(call_cancelled(visit, room), -ETIMEDOUT);
    room->deadline = hkt_after(1000);
    CHECK_EQ(call_cancelled(visit, room), -ECANCELED);
    shared_end(room);
}

/* One gives up in the moment of a notify for one: either it has it, or the other one does. */
TEST(who_gives_up_takes_no_notify_with_it)
{
    struct room *room = shared_new(sizeof *room);
    for (long round = test_scaled(500); round > 0; round--) {
        struct caller quitter, other;
        caller_start_waiting(&quitter, visit, room, &room->changed);
        caller_start_waiting(&other, visit, room, &room->changed);
        hkt_shared_condition_notify(&room->changed, 1);
        caller_cancel(&quitter);
        if (caller_end(&quitter) == 0)
            hkt_shared_condition_notify(&room->changed, 1);
        CHECK_EQ(caller_end(&other), 0);
    }
    shared_end(room);
}

static int visit_with_levels(void *arg)
{
    struct room *room = arg;
    for (int level = 0; level < 3; level++)
        CHECK_EQ(hkt_shared_rlock_acquire(&room->rlock), 0);
    int err = hkt_shared_condition_wait_rlock(&room->changed, &room->rlock);
    for (int level = 0; level < 3; level++) {
        CHECK(hkt_shared_rlock_owned(&room->rlock));
        hkt_shared_rlock_release(&room->rlock);
    }
    CHECK(!hkt_shared_rlock_owned(&room->rlock));
    return err;
}

TEST(with_an_rlock_all_levels_are_given_back_and_taken_again)
{
    struct room *room = shared_new(sizeof *room);
    struct caller visitor;
    caller_start_waiting(&visitor, visit_with_levels, room, &room->changed);
    CHECK_EQ(hkt_shared_rlock_acquire(&room->rlock), 0);
    hkt_shared_condition_notify(&room->changed, 1);
    hkt_shared_rlock_release(&room->rlock);
    CHECK_EQ(caller_end(&visitor), 0);
    shared_end(room);
}

static bool is_open(void *arg)
{
    return ((struct room *)arg)->open;
}

static int wait_for_open(void *arg)
{
    struct room *room = arg;
    lock(room);
    int err = hkt_shared_condition_wait_for_until(&room->changed, &room->lock, is_open, room,
                                                  room->deadline);
    hkt_shared_lock_release(&room->lock);
    return err;
}

TEST(a_wait_for_a_predicate_looks_again_after_each_notify)
{
    struct room *room = shared_new(sizeof *room);
    struct caller waiter;
    caller_start_waiting(&waiter, wait_for_open, room, &room->changed);
    hkt_shared_condition_notify_all(&room->changed);
    lock(room);
    room->open = true;
    hkt_shared_condition_notify_all(&room->changed);
    hkt_shared_lock_release(&room->lock);
    CHECK_EQ(caller_end(&waiter), 0);
    CHECK_EQ(call_elsewhere(wait_for_open, room), 0);
    room->open = false;
    room->deadline = hkt_after(0.01);
    CHECK_EQ(call_elsewhere(wait_for_open, room), -ETIMEDOUT);
    shared_end(room);
}

TEST_ABORTS(to_wait_without_the_lock_is_misuse, "is not held")
{
    struct room *room = shared_new(sizeof *room);
    CHECK_EQ(hkt_shared_condition_wait(&room->changed, &room->lock), 0);
}

TEST_ABORTS(to_wait_without_the_rlock_is_misuse, "is not held by the caller")
{
    struct room *room = shared_new(sizeof *room);
    CHECK_EQ(hkt_shared_condition_wait_rlock(&room->changed, &room->rlock), 0);
}
