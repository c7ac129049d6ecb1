/* SPDX-License-Identifier: MIT */
/* Callbacks of a loop: soon, later, at a time, cancelled, from other threads. */
#include "loops.h"
#include "random.h"

static void run_for(hkt_loop *loop, double seconds)
{
    CHECK_EQ(hkt_loop_run(loop, sleep_seconds, &seconds), 0);
}

static int stop(void *arg)
{
    hkt_loop_stop(arg);
    return 0;
}

TEST(callbacks_are_called_in_the_order_of_coming)
{
    struct log log = { 0 };
    struct entry entries[] = { { &log, 'a', 0 }, { &log, 'b', 0 }, { &log, 'c', 0 } };
    hkt_loop *loop = must_loop();
    hkt_handle handle = { { 0 } };
    CHECK_EQ(hkt_loop_call_soon(loop, NULL, write_entry, &entries[0]), 0);
    CHECK_EQ(hkt_submit(hkt_loop_executor(loop), NULL, write_entry, &entries[1]), 0);
    CHECK_EQ(hkt_loop_call_soon(loop, &handle, write_entry, &entries[2]), 0);
    CHECK_EQ(hkt_loop_call_soon(loop, NULL, stop, loop), 0);
    CHECK_STR(log.text, "");
    CHECK_EQ(hkt_loop_run_forever(loop), 0);
    CHECK_STR(log.text, "abc");
    end_loop(loop);
}

struct chain {
    hkt_loop *loop;
    struct log log;
    int left;
    atomic_bool over;
};

static int call_again(void *arg)
{
    struct chain *chain = arg;
    log_add(&chain->log, 'a');
    if (--chain->left == 0)
        return 0;
    return hkt_loop_call_soon(chain->loop, NULL, call_again, chain);
}

static int write_b(void *arg)
{
    log_add(&((struct chain *)arg)->log, 'b');
    return 0;
}

TEST(a_callback_called_soon_by_a_callback_comes_after_those_that_are_ready)
{
    struct chain chain = { .loop = must_loop(), .left = 3 };
    CHECK_EQ(hkt_loop_call_soon(chain.loop, NULL, call_again, &chain), 0);
    CHECK_EQ(hkt_loop_call_soon(chain.loop, NULL, write_b, &chain), 0);
    CHECK_EQ(hkt_submit(hkt_loop_executor(chain.loop), NULL, write_b, &chain), 0);
    run_for(chain.loop, 0.001);
    CHECK_STR(chain.log.text, "abbaa");
    end_loop(chain.loop);
}

static int call_for_ever(void *arg)
{
    struct chain *chain = arg;
    if (atomic_load(&chain->over))
        return 0;
    return hkt_loop_call_soon(chain->loop, NULL, call_for_ever, chain);
}

static int say_over(void *arg)
{
    atomic_store(&((struct chain *)arg)->over, true);
    return 0;
}

static int wait_and_say_over(void *arg)
{
    int ends[2];
    char byte = 0;
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(hkt_fd_wait_until(ends[0], HKT_READABLE, hkt_after(0.01)), -ETIMEDOUT);
    CHECK_EQ(write(ends[1], &byte, 1), 1);
    CHECK_EQ(hkt_fd_wait(ends[0], HKT_READABLE), HKT_READABLE);
    close(ends[0]);
    close(ends[1]);
    return say_over(arg);
}

static int call_over_elsewhere(void *arg)
{
    struct chain *chain = arg;
    return hkt_loop_call_soon(chain->loop, NULL, say_over, chain);
}

/* Timers, fds and other threads get their turn. */
TEST(a_callback_that_always_calls_itself_does_not_keep_the_others_waiting)
{
    struct chain chain = { .loop = must_loop() };
    for (int i = 0; i < 3; i++) {
        struct caller caller;
        atomic_store(&chain.over, false);
        CHECK_EQ(hkt_loop_call_soon(chain.loop, NULL, call_for_ever, &chain), 0);
        if (i == 0)
            CHECK_EQ(hkt_loop_call_later(chain.loop, NULL, 0.01, say_over, &chain), 0);
        else if (i == 1)
            CHECK_EQ(hkt_loop_run(chain.loop, wait_and_say_over, &chain), 0);
        else
            caller_start(&caller, call_over_elsewhere, &chain);
        while (!atomic_load(&chain.over))
            run_for(chain.loop, 0.001);
        if (i == 2)
            CHECK_EQ(caller_end(&caller), 0);
    }
    end_loop(chain.loop);
}

