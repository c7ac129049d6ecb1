/* SPDX-License-Identifier: MIT */
/* Task groups on each kind of executor: children, their ends and results, failures, who may spawn.
 * Cancels are in test_task_group_cancel.c, limits in test_task_group_limit.c, bad days in
 * test_loop_bad_days.c. */
#include "groups.h"

static int all_have_ended(void *arg)
{
    atomic_int ran = 0;
    hkt_task_group group = { 0 };
    (void)arg;
    hkt_task_group_enter(&group, NULL);
    CHECK_EQ(hkt_task_group_count(&group), 0);
    for (int i = 0; i < 100; i++)
        must_spawn_into(&group, yield_and_count, &ran);
    CHECK(hkt_task_group_count(&group) <= 100);
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    CHECK_EQ(ran, 100);
    CHECK_EQ(hkt_task_group_count(&group), 0);
    CHECK(!hkt_task_group_cancelled(&group));
    return 0;
}

TEST(when_a_group_is_left_all_its_children_have_ended)
{
    in_each_kind(all_have_ended);
}

static int leave_empty_groups(void *arg)
{
    hkt_task_group group = { 0 };
    (void)arg;
    for (int i = 0; i < 3; i++) {
        hkt_task_group_enter(&group, NULL);
        CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
        group = (hkt_task_group){ 0 };
    }
    hkt_task_group_enter(&group, NULL);
    CHECK_EQ(hkt_task_group_leave(&group, hkt_fail(-EIO, "no children")), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "no children");
    CHECK(hkt_task_group_cancelled(&group));
    return 0;
}

TEST(a_group_without_children_is_left_at_once)
{
    in_each_kind(leave_empty_groups);
}

static int give_number(void *arg)
{
    return hkt_yield() < 0 ? -1 : *(int *)arg;
}

static int ask_children(void *arg)
{
    int numbers[4] = { 3, 5, 7, 9 };
    hkt_future *tasks[4];
    hkt_task_group group = { 0 };
    (void)arg;
    hkt_task_group_enter(&group, NULL);
    for (int i = 0; i < 4; i++)
        tasks[i] = must_spawn_child(&group, give_number, &numbers[i]);
    CHECK_EQ(hkt_future_finish(tasks[0]), 3);
    hkt_future_destroy(tasks[1]); /* at any time */
    CHECK(hkt_future_arg(tasks[2]) == &numbers[2]);
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    CHECK_EQ(result_of(tasks[2]), 7);
    CHECK_EQ(hkt_future_finish(tasks[2]), 7);
    hkt_future_destroy(tasks[3]);
    return 0;
}

TEST(the_results_of_children_are_those_of_their_tasks)
{
    in_each_kind(ask_children);
}

/* Failures. */

static int fail_with_fish(void *arg)
{
    (void)arg;
    return fail_with_io("fish");
}

static int fail_at_a_gate(void *arg)
{
    struct gate *gate = arg;
    int err = stand_at(gate);
    return err < 0 ? err : hkt_fail(-ENOENT, "late");
}

static int lose_a_child(void *arg)
{
    struct lines lines;
    struct sleeper sleeper = { 0 };
    hkt_task_group group = { 0 };
    (void)arg;
    lines_open(&lines);
    hkt_task_group_enter(&group, NULL);
    must_spawn_into(&group, fail_with_fish, NULL);
    for (int i = 0; i < 20; i++) { /* those that come too late are refused */
        int err = hkt_task_group_spawn(&group, NULL, sleep_in_group, &sleeper);
        CHECK(err == 0 || err == -ECANCELED);
    }
    CHECK_EQ(hkt_task_group_leave(&group, 0), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "no fish in the sea");
    CHECK_EQ(sleeper.began, sleeper.cancelled);
    CHECK(hkt_task_group_cancelled(&group));
    CHECK_EQ(lines_count(&lines), 0); /* the group has looked at the failure */
    hkt_set_report_sink(NULL, NULL);
    return 0;
}

TEST(a_failure_cancels_the_others_and_comes_out_of_the_group)
{
    in_each_kind(lose_a_child);
}

