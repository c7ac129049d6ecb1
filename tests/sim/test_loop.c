/* SPDX-License-Identifier: MIT */
/* An event loop and other threads, under all schedules: what is handed in runs, also while the loop falls
 * asleep; it stops when told; a cancel reaches it; at its end each job runs or is refused, and nobody
 * touches it afterwards. */
#include "loops.h"

static hkt_semaphore done;
static hkt_event entered, leaves;
static int ran, handed, refused;

static int begin(void)
{
    ran = handed = refused = 0;
    entered = leaves = (hkt_event){ { 0 } };
    MUST(hkt_semaphore_init(&done, 0) == 0);
    return loop_begin();
}

static int counts(void *arg)
{
    (void)arg;
    ran++;
    hkt_semaphore_release(&done, 1);
    return 0;
}

static int waits_for_four(void *arg)
{
    int err = 0;
    (void)arg;
    for (int i = 0; i < 4 && err == 0; i++)
        err = hkt_semaphore_acquire(&done);
    return err;
}

static int hands_in_two(void *arg)
{
    (void)arg;
    MUST(submit(counts) == 0);
    return hkt_loop_call_soon(loop, NULL, counts, NULL);
}

static int handed_in(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    beside(hands_in_two);
    beside(hands_in_two);
    int err = hkt_loop_run(loop, waits_for_four, NULL);
    MUST(err < 0 || ran == 4);
    return loop_end(err);
}

TEST_TIMEOUT(what_others_hand_in_runs, 60)
{
    bury();
    prove_for(4000, handed_in);
}

/* One at a time, with the loop asleep before each. */
static int finishes_three(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        hkt_future *future;
        MUST(hkt_submit(hkt_loop_executor(loop), &future, counts, NULL) == 0);
        MUST(hkt_future_finish(future) == 0 && ran > i);
    }
    hkt_loop_stop(loop);
    return 0;
}

static int one_by_one(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    beside(finishes_three);
    int err = hkt_loop_run_forever(loop);
    MUST(err < 0 || ran == 3);
    return loop_end(err);
}

TEST_TIMEOUT(a_loop_that_sleeps_hears_the_doorbell_and_the_stop, 60)
{
    bury();
    prove_for(4000, one_by_one);
    prove_whole(one_by_one);
}

/* Stopped by two, perhaps before it runs. */
static int stops(void *arg)
{
    (void)arg;
    int err = submit(counts);
    hkt_loop_stop(loop);
    return err;
}

static int stopped(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    beside(stops);
    beside(stops);
    MUST(hkt_loop_run_forever(loop) == 0);
    MUST(join_others() == 0);
    hkt_loop_stop(loop);
    MUST(hkt_loop_run_forever(loop) == 0);
    MUST(hkt_loop_run(loop, counts, NULL) == 0);
    MUST(ran == 3 && !hkt_loop_is_running(loop));
    return loop_end(0);
}

TEST_TIMEOUT(a_stopped_loop_runs_again, 60)
{
    bury();
    prove_for(4000, stopped);
}

/* Cancelled: a task by its future, and a loop by the scope around its run. */
static hkt_future *task;
static hkt_scope *around;

static int sleeps(void *arg)
{
    (void)arg;
    ran++;
    int err = hkt_sleep_until((hkt_deadline){ 0 });
    MUST(err == -ECANCELED && hkt_checkpoint() == -ECANCELED);
    return err;
}

static int submits_and_cancels(void *arg)
{
    (void)arg;
    MUST(hkt_submit(hkt_loop_executor(loop), &task, sleeps, NULL) == 0);
    MUST(hkt_future_request_cancel(task) == 0);
    MUST(hkt_future_wait(task) == 0);
    int result;
    MUST(hkt_future_result(task, &result) == 0 && result == -ECANCELED);
    MUST(ran == !hkt_future_cancelled(task));
    hkt_future_destroy(task);
    hkt_event_set(&leaves);
    return 0;
}

static int waits_until_left(void *arg)
{
    (void)arg;
    return hkt_event_wait(&leaves);
}

