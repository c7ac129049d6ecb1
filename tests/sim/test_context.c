/* SPDX-License-Identifier: MIT */
/* Contexts that share their values, under all schedules: who finds that it shares a value with
 * nobody any more changes it in place, and nobody sees that; nothing is lost. */
#include <stdlib.h>

#include "proof.h"

#define VARS 3

static char value[10];
static hkt_context_var *vars[VARS];
static hkt_context *contexts[3];

/* So that whoever looks at what was released sees that. */
static void *allocate(void *context, size_t size)
{
    (void)context;
    return malloc(size);
}

static void release(void *context, void *memory, size_t size)
{
    (void)context;
    memset(memory, 0xa5, size);
    free(memory);
}

static const hkt_allocator poisoning = { allocate, release, NULL, { 0 } };

static int holds(char *first, char *second, char *third)
{
    MUST(hkt_context_get(vars[0]) == first);
    MUST(hkt_context_get(vars[1]) == second);
    MUST(hkt_context_get(vars[2]) == third);
    return 0;
}

static int sets_and_resets(void *arg)
{
    (void)arg;
    hkt_context_token token;
    int err = hkt_context_set(vars[1], value + 5, &token);
    if (err == 0)
        err = hkt_context_set(vars[0], value + 6, NULL);
    if (err == 0)
        err = holds(value + 6, value + 5, value + 2);
    if (err == 0)
        err = hkt_context_reset(&token);
    return err < 0 ? err : holds(value + 6, value + 1, value + 2);
}

static int sets(void *arg)
{
    (void)arg;
    int err = holds(value, value + 1, value + 2);
    if (err == 0)
        err = hkt_context_set(vars[0], value + 7, NULL);
    return err < 0 ? err : holds(value + 7, value + 1, value + 2);
}

static int changes_much(void *arg)
{
    (void)arg;
    int err = hkt_context_run(contexts[0], sets_and_resets, NULL);
    hkt_context_destroy(contexts[0]);
    return err;
}

static int changes_and_ends(void *arg)
{
    (void)arg;
    int err = hkt_context_run(contexts[1], sets, NULL);
    hkt_context_destroy(contexts[1]);
    return err;
}

static int ends(void *arg)
{
    (void)arg;
    hkt_context_destroy(contexts[2]);
    return 0;
}

/* `count` contexts with the same values, each with a thread that gives it back. */
static int share(int count, int (*const functions[])(void *))
{
    size_t before = hkt_allocation_count();
    int err = 0;
    for (int i = 0; i < VARS && err == 0; i++) {
        err = hkt_context_var_create(&vars[i], "", NULL);
        if (err == 0)
            err = hkt_context_set(vars[i], value + i, NULL);
    }
    for (int i = 0; i < count && err == 0; i++)
        err = hkt_context_copy(&contexts[i]);
    if (err == 0)
        err = together(functions, count);
    if (err == 0)
        err = holds(value, value + 1, value + 2);
    for (int i = 0; i < VARS; i++)
        hkt_context_var_destroy(vars[i]);
    MUST(err < 0 || hkt_allocation_count() == before);
    return err;
}

static int shared_by_three(void *arg)
{
    (void)arg;
    return share(3, (int (*const[])(void *)){ changes_much, changes_and_ends, ends });
}

TEST_TIMEOUT(contexts_do_not_see_each_others_changes, 120)
{
    CHECK_EQ(hkt_set_allocator(&poisoning), 0);
    prove(shared_by_three);
}

/* Two, and nobody else: the set-up is made in one of them. The other one may go at any moment of the
 * changes, so that less must be copied than it seemed. */
static int sets_up(void *arg)
{
    (void)arg;
    int err = 0;
    for (int i = 0; i < VARS && err == 0; i++)
        err = hkt_context_set(vars[i], value + i, NULL);
    return err < 0 ? err : hkt_context_copy(&contexts[2]);
}

static int shared_by_two(void *arg)
{
    (void)arg;
    size_t before = hkt_allocation_count();
    int err = hkt_context_copy(&contexts[0]);
    for (int i = 0; i < VARS && err == 0; i++)
        err = hkt_context_var_create(&vars[i], "", NULL);
    if (err == 0)
        err = hkt_context_run(contexts[0], sets_up, NULL);
    if (err == 0)
        err = TOGETHER(changes_much, ends);
    for (int i = 0; i < VARS; i++)
        hkt_context_var_destroy(vars[i]);
    MUST(err < 0 || hkt_allocation_count() == before);
    return err;
}

TEST_TIMEOUT(the_other_one_may_go_meanwhile, 120)
{
    CHECK_EQ(hkt_set_allocator(&poisoning), 0);
    prove(shared_by_two);
}

/* One context, and three that want to run it. */
static int inside, runs;

static int alone(void *arg)
{
    (void)arg;
    runs++;
    return pass_alone(&inside);
}

static int runs_it(void *arg)
{
    (void)arg;
    int err;
    while ((err = hkt_context_run(contexts[0], alone, NULL)) == -EBUSY)
        hkt_simulate_point();
    return err;
}

static int wanted_by_three(void *arg)
{
    (void)arg;
    inside = runs = 0;
    int err = hkt_context_copy(&contexts[0]);
    if (err == 0)
        err = TOGETHER(runs_it, runs_it, runs_it);
    hkt_context_destroy(contexts[0]);
    MUST(err < 0 || runs == 3);
    return err;
}

TEST_TIMEOUT(a_context_is_run_by_one_at_a_time, 120)
{
    prove_by(HKT_SIMULATE_RANDOM, (uint64_t)test_scaled(6000), wanted_by_three);
    prove_by(HKT_SIMULATE_PCT, (uint64_t)test_scaled(6000), wanted_by_three);
}
