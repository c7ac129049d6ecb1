/* SPDX-License-Identifier: MIT */
/* The memory model by its litmus tests: what x86-TSO allows is seen, what it forbids is not.
 * Names of the tests as in the literature (Owens, Sarkar, Sewell 2009). */
#include <errno.h>

#include "lab.h"

static uint32_t x, y;
static uint32_t r1, r2, r3, r4;
static bool seen;

static void reset(void)
{
    hkti_init(&x, 0);
    hkti_init(&y, 0);
    r1 = r2 = r3 = r4 = 0;
}

static const hkt_simulate_strategy strategies[] = { HKT_SIMULATE_RANDOM, HKT_SIMULATE_PCT,
                                                    HKT_SIMULATE_EXHAUSTIVE };

/* Is the outcome that `function` looks for seen by this strategy? */
static bool is_seen(hkt_simulate_strategy strategy, int (*function)(void *))
{
    uint64_t schedules = strategy == HKT_SIMULATE_EXHAUSTIVE ? 0 : (uint64_t)test_scaled(3000);
    hkt_simulate_result result;
    seen = false;
    CHECK_EQ(lab_simulate(strategy, schedules, function, &result), 0);
    CHECK(strategy != HKT_SIMULATE_EXHAUSTIVE || result.complete);
    return seen;
}

static void check_seen(int (*function)(void *), bool expected)
{
    for (size_t i = 0; i < sizeof strategies / sizeof strategies[0]; i++)
        CHECK_EQ(is_seen(strategies[i], function), expected);
}

/* SB: each stores, then loads the other's. */

static void sb_left(void *arg)
{
    (void)arg;
    hkti_store_release(&x, 1);
    r1 = hkti_load_seq_cst(&y);
}

static void sb_right(void *arg)
{
    (void)arg;
    hkti_store_release(&y, 1);
    r2 = hkti_load_seq_cst(&x);
}

static int sb(void *arg)
{
    (void)arg;
    reset();
    LAB_RUN(sb_left, sb_right);
    seen |= r1 == 0 && r2 == 0;
    return hkti_load_relaxed(&x) + hkti_load_relaxed(&y) == 2 ? 0 : -EIO;
}

TEST(store_buffering_lets_both_read_zero)
{
    check_seen(sb, true);
}

static void sb_fenced_left(void *arg)
{
    (void)arg;
    hkti_store_relaxed(&x, 1);
    hkti_fence_seq_cst();
    r1 = hkti_load_relaxed(&y);
}

static void sb_fenced_right(void *arg)
{
    (void)arg;
    hkti_store_relaxed(&y, 1);
    hkti_fence_seq_cst();
    r2 = hkti_load_relaxed(&x);
}

static int sb_fenced(void *arg)
{
    (void)arg;
    reset();
    LAB_RUN(sb_fenced_left, sb_fenced_right);
    seen |= r1 == 0 && r2 == 0;
    return 0;
}

TEST(with_fences_one_of_both_reads_one)
{
    check_seen(sb_fenced, false);
}

static void sb_strong_left(void *arg)
{
    (void)arg;
    hkti_store_seq_cst(&x, 1);
    r1 = hkti_load_relaxed(&y);
}

static void sb_rmw_right(void *arg)
{
    (void)arg;
    hkti_fetch_add_relaxed(&y, 1);
    r2 = hkti_load_relaxed(&x);
}

static int sb_strong(void *arg)
{
    (void)arg;
    reset();
    LAB_RUN(sb_strong_left, sb_rmw_right);
    seen |= r1 == 0 && r2 == 0;
    return 0;
}

TEST(seq_cst_stores_and_read_modify_writes_are_fences)
{
    check_seen(sb_strong, false);
}

/* MP: what was stored first is seen first. */

static void mp_writer(void *arg)
{
    (void)arg;
    hkti_store_relaxed(&x, 1);
    hkti_store_relaxed(&y, 1);
}

static void mp_reader(void *arg)
{
    (void)arg;
    r1 = hkti_load_relaxed(&y);
    r2 = hkti_load_relaxed(&x);
}

static int mp(void *arg)
{
    (void)arg;
    reset();
    LAB_RUN(mp_writer, mp_reader);
    seen |= r1 == 1 && r2 == 0;
    return 0;
}

TEST(message_passing_is_never_reordered)
{
    check_seen(mp, false);
}

/* LB: a load is not later than a store after it. */

static void lb_left(void *arg)
{
    (void)arg;
    r1 = hkti_load_relaxed(&x);
    hkti_store_relaxed(&y, 1);
}

static void lb_right(void *arg)
{
    (void)arg;
    r2 = hkti_load_relaxed(&y);
    hkti_store_relaxed(&x, 1);
}

static int lb(void *arg)
{
    (void)arg;
    reset();
    LAB_RUN(lb_left, lb_right);
    seen |= r1 == 1 && r2 == 1;
    return 0;
}

