/* SPDX-License-Identifier: MIT */
/* hkt_shared_barrier: rounds of threads and processes, what breaks it, and its reset. */
#include <hocket/shared_barrier.h>
#include <math.h>

#include "caller.h"
#include "shared_tests.h"

#define PARTIES 4

struct gate {
    hkt_shared_barrier barrier;
    hkt_deadline deadline;
    atomic_int seen[PARTIES], broken, ready;
    atomic_long passed;
    long turns;
};

static struct gate *gate_new(size_t parties, double timeout)
{
    struct gate *gate = shared_new(sizeof *gate);
    CHECK_EQ(hkt_shared_barrier_init(&gate->barrier, parties, timeout), 0);
    return gate;
}

static int come(void *arg)
{
    return hkt_shared_barrier_wait(&((struct gate *)arg)->barrier);
}

static int come_until(void *arg)
{
    struct gate *gate = arg;
    int err = hkt_shared_barrier_wait_until(&gate->barrier, gate->deadline);
    CHECK(err != -ETIMEDOUT || hkt_deadline_passed(gate->deadline));
    return err;
}

static void let_come(struct gate *gate, struct caller *comers, int count)
{
    for (int i = 0; i < count; i++) {
        caller_start_waiting(&comers[i], come, gate, &gate->barrier);
        CHECK_EQ(hkt_shared_barrier_n_waiting(&gate->barrier), i + 1);
    }
}

static void check_works(struct gate *gate)
{
    struct caller comers[PARTIES];
    int others = (int)hkt_shared_barrier_parties(&gate->barrier) - 1;
    CHECK(!hkt_shared_barrier_broken(&gate->barrier));
    CHECK_EQ(hkt_shared_barrier_n_waiting(&gate->barrier), 0);
    let_come(gate, comers, others);
    CHECK_EQ(come(gate), others);
    for (int i = 0; i < others; i++)
        CHECK_EQ(caller_end(&comers[i]), i);
}

static void check_broken_for(struct gate *gate, struct caller *comers, int count)
{
    for (int i = 0; i < count; i++)
        CHECK_EQ(caller_end(&comers[i]), -EPIPE);
    CHECK(hkt_shared_barrier_broken(&gate->barrier));
    CHECK_EQ(hkt_shared_barrier_n_waiting(&gate->barrier), 0);
    CHECK_EQ(come(gate), -EPIPE);
    CHECK_EQ(come_until(gate), -EPIPE);
    hkt_shared_barrier_reset(&gate->barrier);
    check_works(gate);
}

TEST(what_it_can_be_made_for)
{
    hkt_shared_barrier *barrier = shared_new(sizeof *barrier);
    CHECK_EQ(hkt_shared_barrier_init(barrier, 0, 0), -EINVAL);
    CHECK_EQ(hkt_shared_barrier_init(barrier, 32768, 0), -EINVAL);
    CHECK_EQ(hkt_shared_barrier_init(barrier, 1, -1), -EINVAL);
    CHECK_EQ(hkt_shared_barrier_init(barrier, 1, NAN), -EINVAL);
    CHECK_EQ(hkt_shared_barrier_init(barrier, 32767, INFINITY), 0);
    CHECK_EQ(hkt_shared_barrier_parties(barrier), 32767);
    CHECK_EQ(hkt_shared_barrier_init(barrier, 1, 0), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_shared_barrier_wait(barrier), 0);
    CHECK_EQ(hkt_shared_barrier_wait_until(barrier, hkt_after(0)), 0);
    shared_end(barrier);
}

TEST(the_last_one_lets_all_go_on_each_with_its_number)
{
    struct gate *gate = gate_new(PARTIES, 0);
    for (int round = 0; round < 3; round++)
        check_works(gate);
    shared_end(gate);
}

TEST(an_abort_breaks_it_for_those_who_wait_and_those_who_come)
{
    struct gate *gate = gate_new(PARTIES, 0);
    struct caller comers[PARTIES];
    let_come(gate, comers, PARTIES - 1);
    hkt_shared_barrier_abort(&gate->barrier);
    check_broken_for(gate, comers, PARTIES - 1);
    hkt_shared_barrier_abort(&gate->barrier);
    check_broken_for(gate, comers, 0);
    shared_end(gate);
}

