/* SPDX-License-Identifier: MIT */
/* The bell's protocol, under all schedules: no ring is lost, whoever leaves, is cancelled or dies. Those
 * who die are of another process: a token and a stake that are made here, as if it were one. */
#include "base/atomic.h"
#include "loops.h"
#include "os/os.h"
#include "proc/arena.h"
#include "proc/bell.h"
#include "proc/ear.h"
#include "proc/stake.h"

/* A count of permits, and the bell that tells of them. */
static struct place {
    struct hkti_bell bell;
    uint32_t permits;
} * place;

static uint32_t dead; /* a token */

static bool try(void)
{
    for (;;) {
        uint32_t permits = hkti_load_seq_cst(&place->permits); /* pairs: bell */
        if (permits == 0)
            return false;
        if (hkti_cas_seq_cst(&place->permits, permits, permits - 1)) /* pairs: bell */
            return true;
    }
}

static int take_until(int64_t deadline)
{
    struct hkti_listener listener;
    int err = 0;
    bool done;
    hkti_bell_listen(&place->bell, HKTI_STAKE_WAIT, &listener);
    while (!(done = try()) && err == 0)
        err = hkti_bell_wait(&listener, "permit", place, deadline, true);
    hkti_bell_leave(&listener, done);
    return done ? 0 : err;
}

static int take(void *arg)
{
    (void)arg;
    return take_until(0);
}

static int take_quickly(void *arg)
{
    (void)arg;
    int err = take_until(hkt_after(1e-6).ns);
    if (err == 0) {                                 /* not its own: for another one */
        hkti_fetch_add_seq_cst(&place->permits, 1); /* pairs: bell */
        hkti_bell_ring(&place->bell, 1);
    }
    return err == -ETIMEDOUT ? 0 : err;
}

static int give(void *arg)
{
    (void)arg;
    hkti_fetch_add_seq_cst(&place->permits, 1); /* pairs: bell */
    hkti_bell_ring(&place->bell, 1);
    return 0;
}

/* The arena is the same for all schedules; what lies in it begins anew. */
static int begin(void)
{
    MUST(place != NULL);
    memset(place, 0, sizeof *place);
    dead = 0;
    hkti_family_rewind();
    return 0;
}

static int end(void)
{
    MUST(place->bell.sleepers == 0 && place->permits == 0);
    return 0;
}

static void make_place(void)
{
    place = hkt_shared_alloc(sizeof *place);
    CHECK(place);
}

static void free_place(void)
{
    hkt_shared_free(place);
    CHECK_EQ(hkt_finalize(), 0);
}

static int two_take(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    int err = TOGETHER(take, take, give, give);
    return err < 0 ? err : end();
}

TEST_TIMEOUT(each_ring_is_heard, 120)
{
    make_place();
    prove(two_take);
    free_place();
}

static int one_gives_up(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    int err = TOGETHER(take, take_quickly, give);
    return err < 0 ? err : end();
}

TEST_TIMEOUT(who_gives_up_passes_its_ring_on, 120)
{
    make_place();
    prove(one_gives_up);
    free_place();
}

/* Cancelled in the moment of the ring. */
static hkt_scope scope;

static int cancel(void *arg)
{
    (void)arg;
    hkt_scope_cancel(&scope);
    return 0;
}

static int cancelled_beside_taker(void *arg)
{
    hkt_thread *threads[3];
    int (*const functions[])(void *) = { cancel, take, give };
    (void)arg;
    MUST(begin() == 0);
    hkt_scope_enter(&scope, NULL);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_thread_spawn(&threads[i], functions[i], NULL, NULL), 0);
    int err = take_until(0);
    (void)hkt_scope_leave(&scope);
    MUST(err == 0 || err == -ECANCELED);
    if (err == 0)
        (void)give(NULL);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(hkt_thread_join(threads[i]), 0);
        hkt_thread_destroy(threads[i]);
    }
    return end();
}

TEST_TIMEOUT(who_is_cancelled_passes_its_ring_on, 120)
{
    make_place();
    prove(cancelled_beside_taker);
    free_place();
}

/* Listens as a process of its own would, is killed in its sleep, and buried. */
static int dies(void *arg)
{
    struct hkti_bell *bell = &place->bell;
    (void)arg;
    uint32_t token = hkti_family_reserve(hkti_family_token());
    MUST(token != 0);
    hkti_fetch_add_seq_cst(&bell->sleepers, 1); /* pairs: bell */
    hkti_stake_put(token, 0, bell, HKTI_STAKE_WAIT);
    uint32_t rings = hkti_load_acquire(&bell->rings); /* pairs: bell */
    if (hkti_load_seq_cst(&place->permits) == 0)      /* pairs: bell */
        hkti_os_futex_wait_either(NULL, 0, &bell->rings, rings, hkti_os_now() + 1000);
    hkti_family_bury(token);
    MUST(hkti_family_is_dead(token));
    return 0;
}

static int one_dies(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    int err = TOGETHER(dies, take, give);
    return err < 0 ? err : end();
}

TEST_TIMEOUT(a_ring_of_the_dead_is_passed_on, 120)
{
    make_place();
    prove(one_dies);
    free_place();
}

/* Waits for the death of a process: bury comes before or after its look. */
static int await_death(void *arg)
{
    struct hkti_listener listener;
    (void)arg;
    hkti_bell_listen(&place->bell, HKTI_STAKE_WAIT, &listener);
    while (!hkti_family_is_dead(dead))
        MUST(hkti_bell_wait(&listener, "death", place, 0, true) == 0);
    hkti_bell_leave(&listener, true);
    return 0;
}

static int bury_it(void *arg)
{
    (void)arg;
    hkti_family_bury(dead);
    return 0;
}

static int a_death_is_awaited(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    dead = hkti_family_reserve(hkti_family_token());
    MUST(dead != 0);
    int err = TOGETHER(await_death, bury_it, bury_it);
    return err < 0 ? err : end();
}

TEST_TIMEOUT(who_waits_for_somebody_sees_his_death, 120)
{
    make_place();
    prove(a_death_is_awaited);
    free_place();
}

/* In tasks, by the ear. */
static int tasks_take(void *arg)
{
    hkt_future *first, *second;
    (void)arg;
    MUST(hkt_task_spawn(&first, take, NULL) == 0);
    MUST(hkt_task_spawn(&second, take_quickly, NULL) == 0);
    int err = hkt_future_finish(first);
    int other = hkt_future_finish(second);
    return err < 0 ? err : other;
}

static int in_tasks(void *arg)
{
    (void)arg;
    MUST(begin() == 0);
    MUST(loop_begin() == 0);
    beside(take);
    beside(give);
    beside(give);
    int err = hkt_loop_run(loop, tasks_take, NULL);
    err = loop_end(err);
    MUST(hkti_ear_stop());
    return err < 0 ? err : end();
}

TEST_TIMEOUT(tasks_hear_their_rings, 120)
{
    bury();
    make_place();
    prove_by(HKT_SIMULATE_RANDOM, (uint64_t)test_scaled(3000), in_tasks);
    prove_by(HKT_SIMULATE_PCT, (uint64_t)test_scaled(3000), in_tasks);
    free_place();
}
