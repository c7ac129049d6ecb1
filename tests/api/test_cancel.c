/* SPDX-License-Identifier: MIT */
/* Scopes and deadlines against each kind of wait (waits.h): who ends it, with what, and when. */
#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "waits.h"

static hkt_deadline never;

/* Runs `test` in a place of its own for each kind of wait. */
static void for_each_kind(void (*test)(struct place *place, const struct wait_kind *kind))
{
    for (size_t i = 0; i < wait_kind_count; i++) {
        struct place place;
        place_open(&place);
        test(&place, &wait_kinds[i]);
        place_close(&place);
    }
}

static void cancel_asleep(struct place *place, const struct wait_kind *kind)
{
    struct waiter waiter = { .place = place, .kind = kind };
    waiter_start(&waiter);
    await_asleep(waiter.thread);
    hkt_scope_cancel(&waiter.scope);
    waiter_join(&waiter);
    CHECK_EQ(waiter.result, -ECANCELED);
    CHECK(waiter.again == -ECANCELED || waiter.again == -EPIPE); /* a broken barrier says so */
    CHECK_EQ(waiter.left, -ECANCELED);
}

TEST_TIMEOUT(a_cancel_from_another_thread_ends_each_wait, 60)
{
    for_each_kind(cancel_asleep);
}

static void cancel_at_once(struct place *place, const struct wait_kind *kind)
{
    for (int i = 0; i < 20; i++) {
        struct waiter waiter = { .place = place, .kind = kind };
        waiter_start(&waiter);
        hkt_scope_cancel(&waiter.scope); /* it runs, spins, or sleeps */
        waiter_join(&waiter);
        CHECK(waiter.result == -ECANCELED || (waiter.result == -EPIPE && i > 0));
        CHECK_EQ(waiter.left, -ECANCELED);
        if (hkt_barrier_broken(&place->barrier))
            hkt_barrier_reset(&place->barrier);
    }
}

TEST_TIMEOUT(a_cancel_at_any_moment_ends_each_wait, 60)
{
    for_each_kind(cancel_at_once);
}

static void scope_deadline(struct place *place, const struct wait_kind *kind)
{
    struct waiter waiter = { .place = place, .kind = kind };
    double before = hkt_monotonic();
    waiter.options.deadline = hkt_after(0.02);
    waiter_start(&waiter);
    waiter_join(&waiter);
    CHECK(hkt_monotonic() - before >= 0.02 - 1e-6);
    CHECK_EQ(waiter.result, -ECANCELED); /* never -ETIMEDOUT: that is for the wait's own deadline */
    CHECK_EQ(waiter.left, -ETIMEDOUT);
    CHECK(waiter.took < SOON);
}

TEST_TIMEOUT(the_deadline_of_the_scope_ends_each_wait, 60)
{
    for_each_kind(scope_deadline);
}

static void scope_deadline_first(struct place *place, const struct wait_kind *kind)
{
    struct waiter waiter = { .place = place, .kind = kind, .deadline = hkt_after(100) };
    waiter.options.deadline = hkt_after(0.01);
    if (!kind->wait_until)
        return;
    waiter_start(&waiter);
    waiter_join(&waiter);
    CHECK_EQ(waiter.result, -ECANCELED);
    CHECK_EQ(waiter.left, -ETIMEDOUT);
}

TEST_TIMEOUT(the_earlier_deadline_of_the_scope_ends_each_wait, 60)
{
    for_each_kind(scope_deadline_first);
}

static void own_deadline(struct place *place, const struct wait_kind *kind)
{
    struct waiter waiter = { .place = place, .kind = kind };
    if (!kind->wait_until)
        return;
    double before = hkt_monotonic();
    waiter.deadline = hkt_after(0.02);
    waiter.options.deadline = hkt_after(100);
    waiter_start(&waiter);
    waiter_join(&waiter);
    CHECK(hkt_monotonic() - before >= 0.02 - 1e-6);
    CHECK_EQ(waiter.result, kind->timed_out);
    CHECK_EQ(waiter.left, 0);
    CHECK(waiter.took < SOON);
}

TEST_TIMEOUT(its_own_deadline_ends_each_wait, 60)
{
    for_each_kind(own_deadline);
}

