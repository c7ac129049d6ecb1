/* SPDX-License-Identifier: MIT */
/* Task groups that are cancelled: by their body, a child, another thread, before they are entered, by a
 * scope around them or its deadline; leaves that end early. */
#include "groups.h"

static int end_by_the_body(void *arg)
{
    struct sleeper sleeper = { 0 };
    hkt_task_group group = { 0 };
    hkt_future *untouched = NULL;
    (void)arg;
    hkt_task_group_enter(&group, NULL);
    for (int i = 0; i < 5; i++)
        must_spawn_into(&group, sleep_in_group, &sleeper);
    CHECK_EQ(hkt_event_wait(&sleeper.asleep), 0);
    hkt_task_group_cancel(&group);
    hkt_task_group_cancel(&group);
    CHECK(hkt_task_group_cancelled(&group));
    CHECK_EQ(hkt_sleep(60), -ECANCELED);
    CHECK_EQ(hkt_task_group_spawn(&group, &untouched, do_nothing, NULL), -ECANCELED);
    CHECK(untouched == NULL);
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    CHECK_EQ(sleeper.began, sleeper.cancelled);
    CHECK_EQ(hkt_checkpoint(), 0);
    hkt_task_group_cancel(&group); /* as long as the memory is there */
    return 0;
}

TEST(a_group_that_its_body_cancels_is_left_with_0)
{
    side_by_side(end_by_the_body);
    CHECK_EQ(end_by_the_body(NULL), 0);
    check_finalized();
}

/* What the waits of the body returned is no failure either. */
static int end_with_what_came_out(void *arg)
{
    struct sleeper sleeper = { 0 };
    hkt_task_group group = { 0 };
    (void)arg;
    hkt_task_group_enter(&group, NULL);
    must_spawn_into(&group, sleep_in_group, &sleeper);
    hkt_task_group_cancel(&group);
    CHECK_EQ(hkt_task_group_leave(&group, hkt_checkpoint()), 0);
    CHECK_EQ(sleeper.began, sleeper.cancelled);
    return 0;
}

TEST(a_body_that_was_cancelled_with_its_group_has_not_failed)
{
    in_each_kind(end_with_what_came_out);
}

static int cancel_before_it_is_entered(void *arg)
{
    atomic_int ran = 0;
    hkt_task_group group = { 0 };
    (void)arg;
    hkt_task_group_cancel(&group);
    CHECK(hkt_task_group_cancelled(&group));
    hkt_task_group_enter(&group, NULL);
    CHECK_EQ(hkt_checkpoint(), -ECANCELED);
    CHECK_EQ(hkt_task_group_spawn(&group, NULL, count_up, &ran), -ECANCELED);
    CHECK_EQ(hkt_task_group_leave(&group, -ECANCELED), 0);
    CHECK_EQ(ran, 0);
    return 0;
}

TEST(a_group_may_be_cancelled_before_it_is_entered)
{
    in_each_kind(cancel_before_it_is_entered);
}

/* In the order of a loop nothing begins between the spawn and the cancel. */
static int spawn_and_cancel(void *arg)
{
    atomic_int ran = 0;
    hkt_task_group group = { 0 };
    hkt_future *tasks[20];
    (void)arg;
    hkt_task_group_enter(&group, NULL);
    for (int i = 0; i < 20; i++)
        tasks[i] = must_spawn_child(&group, count_up, &ran);
    hkt_task_group_cancel(&group);
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    CHECK_EQ(ran, 0);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(hkt_future_finish(tasks[i]), -ECANCELED);
    return 0;
}

TEST(children_that_have_not_begun_do_not_begin)
{
    CHECK_EQ(hkt_run(spawn_and_cancel, NULL), 0);
    CHECK_EQ(run_in(IN_POOL_OF_ONE, spawn_and_cancel, NULL), 0);
    CHECK_EQ(run_in(IN_COROUTINES_OF_ONE, spawn_and_cancel, NULL), 0);
    check_finalized();
}

static int cancel_it(void *group)
{
    hkt_task_group_cancel(group);
    return hkt_checkpoint(); /* which the child learns too */
}

