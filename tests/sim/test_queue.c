/* SPDX-License-Identifier: MIT */
/* The queue, under all schedules: each item comes out once, whoever gives up or shuts down
 * meanwhile. */
#include "proof.h"

static hkt_queue *queue;
static int got[5], gotten, put_ok;

static int make(size_t maxsize)
{
    memset(got, 0, sizeof got);
    gotten = put_ok = 0;
    return hkt_queue_create(&queue, sizeof(int), &(hkt_queue_options){ .maxsize = maxsize });
}

static int puts_two(void *arg)
{
    for (int i = 0; i < 2; i++) {
        int item = 2 * (int)(intptr_t)arg + i;
        int err = hkt_queue_put(queue, &item);
        MUST(err == 0);
        put_ok++;
    }
    return 0;
}

static int puts_one_or_gives_up(void *arg)
{
    (void)arg;
    int item = 4;
    int err = hkt_queue_put_until(queue, &item, hkt_after(20e-6));
    put_ok += err == 0;
    return err == -ETIMEDOUT || err == -ESHUTDOWN ? 0 : err;
}

static int note(int item)
{
    MUST(item >= 0 && item < 5);
    got[item]++;
    gotten++;
    return hkt_queue_task_done(queue);
}

static int gets_two(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        int item = -1;
        int err = hkt_queue_get(queue, &item);
        MUST(err == 0);
        MUST(note(item) == 0);
    }
    return 0;
}

static int gets_all(void *arg)
{
    (void)arg;
    int item = -1, err;
    while ((err = hkt_queue_get_until(queue, &item, hkt_after(20e-6))) != -ESHUTDOWN)
        MUST(err == -ETIMEDOUT || note(item) == 0);
    return 0;
}

static int each_once(int err)
{
    for (int i = 0; err == 0 && i < 5; i++)
        MUST(got[i] <= 1);
    hkt_queue_destroy(queue);
    return err;
}

static int two_and_two(void *arg)
{
    (void)arg;
    MUST(make(1) == 0);
    int err = TOGETHER(puts_two, puts_two, gets_two, gets_two);
    MUST(err < 0 || (gotten == 4 && hkt_queue_join_until(queue, hkt_after(0)) == 0));
    return each_once(err);
}

TEST_TIMEOUT(each_item_comes_out_once, 120)
{
    prove(two_and_two);
}

static int put_then_close(void *arg)
{
    int err = puts_two(arg);
    if (err == 0)
        err = hkt_queue_join(queue);
    hkt_queue_shutdown(queue, false);
    return err;
}

static int with_deadlines(void *arg)
{
    (void)arg;
    MUST(make(1) == 0);
    int err = TOGETHER(put_then_close, puts_one_or_gives_up, gets_all);
    MUST(err < 0 || gotten == put_ok);
    return each_once(err);
}

TEST_TIMEOUT(who_gives_up_loses_no_item_and_makes_none, 120)
{
    prove(with_deadlines);
}

static int closes_at_once(void *arg)
{
    (void)arg;
    hkt_queue_shutdown(queue, true);
    return 0;
}

static int puts_until_closed(void *arg)
{
    (void)arg;
    int err = 0;
    for (int i = 0; i < 2 && err == 0; i++)
        err = hkt_queue_put(queue, &i);
    return err == -ESHUTDOWN ? 0 : err;
}

static int gets_until_closed(void *arg)
{
    (void)arg;
    int item, err;
    while ((err = hkt_queue_get(queue, &item)) == 0)
        MUST(hkt_queue_task_done(queue) == 0);
    return err == -ESHUTDOWN ? 0 : err;
}

static int closed_meanwhile(void *arg)
{
    (void)arg;
    MUST(make(1) == 0);
    int err = TOGETHER(puts_until_closed, gets_until_closed, closes_at_once);
    MUST(err < 0 || hkt_queue_join_until(queue, hkt_after(0)) == 0);
    MUST(hkt_queue_qsize(queue) == 0);
    hkt_queue_destroy(queue);
    return err;
}

TEST_TIMEOUT(a_shutdown_sends_all_away, 120)
{
    prove(closed_meanwhile);
}

static int puts_two_more(void *arg)
{
    (void)arg;
    for (int item = 2; item < 4; item++)
        MUST(hkt_queue_put(queue, &item) == 0);
    return 0;
}

static int unbounded(void *arg)
{
    (void)arg;
    MUST(make(HKT_UNBOUNDED) == 0);
    int err = TOGETHER(puts_two, puts_two_more, gets_two, gets_two);
    MUST(err < 0 || gotten == 4);
    return each_once(err);
}

TEST_TIMEOUT(an_unbounded_queue_keeps_its_items, 120)
{
    prove(unbounded);
}
