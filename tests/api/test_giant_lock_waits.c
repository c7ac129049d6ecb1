/* SPDX-License-Identifier: MIT */
/* The giant lock in every call of hocket that waits: whoever holds it gives way by itself, and
 * comes back with it, however the wait ended and whatever levels it had. */
#include <hocket/barrier.h>
#include <hocket/condition.h>
#include <hocket/event.h>
#include <hocket/fd.h>
#include <hocket/giant_lock.h>
#include <hocket/once.h>
#include <hocket/queue.h>
#include <hocket/rwlock.h>
#include <hocket/semaphore.h>
#include <unistd.h>

#include "caller.h"
#include "test.h"

/* Something of every kind to wait for, and the call that does. */
struct stage {
    hkt_giant_lock giant;
    int (*wait)(struct stage *stage);
    const void *object;
    int levels;
    hkt_lock lock;
    hkt_rlock rlock;
    hkt_rwlock rwlock;
    hkt_condition condition;
    hkt_semaphore semaphore;
    hkt_event event, inside;
    hkt_barrier barrier;
    hkt_once once;
    hkt_queue *queue;
    hkt_thread *thread;
    hkt_giant_lock other_giant;
    int pipe[2];
    bool turn_of_test; /* under the giant lock */
};

/* Holds the giant lock, waits, and has it again. */
static int wait_with_the_giant_lock(void *arg)
{
    struct stage *stage = arg;
    for (int level = 0; level < stage->levels; level++)
        hkt_giant_lock_acquire(&stage->giant);
    int err = stage->wait(stage);
    CHECK(!stage->turn_of_test);
    for (int level = 0; level < stage->levels; level++) {
        CHECK(hkt_giant_lock_held(&stage->giant));
        hkt_giant_lock_release(&stage->giant);
    }
    CHECK(!hkt_giant_lock_held(&stage->giant));
    return err;
}

/* Lets a thread wait in this way: the giant lock can be had meanwhile, and when the wait has been
 * satisfied, the thread still needs its turn. */
static void check_gives_way(struct stage *stage, int (*wait)(struct stage *), const void *object,
                            void (*satisfy)(struct stage *), int expected)
{
    struct caller caller;
    stage->wait = wait;
    stage->object = object;
    stage->levels = 3;
    stage->turn_of_test = false;
    caller_start_waiting(&caller, wait_with_the_giant_lock, stage, object);
    hkt_giant_lock_acquire(&stage->giant);
    stage->turn_of_test = true;
    satisfy(stage);
    await_waiting_for(caller.thread, &stage->giant);
    stage->turn_of_test = false;
    hkt_giant_lock_release(&stage->giant);
    CHECK_EQ(caller_end(&caller), expected);
}

static int wait_event(struct stage *stage)
{
    return hkt_event_wait(&stage->event);
}

static int wait_event_until(struct stage *stage)
{
    return hkt_event_wait_until(&stage->event, hkt_after(0.02));
}

static void set_event(struct stage *stage)
{
    hkt_event_set(&stage->event);
}

TEST(the_holder_gives_way_in_a_wait_for_an_event)
{
    struct stage stage = { .levels = 0 };
    check_gives_way(&stage, wait_event, &stage.event, set_event, 0);
}

TEST(the_holder_comes_back_with_it_when_its_deadline_has_passed)
{
    struct stage stage = { .wait = wait_event_until, .levels = 2 };
    for (int i = 0; i < 3; i++)
        CHECK_EQ(call_elsewhere(wait_with_the_giant_lock, &stage), -ETIMEDOUT);
}

static int wait_lock(struct stage *stage)
{
    hkt_lock_acquire(&stage->lock);
    hkt_lock_release(&stage->lock);
    return 0;
}

static void release_lock(struct stage *stage)
{
    hkt_lock_release(&stage->lock);
}

