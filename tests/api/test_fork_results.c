/* SPDX-License-Identifier: MIT */
/* What a join says: the result of its own fork, with its sentence, whether somebody took it or not,
 * whether it was run at once; in pools, outside, on executors of other engines; and misuse. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "pools.h"

static int in_job(hkt_executor *pool, hkt_job *job, void *arg)
{
    return hkt_future_finish(must_submit(pool, job, arg));
}

/* A part: what it returns, and where it ran. */
struct part {
    hkt_executor *pool;
    int result;
    const char *sentence; /* NULL: none */
    atomic_int began;
    int ran_on; /* the native id */
};

static int run_part(void *arg)
{
    struct part *part = arg;
    part->ran_on = hkt_native_id();
    atomic_store(&part->began, 1);
    return part->sentence ? hkt_fail(part->result, "%s", part->sentence) : part->result;
}

static int run_part_inline(hkt_forks forks, void *arg)
{
    (void)forks;
    return run_part(arg);
}

/* Looks for a while whether somebody begins it. */
static void offer(struct part *part)
{
    for (int i = 0; i < 200 && !atomic_load(&part->began); i++)
        await_moment();
}

static bool was_taken(const struct part *part)
{
    return part->ran_on != hkt_native_id();
}

/* Until it was both taken and not taken: the joins say the same. */
static int join_taken_and_not(void *arg)
{
    struct part *part = arg;
    for (int seen = 0; seen != 3; seen |= was_taken(part) ? 1 : 2) {
        bool wanted = !(seen & 1);
        atomic_store(&part->began, 0);
        hkt_fork(run_part, part);
        if (wanted)
            offer(part);
        (void)hkt_fail(-ENOLINK, "another one");
        CHECK_EQ(hkt_join(), part->result);
        if (part->result < 0)
            CHECK_STR(hkt_sentence(part->result),
                      part->sentence ? part->sentence : hkt_strerror(part->result));
    }
    return 0;
}

static int join_taken_and_not_inline(hkt_forks forks, void *arg)
{
    struct part *part = arg;
    for (int seen = 0; seen != 3; seen |= was_taken(part) ? 1 : 2) {
        bool wanted = !(seen & 1);
        atomic_store(&part->began, 0);
        hkt_forks_fork(&forks, run_part_inline, part);
        if (wanted)
            offer(part);
        (void)hkt_fail(-ENOLINK, "another one");
        CHECK_EQ(hkt_forks_join(&forks, run_part_inline, part), part->result);
        if (part->result < 0)
            CHECK_STR(hkt_sentence(part->result),
                      part->sentence ? part->sentence : hkt_strerror(part->result));
    }
    return 0;
}

static int run_inline(void *arg)
{
    return hkt_forks_run(((struct part *)arg)->pool, join_taken_and_not_inline, arg);
}

static void check_joins(int result, const char *sentence)
{
    struct part part = { .pool = must_pool(3), .result = result, .sentence = sentence };
    CHECK_EQ(hkt_fork_run(part.pool, join_taken_and_not, &part), 0);
    CHECK_EQ(in_job(part.pool, join_taken_and_not, &part), 0);
    CHECK_EQ(run_inline(&part), 0);
    CHECK_EQ(in_job(part.pool, run_inline, &part), 0);
    end_pool(part.pool);
}

TEST(a_join_is_0_for_a_success)
{
    check_joins(0, NULL);
}

TEST(a_join_says_the_failure_and_its_sentence)
{
    check_joins(-EIO, "part 17 cannot be read");
}

TEST(a_join_says_a_failure_without_a_sentence)
{
    check_joins(-EIO, NULL);
}

TEST(a_join_says_a_useful_count)
{
    check_joins(4711, NULL);
}

/* The same of forks that are run at once. */
static int join_a_count(void *arg)
{
    struct part *part = arg;
    hkt_fork(run_part, part);
    return hkt_join();
}

