/* SPDX-License-Identifier: MIT */
/* hkt_barrier when it breaks (by a deadline, a cancel, an abort, an action that fails), and its
 * reset. */
#include <hocket/barrier.h>

#include "caller.h"
#include "random.h"
#include "test.h"

/* A barrier, and the deadline of those who come with one. */
struct gate {
    hkt_barrier barrier;
    hkt_deadline deadline;
};

static void gate_init(struct gate *gate, size_t parties, double timeout)
{
    *gate = (struct gate){ .deadline = { 0 } };
    hkt_barrier_options options = { .timeout = timeout };
    CHECK_EQ(hkt_barrier_init(&gate->barrier, parties, &options), 0);
}

static int come(void *arg)
{
    return hkt_barrier_wait(&((struct gate *)arg)->barrier);
}

static int come_until(void *arg)
{
    struct gate *gate = arg;
    int err = hkt_barrier_wait_until(&gate->barrier, gate->deadline);
    CHECK(err != -ETIMEDOUT || hkt_deadline_passed(gate->deadline));
    return err;
}

/* So many come, and wait. */
static void let_come(struct gate *gate, struct caller *comers, int count)
{
    for (int i = 0; i < count; i++)
        caller_start_waiting(&comers[i], come, gate, &gate->barrier);
}

static void check_broken_for(struct gate *gate, struct caller *comers, int count)
{
    for (int i = 0; i < count; i++)
        CHECK_EQ(caller_end(&comers[i]), -EPIPE);
    CHECK(hkt_barrier_broken(&gate->barrier));
    CHECK_EQ(hkt_barrier_n_waiting(&gate->barrier), 0);
    CHECK_EQ(come(gate), -EPIPE);
    CHECK_EQ(come_until(gate), -EPIPE);
}

/* All come, all go on. */
static void check_works(struct gate *gate)
{
    struct caller comers[8];
    int others = (int)hkt_barrier_parties(&gate->barrier) - 1;
    CHECK(!hkt_barrier_broken(&gate->barrier));
    CHECK_EQ(hkt_barrier_n_waiting(&gate->barrier), 0);
    let_come(gate, comers, others);
    CHECK_EQ(come(gate), others);
    for (int i = 0; i < others; i++)
        CHECK_EQ(caller_end(&comers[i]), i);
}

static void check_reset_mends(struct gate *gate)
{
    hkt_barrier_reset(&gate->barrier);
    check_works(gate);
}

TEST(an_abort_breaks_it_for_those_who_wait_and_those_who_come)
{
    struct gate gate;
    struct caller comers[3];
    gate_init(&gate, 4, 0);
    let_come(&gate, comers, 3);
    hkt_barrier_abort(&gate.barrier);
    check_broken_for(&gate, comers, 3);
    hkt_barrier_abort(&gate.barrier);
    check_broken_for(&gate, comers, 0);
    check_reset_mends(&gate);
}

TEST(an_abort_of_an_empty_one_breaks_it_too)
{
    struct gate gate;
    gate_init(&gate, 2, 0);
    hkt_barrier_abort(&gate.barrier);
    check_broken_for(&gate, NULL, 0);
    check_reset_mends(&gate);
}

TEST(a_reset_sends_those_who_wait_away_and_makes_it_as_new)
{
    struct gate gate;
    struct caller comers[3];
    gate_init(&gate, 4, 0);
    let_come(&gate, comers, 3);
    hkt_barrier_reset(&gate.barrier);
    CHECK(!hkt_barrier_broken(&gate.barrier));
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&comers[i]), -EPIPE);
    check_works(&gate);
}

TEST(a_reset_of_an_empty_one_changes_nothing)
{
    struct gate gate;
    gate_init(&gate, 3, 0);
    hkt_barrier_reset(&gate.barrier);
    check_works(&gate);
    hkt_barrier_reset(&gate.barrier);
    check_works(&gate);
}

