/* SPDX-License-Identifier: MIT */
/* The barrier between processes, under all schedules of threads: rounds, one who gives up, resets, and
 * one that has come and dies. That one is made by hand: it listens, has been counted, and its end is
 * told as family.c does. */
#include <hocket/shared.h>
#include <hocket/shared_barrier.h>

#include "base/atomic.h"
#include "proc/bell.h"
#include "proof.h"

static hkt_shared_barrier barrier;
static int numbers, broken;

static struct hkti_bell *bell(void)
{
    return (struct hkti_bell *)&barrier;
}

/* The family is there before the first schedule. */
static void prove_in_family(int (*scenario)(void *))
{
    hkt_shared_free(hkt_shared_alloc(1));
    prove(scenario);
    CHECK_EQ(hkt_finalize(), 0);
}

static int reset(size_t parties)
{
    numbers = broken = 0;
    return hkt_shared_barrier_init(&barrier, parties, 0);
}

static int comes(void *arg)
{
    (void)arg;
    int index = hkt_shared_barrier_wait(&barrier);
    if (index == -EPIPE)
        __atomic_fetch_add(&broken, 1, __ATOMIC_RELAXED);
    if (index >= 0)
        __atomic_fetch_add(&numbers, 1 << (8 * index), __ATOMIC_RELAXED);
    return index >= 0 || index == -EPIPE ? 0 : index;
}

static int comes_twice(void *arg)
{
    int err = comes(arg);
    return err < 0 ? err : comes(arg);
}

static int two_rounds(void *arg)
{
    (void)arg;
    reset(3);
    int err = TOGETHER(comes_twice, comes_twice, comes_twice);
    MUST(err < 0 || (numbers == 0x020202 && broken == 0));
    MUST(bell()->sleepers == 0 && hkt_shared_barrier_n_waiting(&barrier) == 0);
    return err;
}

TEST_TIMEOUT(each_round_is_complete, 120)
{
    prove_in_family(two_rounds);
}

static int comes_for_a_while(void *arg)
{
    (void)arg;
    int index = hkt_shared_barrier_wait_until(&barrier, hkt_after(20e-6));
    if (index == -EPIPE || index == -ETIMEDOUT)
        __atomic_fetch_add(&broken, 1, __ATOMIC_RELAXED);
    return index >= 0 || index == -EPIPE || index == -ETIMEDOUT ? 0 : index;
}

static int one_gives_up(void *arg)
{
    (void)arg;
    reset(3);
    int err = TOGETHER(comes, comes_for_a_while, comes);
    MUST(err < 0 || broken == 0 || broken == 3);
    MUST(err < 0 || hkt_shared_barrier_broken(&barrier) == (broken == 3));
    return err;
}

TEST_TIMEOUT(one_that_gives_up_breaks_it_for_all_or_for_nobody, 120)
{
    prove_in_family(one_gives_up);
}

static int resets(void *arg)
{
    (void)arg;
    hkt_shared_barrier_abort(&barrier);
    hkt_shared_barrier_reset(&barrier);
    hkt_shared_barrier_abort(&barrier);
    return 0;
}

static int a_reset_between(void *arg)
{
    (void)arg;
    reset(2);
    int err = TOGETHER(comes, resets, comes);
    MUST(err < 0 || broken == 2 || (broken == 0 && numbers == 0x0101));
    return err;
}

TEST_TIMEOUT(a_reset_and_two_aborts_send_all_away, 120)
{
    prove_in_family(a_reset_between);
}

/* The dead one has come as the first. */
static int dies(void *arg)
{
    (void)arg;
    hkti_fetch_add_seq_cst(&bell()->sleepers, (uint32_t)-1);
    hkti_shared_barrier_forget(bell());
    hkti_bell_ring(bell(), INT32_MAX);
    return 0;
}

static int one_dies(void *arg)
{
    (void)arg;
    reset(4);
    uint64_t *state = &((uint64_t *)&barrier)[1];
    bell()->sleepers = 1;
    hkti_store_seq_cst(state, UINT64_C(1));
    int err = TOGETHER(comes, dies, comes);
    MUST(err < 0 || (broken == 2 && hkt_shared_barrier_broken(&barrier)));
    return err;
}

TEST_TIMEOUT(one_that_dies_breaks_it_for_all, 120)
{
    prove_in_family(one_dies);
}

/* The generation before is over; those of it are on their way out and hide the dead one for a moment. */
static int comes_behind_it(void *arg)
{
    (void)arg;
    reset(3);
    uint64_t *state = &((uint64_t *)&barrier)[1];
    bell()->sleepers = 1;
    hkti_store_seq_cst(state, UINT64_C(1));
    int err = TOGETHER(comes_for_a_while, dies, comes_for_a_while);
    MUST(err < 0 || broken == 2 || broken == 0);
    return err;
}

TEST_TIMEOUT(a_death_as_the_last_one_comes_is_before_or_after, 120)
{
    prove_in_family(comes_behind_it);
}
