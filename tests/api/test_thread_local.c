/* SPDX-License-Identifier: MIT */
/* hocket/local.h: values of threads, and their destructors. Foreign threads are in
 * test_thread_foreign.c. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include "waits.h"

static atomic_int dropped;

static void drop(void *value)
{
    CHECK(value != NULL);
    dropped++;
}

TEST(a_value_is_null_until_it_is_set)
{
    hkt_local *local;
    int value;
    CHECK_EQ(hkt_local_create(&local, NULL), 0);
    CHECK(hkt_local_get(local) == NULL);
    CHECK_EQ(hkt_local_set(local, &value), 0);
    CHECK(hkt_local_get(local) == &value);
    CHECK_EQ(hkt_local_set(local, NULL), 0);
    CHECK(hkt_local_get(local) == NULL);
    hkt_local_destroy(local);
}

struct test_local {
    hkt_local *local;
    hkt_barrier barrier;
};

static int set_own(void *arg)
{
    struct test_local *test = arg;
    int value = 0;
    CHECK(hkt_local_get(test->local) == NULL);
    CHECK_EQ(hkt_local_set(test->local, &value), 0);
    CHECK(hkt_barrier_wait(&test->barrier) >= 0); /* all have set theirs */
    CHECK(hkt_local_get(test->local) == &value);
    CHECK_EQ(hkt_local_set(test->local, NULL), 0);
    return 0;
}

TEST(each_thread_has_its_own_value)
{
    struct test_local test;
    hkt_thread *threads[5];
    int value;
    CHECK_EQ(hkt_local_create(&test.local, drop), 0);
    CHECK_EQ(hkt_barrier_init(&test.barrier, 5, NULL), 0);
    CHECK_EQ(hkt_local_set(test.local, &value), 0);
    for (int i = 0; i < 5; i++)
        threads[i] = must_spawn(set_own, &test, NULL);
    for (int i = 0; i < 5; i++)
        must_join(threads[i]);
    CHECK(hkt_local_get(test.local) == &value);
    CHECK_EQ(dropped, 0); /* they were NULL at the end */
    hkt_local_destroy(test.local);
}

static int set_value(void *local)
{
    return hkt_local_set(local, local);
}

TEST(the_destructor_runs_at_the_threads_end)
{
    hkt_local *local;
    CHECK_EQ(hkt_local_create(&local, drop), 0);
    for (int i = 1; i <= 5; i++) {
        must_join(must_spawn(set_value, local, NULL));
        CHECK_EQ(dropped, i); /* before the join returns */
    }
    hkt_local_destroy(local);
    CHECK_EQ(dropped, 5);
    CHECK_EQ(hkt_allocation_count(), 0);
}

static void check_thread(void *value)
{
    CHECK(hkt_thread_current() == value); /* its own thread, and it may call hocket */
    CHECK(hkt_thread_is_alive(hkt_thread_current()));
    CHECK_EQ(hkt_sleep(0.001), 0);
    dropped++;
}

static int set_to_current(void *local)
{
    return hkt_local_set(local, hkt_thread_current());
}

TEST(the_destructor_runs_in_its_own_thread)
{
    hkt_local *local;
    CHECK_EQ(hkt_local_create(&local, check_thread), 0);
    must_join(must_spawn(set_to_current, local, NULL));
    CHECK_EQ(dropped, 1);
    hkt_local_destroy(local);
}

static int set_twice(void *local)
{
    CHECK_EQ(hkt_local_set(local, &dropped), 0);
    return hkt_local_set(local, local);
}

TEST(a_value_that_is_replaced_is_not_destroyed)
{
    hkt_local *local;
    CHECK_EQ(hkt_local_create(&local, drop), 0);
    must_join(must_spawn(set_twice, local, NULL));
    CHECK_EQ(dropped, 1);
    hkt_local_destroy(local);
}

static int hold_value(void *arg)
{
    struct test_local *test = arg;
    CHECK_EQ(hkt_local_set(test->local, test), 0);
    CHECK(hkt_barrier_wait(&test->barrier) >= 0);
    CHECK(hkt_barrier_wait(&test->barrier) >= 0); /* the name is forgotten meanwhile */
    return 0;
}

TEST(values_of_a_forgotten_name_are_dropped)
{
    struct test_local test;
    CHECK_EQ(hkt_local_create(&test.local, drop), 0);
    CHECK_EQ(hkt_barrier_init(&test.barrier, 2, NULL), 0);
    hkt_thread *thread = must_spawn(hold_value, &test, NULL);
    CHECK(hkt_barrier_wait(&test.barrier) >= 0);
    hkt_local_destroy(test.local);
    CHECK(hkt_barrier_wait(&test.barrier) >= 0);
    must_join(thread);
    CHECK_EQ(dropped, 0);
    CHECK_EQ(hkt_allocation_count(), 0);
}

TEST(a_new_name_has_no_values_of_an_old_one)
{
    hkt_local *local;
    for (int i = 0; i < 3000; i++) {
        CHECK_EQ(hkt_local_create(&local, NULL), 0);
        CHECK(hkt_local_get(local) == NULL);
        CHECK_EQ(hkt_local_set(local, &local), 0);
        hkt_local_destroy(local);
    }
    CHECK_EQ(hkt_finalize(), 0);
    CHECK_EQ(hkt_allocation_count(), 0);
}