TEST(the_holder_gives_way_in_a_wait_for_a_lock)
{
    struct stage stage = { .levels = 0 };
    hkt_lock_acquire(&stage.lock);
    check_gives_way(&stage, wait_lock, &stage.lock, release_lock, 0);
}

static int wait_rlock(struct stage *stage)
{
    hkt_rlock_acquire(&stage->rlock);
    hkt_rlock_release(&stage->rlock);
    return 0;
}

static void release_rlock(struct stage *stage)
{
    hkt_rlock_release(&stage->rlock);
}

TEST(the_holder_gives_way_in_a_wait_for_an_rlock)
{
    struct stage stage = { .levels = 0 };
    hkt_rlock_acquire(&stage.rlock);
    check_gives_way(&stage, wait_rlock, &stage.rlock, release_rlock, 0);
}

static int wait_write(struct stage *stage)
{
    hkt_rwlock_acquire_write(&stage->rwlock);
    hkt_rwlock_release_write(&stage->rwlock);
    return 0;
}

static int wait_read(struct stage *stage)
{
    hkt_rwlock_acquire_read(&stage->rwlock);
    hkt_rwlock_release_read(&stage->rwlock);
    return 0;
}

static void release_write(struct stage *stage)
{
    hkt_rwlock_release_write(&stage->rwlock);
}

TEST(the_holder_gives_way_in_a_wait_for_an_rwlock)
{
    struct stage stage = { .levels = 0 };
    hkt_rwlock_acquire_write(&stage.rwlock);
    check_gives_way(&stage, wait_write, &stage.rwlock, release_write, 0);
    hkt_rwlock_acquire_write(&stage.rwlock);
    check_gives_way(&stage, wait_read, &stage.rwlock, release_write, 0);
}

static int wait_condition(struct stage *stage)
{
    hkt_lock_acquire(&stage->lock);
    int err = hkt_condition_wait(&stage->condition, &stage->lock);
    hkt_lock_release(&stage->lock);
    return err;
}

static void notify(struct stage *stage)
{
    hkt_condition_notify_all(&stage->condition);
}

TEST(the_holder_gives_way_in_a_wait_for_a_condition)
{
    struct stage stage = { .levels = 0 };
    check_gives_way(&stage, wait_condition, &stage.condition, notify, 0);
}

static int wait_semaphore(struct stage *stage)
{
    return hkt_semaphore_acquire(&stage->semaphore);
}

static void release_semaphore(struct stage *stage)
{
    CHECK_EQ(hkt_semaphore_release(&stage->semaphore, 1), 0);
}

TEST(the_holder_gives_way_in_a_wait_for_a_semaphore)
{
    struct stage stage = { .levels = 0 };
    check_gives_way(&stage, wait_semaphore, &stage.semaphore, release_semaphore, 0);
}

static int wait_barrier(struct stage *stage)
{
    return hkt_barrier_wait(&stage->barrier);
}

static void come_to_barrier(struct stage *stage)
{
    CHECK_EQ(hkt_barrier_wait(&stage->barrier), 1);
}

static void abort_barrier(struct stage *stage)
{
    hkt_barrier_abort(&stage->barrier);
}

TEST(the_holder_gives_way_in_a_wait_at_a_barrier)
{
    struct stage stage = { .levels = 0 };
    CHECK_EQ(hkt_barrier_init(&stage.barrier, 2, NULL), 0);
    check_gives_way(&stage, wait_barrier, &stage.barrier, come_to_barrier, 0);
    check_gives_way(&stage, wait_barrier, &stage.barrier, abort_barrier, -EPIPE);
}

static int stay_in_once(void *arg)
{
    struct stage *stage = arg;
    hkt_event_set(&stage->inside);
    AWAIT(hkt_event_is_set(&stage->event));
    return 0;
}

static int run_once(void *arg)
{
    struct stage *stage = arg;
    return hkt_once_call(&stage->once, stay_in_once, stage);
}

static int wait_once(struct stage *stage)
{
    return run_once(stage);
}

