/* SPDX-License-Identifier: MIT */
/* Jobs that wait for jobs, under all schedules: whatever they wait for, on one worker or two, nobody
 * waits for ever. */
#include "crew.h"

static int ran;
static hkt_queue *queue;
static hkt_lock lock;
static hkt_event gate;

static int begin(unsigned workers)
{
    ran = 0;
    lock = (hkt_lock){ 0 };
    gate = (hkt_event){ { 0 } };
    return crew_begin(workers);
}

/* A tree of jobs: each waits for its two, and returns how many there are. */
static int tree(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    hkt_future *left, *right;
    hkt_simulate_point();
    ran++;
    if (depth == 0)
        return 1;
    MUST(hkt_submit(crew, &left, tree, (void *)(depth - 1)) == 0);
    MUST(hkt_submit(crew, &right, tree, (void *)(depth - 1)) == 0);
    int first = hkt_future_finish(left);
    MUST(first > 0);
    int second = hkt_future_finish(right);
    MUST(second > 0);
    return 1 + first + second;
}

static int a_tree(unsigned workers, int depth)
{
    MUST(begin(workers) == 0);
    int count = crew_run(tree, (void *)(intptr_t)depth);
    MUST(count == (2 << depth) - 1 && ran == count);
    return crew_end(0);
}

static int low_tree_on_one(void *arg)
{
    (void)arg;
    return a_tree(1, 1);
}

static int low_tree_on_two(void *arg)
{
    (void)arg;
    return a_tree(2, 1);
}

static int high_tree_on_one(void *arg)
{
    (void)arg;
    return a_tree(1, 3);
}

static int high_tree_on_two(void *arg)
{
    (void)arg;
    return a_tree(2, 3);
}

TEST_TIMEOUT(nested_waits_end_on_one_worker, 60)
{
    prove_for(3000, low_tree_on_one);
    prove_for(1000, high_tree_on_one);
}

TEST_TIMEOUT(nested_waits_end_on_two_workers, 60)
{
    prove_for(3000, low_tree_on_two);
    prove_for(1000, high_tree_on_two);
}

/* `first` waits for a job that runs on another worker; meanwhile `third` begins on the worker of
 * `first`, and waits in a queue for what `first` will put: it must make way. */
static int waits_at_the_gate(void *arg)
{
    (void)arg;
    ran++;
    return hkt_event_wait(&gate);
}

static int puts_after(void *arg)
{
    hkt_future *second = arg;
    int item = 7;
    hkt_event_set(&gate);
    int err = hkt_future_wait(second);
    return err < 0 ? err : hkt_queue_put(queue, &item);
}

static int gets(void *arg)
{
    int item = 0;
    (void)arg;
    int err = hkt_queue_get(queue, &item);
    MUST(err == 0 && item == 7);
    return 0;
}

static int three_in_a_ring(void *arg)
{
    hkt_future *first, *second, *third;
    (void)arg;
    MUST(begin(2) == 0);
    MUST(hkt_queue_create(&queue, sizeof(int), NULL) == 0);
    MUST(hkt_submit(crew, &second, waits_at_the_gate, NULL) == 0);
    MUST(hkt_submit(crew, &first, puts_after, second) == 0);
    MUST(hkt_submit(crew, &third, gets, NULL) == 0);
    int err = hkt_future_finish(first);
    err = err < 0 ? err : hkt_future_finish(third);
    err = err < 0 ? err : hkt_future_finish(second);
    hkt_queue_destroy(queue);
    return crew_end(err);
}

TEST_TIMEOUT(a_job_that_may_go_on_does_though_another_waits_on_its_thread, 60)
{
    prove_for(5000, three_in_a_ring);
}

/* Deadlines: of a wait for a job, while others run on the same thread. */
static int sleeps(void *arg)
{
    (void)arg;
    return hkt_sleep(4e-6);
}

static int waits_shortly(void *arg)
{
    hkt_future *slow, *other;
    (void)arg;
    MUST(hkt_submit(crew, &slow, sleeps, NULL) == 0);
    MUST(hkt_submit(crew, &other, sleeps, NULL) == 0);
    int err = hkt_future_wait_until(slow, hkt_after(2e-6));
    MUST(err == 0 || err == -ETIMEDOUT);
    MUST(err < 0 || hkt_future_done(slow));
    hkt_future_destroy(slow);
    return hkt_future_finish(other);
}

static int with_deadlines_on(unsigned workers)
{
    hkt_future *one, *two;
    MUST(begin(workers) == 0);
    MUST(hkt_submit(crew, &one, waits_shortly, NULL) == 0);
    MUST(hkt_submit(crew, &two, waits_shortly, NULL) == 0);
    int err = hkt_future_finish(one);
    int other = hkt_future_finish(two);
    return crew_end(err < 0 ? err : other);
}

static int deadlines_on_one(void *arg)
{
    (void)arg;
    return with_deadlines_on(1);
}

static int deadlines_on_two(void *arg)
{
    (void)arg;
    return with_deadlines_on(2);
}

TEST_TIMEOUT(waits_for_jobs_end_by_their_deadlines, 60)
{
    prove_for(2500, deadlines_on_one);
    prove_for(2500, deadlines_on_two);
}

