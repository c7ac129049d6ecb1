/* SPDX-License-Identifier: MIT */
/* Task groups, under all schedules, on a thread pool and on a loop: all children have ended when the group
 * has been left, and nobody touches it any more; the first failure, or a cancel, reaches each of them. */
#include "loops.h"

#define CHILDREN 3

static hkt_task_group group;
static hkt_executor *engine;
static hkt_task_group_options options;
static hkt_future *children[CHILDREN];
static hkt_event gate;
static int ran, ended, at_a_time, most;

/* A group's patience may end in a moment here. */
static void tell_all_else(void *context, const char *line)
{
    (void)context;
    if (strstr(line, "has been cancelled, but") == NULL)
        puts(line);
}

static int begin(void)
{
    memset(&group, 0, sizeof group);
    gate = (hkt_event){ { 0 } };
    ran = ended = at_a_time = most = 0;
    grave_count = 0;
    options = (hkt_task_group_options){ .executor = engine };
    return 0;
}

/* Left: its memory is used for something else at once. */
static int leave(int err)
{
    err = hkt_task_group_leave(&group, err);
    memset(&group, PATTERN, sizeof group);
    return err;
}

static int left_alone(int err)
{
    MUST(err < 0 || is_poisoned(&group, sizeof group));
    int quiet = graves_are_quiet();
    return err < 0 ? err : quiet;
}

/* The owner is a thread beside the pool; a job of it; the main task of a loop. */
static hkt_job *owner;

static int beside_pool(void *arg)
{
    (void)arg;
    MUST(crew_begin(2) == 0);
    engine = crew;
    MUST(begin() == 0);
    return left_alone(crew_end(owner(NULL)));
}

static int inside_pool(void *arg)
{
    (void)arg;
    MUST(crew_begin(2) == 0);
    engine = NULL;
    MUST(begin() == 0);
    return left_alone(crew_end(crew_run(owner, NULL)));
}

static int on_loop(void *arg)
{
    (void)arg;
    MUST(loop_begin() == 0);
    engine = NULL;
    MUST(begin() == 0);
    int err = hkt_loop_run(loop, owner, NULL);
    int end = loop_end(0);
    return left_alone(err < 0 ? err : end);
}

static void prove_everywhere(long schedules, hkt_job *of)
{
    owner = of;
    hkt_set_report_sink(tell_all_else, NULL);
    prove_for(schedules, beside_pool);
    prove_for(schedules, inside_pool);
    prove_for(schedules, on_loop);
}

/* Jobs. */
static int counts(void *arg)
{
    (void)arg;
    hkt_simulate_point();
    ran++;
    return 0;
}

static int sleeps(void *arg)
{
    (void)arg;
    ran++;
    int err = hkt_sleep_until((hkt_deadline){ 0 });
    MUST(err == -ECANCELED && hkt_checkpoint() == -ECANCELED);
    ended++;
    return err;
}

static int fails(void *arg)
{
    (void)arg;
    ran++;
    return hkt_fail(-EDOM, "no more");
}

static int sleeps_shortly(void *arg)
{
    (void)arg;
    int err = hkt_sleep(2e-6);
    ran++;
    return err;
}

/* They end. */
static int three_end(void *arg)
{
    (void)arg;
    hkt_task_group_enter(&group, &options);
    for (int i = 0; i < CHILDREN; i++)
        MUST(hkt_task_group_spawn(&group, NULL, counts, NULL) == 0);
    MUST(leave(0) == 0 && ran == CHILDREN);
    return 0;
}

TEST_TIMEOUT(a_group_is_left_when_all_children_have_ended, 60)
{
    bury();
    prove_everywhere(2500, three_end);
}