TEST(a_join_says_a_useful_count_outside_of_pools)
{
    CHECK_EQ(join_a_count(&(struct part){ .result = 5 }), 5);
    CHECK_EQ(join_a_count(&(struct part){ .result = -EIO }), -EIO);
}

TEST(a_run_returns_what_its_job_returned)
{
    struct part part = { .pool = must_pool(2), .result = -EIO, .sentence = "no luck" };
    CHECK_EQ(hkt_fork_run(part.pool, run_part, &part), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "no luck");
    CHECK_EQ(hkt_forks_run(part.pool, run_part_inline, &part), -EIO);
    part.result = 4711;
    part.sentence = NULL;
    CHECK_EQ(hkt_fork_run(part.pool, run_part, &part), 4711);
    CHECK_EQ(hkt_forks_run(part.pool, run_part_inline, &part), 4711);
    end_pool(part.pool);
}

/* Each join says what its own fork returned, though others failed before, around, or within. */
static int join_several(void *in_pool)
{
    struct part failing = { .result = -EIO, .sentence = "the first" }, fine = { .result = 0 };
    struct part another = { .result = -EPERM, .sentence = "the last" };
    hkt_fork(run_part, &failing);
    hkt_fork(run_part, &fine);
    hkt_fork(run_part, &another);
    CHECK_EQ(hkt_join(), -EPERM);
    CHECK_STR(hkt_sentence(-EPERM), "the last");
    CHECK_EQ(hkt_join(), 0);
    hkt_fork(run_part, &fine);
    CHECK_EQ(hkt_join(), 0);
    CHECK_EQ(hkt_join(), -EIO);
    if (in_pool)
        CHECK_STR(hkt_sentence(-EIO), "the first"); /* else others have spoken since */
    hkt_fork(run_part, &fine);
    CHECK_EQ(hkt_join(), 0);
    return 0;
}

TEST(each_join_says_its_own_forks_failure)
{
    hkt_executor *pool = must_pool(3);
    for (long i = 0; i < test_scaled(300); i++) {
        CHECK_EQ(hkt_fork_run(pool, join_several, pool), 0);
        CHECK_EQ(in_job(pool, join_several, pool), 0);
    }
    end_pool(pool);
}

TEST(each_join_says_its_own_forks_failure_outside_of_pools)
{
    CHECK_EQ(join_several(NULL), 0);
}

/* Far more forks than an array has room for, and among them forks of forks: each join says what its
 * own fork returned. */
struct many {
    int seed;
    bool deeper;
};

static int join_very_many(void *arg);

static int one_of_many(void *arg)
{
    struct many *many = arg;
    return many->deeper ? join_very_many(arg) : many->seed % 7 == 0 ? -EIO : many->seed;
}

static int join_very_many(void *arg)
{
    static const int counts[] = { 10, 20000 };
    struct many *outer = arg;
    int count = counts[outer->seed == 0];
    struct many *all = calloc((size_t)count, sizeof *all);
    CHECK(all != NULL);
    for (int i = 0; i < count; i++) {
        all[i] = (struct many){ i + 1, outer->seed == 0 && i % 1000 == 1 };
        hkt_fork(one_of_many, &all[i]);
    }
    for (int i = count; i > 0; i--)
        CHECK_EQ(hkt_join(), all[i - 1].deeper ? 77 : i % 7 == 0 ? -EIO : i);
    free(all);
    return 77;
}

TEST(each_join_of_too_many_forks_says_its_own_forks_result)
{
    hkt_executor *pool = must_pool(2);
    for (long i = 0; i < test_scaled(20); i++) {
        struct many outermost = { 0, true };
        CHECK_EQ(join_very_many(&outermost), 77);
        CHECK_EQ(hkt_fork_run(pool, join_very_many, &outermost), 77);
        CHECK_EQ(in_job(pool, join_very_many, &outermost), 77);
    }
    end_pool(pool);
}

/* What was said before a join is still said after it, if the join says nothing: also if the one who
 * waits runs parts of what it waits for. */