static hkt_local *names[200];

static int use_many(void *arg)
{
    (void)arg;
    for (int i = 199; i >= 0; i--)
        CHECK_EQ(hkt_local_set(names[i], &names[i]), 0);
    for (int i = 0; i < 200; i++)
        CHECK(hkt_local_get(names[i]) == &names[i]);
    return 0;
}

TEST(many_names)
{
    for (int i = 0; i < 200; i++)
        CHECK_EQ(hkt_local_create(&names[i], drop), 0);
    hkt_thread *threads[3];
    for (int i = 0; i < 3; i++)
        threads[i] = must_spawn(use_many, NULL, NULL);
    for (int i = 0; i < 3; i++)
        must_join(threads[i]);
    CHECK_EQ(dropped, 600);
    for (int i = 0; i < 200; i++)
        hkt_local_destroy(names[i]);
    CHECK_EQ(hkt_allocation_count(), 0);
}

TEST(too_many_names_are_refused)
{
    enum { MANY = 100000 };
    static hkt_local *many[MANY];
    int count = 0, err = 0;
    while (count < MANY && (err = hkt_local_create(&many[count], NULL)) == 0)
        count++;
    CHECK(count >= 200);
    CHECK(err == 0 || err == -ENOMEM);
    for (int i = 0; i < count; i++)
        hkt_local_destroy(many[i]);
    CHECK_EQ(hkt_local_create(&many[0], NULL), 0); /* there is room again */
    hkt_local_destroy(many[0]);
    CHECK_EQ(hkt_allocation_count(), 0);
}

static void set_again(void *value)
{
    dropped++;
    if (dropped < 3)
        CHECK_EQ(hkt_local_set(value, value), 0);
}

TEST(a_destructor_may_set_a_value)
{
    hkt_local *local;
    CHECK_EQ(hkt_local_create(&local, set_again), 0);
    must_join(must_spawn(set_value, local, NULL));
    CHECK_EQ(dropped, 3);
    hkt_local_destroy(local);
    CHECK_EQ(hkt_allocation_count(), 0);
}

static void set_always(void *value)
{
    dropped++;
    CHECK_EQ(hkt_local_set(value, value), 0);
}

TEST(a_destructor_that_always_sets_a_value_ends)
{
    hkt_local *local;
    CHECK_EQ(hkt_local_create(&local, set_always), 0);
    must_join(must_spawn(set_value, local, NULL));
    CHECK(dropped >= 1);
    hkt_local_destroy(local);
    CHECK_EQ(hkt_allocation_count(), 0);
}

static void forget(void *value)
{
    dropped++;
    hkt_local_destroy(value);
}

TEST(a_destructor_may_forget_its_name)
{
    hkt_local *local;
    CHECK_EQ(hkt_local_create(&local, forget), 0);
    must_join(must_spawn(set_value, local, NULL));
    CHECK_EQ(dropped, 1);
    CHECK_EQ(hkt_allocation_count(), 0);
}

static int set_and_fail(void *local)
{
    CHECK_EQ(hkt_local_set(local, local), 0);
    return hkt_fail(-EIO, "it went wrong");
}

static void fail_too(void *value)
{
    (void)value;
    dropped++;
    hkt_fail(-EIO, "of the destructor");
}

static void no_line(void *context, const char *line)
{
    (void)context;
    CHECK(strstr(line, "it went wrong"));
}

TEST(a_destructor_does_not_change_the_sentence)
{
    hkt_local *local;
    hkt_set_report_sink(no_line, NULL);
    CHECK_EQ(hkt_local_create(&local, fail_too), 0);
    hkt_thread *thread = must_spawn(set_and_fail, local, NULL);
    CHECK_EQ(hkt_thread_join(thread), 0);
    CHECK_EQ(dropped, 1);
    CHECK_STR(hkt_thread_sentence(thread), "it went wrong");
    hkt_thread_destroy(thread);
    hkt_local_destroy(local);
}

/* Names come and go in one thread while values are set and destroyed in others. */
static atomic_bool over;

static int churn_values(void *arg)
{
    hkt_local *const *fixed = arg;
    do { /* once at the least, however late it comes */
        hkt_local *own;
        CHECK_EQ(hkt_local_create(&own, drop), 0);
        CHECK_EQ(hkt_local_set(own, &own), 0);
        CHECK_EQ(hkt_local_set(*fixed, &own), 0);
        CHECK(hkt_local_get(*fixed) == &own);
        CHECK(hkt_local_get(own) == &own);
        hkt_local_destroy(own);
    } while (!over);
    return 0;
}

TEST_TIMEOUT(names_come_and_go_in_several_threads, 60)
{
    hkt_local *fixed;
    hkt_thread *threads[3];
    CHECK_EQ(hkt_local_create(&fixed, drop), 0);
    for (int i = 0; i < 3; i++)
        threads[i] = must_spawn(churn_values, &fixed, NULL);
    for (long i = 0; i < test_scaled(300); i++) {
        int before = dropped;
        must_join(must_spawn(set_value, fixed, NULL));
        CHECK_EQ(dropped, before + 1);
    }
    over = true;
    for (int i = 0; i < 3; i++)
        must_join(threads[i]);
    CHECK_EQ(dropped, test_scaled(300) + 3);
    hkt_local_destroy(fixed);
    CHECK_EQ(hkt_allocation_count(), 0);
}