static int end_by_a_child(void *arg)
{
    struct sleeper sleeper = { 0 };
    hkt_task_group group = { 0 };
    (void)arg;
    hkt_task_group_enter(&group, NULL);
    hkt_future *task = must_spawn_child(&group, cancel_it, &group);
    for (int i = 0; i < 5; i++) {
        int err = hkt_task_group_spawn(&group, NULL, sleep_in_group, &sleeper);
        CHECK(err == 0 || err == -ECANCELED);
    }
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    CHECK_EQ(hkt_future_finish(task), -ECANCELED);
    CHECK_EQ(sleeper.began, sleeper.cancelled);
    CHECK(hkt_task_group_cancelled(&group));
    return 0;
}

TEST(a_child_may_cancel_its_group)
{
    in_each_kind(end_by_a_child);
}

static int end_by_another_thread(void *arg)
{
    (void)arg;
    for (int waits = 0; waits < 2; waits++) {
        struct sleeper sleeper = { 0 };
        hkt_task_group group = { 0 };
        hkt_event never = { { 0 } };
        struct caller caller;
        int err = 0;
        hkt_task_group_enter(&group, NULL);
        for (int i = 0; i < 5; i++)
            must_spawn_into(&group, sleep_in_group, &sleeper);
        caller_start(&caller, cancel_it, &group);
        if (waits)
            CHECK_EQ(err = hkt_event_wait(&never), -ECANCELED);
        CHECK_EQ(hkt_task_group_leave(&group, err), 0);
        CHECK_EQ(sleeper.began, sleeper.cancelled);
        CHECK_EQ(caller_end(&caller), 0);
    }
    return 0;
}

TEST(another_thread_may_cancel_a_group)
{
    in_each_kind(end_by_another_thread);
}

/* A failure that came first stays the group's; one that comes after a cancel counts. */
static int fail_and_cancel(void *arg)
{
    struct sleeper sleeper = { .result = -EBADF };
    hkt_task_group failed = { 0 }, cancelled = { 0 };
    (void)arg;
    hkt_task_group_enter(&failed, NULL);
    CHECK_EQ(hkt_future_finish(must_spawn_child(&failed, fail_with_io, "fish")), -EIO);
    hkt_task_group_cancel(&failed);
    CHECK_EQ(hkt_task_group_leave(&failed, -ECANCELED), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "no fish in the sea");
    hkt_task_group_enter(&cancelled, NULL);
    must_spawn_into(&cancelled, sleep_in_group, &sleeper);
    CHECK_EQ(hkt_event_wait(&sleeper.asleep), 0);
    hkt_task_group_cancel(&cancelled);
    CHECK_EQ(hkt_task_group_leave(&cancelled, 0), -EBADF);
    return 0;
}

TEST(a_cancel_hides_no_failure)
{
    side_by_side(fail_and_cancel);
    CHECK_EQ(fail_and_cancel(NULL), 0);
    check_finalized();
}

/* Scopes around the group. */

struct owner {
    struct sleeper sleeper;
    hkt_event in_body;
    bool body_waits;
    int left;
};

static int own_a_group(void *arg)
{
    struct owner *owner = arg;
    hkt_task_group group = { 0 };
    hkt_event never = { { 0 } };
    int err = 0;
    hkt_task_group_enter(&group, NULL);
    must_spawn_into(&group, sleep_in_group, &owner->sleeper);
    hkt_event_set(&owner->in_body);
    if (owner->body_waits)
        CHECK_EQ(err = hkt_event_wait(&never), -ECANCELED);
    owner->left = hkt_task_group_leave(&group, err);
    CHECK_EQ(owner->sleeper.cancelled, owner->sleeper.began);
    CHECK(hkt_task_group_cancelled(&group));
    return owner->left;
}