TEST(the_holder_gives_way_in_a_wait_for_a_once)
{
    struct stage stage = { .levels = 0 };
    struct caller runner;
    caller_start(&runner, run_once, &stage);
    CHECK_EQ(hkt_event_wait(&stage.inside), 0);
    check_gives_way(&stage, wait_once, &stage.once, set_event, 0);
    CHECK_EQ(caller_end(&runner), 0);
}

static int wait_item(struct stage *stage)
{
    long item;
    int err = hkt_queue_get(stage->queue, &item);
    CHECK(err < 0 || item == 1);
    return err;
}

static int wait_room(struct stage *stage)
{
    return hkt_queue_put(stage->queue, &(long){ 1 });
}

static int wait_tasks(struct stage *stage)
{
    return hkt_queue_join(stage->queue);
}

static void put_item(struct stage *stage)
{
    CHECK_EQ(hkt_queue_put_nowait(stage->queue, &(long){ 1 }), 0);
}

static void get_item(struct stage *stage)
{
    CHECK_EQ(hkt_queue_get_nowait(stage->queue, &(long){ 0 }), 0);
}

static void task_done(struct stage *stage)
{
    CHECK_EQ(hkt_queue_task_done(stage->queue), 0);
    CHECK_EQ(hkt_queue_task_done(stage->queue), 0);
}

static void shut_down(struct stage *stage)
{
    hkt_queue_shutdown(stage->queue, true);
}

TEST(the_holder_gives_way_in_all_waits_of_a_queue)
{
    struct stage stage = { .levels = 0 };
    hkt_queue_options options = { .maxsize = 1 };
    CHECK_EQ(hkt_queue_create(&stage.queue, sizeof(long), &options), 0);
    check_gives_way(&stage, wait_item, stage.queue, put_item, 0);
    put_item(&stage);
    CHECK_EQ(hkt_queue_task_done(stage.queue), 0);
    check_gives_way(&stage, wait_room, stage.queue, get_item, 0);
    get_item(&stage);
    check_gives_way(&stage, wait_tasks, stage.queue, task_done, 0);
    check_gives_way(&stage, wait_item, stage.queue, shut_down, -ESHUTDOWN);
    hkt_queue_destroy(stage.queue);
}

static int wait_for_event_alone(void *arg)
{
    struct stage *stage = arg;
    return hkt_event_wait(&stage->event);
}

static int wait_thread(struct stage *stage)
{
    return hkt_thread_join(stage->thread);
}

/* A join waits for an event inside the thread's handle: known by its state. */
TEST(the_holder_gives_way_in_a_join)
{
    struct stage stage = { .wait = wait_thread, .levels = 2 };
    struct caller joiner;
    CHECK_EQ(hkt_thread_spawn(&stage.thread, wait_for_event_alone, &stage, NULL), 0);
    caller_start(&joiner, wait_with_the_giant_lock, &stage);
    await_state(joiner.thread, HKT_THREAD_BLOCKED);
    hkt_giant_lock_acquire(&stage.giant);
    hkt_event_set(&stage.event);
    await_waiting_for(joiner.thread, &stage.giant);
    hkt_giant_lock_release(&stage.giant);
    CHECK_EQ(caller_end(&joiner), 0);
    hkt_thread_destroy(stage.thread);
}

static int sleep_long(struct stage *stage)
{
    (void)stage;
    return hkt_sleep(1000);
}

TEST(the_holder_gives_way_when_it_sleeps_and_has_it_again_when_cancelled)
{
    struct stage stage = { .wait = sleep_long, .levels = 2 };
    struct caller sleeper;
    caller_start(&sleeper, wait_with_the_giant_lock, &stage);
    await_state(sleeper.thread, HKT_THREAD_TIMED_WAITING);
    hkt_giant_lock_acquire(&stage.giant);
    stage.turn_of_test = true;
    caller_cancel(&sleeper);
    await_waiting_for(sleeper.thread, &stage.giant);
    stage.turn_of_test = false;
    hkt_giant_lock_release(&stage.giant);
    CHECK_EQ(caller_end(&sleeper), -ECANCELED);
}