/* The one that sleeps has begun before the other fails, and fails too when it is cancelled. */
static int lose_two_children(void *arg)
{
    struct sleeper sleeper = { .result = -EBADF };
    struct gate gate = { 0 };
    hkt_task_group group = { 0 };
    (void)arg;
    hkt_task_group_enter(&group, NULL);
    must_spawn_into(&group, sleep_in_group, &sleeper);
    must_spawn_into(&group, fail_at_a_gate, &gate);
    CHECK_EQ(hkt_event_wait(&sleeper.asleep), 0);
    CHECK_EQ(hkt_event_wait(&gate.entered), 0);
    hkt_event_set(&gate.open);
    CHECK_EQ(hkt_task_group_leave(&group, 0), -ENOENT);
    CHECK_STR(hkt_sentence(-ENOENT), "late");
    CHECK_EQ(sleeper.cancelled, 1);
    return 0;
}

TEST(the_first_failure_in_time_is_the_groups)
{
    side_by_side(lose_two_children);
}

/* The body waits, is woken by the failure, and leaves with what it got, or with its own error. */
static int body_and_child_fail(void *arg)
{
    int errors[] = { 0, -ECANCELED, -EBADF };
    (void)arg;
    for (int i = 0; i < 3; i++) {
        hkt_task_group group = { 0 };
        hkt_event never = { { 0 } };
        hkt_task_group_enter(&group, NULL);
        must_spawn_into(&group, fail_with_fish, NULL);
        CHECK_EQ(hkt_event_wait(&never), -ECANCELED);
        CHECK_EQ(hkt_checkpoint(), -ECANCELED);
        CHECK(hkt_task_group_cancelled(&group));
        CHECK_EQ(hkt_task_group_leave(&group, errors[i]), -EIO);
        CHECK_STR(hkt_sentence(-EIO), "no fish in the sea");
        CHECK_EQ(hkt_checkpoint(), 0); /* the group's scope has been left */
    }
    return 0;
}

TEST(a_childs_failure_ends_the_waits_of_the_body)
{
    side_by_side(body_and_child_fail);
    CHECK_EQ(body_and_child_fail(NULL), 0);
    check_finalized();
}

static int body_fails(void *arg)
{
    struct sleeper sleeper = { .result = -EBADF };
    hkt_task_group group = { 0 };
    (void)arg;
    hkt_task_group_enter(&group, NULL);
    for (int i = 0; i < 3; i++)
        must_spawn_into(&group, sleep_in_group, &sleeper);
    CHECK_EQ(hkt_task_group_leave(&group, hkt_fail(-ENOENT, "no %s", "body")), -ENOENT);
    CHECK_STR(hkt_sentence(-ENOENT), "no body");
    CHECK_EQ(sleeper.began, sleeper.cancelled);
    return 0;
}

TEST(an_error_of_the_body_cancels_the_children)
{
    in_each_kind(body_fails);
}

static int speak_of_another_error(void *arg)
{
    (void)arg;
    (void)hkt_fail(-EIO, "a failure that was dealt with");
    return -ENOENT;
}

static int fail_without_words(void *arg)
{
    hkt_task_group group = { 0 };
    (void)arg;
    (void)hkt_fail(-ENOENT, "an older one");
    hkt_task_group_enter(&group, NULL);
    must_spawn_into(&group, speak_of_another_error, NULL);
    CHECK_EQ(hkt_task_group_leave(&group, 0), -ENOENT);
    CHECK_STR(hkt_sentence(-ENOENT), hkt_strerror(-ENOENT));
    return 0;
}

TEST(a_failure_without_a_sentence_has_the_general_words)
{
    in_each_kind(fail_without_words);
}

static int give_up(void *arg)
{
    (void)arg;
    return -ECANCELED;
}