TEST(later_calls_come_in_the_order_of_their_times)
{
    struct log log = { 0 };
    struct entry entries[] = {
        { &log, 'd', 0.04 }, { &log, 'b', 0.02 }, { &log, 'a', 0.01 }, { &log, 'c', 0.03 }
    };
    hkt_loop *loop = must_loop();
    log.start = hkt_after(0.001);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(hkt_loop_call_at(loop, NULL, entry_time(&entries[i]), write_entry, &entries[i]),
                 0);
    run_for(loop, 0.1);
    CHECK_STR(log.text, "abcd");
    end_loop(loop);
}

TEST(calls_of_one_time_come_in_the_order_in_which_they_were_set)
{
    struct log log = { 0 };
    struct entry entries[26];
    hkt_loop *loop = must_loop();
    hkt_deadline when = hkt_after(0.01);
    for (int i = 0; i < 26; i++) {
        entries[i] = (struct entry){ &log, (char)('a' + i), 0 };
        CHECK_EQ(hkt_loop_call_at(loop, NULL, when, write_entry, &entries[i]), 0);
    }
    run_for(loop, 0.05);
    CHECK_STR(log.text, "abcdefghijklmnopqrstuvwxyz");
    end_loop(loop);
}

TEST(calls_whose_time_has_passed_come_at_the_next_turn)
{
    struct log log = { 0 };
    struct entry entries[] = { { &log, 'c', 0 }, { &log, 'a', 0 }, { &log, 'b', 0 } };
    hkt_loop *loop = must_loop();
    hkt_deadline earlier = { (int64_t)(hkt_monotonic() * 1e9) - 1000 };
    CHECK_EQ(hkt_loop_call_at(loop, NULL, earlier, write_entry, &entries[0]), 0);
    CHECK_EQ(hkt_loop_call_later(loop, NULL, 0, write_entry, &entries[1]), 0);
    CHECK_EQ(hkt_loop_call_later(loop, NULL, -5, write_entry, &entries[2]), 0);
    run_for(loop, 0.001);
    CHECK_STR(log.text, "abc"); /* "passed" is earlier than any time */
    end_loop(loop);
}

/* 100 000 timers. */

enum { TIMERS = 100000 };
static struct timed {
    hkt_handle handle;
    hkt_deadline when;
    size_t number;
} timed[TIMERS];
static struct timed *called[TIMERS];
static size_t calls;
static bool too_early;

static int remember(void *arg)
{
    struct timed *one = arg;
    too_early = too_early || !hkt_deadline_passed(one->when);
    called[calls++] = one;
    return 0;
}

TEST_TIMEOUT(a_hundred_thousand_timers_come_in_exact_order, 60)
{
    struct test_random random = random_of(1);
    size_t count = (size_t)test_scaled(TIMERS), cancelled = 0;
    count = count > TIMERS ? TIMERS : count;
    hkt_loop *loop = must_loop();
    hkt_deadline first = hkt_after(0.1);
    for (size_t i = 0; i < count; i++) { /* a third of the times are several's */
        int64_t step = random_below(&random, 3) ? 1 : 1000000;
        int64_t offset = (int64_t)random_below(&random, 200000000) / step * step;
        timed[i].when = (hkt_deadline){ first.ns + offset };
        timed[i].number = i;
        CHECK_EQ(hkt_loop_call_at(loop, &timed[i].handle, timed[i].when, remember, &timed[i]), 0);
        CHECK_EQ(hkt_handle_when(&timed[i].handle).ns, timed[i].when.ns);
    }
    for (size_t i = 0; i < count; i += 10, cancelled++)
        CHECK(hkt_handle_cancel(&timed[i].handle));
    run_for(loop, 0.5);
    while (calls < count - cancelled)
        run_for(loop, 0.1);
    CHECK(!too_early);
    for (size_t i = 1; i < calls; i++)
        CHECK(called[i - 1]->when.ns < called[i]->when.ns ||
              (called[i - 1]->when.ns == called[i]->when.ns &&
               called[i - 1]->number < called[i]->number));
    CHECK_EQ(calls, count - cancelled);
    for (size_t i = 0; i < count; i++)
        CHECK(!hkt_handle_pending(&timed[i].handle));
    end_loop(loop);
}

