/* SPDX-License-Identifier: MIT */
/* Tasks and threads wake each other, in both directions, by each thing that can be waited for; and so do
 * the tasks of two loops. */
#include "loops.h"

static hkt_lock lock;
static hkt_rlock rlock;
static hkt_rwlock rwlock;
static hkt_condition condition;
static hkt_semaphore to_task, to_thread;
static hkt_event events[2];
static hkt_barrier barrier;
static hkt_queue *queues[2];
static int inside, turn, passed;

/* Two tasks run the same job beside one thread. */
static hkt_job *both_run;

static int starts_two(void *arg)
{
    (void)arg;
    hkt_task *one, *two;
    MUST(hkt_task_spawn(&one, both_run, NULL) == 0);
    MUST(hkt_task_spawn(&two, both_run, NULL) == 0);
    int err = hkt_future_finish(one);
    int other = hkt_future_finish(two);
    return err < 0 ? err : other;
}

static int begin(void)
{
    lock = (hkt_lock){ 0 };
    rlock = (hkt_rlock){ 0 };
    rwlock = (hkt_rwlock){ 0 };
    condition = (hkt_condition){ 0 };
    memset(events, 0, sizeof events);
    inside = turn = passed = 0;
    MUST(hkt_semaphore_init(&to_task, 0) == 0 && hkt_semaphore_init(&to_thread, 0) == 0);
    MUST(hkt_barrier_init(&barrier, 3, NULL) == 0);
    return loop_begin();
}

static int two_and(hkt_job *job, int (*thread)(void *))
{
    MUST(begin() == 0);
    both_run = job;
    beside(thread);
    return loop_end(hkt_loop_run(loop, starts_two, NULL));
}

/* Locks. */
static int locks(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        hkt_lock_acquire(&lock);
        int err = pass_alone(&inside);
        hkt_lock_release(&lock);
        if (err < 0)
            return err;
    }
    return 0;
}

static int by_lock(void *arg)
{
    (void)arg;
    return two_and(locks, locks);
}

static int locks_again(void *arg)
{
    (void)arg;
    hkt_rlock_acquire(&rlock);
    hkt_rlock_acquire(&rlock);
    int err = pass_alone(&inside);
    hkt_rlock_release(&rlock);
    hkt_rlock_release(&rlock);
    return err;
}

static int by_rlock(void *arg)
{
    (void)arg;
    return two_and(locks_again, locks_again);
}

static int reads_and_writes(void *arg)
{
    (void)arg;
    hkt_rwlock_acquire_read(&rwlock);
    int seen = inside;
    hkt_rwlock_release_read(&rwlock);
    MUST(seen == 0);
    hkt_rwlock_acquire_write(&rwlock);
    int err = pass_alone(&inside);
    hkt_rwlock_release_write(&rwlock);
    return err;
}

static int by_rwlock(void *arg)
{
    (void)arg;
    return two_and(reads_and_writes, reads_and_writes);
}

TEST_TIMEOUT(locks_pass_between_tasks_and_threads, 60)
{
    bury();
    prove_for(2500, by_lock);
    prove_for(2500, by_rlock);
    prove_for(2500, by_rwlock);
}

/* Semaphores: a task gets a permit from the thread, and gives one back. */
static int gets_and_gives(void *arg)
{
    (void)arg;
    int err = hkt_semaphore_acquire(&to_task);
    return err < 0 ? err : hkt_semaphore_release(&to_thread, 1);
}

static int gives_and_gets(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        MUST(hkt_semaphore_release(&to_task, 1) == 0);
        MUST(hkt_semaphore_acquire(&to_thread) == 0);
    }
    return 0;
}

static int by_semaphore(void *arg)
{
    (void)arg;
    return two_and(gets_and_gives, gives_and_gets);
}

/* Events, there and back. */
static int answers(void *arg)
{
    (void)arg;
    int err = hkt_event_wait(&events[0]);
    if (++passed == 2)
        hkt_event_set(&events[1]);
    return err;
}

static int asks(void *arg)
{
    (void)arg;
    hkt_event_set(&events[0]);
    int err = hkt_event_wait(&events[1]);
    MUST(passed == 2);
    return err;
}

static int by_event(void *arg)
{
    (void)arg;
    return two_and(answers, asks);
}

/* Barriers of three, twice. */
static int meets(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        int err = hkt_barrier_wait(&barrier);
        if (err < 0)
            return err;
        passed += err == 0;
    }
    return 0;
}

static int by_barrier(void *arg)
{
    (void)arg;
    int err = two_and(meets, meets);
    MUST(err < 0 || passed == 2);
    return err;
}

TEST_TIMEOUT(semaphores_events_and_barriers_work_both_ways, 60)
{
    bury();
    prove_for(2500, by_semaphore);
    prove_for(2500, by_event);
    prove_for(2500, by_barrier);
}