static int cancel_the_owner(void *arg)
{
    (void)arg;
    for (int waits = 0; waits < 2; waits++) {
        struct owner owner = { .body_waits = waits };
        hkt_future *task = must_submit(hkt_executor_current(), own_a_group, &owner);
        CHECK_EQ(hkt_event_wait(&owner.in_body), 0);
        CHECK_EQ(hkt_event_wait(&owner.sleeper.asleep), 0);
        CHECK_EQ(hkt_future_request_cancel(task), 0);
        CHECK_EQ(hkt_future_finish(task), -ECANCELED);
        CHECK_EQ(owner.left, -ECANCELED);
        CHECK_EQ(owner.sleeper.cancelled, 1);
    }
    return 0;
}

TEST(the_end_of_a_scope_around_a_group_comes_out_of_it)
{
    side_by_side(cancel_the_owner);
    for (int waits = 0; waits < 2; waits++) {
        struct owner owner = { .body_waits = waits };
        struct caller caller;
        caller_start(&caller, own_a_group, &owner);
        CHECK_EQ(hkt_event_wait(&owner.sleeper.asleep), 0);
        caller_cancel(&caller);
        CHECK_EQ(caller_end(&caller), -ECANCELED);
    }
    check_finalized();
}

static int pass_a_deadline(void *arg)
{
    (void)arg;
    for (int waits = 0; waits < 2; waits++) {
        struct owner owner = { .body_waits = waits };
        hkt_scope scope;
        double began = hkt_monotonic();
        hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(0.01) });
        CHECK_EQ(own_a_group(&owner), -ECANCELED);
        CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
        double took = hkt_monotonic() - began;
        CHECK(took >= 0.01 && took < SOON);
        CHECK_EQ(hkt_wait_for(own_a_group, &owner, 0.01), -ETIMEDOUT);
        CHECK_EQ(hkt_checkpoint(), 0);
    }
    return 0;
}

TEST(a_deadline_around_a_group_is_told_by_its_scope)
{
    in_each_kind(pass_a_deadline);
}

/* A child's failure that came before the deadline is what comes out. */
static int fail_within_a_deadline(void *arg)
{
    hkt_task_group group = { 0 };
    hkt_scope scope;
    (void)arg;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(60) });
    hkt_task_group_enter(&group, NULL);
    must_spawn_into(&group, fail_with_io, "fish");
    CHECK_EQ(hkt_sleep_until((hkt_deadline){ 0 }), -ECANCELED);
    hkt_scope_reschedule(&scope, hkt_after(-1));
    CHECK_EQ(hkt_task_group_leave(&group, hkt_checkpoint()), -EIO);
    CHECK_EQ(hkt_checkpoint(), -ECANCELED);
    CHECK_EQ(hkt_scope_leave(&scope), -ETIMEDOUT);
    return 0;
}

TEST(a_failure_goes_before_a_deadline)
{
    side_by_side(fail_within_a_deadline);
    CHECK_EQ(fail_within_a_deadline(NULL), 0);
    check_finalized();
}

static int leave_in_an_ended_scope(void *arg)
{
    struct sleeper sleeper = { 0 };
    hkt_task_group group = { 0 };
    hkt_scope scope;
    (void)arg;
    hkt_scope_enter(&scope, NULL);
    hkt_task_group_enter(&group, NULL);
    must_spawn_into(&group, sleep_in_group, &sleeper);
    hkt_scope_cancel(&scope);
    CHECK_EQ(hkt_task_group_leave(&group, 0), -ECANCELED);
    CHECK_EQ(sleeper.began, sleeper.cancelled);
    CHECK_EQ(hkt_scope_leave(&scope), -ECANCELED);
    return 0;
}

TEST(children_are_awaited_in_an_ended_scope_too)
{
    in_each_kind(leave_in_an_ended_scope);
}

/* Clean-up in a shield goes on when the group has ended, and is awaited. */
struct cleaner {
    hkt_event asleep, clean;
    atomic_int cleaned;
};

