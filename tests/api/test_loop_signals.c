/* SPDX-License-Identifier: MIT */
/* Signal handlers of a loop. */
#include <sched.h>

#include "loops.h"

static bool is_default(int signo)
{
    struct sigaction action;
    CHECK_EQ(sigaction(signo, NULL, &action), 0);
    return action.sa_handler == SIG_DFL;
}

static void run_for(hkt_loop *loop, double seconds)
{
    CHECK_EQ(hkt_loop_run(loop, sleep_seconds, &seconds), 0);
}

struct receiver {
    hkt_loop *loop;
    int calls;
    bool stops;
};

static int receive(void *arg)
{
    struct receiver *receiver = arg;
    CHECK(hkt_loop_running() == receiver->loop);
    receiver->calls++;
    if (receiver->stops)
        hkt_loop_stop(receiver->loop);
    return 0;
}

static void handle(struct receiver *receiver, int signo)
{
    CHECK_EQ(hkt_loop_add_signal_handler(receiver->loop, signo, receive, receiver), 0);
}

TEST(a_signal_is_a_call)
{
    struct receiver receiver = { .loop = must_loop(), .stops = true };
    handle(&receiver, SIGUSR1);
    CHECK(!is_default(SIGUSR1));
    for (int i = 1; i <= 3; i++) {
        CHECK_EQ(raise(SIGUSR1), 0); /* while the loop does not run */
        CHECK_EQ(receiver.calls, i - 1);
        CHECK_EQ(hkt_loop_run_forever(receiver.loop), 0);
        CHECK_EQ(receiver.calls, i);
    }
    CHECK(hkt_loop_remove_signal_handler(receiver.loop, SIGUSR1));
    CHECK(!hkt_loop_remove_signal_handler(receiver.loop, SIGUSR1));
    CHECK(is_default(SIGUSR1));
    end_loop(receiver.loop);
}

TEST(signals_that_come_meanwhile_are_one_call)
{
    struct receiver receiver = { .loop = must_loop() };
    handle(&receiver, SIGUSR1);
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(raise(SIGUSR1), 0);
    run_for(receiver.loop, 0.001);
    CHECK_EQ(receiver.calls, 1);
    end_loop(receiver.loop);
}

/* One after the other by another thread, each heard before the next one comes: the loop sleeps, or is
 * about to. */
struct sender {
    struct receiver *receiver;
    atomic_long heard;
    long count;
};

static int hear(void *arg)
{
    struct sender *sender = arg;
    atomic_fetch_add(&sender->heard, 1);
    return 0;
}

/* TSan holds back a signal that comes to a thread that only waits and switches; under it, this thread
 * alone takes them, and makes calls that TSan knows. */
static void take_signals(bool here)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    if (UNDER_TSAN)
        CHECK_EQ(pthread_sigmask(here ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL), 0);
}

static int send_signals(void *arg)
{
    struct sender *sender = arg;
    take_signals(true);
    for (long i = 0; i < sender->count; i++) {
        CHECK_EQ(kill(getpid(), SIGUSR1), 0);
        while (atomic_load(&sender->heard) <= i)
            nanosleep(&(struct timespec){ 0 }, NULL);
    }
    hkt_loop_stop(sender->receiver->loop);
    return 0;
}

/* Without fds it sleeps on a futex, with them in the poller. */
static void hear_by_the_thousand(bool with_fds)
{
    int ends[2];
    struct caller caller;
    struct receiver receiver = { .loop = must_loop() };
    struct sender sender = { .receiver = &receiver, .count = test_scaled(3000) };
    CHECK_EQ(pipe(ends), 0);
    if (with_fds)
        CHECK_EQ(hkt_loop_add_watcher(receiver.loop, ends[0], HKT_READABLE, do_nothing, NULL), 0);
    take_signals(false);
    CHECK_EQ(hkt_loop_add_signal_handler(receiver.loop, SIGUSR1, hear, &sender), 0);
    caller_start(&caller, send_signals, &sender);
    CHECK_EQ(hkt_loop_run_forever(receiver.loop), 0);
    CHECK_EQ(caller_end(&caller), 0);
    CHECK_EQ(atomic_load(&sender.heard), sender.count);
    end_loop(receiver.loop);
    close(ends[0]);
    close(ends[1]);
}