static int child_gives_up(void *arg)
{
    atomic_int ran = 0;
    struct sleeper sleeper = { 0 };
    hkt_task_group group = { 0 };
    (void)arg;
    hkt_task_group_enter(&group, NULL);
    hkt_future *quitter = must_spawn_child(&group, give_up, NULL);
    CHECK_EQ(hkt_future_finish(quitter), -ECANCELED);
    CHECK(!hkt_task_group_cancelled(&group));
    must_spawn_into(&group, yield_and_count, &ran);
    hkt_future *cancelled = must_spawn_child(&group, sleep_in_group, &sleeper);
    CHECK_EQ(hkt_future_request_cancel(cancelled), 0);
    must_spawn_into(&group, yield_and_count, &ran);
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    CHECK_EQ(hkt_future_finish(cancelled), -ECANCELED);
    CHECK_EQ(ran, 2);
    CHECK(!hkt_task_group_cancelled(&group));
    return 0;
}

TEST(a_child_that_is_cancelled_or_says_so_has_not_failed)
{
    in_each_kind(child_gives_up);
}

/* Children that spawn, into their own group or one below. */

static int grow_while_leaving(void *arg)
{
    atomic_int ran = 0;
    hkt_task_group group = { 0 };
    struct tree levels[7];
    (void)arg;
    for (int i = 0; i < 7; i++)
        levels[i] = (struct tree){ &group, 6 - i, &ran };
    hkt_task_group_enter(&group, NULL);
    must_spawn_into(&group, grow, &levels[0]);
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    CHECK_EQ(ran, 127);
    return 0;
}

TEST(children_spawn_into_the_group_while_it_is_left)
{
    in_each_kind(grow_while_leaving);
}

static int nest(void *arg)
{
    struct tree *tree = arg;
    struct tree below = { NULL, tree->depth - 1, tree->ran };
    hkt_task_group group = { 0 };
    if (tree->depth == 0)
        return hkt_fail(-EIO, "the innermost of %d", count_up(tree->ran));
    hkt_task_group_enter(&group, NULL);
    for (int i = 0; i < 2; i++) {
        int err = hkt_task_group_spawn(&group, NULL, i ? yield_and_count : nest,
                                       i ? (void *)tree->ran : &below);
        CHECK(err == 0 || err == -ECANCELED);
    }
    return hkt_task_group_leave(&group, 0);
}

static int nest_deep(void *arg)
{
    atomic_int ran = 0;
    struct tree tree = { NULL, 50, &ran };
    (void)arg;
    CHECK_EQ(nest(&tree), -EIO);
    CHECK_STR(hkt_sentence(-EIO), "the innermost of 0");
    return 0;
}

TEST(a_failure_comes_up_through_groups_in_groups)
{
    in_each_kind(nest_deep);
}

/* Options and refusals. */

static int use_another_executor(void *arg)
{
    hkt_executor *executors[2] = { must_pool(1), NULL };
    (void)arg;
    CHECK_EQ(hkt_inline_executor_create(&executors[1]), 0);
    for (int i = 0; i < 2; i++) {
        atomic_int ran = 0;
        hkt_task_group group = { 0 };
        hkt_task_group_enter(&group, &(hkt_task_group_options){ .executor = executors[i] });
        for (int j = 0; j < 20; j++)
            must_spawn_into(&group, yield_and_count, &ran);
        CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
        CHECK_EQ(ran, 20);
        hkt_executor_destroy(executors[i]);
    }
    return 0;
}

TEST(the_children_may_be_jobs_of_any_executor)
{
    in_each_kind(use_another_executor);
}

TEST(a_child_that_fails_in_the_spawn_ends_the_group)
{
    hkt_executor *executor = NULL;
    hkt_task_group group = { 0 };
    CHECK_EQ(hkt_inline_executor_create(&executor), 0);
    hkt_task_group_enter(&group, &(hkt_task_group_options){ .executor = executor });
    must_spawn_into(&group, fail_with_fish, NULL);
    CHECK_EQ(hkt_task_group_spawn(&group, NULL, do_nothing, NULL), -ECANCELED);
    CHECK_EQ(hkt_task_group_leave(&group, 0), -EIO);
    end_pool(executor);
}