struct split {
    int owner;
    atomic_int began, helped;
};

static int help_or_not(void *arg)
{
    struct split *split = arg;
    if (hkt_native_id() == split->owner)
        atomic_store(&split->helped, 1);
    await_spinning(0.00002);
    return 0;
}

static int run_split(void *arg)
{
    struct split *split = arg;
    atomic_store(&split->began, 1);
    for (int i = 0; i < 8; i++)
        hkt_fork(help_or_not, split);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(hkt_join(), 0);
    return 0;
}

static int keep_a_sentence(void *arg)
{
    struct split *split = arg;
    split->owner = hkt_native_id();
    hkt_fork(run_split, split);
    for (int i = 0; i < 200 && !atomic_load(&split->began); i++)
        await_moment();
    int err = hkt_fail(-EIO, "mine");
    CHECK_EQ(hkt_join(), 0);
    CHECK_STR(hkt_sentence(err), "mine");
    return 0;
}

TEST(a_join_that_succeeds_leaves_the_sentence_alone)
{
    hkt_executor *pool = must_pool(3);
    for (long i = 0; i < test_scaled(2000); i++) {
        struct split split = { 0 };
        CHECK_EQ(hkt_fork_run(pool, keep_a_sentence, &split), 0);
    }
    end_pool(pool);
}

/* Both forms in one function, either one first. */
static int mix_inline_first(hkt_forks forks, void *arg)
{
    struct part first = { .result = -EIO }, second = { .result = -EPERM };
    (void)arg;
    hkt_forks_fork(&forks, run_part_inline, &first);
    hkt_fork(run_part, &second);
    CHECK_EQ(hkt_join(), -EPERM);
    CHECK_EQ(hkt_forks_join(&forks, run_part_inline, &first), -EIO);
    return 0;
}

TEST(both_forms_in_one_function_inline_first)
{
    hkt_executor *pool = must_pool(2);
    CHECK_EQ(hkt_forks_run(pool, mix_inline_first, NULL), 0);
    end_pool(pool);
}

/* On executors of other engines, all runs in the caller. */
static int join_here(void *arg)
{
    struct part *part = arg;
    hkt_fork(run_part, part);
    CHECK_EQ(hkt_join(), part->result);
    CHECK(!was_taken(part));
    return 0;
}

static int join_here_inline(hkt_forks forks, void *arg)
{
    struct part *part = arg;
    hkt_forks_fork(&forks, run_part_inline, part);
    CHECK_EQ(hkt_forks_join(&forks, run_part_inline, part), part->result);
    CHECK(!was_taken(part));
    return 0;
}

TEST(other_engines_run_forks_in_the_caller)
{
    struct part part = { .result = -EIO };
    hkt_executor *executor;
    CHECK_EQ(hkt_inline_executor_create(&executor), 0);
    CHECK_EQ(hkt_fork_run(executor, join_here, &part), 0);
    CHECK_EQ(in_job(executor, join_here, &part), 0);
    end_pool(executor);
}

TEST(other_engines_run_inline_forks_in_the_caller)
{
    struct part part = { .result = -EIO };
    hkt_executor *executor;
    CHECK_EQ(hkt_inline_executor_create(&executor), 0);
    CHECK_EQ(hkt_forks_run(executor, join_here_inline, &part), 0);
    end_pool(executor);
}

TEST(no_pool_is_the_default_executor)
{
    struct part part = { .result = -EIO, .sentence = "by default" };
    CHECK_EQ(hkt_fork_run(NULL, join_a_count, &(struct part){ .result = 6 }), 6);
    CHECK_EQ(hkt_forks_run(NULL, run_part_inline, &part), -EIO);
    check_finalized();
}

/* A cancel of the scope around all reaches a fork wherever it waits; the join is no cancellation
 * point and says what it returned. */
struct patient {
    hkt_executor *pool;
    hkt_event never;
    atomic_int began;
    int ran_on;
};

