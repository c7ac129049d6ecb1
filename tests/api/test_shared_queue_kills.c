/* SPDX-License-Identifier: MIT */
/* Processes that put into a hkt_shared_queue and get from it are killed, at any moment. What they had in
 * their hands is lost, and nothing else; the others go on, and so does a join. */
#include <hocket/shared_queue.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared_tests.h"

/* The first two live; the others are killed. */
enum { LONGEST = 100000, KILLS = 300, PRODUCERS = KILLS + 2, NUMBERS = 8192 };

struct message {
    uint32_t producer, number;
    unsigned char bytes[LONGEST];
};

struct play {
    hkt_shared_queue *queue;
    uint64_t seed;
    atomic_uint ready, got;
    atomic_bool closing;
    atomic_uint put[PRODUCERS];
    atomic_uchar arrived[PRODUCERS][NUMBERS];
};

static struct play *play_new(size_t maxsize)
{
    struct play *play = shared_new(sizeof *play);
    hkt_shared_queue_options options = { .maxsize = maxsize };
    play->seed = test_seed();
    CHECK_EQ(hkt_shared_queue_create(&play->queue, &options), 0);
    return play;
}

static size_t size_of(struct test_random *random)
{
    size_t most = random_below(random, 4) ? 200 : LONGEST;
    return offsetof(struct message, bytes) + random_below(random, most);
}

/* Puts until the play is closing. */
static int produces(void *arg)
{
    struct member *member = arg;
    struct play *play = member->shared;
    struct test_random random = { play->seed + (uint64_t)member->number * 7919 };
    struct message *message = malloc(sizeof *message);
    CHECK(message);
    memset(message, member->number, sizeof *message);
    message->producer = (uint32_t)member->number;
    message->number = 0;
    atomic_fetch_add(&play->ready, 1);
    while (!play->closing && message->number < NUMBERS) {
        size_t size = size_of(&random);
        CHECK_EQ(hkt_shared_queue_put(play->queue, message, size), 0);
        message->number++;
        atomic_store(&play->put[member->number], message->number);
    }
    free(message);
    return 0;
}

/* Gets until the queue is shut down. */
static int consumes(void *arg)
{
    struct member *member = arg;
    struct play *play = member->shared;
    static uint32_t last[PRODUCERS];
    struct message *message = malloc(sizeof *message);
    CHECK(message);
    atomic_fetch_add(&play->ready, 1);
    for (;;) {
        int size = hkt_shared_queue_get(play->queue, message, sizeof *message);
        if (size == -ESHUTDOWN)
            break;
        CHECK(size >= (int)offsetof(struct message, bytes) && message->producer < PRODUCERS);
        for (size_t i = 0; i < (size_t)size - offsetof(struct message, bytes); i++)
            CHECK(message->bytes[i] == (unsigned char)message->producer);
        CHECK(message->number >= last[message->producer] && message->number < NUMBERS);
        last[message->producer] = message->number + 1;
        CHECK_EQ(atomic_fetch_add(&play->arrived[message->producer][message->number], 1), 0);
        CHECK_EQ(hkt_shared_queue_task_done(play->queue), 0);
        atomic_fetch_add(&play->got, 1);
    }
    free(message);
    return 0;
}

/* Starts some that put and get, and kills each in the middle; how many of them were consumers. */
static long kill_some(struct play *play, long kills)
{
    struct test_random random = random_of(5);
    long consumers = 0;
    for (int i = 0; i < kills; i++) {
        bool consumer = random_below(&random, 2) == 0;
        unsigned ready = play->ready;
        hkt_process *victim = member_start(consumer ? consumes : produces, play, i + 2);
        AWAIT(play->ready > ready);
        rest(&random, 0.002);
        member_kill(victim);
        consumers += consumer;
    }
    return consumers;
}

/* Some kills leave memory behind, by which hkt_finalize is refused: so all is done by a process that
 * ends then. */
