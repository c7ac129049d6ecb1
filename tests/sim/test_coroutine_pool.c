/* SPDX-License-Identifier: MIT */
/* The coroutine engine, under all schedules: its limit holds, jobs that wait for jobs go on, and at its
 * end what was taken has run or is cancelled, and nobody touches it any more. */
#include "loops.h"

static int ran, handed, at_a_time, most;
static hkt_event gate;
static hkt_lock lock;

static int begin(unsigned loops, unsigned tasks)
{
    ran = handed = at_a_time = most = grave_count = 0;
    gate = (hkt_event){ { 0 } };
    lock = (hkt_lock){ 0 };
    crew_allocations = hkt_allocation_count();
    return hkt_coroutine_pool_create(
        &crew, &(hkt_coroutine_pool_options){ .loops = loops, .max_tasks = tasks });
}

static int end(int err)
{
    err = crew_end(err);
    int quiet = graves_are_quiet();
    return err < 0 ? err : quiet;
}

static int counts(void *arg)
{
    (void)arg;
    hkt_lock_acquire(&lock);
    ran++;
    hkt_lock_release(&lock);
    return 4;
}

/* No more at a time than the limit says, over all loops. */
static int is_counted(void *arg)
{
    hkt_lock_acquire(&lock);
    at_a_time++;
    most = at_a_time > most ? at_a_time : most;
    hkt_lock_release(&lock);
    int err = hkt_sleep(1e-6);
    hkt_lock_acquire(&lock);
    at_a_time--;
    hkt_lock_release(&lock);
    return err < 0 ? err : counts(arg);
}

static int finishes_two(void *arg)
{
    (void)arg;
    hkt_future *other;
    MUST(hkt_submit(crew, &other, is_counted, NULL) == 0);
    MUST(crew_run(is_counted, NULL) == 4);
    return hkt_future_finish(other) == 4 ? 0 : -EIO;
}

static int with_limit(void *arg)
{
    (void)arg;
    MUST(begin(2, 1) == 0);
    int err = TOGETHER(finishes_two, finishes_two);
    MUST(err < 0 || (ran == 4 && most == 1));
    return end(err);
}

TEST_TIMEOUT(the_limit_of_a_coroutine_pool_holds, 60)
{
    bury();
    prove_for(2500, with_limit);
}

/* Jobs that wait for jobs, two deep, in a pool of one. */
static int waits_for_two(void *arg)
{
    (void)arg;
    hkt_future *other;
    MUST(hkt_submit(crew, &other, counts, NULL) == 0);
    MUST(crew_run(counts, NULL) == 4);
    return hkt_future_finish(other);
}

static int waits_for_nested(void *arg)
{
    (void)arg;
    return crew_run(waits_for_two, NULL);
}

static int runs_nested(void *arg)
{
    (void)arg;
    return crew_run(waits_for_nested, NULL) == 4 ? 0 : -EIO;
}

static int nested(void *arg)
{
    (void)arg;
    MUST(begin(1, 1) == 0);
    int err = TOGETHER(runs_nested, runs_nested);
    MUST(err < 0 || ran == 4);
    return end(err);
}

static int nested_in_two(void *arg)
{
    (void)arg;
    MUST(begin(2, 1) == 0);
    return end(runs_nested(NULL));
}

TEST_TIMEOUT(jobs_of_a_coroutine_pool_wait_for_jobs, 60)
{
    bury();
    prove_for(2500, nested);
    prove_for(2500, nested_in_two);
}

/* A shutdown, and a close that cancels. */
static int submits_three(void *arg)
{
    int err = 0;
    (void)arg;
    for (int i = 0; i < 3 && err == 0; i++) {
        err = hkt_submit(crew, NULL, counts, NULL);
        handed += err == 0;
    }
    return err == -ESHUTDOWN ? 0 : err;
}

static int shuts_down(void *arg)
{
    (void)arg;
    int err = hkt_executor_shutdown(crew);
    MUST(err == 0 && ran >= handed);
    return hkt_submit(crew, NULL, counts, NULL) == -ESHUTDOWN ? 0 : -EIO;
}

static int shut_down_meanwhile(void *arg)
{
    (void)arg;
    MUST(begin(1, 2) == 0);
    int err = TOGETHER(submits_three, shuts_down);
    MUST(err < 0 || ran == handed);
    return end(err);
}

static int finishes_some(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        int err = crew_run(counts, NULL);
        MUST(err == 4 || err == -ECANCELED || err == -ESHUTDOWN);
        hkt_lock_acquire(&lock);
        handed += err == 4;
        hkt_lock_release(&lock);
    }
    return 0;
}

static int closes(void *arg)
{
    (void)arg;
    hkt_executor_close(crew, true);
    return 0;
}

static int cancelled_meanwhile(void *arg)
{
    (void)arg;
    MUST(begin(1, 1) == 0);
    int err = TOGETHER(finishes_some, finishes_some, closes);
    MUST(err < 0 || ran == handed);
    return end(err);
}

TEST_TIMEOUT(a_coroutine_pool_ends_when_all_have, 60)
{
    bury();
    prove_for(2500, shut_down_meanwhile);
    prove_for(2500, cancelled_meanwhile);
}

/* Left to itself. */
static int waits_at_the_gate(void *arg)
{
    (void)arg;
    return hkt_event_wait(&gate);
}

static int opens(void *arg)
{
    (void)arg;
    hkt_event_set(&gate);
    return 0;
}

static int gives_up(void *arg)
{
    (void)arg;
    int err = hkt_executor_shutdown_until(crew, hkt_after(5e-6));
    MUST(err == 0 || err == -ETIMEDOUT);
    hkt_executor_destroy(crew);
    return 0;
}

static int given_up(void *arg)
{
    (void)arg;
    MUST(begin(2, 0) == 0);
    MUST(hkt_submit(crew, NULL, waits_at_the_gate, NULL) == 0);
    MUST(hkt_submit(crew, NULL, counts, NULL) == 0);
    int err = TOGETHER(gives_up, opens);
    while (err == 0 && hkt_allocation_count() != crew_allocations)
        err = hkt_sleep(1e-6); /* for the threads, which nobody can join any more */
    MUST(err < 0 || ran == 1);
    int quiet = graves_are_quiet();
    return err < 0 ? err : quiet;
}

static void be_quiet(void *context, const char *line)
{
    (void)context;
    if (strstr(line, "left to themselves") == NULL)
        puts(line);
}

TEST_TIMEOUT(the_last_thread_gives_back_a_coroutine_pool_that_was_given_up, 60)
{
    bury();
    hkt_set_report_sink(be_quiet, NULL);
    prove_for(2500, given_up);
}
