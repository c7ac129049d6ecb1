/* SPDX-License-Identifier: MIT */
/* hkt_shared_lock between processes: exclusion, holders that die, and who is told. What it has in
 * common with other locks: tests/contract. */
#include <hocket/shared_event.h>
#include <hocket/shared_lock.h>
#include <sched.h>

#include "caller.h"
#include "shared_tests.h"

#define WORKERS 4

/* A lock and what it guards, a pair of numbers that are the same while nobody holds it. */
struct pair {
    hkt_shared_lock lock;
    volatile long first, second;
    long turns;
    atomic_int inside, told, taken, ready, stop;
    hkt_shared_event go;
};

/* Takes it, mends what a dead one has left, and looks: 0, or what is wrong. */
static int enter(struct pair *pair)
{
    int err = hkt_shared_lock_acquire_until(&pair->lock, hkt_after(20));
    if (err == -EOWNERDEAD) {
        atomic_fetch_add(&pair->told, 1);
        atomic_store(&pair->inside, 0);
        pair->second = pair->first;
        hkt_shared_lock_consistent(&pair->lock);
        err = 0;
    }
    if (err < 0)
        return err;
    return pair->first == pair->second && atomic_fetch_add(&pair->inside, 1) == 0 ? 0 : -EIO;
}

static void leave(struct pair *pair)
{
    atomic_fetch_sub(&pair->inside, 1);
    hkt_shared_lock_release(&pair->lock);
}

static int count_up(void *arg)
{
    struct pair *pair = ((struct member *)arg)->shared;
    for (long turn = 0; turn < pair->turns; turn++) {
        if (enter(pair) < 0)
            return 1;
        pair->first = pair->first + 1;
        if (turn % 64 == 0)
            sched_yield();
        pair->second = pair->second + 1;
        leave(pair);
    }
    return 0;
}

TEST(one_process_at_a_time)
{
    struct pair *pair = shared_new(sizeof *pair);
    hkt_process *workers[WORKERS];
    pair->turns = test_scaled(20000);
    for (int i = 0; i < WORKERS; i++)
        workers[i] = member_start(count_up, pair, i);
    for (int i = 0; i < WORKERS; i++)
        CHECK_EQ(member_end(workers[i]), 0);
    CHECK_EQ(pair->first, WORKERS * pair->turns);
    CHECK_EQ(pair->second, WORKERS * pair->turns);
    CHECK_EQ(atomic_load(&pair->told), 0);
    shared_end(pair);
}

static int hold_for_ever(void *arg)
{
    struct pair *pair = ((struct member *)arg)->shared;
    if (hkt_shared_lock_acquire(&pair->lock) < 0)
        return 1;
    pair->first = pair->first + 1;
    hkt_shared_event_set(&pair->go);
    for (;;)
        pause();
}

static hkt_process *start_holder(struct pair *pair)
{
    hkt_shared_event_clear(&pair->go);
    hkt_process *holder = member_start(hold_for_ever, pair, 0);
    CHECK_EQ(hkt_shared_event_wait_until(&pair->go, hkt_after(20)), 0);
    CHECK(hkt_shared_lock_locked(&pair->lock));
    CHECK_EQ(hkt_shared_lock_holder(&pair->lock), hkt_process_pid(holder));
    CHECK_EQ(hkt_shared_lock_acquire_nowait(&pair->lock), -EAGAIN);
    return holder;
}

TEST(who_comes_after_the_death_of_its_holder_has_it_and_is_told)
{
    struct pair *pair = shared_new(sizeof *pair);
    member_kill(start_holder(pair));
    CHECK(!hkt_shared_lock_locked(&pair->lock));
    CHECK_EQ(hkt_shared_lock_holder(&pair->lock), 0);
    CHECK_EQ(hkt_shared_lock_acquire(&pair->lock), -EOWNERDEAD);
    CHECK_EQ(hkt_shared_lock_holder(&pair->lock), getpid());
    CHECK_EQ(hkt_shared_lock_acquire_nowait(&pair->lock), -EAGAIN);
    hkt_shared_lock_consistent(&pair->lock);
    hkt_shared_lock_release(&pair->lock);
    CHECK_EQ(hkt_shared_lock_acquire(&pair->lock), 0);
    hkt_shared_lock_release(&pair->lock);
    shared_end(pair);
}

