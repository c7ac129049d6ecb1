/* SPDX-License-Identifier: MIT */
/* The futures of jobs, under all schedules: a cancel reaches a job that runs, or it does not run;
 * and what a job left is given back once, by whoever is last. */
#include "crew.h"

/* An engine that keeps one job, until somebody runs it. */
static hkt_future *kept, *future;
static int begun, reports;

static int keep(void *engine, hkt_future *handed, const hkt_submit_options *options)
{
    (void)engine;
    (void)options;
    kept = handed;
    return 0;
}

static const hkt_engine engine = { .name = "keeper", .submit = keep };

static void count_reports(void *context, const char *line)
{
    (void)context;
    reports += strstr(line, "nobody looked") != NULL;
}

static int begin(hkt_job *job)
{
    begun = reports = 0;
    crew_allocations = hkt_allocation_count();
    int err = hkt_executor_create(&crew, &engine, NULL);
    return err < 0 ? err : hkt_submit(crew, &future, job, NULL);
}

/* Nothing of the job's scope is left on the stack. */
static __attribute__((noinline)) void wipe(void)
{
    volatile char below[4096];
    for (size_t i = 0; i < sizeof below; i++)
        below[i] = 0x5a;
}

static int runs(void *arg)
{
    (void)arg;
    hkt_future_run(kept);
    wipe();
    return 0;
}

/* Ends by a cancel alone. */
static int sleeps(void *arg)
{
    (void)arg;
    begun++;
    int err = hkt_sleep_until((hkt_deadline){ 0 });
    MUST(err == -ECANCELED && hkt_checkpoint() == -ECANCELED);
    return err;
}

static int cancels(void *arg)
{
    (void)arg;
    int err = hkt_future_request_cancel(future);
    MUST(err == 0 || (err == -EBUSY && hkt_future_done(future)));
    return 0;
}

static int two_cancel(void *arg)
{
    (void)arg;
    int result = 0;
    MUST(begin(sleeps) == 0);
    int err = TOGETHER(runs, cancels, cancels);
    MUST(err < 0 || (hkt_future_result(future, &result) == 0 && result == -ECANCELED));
    MUST(err < 0 || begun == !hkt_future_cancelled(future));
    hkt_future_destroy(future);
    return crew_end(err);
}

TEST_TIMEOUT(a_cancel_reaches_the_job, 60)
{
    prove(two_cancel);
}

/* The one who finishes it is cancelled himself. */
static hkt_scope *scope;
static hkt_event entered;

static int finishes_in_a_scope(void *arg)
{
    static hkt_scope mine;
    (void)arg;
    hkt_scope_enter(&mine, NULL);
    scope = &mine;
    hkt_event_set(&entered);
    int err = hkt_future_finish(future);
    int end = hkt_scope_leave(&mine);
    MUST(err == -ECANCELED && end == -ECANCELED);
    return 0;
}

static int ends_the_scope(void *arg)
{
    (void)arg;
    hkt_event_wait(&entered);
    hkt_scope_cancel(scope);
    return 0;
}

static int cancelled_finish(void *arg)
{
    (void)arg;
    entered = (hkt_event){ { 0 } };
    MUST(begin(sleeps) == 0);
    return crew_end(TOGETHER(runs, finishes_in_a_scope, ends_the_scope));
}

TEST_TIMEOUT(who_finishes_and_is_cancelled_leaves_no_job_behind, 60)
{
    prove(cancelled_finish);
}

/* Given back by the last. */
static int fails(void *arg)
{
    (void)arg;
    begun++;
    return hkt_fail(-EIO, "all is lost");
}

static int destroys(void *arg)
{
    (void)arg;
    hkt_future_destroy(future);
    return 0;
}

static int destroyed_meanwhile(void *arg)
{
    (void)arg;
    MUST(begin(fails) == 0);
    int err = TOGETHER(runs, destroys);
    MUST(err < 0 || (begun == 1 && reports == 1));
    return crew_end(err);
}

TEST_TIMEOUT(a_failure_that_nobody_saw_is_reported_once, 60)
{
    hkt_set_report_sink(count_reports, NULL);
    prove(destroyed_meanwhile);
}

static int takes_back_and_destroys(void *arg)
{
    (void)arg;
    int err = hkt_future_cancel(future);
    MUST(err == 0 || err == -EBUSY);
    begun += err == 0;
    hkt_future_destroy(future);
    return 0;
}

static int succeeds(void *arg)
{
    (void)arg;
    begun++;
    return 3;
}

static int taken_back_meanwhile(void *arg)
{
    (void)arg;
    MUST(begin(succeeds) == 0);
    int err = TOGETHER(runs, takes_back_and_destroys);
    MUST(err < 0 || begun == 1);
    return crew_end(err);
}

TEST_TIMEOUT(it_runs_or_is_taken_back, 60)
{
    prove(taken_back_meanwhile);
    prove_whole(taken_back_meanwhile);
}

static int finishes(void *arg)
{
    (void)arg;
    int err = hkt_future_finish(future);
    MUST(err == 3);
    return 0;
}

static int finished_meanwhile(void *arg)
{
    (void)arg;
    MUST(begin(succeeds) == 0);
    return crew_end(TOGETHER(runs, finishes));
}

TEST_TIMEOUT(who_finishes_it_gives_it_back, 60)
{
    prove(finished_meanwhile);
    prove_whole(finished_meanwhile);
}
