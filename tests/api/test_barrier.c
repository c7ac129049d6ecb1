/* SPDX-License-Identifier: MIT */
/* hkt_barrier as it should go: all come, all go on, again and again. How it breaks:
 * test_barrier_broken.c. */
#include <hocket/barrier.h>
#include <limits.h>
#include <math.h>

#include "caller.h"
#include "random.h"
#include "test.h"

static int come(void *barrier)
{
    return hkt_barrier_wait(barrier);
}

TEST(its_size_and_its_time_limit_must_make_sense)
{
    hkt_barrier barrier;
    hkt_barrier_options options = { .timeout = -1 };
    CHECK_EQ(hkt_barrier_init(&barrier, 0, NULL), -EINVAL);
    CHECK_EQ(hkt_barrier_init(&barrier, (size_t)INT_MAX + 1, NULL), -EINVAL);
    CHECK_EQ(hkt_barrier_init(&barrier, SIZE_MAX, NULL), -EINVAL);
    CHECK_EQ(hkt_barrier_init(&barrier, 2, &options), -EINVAL);
    options.timeout = (double)NAN;
    CHECK_EQ(hkt_barrier_init(&barrier, 2, &options), -EINVAL);
    options.timeout = 0;
    CHECK_EQ(hkt_barrier_init(&barrier, 2, &options), 0);
    CHECK_EQ(hkt_barrier_init(&barrier, INT_MAX, NULL), 0);
    CHECK_EQ(hkt_barrier_parties(&barrier), INT_MAX);
}

TEST(a_new_one_is_whole_and_empty)
{
    hkt_barrier barrier;
    CHECK_EQ(hkt_barrier_init(&barrier, 3, NULL), 0);
    CHECK(!hkt_barrier_broken(&barrier));
    CHECK_EQ(hkt_barrier_n_waiting(&barrier), 0);
    CHECK_EQ(hkt_barrier_parties(&barrier), 3);
}

TEST(a_barrier_for_one_never_waits)
{
    hkt_barrier barrier;
    CHECK_EQ(hkt_barrier_init(&barrier, 1, NULL), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(hkt_barrier_wait(&barrier), 0);
        CHECK_EQ(hkt_barrier_wait_until(&barrier, hkt_after(0)), 0);
    }
}

TEST(each_gets_another_number_in_the_order_of_coming)
{
    hkt_barrier barrier;
    struct caller comers[4];
    CHECK_EQ(hkt_barrier_init(&barrier, 5, NULL), 0);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(hkt_barrier_n_waiting(&barrier), i);
        caller_start(&comers[i], come, &barrier);
        await_state(comers[i].thread, HKT_THREAD_BLOCKED);
        CHECK(waits_for(comers[i].thread, &barrier));
    }
    CHECK_EQ(hkt_barrier_n_waiting(&barrier), 4);
    CHECK_EQ(hkt_barrier_wait(&barrier), 4);
    CHECK_EQ(hkt_barrier_n_waiting(&barrier), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(caller_end(&comers[i]), i);
    CHECK(!hkt_barrier_broken(&barrier));
}

TEST(the_last_to_come_needs_no_time)
{
    hkt_barrier barrier;
    struct caller first;
    CHECK_EQ(hkt_barrier_init(&barrier, 2, NULL), 0);
    caller_start_waiting(&first, come, &barrier, &barrier);
    CHECK_EQ(hkt_barrier_wait_until(&barrier, hkt_after(0)), 1);
    CHECK_EQ(caller_end(&first), 0);
}

/* What an action sees. */
struct scene {
    hkt_barrier barrier;
    long runs; /* of the action: plain, all who go on see it */
    uint64_t runner;
    int result; /* of the action */
    atomic_bool gone_on;
};

static int act(void *arg)
{
    struct scene *scene = arg;
    CHECK(!atomic_load(&scene->gone_on));
    scene->runs++;
    scene->runner = hkt_ident();
    return scene->result;
}

static void scene_init(struct scene *scene, size_t parties)
{
    *scene = (struct scene){ .runs = 0 };
    hkt_barrier_options options = { .action = act, .arg = scene };
    CHECK_EQ(hkt_barrier_init(&scene->barrier, parties, &options), 0);
}

static int come_to_scene(void *arg)
{
    struct scene *scene = arg;
    int number = hkt_barrier_wait(&scene->barrier);
    atomic_store(&scene->gone_on, true);
    CHECK_EQ(scene->runs, 1);
    return number;
}

TEST(the_last_to_come_runs_the_action_before_anybody_goes_on)
{
    struct scene scene;
    struct caller comers[3];
    scene_init(&scene, 4);
    for (int i = 0; i < 3; i++)
        caller_start_waiting(&comers[i], come_to_scene, &scene, &scene.barrier);
    CHECK_EQ(scene.runs, 0);
    CHECK_EQ(come_to_scene(&scene), 3);
    CHECK_EQ(scene.runner, hkt_ident());
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&comers[i]), i);
    CHECK_EQ(scene.runs, 1);
}

TEST(an_action_that_returns_a_number_is_as_good_as_0)
{
    struct scene scene;
    scene_init(&scene, 1);
    scene.result = 7;
    CHECK_EQ(come_to_scene(&scene), 0);
    CHECK(!hkt_barrier_broken(&scene.barrier));
}

/* Phases: in each, all write their own place, and after the barrier read all places. */
#define PHASE_PARTIES 4

struct phases {
    hkt_barrier barrier;
    long turns;
    long places[PHASE_PARTIES]; /* plain: the barrier is what orders them */
    long actions;
    atomic_int next;
    atomic_long numbers[PHASE_PARTIES]; /* how often each was given */
};

static int count_action(void *arg)
{
    ((struct phases *)arg)->actions++;
    return 0;
}

static void come_and_note(struct phases *phases)
{
    int number = hkt_barrier_wait(&phases->barrier);
    CHECK(number >= 0 && number < PHASE_PARTIES);
    atomic_fetch_add(&phases->numbers[number], 1);
}

static int go_through_phases(void *arg)
{
    struct phases *phases = arg;
    long *place = &phases->places[atomic_fetch_add(&phases->next, 1)];
    for (long turn = 1; turn <= phases->turns; turn++) {
        *place = turn;
        come_and_note(phases);
        for (int i = 0; i < PHASE_PARTIES; i++)
            CHECK_EQ(phases->places[i], turn);
        CHECK_EQ(phases->actions, 2 * turn - 1);
        come_and_note(phases);
    }
    return 0;
}

TEST_TIMEOUT(it_is_used_again_and_again, 60)
{
    struct phases phases = { .turns = test_scaled(2000) };
    hkt_barrier_options options = { .action = count_action, .arg = &phases };
    CHECK_EQ(hkt_barrier_init(&phases.barrier, PHASE_PARTIES, &options), 0);
    call_in_threads(PHASE_PARTIES, go_through_phases, &phases, 0);
    CHECK_EQ(phases.actions, 2 * phases.turns);
    for (int i = 0; i < PHASE_PARTIES; i++)
        CHECK_EQ(atomic_load(&phases.numbers[i]), 2 * phases.turns);
    CHECK_EQ(hkt_barrier_n_waiting(&phases.barrier), 0);
}