TEST(every_form_tells_of_the_death)
{
    struct pair *pair = shared_new(sizeof *pair);
    hkt_deadline deadlines[] = { { 0 }, hkt_after(1000), hkt_after(0) };
    for (int i = 0; i < 3; i++) {
        member_kill(start_holder(pair));
        CHECK_EQ(hkt_shared_lock_acquire_until(&pair->lock, deadlines[i]), -EOWNERDEAD);
        hkt_shared_lock_consistent(&pair->lock);
        hkt_shared_lock_release(&pair->lock);
    }
    member_kill(start_holder(pair));
    CHECK_EQ(hkt_shared_lock_acquire_nowait(&pair->lock), -EOWNERDEAD);
    hkt_shared_lock_consistent(&pair->lock);
    hkt_shared_lock_release(&pair->lock);
    shared_end(pair);
}

TEST(until_somebody_says_that_all_is_well_everybody_is_told)
{
    struct pair *pair = shared_new(sizeof *pair);
    member_kill(start_holder(pair));
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(hkt_shared_lock_acquire(&pair->lock), -EOWNERDEAD);
        hkt_shared_lock_release(&pair->lock);
        CHECK_EQ(hkt_shared_lock_acquire_nowait(&pair->lock), -EOWNERDEAD);
        hkt_shared_lock_release(&pair->lock);
    }
    CHECK_EQ(hkt_shared_lock_acquire(&pair->lock), -EOWNERDEAD);
    hkt_shared_lock_consistent(&pair->lock);
    hkt_shared_lock_release(&pair->lock);
    CHECK_EQ(hkt_shared_lock_acquire(&pair->lock), 0);
    hkt_shared_lock_release(&pair->lock);
    shared_end(pair);
}

static int wait_for_it(void *arg)
{
    struct pair *pair = arg;
    int err = hkt_shared_lock_acquire(&pair->lock);
    atomic_fetch_add(&pair->taken, 1);
    if (err == -EOWNERDEAD) {
        atomic_fetch_add(&pair->told, 1);
        hkt_shared_lock_consistent(&pair->lock);
    }
    hkt_shared_lock_release(&pair->lock);
    return err == -EOWNERDEAD ? 0 : err;
}

static int wait_for_it_in_a_process(void *arg)
{
    struct pair *pair = ((struct member *)arg)->shared;
    atomic_fetch_add(&pair->ready, 1);
    return wait_for_it(pair) < 0;
}

