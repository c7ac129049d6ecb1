/* SPDX-License-Identifier: MIT */
/* Races on futures, by seed: cancels against the end of jobs, callbacks, waits and destroys against
 * both, and trees of jobs that are cancelled anywhere. */
#include "pools.h"
#include "random.h"

#define MOST 12 /* futures at a time of one driver */

/* A job: does nothing, computes, sleeps or fails, as chance has it; and what became of it. */
struct job {
    uint64_t seed;
    atomic_int ran, called, ended;
    int returned;
    hkt_future *future;
};

static int live(void *arg)
{
    struct job *job = arg;
    struct test_random random = { job->seed };
    int result = (int)random_below(&random, 100);
    CHECK_EQ(atomic_fetch_add(&job->ran, 1), 0);
    switch (random_below(&random, 4)) {
    case 0:
        await_spinning(random_seconds(&random, 2e-5));
        break;
    case 1:
        result = hkt_sleep(random_seconds(&random, 1e-4));
        break;
    case 2:
        result = hkt_fail(-EIO, "job %p", arg);
        break;
    default:
        break;
    }
    job->returned = result;
    atomic_store(&job->ended, 1);
    return result;
}

static void note_called(hkt_future *future, void *arg)
{
    struct job *job = arg;
    CHECK(hkt_future_done(future));
    CHECK_EQ(job->ran, job->ended);
    atomic_fetch_add(&job->called, 1);
}

/* What a future says agrees with what happened. */
static void check_end(struct job *job, int result)
{
    if (job->ran == 0)
        CHECK_EQ(result, -ECANCELED);
    else
        CHECK_EQ(result, job->returned);
    CHECK_EQ(job->ran, job->ended);
    char sentence[32];
    snprintf(sentence, sizeof sentence, "job %p", (void *)job);
    if (result == -EIO)
        CHECK_STR(hkt_sentence(-EIO), sentence);
}

/* Somebody who hands jobs in, and treats them as chance has it. */
struct driver {
    hkt_executor *pool;
    uint64_t stream;
    long rounds;
};

static void begin(struct driver *driver, struct job *job, struct test_random *random)
{
    *job = (struct job){ .seed = random_next(random) };
    hkt_submit_options options = { .priority = (hkt_priority)random_below(random, 3) };
    CHECK_EQ(hkt_submit_with(driver->pool, &job->future, live, job, &options), 0);
}

static void treat(struct job *job, struct test_random *random)
{
    int err;
    switch (random_below(random, 5)) {
    case 0:
        err = hkt_future_cancel(job->future);
        CHECK(err == 0 || err == -EBUSY);
        CHECK_EQ(err == 0, hkt_future_cancelled(job->future));
        break;
    case 1:
        err = hkt_future_request_cancel(job->future);
        CHECK(err == 0 || (err == -EBUSY && hkt_future_done(job->future)));
        break;
    case 2:
        err = hkt_future_wait_until(job->future, hkt_after(random_seconds(random, 1e-4)));
        CHECK(err == 0 || err == -ETIMEDOUT);
        CHECK(err < 0 || hkt_future_done(job->future));
        break;
    case 3:
        await_spinning(random_seconds(random, 2e-5));
        break;
    default:
        break;
    }
}

/* Ends it in one of the ways, or leaves it to itself. */
static void end(struct job *job, struct test_random *random)
{
    int result = 4711;
    if (random_below(random, 4) == 0) {
        hkt_future_destroy(job->future);
        return;
    }
    if (random_below(random, 2) == 0) {
        CHECK_EQ(hkt_future_wait(job->future), 0);
        CHECK_EQ(hkt_future_result(job->future, &result), 0);
        hkt_future_destroy(job->future);
    } else {
        result = hkt_future_finish(job->future);
    }
    check_end(job, result);
}

/* One round: some jobs, treated together. They have ended when it returns, since each has a callback,
 * and their memory goes. */
static void drive_round(struct driver *driver, struct test_random *random)
{
    struct job jobs[MOST];
    int adds[MOST];
    int count = 1 + (int)random_below(random, MOST);
    for (int i = 0; i < count; i++) {
        begin(driver, &jobs[i], random);
        adds[i] = 1 + (int)random_below(random, 3);
        for (int k = 0; k < adds[i]; k++)
            CHECK_EQ(hkt_future_add_done_callback(jobs[i].future, note_called, &jobs[i]), 0);
    }
    for (int i = 0; i < count; i++)
        treat(&jobs[random_below(random, (uint64_t)count)], random);
    for (int i = 0; i < count; i++)
        end(&jobs[i], random);
    for (int i = 0; i < count; i++)
        AWAIT(atomic_load(&jobs[i].called) == adds[i]);
}