static int cancelled_task(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    beside(submits_and_cancels);
    return loop_end(hkt_loop_run(loop, waits_until_left, NULL));
}

TEST_TIMEOUT(a_cancel_of_a_task_comes_from_elsewhere, 60)
{
    bury();
    prove_for(4000, cancelled_task);
}

static int cancels_around(void *arg)
{
    (void)arg;
    hkt_scope_cancel(around);
    return 0;
}

static int run_in_scope(bool forever)
{
    static hkt_scope scope;
    MUST(submit(sleeps) == 0);
    hkt_scope_enter(&scope, NULL);
    around = &scope;
    beside(cancels_around);
    int err = forever ? hkt_loop_run_forever(loop) : hkt_loop_run(loop, sleeps, NULL);
    MUST(err == -ECANCELED);
    MUST(join_others() == 0);
    MUST(hkt_scope_leave(&scope) == -ECANCELED);
    return 0;
}

static int cancelled_run(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    return loop_end(run_in_scope(false));
}

static int cancelled_forever(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    return loop_end(run_in_scope(true));
}

TEST_TIMEOUT(the_end_of_the_scope_around_a_run_ends_it, 60)
{
    bury();
    prove_for(3000, cancelled_run);
    prove_for(3000, cancelled_forever);
}

/* Deadlines, which race with the wake-ups. */
static int waits_shortly(void *arg)
{
    (void)arg;
    int err = hkt_event_wait_until(&entered, hkt_after(3e-6));
    MUST(err == 0 || err == -ETIMEDOUT);
    err = hkt_semaphore_acquire_until(&done, hkt_after(2e-6));
    MUST(err == 0 || err == -ETIMEDOUT);
    handed += err == 0;
    ran++;
    return 0;
}

static int sets_and_releases(void *arg)
{
    (void)arg;
    hkt_event_set(&entered);
    return hkt_semaphore_release(&done, 1);
}

static int starts_two_who_wait(void *arg)
{
    (void)arg;
    hkt_task *one, *two;
    MUST(hkt_task_spawn(&one, waits_shortly, NULL) == 0);
    MUST(hkt_task_spawn(&two, waits_shortly, NULL) == 0);
    int err = hkt_sleep(1e-6);
    MUST(hkt_future_finish(one) == 0 && hkt_future_finish(two) == 0 && ran == 2);
    return err;
}

static int with_deadlines(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    beside(sets_and_releases);
    beside(sets_and_releases);
    int err = hkt_loop_run(loop, starts_two_who_wait, NULL);
    MUST(join_others() == 0);
    MUST(err < 0 || handed + hkt_semaphore_value(&done) == 2);
    return loop_end(err);
}

TEST_TIMEOUT(deadlines_race_with_who_wakes, 60)
{
    bury();
    prove_for(4000, with_deadlines);
}

/* Callbacks at their times, one of them taken back, while others are handed in. */
static hkt_handle soon, later;

static int lets_go(void *arg)
{
    (void)arg;
    hkt_event_set(&leaves);
    return 0;
}

static int sets_handles(void *arg)
{
    (void)arg;
    MUST(hkt_loop_call_later(loop, &later, 2e-6, lets_go, NULL) == 0);
    MUST(hkt_loop_call_soon(loop, &soon, counts, NULL) == 0);
    MUST(hkt_handle_cancel(&soon) && !hkt_handle_pending(&soon));
    MUST(hkt_loop_call_later(loop, &soon, 1e-6, counts, NULL) == 0);
    MUST(hkt_semaphore_acquire(&done) == 0);
    handed += hkt_handle_cancel(&soon);
    int err = hkt_event_wait(&leaves);
    MUST(!hkt_handle_pending(&later));
    return err;
}

static int calls_soon(void *arg)
{
    (void)arg;
    return hkt_loop_call_soon(loop, NULL, counts, NULL);
}

static int with_handles(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    soon = later = (hkt_handle){ { 0 } };
    beside(calls_soon);
    int err = hkt_loop_run(loop, sets_handles, NULL);
    MUST(join_others() == 0);
    MUST(err < 0 || hkt_loop_run(loop, counts, NULL) == 0);
    MUST(err < 0 || ran + handed == 3);
    return loop_end(err);
}