/* Cancel: from outside, of a job that waits for a job. */
static int sleeps_for_ever(void *arg)
{
    (void)arg;
    return hkt_sleep_until((hkt_deadline){ 0 });
}

static int finishes_a_sleeper(void *arg)
{
    (void)arg;
    return crew_run(sleeps_for_ever, NULL);
}

static int cancelled_on(unsigned workers)
{
    hkt_future *outer;
    MUST(begin(workers) == 0);
    MUST(hkt_submit(crew, &outer, finishes_a_sleeper, NULL) == 0);
    hkt_simulate_point();
    int err = hkt_future_request_cancel(outer);
    MUST(err == 0);
    err = hkt_future_finish(outer);
    MUST(err == -ECANCELED);
    return crew_end(0);
}

static int cancelled_on_one(void *arg)
{
    (void)arg;
    return cancelled_on(1);
}

static int cancelled_on_two(void *arg)
{
    (void)arg;
    return cancelled_on(2);
}

TEST_TIMEOUT(a_cancel_goes_down_to_what_is_awaited, 60)
{
    prove_for(3000, cancelled_on_one);
    prove_for(3000, cancelled_on_two);
}

/* Locks among jobs. */
static int inside;

static int locks(void *arg)
{
    (void)arg;
    hkt_lock_acquire(&lock);
    int err = pass_alone(&inside);
    ran++;
    hkt_lock_release(&lock);
    return err;
}

static int locks_around(void *arg)
{
    hkt_future *future;
    MUST(hkt_submit(crew, &future, locks, NULL) == 0);
    int err = locks(arg);
    int other = hkt_future_finish(future);
    return err < 0 ? err : other;
}

static int locked_on(unsigned workers)
{
    hkt_future *futures[3];
    inside = 0;
    MUST(begin(workers) == 0);
    for (int i = 0; i < 3; i++)
        MUST(hkt_submit(crew, &futures[i], locks_around, NULL) == 0);
    for (int i = 0; i < 3; i++)
        MUST(hkt_future_finish(futures[i]) == 0);
    MUST(ran == 6);
    return crew_end(0);
}

static int locked_on_one(void *arg)
{
    (void)arg;
    return locked_on(1);
}

static int locked_on_two(void *arg)
{
    (void)arg;
    return locked_on(2);
}

TEST_TIMEOUT(jobs_take_locks_in_turn, 60)
{
    prove_for(2000, locked_on_one);
    prove_for(2000, locked_on_two);
}

/* A job that holds something of others over its waits: nothing else begins on its thread. */
static bool kept[16]; /* by the number of the thread */

static int alone(void *arg)
{
    uint64_t here = hkt_ident();
    MUST(here < 16 && !kept[here]);
    kept[here] = true;
    int count = tree(arg);
    kept[here] = false;
    return count;
}

static int in_between(void *arg)
{
    (void)arg;
    MUST(!kept[hkt_ident()]);
    return 0;
}

static int no_foreign_work_on(unsigned workers)
{
    hkt_submit_options options = { .no_foreign_work = true };
    hkt_future *futures[3];
    memset(kept, 0, sizeof kept);
    MUST(begin(workers) == 0);
    MUST(hkt_submit_with(crew, &futures[0], alone, (void *)1, &options) == 0);
    MUST(hkt_submit(crew, &futures[1], in_between, NULL) == 0);
    MUST(hkt_submit_with(crew, &futures[2], alone, (void *)1, &options) == 0);
    for (int i = 0; i < 3; i++) {
        int result = hkt_future_finish(futures[i]);
        MUST(result == (i == 1 ? 0 : 3));
    }
    return crew_end(0);
}

static int kept_on_one(void *arg)
{
    (void)arg;
    return no_foreign_work_on(1);
}

static int kept_on_two(void *arg)
{
    (void)arg;
    return no_foreign_work_on(2);
}

TEST_TIMEOUT(a_job_may_keep_its_thread_to_itself, 60)
{
    prove_for(2000, kept_on_one);
    prove_for(3000, kept_on_two);
}

/* Several at a time, and two pools whose jobs wait for each other's. */
static int waits_for_both(void *arg)
{
    hkt_future *pair[2];
    MUST(hkt_submit(crew, &pair[0], tree, NULL) == 0);
    MUST(hkt_submit(crew, &pair[1], tree, arg) == 0);
    int done = hkt_wait(pair, 2, HKT_ALL_COMPLETED);
    MUST(done == 2);
    return hkt_future_finish(pair[0]) + hkt_future_finish(pair[1]);
}

static int in_crowds(void *arg)
{
    hkt_future *one, *two;
    (void)arg;
    MUST(begin(1) == 0);
    MUST(hkt_submit(crew, &one, waits_for_both, NULL) == 0);
    MUST(hkt_submit(crew, &two, waits_for_both, (void *)1) == 0);
    MUST(hkt_future_finish(one) == 2);
    MUST(hkt_future_finish(two) == 4);
    return crew_end(0);
}

TEST_TIMEOUT(jobs_wait_for_several, 60)
{
    prove_for(3000, in_crowds);
}
