/* SPDX-License-Identifier: MIT */
/* How the giant lock goes round: at checkpoints, after an interval, in the order of asking; and
 * what is said about a holder that never gives way. */
#include <hocket/error.h>
#include <hocket/event.h>
#include <hocket/giant_lock.h>
#include <stdio.h>

#include "caller.h"
#include "test.h"

#define PLAYERS 4
#define TURNS 48

/* Threads that compute under the giant lock, with a checkpoint now and then. Plain: the lock
 * guards it. */
struct game {
    hkt_giant_lock lock;
    double interval;
    double begin; /* before the first turn */
    int last;     /* who played last */
    int turns;
    int log[TURNS];
    double begun[TURNS]; /* when its player noticed */
};

struct player {
    struct game *game;
    int number;
};

static void game_init(struct game *game, double interval)
{
    *game = (struct game){ .interval = interval, .last = -1 };
    CHECK_EQ(hkt_giant_lock_set_interval(&game->lock, interval), 0);
}

static int play(void *arg)
{
    struct player *player = arg;
    struct game *game = player->game;
    hkt_giant_lock_acquire(&game->lock);
    while (game->turns < TURNS) {
        if (game->last != player->number) {
            game->last = player->number;
            game->begun[game->turns] = hkt_monotonic();
            game->log[game->turns++] = player->number;
        }
        CHECK(hkt_giant_lock_held(&game->lock));
        hkt_giant_lock_checkpoint(&game->lock);
    }
    hkt_giant_lock_release(&game->lock);
    return 0;
}

/* All play; the lock is held until all of them have asked, so the order is that of their numbers.
 */
static void let_play(struct game *game)
{
    struct player players[PLAYERS];
    struct caller callers[PLAYERS];
    hkt_giant_lock_acquire(&game->lock);
    for (int i = 0; i < PLAYERS; i++) {
        players[i] = (struct player){ game, i };
        caller_start_waiting(&callers[i], play, &players[i], &game->lock);
    }
    game->begin = hkt_monotonic();
    hkt_giant_lock_release(&game->lock);
    for (int i = 0; i < PLAYERS; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
}

TEST(turns_go_round_in_the_order_of_asking)
{
    struct game game;
    game_init(&game, 0.0005);
    let_play(&game);
    for (int i = 0; i < TURNS; i++)
        CHECK_EQ(game.log[i], i % PLAYERS);
}

/* A turn lasts an interval, so each runs again within as many intervals as there are threads; how
 * much more depends on how busy this machine is. */
TEST(each_runs_again_within_as_many_intervals_as_there_are_threads)
{
    struct game game;
    game_init(&game, 0.002);
    let_play(&game);
    for (int i = 0; i < TURNS; i++)
        CHECK(game.begun[i] - game.begin >= i * game.interval * 0.999);
    for (int i = PLAYERS; i < TURNS; i++)
        CHECK(game.begun[i] - game.begun[i - PLAYERS] < PLAYERS * game.interval + 5);
}

struct guest {
    hkt_giant_lock lock;
    bool been; /* under the lock */
    double got;
};

static int be_there(void *arg)
{
    struct guest *guest = arg;
    hkt_giant_lock_acquire(&guest->lock);
    guest->got = hkt_monotonic();
    guest->been = true;
    hkt_giant_lock_release(&guest->lock);
    return 0;
}

TEST(a_checkpoint_keeps_it_before_the_interval_is_over)
{
    struct guest guest = { .been = false };
    struct caller waiter;
    CHECK_EQ(hkt_giant_lock_set_interval(&guest.lock, 1000), 0);
    hkt_giant_lock_acquire(&guest.lock);
    caller_start_waiting(&waiter, be_there, &guest, &guest.lock);
    for (int i = 0; i < 1000; i++)
        hkt_giant_lock_checkpoint(&guest.lock);
    CHECK(!guest.been);
    CHECK(waits_for(waiter.thread, &guest.lock));
    hkt_giant_lock_release(&guest.lock);
    CHECK_EQ(caller_end(&waiter), 0);
}

TEST(a_checkpoint_hands_it_over_when_the_interval_is_over)
{
    struct guest guest = { .been = false };
    struct caller waiter;
    CHECK_EQ(hkt_giant_lock_set_interval(&guest.lock, 0.01), 0);
    hkt_giant_lock_acquire(&guest.lock);
    caller_start_waiting(&waiter, be_there, &guest, &guest.lock);
    double asked = waits_since(waiter.thread);
    while (!guest.been)
        hkt_giant_lock_checkpoint(&guest.lock);
    CHECK(guest.got - asked >= 0.01 * 0.999);
    CHECK(hkt_giant_lock_held(&guest.lock));
    hkt_giant_lock_release(&guest.lock);
    CHECK_EQ(caller_end(&waiter), 0);
}

TEST(a_checkpoint_keeps_the_levels)
{
    struct guest guest = { .been = false };
    struct caller waiter;
    CHECK_EQ(hkt_giant_lock_set_interval(&guest.lock, 0.001), 0);
    for (int level = 0; level < 3; level++)
        hkt_giant_lock_acquire(&guest.lock);
    caller_start_waiting(&waiter, be_there, &guest, &guest.lock);
    while (!guest.been)
        hkt_giant_lock_checkpoint(&guest.lock);
    for (int level = 0; level < 3; level++) {
        CHECK(hkt_giant_lock_held(&guest.lock));
        hkt_giant_lock_release(&guest.lock);
    }
    CHECK(!hkt_giant_lock_held(&guest.lock));
    CHECK_EQ(caller_end(&waiter), 0);
}

static int checkpoint(void *lock)
{
    hkt_giant_lock_acquire(lock);
    for (int i = 0; i < 1000; i++)
        hkt_giant_lock_checkpoint(lock);
    CHECK(hkt_giant_lock_held(lock));
    hkt_giant_lock_release(lock);
    return 0;
}

TEST(a_checkpoint_with_nobody_waiting_is_nothing)
{
    hkt_giant_lock lock = { 0 };
    CHECK_EQ(checkpoint(&lock), 0);
    CHECK_EQ(call_cancelled(checkpoint, &lock), 0);
}

/* What was sent to the report sink. */
struct report {
    atomic_int lines;
    char line[300]; /* the first one */
};

static void keep_line(void *context, const char *line)
{
    struct report *report = context;
    if (atomic_load(&report->lines) == 0)
        snprintf(report->line, sizeof report->line, "%s", line);
    atomic_fetch_add(&report->lines, 1);
}

TEST(a_holder_that_never_gives_way_is_reported_once)
{
    static struct report report;
    struct guest guest = { .been = false };
    struct caller waiters[3];
    char holder[32];
    hkt_set_report_sink(keep_line, &report);
    CHECK_EQ(hkt_giant_lock_set_interval(&guest.lock, 0.001), 0);
    hkt_giant_lock_acquire(&guest.lock);
    double begin = hkt_monotonic();
    for (int i = 0; i < 3; i++)
        caller_start_waiting(&waiters[i], be_there, &guest, &guest.lock);
    AWAIT(atomic_load(&report.lines) > 0);
    CHECK(hkt_monotonic() - begin >= 0.001 * HKT_GIANT_LOCK_REPORT_INTERVALS);
    await_time(hkt_monotonic() + 3 * 0.001 * HKT_GIANT_LOCK_REPORT_INTERVALS);
    hkt_giant_lock_release(&guest.lock);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&waiters[i]), 0);
    CHECK_EQ(atomic_load(&report.lines), 1);
    snprintf(holder, sizeof holder, "thread %d has", hkt_native_id());
    CHECK(strstr(report.line, "giant lock 0x"));
    CHECK(strstr(report.line, holder));
    CHECK(strstr(report.line, "not given way"));
    hkt_set_report_sink(NULL, NULL);
}

