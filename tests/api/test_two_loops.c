/* SPDX-License-Identifier: MIT */
/* Loops in several threads, plain threads and pools, with queues, locks, events and futures between
 * them. */
#include "loops.h"

/* A thread with a loop, in which one job runs. */
struct place_to_run {
    hkt_job *job;
    void *arg;
    bool in_loop;
};

static int run_there(void *arg)
{
    struct place_to_run *place = arg;
    return place->in_loop ? hkt_run(place->job, place->arg) : place->job(place->arg);
}

static void start_in(struct caller *caller, struct place_to_run *place, bool in_loop, hkt_job *job,
                     void *arg)
{
    *place = (struct place_to_run){ job, arg, in_loop };
    caller_start(caller, run_there, place);
}

/* A queue between producers and consumers, each of which is a task or a thread. */
struct line {
    hkt_queue *queue;
    long count;
    atomic_long sum;
};

static int produce(void *arg)
{
    struct line *line = arg;
    for (long i = 1; i <= line->count; i++)
        CHECK_EQ(hkt_queue_put(line->queue, &i), 0);
    return 0;
}

static int consume(void *arg)
{
    struct line *line = arg;
    for (;;) {
        long item;
        int err = hkt_queue_get(line->queue, &item);
        if (err == -ESHUTDOWN)
            return 0;
        CHECK_EQ(err, 0);
        atomic_fetch_add(&line->sum, item);
    }
}

static int run_three(void *arg, hkt_job *job)
{
    hkt_task *tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = must_start(job, arg);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_future_finish(tasks[i]), 0);
    return 0;
}

static int produce_by_three(void *arg)
{
    return run_three(arg, produce);
}

static int consume_by_three(void *arg)
{
    return run_three(arg, consume);
}

/* Producers in a loop and in a thread; consumers in another loop and in a thread. */
TEST_TIMEOUT(loops_and_threads_talk_through_a_queue, 60)
{
    struct caller callers[4];
    struct place_to_run places[4];
    struct line line = { .count = test_scaled(5000) };
    CHECK_EQ(hkt_queue_create(&line.queue, sizeof(long), &(hkt_queue_options){ .maxsize = 3 }), 0);
    start_in(&callers[0], &places[0], true, produce_by_three, &line);
    start_in(&callers[1], &places[1], false, produce, &line);
    start_in(&callers[2], &places[2], true, consume_by_three, &line);
    start_in(&callers[3], &places[3], false, consume, &line);
    CHECK_EQ(caller_end(&callers[0]), 0);
    CHECK_EQ(caller_end(&callers[1]), 0);
    hkt_queue_shutdown(line.queue, false);
    CHECK_EQ(caller_end(&callers[2]), 0);
    CHECK_EQ(caller_end(&callers[3]), 0);
    CHECK_EQ(atomic_load(&line.sum), 4 * (line.count * (line.count + 1) / 2));
    hkt_queue_destroy(line.queue);
    check_finalized();
}

/* A lock that tasks hold over a wait. */
struct counter {
    hkt_lock lock;
    long count, value;
    atomic_int inside;
};

static int add_under_lock(void *arg)
{
    struct counter *counter = arg;
    for (long i = 0; i < counter->count; i++) {
        hkt_lock_acquire(&counter->lock);
        CHECK_EQ(atomic_fetch_add(&counter->inside, 1), 0);
        long value = counter->value;
        CHECK_EQ(hkt_yield(), 0);
        counter->value = value + 1;
        atomic_fetch_sub(&counter->inside, 1);
        hkt_lock_release(&counter->lock);
    }
    return 0;
}

static int add_by_three(void *arg)
{
    return run_three(arg, add_under_lock);
}

TEST_TIMEOUT(loops_threads_and_pools_share_a_lock, 60)
{
    struct caller callers[3];
    struct place_to_run places[3];
    struct counter counter = { .count = test_scaled(1000) };
    hkt_executor *pool = must_pool(2);
    start_in(&callers[0], &places[0], true, add_by_three, &counter);
    start_in(&callers[1], &places[1], true, add_by_three, &counter);
    start_in(&callers[2], &places[2], false, add_under_lock, &counter);
    hkt_future *job = must_submit(pool, add_under_lock, &counter);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
    CHECK_EQ(hkt_future_finish(job), 0);
    CHECK_EQ(counter.value, 8 * counter.count);
    end_pool(pool);
}

/* Two tasks of two loops, a thread and a pool's job hand an event round. */
struct ring {
    hkt_event turns[4];
    long rounds;
};

struct ring_member {
    struct ring *ring;
    int place;
};

static int go_round(void *arg)
{
    struct ring_member *member = arg;
    struct ring *ring = member->ring;
    for (long i = 0; i < ring->rounds; i++) {
        CHECK_EQ(hkt_event_wait(&ring->turns[member->place]), 0);
        hkt_event_clear(&ring->turns[member->place]);
        hkt_event_set(&ring->turns[(member->place + 1) % 4]);
    }
    return 0;
}

