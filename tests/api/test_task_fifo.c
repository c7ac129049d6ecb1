/* SPDX-License-Identifier: MIT */
/* First come, first served: among the tasks of one loop, and from other threads, in the order of coming. */
#include "groups.h"
#include "loops.h"

#define COMERS 10

struct queueing {
    hkt_lock lock;
    hkt_rlock rlock;
    hkt_rwlock rwlock;
    hkt_semaphore semaphore;
    hkt_condition condition;
    hkt_queue *queue;
    struct log log;
};

/* One who comes, waits, and writes his letter when he is served. */
struct comer {
    struct queueing *all;
    int (*serve)(struct comer *);
    int number;
};

static int come(void *arg)
{
    struct comer *comer = arg;
    int err = comer->serve(comer);
    return err;
}

static void write_letter(struct comer *comer)
{
    log_add(&comer->all->log, (char)('a' + comer->number));
}

/* The next one comes when the one before waits, since tasks begin in the order of their spawns. */
static void come_all(struct queueing *all, struct comer *comers, hkt_task **tasks,
                     int (*serve)(struct comer *))
{
    for (int i = 0; i < COMERS; i++) {
        comers[i] = (struct comer){ all, serve, i };
        tasks[i] = must_start(come, &comers[i]);
    }
    CHECK_EQ(hkt_yield(), 0);
    CHECK_STR(all->log.text, ""); /* they all wait */
}

static void end_all(struct queueing *all, hkt_task **tasks)
{
    for (int i = 0; i < COMERS; i++)
        CHECK_EQ(hkt_future_finish(tasks[i]), 0);
    CHECK_STR(all->log.text, "abcdefghij");
}

static int take_lock(struct comer *comer)
{
    hkt_lock_acquire(&comer->all->lock);
    write_letter(comer);
    CHECK_EQ(hkt_yield(), 0); /* the others see it held */
    hkt_lock_release(&comer->all->lock);
    return 0;
}

static int take_lock_until(struct comer *comer)
{
    int err = hkt_lock_acquire_until(&comer->all->lock, hkt_after(60));
    write_letter(comer);
    hkt_lock_release(&comer->all->lock);
    return err;
}

static int queue_for_lock(void *arg)
{
    static int (*const ways[])(struct comer *) = { take_lock, take_lock_until };
    (void)arg;
    for (int way = 0; way < 2; way++) {
        struct queueing all = { 0 };
        struct comer comers[COMERS];
        hkt_task *tasks[COMERS];
        hkt_lock_acquire(&all.lock);
        come_all(&all, comers, tasks, ways[way]);
        hkt_lock_release(&all.lock);
        end_all(&all, tasks);
    }
    return 0;
}

TEST(a_lock_that_is_held_goes_to_tasks_in_the_order_of_coming)
{
    must_run(queue_for_lock, NULL);
}

static int take_rlock(struct comer *comer)
{
    hkt_rlock_acquire(&comer->all->rlock);
    hkt_rlock_acquire(&comer->all->rlock);
    write_letter(comer);
    hkt_rlock_release(&comer->all->rlock);
    CHECK_EQ(hkt_yield(), 0);
    hkt_rlock_release(&comer->all->rlock);
    return 0;
}

static int queue_for_rlock(void *arg)
{
    struct queueing all = { 0 };
    struct comer comers[COMERS];
    hkt_task *tasks[COMERS];
    (void)arg;
    hkt_rlock_acquire(&all.rlock);
    come_all(&all, comers, tasks, take_rlock);
    hkt_rlock_release(&all.rlock);
    end_all(&all, tasks);
    return 0;
}

TEST(an_rlock_that_is_held_goes_to_tasks_in_the_order_of_coming)
{
    must_run(queue_for_rlock, NULL);
}

static int take_permit(struct comer *comer)
{
    int err = hkt_semaphore_acquire(&comer->all->semaphore);
    write_letter(comer);
    return err;
}

/* Nobody who comes later, when there are permits again, gets one before those who have waited. */
static int queue_for_permits(void *arg)
{
    struct queueing all = { 0 };
    struct comer comers[COMERS], late = { &all, take_permit, COMERS };
    hkt_task *tasks[COMERS];
    (void)arg;
    come_all(&all, comers, tasks, take_permit);
    for (int i = 0; i < COMERS + 1; i++)
        CHECK_EQ(hkt_semaphore_release(&all.semaphore, 1), 0);
    CHECK_EQ(hkt_semaphore_value(&all.semaphore), 1);
    CHECK_EQ(hkt_semaphore_acquire_nowait(&all.semaphore), 0); /* that one was left */
    CHECK_EQ(hkt_semaphore_acquire_nowait(&all.semaphore), -EAGAIN);
    end_all(&all, tasks);
    CHECK_EQ(hkt_semaphore_release(&all.semaphore, 1), 0);
    return come(&late);
}

TEST(permits_of_a_semaphore_go_to_tasks_in_the_order_of_coming)
{
    must_run(queue_for_permits, NULL);
}

