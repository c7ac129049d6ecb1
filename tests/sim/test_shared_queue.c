/* SPDX-License-Identifier: MIT */
/* The queue between processes, under all schedules, and with the death of any process between any
 * two of its steps. A process is a strand here with a token of its own; it dies by leaving its
 * call for good in front of an atomic operation on the queue, and is buried. */
#include <setjmp.h>
#include <unistd.h>

#include "crew.h"
#include "os/os.h"
#include "proc/arena.h"
#include "proc/shared_queue.h"

enum { ACTORS = 4, MESSAGES = 2, WORDS = 6 };

static struct actor {
    uint32_t token;
    void *local;
    long left; /* operations until its death; negative: it lives on */
    bool dead;
    int last[ACTORS];
    struct hkti_queue_call call;
    uint64_t message[WORDS];
    jmp_buf end;
} actors[ACTORS];

static struct hkt_shared_queue *queue;
static struct {
    int put[ACTORS], got[ACTORS]; /* messages, by their producer */
    int lost_putters, lost_getters;
} played;
static size_t message_bytes, used_before;
static long die_at, die_too;

/* The system of the simulation; and the same, but that some do not come to theirs. */
static const struct hkti_seam *stage;
static struct hkti_seam seam;

static bool mortal(enum hkti_atomic_op op, const void *p)
{
    const char *at = p, *from = (const char *)queue;
    bool bell = (at >= (const char *)&queue->not_empty && at < (const char *)&queue->done) ||
                (at >= (const char *)&queue->all_done && at < (const char *)queue->drafts);
    bool ring = p == &queue->not_empty.rung || p == &queue->not_full.rung ||
                (op == HKTI_OP_LOAD &&
                 (p == &queue->not_empty.bell.sleepers || p == &queue->not_full.bell.sleepers));
    return at >= from && at < queue->slots + queue->ring * queue->stride && (!bell || ring);
}

static uint64_t perhaps(enum hkti_atomic_op op, void *p, size_t size, uint64_t a, uint64_t b,
                        int order)
{
    if (queue && mortal(op, p)) {
        void *local = stage->local();
        for (int i = 0; i < ACTORS; i++)
            if (actors[i].local == local && actors[i].left >= 0 && actors[i].left-- == 0)
                longjmp(actors[i].end, 1);
    }
    return stage->atomic(op, p, size, a, b, order);
}

/* All is over for this one. */
static void buried(struct actor *actor)
{
    actor->left = -1;
    actor->dead = true;
    if (actor->call.listening)
        hkti_bell_leave(&actor->call.listener, false);
    hkti_family_bury(actor->token);
}

/* In no schedule: what is not to be proved here would take most of the steps. */
static void backstage(bool behind)
{
    if (behind) {
        hkti_fence_seq_cst();
        stage = hkti_seam;
        hkti_seam = NULL;
    } else
        hkti_seam = stage;
}

/* Processes with tokens; those of an earlier schedule, if they live. */
static bool cast(void)
{
    bool all = true;
    for (int i = 0; i < ACTORS; i++) {
        actors[i] = (struct actor){ .left = -1, .token = actors[i].dead ? 0 : actors[i].token };
        if (actors[i].token == 0)
            actors[i].token = hkti_family_reserve(hkti_family_token());
        all = all && actors[i].token != 0;
        hkti_family_born(actors[i].token, getpid());
    }
    return all;
}

static int begin(size_t maxsize, size_t bytes)
{
    memset(&played, 0, sizeof played);
    message_bytes = bytes;
    backstage(true);
    bool all = cast();
    used_before = hkt_shared_used();
    int err = hkti_queue_make(&queue, maxsize, 16, true);
    backstage(false);
    MUST(all && err == 0);
    seam = *stage;
    seam.atomic = perhaps;
    hkti_seam = &seam;
    return 0;
}

