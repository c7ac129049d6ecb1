/* SPDX-License-Identifier: MIT */
/* The thread pool, under all schedules: no job is forgotten by workers that go idle, and the pool
 * ends when the last job has. Who waits for room, and how a pool breaks: test_pool_room.c. */
#include "crew.h"
#include "os/os.h"

static int ran;
static hkt_event gate;

/* Jobs may run side by side, but a step is never torn apart. */
static int counts(void *arg)
{
    (void)arg;
    hkt_simulate_point();
    ran++;
    return 4;
}

static int begin(unsigned workers)
{
    ran = 0;
    gate = (hkt_event){ { 0 } };
    return crew_begin(workers);
}

/* Waits for each, so that workers go idle between. */
static int submits_two(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        int err = crew_run(counts, NULL);
        MUST(err == 4);
    }
    return 0;
}

static int going_idle_with(unsigned workers)
{
    MUST(begin(workers) == 0);
    int err = TOGETHER(submits_two, submits_two);
    MUST(err < 0 || ran == 4);
    return crew_end(err);
}

static int one_goes_idle(void *arg)
{
    (void)arg;
    return going_idle_with(1);
}

static int two_go_idle(void *arg)
{
    (void)arg;
    return going_idle_with(2);
}

static int three_start(void *arg)
{
    (void)arg;
    return going_idle_with(3);
}

TEST_TIMEOUT(a_job_meets_a_worker_that_goes_idle, 60)
{
    prove_for(4000, one_goes_idle);
    prove_for(4000, two_go_idle);
}

TEST_TIMEOUT(workers_start_while_jobs_come, 60)
{
    prove_for(3000, three_start);
}

/* A job in its worker's ring, which another must take: the first one waits for it, and keeps its
 * worker, since an event is not a job. */
static int opens_the_gate(void *arg)
{
    (void)arg;
    ran++;
    hkt_event_set(&gate);
    return 0;
}

static int submits_and_waits_at_the_gate(void *arg)
{
    hkt_future *future;
    (void)arg;
    MUST(hkt_submit(crew, &future, opens_the_gate, NULL) == 0);
    crew_work(20); /* the store of the ring may be on its way as long as this lasts */
    int err = hkt_event_wait(&gate);
    hkt_future_destroy(future);
    return err;
}

static int in_a_ring(void *arg)
{
    (void)arg;
    MUST(begin(2) == 0);
    MUST(hkt_submit(crew, NULL, counts, NULL) == 0);
    int err = crew_run(submits_and_waits_at_the_gate, NULL);
    MUST(err < 0 || ran >= 1);
    return crew_end(err);
}

TEST_TIMEOUT(a_job_in_a_ring_calls_an_idle_worker, 60)
{
    prove_for(5000, in_a_ring);
}

static int waits_at_the_gate(void *arg)
{
    (void)arg;
    return hkt_event_wait(&gate);
}

/* Several short ones, so that a worker takes a batch; the one at `first` waits for that at `last`. */
static int in_a_batch_of(unsigned workers, int first, int last)
{
    hkt_future *futures[8];
    MUST(begin(workers) == 0);
    for (int i = 0; i < 8; i++) {
        hkt_job *job = i == first ? waits_at_the_gate : i == last ? opens_the_gate : counts;
        MUST(hkt_submit(crew, &futures[i], job, NULL) == 0);
    }
    for (int i = 0; i < 8; i++) {
        int err = hkt_future_finish(futures[i]);
        MUST(err >= 0);
    }
    MUST(ran == 7);
    return crew_end(0);
}

static int in_a_batch(void *arg)
{
    (void)arg;
    return in_a_batch_of(2, 4, 7);
}

/* The two may be the batch, which a third worker sees neither in the queue nor in the ring. */
static int in_the_same_batch(void *arg)
{
    (void)arg;
    return in_a_batch_of(3, 2, 3);
}

TEST_TIMEOUT(a_batch_in_a_ring_waits_for_nobody, 60)
{
    prove_for(3000, in_a_batch);
    prove_for(6000, in_the_same_batch);
}

/* A worker that is called while one of its waiting jobs may go on goes on with that; then somebody
 * else must be called for the rest. */
static int turns_until_the_gate(void *arg)
{
    int err = crew_run(counts, arg);
    MUST(err == 4);
    MUST(hkt_submit(crew, NULL, opens_the_gate, NULL) == 0);
    while (!hkt_event_is_set(&gate))
        hkti_os_yield(0);
    return 0;
}

static int called_away(void *arg)
{
    hkt_future *first;
    (void)arg;
    MUST(begin(2) == 0);
    MUST(hkt_submit(crew, &first, turns_until_the_gate, NULL) == 0);
    for (int i = 0; i < 4; i++) {
        int err = crew_run(counts, NULL);
        MUST(err == 4);
    }
    int err = hkt_future_finish(first);
    MUST(err < 0 || ran == 6);
    return crew_end(err);
}

TEST_TIMEOUT(who_goes_on_with_a_job_does_not_stay_the_one_who_searches, 60)
{
    prove_for(6000, called_away);
}

/* Priorities. */
static int order[3];

static int notes(void *arg)
{
    order[ran++] = (int)(intptr_t)arg;
    return 0;
}

static int of_three_priorities(void *arg)
{
    static const hkt_priority priorities[] = { HKT_PRIORITY_BACKGROUND, HKT_PRIORITY_NORMAL,
                                               HKT_PRIORITY_HIGH };
    (void)arg;
    MUST(begin(1) == 0);
    MUST(hkt_submit(crew, NULL, waits_at_the_gate, NULL) == 0);
    for (int i = 0; i < 3; i++) {
        hkt_submit_options options = { .priority = priorities[i] };
        MUST(hkt_submit_with(crew, NULL, notes, (void *)(intptr_t)priorities[i], &options) == 0);
    }
    hkt_event_set(&gate);
    MUST(hkt_executor_shutdown(crew) == 0 && ran == 3);
    /* The first look of a worker is at all queues, and may come late. */
    MUST(order[0] == HKT_PRIORITY_HIGH && order[2] == HKT_PRIORITY_BACKGROUND);
    return crew_end(0);
}

TEST_TIMEOUT(the_urgent_come_first, 60)
{
    prove_for(2000, of_three_priorities);
}

TEST_TIMEOUT(a_seed_is_the_same_run_each_time, 60)
{
    prove_replays(two_go_idle);
    prove_replays(in_a_batch);
}
