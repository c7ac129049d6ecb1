/* SPDX-License-Identifier: MIT */
/* The end of a thread pool, under all schedules: what was taken is run, or cancelled; the last worker
 * to leave ends it, or gives it back. */
#include "crew.h"

static int ran, handed;
static hkt_event gate;

static int counts(void *arg)
{
    (void)arg;
    hkt_simulate_point();
    ran++;
    return 4;
}

static int begin(unsigned workers)
{
    ran = handed = 0;
    gate = (hkt_event){ { 0 } };
    return crew_begin(workers);
}

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
    MUST(begin(2) == 0);
    int err = TOGETHER(submits_three, shuts_down, shuts_down);
    MUST(err < 0 || ran == handed);
    return crew_end(err);
}

TEST_TIMEOUT(a_shutdown_waits_for_what_was_taken, 60)
{
    prove_for(4000, shut_down_meanwhile);
}

static int finishes_two(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        int err = crew_run(counts, NULL);
        MUST(err == 4 || err == -ECANCELED || err == -ESHUTDOWN);
        handed += err == 4;
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
    MUST(begin(1) == 0);
    int err = TOGETHER(finishes_two, finishes_two, closes);
    MUST(err < 0 || ran == handed);
    return crew_end(err);
}

TEST_TIMEOUT(a_close_may_cancel_what_has_not_begun, 60)
{
    prove_for(4000, cancelled_meanwhile);
}

/* Jobs in rings, from inside. */
static int submits_inside(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        MUST(hkt_submit(crew, NULL, counts, NULL) == 0);
    return 0;
}

static int submits_after_the_close(void *arg)
{
    (void)arg;
    MUST(begin(2) == 0);
    MUST(hkt_submit(crew, NULL, submits_inside, NULL) == 0);
    MUST(hkt_executor_shutdown(crew) == 0 && ran == 3);
    return crew_end(0);
}

TEST_TIMEOUT(jobs_of_a_closed_pool_may_submit, 60)
{
    prove_for(4000, submits_after_the_close);
}

static int closes_the_rings(void *arg)
{
    (void)arg;
    MUST(begin(2) == 0);
    MUST(hkt_submit(crew, NULL, submits_inside, NULL) == 0);
    hkt_executor_close(crew, true);
    MUST(hkt_executor_shutdown(crew) == 0 && ran <= 3);
    return crew_end(0);
}

TEST_TIMEOUT(a_close_cancels_what_lies_in_rings, 60)
{
    prove_for(3000, closes_the_rings);
}

/* A closed pool runs as many jobs at a time as before, so jobs may still wait for each other. */
static int opens_the_gate(void *arg)
{
    (void)arg;
    ran++;
    hkt_event_set(&gate);
    return 0;
}

static int submits_and_waits_at_the_gate(void *arg)
{
    (void)arg;
    MUST(hkt_submit(crew, NULL, opens_the_gate, NULL) == 0);
    return hkt_event_wait(&gate);
}

static int closed_with_two(void *arg)
{
    hkt_future *future;
    (void)arg;
    MUST(begin(2) == 0);
    MUST(hkt_submit(crew, NULL, counts, NULL) == 0);
    MUST(hkt_submit(crew, &future, submits_and_waits_at_the_gate, NULL) == 0);
    hkt_executor_close(crew, false);
    int err = hkt_future_finish(future);
    MUST(err < 0 || ran >= 1);
    return crew_end(err);
}

TEST_TIMEOUT(a_closed_pool_keeps_its_workers_while_jobs_run, 60)
{
    prove_for(4000, closed_with_two);
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
    MUST(begin(2) == 0);
    MUST(hkt_submit(crew, NULL, waits_at_the_gate, NULL) == 0);
    MUST(hkt_submit(crew, NULL, counts, NULL) == 0);
    int err = TOGETHER(gives_up, opens);
    while (err == 0 && hkt_allocation_count() != crew_allocations)
        err = hkt_sleep(1e-6); /* for the workers, which nobody can join any more */
    MUST(err < 0 || ran == 1);
    return err;
}

static void be_quiet(void *context, const char *line)
{
    (void)context;
    (void)line;
}

TEST_TIMEOUT(the_last_worker_gives_back_a_pool_that_was_given_up, 60)
{
    hkt_set_report_sink(be_quiet, NULL);
    prove_for(5000, given_up);
}

/* The pool of the process. */
static int finishes_one(void *arg)
{
    (void)arg;
    hkt_future *future;
    MUST(hkt_submit(NULL, &future, counts, NULL) == 0);
    return hkt_future_finish(future) == 4 ? 0 : -EIO;
}

static int in_the_default_pool(void *arg)
{
    (void)arg;
    ran = 0;
    int err = TOGETHER(finishes_one, finishes_one);
    MUST(err < 0 || (hkt_finalize() == 0 && ran == 2));
    return err;
}

TEST_TIMEOUT(the_default_pool_is_made_once_and_ended_by_finalize, 60)
{
    prove_for(3000, in_the_default_pool);
}