static void past_deadline(struct place *place, const struct wait_kind *kind)
{
    const hkt_deadline pasts[] = { hkt_after(0), hkt_after(-1), { 2 }, { -1 } };
    for (size_t i = 0; kind->wait_until && i < sizeof pasts / sizeof *pasts; i++) {
        hkt_barrier_reset(&place->barrier);
        CHECK_EQ(kind->wait_until(place, pasts[i]), kind->timed_out);
    }
}

TEST(a_deadline_in_the_past_ends_each_wait_at_once)
{
    double before = hkt_monotonic();
    for_each_kind(past_deadline);
    CHECK(hkt_monotonic() - before < SOON);
    CHECK_EQ(hkt_finalize(), 0); /* closes the eventfd of main */
}

static void cancelled_before(struct place *place, const struct wait_kind *kind)
{
    hkt_scope scope;
    printf("%s\n", kind->name);
    hkt_scope_enter(&scope, NULL);
    hkt_scope_cancel(&scope);
    CHECK_EQ(kind->wait(place), -ECANCELED);
    hkt_barrier_reset(&place->barrier);
    if (kind->wait_until) {
        CHECK_EQ(kind->wait_until(place, hkt_after(100)), -ECANCELED);
        hkt_barrier_reset(&place->barrier);
        CHECK_EQ(kind->wait_until(place, never), -ECANCELED);
    }
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
}

TEST(in_a_cancelled_scope_no_wait_begins)
{
    for_each_kind(cancelled_before);
}

static void not_a_point(struct place *place, const struct wait_kind *kind)
{
    hkt_scope scope;
    printf("%s\n", kind->name);
    if (!kind->wait_until || kind->timed_out == 0) /* a sleep of no time does look at the scope */
        return;
    hkt_scope_enter(&scope, NULL);
    hkt_scope_cancel(&scope);
    CHECK_EQ(kind->wait_until(place, hkt_after(0)), kind->timed_out);
    hkt_barrier_reset(&place->barrier);
    CHECK_EQ(kind->wait_until(place, hkt_after(-1)), kind->timed_out);
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
}