TEST_TIMEOUT(callbacks_and_what_others_hand_in, 60)
{
    bury();
    prove_for(4000, with_handles);
}

/* The end. Who hands in the last job may still be in that call when the loop has ended. */
static int stops_the_loop(void *arg)
{
    ran++;
    hkt_loop_stop(loop);
    return counts(arg);
}

static int hands_in_the_last(void *arg)
{
    (void)arg;
    return submit(stops_the_loop);
}

static int ended_by_a_job(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    beside(hands_in_the_last);
    MUST(hkt_loop_run_forever(loop) == 0);
    end_loop();
    MUST(ran == 2);
    return loop_end(0);
}

TEST_TIMEOUT(a_loop_waits_for_who_is_handing_in, 60)
{
    bury();
    prove_for(6000, ended_by_a_job);
    prove_whole(ended_by_a_job);
}

static int only_stops(void *arg)
{
    (void)arg;
    hkt_loop_stop(loop);
    return 0;
}

static int ended_by_a_stop(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    beside(only_stops);
    MUST(hkt_loop_run_forever(loop) == 0);
    end_loop();
    return loop_end(0);
}

TEST_TIMEOUT(a_loop_waits_for_who_stops_it, 60)
{
    bury();
    prove_for(4000, ended_by_a_stop);
    prove_whole(ended_by_a_stop);
}

/* Closed while others hand in: a job runs, or was refused, or is cancelled with the rest. */
static int hands_in_until_refused(void *arg)
{
    int err = 0;
    (void)arg;
    for (int i = 0; i < 3 && err == 0; i++) {
        err = i == 1 ? hkt_loop_call_soon(loop, NULL, counts, NULL) : submit(counts);
        MUST(err == 0 || err == -ESHUTDOWN);
        handed += err == 0;
    }
    return 0;
}

static int closes(void *arg)
{
    (void)arg;
    hkt_event_wait(&entered);
    hkt_executor_close(hkt_loop_executor(loop), false);
    MUST(submit(counts) == -ESHUTDOWN);
    return 0;
}

static int lets_close_and_yields(void *arg)
{
    (void)arg;
    hkt_event_set(&entered);
    return hkt_yield();
}

static int closed_meanwhile(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    beside(hands_in_until_refused);
    beside(hands_in_until_refused);
    beside(closes);
    int err = hkt_loop_run(loop, lets_close_and_yields, NULL);
    MUST(join_others() == 0);
    int before = handed;
    MUST(hkt_submit(hkt_loop_executor(loop), NULL, counts, NULL) < 0 || ++before);
    end_loop();
    MUST(err < 0 || (ran <= before && hkt_allocation_count() == loop_allocations));
    return loop_end(err);
}

/* The futures of those that were handed in are done, however it ended. */
static hkt_future *kept[2];

static int keeps_futures(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        int err = hkt_submit(hkt_loop_executor(loop), &kept[i], counts, NULL);
        if (err == -ESHUTDOWN)
            kept[i] = NULL;
        else if (err < 0)
            return err;
        refused += err < 0;
    }
    return 0;
}

static int futures_kept(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    beside(keeps_futures);
    beside(closes);
    int err = hkt_loop_run(loop, lets_close_and_yields, NULL);
    MUST(join_others() == 0);
    end_loop();
    for (int i = 0; err == 0 && i < 2; i++) {
        MUST(kept[i] == NULL || hkt_future_done(kept[i]));
        int result = kept[i] ? hkt_future_finish(kept[i]) : 0;
        MUST(result == 0 || result == -ECANCELED);
        refused += result == -ECANCELED;
    }
    MUST(err < 0 || ran + refused == 2);
    return loop_end(err);
}

TEST_TIMEOUT(at_the_end_each_job_runs_or_is_refused, 60)
{
    bury();
    prove_for(3000, closed_meanwhile);
    prove_for(3000, futures_kept);
}