TEST(a_reset_sends_those_who_wait_away_and_makes_it_as_new)
{
    struct gate *gate = gate_new(PARTIES, 0);
    struct caller comers[PARTIES];
    let_come(gate, comers, PARTIES - 1);
    hkt_shared_barrier_reset(&gate->barrier);
    for (int i = 0; i < PARTIES - 1; i++)
        CHECK_EQ(caller_end(&comers[i]), -EPIPE);
    check_works(gate);
    hkt_shared_barrier_reset(&gate->barrier);
    check_works(gate);
    shared_end(gate);
}

TEST(a_reset_keeps_the_old_apart_from_the_new)
{
    struct gate *gate = gate_new(3, 0);
    for (long round = test_scaled(200); round > 0; round--) {
        struct caller old[2], new[2];
        let_come(gate, old, 2);
        if (round % 2)
            hkt_shared_barrier_abort(&gate->barrier);
        hkt_shared_barrier_reset(&gate->barrier);
        for (int i = 0; i < 2; i++)
            caller_start(&new[i], come, gate);
        CHECK(come(gate) >= 0);
        for (int i = 0; i < 2; i++) {
            CHECK_EQ(caller_end(&old[i]), -EPIPE);
            CHECK(caller_end(&new[i]) >= 0);
        }
    }
    shared_end(gate);
}

TEST(a_deadline_that_passes_breaks_it)
{
    struct gate *gate = gate_new(PARTIES, 0);
    struct caller comers[PARTIES];
    double begin = hkt_monotonic();
    let_come(gate, comers, PARTIES - 2);
    gate->deadline = hkt_after(0.03);
    CHECK_EQ(come_until(gate), -ETIMEDOUT);
    CHECK(hkt_monotonic() - begin >= 0.03);
    check_broken_for(gate, comers, PARTIES - 2);
    gate->deadline = hkt_after(0);
    CHECK_EQ(come_until(gate), -ETIMEDOUT);
    check_broken_for(gate, comers, 0);
    shared_end(gate);
}

TEST(its_timeout_is_for_each_wait)
{
    struct gate *gate = gate_new(2, 0.03);
    double begin = hkt_monotonic();
    CHECK_EQ(come(gate), -ETIMEDOUT);
    CHECK(hkt_monotonic() - begin >= 0.03);
    CHECK(hkt_shared_barrier_broken(&gate->barrier));
    shared_end(gate);
}

TEST(a_cancel_breaks_it)
{
    struct gate *gate = gate_new(PARTIES, 0);
    struct caller comers[PARTIES];
    let_come(gate, comers, PARTIES - 1);
    caller_cancel(&comers[PARTIES - 2]);
    CHECK_EQ(caller_end(&comers[PARTIES - 2]), -ECANCELED);
    check_broken_for(gate, comers, PARTIES - 2);
    let_come(gate, comers, 1);
    CHECK_EQ(call_cancelled(come, gate), -ECANCELED);
    check_broken_for(gate, comers, 1);
    shared_end(gate);
}

/* Comes again and again: each number is had by one, and nobody is a round ahead. */
static int go_round(void *arg)
{
    struct gate *gate = ((struct member *)arg)->shared;
    for (long turn = 0; turn < gate->turns; turn++) {
        int index = hkt_shared_barrier_wait(&gate->barrier);
        if (index < 0 || index >= PARTIES || atomic_fetch_add(&gate->seen[index], 1) != turn)
            return 1;
        if (atomic_fetch_add(&gate->passed, 1) >= (turn + 1) * PARTIES)
            return 2;
        if (hkt_shared_barrier_wait(&gate->barrier) < 0)
            return 3;
    }
    return 0;
}

TEST(processes_go_round_together)
{
    struct gate *gate = gate_new(PARTIES, 0);
    hkt_process *members[PARTIES];
    gate->turns = test_scaled(500);
    for (int i = 0; i < PARTIES; i++)
        members[i] = member_start(go_round, gate, i);
    for (int i = 0; i < PARTIES; i++)
        CHECK_EQ(member_end(members[i]), 0);
    CHECK_EQ(atomic_load(&gate->passed), gate->turns * PARTIES);
    shared_end(gate);
}