static int wait_for_ever(void *arg)
{
    struct patient *patient = arg;
    atomic_fetch_add(&patient->began, 1);
    return hkt_event_wait(&patient->never);
}

static int fork_patients(void *arg)
{
    int results[3];
    for (int i = 0; i < 2; i++)
        hkt_fork(wait_for_ever, arg);
    results[2] = wait_for_ever(arg);
    for (int i = 0; i < 2; i++)
        results[i] = hkt_join();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(results[i], -ECANCELED);
    return results[0];
}

static int run_patients(void *arg)
{
    return hkt_fork_run(((struct patient *)arg)->pool, fork_patients, arg);
}

TEST(a_cancel_reaches_forks)
{
    struct patient patient = { .pool = must_pool(3) };
    struct caller caller;
    hkt_future *future;
    caller_start(&caller, run_patients, &patient);
    AWAIT(atomic_load(&patient.began));
    caller_cancel(&caller);
    CHECK_EQ(caller_end(&caller), -ECANCELED);
    atomic_store(&patient.began, 0);
    CHECK_EQ(hkt_submit(patient.pool, &future, fork_patients, &patient), 0);
    AWAIT(atomic_load(&patient.began));
    CHECK_EQ(hkt_future_request_cancel(future), 0);
    CHECK_EQ(hkt_future_finish(future), -ECANCELED);
    end_pool(patient.pool);
}

/* The same for a scope around a run of forks within a job that has forked before: until somebody took
 * one. */
static int note_and_wait(void *arg)
{
    struct patient *patient = arg;
    patient->ran_on = hkt_native_id();
    return wait_for_ever(patient);
}

static int fork_a_patient(void *arg)
{
    struct patient *patient = arg;
    atomic_store(&patient->began, 0);
    hkt_fork(note_and_wait, patient);
    for (int i = 0; i < 200 && !atomic_load(&patient->began); i++)
        await_moment();
    return hkt_join();
}

static int patients_in_scopes(void *arg)
{
    struct patient *patient = arg;
    struct part part = { .result = 0 };
    hkt_scope scope;
    hkt_fork(run_part, &part);
    CHECK_EQ(hkt_join(), 0);
    do {
        hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.01) });
        CHECK_EQ(hkt_fork_run(patient->pool, fork_a_patient, patient), -ECANCELED);
        CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    } while (patient->ran_on == hkt_native_id());
    return 0;
}

TEST(a_deadline_around_a_run_inside_of_a_job_reaches_its_forks)
{
    struct patient patient = { .pool = must_pool(3) };
    CHECK_EQ(in_job(patient.pool, patients_in_scopes, &patient), 0);
    CHECK_EQ(hkt_fork_run(patient.pool, patients_in_scopes, &patient), 0);
    end_pool(patient.pool);
}

/* Misuse. */

static int forget_to_join(void *arg)
{
    hkt_fork(run_part, arg);
    return 0;
}

TEST_ABORTS(a_job_that_does_not_join_is_refused, "forks that it has not joined")
{
    struct part part = { .result = 0 };
    (void)in_job(must_pool(1), forget_to_join, &part);
}

TEST_ABORTS(a_run_that_does_not_join_is_refused, "forks that it has not joined")
{
    struct part part = { .result = 0 };
    (void)hkt_fork_run(must_pool(1), forget_to_join, &part);
}

static int join_too_often(void *arg)
{
    hkt_fork(run_part, arg);
    CHECK_EQ(hkt_join(), 0);
    return hkt_join();
}

TEST_ABORTS(a_join_without_a_fork_is_refused, "there is no fork to join")
{
    struct part part = { .result = 0 };
    (void)in_job(must_pool(1), join_too_often, &part);
}

TEST_ABORTS(a_join_without_a_fork_is_refused_outside_of_pools, "there is no fork to join")
{
    struct part part = { .result = 0 };
    (void)join_too_often(&part);
}