TEST(load_buffering_never_happens)
{
    check_seen(lb, false);
}

/* IRIW: all see the stores of others in one order. */

static void iriw_x(void *arg)
{
    (void)arg;
    hkti_store_relaxed(&x, 1);
}

static void iriw_y(void *arg)
{
    (void)arg;
    hkti_store_relaxed(&y, 1);
}

static void iriw_xy(void *arg)
{
    (void)arg;
    r1 = hkti_load_relaxed(&x);
    r2 = hkti_load_relaxed(&y);
}

static void iriw_yx(void *arg)
{
    (void)arg;
    r3 = hkti_load_relaxed(&y);
    r4 = hkti_load_relaxed(&x);
}

static int iriw(void *arg)
{
    (void)arg;
    reset();
    LAB_RUN(iriw_x, iriw_y, iriw_xy, iriw_yx);
    seen |= r1 == 1 && r2 == 0 && r3 == 1 && r4 == 0;
    return 0;
}

TEST(independent_readers_agree_on_the_order_of_writes)
{
    check_seen(iriw, false);
}

/* One's own stores. */

static union {
    uint64_t all;
    uint32_t low;
} wide;

static void own(void *arg)
{
    (void)arg;
    hkti_store_relaxed(&x, 1);
    hkti_store_relaxed(&x, 2);
    r1 = hkti_load_relaxed(&x);
    hkti_store_relaxed(&wide.low, 7);
    r2 = (uint32_t)hkti_load_relaxed(&wide.all);
    hkti_store_relaxed(&y, 1);
    hkti_init(&y, 5);
    r3 = hkti_load_relaxed(&y);
}

static int own_stores(void *arg)
{
    (void)arg;
    reset();
    hkti_init(&wide.all, 0);
    LAB_RUN(own, iriw_y);
    seen |= r1 != 2 || r2 != 7 || (r3 != 5 && r3 != 1);
    return 0;
}

TEST(a_thread_sees_its_own_stores)
{
    check_seen(own_stores, false);
}

static void later(void *arg)
{
    (void)arg;
    hkti_store_relaxed(&x, 1);
    hkti_init(&x, 2);
}

static int init_forgets(void *arg)
{
    (void)arg;
    reset();
    LAB_RUN(later);
    return hkti_load_relaxed(&x) == 2 ? 0 : -EIO;
}

TEST(init_forgets_a_store_on_its_way)
{
    check_seen(init_forgets, false);
}

static void buffered(void *arg)
{
    (void)arg;
    for (uint32_t i = 1; i <= 40; i++)
        hkti_store_relaxed(i & 1 ? &x : &y, i);
}

static int full_buffer(void *arg)
{
    (void)arg;
    reset();
    LAB_RUN(buffered, mp_reader);
    if (hkti_load_relaxed(&x) != 39 || hkti_load_relaxed(&y) != 40)
        return -EIO;
    seen |= r1 > r2 + 1;
    return 0;
}

TEST(a_full_buffer_keeps_its_order)
{
    check_seen(full_buffer, false);
}

/* All widths, and the operations, against arithmetic; within a simulation and outside of it. */

#define CHECK_WIDTH(type)                                                                          \
    do {                                                                                           \
        static type word;                                                                          \
        const type all = (type)-1;                                                                 \
        hkti_init(&word, 0);                                                                       \
        CHECK_EQ(hkti_exchange_acq_rel(&word, all), 0);                                            \
        CHECK_EQ(hkti_fetch_add_relaxed(&word, 2), all);                                           \
        CHECK_EQ(hkti_fetch_or_relaxed(&word, 6), 1);                                              \
        CHECK_EQ(hkti_fetch_and_relaxed(&word, 3), 7);                                             \
        CHECK_EQ(hkti_cas_relaxed(&word, 2, 9), false);                                            \
        CHECK_EQ(hkti_cas_relaxed(&word, 3, all), true);                                           \
        CHECK_EQ(hkti_cas_relaxed(&word, all, 4), true);                                           \
        CHECK_EQ(hkti_load_acquire(&word), 4);                                                     \
    } while (0)

static int widths(void *arg)
{
    (void)arg;
    static char *pointer;
    static char target;
    CHECK_WIDTH(uint8_t);
    CHECK_WIDTH(uint16_t);
    CHECK_WIDTH(uint32_t);
    CHECK_WIDTH(uint64_t);
    CHECK_WIDTH(int32_t);
    CHECK_WIDTH(int64_t);
    hkti_init(&pointer, NULL);
    CHECK(hkti_exchange_acq_rel(&pointer, &target) == NULL);
    CHECK(hkti_cas_acq_rel(&pointer, &target, NULL));
    return 0;
}

TEST(operations_compute_in_every_width)
{
    CHECK_EQ(widths(NULL), 0);
    check_seen(widths, false);
}