TEST(of_those_who_wait_one_is_told_and_all_get_it)
{
    struct pair *pair = shared_new(sizeof *pair);
    hkt_process *holder = start_holder(pair), *others[WORKERS];
    struct caller callers[3];
    for (int i = 0; i < WORKERS; i++)
        others[i] = member_start(wait_for_it_in_a_process, pair, i);
    for (int i = 0; i < 3; i++)
        caller_start_waiting(&callers[i], wait_for_it, pair, &pair->lock);
    AWAIT(atomic_load(&pair->ready) == WORKERS);
    member_kill(holder);
    for (int i = 0; i < WORKERS; i++)
        CHECK_EQ(member_end(others[i]), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
    CHECK_EQ(atomic_load(&pair->taken), WORKERS + 3);
    CHECK_EQ(atomic_load(&pair->told), 1);
    shared_end(pair);
}

static int release_it(void *arg)
{
    struct pair *pair = ((struct member *)arg)->shared;
    hkt_shared_lock_release(&pair->lock);
    return 0;
}

TEST(any_process_may_release_it)
{
    struct pair *pair = shared_new(sizeof *pair);
    CHECK_EQ(hkt_shared_lock_acquire(&pair->lock), 0);
    CHECK_EQ(member_end(member_start(release_it, pair, 0)), 0);
    CHECK(!hkt_shared_lock_locked(&pair->lock));
    CHECK_EQ(hkt_shared_lock_acquire(&pair->lock), 0);
    hkt_shared_lock_release(&pair->lock);
    shared_end(pair);
}

static int hold_and_return(void *arg)
{
    struct pair *pair = ((struct member *)arg)->shared;
    return hkt_shared_lock_acquire(&pair->lock) < 0;
}

TEST(a_holder_that_ends_in_order_is_one_that_died_too)
{
    struct pair *pair = shared_new(sizeof *pair);
    CHECK_EQ(member_end(member_start(hold_and_return, pair, 0)), 0);
    CHECK_EQ(hkt_shared_lock_acquire_until(&pair->lock, hkt_after(20)), -EOWNERDEAD);
    hkt_shared_lock_consistent(&pair->lock);
    hkt_shared_lock_release(&pair->lock);
    shared_end(pair);
}

TEST(fifty_processes_share_it)
{
    enum { MANY = 50 };
    struct pair *pair = shared_new(sizeof *pair);
    hkt_process *workers[MANY];
    pair->turns = test_scaled(300);
    for (int i = 0; i < MANY; i++)
        workers[i] = member_start(count_up, pair, i);
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(member_end(workers[i]), 0);
    CHECK_EQ(pair->first, MANY * pair->turns);
    shared_end(pair);
}

/* Takes and gives it back until told to stop; now and then in a thread's place that gives up. */
static int work_until_stopped(void *arg)
{
    struct member *member = arg;
    struct pair *pair = member->shared;
    struct test_random random = random_of((uint64_t)member->number);
    while (!atomic_load(&pair->stop)) {
        if (random_below(&random, 8) == 0) {
            int err = hkt_shared_lock_acquire_until(&pair->lock,
                                                    hkt_after(random_seconds(&random, 0.0003)));
            if (err == -EOWNERDEAD) /* for the next one to mend */
                hkt_shared_lock_release(&pair->lock);
            if (err == 0)
                hkt_shared_lock_release(&pair->lock);
            continue;
        }
        int err = enter(pair);
        if (err < 0)
            return 1;
        pair->first = pair->first + 1;
        if (random_below(&random, 16) == 0)
            sched_yield();
        if (random_below(&random, 256) == 0)
            await_spinning(0.0007);
        pair->second = pair->second + 1;
        leave(pair);
    }
    return 0;
}

TEST_TIMEOUT(whoever_is_killed_at_any_moment_the_others_go_on, 120)
{
    struct pair *pair = shared_new(sizeof *pair);
    struct test_random random = random_of(1000);
    hkt_process *workers[WORKERS];
    long kills = test_scaled(200);
    for (int i = 0; i < WORKERS; i++)
        workers[i] = member_start(work_until_stopped, pair, i);
    for (long kill = 0; kill < kills; kill++) {
        int victim = (int)random_below(&random, WORKERS);
        rest(&random, 0.002);
        member_kill(workers[victim]);
        workers[victim] = member_start(work_until_stopped, pair, (int)kill + WORKERS);
        long before = pair->first;
        AWAIT(pair->first != before);
    }
    atomic_store(&pair->stop, 1);
    for (int i = 0; i < WORKERS; i++)
        CHECK_EQ(member_end(workers[i]), 0);
    CHECK(atomic_load(&pair->told) <= kills);
    CHECK_EQ(enter(pair), 0);
    leave(pair);
    CHECK_EQ(hkt_shared_lock_acquire_nowait(&pair->lock), 0);
    hkt_shared_lock_release(&pair->lock);
    shared_end(pair);
}

/* Each holder dies with the lock: as many are told. */
TEST_TIMEOUT(each_death_of_a_holder_is_told_once, 60)
{
    struct pair *pair = shared_new(sizeof *pair);
    struct caller waiters[2];
    for (long round = 1; round <= test_scaled(50); round++) {
        hkt_process *holder = start_holder(pair);
        for (int i = 0; i < 2; i++)
            caller_start(&waiters[i], wait_for_it, pair);
        member_kill(holder);
        for (int i = 0; i < 2; i++)
            CHECK_EQ(caller_end(&waiters[i]), 0);
        CHECK_EQ(atomic_load(&pair->told), round);
        CHECK_EQ(atomic_load(&pair->taken), 2 * round);
    }
    shared_end(pair);
}

TEST_ABORTS(to_release_what_nobody_holds_is_misuse, "hkt_shared_lock_release: shared lock")
{
    struct pair *pair = shared_new(sizeof *pair);
    hkt_shared_lock_release(&pair->lock);
}

TEST_ABORTS(to_call_consistent_what_nobody_holds_is_misuse,
            "hkt_shared_lock_consistent: shared lock")
{
    struct pair *pair = shared_new(sizeof *pair);
    hkt_shared_lock_consistent(&pair->lock);
}
