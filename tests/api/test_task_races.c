/* SPDX-License-Identifier: MIT */
/* A cancel against a completion, for all that synchronizes: locks, conditions, semaphores, events, barriers,
 * queues. For futures, time, fds and groups that is in test_task_races_jobs.c. */
#include "task_races.h"

/* Locks. */

static void hold_lock(struct round *round)
{
    hkt_lock_acquire(&round->lock);
}

static int call_lock(struct round *round)
{
    int err = hkt_lock_acquire_until(&round->lock, round->deadline);
    if (err == 0)
        hkt_lock_release(&round->lock);
    return err;
}

static int release_lock(struct round *round)
{
    hkt_lock_release(&round->lock);
    return 0;
}

static void check_lock(struct round *round)
{
    CHECK_EQ(hkt_lock_acquire_nowait(&round->lock), 0);
    hkt_lock_release(&round->lock);
}

static void hold_rlock(struct round *round)
{
    hkt_rlock_acquire(&round->rlock);
}

static int call_rlock(struct round *round)
{
    int err = hkt_rlock_acquire_until(&round->rlock, round->deadline);
    if (err == 0)
        hkt_rlock_release(&round->rlock);
    return err;
}

static int release_rlock(struct round *round)
{
    hkt_rlock_release(&round->rlock);
    return 0;
}

static void check_rlock(struct round *round)
{
    CHECK_EQ(hkt_rlock_acquire_nowait(&round->rlock), 0);
    hkt_rlock_release(&round->rlock);
}

static void hold_rwlock(struct round *round)
{
    hkt_rwlock_acquire_write(&round->rwlock);
}

static int call_read(struct round *round)
{
    int err = hkt_rwlock_acquire_read_until(&round->rwlock, round->deadline);
    if (err == 0)
        hkt_rwlock_release_read(&round->rwlock);
    return err;
}

static int call_write(struct round *round)
{
    int err = hkt_rwlock_acquire_write_until(&round->rwlock, round->deadline);
    if (err == 0)
        hkt_rwlock_release_write(&round->rwlock);
    return err;
}

static int release_rwlock(struct round *round)
{
    hkt_rwlock_release_write(&round->rwlock);
    return 0;
}

static void check_rwlock(struct round *round)
{
    CHECK_EQ(hkt_rwlock_acquire_read_nowait(&round->rwlock), 0);
    hkt_rwlock_release_read(&round->rwlock);
    CHECK_EQ(hkt_rwlock_acquire_write_nowait(&round->rwlock), 0);
    hkt_rwlock_release_write(&round->rwlock);
}

/* Of a condition one wake-up goes to the caller, or, if he had gone, to the second one. */

static int wait_second(void *arg)
{
    struct round *round = arg;
    hkt_lock_acquire(&round->lock);
    hkt_event_set(&round->event);
    int err = hkt_condition_wait(&round->condition, &round->lock);
    round->notified++;
    hkt_lock_release(&round->lock);
    return err;
}

static int call_condition(struct round *round)
{
    hkt_lock_acquire(&round->lock);
    int err = hkt_condition_wait(&round->condition, &round->lock);
    hkt_lock_release(&round->lock);
    return err;
}

static int notify(struct round *round)
{
    hkt_lock_acquire(&round->lock);
    hkt_condition_notify(&round->condition, 1);
    hkt_lock_release(&round->lock);
    return 0;
}

/* The second one comes after the first, unless that one is late. */
static int notify_one_of_two(struct round *round)
{
    round->futures[0] = must_submit(round->others, wait_second, round);
    CHECK_EQ(hkt_event_wait(&round->event), 0);
    return notify(round); /* once it has the lock, the second one waits */
}

static void check_condition(struct round *round)
{
    if (round->result == 0)
        CHECK_EQ(notify(round), 0); /* there is one who waits */
    CHECK_EQ(hkt_future_finish(round->futures[0]), 0);
    CHECK_EQ(round->notified, 1);
    round->futures[0] = NULL;
}

/* Semaphores, events, barriers. */

static int call_semaphore(struct round *round)
{
    return hkt_semaphore_acquire(&round->semaphore);
}

static int release_semaphore(struct round *round)
{
    return hkt_semaphore_release(&round->semaphore, 1);
}

static void check_semaphore(struct round *round)
{
    CHECK_EQ(hkt_semaphore_value(&round->semaphore), round->result == 0 ? 0 : 1);
}

static int call_event(struct round *round)
{
    return hkt_event_wait(&round->event);
}

static int set_event(struct round *round)
{
    hkt_event_set(&round->event);
    return 0;
}

static void check_event(struct round *round)
{
    CHECK(hkt_event_is_set(&round->event));
    CHECK_EQ(hkt_event_wait(&round->event), 0);
}

