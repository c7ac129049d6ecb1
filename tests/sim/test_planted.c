/* SPDX-License-Identifier: MIT */
/* The test of the tester: bugs of the classic kinds are planted, and each strategy must find them
 * within some thousands of schedules; and must find nothing in the same program without the bug.
 *
 * Each program has `planted` say which of both it is, and its bug shows as a deadlock or as a
 * broken invariant (-EIO). Straight on atomics and futexes, as park and sync are. */
#include <errno.h>
#include <stdio.h>

#include "lab.h"

#define SCHEDULES 10000

static bool planted;

static void no_report(void *context, const char *line)
{
    (void)context;
    (void)line;
}

static void check_found(const char *name, int (*program)(void *), hkt_simulate_strategy strategy,
                        int expected)
{
    static const char *const names[] = { "mixed", "random", "PCT", "exhaustive" };
    hkt_simulate_result with, without;
    bool exhaustive = strategy == HKT_SIMULATE_EXHAUSTIVE;
    uint64_t schedules = exhaustive ? 0 : (uint64_t)test_scaled(SCHEDULES);
    planted = true;
    hkt_set_report_sink(no_report, NULL);
    CHECK_EQ(lab_simulate(strategy, SCHEDULES, program, &with), expected);
    planted = false;
    hkt_set_report_sink(NULL, NULL);
    CHECK_EQ(lab_simulate(strategy, schedules, program, &without), 0);
    CHECK(!exhaustive || without.complete);
    printf("%s: found by %s in schedule %llu; without it %llu schedules pass%s\n", name,
           names[strategy], (unsigned long long)with.schedules,
           (unsigned long long)without.schedules, exhaustive ? ", all there are" : "");
}

static void check_planted(const char *name, int (*program)(void *), int expected)
{
    check_found(name, program, HKT_SIMULATE_RANDOM, expected);
    check_found(name, program, HKT_SIMULATE_PCT, expected);
    check_found(name, program, HKT_SIMULATE_EXHAUSTIVE, expected);
}

/* Words that the programs share, all zero at the start of each. */
static uint32_t ready, gate, sleepers;

static void reset(void)
{
    hkti_init(&ready, 0);
    hkti_init(&gate, 0);
    hkti_init(&sleepers, 0);
}

/* 1. A lost wake-up. `gate` counts the wakes. The bug: it is read after the check for `ready`, so a
 * wake between both is slept through. */

static void wait_by_count(void *arg)
{
    (void)arg;
    if (planted) {
        if (hkti_load_acquire(&ready) == 0)
            (void)hkti_os_futex_wait(&gate, hkti_load_acquire(&gate), 0);
        return;
    }
    for (;;) {
        uint32_t seen = hkti_load_acquire(&gate);
        if (hkti_load_acquire(&ready))
            return;
        (void)hkti_os_futex_wait(&gate, seen, 0);
    }
}

static void wake_by_count(void *arg)
{
    (void)arg;
    hkti_store_release(&ready, 1);
    hkti_fetch_add_acq_rel(&gate, 1);
    hkti_os_futex_wake(&gate, 1);
}

static int lost_wake_up(void *arg)
{
    (void)arg;
    reset();
    LAB_RUN(wait_by_count, wake_by_count);
    return 0;
}

TEST(a_lost_wake_up_is_found)
{
    check_planted("lost wake-up", lost_wake_up, -EDEADLK);
}

/* 2. No recheck after announcing. The waker wakes only those who have announced themselves. The bug:
 * one who announces itself does not look again whether it is ready by now. */

static void announce_and_wait(void *arg)
{
    (void)arg;
    if (hkti_load_acquire(&ready))
        return;
    hkti_fetch_add_seq_cst(&sleepers, 1);
    if (!planted && hkti_load_seq_cst(&ready))
        return;
    while (hkti_load_acquire(&gate) == 0)
        (void)hkti_os_futex_wait(&gate, 0, 0);
}

static void wake_announced(void *arg)
{
    (void)arg;
    hkti_store_seq_cst(&ready, 1);
    if (hkti_load_seq_cst(&sleepers)) {
        hkti_store_seq_cst(&gate, 1);
        hkti_os_futex_wake(&gate, 1);
    }
}

static int no_recheck(void *arg)
{
    (void)arg;
    reset();
    LAB_RUN(announce_and_wait, wake_announced);
    return 0;
}

TEST(a_missing_recheck_after_announcing_is_found)
{
    check_planted("no recheck after announcing", no_recheck, -EDEADLK);
}

/* 3. A missing fence. As before, with the recheck; the bug: the waker's store of `ready` may still
 * be in its buffer when it looks for sleepers (Dekker's pattern). */

static void announce_recheck_and_wait(void *arg)
{
    (void)arg;
    hkti_fetch_add_seq_cst(&sleepers, 1);
    if (hkti_load_seq_cst(&ready))
        return;
    while (hkti_load_acquire(&gate) == 0)
        (void)hkti_os_futex_wait(&gate, 0, 0);
}

static void wake_without_fence(void *arg)
{
    (void)arg;
    hkti_store_release(&ready, 1);
    if (!planted)
        hkti_fence_seq_cst();
    if (hkti_load_relaxed(&sleepers)) {
        hkti_store_seq_cst(&gate, 1);
        hkti_os_futex_wake(&gate, 1);
    }
}

static int no_fence(void *arg)
{
    (void)arg;
    reset();
    LAB_RUN(announce_recheck_and_wait, wake_without_fence);
    return 0;
}

