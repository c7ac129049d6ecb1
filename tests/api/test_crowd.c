/* SPDX-License-Identifier: MIT */
/* Bad days: ten thousand threads, one after another and all at once. In a child, since the C
 * library keeps some of their stacks, which the harness would take for a leak. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "waits.h"

#define CROWD 10000
#define REFUSED 78 /* exit code: the system gives fewer */

static void in_a_child(void (*body)(void))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        body();
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) == REFUSED)
        TEST_SKIP("the system gives no so many threads");
    CHECK_EQ(WEXITSTATUS(status), 0);
}

static hkt_thread_options small(void)
{
    size_t kib = SANITIZED ? 256 : 64; /* sanitizers need more */
    return (hkt_thread_options){ .stack_size = kib * 1024 };
}

static int count_up(void *arg)
{
    ++*(atomic_long *)arg;
    return 0;
}

static void one_after_another(void)
{
    static atomic_long count;
    long crowd = test_scaled(CROWD);
    hkt_thread_options options = small();
    for (long i = 0; i < crowd; i++)
        must_join(must_spawn(count_up, &count, &options));
    CHECK_EQ(count, crowd);
    CHECK_EQ(hkt_thread_active_count(), 1);
    CHECK_EQ(hkt_allocation_count(), 0);
}

TEST_TIMEOUT(ten_thousand_threads_one_after_another, 120)
{
    in_a_child(one_after_another);
}

static void without_handles(void)
{
    static atomic_long count;
    long crowd = test_scaled(CROWD);
    hkt_thread_options options = small();
    for (long i = 0; i < crowd; i++) {
        CHECK_EQ(hkt_thread_spawn(NULL, count_up, &count, &options), 0);
        if (i % 100 == 99)
            CHECK_EQ(hkt_join_all(), 0);
    }
    CHECK_EQ(hkt_join_all(), 0);
    CHECK_EQ(count, crowd);
    CHECK_EQ(hkt_thread_active_count(), 1);
    CHECK_EQ(hkt_allocation_count(), 0);
}

TEST_TIMEOUT(ten_thousand_threads_that_nobody_holds, 120)
{
    in_a_child(without_handles);
}

struct crowd {
    hkt_event gun;
    atomic_long count;
    hkt_thread *threads[CROWD];
    hkt_thread_info infos[CROWD + 1];
};

static int wait_for_gun(void *arg)
{
    struct crowd *crowd = arg;
    int err = hkt_event_wait(&crowd->gun);
    crowd->count++;
    return err;
}

/* How many of all wait; the first is main. */
static size_t waiting(struct crowd *crowd, size_t all)
{
    size_t count = 0;
    CHECK_EQ(hkt_thread_enumerate(crowd->infos, CROWD + 1), all + 1);
    for (size_t i = 0; i <= all; i++)
        count += crowd->infos[i].state == HKT_THREAD_BLOCKED;
    return count;
}

static void all_at_once(void)
{
    static struct crowd crowd;
    size_t wanted = (size_t)test_scaled(CROWD), all = 0;
    hkt_thread_options options = small();
    int err = 0;
    if (wanted > CROWD)
        wanted = CROWD;
    while (all < wanted && err == 0) {
        err = hkt_thread_spawn(&crowd.threads[all], wait_for_gun, &crowd, &options);
        all += err == 0;
    }
    CHECK(err == 0 || err == -EAGAIN || err == -ENOMEM);
    AWAIT(waiting(&crowd, all) == all);
    CHECK_EQ(crowd.count, 0);
    hkt_event_set(&crowd.gun);
    for (size_t i = 0; i < all; i++)
        must_join(crowd.threads[i]);
    CHECK_EQ(crowd.count, all);
    CHECK_EQ(hkt_thread_active_count(), 1);
    CHECK_EQ(hkt_allocation_count(), 0);
    if (err < 0)
        _exit(REFUSED);
}

TEST_TIMEOUT(ten_thousand_threads_wait_for_one_event, 120)
{
    in_a_child(all_at_once);
}

static int take_a_turn(void *arg)
{
    struct crowd *crowd = arg;
    static hkt_lock lock;
    static long turns;
    CHECK_EQ(hkt_event_wait(&crowd->gun), 0);
    hkt_lock_acquire(&lock);
    turns++;
    crowd->count = turns;
    hkt_lock_release(&lock);
    return 0;
}

static void all_for_a_lock(void)
{
    static struct crowd crowd;
    long all = test_scaled(CROWD / 10);
    hkt_thread_options options = small();
    for (long i = 0; i < all; i++)
        CHECK_EQ(hkt_thread_spawn(NULL, take_a_turn, &crowd, &options), 0);
    hkt_event_set(&crowd.gun);
    CHECK_EQ(hkt_join_all(), 0);
    CHECK_EQ(crowd.count, all);
}

TEST_TIMEOUT(a_thousand_threads_run_for_one_lock, 120)
{
    in_a_child(all_for_a_lock);
}