static int come_once(void *arg)
{
    struct gate *gate = ((struct member *)arg)->shared;
    int err = hkt_shared_barrier_wait(&gate->barrier);
    if (err == -EPIPE)
        atomic_fetch_add(&gate->broken, 1);
    return err >= 0 || err == -EPIPE ? 0 : 1;
}

TEST_TIMEOUT(a_waiter_that_is_killed_breaks_it_for_the_others, 60)
{
    struct gate *gate = gate_new(PARTIES, 0);
    struct test_random random = random_of(0);
    for (long round = test_scaled(70); round > 0; round--) {
        hkt_process *members[PARTIES - 1];
        int victim = (int)random_below(&random, PARTIES - 1);
        atomic_store(&gate->broken, 0);
        for (int i = 0; i < PARTIES - 1; i++)
            members[i] = member_start(come_once, gate, i);
        AWAIT(hkt_shared_barrier_n_waiting(&gate->barrier) == PARTIES - 1);
        rest(&random, 0.0003);
        member_kill(members[victim]);
        for (int i = 0; i < PARTIES - 1; i++)
            if (i != victim)
                CHECK_EQ(member_end(members[i]), 0);
        CHECK_EQ(atomic_load(&gate->broken), PARTIES - 2);
        CHECK(hkt_shared_barrier_broken(&gate->barrier));
        CHECK_EQ(come(gate), -EPIPE);
        hkt_shared_barrier_reset(&gate->barrier);
    }
    check_works(gate);
    shared_end(gate);
}

TEST_TIMEOUT(one_that_is_killed_when_it_has_been_released_breaks_nothing, 60)
{
    struct gate *gate = gate_new(3, 0);
    for (long round = test_scaled(70); round > 0; round--) {
        hkt_process *member = member_start(come_once, gate, 0);
        struct caller other;
        caller_start(&other, come, gate);
        AWAIT(hkt_shared_barrier_n_waiting(&gate->barrier) == 2);
        CHECK_EQ(come(gate), 2);
        member_kill(member);
        CHECK(caller_end(&other) >= 0);
        CHECK(!hkt_shared_barrier_broken(&gate->barrier));
        CHECK_EQ(hkt_shared_barrier_n_waiting(&gate->barrier), 0);
    }
    shared_end(gate);
}

static int come_until_it_breaks(void *arg)
{
    struct gate *gate = ((struct member *)arg)->shared;
    int err;
    atomic_fetch_add(&gate->ready, 1);
    while ((err = hkt_shared_barrier_wait_until(&gate->barrier, hkt_after(20))) >= 0)
        atomic_fetch_add(&gate->passed, 1);
    return err == -EPIPE ? 0 : 1;
}

/* Killed at any moment: inside it breaks it; outside the others are one too few, and an abort ends
 * that. */
TEST_TIMEOUT(whoever_is_killed_at_any_moment_nobody_hangs, 120)
{
    struct gate *gate = gate_new(PARTIES, 0);
    struct test_random random = random_of(1);
    for (long round = test_scaled(60); round > 0; round--) {
        hkt_process *members[PARTIES];
        long before = atomic_load(&gate->passed);
        atomic_store(&gate->ready, 0);
        for (int i = 0; i < PARTIES; i++)
            members[i] = member_start(come_until_it_breaks, gate, i);
        AWAIT(atomic_load(&gate->passed) > before);
        rest(&random, 0.0005);
        member_kill(members[0]);
        AWAIT(hkt_shared_barrier_broken(&gate->barrier) ||
              hkt_shared_barrier_n_waiting(&gate->barrier) == PARTIES - 1);
        hkt_shared_barrier_abort(&gate->barrier);
        for (int i = 1; i < PARTIES; i++)
            CHECK_EQ(member_end(members[i]), 0);
        hkt_shared_barrier_reset(&gate->barrier);
    }
    check_works(gate);
    shared_end(gate);
}