static void apart(void (*body)(void))
{
    int status;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        body();
        int err = hkt_finalize();
        _exit(err == 0 || err == -EBUSY ? 0 : 1);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

static void kill_many(void)
{
    struct play *play = play_new(5);
    long kills = test_scaled(KILLS);
    kills = kills < KILLS ? kills : KILLS;
    hkt_process *producers[2], *consumers[2];
    for (int i = 0; i < 2; i++) {
        producers[i] = member_start(produces, play, i);
        consumers[i] = member_start(consumes, play, i);
    }
    long killed_consumers = kill_some(play, kills);
    play->closing = true;
    for (int i = 0; i < 2; i++)
        CHECK_EQ(member_end(producers[i]), 0);
    AWAIT(hkt_shared_queue_empty(play->queue)); /* a dead consumer's work may never be done */
    hkt_shared_queue_shutdown(play->queue, false);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(member_end(consumers[i]), 0);
    long lost = 0, more = 0;
    for (int i = 0; i < PRODUCERS; i++) {
        for (uint32_t n = 0; n < NUMBERS; n++) {
            CHECK(play->arrived[i][n] <= 1);
            CHECK(n <= play->put[i] || play->arrived[i][n] == 0);
            lost += n < play->put[i] && play->arrived[i][n] == 0;
            more += n == play->put[i] && play->arrived[i][n] == 1;
        }
        CHECK(i >= 2 || play->put[i] > 0);
    }
    printf("%ld killed, %ld of them consumers: %ld messages lost, %ld put by the dying, of %u\n",
           kills, killed_consumers, lost, more, play->got);
    CHECK(lost <= killed_consumers && more <= kills - killed_consumers);
    hkt_shared_queue_destroy(play->queue);
    hkt_shared_free(play);
    size_t left = hkt_shared_used();
    printf("%zu bytes left behind\n", left);
    CHECK(left <= (size_t)kills * 2 * LONGEST);
}

TEST_TIMEOUT(the_killed_lose_what_they_had_in_their_hands_and_no_more, 180)
{
    apart(kill_many);
}

/* All that are killed were asleep, or had long memory in their hands: a draft is given back. */
static int puts_one_long(void *arg)
{
    struct member *member = arg;
    struct play *play = member->shared;
    static struct message message;
    atomic_fetch_add(&play->ready, 1);
    return hkt_shared_queue_put(play->queue, &message, sizeof message);
}

static int gets_one(void *arg)
{
    struct member *member = arg;
    struct play *play = member->shared;
    static struct message message;
    atomic_fetch_add(&play->ready, 1);
    return hkt_shared_queue_get(play->queue, &message, sizeof message) < 0;
}

TEST_TIMEOUT(who_is_killed_while_he_waits_for_room_leaves_nothing, 60)
{
    struct play *play = play_new(1);
    size_t used = hkt_shared_used();
    int number = 1;
    CHECK_EQ(hkt_shared_queue_put(play->queue, HKT_ITEM(number)), 0);
    for (int i = 0; i < 5; i++) {
        hkt_process *putter = member_start(puts_one_long, play, i);
        AWAIT(hkt_shared_used() >= used + LONGEST);
        member_kill(putter);
    }
    CHECK_EQ(hkt_shared_queue_qsize(play->queue), 1);
    CHECK_EQ(hkt_shared_queue_get(play->queue, HKT_ITEM(number)), sizeof number);
    CHECK_EQ(hkt_shared_queue_next_size(play->queue), -EAGAIN);
    hkt_shared_queue_destroy(play->queue);
    shared_end(play);
}

static void kill_sleepers(void)
{
    struct play *play = play_new(1);
    for (int i = 0; i < 10; i++) {
        unsigned ready = play->ready;
        hkt_process *killed = member_start(gets_one, play, 0);
        hkt_process *lucky = member_start(gets_one, play, 0);
        AWAIT(play->ready == ready + 2);
        struct test_random random = random_of((uint64_t)i);
        rest(&random, 0.001);
        CHECK_EQ(hkt_process_kill(killed), 0);
        CHECK_EQ(puts_one_long(&(struct member){ play, 0 }), 0);
        int code = member_end(killed);
        if (code == 0) /* it was quick enough */
            CHECK_EQ(puts_one_long(&(struct member){ play, 0 }), 0);
        for (; hkt_process_is_alive(lucky); await_moment()) {
            int err = 0;
            if (code != 0 && hkt_shared_queue_empty(play->queue)) /* it died with the first */
                err = hkt_shared_queue_put_nowait(play->queue, NULL, 0);
            CHECK(err == 0 || err == -EAGAIN);
        }
        CHECK_EQ(member_end(lucky), 0);
        while (hkt_shared_queue_next_size(play->queue) >= 0)
            CHECK(gets_one(&(struct member){ play, 0 }) == 0);
    }
    hkt_shared_queue_destroy(play->queue);
    hkt_shared_free(play);
}

TEST_TIMEOUT(who_is_killed_while_he_waits_for_an_item_takes_none, 60)
{
    apart(kill_sleepers);
}