/* Conditions: they take turns, 0 the thread, 1 the tasks. */
static int takes_turns(int mine, int times)
{
    for (int i = 0; i < times; i++) {
        hkt_lock_acquire(&lock);
        while (turn != mine) {
            int err = hkt_condition_wait(&condition, &lock);
            if (err < 0) {
                hkt_lock_release(&lock);
                return err;
            }
        }
        turn = 1 - mine;
        hkt_condition_notify_all(&condition);
        hkt_lock_release(&lock);
    }
    return 0;
}

static int turns_of_task(void *arg)
{
    (void)arg;
    return takes_turns(1, 1);
}

static int turns_of_thread(void *arg)
{
    (void)arg;
    return takes_turns(0, 2);
}

static int by_condition(void *arg)
{
    (void)arg;
    return two_and(turns_of_task, turns_of_thread);
}

/* Queues of one place. */
static int echoes(void *arg)
{
    (void)arg;
    int item, err = hkt_queue_get(queues[0], &item);
    return err < 0 ? err : hkt_queue_put(queues[1], &item);
}

static int puts_and_gets(void *arg)
{
    (void)arg;
    int sum = 0, item;
    for (int i = 1; i <= 2; i++)
        MUST(hkt_queue_put(queues[0], &i) == 0);
    for (int i = 1; i <= 2; i++) {
        MUST(hkt_queue_get(queues[1], &item) == 0);
        sum += item;
    }
    MUST(sum == 3);
    return 0;
}

static int make_queues(void)
{
    const hkt_queue_options one = { .maxsize = 1 };
    MUST(hkt_queue_create(&queues[0], sizeof(int), &one) == 0);
    return hkt_queue_create(&queues[1], sizeof(int), &one);
}

static void drop_queues(void)
{
    hkt_queue_destroy(queues[0]);
    hkt_queue_destroy(queues[1]);
}

static int by_queue(void *arg)
{
    (void)arg;
    MUST(make_queues() == 0);
    int err = two_and(echoes, puts_and_gets);
    drop_queues();
    return err;
}

/* Futures: a thread waits for a task, which waits for what the thread produces. */
static hkt_future *produced;

static int waits_for_produced(void *arg)
{
    (void)arg;
    int result;
    MUST(hkt_future_wait(produced) == 0 && hkt_future_result(produced, &result) == 0);
    return result;
}

static int produces(void *arg)
{
    (void)arg;
    hkt_future *task;
    MUST(hkt_submit(hkt_loop_executor(loop), &task, waits_for_produced, NULL) == 0);
    MUST(hkt_future_set_result(produced, 7) == 0);
    MUST(hkt_future_finish(task) == 7);
    hkt_event_set(&events[0]);
    return 0;
}

static int waits_for_both(void *arg)
{
    MUST(waits_for_produced(arg) == 7);
    return hkt_event_wait(&events[0]);
}

static int by_future(void *arg)
{
    (void)arg;
    MUST(begin() == 0 && hkt_future_create(&produced) == 0);
    beside(produces);
    int err = hkt_loop_run(loop, waits_for_both, NULL);
    hkt_future_destroy(produced);
    return loop_end(err);
}

TEST_TIMEOUT(conditions_queues_and_futures_work_both_ways, 60)
{
    bury();
    prove_for(2500, by_condition);
    prove_for(2500, by_queue);
    prove_for(2500, by_future);
}

/* Two loops, each in a thread: items go round, and each waits for a task of the other. */
static hkt_loop *second;
static hkt_event second_runs;

static int passes_on(void *arg)
{
    (void)arg;
    int item, err = 0;
    for (int i = 0; i < 2 && err == 0; i++) {
        err = hkt_queue_get(queues[0], &item);
        if (err == 0)
            err = hkt_queue_put(queues[1], &item);
    }
    return err;
}

static int runs_second(void *arg)
{
    (void)arg;
    MUST(hkt_loop_create(&second, NULL) == 0);
    hkt_event_set(&second_runs);
    int err = hkt_loop_run(second, passes_on, NULL);
    if (err == 0)
        err = hkt_loop_run_forever(second);
    hkt_loop_destroy(second);
    return err;
}

static int returns_five(void *arg)
{
    (void)arg;
    int err = hkt_yield();
    return err < 0 ? err : 5;
}

static int sends_round(void *arg)
{
    (void)arg;
    hkt_future *there;
    for (int i = 1; i <= 2; i++) {
        int item;
        MUST(hkt_queue_put(queues[0], &i) == 0);
        MUST(hkt_queue_get(queues[1], &item) == 0 && item == i);
    }
    MUST(hkt_event_wait(&second_runs) == 0);
    MUST(hkt_submit(hkt_loop_executor(second), &there, returns_five, NULL) == 0);
    int result = hkt_future_finish(there);
    hkt_loop_stop(second);
    MUST(result == 5);
    return 0;
}

static int two_loops(void *arg)
{
    (void)arg;
    second_runs = (hkt_event){ { 0 } };
    MUST(make_queues() == 0 && begin() == 0);
    beside(runs_second);
    int err = loop_end(hkt_loop_run(loop, sends_round, NULL));
    drop_queues();
    return err;
}

TEST_TIMEOUT(two_loops_work_together, 60)
{
    bury();
    prove_for(3000, two_loops);
}