/* The second time is another one. */
TEST(a_holder_that_does_it_again_is_reported_again)
{
    static struct report report;
    struct guest guest = { .been = false };
    struct caller waiter;
    hkt_set_report_sink(keep_line, &report);
    CHECK_EQ(hkt_giant_lock_set_interval(&guest.lock, 0.0002), 0);
    for (int lines = 0; lines < 3; lines++) {
        hkt_giant_lock_acquire(&guest.lock);
        caller_start_waiting(&waiter, be_there, &guest, &guest.lock);
        AWAIT(atomic_load(&report.lines) > lines);
        hkt_giant_lock_release(&guest.lock);
        CHECK_EQ(caller_end(&waiter), 0);
    }
    CHECK_EQ(atomic_load(&report.lines), 3);
    hkt_set_report_sink(NULL, NULL);
}

/* Who gives way in time is not reported. In time means 4 s here, even on a busy machine. */
TEST(a_holder_that_gives_way_is_not_reported)
{
    static struct report report;
    struct guest guest = { .been = false };
    struct caller waiter;
    hkt_set_report_sink(keep_line, &report);
    CHECK_EQ(hkt_giant_lock_set_interval(&guest.lock, 0.02), 0);
    hkt_giant_lock_acquire(&guest.lock);
    for (int i = 0; i < 5; i++) {
        caller_start_waiting(&waiter, be_there, &guest, &guest.lock);
        for (guest.been = false; !guest.been;)
            hkt_giant_lock_checkpoint(&guest.lock);
        CHECK_EQ(caller_end(&waiter), 0);
    }
    hkt_giant_lock_release(&guest.lock);
    CHECK_EQ(atomic_load(&report.lines), 0);
    hkt_set_report_sink(NULL, NULL);
}