static int wait_pipe(struct stage *stage)
{
    return hkt_fd_wait(stage->pipe[0], HKT_READABLE);
}

static void write_pipe(struct stage *stage)
{
    CHECK_EQ(write(stage->pipe[1], "x", 1), 1);
}

TEST(the_holder_gives_way_in_a_wait_for_an_fd)
{
    struct stage stage = { .levels = 0 };
    CHECK_EQ(pipe(stage.pipe), 0);
    check_gives_way(&stage, wait_pipe, (void *)(intptr_t)stage.pipe[0], write_pipe, HKT_READABLE);
    close(stage.pipe[0]);
    close(stage.pipe[1]);
}

static int wait_other_giant(struct stage *stage)
{
    hkt_giant_lock_acquire(&stage->other_giant);
    hkt_giant_lock_release(&stage->other_giant);
    return 0;
}

static void release_other_giant(struct stage *stage)
{
    hkt_giant_lock_release(&stage->other_giant);
}

/* The test holds the other one, and asks for the first without waiting: nobody has it then. */
TEST(the_holder_gives_way_in_a_wait_for_another_giant_lock)
{
    struct stage stage = { .levels = 0 };
    hkt_giant_lock_acquire(&stage.other_giant);
    check_gives_way(&stage, wait_other_giant, &stage.other_giant, release_other_giant, 0);
}

static int wait_with_both(void *arg)
{
    struct stage *stage = arg;
    hkt_giant_lock_acquire(&stage->giant);
    hkt_giant_lock_acquire(&stage->other_giant);
    int err = hkt_event_wait(&stage->event);
    CHECK(hkt_giant_lock_held(&stage->giant));
    CHECK(hkt_giant_lock_held(&stage->other_giant));
    hkt_giant_lock_release(&stage->giant);
    hkt_giant_lock_release(&stage->other_giant);
    return err;
}

TEST(who_holds_two_gives_both_away)
{
    struct stage stage = { .levels = 0 };
    struct caller waiter;
    caller_start_waiting(&waiter, wait_with_both, &stage, &stage.event);
    hkt_giant_lock_acquire(&stage.giant);
    hkt_giant_lock_acquire(&stage.other_giant);
    hkt_event_set(&stage.event);
    await_waiting_for(waiter.thread, &stage.giant);
    hkt_giant_lock_release(&stage.giant);
    await_waiting_for(waiter.thread, &stage.other_giant);
    hkt_giant_lock_release(&stage.other_giant);
    CHECK_EQ(caller_end(&waiter), 0);
}

/* What need not wait does not give way: nobody comes in between. */
TEST(what_does_not_wait_keeps_it)
{
    struct stage stage = { .levels = 0 };
    struct caller other;
    hkt_giant_lock_acquire(&stage.giant);
    stage.turn_of_test = true;
    stage.wait = wait_event;
    stage.levels = 1;
    caller_start_waiting(&other, wait_with_the_giant_lock, &stage, &stage.giant);
    hkt_event_set(&stage.event);
    CHECK_EQ(hkt_event_wait(&stage.event), 0);
    CHECK_EQ(hkt_semaphore_acquire_nowait(&stage.semaphore), -EAGAIN);
    CHECK_EQ(hkt_semaphore_acquire_until(&stage.semaphore, hkt_after(0)), -ETIMEDOUT);
    hkt_lock_acquire(&stage.lock);
    hkt_lock_release(&stage.lock);
    CHECK_EQ(hkt_sleep(0), 0);
    CHECK(waits_for(other.thread, &stage.giant));
    stage.turn_of_test = false;
    hkt_giant_lock_release(&stage.giant);
    CHECK_EQ(caller_end(&other), 0);
}
