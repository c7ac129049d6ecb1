/* SPDX-License-Identifier: MIT */
/* Shared locks in the children of a plain fork(), which hocket did not start and nobody of the family
 * waits for: each is a process of the family of its own, and its death is found by who waits for it.
 * Not in a loop, since its child would have none. */
#include <hocket/shared_event.h>
#include <hocket/shared_lock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared_tests.h"

struct pair {
    hkt_shared_lock lock;
    hkt_shared_event held;
    volatile long first, second;
};

/* A child that does this, and exits with what it says. */
static pid_t fork_child(int (*function)(struct pair *), struct pair *pair)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        _exit(function(pair));
    return child;
}

static int reap(pid_t child)
{
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int take_and_exit(struct pair *pair)
{
    return hkt_shared_lock_acquire(&pair->lock) == 0 ? 0 : 1;
}

static int take_and_stay(struct pair *pair)
{
    if (hkt_shared_lock_acquire(&pair->lock) < 0)
        return 1;
    hkt_shared_event_set(&pair->held);
    for (;;)
        pause();
}

static int count_up(struct pair *pair)
{
    for (int turn = 0; turn < 2000; turn++) {
        if (hkt_shared_lock_acquire_until(&pair->lock, hkt_after(20)) < 0)
            return 1;
        pair->first = pair->first + 1;
        pair->second = pair->second + 1;
        hkt_shared_lock_release(&pair->lock);
    }
    return pair->first >= 2000 ? 0 : 2;
}

static void check_told(struct pair *pair)
{
    CHECK_EQ(hkt_shared_lock_acquire_until(&pair->lock, hkt_after(15)), -EOWNERDEAD);
    hkt_shared_lock_consistent(&pair->lock);
    hkt_shared_lock_release(&pair->lock);
    CHECK_EQ(hkt_shared_lock_acquire(&pair->lock), 0);
    hkt_shared_lock_release(&pair->lock);
}

TEST(children_of_fork_exclude_each_other)
{
    enum { CHILDREN = 3 };
    struct pair *pair = shared_new(sizeof *pair);
    pid_t children[CHILDREN];
    for (int i = 0; i < CHILDREN; i++)
        children[i] = fork_child(count_up, pair);
    CHECK_EQ(count_up(pair), 0);
    for (int i = 0; i < CHILDREN; i++)
        CHECK_EQ(reap(children[i]), 0);
    CHECK_EQ(pair->first, (CHILDREN + 1) * 2000);
    CHECK_EQ(pair->second, pair->first);
    shared_end(pair);
}

TEST(one_that_exits_with_the_lock_is_found_dead_by_who_waits)
{
    struct pair *pair = shared_new(sizeof *pair);
    pid_t child = fork_child(take_and_exit, pair);
    while (!hkt_shared_lock_locked(&pair->lock))
        await_moment();
    check_told(pair); /* it may be a zombie still */
    CHECK_EQ(reap(child), 0);
    shared_end(pair);
}

TEST(one_that_is_killed_with_the_lock_is_found_dead_by_who_waits)
{
    struct pair *pair = shared_new(sizeof *pair);
    pid_t child = fork_child(take_and_stay, pair);
    CHECK_EQ(hkt_shared_event_wait_until(&pair->held, hkt_after(15)), 0);
    CHECK_EQ(hkt_shared_lock_holder(&pair->lock), child);
    CHECK_EQ(hkt_shared_lock_acquire_until(&pair->lock, hkt_after(0.12)), -ETIMEDOUT);
    kill(child, SIGKILL);
    check_told(pair);
    CHECK_EQ(reap(child), -SIGKILL);
    shared_end(pair);
}

TEST(what_the_parent_holds_its_child_does_not)
{
    struct pair *pair = shared_new(sizeof *pair);
    CHECK_EQ(hkt_shared_lock_acquire(&pair->lock), 0);
    pid_t child = fork_child(take_and_exit, pair);
    CHECK_EQ(hkt_shared_lock_holder(&pair->lock), getpid());
    hkt_shared_lock_release(&pair->lock);
    CHECK_EQ(reap(child), 0);
    check_told(pair);
    shared_end(pair);
}