/* One fails; the body may notice. */
static int one_fails(void *arg)
{
    (void)arg;
    hkt_task_group_enter(&group, &options);
    int err = hkt_task_group_spawn(&group, NULL, sleeps, NULL);
    MUST(err == 0);
    MUST(hkt_task_group_spawn(&group, NULL, fails, NULL) == 0);
    err = hkt_task_group_spawn(&group, NULL, sleeps, NULL);
    MUST(err == 0 || (err == -ECANCELED && hkt_task_group_cancelled(&group)));
    err = leave(err);
    MUST(err == -EDOM && strcmp(hkt_sentence(err), "no more") == 0);
    MUST(ran == ended + 1);
    return 0;
}

TEST_TIMEOUT(a_failure_cancels_the_others, 60)
{
    bury();
    prove_everywhere(2500, one_fails);
}

/* Cancelled by another thread, which has returned from that call before the group is given up. */
static int cancels(void *arg)
{
    (void)arg;
    hkt_task_group_cancel(&group);
    hkt_task_group_cancel(&group);
    return 0;
}

static int cancelled_from_outside(void *arg)
{
    hkt_thread *thread;
    (void)arg;
    MUST(hkt_thread_spawn(&thread, cancels, NULL, NULL) == 0);
    hkt_task_group_enter(&group, &options);
    int err = 0;
    for (int i = 0; i < 2 && err == 0; i++)
        err = hkt_task_group_spawn(&group, NULL, sleeps, NULL);
    MUST(err == 0 || err == -ECANCELED);
    MUST(hkt_task_group_leave(&group, err) == 0 && ran == ended);
    MUST(hkt_thread_join(thread) == 0);
    hkt_thread_destroy(thread);
    memset(&group, PATTERN, sizeof group);
    return 0;
}

TEST_TIMEOUT(a_cancel_from_outside_reaches_all, 60)
{
    bury();
    prove_everywhere(2500, cancelled_from_outside);
}

/* The scope around the group is cancelled, in the body or while it is left. */
static hkt_scope *around;

static int cancels_around(void *arg)
{
    (void)arg;
    hkt_scope_cancel(around);
    return 0;
}

static int cancelled_around(void *arg)
{
    static hkt_scope scope;
    hkt_thread *thread;
    (void)arg;
    hkt_scope_enter(&scope, NULL);
    around = &scope;
    MUST(hkt_thread_spawn(&thread, cancels_around, NULL, NULL) == 0);
    hkt_task_group_enter(&group, &options);
    int err = hkt_task_group_spawn(&group, NULL, sleeps, NULL);
    MUST(err == 0 || err == -ECANCELED);
    MUST(leave(err) == -ECANCELED && ran == ended);
    hkt_scope shield;
    hkt_scope_enter(&shield, &(hkt_scope_options){ .shield = true });
    MUST(hkt_thread_join(thread) == 0);
    hkt_thread_destroy(thread);
    hkt_scope_leave(&shield);
    MUST(hkt_scope_leave(&scope) == -ECANCELED);
    return 0;
}

TEST_TIMEOUT(the_end_of_the_scope_around_a_group_ends_it, 60)
{
    bury();
    prove_everywhere(2500, cancelled_around);
}

/* A limit: never more at a time, and none is forgotten. */
static int is_counted(void *arg)
{
    (void)arg;
    hkt_lock *lock = arg;
    hkt_lock_acquire(lock);
    at_a_time++;
    most = at_a_time > most ? at_a_time : most;
    hkt_lock_release(lock);
    int err = hkt_sleep(1e-6);
    hkt_lock_acquire(lock);
    at_a_time--;
    ran++;
    hkt_lock_release(lock);
    return err;
}

static int with_limit(void *arg)
{
    static hkt_lock lock;
    (void)arg;
    lock = (hkt_lock){ 0 };
    options.limit = 1;
    hkt_task_group_enter(&group, &options);
    for (int i = 0; i < CHILDREN; i++)
        MUST(hkt_task_group_spawn(&group, NULL, is_counted, &lock) == 0);
    MUST(leave(0) == 0 && ran == CHILDREN && most == 1);
    return 0;
}