static int be_refused(void *arg)
{
    hkt_future *untouched = NULL;
    hkt_task_group group = { 0 };
    hkt_submit_options options = { .priority = (hkt_priority)3 };
    (void)arg;
    CHECK_EQ(hkt_task_group_spawn(&group, &untouched, do_nothing, NULL), -ESHUTDOWN);
    hkt_task_group_enter(&group, NULL);
    CHECK_EQ(hkt_task_group_spawn(&group, &untouched, NULL, NULL), -EINVAL);
    CHECK_EQ(hkt_task_group_spawn_with(&group, &untouched, do_nothing, NULL, &options), -EINVAL);
    CHECK_EQ(hkt_task_group_count(&group), 0);
    must_spawn_into(&group, do_nothing, NULL);
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    CHECK_EQ(hkt_task_group_spawn(&group, &untouched, do_nothing, NULL), -ESHUTDOWN);
    CHECK(untouched == NULL);
    return 0;
}

TEST(a_spawn_that_is_refused_leaves_the_group_as_it_was)
{
    in_each_kind(be_refused);
}

TEST(a_group_on_a_closed_executor_says_so_and_is_left)
{
    hkt_executor *pool = must_pool(1);
    hkt_task_group group = { 0 };
    hkt_executor_close(pool, false);
    hkt_task_group_enter(&group, &(hkt_task_group_options){ .executor = pool });
    CHECK_EQ(hkt_task_group_spawn(&group, NULL, do_nothing, NULL), -ESHUTDOWN);
    CHECK_EQ(hkt_task_group_count(&group), 0);
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    end_pool(pool);
}

static int look_at_name(void *arg)
{
    char name[HKT_NAME_MAX];
    hkt_task_get_name(hkt_task_current(), name);
    CHECK_STR(name, (const char *)arg);
    return 0;
}

static int name_children(void *arg)
{
    hkt_task_group group = { 0 };
    (void)arg;
    hkt_task_group_enter(&group, NULL);
    hkt_submit_options options = { .name = "Anna" };
    CHECK_EQ(hkt_task_group_spawn_with(&group, NULL, look_at_name, "Anna", &options), 0);
    return hkt_task_group_leave(&group, 0);
}

TEST(children_have_names)
{
    in_each_kind(name_children);
}

/* Others spawn into it, while the owner is in the body. */
struct visitor {
    hkt_task_group *group;
    atomic_int *ran;
};

static int spawn_from_outside(void *arg)
{
    struct visitor *visitor = arg;
    for (int i = 0; i < 100; i++)
        must_spawn_into(visitor->group, yield_and_count, visitor->ran);
    return 0;
}

static int be_visited(void *arg)
{
    atomic_int ran = 0;
    hkt_task_group group = { 0 };
    struct visitor visitors[3];
    struct caller callers[3];
    (void)arg;
    hkt_task_group_enter(&group, NULL);
    for (int i = 0; i < 3; i++) {
        visitors[i] = (struct visitor){ &group, &ran };
        caller_start(&callers[i], spawn_from_outside, &visitors[i]);
    }
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    CHECK_EQ(ran, 300);
    return 0;
}

TEST(other_threads_spawn_into_a_group)
{
    in_each_kind(be_visited);
}

TEST_ABORTS(a_group_is_entered_once, "hkt_task_group_enter: group ")
{
    hkt_task_group group = { 0 };
    hkt_task_group_enter(&group, NULL);
    hkt_task_group_enter(&group, NULL);
}

TEST_ABORTS(a_group_is_left_once, "hkt_task_group_leave: group ")
{
    hkt_task_group group = { 0 };
    hkt_task_group_enter(&group, NULL);
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
}

TEST_ABORTS(a_group_that_was_not_entered_is_not_left, "hkt_task_group_leave: group ")
{
    hkt_task_group group = { 0 };
    CHECK_EQ(hkt_task_group_leave(&group, 0), 0);
}

TEST_ABORTS(a_patience_must_be_a_number, "hkt_task_group_enter: ")
{
    hkt_task_group group = { 0 };
    hkt_task_group_enter(&group, &(hkt_task_group_options){ .patience = NAN });
}
