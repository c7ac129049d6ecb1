/* SPDX-License-Identifier: MIT */
/* Callbacks that other threads ask a loop for, and the misuse of handles. */
#include <stdlib.h>

#include "loops.h"

enum { CALLERS = 4 };

struct sender {
    hkt_loop *loop;
    long count, sent;
    atomic_long *called;
    struct sender_item *items;
};

/* Each sender's calls come in its order. */
struct sender_item {
    struct sender *sender;
    long number;
};

static int receive(void *arg)
{
    struct sender_item *item = arg;
    CHECK_EQ(item->number, item->sender->sent);
    item->sender->sent++;
    atomic_fetch_add(item->sender->called, 1);
    return 0;
}

static int send_calls(void *arg)
{
    struct sender *sender = arg;
    for (long i = 0; i < sender->count; i++) {
        sender->items[i] = (struct sender_item){ sender, i };
        CHECK_EQ(hkt_loop_call_soon(sender->loop, NULL, receive, &sender->items[i]), 0);
    }
    return 0;
}

struct total {
    atomic_long called;
    long wanted;
};

static int wait_for_all(void *arg)
{
    struct total *total = arg;
    while (atomic_load(&total->called) < total->wanted)
        CHECK_EQ(hkt_sleep(0.001), 0);
    return 0;
}

TEST_TIMEOUT(calls_from_other_threads_come_in_each_ones_order, 60)
{
    static struct sender senders[CALLERS];
    struct caller callers[CALLERS];
    long count = test_scaled(20000);
    struct total total = { .wanted = count * CALLERS };
    hkt_loop *loop = must_loop();
    for (int i = 0; i < CALLERS; i++) {
        struct sender_item *items = calloc((size_t)count, sizeof *items);
        CHECK(items != NULL);
        senders[i] = (struct sender){ loop, count, 0, &total.called, items };
        caller_start(&callers[i], send_calls, &senders[i]);
    }
    CHECK_EQ(hkt_loop_run(loop, wait_for_all, &total), 0);
    for (int i = 0; i < CALLERS; i++) {
        CHECK_EQ(caller_end(&callers[i]), 0);
        CHECK_EQ(senders[i].sent, count);
        free(senders[i].items);
    }
    end_loop(loop);
}

static int set_event(void *arg)
{
    hkt_event_set(arg);
    return 0;
}

struct ping {
    hkt_loop *loop;
    hkt_event pong;
    long count;
};

/* One at a time: each finds the loop asleep, or about to be. */
static int ping(void *arg)
{
    struct ping *ping = arg;
    for (long i = 0; i < ping->count; i++) {
        CHECK_EQ(hkt_loop_call_soon(ping->loop, NULL, set_event, &ping->pong), 0);
        CHECK_EQ(hkt_event_wait(&ping->pong), 0);
        hkt_event_clear(&ping->pong);
    }
    hkt_loop_stop(ping->loop);
    return 0;
}

static void ping_loop(bool with_fds)
{
    struct caller caller;
    struct ping pings = { .loop = must_loop(), .count = test_scaled(5000) };
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    if (with_fds)
        CHECK_EQ(hkt_loop_add_watcher(pings.loop, ends[0], HKT_READABLE, do_nothing, NULL), 0);
    caller_start(&caller, ping, &pings);
    CHECK_EQ(hkt_loop_run_forever(pings.loop), 0);
    CHECK_EQ(caller_end(&caller), 0);
    end_loop(pings.loop);
    close(ends[0]);
    close(ends[1]);
}

TEST_TIMEOUT(a_call_from_another_thread_wakes_a_loop_that_sleeps, 60)
{
    ping_loop(false);
}

TEST_TIMEOUT(a_call_from_another_thread_wakes_a_loop_that_waits_for_fds, 60)
{
    ping_loop(true);
}

static int call_soon(void *arg)
{
    return hkt_loop_call_soon(arg, NULL, do_nothing, NULL);
}

TEST(a_call_from_another_thread_waits_for_the_next_run)
{
    static atomic_int count;
    hkt_loop *loop = must_loop();
    CHECK_EQ(call_elsewhere(call_soon, loop), 0);
    CHECK_EQ(hkt_loop_run(loop, count_up, &count), 0);
    CHECK_EQ(call_elsewhere(call_soon, loop), 0); /* and is not lost at the end either */
    end_loop(loop);
}

TEST(a_loop_that_is_closed_takes_no_calls_from_other_threads)
{
    static atomic_int count;
    hkt_loop *loop = must_loop();
    hkt_executor_close(hkt_loop_executor(loop), false);
    CHECK_EQ(call_elsewhere(call_soon, loop), -ESHUTDOWN);
    CHECK_EQ(hkt_loop_call_soon(loop, NULL, count_up, &count), 0);
    CHECK_EQ(hkt_loop_run(loop, do_nothing, NULL), 0);
    CHECK_EQ(atomic_load(&count), 1);
    end_loop(loop);
}

static hkt_handle handle;

static int call_soon_with_handle(void *arg)
{
    return hkt_loop_call_soon(arg, &handle, do_nothing, NULL);
}

TEST_ABORTS(a_handle_is_for_the_loops_thread_alone, "belongs to another thread")
{
    (void)call_elsewhere(call_soon_with_handle, must_loop());
}

static int call_later(void *arg)
{
    return hkt_loop_call_later(arg, NULL, 1, do_nothing, NULL);
}

TEST_ABORTS(a_later_call_is_for_the_loops_thread_alone, "belongs to another thread")
{
    (void)call_elsewhere(call_later, must_loop());
}

static int cancel_handle(void *arg)
{
    return hkt_handle_cancel(arg);
}

TEST_ABORTS(a_handle_is_cancelled_by_the_loops_thread_alone, "belongs to another thread")
{
    CHECK_EQ(hkt_loop_call_soon(must_loop(), &handle, do_nothing, NULL), 0);
    (void)call_elsewhere(cancel_handle, &handle);
}

TEST_ABORTS(a_time_that_is_no_number_is_misuse, "NaN")
{
    hkt_loop_call_later(must_loop(), NULL, NAN, do_nothing, NULL);
}

static int leave_a_scope(void *arg)
{
    static hkt_scope scope;
    (void)arg;
    hkt_scope_enter(&scope, NULL);
    return 0;
}

TEST_ABORTS(a_callback_leaves_its_scopes, "returned without leaving scope")
{
    hkt_loop *loop = must_loop();
    hkt_loop_call_soon(loop, NULL, leave_a_scope, NULL);
    CHECK_EQ(hkt_loop_run(loop, do_nothing, NULL), 0);
}