static void open_barrier(struct round *round)
{
    CHECK_EQ(hkt_barrier_init(&round->barrier, 2, NULL), 0);
}

static int call_barrier(struct round *round)
{
    int err = hkt_barrier_wait(&round->barrier);
    return err < 0 ? err : 0;
}

static void check_barrier(struct round *round)
{
    CHECK_EQ(round->completed, round->result == 0 ? 0 : -EPIPE);
    CHECK_EQ(hkt_barrier_broken(&round->barrier), round->result < 0);
    CHECK_EQ(hkt_barrier_n_waiting(&round->barrier), 0);
}

/* Queues: the items are counted. */

static void open_queue(struct round *round)
{
    CHECK_EQ(hkt_queue_create(&round->queue, sizeof(int), &(hkt_queue_options){ .maxsize = 1 }), 0);
}

static void open_full_queue(struct round *round)
{
    open_queue(round);
    CHECK_EQ(hkt_queue_put(round->queue, &(int){ 1 }), 0);
}

static int call_put(struct round *round)
{
    return hkt_queue_put(round->queue, &(int){ 2 });
}

static int call_get(struct round *round)
{
    return hkt_queue_get(round->queue, &round->item);
}

static int put_item(struct round *round)
{
    return hkt_queue_put(round->queue, &(int){ 3 });
}

static int get_item(struct round *round)
{
    int item = 0;
    CHECK_EQ(hkt_queue_get(round->queue, &item), 0);
    CHECK_EQ(item, 1);
    return 0;
}

static void check_put(struct round *round)
{
    int item = 0;
    if (round->result == 0)
        CHECK(hkt_queue_get_nowait(round->queue, &item) == 0 && item == 2);
    CHECK_EQ(hkt_queue_get_nowait(round->queue, &item), -EAGAIN);
    CHECK_EQ(hkt_queue_put_nowait(round->queue, &item), 0); /* there is room for one, */
    CHECK_EQ(hkt_queue_put_nowait(round->queue, &item), -EAGAIN);
    hkt_queue_destroy(round->queue);
}

static void check_get(struct round *round)
{
    int item = 3;
    if (round->result == 0)
        CHECK_EQ(round->item, 3);
    else
        CHECK(hkt_queue_get_nowait(round->queue, &item) == 0 && item == 3);
    CHECK_EQ(hkt_queue_get_nowait(round->queue, &item), -EAGAIN);
    CHECK_EQ(hkt_queue_qsize(round->queue), 0);
    hkt_queue_destroy(round->queue);
}

TEST_TIMEOUT(a_cancel_and_a_wait_for_a_lock, 60)
{
    race(&(struct race){
        .prepare = hold_lock, .call = call_lock, .complete = release_lock, .check = check_lock });
}

TEST_TIMEOUT(a_cancel_and_a_wait_for_an_rlock, 60)
{
    race(&(struct race){ .prepare = hold_rlock,
                         .call = call_rlock,
                         .complete = release_rlock,
                         .check = check_rlock });
}

TEST_TIMEOUT(a_cancel_and_a_wait_for_an_rwlock_to_read, 60)
{
    race(&(struct race){ .prepare = hold_rwlock,
                         .call = call_read,
                         .complete = release_rwlock,
                         .check = check_rwlock });
}

TEST_TIMEOUT(a_cancel_and_a_wait_for_an_rwlock_to_write, 60)
{
    race(&(struct race){ .prepare = hold_rwlock,
                         .call = call_write,
                         .complete = release_rwlock,
                         .check = check_rwlock });
}

TEST_TIMEOUT(a_cancel_and_a_wait_for_a_condition, 60)
{
    race(&(struct race){
        .call = call_condition, .complete = notify_one_of_two, .check = check_condition });
}

TEST_TIMEOUT(a_cancel_and_a_wait_for_a_semaphore, 60)
{
    race(&(struct race){
        .call = call_semaphore, .complete = release_semaphore, .check = check_semaphore });
}

TEST_TIMEOUT(a_cancel_and_a_wait_for_an_event, 60)
{
    race(&(struct race){ .call = call_event, .complete = set_event, .check = check_event });
}

TEST_TIMEOUT(a_cancel_and_a_wait_for_a_barrier, 60)
{
    race(&(struct race){ .open = open_barrier,
                         .call = call_barrier,
                         .complete = call_barrier,
                         .check = check_barrier });
}

TEST_TIMEOUT(a_cancel_and_a_wait_for_a_put_into_a_queue, 60)
{
    race(&(struct race){
        .open = open_full_queue, .call = call_put, .complete = get_item, .check = check_put });
}

TEST_TIMEOUT(a_cancel_and_a_wait_for_a_get_from_a_queue, 60)
{
    race(&(struct race){
        .open = open_queue, .call = call_get, .complete = put_item, .check = check_get });
}
