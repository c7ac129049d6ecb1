/* SPDX-License-Identifier: MIT */
/* The contract of every lock, third part: several threads take it in all ways at once, with
 * deadlines that pass and scopes that are cancelled under them. Afterwards the count is exact,
 * each refusal had its reason, and the lock is free. Asks for what lock_deadline.h asks for. */
#ifndef HOCKET_TEST_LOCK_STRESS_H
#define HOCKET_TEST_LOCK_STRESS_H

#include <stdlib.h>

#include "lock_deadline.h"

#define STRESS_WORKERS 4

struct stress_worker {
    struct stress *stress;
    unsigned number;
    struct test_random random;
    long taken;
    hkt_scope *scopes; /* one for each turn: who cancels may come late */
    hkt_scope *_Atomic scope;
};

struct stress {
    subject lock;
    long turns;
    long count; /* under the lock */
    struct stress_worker workers[STRESS_WORKERS];
};

/* With the lock held: mostly for a moment, sometimes so long that it is handed over. */
static void stress_hold(struct stress_worker *worker)
{
    struct stress *stress = worker->stress;
    long seen = stress->count;
    uint64_t choice = random_below(&worker->random, 64);
    if (choice == 0)
        await_time(hkt_monotonic() + 0.0006);
    else if (choice < 8)
        sched_yield();
    stress->count = seen + 1;
    worker->taken++;
    subject_release(&stress->lock);
}

/* In a scope that others cancel, or that has a deadline. */
static int stress_in_scope(struct stress_worker *worker, long turn, hkt_deadline deadline)
{
    hkt_scope *scope = &worker->scopes[turn];
    hkt_scope_options options = { .deadline = { 0 } };
    if (random_below(&worker->random, 2))
        options.deadline = hkt_after(random_seconds(&worker->random, 0.001));
    hkt_scope_enter(scope, &options);
    atomic_store(&worker->scope, scope);
    int err = subject_acquire_until(&worker->stress->lock, deadline);
    if (err == 0)
        stress_hold(worker);
    bool cancelled = hkt_scope_cancelled(scope);
    int end = hkt_scope_leave(scope);
    CHECK(err != -ECANCELED || (cancelled && end < 0));
    CHECK(end != -ETIMEDOUT || hkt_deadline_passed(options.deadline));
    return err;
}

static void stress_cancel_somebody(struct stress_worker *worker)
{
    uint64_t other = random_below(&worker->random, STRESS_WORKERS);
    hkt_scope *scope = atomic_load(&worker->stress->workers[other].scope);
    if (scope)
        hkt_scope_cancel(scope);
}

static void stress_turn(struct stress_worker *worker, long turn)
{
    subject *lock = &worker->stress->lock;
    hkt_deadline deadline = hkt_after(random_seconds(&worker->random, 0.0008));
    switch (random_below(&worker->random, 6)) {
    case 0:
        CHECK_EQ(subject_acquire(lock), 0);
        stress_hold(worker);
        break;
    case 1:
        if (subject_acquire_nowait(lock) == 0)
            stress_hold(worker);
        break;
    case 2: {
        int err = subject_acquire_until(lock, deadline);
        CHECK(err == 0 || (err == -ETIMEDOUT && hkt_deadline_passed(deadline)));
        if (err == 0)
            stress_hold(worker);
        break;
    }
    case 3: {
        int err = stress_in_scope(worker, turn, (hkt_deadline){ 0 });
        CHECK(err == 0 || err == -ECANCELED);
        break;
    }
    case 4: {
        int err = stress_in_scope(worker, turn, deadline);
        CHECK(err == 0 || err == -ECANCELED ||
              (err == -ETIMEDOUT && hkt_deadline_passed(deadline)));
        break;
    }
    default:
        stress_cancel_somebody(worker);
    }
}

static int stress_run(void *arg)
{
    struct stress_worker *worker = arg;
    for (long turn = 0; turn < worker->stress->turns; turn++)
        stress_turn(worker, turn);
    return 0;
}

TEST_TIMEOUT(a_random_mix_of_all_forms_keeps_the_count_exact, 60)
{
    struct stress stress = { .turns = test_scaled(5000) };
    long taken = 0;
    subject_init(&stress.lock);
    for (unsigned i = 0; i < STRESS_WORKERS; i++) {
        struct stress_worker *worker = &stress.workers[i];
        *worker = (struct stress_worker){ .stress = &stress, .number = i, .random = random_of(i) };
        worker->scopes = calloc((size_t)stress.turns, sizeof *worker->scopes);
        CHECK(worker->scopes);
    }
    call_in_threads(STRESS_WORKERS, stress_run, stress.workers, sizeof *stress.workers);
    for (unsigned i = 0; i < STRESS_WORKERS; i++) {
        taken += stress.workers[i].taken;
        free(stress.workers[i].scopes);
    }
    CHECK_EQ(stress.count, taken);
    CHECK_EQ(subject_acquire_nowait(&stress.lock), 0);
    subject_release(&stress.lock);
}

#endif
