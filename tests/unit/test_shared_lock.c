/* SPDX-License-Identifier: MIT */
/* The lock between processes, in states that the dead leave behind, made by hand; and a family that is
 * full. */
#include <hocket/memory.h>
#include <hocket/shared.h>
#include <hocket/time.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "caller.h"
#include "proc/shared_lock.h"

#define CALLED (UINT32_C(1) << HKTI_TOKEN_BITS)
#define STARVED (CALLED << 1)

static hkt_shared_lock *lock;

static uint32_t *word(void)
{
    return &((struct hkti_shared_lock *)lock)->word;
}

static void begin(void)
{
    lock = hkt_shared_alloc(sizeof *lock);
    CHECK(lock);
}

static void end(void)
{
    CHECK_EQ(hkt_shared_lock_acquire_nowait(lock), 0);
    CHECK_EQ(hkti_load_relaxed(word()) & HKTI_TOKEN_MASK, hkti_family_token());
    hkt_shared_lock_release(lock);
    hkt_shared_free(lock);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(a_flag_of_a_dead_one_that_starved_costs_newcomers_a_moment)
{
    begin();
    hkti_store_relaxed(word(), STARVED);
    double before = hkt_monotonic();
    CHECK_EQ(hkt_shared_lock_acquire(lock), 0);
    CHECK(hkt_monotonic() - before >= 0.001);
    CHECK_EQ(hkti_load_relaxed(word()), hkti_family_token());
    hkt_shared_lock_release(lock);
    hkti_store_relaxed(word(), STARVED);
    CHECK_EQ(hkt_shared_lock_acquire_nowait(lock), 0);
    hkt_shared_lock_release(lock);
    hkti_store_relaxed(word(), STARVED);
    CHECK_EQ(hkt_shared_lock_acquire_until(lock, hkt_after(0)), 0);
    hkt_shared_lock_release(lock);
    hkti_store_relaxed(word(), 0);
    end();
}

TEST(a_free_lock_is_taken_though_a_dead_one_was_called)
{
    begin();
    hkti_store_relaxed(word(), CALLED);
    CHECK_EQ(hkt_shared_lock_acquire(lock), 0);
    hkt_shared_lock_release(lock);
    CHECK_EQ(hkt_shared_lock_acquire_until(lock, hkt_after(1000)), 0);
    hkt_shared_lock_release(lock);
    CHECK_EQ(hkt_shared_lock_acquire_nowait(lock), 0);
    hkt_shared_lock_release(lock);
    end();
}

static int take(void *arg)
{
    (void)arg;
    int err = hkt_shared_lock_acquire(lock);
    if (err == 0)
        hkt_shared_lock_release(lock);
    return err;
}

TEST(who_waits_behind_a_called_one_that_died_looks_by_itself)
{
    struct caller waiter;
    begin();
    CHECK_EQ(hkt_shared_lock_acquire(lock), 0);
    caller_start_waiting(&waiter, take, NULL, lock);
    hkti_fetch_or_relaxed(word(), CALLED);
    hkt_shared_lock_release(lock);
    CHECK_EQ(caller_end(&waiter), 0);
    end();
}

static int take_over(void *arg)
{
    (void)arg;
    int err = hkt_shared_lock_acquire(lock);
    if (err != -EOWNERDEAD)
        return -EIO;
    hkt_shared_lock_consistent(lock);
    hkt_shared_lock_release(lock);
    return 0;
}

TEST(the_flags_of_a_dead_holder_go_with_it)
{
    struct caller waiter;
    uint32_t flags[] = { 0, CALLED, STARVED, CALLED | STARVED };
    begin();
    for (int i = 0; i < 4; i++) {
        uint32_t other = hkti_family_reserve(0);
        CHECK(other);
        hkti_store_relaxed(word(), other | flags[i]);
        CHECK_EQ(hkt_shared_lock_acquire_nowait(lock), -EAGAIN);
        caller_start_waiting(&waiter, take_over, NULL, lock);
        hkti_family_bury(other);
        CHECK_EQ(caller_end(&waiter), 0);
        CHECK_EQ(hkti_load_relaxed(word()) & ~CALLED, 0);
    }
    end();
}

static int take_without_a_place(void)
{
    bool so = hkt_shared_lock_acquire(lock) == -ENOMEM &&
              strstr(hkt_sentence(-ENOMEM), "4096") != NULL &&
              hkt_shared_lock_acquire_until(lock, hkt_after(1)) == -ENOMEM &&
              hkt_shared_lock_acquire_nowait(lock) == -ENOMEM && !hkt_shared_lock_locked(lock);
    return so ? 0 : 1;
}

TEST(who_finds_no_place_in_the_family_is_told)
{
    static uint32_t others[HKTI_FAMILY_MAX];
    int count = 0, status;
    begin();
    while ((others[count] = hkti_family_reserve(0)) != 0)
        count++;
    CHECK_EQ(count, HKTI_FAMILY_MAX - 1);
    pid_t child = fork();
    if (child == 0)
        _exit(take_without_a_place());
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    for (int i = 0; i < count; i++)
        hkti_family_bury(others[i]);
    end();
}