TEST_TIMEOUT(signals_by_the_thousand_are_heard, 60)
{
    hear_by_the_thousand(false);
}

TEST_TIMEOUT(signals_by_the_thousand_are_heard_beside_fds, 60)
{
    hear_by_the_thousand(true);
}

/* Without waiting for each: none of the last ones may be lost, while tasks run and other threads hand
 * in work. */
static int shower(void *arg)
{
    struct sender *sender = arg;
    take_signals(true);
    for (long i = 0; i < sender->count; i++)
        CHECK_EQ(kill(getpid(), i % 2 ? SIGUSR1 : SIGUSR2), 0);
    return 0;
}

static int hand_in(void *arg)
{
    struct sender *sender = arg;
    for (long i = 0; i < sender->count; i++)
        CHECK_EQ(hkt_loop_call_soon(sender->receiver->loop, NULL, do_nothing, NULL), 0);
    return 0;
}

TEST_TIMEOUT(signals_come_while_other_threads_hand_in_work, 60)
{
    struct caller callers[2];
    hkt_loop *loop = must_loop();
    struct receiver one = { .loop = loop }, two = { .loop = loop };
    struct sender sender = { .receiver = &one, .count = test_scaled(5000) };
    handle(&one, SIGUSR1);
    handle(&two, SIGUSR2);
    hkt_future *busy = must_submit(hkt_loop_executor(loop), yield_forever, NULL);
    take_signals(false);
    caller_start(&callers[0], shower, &sender);
    caller_start(&callers[1], hand_in, &sender);
    while (hkt_thread_is_alive(callers[0].thread) || hkt_thread_is_alive(callers[1].thread))
        run_for(loop, 0.001);
    CHECK_EQ(caller_end(&callers[0]), 0);
    CHECK_EQ(caller_end(&callers[1]), 0);
    do
        run_for(loop, 0.001);
    while (one.calls == 0 || two.calls == 0);
    int calls = one.calls;
    take_signals(true);
    CHECK_EQ(raise(SIGUSR1), 0);
    do
        run_for(loop, 0.001);
    while (one.calls == calls);
    CHECK_EQ(one.calls, calls + 1);
    hkt_future_destroy(busy);
    end_loop(loop);
}

TEST(two_signals_are_two_calls)
{
    hkt_loop *loop = must_loop();
    struct receiver one = { .loop = loop }, two = { .loop = loop };
    handle(&one, SIGUSR1);
    handle(&two, SIGRTMAX);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(raise(SIGRTMAX), 0);
    CHECK_EQ(raise(SIGUSR1), 0);
    run_for(loop, 0.001);
    CHECK_EQ(one.calls, 1);
    CHECK_EQ(two.calls, 1);
    CHECK(hkt_loop_remove_signal_handler(loop, SIGUSR1));
    CHECK(is_default(SIGUSR1));
    CHECK(!is_default(SIGRTMAX));
    CHECK_EQ(raise(SIGRTMAX), 0);
    run_for(loop, 0.001);
    CHECK_EQ(two.calls, 2);
    end_loop(loop);
    CHECK(is_default(SIGRTMAX));
}

TEST(a_signal_has_one_loop_and_one_callback)
{
    struct receiver one = { .loop = must_loop() }, two = { .loop = must_loop() };
    handle(&one, SIGUSR1);
    CHECK_EQ(hkt_loop_add_signal_handler(one.loop, SIGUSR1, receive, &one), -EALREADY);
    CHECK_EQ(hkt_loop_add_signal_handler(two.loop, SIGUSR1, receive, &two), -EALREADY);
    CHECK(!hkt_loop_remove_signal_handler(two.loop, SIGUSR1));
    hkt_loop_destroy(one.loop); /* takes it back */
    CHECK(is_default(SIGUSR1));
    handle(&two, SIGUSR1);
    CHECK_EQ(raise(SIGUSR1), 0);
    run_for(two.loop, 0.001);
    CHECK_EQ(one.calls, 0);
    CHECK_EQ(two.calls, 1);
    end_loop(two.loop);
}