TEST(a_deadline_of_no_time_is_no_cancellation_point)
{
    for_each_kind(not_a_point);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(nowait_is_no_cancellation_point)
{
    struct place place;
    hkt_scope scope;
    int item = 5;
    place_open(&place);
    hkt_scope_enter(&scope, NULL);
    hkt_scope_cancel(&scope);
    CHECK_EQ(hkt_lock_acquire_nowait(&place.lock), -EAGAIN);
    CHECK_EQ(hkt_lock_acquire_nowait(&place.condition_lock), 0);
    hkt_lock_release(&place.condition_lock);
    CHECK_EQ(hkt_rlock_acquire_nowait(&place.rlock), -EAGAIN);
    CHECK_EQ(hkt_rwlock_acquire_read_nowait(&place.rwlock), -EAGAIN);
    CHECK_EQ(hkt_rwlock_acquire_write_nowait(&place.rwlock), -EAGAIN);
    CHECK_EQ(hkt_semaphore_acquire_nowait(&place.semaphore), -EAGAIN);
    CHECK_EQ(hkt_queue_get_nowait(place.empty, &item), -EAGAIN);
    CHECK_EQ(hkt_queue_put_nowait(place.full, &item), -EAGAIN);
    CHECK_EQ(hkt_queue_get_nowait(place.full, &item), 0);
    CHECK_EQ(item, 1);
    CHECK_EQ(hkt_queue_put_nowait(place.full, &item), 0);
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
    place_close(&place);
}

/* In an ended scope every cancellable wait says so, also one that need not wait; nothing is
 * taken. */
TEST(in_a_cancelled_scope_nothing_is_taken)
{
    hkt_event event = { 0 };
    hkt_lock lock = { 0 };
    hkt_semaphore semaphore;
    hkt_queue *queue;
    hkt_scope scope;
    int fds[2], item = 5;
    CHECK_EQ(hkt_semaphore_init(&semaphore, 1), 0);
    CHECK_EQ(hkt_queue_create(&queue, sizeof item, NULL), 0);
    CHECK_EQ(hkt_queue_put(queue, &item), 0);
    CHECK_EQ(pipe(fds), 0);
    hkt_event_set(&event);
    hkt_scope_enter(&scope, NULL);
    hkt_scope_cancel(&scope);
    CHECK_EQ(hkt_event_wait(&event), -ECANCELED);
    CHECK_EQ(hkt_lock_acquire_until(&lock, never), -ECANCELED);
    CHECK(!hkt_lock_locked(&lock));
    CHECK_EQ(hkt_semaphore_acquire(&semaphore), -ECANCELED);
    CHECK_EQ(hkt_semaphore_value(&semaphore), 1);
    item = -1;
    CHECK_EQ(hkt_queue_get(queue, &item), -ECANCELED);
    CHECK_EQ(item, -1);
    CHECK_EQ(hkt_queue_put(queue, &item), -ECANCELED);
    CHECK_EQ(hkt_queue_qsize(queue), 1);
    CHECK_EQ(hkt_fd_wait(fds[1], HKT_WRITABLE), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
    CHECK_EQ(hkt_queue_get(queue, &item), 0);
    CHECK_EQ(item, 5);
    hkt_queue_destroy(queue);
    close(fds[0]);
    close(fds[1]);
}

static int take_all_locks(void *arg)
{
    struct place *place = arg;
    hkt_scope scope;
    hkt_scope_enter(&scope, NULL);
    hkt_scope_cancel(&scope);
    hkt_lock_acquire(&place->lock);
    hkt_lock_release(&place->lock);
    hkt_rlock_acquire(&place->rlock);
    hkt_rlock_release(&place->rlock);
    hkt_rwlock_acquire_read(&place->rwlock);
    hkt_rwlock_release_read(&place->rwlock);
    hkt_rwlock_acquire_write(&place->rwlock);
    hkt_rwlock_release_write(&place->rwlock);
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
    return 0;
}

TEST(a_plain_acquire_is_never_cancelled)
{
    struct place place;
    place_open(&place);
    hkt_thread *thread = must_spawn(take_all_locks, &place,
                                    &(hkt_thread_options){ .daemon = HKT_DAEMON_YES });
    await_waiting_for(thread, &place.lock);
    await_asleep(thread);
    hkt_lock_release(&place.lock);
    await_asleep(thread); /* now on the rlock */
    hkt_event_set(&place.open);
    must_join(thread);
    hkt_lock_acquire(&place.lock);
    place_close(&place);
}

static int change_conditions(void *arg)
{
    struct place *place = arg;
    hkt_lock_acquire(&place->condition_lock);
    place->inside = 1000;
    hkt_condition_notify_all(&place->condition);
    hkt_lock_release(&place->condition_lock);
    return 0;
}

/* A condition's waiter that is cancelled while somebody else has the lock waits for the lock. */
TEST(a_cancelled_condition_takes_its_lock_again)
{
    struct place place;
    place_open(&place);
    struct waiter waiter = { .place = &place, .kind = &wait_kinds[6] };
    waiter_start(&waiter);
    await_waiting_for(waiter.thread, &place.condition);
    hkt_lock_acquire(&place.condition_lock);
    hkt_scope_cancel(&waiter.scope);
    await_waiting_for(waiter.thread, &place.condition_lock);
    hkt_lock_release(&place.condition_lock);
    waiter_join(&waiter);
    CHECK_EQ(waiter.result, -ECANCELED);
    CHECK_EQ(place.inside, 2);                              /* it waited twice */
    must_join(must_spawn(change_conditions, &place, NULL)); /* nobody is left in its list */
    place_close(&place);
}

/* A cancel that comes together with what is waited for: one of the two, and nothing is lost. */
TEST_TIMEOUT(a_cancel_races_with_success, 60)
{
    long got = 0, cancelled = 0;
    struct place place;
    place_open(&place);
    for (long i = 0; i < test_scaled(500); i++) {
        struct waiter waiter = { .place = &place, .kind = &wait_kinds[10] };
        waiter_start(&waiter);
        CHECK_EQ(hkt_queue_put(place.empty, &(int){ 3 }), 0);
        hkt_scope_cancel(&waiter.scope);
        waiter_join(&waiter);
        int item = 0, left = hkt_queue_get_nowait(place.empty, &item);
        CHECK(waiter.result == 0 ? left == -EAGAIN : waiter.result == -ECANCELED && left == 0);
        CHECK(waiter.left == 0 || waiter.left == -ECANCELED);
        got += waiter.result == 0;
        cancelled += waiter.result != 0;
    }
    CHECK_EQ(got + cancelled, test_scaled(500));
    place_close(&place);
}