static int clean_up(void *arg)
{
    struct cleaner *cleaner = arg;
    hkt_scope scope;
    hkt_event_set(&cleaner->asleep);
    CHECK_EQ(hkt_sleep_until((hkt_deadline){ 0 }), -ECANCELED);
    hkt_scope_enter(&scope, &(hkt_scope_options){ .shield = true });
    CHECK_EQ(hkt_event_wait(&cleaner->clean), 0);
    CHECK_EQ(hkt_yield(), 0);
    hkt_scope_leave(&scope);
    count_up(&cleaner->cleaned);
    return hkt_checkpoint();
}

static int await_clean_up(void *arg)
{
    struct cleaner cleaner = { 0 };
    hkt_task_group group = { 0 };
    (void)arg;
    hkt_task_group_enter(&group, NULL);
    must_spawn_into(&group, clean_up, &cleaner);
    CHECK_EQ(hkt_event_wait(&cleaner.asleep), 0);
    hkt_task_group_cancel(&group);
    CHECK_EQ(hkt_task_group_leave_until(&group, 0, hkt_after(0)), -ETIMEDOUT);
    CHECK_EQ(hkt_task_group_count(&group), 1);
    hkt_event_set(&cleaner.clean);
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    CHECK_EQ(cleaner.cleaned, 1);
    return 0;
}

TEST(what_children_do_in_a_shield_is_awaited)
{
    side_by_side(await_clean_up);
    CHECK_EQ(await_clean_up(NULL), 0);
    check_finalized();
}

/* Leaving until a deadline. */

static int leave_until(void *arg)
{
    struct gate gate = { .result = 3 };
    hkt_task_group group = { 0 };
    (void)arg;
    hkt_task_group_enter(&group, NULL);
    must_spawn_into(&group, stand_at, &gate);
    CHECK_EQ(hkt_task_group_leave_until(&group, 0, hkt_after(-1)), -ETIMEDOUT);
    double began = hkt_monotonic();
    CHECK_EQ(hkt_task_group_leave_until(&group, 0, hkt_after(0.01)), -ETIMEDOUT);
    CHECK(hkt_monotonic() - began >= 0.01);
    CHECK(!hkt_task_group_cancelled(&group)); /* a deadline is no cancel */
    CHECK_EQ(hkt_task_group_count(&group), 1);
    CHECK_EQ(hkt_checkpoint(), 0); /* the body has been left */
    must_spawn_into(&group, do_nothing, NULL);
    hkt_event_set(&gate.open);
    CHECK_EQ(hkt_task_group_leave_until(&group, 0, hkt_after(60)), 0);
    return 0;
}

TEST(a_leave_that_ends_early_may_be_repeated)
{
    in_each_kind(leave_until);
}

static int leave_and_cancel(void *arg)
{
    struct sleeper sleeper = { .result = -EBADF };
    hkt_task_group group = { 0 };
    (void)arg;
    hkt_task_group_enter(&group, NULL);
    must_spawn_into(&group, sleep_in_group, &sleeper);
    CHECK_EQ(hkt_task_group_leave_until(&group, 0, hkt_after(0.001)), -ETIMEDOUT);
    CHECK_EQ(hkt_event_wait(&sleeper.asleep), 0);
    hkt_task_group_cancel(&group);
    CHECK_EQ(hkt_task_group_leave(&group, 0), -EBADF);
    return 0;
}

TEST(a_group_that_was_left_in_vain_may_be_cancelled)
{
    side_by_side(leave_and_cancel);
    CHECK_EQ(leave_and_cancel(NULL), 0);
    check_finalized();
}

static int leave_with_nothing_to_wait_for(void *arg)
{
    hkt_task_group group = { 0 };
    (void)arg;
    hkt_task_group_enter(&group, NULL);
    CHECK_EQ(hkt_future_finish(must_spawn_child(&group, do_nothing, NULL)), 0);
    while (hkt_task_group_count(&group) > 0)
        CHECK_EQ(hkt_yield(), 0); /* it is told a moment later */
    CHECK_EQ(hkt_task_group_leave_until(&group, 0, hkt_after(-1)), 0);
    return 0;
}

TEST(a_deadline_that_has_passed_does_not_matter_when_all_have_ended)
{
    in_each_kind(leave_with_nothing_to_wait_for);
}