TEST(a_missing_store_load_fence_is_found)
{
    check_planted("missing store-load fence", no_fence, -EDEADLK);
}

/* 4. A double hand-over. Two waiters, two who each hand one permit to a waiter. The bug: whether a
 * waiter still waits is looked at in one step and changed in another, so both may choose the same.
 */

enum { WAITING, GRANTED };
static uint32_t places[2];
static uint32_t arrivals;

static void wait_for_grant(void *arg)
{
    (void)arg;
    uint32_t *place = &places[hkti_fetch_add_acq_rel(&arrivals, 1)];
    while (hkti_load_acquire(place) == WAITING)
        (void)hkti_os_futex_wait(place, WAITING, 0);
}

static bool grant(uint32_t *place)
{
    if (!planted)
        return hkti_cas_acq_rel(place, WAITING, GRANTED);
    if (hkti_load_acquire(place) != WAITING)
        return false;
    hkti_store_seq_cst(place, GRANTED);
    return true;
}

static void hand_over(void *arg)
{
    (void)arg;
    uint32_t *place = grant(&places[0]) ? &places[0] : grant(&places[1]) ? &places[1] : NULL;
    if (place)
        hkti_os_futex_wake(place, 1);
}

static int double_hand_over(void *arg)
{
    (void)arg;
    hkti_init(&places[0], WAITING);
    hkti_init(&places[1], WAITING);
    hkti_init(&arrivals, 0);
    LAB_RUN(wait_for_grant, wait_for_grant, hand_over, hand_over);
    return 0;
}

TEST(a_double_hand_over_is_found)
{
    check_planted("double hand-over", double_hand_over, -EDEADLK);
}

/* 5. ABA. A stack of nodes by number, 0 the end (Treiber 1986). The bug: the top has no count of
 * changes, so a pop that slept through pop, pop, push finds its top back and installs a node that
 * somebody has. */

static uint64_t top; /* node; unless planted, changes << 32 */
static uint32_t nodes[4];
static uint32_t had_by_slow, had_by_quick;

static uint64_t with_node(uint64_t old, uint32_t node)
{
    return planted ? node : ((old >> 32) + 1) << 32 | node;
}

static uint32_t pop(void)
{
    for (;;) {
        uint64_t old = hkti_load_acquire(&top);
        uint32_t node = (uint32_t)old;
        uint32_t next = hkti_load_acquire(&nodes[node]);
        if (hkti_cas_acq_rel(&top, old, with_node(old, next)))
            return node;
    }
}

static void push(uint32_t node)
{
    for (;;) {
        uint64_t old = hkti_load_acquire(&top);
        hkti_store_release(&nodes[node], (uint32_t)old);
        if (hkti_cas_acq_rel(&top, old, with_node(old, node)))
            return;
    }
}

static void pop_once(void *arg)
{
    (void)arg;
    had_by_slow = pop();
}

static void pop_twice_push_once(void *arg)
{
    (void)arg;
    uint32_t node = pop();
    had_by_quick = pop();
    push(node);
}

static int aba(void *arg)
{
    (void)arg;
    hkti_init(&top, 1);
    for (uint32_t i = 0; i < 4; i++)
        hkti_init(&nodes[i], i == 0 || i == 3 ? 0 : i + 1);
    LAB_RUN(pop_once, pop_twice_push_once);
    for (uint32_t node = (uint32_t)hkti_load_acquire(&top); node; node = nodes[node])
        if (node == had_by_slow || node == had_by_quick)
            return -EIO;
    return 0;
}

TEST(an_aba_is_found)
{
    check_planted("ABA", aba, -EIO);
}

/* 6. A timeout that swallows a wake-up. A permit goes from hand to hand; one of two who want it waits
 * only for a while. The bug: who has timed out leaves without a look whether it was granted in the
 * same moment. */

enum { GONE = 2 };
static uint32_t want_for_ever, want_for_a_while;

static void grant_for_ever(void)
{
    hkti_store_seq_cst(&want_for_ever, GRANTED);
    hkti_os_futex_wake(&want_for_ever, 1);
}

static void wait_for_a_while(void *arg)
{
    (void)arg;
    bool late = false;
    int64_t deadline = hkti_os_now() + 1000;
    while (!late && hkti_load_acquire(&want_for_a_while) == WAITING)
        late = hkti_os_futex_wait(&want_for_a_while, WAITING, deadline) == -ETIMEDOUT;
    bool granted = !late;
    if (late && planted)
        hkti_store_seq_cst(&want_for_a_while, GONE);
    else if (late)
        granted = !hkti_cas_acq_rel(&want_for_a_while, WAITING, GONE);
    if (granted)
        grant_for_ever();
}

static void wait_without_end(void *arg)
{
    (void)arg;
    while (hkti_load_acquire(&want_for_ever) == WAITING)
        (void)hkti_os_futex_wait(&want_for_ever, WAITING, 0);
}

static void grant_one(void *arg)
{
    (void)arg;
    if (hkti_cas_acq_rel(&want_for_a_while, WAITING, GRANTED))
        hkti_os_futex_wake(&want_for_a_while, 1);
    else
        grant_for_ever();
}

static int swallowed(void *arg)
{
    (void)arg;
    hkti_init(&want_for_ever, WAITING);
    hkti_init(&want_for_a_while, WAITING);
    LAB_RUN(wait_without_end, wait_for_a_while, grant_one);
    return 0;
}

TEST(a_wake_up_swallowed_by_a_timeout_is_found)
{
    check_planted("swallowed by a timeout", swallowed, -EDEADLK);
}
