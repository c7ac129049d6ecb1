/* SPDX-License-Identifier: MIT */
/* Bad days: one processor. Nothing may wait for another to run by running itself; all of this
 * takes a second or two at the most, where spinning would take minutes. */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#include "waits.h"

#define BOUND 15.0 /* seconds, for a loaded machine and sanitizers */

static void use_one_cpu(void)
{
    cpu_set_t all, one;
    CHECK_EQ(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
}

struct game {
    long rounds;
    hkt_event ping, pong;
    hkt_lock lock;
    hkt_rlock rlock;
    hkt_rwlock rwlock;
    hkt_condition condition;
    hkt_semaphore there, back;
    hkt_barrier barrier;
    hkt_giant_lock giant;
    hkt_queue *queue, *replies;
    long counter, sum;
    int turn;
};

/* Two or more players on one processor; each checks itself. */
static void play(int (*player)(void *), struct game *game, int players)
{
    hkt_thread *threads[8];
    double before = hkt_monotonic();
    for (int i = 0; i < players; i++)
        threads[i] = must_spawn(player, game, NULL);
    for (int i = 0; i < players; i++)
        must_join(threads[i]);
    CHECK(hkt_monotonic() - before < BOUND);
}

static int answer_events(void *arg)
{
    struct game *game = arg;
    for (long i = 0; i < game->rounds; i++) {
        CHECK_EQ(hkt_event_wait(&game->ping), 0);
        hkt_event_clear(&game->ping);
        hkt_event_set(&game->pong);
    }
    return 0;
}

TEST_TIMEOUT(ping_pong_by_events, 60)
{
    struct game game = { .rounds = test_scaled(5000) };
    use_one_cpu();
    double before = hkt_monotonic();
    hkt_thread *thread = must_spawn(answer_events, &game, NULL);
    for (long i = 0; i < game.rounds; i++) {
        hkt_event_set(&game.ping);
        CHECK_EQ(hkt_event_wait(&game.pong), 0);
        hkt_event_clear(&game.pong);
    }
    must_join(thread);
    CHECK(hkt_monotonic() - before < BOUND);
}

static int answer_semaphores(void *arg)
{
    struct game *game = arg;
    for (long i = 0; i < game->rounds; i++) {
        CHECK_EQ(hkt_semaphore_acquire(&game->there), 0);
        CHECK_EQ(hkt_semaphore_release(&game->back, 1), 0);
    }
    return 0;
}

TEST_TIMEOUT(ping_pong_by_semaphores, 60)
{
    struct game game = { .rounds = test_scaled(5000) };
    use_one_cpu();
    CHECK_EQ(hkt_semaphore_init(&game.there, 0), 0);
    CHECK_EQ(hkt_semaphore_init(&game.back, 0), 0);
    double before = hkt_monotonic();
    hkt_thread *thread = must_spawn(answer_semaphores, &game, NULL);
    for (long i = 0; i < game.rounds; i++) {
        CHECK_EQ(hkt_semaphore_release(&game.there, 1), 0);
        CHECK_EQ(hkt_semaphore_acquire(&game.back), 0);
    }
    must_join(thread);
    CHECK(hkt_monotonic() - before < BOUND);
}

static int lock_often(void *arg)
{
    struct game *game = arg;
    for (long i = 0; i < game->rounds; i++) {
        hkt_lock_acquire(&game->lock);
        game->counter++;
        if (i % 100 == 0)
            sched_yield(); /* with the lock held: the others pile up */
        hkt_lock_release(&game->lock);
    }
    return 0;
}

TEST_TIMEOUT(a_contended_lock, 60)
{
    struct game game = { .rounds = test_scaled(20000) };
    use_one_cpu();
    play(lock_often, &game, 4);
    CHECK_EQ(game.counter, 4 * game.rounds);
}

static int rlock_often(void *arg)
{
    struct game *game = arg;
    for (long i = 0; i < game->rounds; i++) {
        hkt_rlock_acquire(&game->rlock);
        hkt_rlock_acquire(&game->rlock);
        game->counter++;
        if (i % 100 == 0)
            sched_yield();
        hkt_rlock_release(&game->rlock);
        hkt_rlock_release(&game->rlock);
    }
    return 0;
}

TEST_TIMEOUT(a_contended_rlock, 60)
{
    struct game game = { .rounds = test_scaled(10000) };
    use_one_cpu();
    play(rlock_often, &game, 4);
    CHECK_EQ(game.counter, 4 * game.rounds);
}

static int read_and_write(void *arg)
{
    struct game *game = arg;
    for (long i = 0; i < game->rounds; i++) {
        if (i % 4 == 0) {
            hkt_rwlock_acquire_write(&game->rwlock);
            game->counter++;
            game->sum++;
            hkt_rwlock_release_write(&game->rwlock);
        } else {
            hkt_rwlock_acquire_read(&game->rwlock);
            CHECK_EQ(game->counter, game->sum);
            if (i % 100 == 1)
                sched_yield();
            hkt_rwlock_release_read(&game->rwlock);
        }
    }
    return 0;
}

TEST_TIMEOUT(readers_and_writers, 60)
{
    struct game game = { .rounds = test_scaled(4000) };
    use_one_cpu();
    play(read_and_write, &game, 4);
    CHECK_EQ(game.counter, 4 * ((game.rounds + 3) / 4));
}

static int take_turns(void *arg)
{
    struct game *game = arg;
    hkt_lock_acquire(&game->lock);
    int me = game->turn++ % 3; /* 0, 1, 2 in the order of coming */
    for (long i = 0; i < game->rounds; i++) {
        while (game->counter % 3 != me)
            CHECK_EQ(hkt_condition_wait(&game->condition, &game->lock), 0);
        game->counter++;
        hkt_condition_notify_all(&game->condition);
    }
    hkt_lock_release(&game->lock);
    return 0;
}

TEST_TIMEOUT(turns_by_a_condition, 60)
{
    struct game game = { .rounds = test_scaled(2000) };
    use_one_cpu();
    play(take_turns, &game, 3);
    CHECK_EQ(game.counter, 3 * game.rounds);
}

static int meet_often(void *arg)
{
    struct game *game = arg;
    for (long i = 0; i < game->rounds; i++)
        CHECK(hkt_barrier_wait(&game->barrier) >= 0);
    return 0;
}

TEST_TIMEOUT(meetings_at_a_barrier, 60)
{
    struct game game = { .rounds = test_scaled(2000) };
    use_one_cpu();
    CHECK_EQ(hkt_barrier_init(&game.barrier, 4, NULL), 0);
    play(meet_often, &game, 4);
}

static int reply(void *arg)
{
    struct game *game = arg;
    long item;
    int err;
    while ((err = hkt_queue_get(game->queue, &item)) == 0)
        CHECK_EQ(hkt_queue_put(game->replies, &item), 0);
    return err == -ESHUTDOWN ? 0 : err;
}

TEST_TIMEOUT(queues_there_and_back, 60)
{
    struct game game = { .rounds = test_scaled(20000) };
    hkt_queue_options small = { .maxsize = 8 };
    hkt_thread *threads[2];
    long item, sum = 0, sent = 0;
    use_one_cpu();
    CHECK_EQ(hkt_queue_create(&game.queue, sizeof(long), &small), 0);
    CHECK_EQ(hkt_queue_create(&game.replies, sizeof(long), &small), 0);
    double before = hkt_monotonic();
    for (int i = 0; i < 2; i++)
        threads[i] = must_spawn(reply, &game, NULL);
    for (long got = 0; got < game.rounds; got++) {
        while (sent < game.rounds && sent - got < 8) {
            sent++;
            CHECK_EQ(hkt_queue_put(game.queue, &sent), 0);
        }
        CHECK_EQ(hkt_queue_get(game.replies, &item), 0);
        sum += item;
    }
    CHECK_EQ(sum, game.rounds * (game.rounds + 1) / 2);
    hkt_queue_shutdown(game.queue, false);
    for (int i = 0; i < 2; i++)
        must_join(threads[i]);
    CHECK(hkt_monotonic() - before < BOUND);
    hkt_queue_destroy(game.queue);
    hkt_queue_destroy(game.replies);
}

static int compute_under_giant_lock(void *arg)
{
    struct game *game = arg;
    hkt_giant_lock_acquire(&game->giant);
    for (long i = 0; i < game->rounds; i++) {
        game->counter++;
        hkt_giant_lock_checkpoint(&game->giant);
        if (i % 1000 == 0)
            CHECK_EQ(hkt_sleep(0), 0);
    }
    hkt_giant_lock_release(&game->giant);
    return 0;
}

TEST_TIMEOUT(turns_under_a_giant_lock, 60)
{
    struct game game = { .rounds = test_scaled(200000) };
    use_one_cpu();
    CHECK_EQ(hkt_giant_lock_set_interval(&game.giant, 0.0001), 0);
    play(compute_under_giant_lock, &game, 4);
    CHECK_EQ(game.counter, 4 * game.rounds);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

TEST_TIMEOUT(threads_come_and_go, 60)
{
    use_one_cpu();
    double before = hkt_monotonic();
    for (long i = 0; i < test_scaled(2000); i++)
        must_join(must_spawn(nothing, NULL, NULL));
    CHECK(hkt_monotonic() - before < BOUND);
}

TEST_TIMEOUT(cancels_of_each_wait, 60)
{
    struct place place;
    use_one_cpu();
    double before = hkt_monotonic();
    place_open(&place);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < wait_kind_count; i++) {
            struct waiter waiter = { .place = &place, .kind = &wait_kinds[i] };
            waiter_start(&waiter);
            hkt_scope_cancel(&waiter.scope);
            waiter_join(&waiter);
            CHECK_EQ(waiter.result, -ECANCELED);
            hkt_barrier_reset(&place.barrier);
        }
    }
    place_close(&place);
    CHECK(hkt_monotonic() - before < BOUND);
}

static atomic_bool over;

static int hog(void *arg)
{
    (void)arg;
    while (!over)
        ;
    return 0;
}

/* Another thread that never stops computing takes its share, no more. */
TEST_TIMEOUT(ping_pong_beside_one_that_computes, 60)
{
    struct game game = { .rounds = test_scaled(200) };
    use_one_cpu();
    hkt_thread *other = must_spawn(hog, NULL, NULL);
    hkt_thread *thread = must_spawn(answer_events, &game, NULL);
    double before = hkt_monotonic();
    for (long i = 0; i < game.rounds; i++) {
        hkt_event_set(&game.ping);
        CHECK_EQ(hkt_event_wait(&game.pong), 0);
        hkt_event_clear(&game.pong);
    }
    CHECK(hkt_monotonic() - before < BOUND);
    over = true;
    must_join(thread);
    must_join(other);
}