TEST_TIMEOUT(loops_threads_and_pools_wake_each_other, 60)
{
    struct caller callers[3];
    struct place_to_run places[3];
    struct ring ring = { .rounds = test_scaled(2000) };
    struct ring_member members[4];
    hkt_executor *pool = must_pool(1);
    for (int i = 0; i < 4; i++)
        members[i] = (struct ring_member){ &ring, i };
    for (int i = 0; i < 3; i++)
        start_in(&callers[i], &places[i], i < 2, go_round, &members[i]);
    hkt_future *job = must_submit(pool, go_round, &members[3]);
    hkt_event_set(&ring.turns[0]);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(caller_end(&callers[i]), 0);
    CHECK_EQ(hkt_future_finish(job), 0);
    end_pool(pool);
}

/* Futures of one loop, awaited in another one. */

static int sleep_and_fail(void *arg)
{
    CHECK_EQ(hkt_sleep(0.005), 0);
    return fail_with_io(arg);
}

struct remote {
    hkt_executor *executor; /* of the other loop */
    hkt_event ready, end;
};

static int serve(void *arg)
{
    struct remote *remote = arg;
    remote->executor = hkt_executor_current();
    hkt_event_set(&remote->ready);
    return hkt_event_wait(&remote->end);
}

static int ask_there(void *arg)
{
    struct remote *remote = arg;
    hkt_future *futures[20];
    hkt_loop *own = hkt_loop_running();
    CHECK(remote->executor != hkt_loop_executor(own));
    for (int i = 0; i < 20; i++)
        futures[i] = must_submit(remote->executor, sleep_and_fail, "fish");
    CHECK_EQ(hkt_wait(futures, 20, HKT_ALL_COMPLETED), 20);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(hkt_future_finish(futures[i]), -EIO);
        CHECK_STR(hkt_sentence(-EIO), "no fish in the sea");
    }
    hkt_future *endless = must_submit(remote->executor, sleep_forever, NULL);
    CHECK_EQ(hkt_future_wait_until(endless, hkt_after(0.01)), -ETIMEDOUT);
    CHECK_EQ(hkt_future_request_cancel(endless), 0);
    CHECK_EQ(hkt_future_finish(endless), -ECANCELED);
    CHECK(hkt_loop_running() == own);
    return 0;
}

static int ask_there_by_three(void *arg)
{
    return run_three(arg, ask_there);
}

TEST(futures_of_a_loop_are_awaited_in_another_one)
{
    struct remote remote = { 0 };
    struct caller server;
    struct place_to_run place;
    start_in(&server, &place, true, serve, &remote);
    CHECK_EQ(hkt_event_wait(&remote.ready), 0);
    CHECK_EQ(hkt_run(ask_there, &remote), 0);
    CHECK_EQ(hkt_run(ask_there_by_three, &remote), 0);
    hkt_event_set(&remote.end);
    CHECK_EQ(caller_end(&server), 0);
    check_finalized();
}

static int be_elsewhere(void *arg)
{
    CHECK(hkt_loop_running() == NULL);
    CHECK(hkt_executor_current() == arg);
    return 12;
}

static int ask_pool(void *arg)
{
    for (long i = 0; i < test_scaled(300); i++)
        CHECK_EQ(hkt_future_finish(must_submit(arg, be_elsewhere, arg)), 12);
    return 0;
}

static int ask_pool_by_three(void *arg)
{
    return run_three(arg, ask_pool);
}

TEST(a_pools_jobs_are_awaited_in_a_loop)
{
    hkt_executor *pool = must_pool(2);
    CHECK_EQ(hkt_run(ask_pool_by_three, pool), 0);
    end_pool(pool);
}

/* A future that a thread makes and finishes; a task waits for it. */
static int produce_result(void *arg)
{
    await_spinning(0.001);
    CHECK_EQ(hkt_future_set_result(arg, hkt_fail(-EIO, "by hand")), 0);
    return 0;
}

static int wait_by_hand(void *arg)
{
    for (long i = 0; i < test_scaled(20); i++) {
        struct caller caller;
        hkt_future *future;
        (void)arg;
        CHECK_EQ(hkt_future_create(&future), 0);
        caller_start(&caller, produce_result, future);
        CHECK_EQ(hkt_future_finish(future), -EIO);
        CHECK_STR(hkt_sentence(-EIO), "by hand");
        CHECK_EQ(caller_end(&caller), 0);
    }
    return 0;
}

TEST(a_threads_future_is_awaited_in_a_loop)
{
    must_run(wait_by_hand, NULL);
}

/* The end of a loop, while other threads hand in. */