/* Who waits for room learns of the end. */
static int fails_later(void *arg)
{
    (void)arg;
    int err = hkt_sleep(1e-6);
    MUST(err == 0 || err == -ECANCELED);
    return -EDOM;
}

static int ends_while_full(void *arg)
{
    (void)arg;
    options.limit = 1;
    hkt_task_group_enter(&group, &options);
    MUST(hkt_task_group_spawn(&group, NULL, fails_later, NULL) == 0);
    int err = hkt_task_group_spawn(&group, NULL, sleeps, NULL);
    MUST(err == -ECANCELED);
    MUST(leave(err) == -EDOM && ran == 0);
    return 0;
}

TEST_TIMEOUT(a_limit_holds_and_who_waits_for_room_goes_on, 60)
{
    bury();
    prove_everywhere(2000, with_limit);
    prove_everywhere(2000, ends_while_full);
}

/* Children spawn, while the owner leaves; and one who comes too late is refused. */
static int spawns_two(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++)
        MUST(hkt_task_group_spawn(&group, NULL, counts, NULL) == 0);
    return 0;
}

static int late_spawns(void *arg)
{
    (void)arg;
    hkt_task_group_enter(&group, &options);
    MUST(hkt_task_group_spawn(&group, NULL, spawns_two, NULL) == 0);
    MUST(leave(0) == 0 && ran == 2);
    return 0;
}

static int spawns_from_outside(void *arg)
{
    (void)arg;
    int err = hkt_task_group_spawn(&group, NULL, counts, NULL);
    MUST(err == 0 || err == -ESHUTDOWN);
    ended += err == 0;
    return 0;
}

static int spawned_from_outside(void *arg)
{
    hkt_thread *thread;
    (void)arg;
    options.executor = hkt_executor_current() ? hkt_executor_current() : engine;
    hkt_task_group_enter(&group, &options);
    MUST(hkt_thread_spawn(&thread, spawns_from_outside, NULL, NULL) == 0);
    MUST(hkt_task_group_spawn(&group, NULL, counts, NULL) == 0);
    MUST(hkt_task_group_leave(&group, 0) == 0);
    int left = ran;
    MUST(hkt_thread_join(thread) == 0);
    hkt_thread_destroy(thread);
    MUST(ran == left && ran == ended + 1);
    memset(&group, PATTERN, sizeof group);
    return 0;
}

TEST_TIMEOUT(late_children_are_waited_for_too, 60)
{
    bury();
    prove_everywhere(2500, late_spawns);
    prove_everywhere(2500, spawned_from_outside);
}

/* The engine refuses a child, which the owner's worker may be about to run itself. */
static int spawns_two_from_outside(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        int err = hkt_task_group_spawn(&group, NULL, counts, NULL);
        MUST(err == 0 || err == -ESHUTDOWN);
        ended += err == 0;
    }
    return 0;
}

static int closes(void *arg)
{
    hkt_executor_close(arg, false);
    return 0;
}

static int closed_meanwhile(void *arg)
{
    hkt_thread *threads[2];
    (void)arg;
    options.executor = hkt_executor_current() ? hkt_executor_current() : engine;
    hkt_task_group_enter(&group, &options);
    MUST(hkt_thread_spawn(&threads[0], spawns_two_from_outside, NULL, NULL) == 0);
    MUST(hkt_thread_spawn(&threads[1], closes, options.executor, NULL) == 0);
    int err = hkt_task_group_spawn(&group, NULL, sleeps_shortly, NULL);
    MUST(err == 0 || err == -ESHUTDOWN);
    ended += err == 0;
    MUST(hkt_task_group_leave(&group, 0) == 0);
    for (int i = 0; i < 2; i++) {
        MUST(hkt_thread_join(threads[i]) == 0);
        hkt_thread_destroy(threads[i]);
    }
    MUST(ran == ended);
    memset(&group, PATTERN, sizeof group);
    return 0;
}

/* An engine of the user's, which runs one job and refuses the others. */
static hkt_future *first;