static int sends_some(struct actor *actor)
{
    for (int i = 0; i < MESSAGES; i++) {
        memset(actor->message, i + 1, sizeof actor->message);
        actor->message[0] = (uint64_t)(actor - actors);
        actor->message[1] = (uint64_t)i;
        actor->call = (struct hkti_queue_call){ .queue = queue,
                                                .token = actor->token,
                                                .deed = HKTI_PUT,
                                                .bytes = actor->message,
                                                .size = message_bytes };
        int err = hkti_queue_put(&actor->call, true, 0);
        MUST(err == 0 || err == -ESHUTDOWN);
        if (err < 0)
            break;
        played.put[actor - actors]++;
    }
    return 0;
}

static int puts_one(struct actor *actor)
{
    actor->message[0] = (uint64_t)(actor - actors);
    actor->message[1] = 0;
    actor->call = (struct hkti_queue_call){ .queue = queue,
                                            .token = actor->token,
                                            .deed = HKTI_PUT,
                                            .bytes = actor->message,
                                            .size = message_bytes };
    int err = hkti_queue_put(&actor->call, false, 0);
    played.put[actor - actors] += err == 0;
    return err;
}

static int note(struct actor *actor, const uint64_t *message, size_t size)
{
    MUST(size == message_bytes && message[0] < ACTORS && message[1] < MESSAGES);
    int producer = (int)message[0], number = (int)message[1];
    MUST(number >= actor->last[producer]);
    for (size_t i = 2; i < size / sizeof *message; i++)
        MUST(message[i] == UINT64_C(0x0101010101010101) * (uint64_t)(number + 1));
    actor->last[producer] = number + 1;
    played.got[producer]++;
    return hkt_shared_queue_task_done(queue);
}

static int gets_until_closed(struct actor *actor, bool take)
{
    for (;;) {
        actor->call = (struct hkti_queue_call){ .queue = queue,
                                                .token = actor->token,
                                                .deed = take ? HKTI_TAKE : HKTI_GET,
                                                .into = actor->message,
                                                .room = sizeof actor->message };
        int err = hkti_queue_wait(&actor->call, 0, true);
        actor->left = err < 0 ? -1 : actor->left;
        if (err < 0)
            hkti_shared_release(actor->call.memory);
        if (err == -ESHUTDOWN)
            return 0;
        MUST(err == 0);
        long left = actor->left;
        actor->left = -1; /* task_done is no part of the call */
        err = note(actor, take ? actor->call.memory : actor->message, actor->call.size);
        hkti_shared_release(actor->call.memory);
        actor->left = left;
        MUST(err == 0);
    }
}

static int gets_some(struct actor *actor)
{
    return gets_until_closed(actor, false);
}

static int takes_some(struct actor *actor)
{
    return gets_until_closed(actor, true);
}

/* Plays a part to its end, or until the actor dies. */
static int play_part(void *arg, int (*part)(struct actor *), int *lost)
{
    struct actor *actor = &actors[(intptr_t)arg];
    int err = 0;
    actor->local = hkti_os_local();
    if (setjmp(actor->end) == 0) {
        err = part(actor);
    } else {
        buried(actor);
        ++*lost;
    }
    actor->local = NULL; /* the next strand may have the same */
    return err;
}

static int sends(void *arg)
{
    return play_part(arg, sends_some, &played.lost_putters);
}

static int gets(void *arg)
{
    return play_part(arg, gets_some, &played.lost_getters);
}

static int takes(void *arg)
{
    return play_part(arg, takes_some, &played.lost_getters);
}

/* If memory is left over, it is what a dead one just had in his hands, in no slot and no draft. */
static void leaves_behind(const struct actor *actor)
{
    if (actor->dead && actor->call.deed != HKTI_PUT)
        hkti_shared_release(actor->call.unused);
    if (actor->dead && actor->call.deed != HKTI_GET && hkt_shared_used() > used_before)
        hkti_shared_release(actor->call.memory);
}