/* Those sent away by a reset may still be on their way when the next come. */
TEST(a_reset_keeps_the_old_apart_from_the_new)
{
    for (long round = test_scaled(200); round > 0; round--) {
        struct gate gate;
        struct caller old, new;
        gate_init(&gate, 2, 0);
        let_come(&gate, &old, 1);
        hkt_barrier_reset(&gate.barrier);
        caller_start(&new, come, &gate);
        int number = come(&gate);
        CHECK(number == 0 || number == 1);
        CHECK_EQ(caller_end(&new), 1 - number);
        CHECK_EQ(caller_end(&old), -EPIPE);
    }
}

TEST(one_deadline_breaks_it_for_all)
{
    struct gate gate;
    struct caller comers[2];
    gate_init(&gate, 4, 0);
    let_come(&gate, comers, 2);
    gate.deadline = hkt_after(0.02);
    CHECK_EQ(come_until(&gate), -ETIMEDOUT);
    check_broken_for(&gate, comers, 2);
    check_reset_mends(&gate);
}

TEST(a_deadline_that_has_passed_breaks_it_at_once)
{
    struct gate gate;
    struct caller comers[1];
    gate_init(&gate, 3, 0);
    let_come(&gate, comers, 1);
    gate.deadline = hkt_after(0);
    CHECK_EQ(come_until(&gate), -ETIMEDOUT);
    check_broken_for(&gate, comers, 1);
    check_reset_mends(&gate);
}

/* Each of them may be the one whose time was over, but one must be. */
TEST(the_time_limit_of_the_barrier_is_for_all_who_wait)
{
    struct gate gate;
    struct caller comers[2];
    int late = 0;
    double begin = hkt_monotonic();
    gate_init(&gate, 3, 0.03);
    for (int i = 0; i < 2; i++)
        caller_start(&comers[i], come, &gate);
    for (int i = 0; i < 2; i++) {
        int err = caller_end(&comers[i]);
        CHECK(err == -ETIMEDOUT || err == -EPIPE);
        late += err == -ETIMEDOUT;
    }
    CHECK(late >= 1);
    CHECK(hkt_monotonic() - begin >= 0.03 && hkt_monotonic() - begin < 10);
    check_broken_for(&gate, NULL, 0);
}

TEST(a_deadline_of_ones_own_takes_the_place_of_the_time_limit)
{
    struct gate gate;
    struct caller patient;
    gate_init(&gate, 2, 0.01);
    caller_start(&patient, come_until, &gate); /* no deadline at all */
    await_state(patient.thread, HKT_THREAD_BLOCKED);
    await_time(waits_since(patient.thread) + 0.03);
    CHECK(waits_for(patient.thread, &gate.barrier));
    CHECK_EQ(come(&gate), 1);
    CHECK_EQ(caller_end(&patient), 0);
    gate_init(&gate, 2, 1000);
    gate.deadline = hkt_after(0.01);
    CHECK_EQ(come_until(&gate), -ETIMEDOUT);
}

TEST(a_cancel_of_one_breaks_it_for_all)
{
    struct gate gate;
    struct caller comers[3];
    gate_init(&gate, 4, 0);
    let_come(&gate, comers, 3);
    caller_cancel(&comers[2]);
    CHECK_EQ(caller_end(&comers[2]), -ECANCELED);
    check_broken_for(&gate, comers, 2);
    check_reset_mends(&gate);
}

TEST(who_comes_cancelled_breaks_it_for_all)
{
    struct gate gate;
    struct caller comers[2];
    gate_init(&gate, 4, 0);
    let_come(&gate, comers, 2);
    CHECK_EQ(call_cancelled(come, &gate), -ECANCELED);
    check_broken_for(&gate, comers, 2);
    check_reset_mends(&gate);
}

TEST(who_comes_cancelled_breaks_it_even_as_the_last)
{
    struct gate gate;
    struct caller comers[2];
    gate_init(&gate, 3, 0);
    let_come(&gate, comers, 2);
    CHECK_EQ(call_cancelled(come, &gate), -ECANCELED);
    check_broken_for(&gate, comers, 2);
    check_reset_mends(&gate);
}

