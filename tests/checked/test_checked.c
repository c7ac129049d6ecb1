/* SPDX-License-Identifier: MIT */
/* What only the checked build finds. */
#include <hocket.h>

#include "test.h"

static hkt_lock first, second;
static hkt_barrier both_have_one;

static int second_then_first(void *arg)
{
    (void)arg;
    hkt_lock_acquire(&second);
    CHECK(hkt_barrier_wait(&both_have_one) >= 0);
    hkt_lock_acquire(&first);
    return 0;
}

TEST_ABORTS(two_locks_in_opposite_order_are_a_deadlock, "each of these threads waits for the next")
{
    hkt_thread *other;
    CHECK_EQ(hkt_barrier_init(&both_have_one, 2, NULL), 0);
    CHECK_EQ(hkt_thread_spawn(&other, second_then_first, NULL, NULL), 0);
    hkt_lock_acquire(&first);
    CHECK(hkt_barrier_wait(&both_have_one) >= 0);
    hkt_lock_acquire(&second);
}

TEST_ABORTS(a_lock_taken_twice_by_one_thread_is_a_deadlock, "a deadlock")
{
    hkt_lock_acquire(&first);
    hkt_lock_acquire(&first);
}

static int acquires_with_patience(void *arg)
{
    (void)arg;
    hkt_lock_acquire(&second);
    CHECK(hkt_barrier_wait(&both_have_one) >= 0);
    CHECK_EQ(hkt_lock_acquire_until(&first, hkt_after(0.05)), -ETIMEDOUT);
    hkt_lock_release(&second);
    return 0;
}

TEST(with_a_deadline_it_is_none)
{
    hkt_thread *other;
    CHECK_EQ(hkt_barrier_init(&both_have_one, 2, NULL), 0);
    CHECK_EQ(hkt_thread_spawn(&other, acquires_with_patience, NULL, NULL), 0);
    hkt_lock_acquire(&first);
    CHECK(hkt_barrier_wait(&both_have_one) >= 0);
    hkt_lock_acquire(&second);
    hkt_lock_release(&second);
    hkt_lock_release(&first);
    CHECK_EQ(hkt_thread_join(other), 0);
    hkt_thread_destroy(other);
}

static int reported;

static void count_line(void *context, const char *line)
{
    (void)context;
    reported += strstr(line, "ends with 1 locks in its hand") != NULL;
}

static int keeps_it(void *arg)
{
    (void)arg;
    hkt_lock_acquire(&first);
    return 0;
}

TEST(a_thread_that_ends_with_a_lock_is_reported)
{
    hkt_thread *keeper;
    hkt_set_report_sink(count_line, NULL);
    CHECK_EQ(hkt_thread_spawn(&keeper, keeps_it, NULL, NULL), 0);
    CHECK_EQ(hkt_thread_join(keeper), 0);
    hkt_thread_destroy(keeper);
    CHECK_EQ(reported, 1);
    hkt_lock_release(&first); /* anybody may */
}