/* Nothing is lost or doubled, but what the dead had in their hands. */
static int curtain(int err)
{
    int put = 0, got = 0;
    hkti_seam = stage;
    if (err < 0)
        return err;
    backstage(true);
    hkti_queue_sweep(queue, hkti_family_token());
    int64_t undone = (int64_t)(queue->tail - queue->done);
    size_t left = hkt_shared_queue_qsize(queue);
    hkt_shared_queue_destroy(queue);
    bool more = hkt_shared_used() > used_before;
    for (int i = 0; i < ACTORS && more; i++)
        leaves_behind(&actors[i]);
    size_t used = hkt_shared_used();
    backstage(false);
    for (int i = 0; i < ACTORS; i++) {
        put += played.put[i];
        got += played.got[i];
        MUST(played.got[i] <= played.put[i] + actors[i].dead);
    }
    MUST(got >= put - played.lost_getters);
    int twice = played.lost_putters && played.lost_getters; /* killed at the counting itself */
    MUST(undone >= -twice && undone <= played.lost_getters);
    MUST(played.lost_getters > 0 || left == 0);
    MUST(used == used_before);
    return 0;
}

/* Putters to their ends, then no more, and getters to theirs. */
static int play(int (*first)(void *), int (*second)(void *), int (*third)(void *),
                int (*fourth)(void *))
{
    int (*const functions[])(void *) = { first, second, third, fourth };
    hkt_thread *threads[ACTORS] = { NULL };
    int err = 0;
    for (int i = 0; i < ACTORS; i++)
        if (functions[i])
            CHECK_EQ(hkt_thread_spawn(&threads[i], functions[i], (void *)(intptr_t)i, NULL), 0);
    for (int i = 0; i < ACTORS; i++) {
        int result;
        if (i == 2)
            hkt_shared_queue_shutdown(queue, false);
        if (threads[i] == NULL)
            continue;
        CHECK_EQ(hkt_thread_join(threads[i]), 0);
        CHECK_EQ(hkt_thread_result(threads[i], &result), 0);
        err = err < 0 ? err : result;
        hkt_thread_destroy(threads[i]);
    }
    return err;
}

static int two_and_two(void *arg)
{
    (void)arg;
    MUST(begin(1, 16) == 0);
    int err = play(sends, sends, gets, gets);
    MUST(err < 0 || (played.put[0] == MESSAGES && played.put[1] == MESSAGES));
    return curtain(err);
}

static int two_and_two_in_three(void *arg)
{
    (void)arg;
    MUST(begin(3, 16) == 0);
    return curtain(play(sends, sends, gets, takes));
}