/* Cancelling. */

TEST(a_handle_is_cancelled_in_every_state)
{
    static atomic_int count;
    hkt_handle handle = { { 0 } };
    hkt_loop *loop = must_loop();
    CHECK(!hkt_handle_cancel(&handle));
    CHECK(!hkt_handle_pending(&handle));
    CHECK_EQ(hkt_handle_when(&handle).ns, 0);

    CHECK_EQ(hkt_loop_call_soon(loop, &handle, count_up, &count), 0);
    CHECK(hkt_handle_pending(&handle));
    CHECK_EQ(hkt_handle_when(&handle).ns, 0);
    CHECK_EQ(hkt_loop_call_soon(loop, &handle, count_up, &count), -EALREADY);
    CHECK_EQ(hkt_loop_call_later(loop, &handle, 1, count_up, &count), -EALREADY);
    CHECK(hkt_handle_cancel(&handle));
    CHECK(!hkt_handle_cancel(&handle));

    CHECK_EQ(hkt_loop_call_later(loop, &handle, 1, count_up, &count), 0);
    CHECK(hkt_handle_pending(&handle));
    CHECK(hkt_handle_when(&handle).ns != 0);
    CHECK(hkt_remaining(hkt_handle_when(&handle)) <= 1.0);
    CHECK_EQ(hkt_loop_call_soon(loop, &handle, count_up, &count), -EALREADY);
    CHECK(hkt_handle_cancel(&handle));
    CHECK(!hkt_handle_pending(&handle));
    CHECK_EQ(hkt_handle_when(&handle).ns, 0);

    CHECK_EQ(hkt_loop_call_later(loop, &handle, INFINITY, count_up, &count), 0);
    CHECK(hkt_handle_pending(&handle));
    CHECK_EQ(hkt_handle_when(&handle).ns, 0);
    CHECK(hkt_handle_cancel(&handle));

    CHECK_EQ(hkt_loop_call_soon(loop, &handle, count_up, &count), 0);
    run_for(loop, 0.001);
    CHECK(!hkt_handle_pending(&handle));
    CHECK(!hkt_handle_cancel(&handle));
    CHECK_EQ(atomic_load(&count), 1);
    end_loop(loop);
}

struct killer {
    hkt_handle own, next, later;
    struct log *log;
};

static int cancel_others(void *arg)
{
    struct killer *killer = arg;
    log_add(killer->log, 'k');
    CHECK(!hkt_handle_pending(&killer->own));
    CHECK(!hkt_handle_cancel(&killer->own));
    CHECK(hkt_handle_cancel(&killer->next));
    CHECK(hkt_handle_cancel(&killer->later));
    return 0;
}

/* The next one, and one whose time has come too: both are about to be called. */
TEST(a_callback_cancels_others_that_are_ready)
{
    struct log log = { 0 };
    struct entry soon = { &log, 'x', 0 }, last = { &log, 'z', 0 };
    struct killer killer = { .log = &log };
    hkt_loop *loop = must_loop();
    CHECK_EQ(hkt_loop_call_soon(loop, &killer.own, cancel_others, &killer), 0);
    CHECK_EQ(hkt_loop_call_soon(loop, &killer.next, write_entry, &soon), 0);
    CHECK_EQ(hkt_loop_call_later(loop, &killer.later, 0, write_entry, &soon), 0);
    CHECK_EQ(hkt_loop_call_soon(loop, NULL, write_entry, &last), 0);
    run_for(loop, 0.001);
    CHECK_STR(log.text, "kz");
    /* And the last one in the list, after which more come. */
    CHECK_EQ(hkt_loop_call_soon(loop, &killer.next, write_entry, &soon), 0);
    CHECK(hkt_handle_cancel(&killer.next));
    CHECK_EQ(hkt_loop_call_soon(loop, NULL, write_entry, &last), 0);
    run_for(loop, 0.001);
    CHECK_STR(log.text, "kzz");
    end_loop(loop);
}

