/* SPDX-License-Identifier: MIT */
/* The bells of the queue between processes, under all schedules: each message wakes one getter, each
 * free place one putter, though a bell is not rung twice before somebody has looked. */
#include <hocket/shared_queue.h>

#include "proc/family.h"
#include "proof.h"

static hkt_shared_queue *queue;

static int begin(size_t maxsize, int filled)
{
    hkt_shared_queue_options options = { .maxsize = maxsize };
    MUST(hkt_shared_queue_create(&queue, &options) == 0);
    for (int i = 0; i < filled; i++)
        MUST(hkt_shared_queue_put_nowait(queue, &i, sizeof i) == 0);
    return 0;
}

static int gets_one(void *arg)
{
    int number = 0;
    (void)arg;
    return hkt_shared_queue_get(queue, &number, sizeof number) == sizeof number ? 0 : -EIO;
}

static int gets_two(void *arg)
{
    int err = gets_one(arg);
    return err < 0 ? err : gets_one(arg);
}

static int puts_one(void *arg)
{
    (void)arg;
    return hkt_shared_queue_put(queue, &(int){ 1 }, sizeof(int));
}

static int puts_two(void *arg)
{
    int err = puts_one(arg);
    return err < 0 ? err : puts_one(arg);
}

static int end(int err, size_t left)
{
    MUST(err < 0 || hkt_shared_queue_qsize(queue) == left);
    hkt_shared_queue_destroy(queue);
    return err;
}

static int two_getters(void *arg)
{
    (void)arg;
    MUST(begin(2, 0) == 0);
    return end(TOGETHER(gets_one, gets_one, puts_two), 0);
}

static int two_putters(void *arg)
{
    (void)arg;
    MUST(begin(2, 2) == 0);
    return end(TOGETHER(puts_one, puts_one, gets_two), 2);
}

TEST_TIMEOUT(nobody_sleeps_on_beside_what_he_waits_for, 240)
{
    CHECK(hkti_family_token() != 0);
    prove(two_getters);
    prove(two_putters);
    CHECK_EQ(hkt_finalize(), 0);
}
