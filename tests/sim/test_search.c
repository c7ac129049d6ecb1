/* SPDX-License-Identifier: MIT */
/* Exhaustive search: it ends, sees every order, and notices programs that it cannot search. */
#include <errno.h>
#include <stdio.h>

#include "lab.h"

static int count;

static void one_point(void *arg)
{
    (void)arg;
    hkt_simulate_point();
}

static int two_points(void *arg)
{
    (void)arg;
    LAB_RUN(one_point, one_point);
    return 0;
}

static uint64_t schedules_with(unsigned preemptions, int (*function)(void *))
{
    hkt_simulate_options options = { .strategy = HKT_SIMULATE_EXHAUSTIVE,
                                     .preemptions = preemptions };
    hkt_simulate_result result;
    CHECK_EQ(hkt_simulate_many(&options, function, NULL, &result), 0);
    CHECK(result.complete);
    return result.schedules;
}

/* All interleavings of two threads with a steps and b steps: (a+b)! / (a! b!). With main in it,
 * which may be pre-empted at its two starts, there are more; what matters is that the search ends,
 * that each schedule comes once, and how many there are. */
TEST(search_is_complete_and_counts)
{
    uint64_t one = schedules_with(1, two_points);
    uint64_t two = schedules_with(2, two_points);
    uint64_t all = schedules_with(9, two_points);
    printf("two threads of one point each: %llu schedules with 1 pre-emption, %llu with 2, %llu "
           "in all\n",
           (unsigned long long)one, (unsigned long long)two, (unsigned long long)all);
    CHECK(one < two && two <= all);
    CHECK_EQ(all, schedules_with(10, two_points));
}

static uint64_t orders_seen;

static void note(int who)
{
    hkt_simulate_point();
    count = count * 2 + who;
}

static void left_steps(void *arg)
{
    (void)arg;
    note(0);
    note(0);
    note(0);
}

static void right_steps(void *arg)
{
    (void)arg;
    note(1);
    note(1);
    note(1);
}

static int interleave(void *arg)
{
    (void)arg;
    count = 1;
    LAB_RUN(left_steps, right_steps);
    orders_seen |= UINT64_C(1) << (count - 64);
    return 0;
}

TEST(search_sees_every_order)
{
    orders_seen = 0;
    schedules_with(20, interleave);
    CHECK_EQ(__builtin_popcountll(orders_seen), 20); /* 6! / (3! 3!) */
    orders_seen = 0;
    CHECK_EQ(lab_simulate(HKT_SIMULATE_RANDOM, 5000, interleave, NULL), 0);
    CHECK_EQ(__builtin_popcountll(orders_seen), 20);
}

static int changes(void *arg)
{
    (void)arg;
    static bool second;
    second = !second;
    if (second)
        LAB_RUN(one_point, one_point, one_point);
    else
        LAB_RUN(one_point, one_point);
    return 0;
}

static struct lab_report report;

TEST(search_notices_a_program_that_does_not_repeat_itself)
{
    hkt_set_report_sink(lab_keep_report, &report);
    CHECK_EQ(lab_simulate(HKT_SIMULATE_EXHAUSTIVE, 0, changes, NULL), -EINVAL);
    CHECK(strstr(report.text, "something else when it ran again"));
}