struct ending {
    hkt_loop *loop;
    atomic_int started, accepted, refused, ran, ended, calls, called;
    atomic_bool over;
};

static int run_one(void *arg)
{
    struct ending *ending = arg;
    atomic_fetch_add(&ending->ran, 1);
    return 0;
}

static int called(void *arg)
{
    struct ending *ending = arg;
    atomic_fetch_add(&ending->called, 1);
    return 0;
}

static void count_end(hkt_future *future, void *arg)
{
    struct ending *ending = arg;
    int result;
    CHECK_EQ(hkt_future_result(future, &result), 0);
    CHECK(result == 0 || (result == -ECANCELED && hkt_future_cancelled(future)));
    atomic_fetch_add(&ending->ended, 1);
}

/* Until it is refused: the executor is the loop's, which lives until this has come. */
static int hand_in_until_refused(void *arg)
{
    struct ending *ending = arg;
    hkt_executor *executor = hkt_loop_executor(ending->loop);
    atomic_fetch_add(&ending->started, 1);
    for (int i = 0;; i++) {
        hkt_future *future = NULL;
        int err = i % 2 ? hkt_loop_call_soon(ending->loop, NULL, called, ending)
                        : hkt_submit(executor, &future, run_one, ending);
        if (err == -ESHUTDOWN) {
            atomic_fetch_add(&ending->refused, 1);
            CHECK(future == NULL);
            return 0;
        }
        CHECK_EQ(err, 0);
        atomic_fetch_add(i % 2 ? &ending->calls : &ending->accepted, 1);
        if (future)
            CHECK_EQ(hkt_future_add_done_callback(future, count_end, ending), 0);
        hkt_future_destroy(future);
        if (i % 16 == 15)
            await_moment();
    }
}

static int close_after_a_while(void *arg)
{
    struct ending *ending = arg;
    while (atomic_load(&ending->started) < 4 || atomic_load(&ending->ran) < 10)
        CHECK_EQ(hkt_sleep(0.0005), 0);
    hkt_executor_close(hkt_executor_current(), false);
    return 0;
}

/* Everything that was taken runs, or is cancelled before it began; nothing is lost. */
TEST_TIMEOUT(what_is_handed_in_at_a_loops_end_runs_or_is_refused, 60)
{
    for (long round = 0; round < test_scaled(50); round++) {
        struct ending ending = { .loop = must_loop() };
        struct caller callers[4];
        for (int i = 0; i < 4; i++)
            caller_start(&callers[i], hand_in_until_refused, &ending);
        CHECK_EQ(hkt_loop_run(ending.loop, close_after_a_while, &ending), 0);
        for (int i = 0; i < 4; i++)
            CHECK_EQ(caller_end(&callers[i]), 0);
        hkt_loop_destroy(ending.loop);
        CHECK_EQ(atomic_load(&ending.refused), 4);
        CHECK_EQ(atomic_load(&ending.ended), atomic_load(&ending.accepted));
        CHECK_EQ(atomic_load(&ending.called), atomic_load(&ending.calls));
        CHECK(atomic_load(&ending.ran) <= atomic_load(&ending.accepted));
    }
    check_finalized();
}

/* With an event beside it: who submits waits for the answer, whatever comes of the loop. */
static int submit_and_wait(void *arg)
{
    struct ending *ending = arg;
    hkt_future *future = NULL;
    atomic_fetch_add(&ending->started, 1);
    for (;;) {
        int err = hkt_submit(hkt_loop_executor(ending->loop), &future, run_one, ending);
        if (err == -ESHUTDOWN)
            return 0;
        CHECK_EQ(err, 0);
        int result = hkt_future_finish(future);
        CHECK(result == 0 || result == -ECANCELED);
    }
}

/* The executor is closed, so all come to an end; then they are awaited while the loop is destroyed: the
 * last ones wait for jobs that its end runs or cancels. */
TEST_TIMEOUT(nobody_waits_for_ever_for_a_job_of_a_loop_that_ends, 60)
{
    for (long round = 0; round < test_scaled(50); round++) {
        struct ending ending = { .loop = must_loop() };
        struct caller callers[4];
        for (int i = 0; i < 4; i++)
            caller_start(&callers[i], submit_and_wait, &ending);
        CHECK_EQ(hkt_loop_run(ending.loop, close_after_a_while, &ending), 0);
        double most = 0.001; /* those that were taken are run by the next turns */
        bool alive = true;
        while (alive) {
            CHECK_EQ(hkt_loop_run(ending.loop, sleep_seconds, &most), 0);
            alive = false;
            for (int i = 0; i < 4; i++)
                alive = alive || hkt_thread_is_alive(callers[i].thread);
        }
        for (int i = 0; i < 4; i++)
            CHECK_EQ(caller_end(&callers[i]), 0);
        hkt_loop_destroy(ending.loop);
    }
    check_finalized();
}