struct again {
    hkt_loop *loop;
    hkt_handle handle;
    int left;
};

static int tick(void *arg)
{
    struct again *again = arg;
    return --again->left ? hkt_loop_call_later(again->loop, &again->handle, 0.001, tick, again) : 0;
}

TEST(a_handle_may_be_used_again_in_its_callback)
{
    struct again again = { .loop = must_loop(), .left = 10 };
    double began = hkt_monotonic();
    CHECK_EQ(hkt_loop_call_later(again.loop, &again.handle, 0.001, tick, &again), 0);
    while (again.left)
        run_for(again.loop, 0.001);
    CHECK(hkt_monotonic() - began >= 0.01);
    CHECK(!hkt_handle_pending(&again.handle));
    end_loop(again.loop);
}

/* Callbacks are jobs. */

static int wait_at(void *arg)
{
    CHECK(hkt_loop_running() != NULL);
    CHECK(hkt_task_current() == NULL);
    return stand_at(arg);
}

static int open_in_a_while(void *arg)
{
    struct gate *gate = arg;
    CHECK(hkt_event_is_set(&gate->entered));
    CHECK_EQ(hkt_sleep(0.01), 0);
    hkt_event_set(&gate->open);
    return hkt_yield();
}

TEST(callbacks_may_wait)
{
    struct gate gates[3] = { { .result = 0 }, { .result = 0 }, { .result = 0 } };
    hkt_loop *loop = must_loop();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_loop_call_soon(loop, NULL, wait_at, &gates[i]), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(hkt_loop_run(loop, open_in_a_while, &gates[i]), 0);
    end_loop(loop);
}

TEST(a_callback_that_fails_is_reported_and_the_loop_goes_on)
{
    static atomic_int count;
    struct lines lines;
    lines_open(&lines);
    hkt_loop *loop = must_loop();
    CHECK_EQ(hkt_loop_call_soon(loop, NULL, fail_with_io, "fish"), 0);
    CHECK_EQ(hkt_loop_call_later(loop, NULL, 0.001, fail_with_io, "whale"), 0);
    CHECK_EQ(hkt_loop_call_later(loop, NULL, 0.002, count_up, &count), 0);
    run_for(loop, 0.05);
    CHECK_EQ(lines_count(&lines), 2);
    CHECK(lines_have(&lines, "no fish in the sea"));
    CHECK(lines_have(&lines, "no whale in the sea"));
    CHECK_EQ(atomic_load(&count), 1);
    end_loop(loop);
}

static hkt_context_var *city;

static int is_in(void *arg)
{
    CHECK_STR(hkt_context_get(city), arg);
    return hkt_context_set(city, "Nowhere", NULL);
}

TEST(a_callback_has_the_context_of_who_asked_for_it)
{
    hkt_context_token token;
    hkt_handle handle = { { 0 } };
    CHECK_EQ(hkt_context_var_create(&city, "city", "Bern"), 0);
    hkt_loop *loop = must_loop();
    CHECK_EQ(hkt_context_set(city, "Rome", &token), 0);
    CHECK_EQ(hkt_loop_call_soon(loop, NULL, is_in, "Rome"), 0);
    CHECK_EQ(hkt_loop_call_later(loop, NULL, 0.001, is_in, "Rome"), 0);
    CHECK_EQ(hkt_loop_call_later(loop, &handle, 0.001, is_in, "Rome"), 0);
    CHECK(hkt_handle_cancel(&handle));
    CHECK_EQ(hkt_context_reset(&token), 0);
    CHECK_EQ(hkt_loop_call_soon(loop, NULL, is_in, "Bern"), 0);
    run_for(loop, 0.05);
    CHECK_STR(hkt_context_get(city), "Bern");
    hkt_loop_destroy(loop);
    hkt_context_var_destroy(city);
    check_finalized();
}
