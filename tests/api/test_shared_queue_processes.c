/* SPDX-License-Identifier: MIT */
/* A hkt_shared_queue between processes: many that put and get, of all sizes, and some that are
 * killed in the middle. */
#include <hocket/shared_queue.h>
#include <stdlib.h>

#include "shared_tests.h"

enum { LONGEST = 300000, SIDE = 8 };

/* A message: who put it, which of his it is, and bytes that follow from both. */
struct message {
    uint32_t producer, number;
    unsigned char bytes[];
};

struct play {
    hkt_shared_queue *queue;
    uint64_t seed;
    uint32_t each;    /* messages of a producer; */
    uint32_t longest; /* bytes of one at the most */
    atomic_uint put[SIDE], got[SIDE];
    atomic_uint ready;
    atomic_uchar arrived[]; /* each * SIDE */
};

static struct play *play_new(uint32_t each, uint32_t longest, size_t maxsize)
{
    struct play *play = shared_new(sizeof *play + (size_t)each * SIDE);
    hkt_shared_queue_options options = { .maxsize = maxsize };
    play->seed = test_seed();
    play->each = each;
    play->longest = longest;
    CHECK_EQ(hkt_shared_queue_create(&play->queue, &options), 0);
    return play;
}

static void play_end(struct play *play)
{
    hkt_shared_queue_destroy(play->queue);
    shared_end(play);
}

static unsigned char byte_of(const struct message *message, size_t i)
{
    return (unsigned char)(message->producer * 37 + message->number * 11 + i + i / 250);
}

/* Exit codes of processes whose checks fail: the harness ends them. */
static int produces(void *arg)
{
    struct member *member = arg;
    struct play *play = member->shared;
    struct test_random random = { play->seed + (uint64_t)member->number * 7919 };
    struct message *message = malloc(sizeof *message + LONGEST);
    CHECK(message);
    message->producer = (uint32_t)member->number;
    atomic_fetch_add(&play->ready, 1);
    for (message->number = 0; message->number < play->each; message->number++) {
        size_t size = random_below(&random, random_below(&random, 4) ? 300 : play->longest + 1);
        for (size_t i = 0; i < size; i++)
            message->bytes[i] = byte_of(message, i);
        CHECK_EQ(hkt_shared_queue_put(play->queue, message, sizeof *message + size), 0);
        atomic_fetch_add(&play->put[member->number], 1);
    }
    free(message);
    return 0;
}

static void note(struct play *play, uint32_t last[], const struct message *message, size_t size)
{
    CHECK(size >= sizeof *message && message->producer < SIDE && message->number < play->each);
    for (size_t i = 0; i < size - sizeof *message; i++)
        if (message->bytes[i] != byte_of(message, i))
            CHECK_EQ(message->bytes[i], byte_of(message, i));
    CHECK(message->number >= last[message->producer]);
    last[message->producer] = message->number + 1;
    CHECK_EQ(atomic_fetch_add(&play->arrived[message->producer * play->each + message->number], 1),
             0);
    atomic_fetch_add(&play->got[message->producer], 1);
    CHECK_EQ(hkt_shared_queue_task_done(play->queue), 0);
}

/* Gets some, and takes others, until the queue is shut down. */
static int consumes(void *arg)
{
    struct member *member = arg;
    struct play *play = member->shared;
    uint32_t last[SIDE] = { 0 };
    struct message *message = malloc(sizeof *message + LONGEST);
    CHECK(message);
    atomic_fetch_add(&play->ready, 1);
    for (int turn = 0;; turn++) {
        struct message *taken = NULL;
        size_t size = 0;
        int err = turn % 3 == 0
                      ? hkt_shared_queue_take(play->queue, (void **)&taken, &size)
                      : hkt_shared_queue_get(play->queue, message, sizeof *message + LONGEST);
        if (err == -ESHUTDOWN)
            break;
        CHECK(err >= 0);
        note(play, last, taken ? taken : message, taken ? size : (size_t)err);
        hkt_shared_free(taken);
    }
    free(message);
    return 0;
}

TEST_TIMEOUT(eight_put_and_eight_get_messages_of_all_sizes, 120)
{
    struct play *play = play_new((uint32_t)test_scaled(300), LONGEST, 16);
    hkt_process *producers[SIDE], *consumers[SIDE];
    for (int i = 0; i < SIDE; i++) {
        producers[i] = member_start(produces, play, i);
        consumers[i] = member_start(consumes, play, i);
    }
    for (int i = 0; i < SIDE; i++)
        CHECK_EQ(member_end(producers[i]), 0);
    CHECK_EQ(hkt_shared_queue_join(play->queue), 0);
    hkt_shared_queue_shutdown(play->queue, false);
    for (int i = 0; i < SIDE; i++)
        CHECK_EQ(member_end(consumers[i]), 0);
    for (uint32_t i = 0; i < SIDE * play->each; i++)
        CHECK_EQ(play->arrived[i], 1);
    size_t used = hkt_shared_used();
    hkt_shared_queue_destroy(play->queue);
    CHECK(hkt_shared_used() < used);
    shared_end(play);
}

TEST(a_child_gets_what_its_parent_puts)
{
    struct play *play = play_new(100, 0, 1);
    hkt_process *consumer = member_start(consumes, play, 0);
    struct member self = { play, 0 };
    CHECK_EQ(produces(&self), 0);
    CHECK_EQ(hkt_shared_queue_join(play->queue), 0);
    hkt_shared_queue_shutdown(play->queue, true);
    CHECK_EQ(member_end(consumer), 0);
    CHECK_EQ(play->got[0], 100);
    play_end(play);
}