static int drive(void *arg)
{
    struct driver *driver = arg;
    struct test_random random = random_of(driver->stream);
    for (long round = 0; round < driver->rounds; round++)
        drive_round(driver, &random);
    return 0;
}

static void ignore_line(void *context, const char *line)
{
    (void)context;
    (void)line; /* failures that nobody looked at */
}

TEST_TIMEOUT(each_job_runs_once_or_is_cancelled, 60)
{
    hkt_executor *pool = must_pool(2);
    struct driver drivers[3];
    struct caller callers[3];
    hkt_set_report_sink(ignore_line, NULL);
    for (int i = 0; i < 3; i++) {
        drivers[i] = (struct driver){ pool, (uint64_t)i, test_scaled(600) };
        caller_start(&callers[i], drive, &drivers[i]);
    }
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
    end_pool(pool);
}

/* Several on one future: all learn the same, and the last one destroys it. */
struct crowd {
    hkt_executor *pool;
    struct job job;
    atomic_int left, calls;
    uint64_t seed;
    atomic_int results[4];
};

static void note_call(hkt_future *future, void *arg)
{
    struct crowd *crowd = arg;
    CHECK(hkt_future_done(future));
    atomic_fetch_add(&crowd->calls, 1);
}

struct member {
    struct crowd *crowd;
    int number;
};

static int take_part(void *arg)
{
    struct member *member = arg;
    struct crowd *crowd = member->crowd;
    struct test_random random = { crowd->seed + (uint64_t)member->number };
    hkt_future *future = crowd->job.future;
    hkt_as_completed *iterator = NULL;
    await_spinning(random_seconds(&random, 3e-5));
    CHECK_EQ(hkt_future_add_done_callback(future, note_call, crowd), 0);
    if (random_below(&random, 3) == 0)
        (void)hkt_future_request_cancel(future);
    if (random_below(&random, 2) == 0) {
        hkt_future *next = NULL;
        CHECK_EQ(hkt_as_completed_create(&iterator, &future, 1), 0);
        if (random_below(&random, 2) == 0)
            CHECK_EQ(hkt_as_completed_next(iterator, &next), 1);
        hkt_as_completed_destroy(iterator);
    }
    CHECK_EQ(hkt_wait(&future, 1, HKT_FIRST_COMPLETED), 1);
    atomic_store(&crowd->results[member->number], result_of(future));
    if (atomic_fetch_sub(&crowd->left, 1) == 1)
        hkt_future_destroy(future);
    return 0;
}

static void check_crowd(hkt_executor *pool, hkt_executor *others, uint64_t seed)
{
    struct crowd crowd = { .pool = pool, .left = 4, .seed = seed };
    struct member members[4];
    hkt_future *futures[4];
    crowd.job.seed = seed;
    crowd.job.future = must_submit(pool, live, &crowd.job);
    for (int i = 0; i < 4; i++) {
        members[i] = (struct member){ &crowd, i };
        futures[i] = must_submit(others, take_part, &members[i]);
    }
    for (int i = 0; i < 4; i++)
        CHECK_EQ(hkt_future_finish(futures[i]), 0);
    AWAIT(atomic_load(&crowd.calls) == 4);
    for (int i = 1; i < 4; i++)
        CHECK_EQ(crowd.results[i], crowd.results[0]);
    if (crowd.job.ran)
        CHECK_EQ(crowd.results[0], crowd.job.returned);
    else
        CHECK_EQ(crowd.results[0], -ECANCELED);
}

TEST_TIMEOUT(many_are_at_one_future_and_the_last_one_destroys_it, 60)
{
    hkt_executor *pool = must_pool(2), *others = must_pool(3);
    struct test_random random = random_of(7);
    for (long i = test_scaled(3000); i > 0; i--)
        check_crowd(pool, i % 2 ? others : pool, random_next(&random));
    hkt_executor_destroy(others);
    end_pool(pool);
}

/* A tree of jobs, each of which cancels or gives up its children as chance has it; all that begin end
 * before who handed them in. */
struct tree {
    hkt_executor *pool;
    uint64_t seed;
    int depth;
    atomic_int *inside;
};

static int grow(void *arg);

