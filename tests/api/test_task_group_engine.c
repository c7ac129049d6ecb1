/* SPDX-License-Identifier: MIT */
/* Task groups on an engine of one's own that changes its mind. */
#include "groups.h"

/* An engine that refuses the third job that it is offered, when told so, and runs the others on
 * threads. */
struct waverer {
    int offered;
    struct gate gate;
};

static int run_future(void *future)
{
    hkt_future_run(future);
    return 0;
}

static int waver(void *engine, hkt_future *future, const hkt_submit_options *options)
{
    struct waverer *waverer = engine;
    (void)options;
    if (++waverer->offered != 3)
        return hkt_thread_spawn(NULL, run_future, future, NULL);
    CHECK_EQ(stand_at(&waverer->gate), 0);
    return -EAGAIN;
}

struct offer {
    hkt_task_group group;
    struct waverer waverer;
    atomic_int ran;
    int spawned;
};

static int run_and_open(void *arg)
{
    struct offer *offer = arg;
    hkt_event_set(&offer->waverer.gate.open);
    return count_up(&offer->ran);
}

static int spawn_what_is_refused(void *arg)
{
    struct offer *offer = arg;
    offer->spawned = hkt_task_group_spawn(&offer->group, NULL, run_and_open, offer);
    return 0;
}

static int leave_beside_a_spawn(void *arg)
{
    struct offer *offer = arg;
    hkt_task_group_enter(&offer->group, NULL);
    must_spawn_into(&offer->group, spawn_what_is_refused, offer);
    CHECK_EQ(hkt_event_wait(&offer->waverer.gate.entered), 0);
    return hkt_task_group_leave(&offer->group, 0);
}

/* The owner begins a child, since he waits for it, that the engine refuses then. */
TEST(a_child_that_has_begun_is_not_refused)
{
    static const hkt_engine engine = { .name = "waverer", .submit = waver, .max_workers = 9 };
    static struct offer offer;
    hkt_executor *executor = NULL;
    CHECK_EQ(hkt_executor_create(&executor, &engine, &offer.waverer), 0);
    CHECK_EQ(hkt_future_finish(must_submit(executor, leave_beside_a_spawn, &offer)), 0);
    CHECK_EQ(offer.ran, 1);
    CHECK_EQ(offer.spawned, 0);
    hkt_executor_destroy(executor);
    CHECK_EQ(hkt_join_all(), 0);
    check_finalized();
}