/* Whether the cancelled one has left before the reset or not, it does not break what is new. */
TEST(a_reset_after_a_cancel_makes_it_as_new)
{
    struct test_random random = random_of(0);
    for (long round = test_scaled(1000); round > 0; round--) {
        struct gate gate;
        struct caller comers[2];
        gate_init(&gate, 3, 0);
        let_come(&gate, comers, 2);
        caller_cancel(&comers[0]);
        await_spinning(random_seconds(&random, 0.00006));
        hkt_barrier_reset(&gate.barrier);
        int err = caller_end(&comers[0]);
        CHECK(err == -ECANCELED || err == -EPIPE);
        CHECK_EQ(caller_end(&comers[1]), -EPIPE);
        CHECK(!hkt_barrier_broken(&gate.barrier));
    }
}

TEST(who_would_not_wait_is_not_cancelled)
{
    struct gate gate;
    struct caller comers[1];
    gate_init(&gate, 2, 0);
    gate.deadline = hkt_after(0);
    let_come(&gate, comers, 1);
    CHECK_EQ(call_cancelled(come_until, &gate), 1);
    CHECK_EQ(caller_end(&comers[0]), 0);
    CHECK_EQ(call_cancelled(come_until, &gate), -ETIMEDOUT);
    CHECK(hkt_barrier_broken(&gate.barrier));
}

static int fail(void *arg)
{
    int *runs = arg;
    return ++*runs % 2 ? -EIO : 0;
}

TEST(an_action_that_fails_breaks_it)
{
    struct gate gate;
    struct caller comers[2];
    int runs = 0;
    hkt_barrier_options options = { .action = fail, .arg = &runs };
    gate_init(&gate, 3, 0);
    CHECK_EQ(hkt_barrier_init(&gate.barrier, 3, &options), 0);
    let_come(&gate, comers, 2);
    CHECK_EQ(come(&gate), -EIO);
    check_broken_for(&gate, comers, 2);
    CHECK_EQ(runs, 1);
    check_reset_mends(&gate);
    CHECK_EQ(runs, 2);
}

TEST(who_was_let_through_is_not_cancelled_any_more)
{
    for (long round = test_scaled(200); round > 0; round--) {
        struct gate gate;
        struct caller comers[2];
        gate_init(&gate, 3, 0);
        let_come(&gate, comers, 2);
        CHECK_EQ(come(&gate), 2);
        caller_cancel(&comers[0]);
        hkt_barrier_abort(&gate.barrier);
        CHECK_EQ(caller_end(&comers[0]), 0);
        CHECK_EQ(caller_end(&comers[1]), 1);
    }
}

/* Four who come again and again, while a fifth resets and aborts: whoever gets the last number has
 * three companions with the other numbers. */
struct storm {
    hkt_barrier barrier;
    atomic_long numbers[4];
    atomic_bool over;
};

static int come_in_the_storm(void *arg)
{
    struct storm *storm = arg;
    while (!atomic_load(&storm->over)) {
        int number = hkt_barrier_wait_until(&storm->barrier, hkt_after(0.001));
        CHECK((number >= 0 && number < 4) || number == -EPIPE || number == -ETIMEDOUT);
        if (number >= 0)
            atomic_fetch_add(&storm->numbers[number], 1);
        if (number == -ETIMEDOUT)
            hkt_barrier_reset(&storm->barrier);
    }
    return 0;
}

TEST_TIMEOUT(whoever_goes_through_goes_with_all_the_others, 60)
{
    struct test_random random = random_of(0);
    struct storm storm = { .over = false };
    struct caller comers[4];
    CHECK_EQ(hkt_barrier_init(&storm.barrier, 4, NULL), 0);
    for (int i = 0; i < 4; i++)
        caller_start(&comers[i], come_in_the_storm, &storm);
    for (long round = test_scaled(500); round > 0; round--) {
        await_time(hkt_monotonic() + random_seconds(&random, 0.0005));
        if (random_below(&random, 2))
            hkt_barrier_abort(&storm.barrier);
        await_time(hkt_monotonic() + random_seconds(&random, 0.0001));
        hkt_barrier_reset(&storm.barrier);
    }
    atomic_store(&storm.over, true);
    hkt_barrier_abort(&storm.barrier);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(caller_end(&comers[i]), 0);
    for (int i = 1; i < 4; i++)
        CHECK_EQ(atomic_load(&storm.numbers[i]), atomic_load(&storm.numbers[0]));
}