static int get_own(struct comer *comer)
{
    int item = -1;
    int err = hkt_queue_get(comer->all->queue, &item);
    CHECK_EQ(item, comer->number); /* items keep their order too */
    write_letter(comer);
    return err;
}

static int put_own(struct comer *comer)
{
    int err = hkt_queue_put(comer->all->queue, &comer->number);
    write_letter(comer);
    return err;
}

static int queue_at_queues(void *arg)
{
    struct queueing all = { 0 }, full = { 0 };
    struct comer comers[COMERS];
    hkt_task *tasks[COMERS];
    int item = -1;
    hkt_queue_options one = { .maxsize = 1 };
    (void)arg;
    CHECK_EQ(hkt_queue_create(&all.queue, sizeof(int), NULL), 0);
    come_all(&all, comers, tasks, get_own);
    for (int i = 0; i < COMERS; i++)
        CHECK_EQ(hkt_queue_put(all.queue, &i), 0);
    CHECK_EQ(hkt_queue_get_nowait(all.queue, &item), -EAGAIN); /* they are all promised */
    end_all(&all, tasks);
    hkt_queue_destroy(all.queue);
    CHECK_EQ(hkt_queue_create(&full.queue, sizeof(int), &one), 0);
    CHECK_EQ(hkt_queue_put(full.queue, &item), 0);
    come_all(&full, comers, tasks, put_own);
    for (int i = -1; i < COMERS; i++) {
        CHECK_EQ(hkt_queue_get(full.queue, &item), 0);
        CHECK_EQ(item, i);
    }
    end_all(&full, tasks);
    hkt_queue_destroy(full.queue);
    return 0;
}

TEST(getters_and_putters_of_a_queue_are_served_in_the_order_of_coming)
{
    must_run(queue_at_queues, NULL);
}

static int await_notice(struct comer *comer)
{
    hkt_lock_acquire(&comer->all->lock);
    int err = hkt_condition_wait(&comer->all->condition, &comer->all->lock);
    write_letter(comer);
    hkt_lock_release(&comer->all->lock);
    return err;
}

static int queue_for_notices(void *arg)
{
    (void)arg;
    for (size_t n = 1; n <= COMERS; n += 3) {
        struct queueing all = { 0 };
        struct comer comers[COMERS];
        hkt_task *tasks[COMERS];
        come_all(&all, comers, tasks, await_notice);
        for (size_t told = 0; told < COMERS; told += n) {
            hkt_lock_acquire(&all.lock);
            hkt_condition_notify(&all.condition, n);
            hkt_lock_release(&all.lock);
            CHECK_EQ(hkt_yield(), 0);
        }
        end_all(&all, tasks);
    }
    return 0;
}

TEST(notices_of_a_condition_go_to_tasks_in_the_order_of_coming)
{
    must_run(queue_for_notices, NULL);
}

static int write_alone(struct comer *comer)
{
    hkt_rwlock_acquire_write(&comer->all->rwlock);
    write_letter(comer);
    CHECK_EQ(hkt_yield(), 0);
    hkt_rwlock_release_write(&comer->all->rwlock);
    return 0;
}

static int queue_to_write(void *arg)
{
    struct queueing all = { 0 };
    struct comer comers[COMERS];
    hkt_task *tasks[COMERS];
    (void)arg;
    hkt_rwlock_acquire_read(&all.rwlock);
    come_all(&all, comers, tasks, write_alone);
    hkt_rwlock_release_read(&all.rwlock);
    end_all(&all, tasks);
    return 0;
}

TEST(writers_of_an_rwlock_are_served_in_the_order_of_coming)
{
    must_run(queue_to_write, NULL);
}

/* Who ends their waits is another thread: they go on in the order in which they were woken. */
static int release_all(void *arg)
{
    struct queueing *all = arg;
    return hkt_semaphore_release(&all->semaphore, COMERS);
}

static int queue_for_a_thread(void *arg)
{
    struct queueing all = { 0 };
    struct comer comers[COMERS];
    hkt_task *tasks[COMERS];
    (void)arg;
    come_all(&all, comers, tasks, take_permit);
    CHECK_EQ(hkt_to_thread(release_all, &all), 0);
    end_all(&all, tasks);
    return 0;
}

TEST(tasks_that_another_thread_wakes_keep_their_order)
{
    must_run(queue_for_a_thread, NULL);
}

/* Tasks begin in the order of their spawns, and turns go round. */
static int take_turns(void *arg)
{
    struct comer *comer = arg;
    for (int i = 0; i < 3; i++) {
        write_letter(comer);
        CHECK_EQ(hkt_yield(), 0);
    }
    return 0;
}

static int go_round(void *arg)
{
    struct queueing all = { 0 };
    struct comer comers[4];
    hkt_task_group group = { 0 };
    (void)arg;
    hkt_task_group_enter(&group, NULL);
    for (int i = 0; i < 4; i++) {
        comers[i] = (struct comer){ &all, NULL, i };
        must_spawn_into(&group, take_turns, &comers[i]);
    }
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    CHECK_STR(all.log.text, "abcdabcdabcd");
    return 0;
}

TEST(turns_go_round)
{
    must_run(go_round, NULL);
}