static void lights_out(void)
{
    for (int i = 0; i < ACTORS; i++)
        hkti_family_bury(actors[i].token);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST_TIMEOUT(each_message_comes_out_once, 240)
{
    CHECK(hkti_family_token() != 0);
    prove(two_and_two);
    prove(two_and_two_in_three);
    lights_out();
}

static int long_ones(void *arg)
{
    (void)arg;
    MUST(begin(2, sizeof actors[0].message) == 0);
    return curtain(play(sends, sends, gets, takes));
}

TEST_TIMEOUT(long_messages_do_so_too, 240)
{
    CHECK(hkti_family_token() != 0);
    prove(long_ones);
    lights_out();
}

/* A scenario with one who dies at each of his operations in turn; `die_too` goes through them at
 * another pace. */
static void prove_deaths(int (*scenario)(void *), long steps, long schedules)
{
    for (die_at = 0; die_at < steps; die_at++) {
        die_too = die_at * 7 % steps;
        hkt_simulate_options options = { .seed = test_seed() + (uint64_t)die_at * 1000000,
                                         .schedules = (uint64_t)test_scaled(schedules) };
        hkt_simulate_result result;
        int err = hkt_simulate_many(&options, scenario, NULL, &result);
        if (err < 0)
            printf("the death was at step %ld\n", die_at);
        CHECK_EQ(err, 0);
    }
}

static int putter_dies(void *arg)
{
    (void)arg;
    MUST(begin(1, 16) == 0);
    actors[0].left = die_at;
    return curtain(play(sends, sends, gets, NULL));
}

static int putter_dies_with_a_long_one(void *arg)
{
    (void)arg;
    MUST(begin(2, sizeof actors[0].message) == 0);
    actors[0].left = die_at;
    return curtain(play(sends, sends, takes, NULL));
}

TEST_TIMEOUT(a_putter_may_die_at_any_step, 300)
{
    CHECK(hkti_family_token() != 0);
    prove_deaths(putter_dies, 45, 300);
    prove_deaths(putter_dies_with_a_long_one, 45, 300);
    lights_out();
}

static int getter_dies(void *arg)
{
    (void)arg;
    MUST(begin(1, 16) == 0);
    actors[2].left = die_at;
    return curtain(play(sends, sends, gets, gets));
}

static int getter_dies_with_a_long_one(void *arg)
{
    (void)arg;
    MUST(begin(2, sizeof actors[0].message) == 0);
    actors[2].left = die_at;
    return curtain(play(sends, sends, takes, gets));
}

TEST_TIMEOUT(a_getter_may_die_at_any_step, 300)
{
    CHECK(hkti_family_token() != 0);
    prove_deaths(getter_dies, 45, 300);
    prove_deaths(getter_dies_with_a_long_one, 45, 300);
    lights_out();
}

static int both_die(void *arg)
{
    (void)arg;
    MUST(begin(3, 16) == 0);
    actors[0].left = die_at;
    actors[2].left = die_too;
    return curtain(play(sends, sends, gets, gets));
}

TEST_TIMEOUT(one_of_each_may_die, 300)
{
    CHECK(hkti_family_token() != 0);
    prove_deaths(both_die, 60, 300);
    lights_out();
}

/* The getter dies at its first message, and there is no other: the putter makes room himself. */
static int putter_alone(void *arg)
{
    (void)arg;
    MUST(begin(1, 16) == 0);
    int err = puts_one(&actors[0]);
    MUST(err == 0);
    actors[2].left = die_at;
    err = play_part((void *)2, gets_some, &played.lost_getters);
    MUST(err == 0 && actors[2].dead);
    bool there = hkti_slot_of(queue, 0)->state == hkti_slot_at_rest(0, HKTI_FULL);
    err = puts_one(&actors[1]);
    MUST(err == (there ? -EAGAIN : 0));
    return curtain(play(NULL, NULL, NULL, gets));
}

TEST(a_putter_makes_room_where_a_getter_has_died)
{
    CHECK(hkti_family_token() != 0);
    prove_deaths(putter_alone, 12, 20);
    lights_out();
}

/* Joins, and closes then; the getter that dies must not keep it. */
static int joins(void *arg)
{
    (void)arg;
    int err = hkt_shared_queue_join(queue);
    MUST(err == 0 && (int64_t)(queue->tail - queue->done) >= 0);
    return 0;
}

/* Gets one message and is killed before the slot is free again; another one goes on. */
static int join_after_death(void *arg)
{
    (void)arg;
    MUST(begin(2, 16) == 0);
    int err = sends_some(&actors[0]);
    actors[2].left = die_at;
    MUST(err == 0);
    return curtain(play(NULL, NULL, gets, gets));
}

static int join_beside_death(void *arg)
{
    (void)arg;
    MUST(begin(2, 16) == 0);
    MUST(sends_some(&actors[0]) == 0);
    actors[2].left = die_at;
    return curtain(play(NULL, joins, gets, gets));
}

TEST_TIMEOUT(a_join_does_not_wait_for_the_dead, 300)
{
    CHECK(hkti_family_token() != 0);
    prove_deaths(join_after_death, 12, 300);
    prove_deaths(join_beside_death, 7, 600); /* later it would be killed with the message got */
    lights_out();
}

static int closes_at_once(void *arg)
{
    (void)arg;
    hkt_shared_queue_shutdown(queue, true);
    return 0;
}

static int closed_meanwhile(void *arg)
{
    (void)arg;
    MUST(begin(1, 16) == 0);
    actors[0].left = die_at;
    int err = play(sends, closes_at_once, sends, gets);
    MUST(err < 0 || hkt_shared_queue_join_until(queue, hkt_after(0)) == 0);
    MUST(err < 0 || hkt_shared_queue_qsize(queue) == 0);
    played.lost_getters += MESSAGES * 2; /* dropped */
    return curtain(err);
}

TEST_TIMEOUT(a_shutdown_drops_all_and_sends_all_away, 300)
{
    CHECK(hkti_family_token() != 0);
    prove_deaths(closed_meanwhile, 30, 300);
    die_at = -1;
    prove(closed_meanwhile);
    lights_out();
}