static int grow_children(struct tree *tree, struct test_random *random)
{
    struct tree children[3];
    hkt_future *futures[3];
    size_t count = 1 + random_below(random, 3);
    for (size_t i = 0; i < count; i++) {
        children[i] = (struct tree){ tree->pool, random_next(random), tree->depth - 1,
                                     tree->inside };
        if (random_below(random, 4) == 0)
            children[i].depth = 0;
    }
    if (random_below(random, 3) == 0)
        return hkt_map(tree->pool, grow, children, count, sizeof *children);
    size_t handed_in = 0;
    int err = 0;
    for (; handed_in < count && err == 0; handed_in += err == 0)
        err = hkt_submit(tree->pool, &futures[handed_in], grow, &children[handed_in]);
    CHECK(err == 0 || err == -ECANCELED);
    if (handed_in > 0 && random_below(random, 3) == 0)
        (void)hkt_future_request_cancel(futures[random_below(random, handed_in)]);
    if (random_below(random, 3) == 0) {
        int done = hkt_wait_until(futures, handed_in, (hkt_return_when)random_below(random, 3),
                                  hkt_after(random_seconds(random, 1e-4)));
        CHECK(done == -ETIMEDOUT || done == -ECANCELED || (done >= 0 && done <= (int)handed_in));
    }
    for (size_t i = 0; i < handed_in; i++) {
        int result = hkt_future_finish(futures[i]);
        err = err ? err : result;
    }
    return err;
}

static int grow(void *arg)
{
    struct tree *tree = arg;
    struct test_random random = { tree->seed };
    hkt_scope scope;
    int err = 0;
    atomic_fetch_add(tree->inside, 1);
    hkt_scope_enter(
        &scope, random_below(&random, 8) == 0
                    ? &(hkt_scope_options){ .deadline = hkt_after(random_seconds(&random, 2e-4)) }
                    : NULL);
    if (tree->depth > 0)
        err = grow_children(tree, &random);
    else if (random_below(&random, 4) == 0)
        err = hkt_sleep(random_seconds(&random, 1e-4));
    else if (random_below(&random, 8) == 0)
        err = -EIO;
    (void)hkt_scope_leave(&scope);
    atomic_fetch_sub(tree->inside, 1);
    return err;
}

TEST_TIMEOUT(trees_of_jobs_end_wherever_they_are_cancelled, 60)
{
    struct test_random random = random_of(11);
    for (unsigned workers = 1; workers <= 3; workers++) {
        hkt_executor *pool = must_pool(workers);
        for (long i = test_scaled(400); i > 0; i--) {
            atomic_int inside = 0;
            struct tree trees[2];
            hkt_future *futures[2];
            for (int k = 0; k < 2; k++) {
                trees[k] = (struct tree){ pool, random_next(&random), 5, &inside };
                futures[k] = must_submit(pool, grow, &trees[k]);
            }
            await_spinning(random_seconds(&random, 2e-4));
            (void)hkt_future_request_cancel(futures[random_below(&random, 2)]);
            for (int k = 0; k < 2; k++) {
                int result = hkt_future_finish(futures[k]);
                CHECK(result == 0 || result == -ECANCELED || result == -EIO);
            }
            CHECK_EQ(inside, 0);
        }
        end_pool(pool);
    }
}

/* Pools that are closed and destroyed while others hand in. */
static int hand_in_until_closed(void *arg)
{
    struct driver *driver = arg;
    struct test_random random = random_of(driver->stream);
    for (;;) {
        hkt_future *future = NULL;
        int err = hkt_submit(driver->pool, &future, do_nothing, NULL);
        if (err < 0)
            return err == -ESHUTDOWN ? 0 : err;
        if (random_below(&random, 2)) {
            err = hkt_future_finish(future);
            CHECK(err == 0 || err == -ECANCELED);
        } else {
            hkt_future_destroy(future);
        }
    }
}

TEST_TIMEOUT(a_pool_may_be_closed_while_others_hand_in, 60)
{
    struct test_random random = random_of(13);
    for (long i = test_scaled(150); i > 0; i--) {
        hkt_executor *pool = must_pool(1 + (unsigned)random_below(&random, 3));
        struct driver drivers[2] = { { pool, (uint64_t)i, 0 }, { pool, (uint64_t)i + 1000, 0 } };
        struct caller callers[2];
        for (int k = 0; k < 2; k++)
            caller_start(&callers[k], hand_in_until_closed, &drivers[k]);
        await_spinning(random_seconds(&random, 5e-4));
        hkt_executor_close(pool, random_below(&random, 2));
        for (int k = 0; k < 2; k++)
            CHECK_EQ(caller_end(&callers[k]), 0);
        hkt_executor_destroy(pool);
    }
    check_finalized();
}