static int keeps_first(void *of, hkt_future *future, const hkt_submit_options *with)
{
    (void)of;
    (void)with;
    if (first) {
        hkt_simulate_point();
        return -EAGAIN;
    }
    first = future;
    return 0;
}

static const hkt_engine refuser = { .name = "refuser", .submit = keeps_first };

static int is_refused(void *arg)
{
    (void)arg;
    int err = hkt_task_group_spawn(&group, NULL, counts, NULL);
    MUST(err == 0 || err == -EAGAIN || err == -ESHUTDOWN);
    ended += err == 0; /* the owner, who had begun it, was quicker than the refusal */
    return 0;
}

static int owns_what_is_refused(void *arg)
{
    hkt_thread *thread;
    (void)arg;
    hkt_task_group_enter(&group, &options);
    MUST(hkt_thread_spawn(&thread, is_refused, NULL, NULL) == 0);
    MUST(hkt_task_group_leave(&group, 0) == 0);
    MUST(hkt_thread_join(thread) == 0);
    hkt_thread_destroy(thread);
    MUST(ran == ended);
    memset(&group, PATTERN, sizeof group);
    return 0;
}

static int refused_meanwhile(void *arg)
{
    hkt_future *future;
    (void)arg;
    crew_allocations = hkt_allocation_count();
    MUST(hkt_executor_create(&crew, &refuser, NULL) == 0);
    first = NULL;
    engine = crew;
    MUST(begin() == 0);
    MUST(hkt_submit(crew, &future, owns_what_is_refused, NULL) == 0);
    hkt_future_run(first);
    return left_alone(crew_end(hkt_future_finish(future)));
}

TEST_TIMEOUT(a_child_that_is_refused_does_not_run, 60)
{
    bury();
    prove_everywhere(4000, closed_meanwhile);
    prove_for(4000, refused_meanwhile);
}

/* The children's futures are cancelled, pending or not, while the group is left. */
static int takes_back(void *arg)
{
    (void)arg;
    int err = hkt_future_cancel(children[0]);
    MUST(err == 0 || err == -EBUSY);
    ended += err == 0;
    MUST(hkt_future_request_cancel(children[1]) == 0 || hkt_future_done(children[1]));
    hkt_future_destroy(children[0]);
    hkt_future_destroy(children[1]);
    return 0;
}

static int sleeps_until_cancelled(void *arg)
{
    (void)arg;
    return hkt_sleep_until((hkt_deadline){ 0 });
}

static int taken_back(void *arg)
{
    hkt_thread *thread;
    (void)arg;
    hkt_task_group_enter(&group, &options);
    MUST(hkt_task_group_spawn(&group, &children[0], counts, NULL) == 0);
    MUST(hkt_task_group_spawn(&group, &children[1], sleeps_until_cancelled, NULL) == 0);
    MUST(hkt_thread_spawn(&thread, takes_back, NULL, NULL) == 0);
    MUST(leave(0) == 0);
    MUST(hkt_thread_join(thread) == 0);
    hkt_thread_destroy(thread);
    MUST(ran + ended == 1);
    return 0;
}

TEST_TIMEOUT(a_child_that_is_taken_back_has_ended, 60)
{
    bury();
    prove_everywhere(2500, taken_back);
}

/* Left by a deadline, again and again. */
static int left_in_time(void *arg)
{
    (void)arg;
    hkt_task_group_enter(&group, &options);
    for (int i = 0; i < 2; i++)
        MUST(hkt_task_group_spawn(&group, NULL, sleeps_shortly, NULL) == 0);
    int err;
    do
        err = hkt_task_group_leave_until(&group, 0, hkt_after(1e-6));
    while (err == -ETIMEDOUT);
    memset(&group, PATTERN, sizeof group);
    MUST(err == 0 && ran == 2);
    return 0;
}

TEST_TIMEOUT(a_group_may_be_left_again_after_a_deadline, 60)
{
    bury();
    prove_everywhere(2500, left_in_time);
}