TEST(what_cannot_be_caught_is_told)
{
    hkt_loop *loop = must_loop();
    int wrong[] = { 0, -1, 65, 1000, SIGKILL, SIGSTOP };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_EQ(hkt_loop_add_signal_handler(loop, wrong[i], do_nothing, NULL), -EINVAL);
        CHECK(!hkt_loop_remove_signal_handler(loop, wrong[i]));
    }
    CHECK_EQ(hkt_loop_add_signal_handler(loop, SIGUSR1, NULL, NULL), -EINVAL);
    CHECK_EQ(hkt_loop_add_signal_handler(loop, SIGUSR1, do_nothing, NULL), 0);
    end_loop(loop);
}

/* One that came before it was taken back is not told any more. */
TEST(a_signal_that_was_taken_back_is_not_told)
{
    struct receiver receiver = { .loop = must_loop() };
    handle(&receiver, SIGUSR1);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK(hkt_loop_remove_signal_handler(receiver.loop, SIGUSR1));
    run_for(receiver.loop, 0.001);
    CHECK_EQ(receiver.calls, 0);
    end_loop(receiver.loop);
}

static int remove_itself(void *arg)
{
    struct receiver *receiver = arg;
    CHECK(hkt_loop_remove_signal_handler(receiver->loop, SIGUSR1));
    CHECK(is_default(SIGUSR1));
    handle(receiver, SIGUSR1);
    CHECK_EQ(raise(SIGUSR1), 0);
    return 0;
}

TEST(a_signal_handler_replaces_itself)
{
    struct receiver receiver = { .loop = must_loop() };
    CHECK_EQ(hkt_loop_add_signal_handler(receiver.loop, SIGUSR1, remove_itself, &receiver), 0);
    CHECK_EQ(raise(SIGUSR1), 0);
    run_for(receiver.loop, 0.01);
    CHECK_EQ(receiver.calls, 1);
    end_loop(receiver.loop);
}

/* In another thread, whatever thread the signal interrupts. */
static int hear_in_a_thread(void *arg)
{
    sigset_t set;
    (void)arg;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
    struct receiver receiver = { .loop = must_loop(), .stops = true };
    handle(&receiver, SIGUSR1);
    for (long i = 0; i < test_scaled(200); i++) {
        CHECK_EQ(kill(getpid(), SIGUSR1), 0);
        CHECK_EQ(hkt_loop_run_forever(receiver.loop), 0);
    }
    CHECK_EQ(receiver.calls, test_scaled(200));
    hkt_loop_destroy(receiver.loop);
    return 0;
}

TEST(a_loop_of_any_thread_hears_signals)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    if (UNDER_TSAN) /* which would hold back what comes to this thread, since it only waits */
        CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    CHECK_EQ(call_elsewhere(hear_in_a_thread, NULL), 0);
    check_finalized();
}

static int wait_in_callback(void *arg)
{
    struct receiver *receiver = arg;
    receiver->calls++;
    return hkt_sleep(0.01);
}

TEST(a_signal_that_comes_while_its_callback_waits_is_another_call)
{
    struct receiver receiver = { .loop = must_loop() };
    CHECK_EQ(hkt_loop_add_signal_handler(receiver.loop, SIGUSR1, wait_in_callback, &receiver), 0);
    CHECK_EQ(raise(SIGUSR1), 0);
    run_for(receiver.loop, 0.002);
    CHECK_EQ(receiver.calls, 1);
    CHECK_EQ(raise(SIGUSR1), 0);
    run_for(receiver.loop, 0.05);
    CHECK_EQ(receiver.calls, 2);
    end_loop(receiver.loop);
}
