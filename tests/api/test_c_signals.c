/* SPDX-License-Identifier: MIT */
/* C's own calls for signals, beside waits of hocket: the signal arrives, and no wait is cut short. */
#include <hocket/signal.h>
#include <hocket/stream.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/time.h>

#include "loops.h"

static atomic_int came;

static void take_note(int signo)
{
    (void)signo;
    came++;
}

/* Without SA_RESTART: what waits in the system is told -EINTR. */
static void handle(int signo)
{
    struct sigaction action = { .sa_handler = take_note };
    CHECK_EQ(sigaction(signo, &action, NULL), 0);
}

/* What is waited in, and that never comes. */
struct nothing {
    hkt_event event;
    hkt_stream *reader, *writer;
    hkt_deadline deadline;
};

static void begin(struct nothing *nothing)
{
    *nothing = (struct nothing){ .reader = NULL };
    CHECK_EQ(hkt_stream_pipe(&nothing->reader, &nothing->writer), 0);
}

static void end(struct nothing *nothing)
{
    hkt_stream_destroy(nothing->writer);
    hkt_stream_destroy(nothing->reader);
    check_finalized();
}

static int sleep_on(void *arg)
{
    struct nothing *nothing = arg;
    int err = hkt_sleep_until(nothing->deadline);
    return err == 0 ? -ETIMEDOUT : err;
}

static int wait_for_event(void *arg)
{
    struct nothing *nothing = arg;
    return hkt_event_wait_until(&nothing->event, nothing->deadline);
}

static int wait_for_fd(void *arg)
{
    struct nothing *nothing = arg;
    return hkt_fd_wait_until(hkt_stream_fd(nothing->reader), HKT_READABLE, nothing->deadline);
}

static int read_byte(void *arg)
{
    struct nothing *nothing = arg;
    char byte;
    return hkt_stream_read(nothing->reader, &byte, 1);
}

static int wait_for_stream(void *arg)
{
    struct nothing *nothing = arg;
    return hkt_wait_for_until(read_byte, nothing, nothing->deadline);
}

static hkt_job *const waits[] = { sleep_on, wait_for_event, wait_for_fd, wait_for_stream };
enum { WAITS = sizeof waits / sizeof waits[0] };

/* It lasts as long as it should, whatever comes meanwhile. */
static void wait_out(struct nothing *nothing, hkt_job *wait, double seconds)
{
    double began = hkt_monotonic();
    nothing->deadline = hkt_after(seconds);
    CHECK_EQ(wait(nothing), -ETIMEDOUT);
    double took = hkt_monotonic() - began;
    CHECK(took >= seconds && took < seconds + SOON);
}

TEST(an_alarm_rings_beside_a_wait)
{
    struct nothing nothing;
    begin(&nothing);
    handle(SIGALRM);
    CHECK_EQ(alarm(1), 0);
    wait_out(&nothing, wait_for_stream, 1.1);
    AWAIT(came == 1);
    CHECK_EQ(alarm(1000), 0);
    wait_out(&nothing, wait_for_event, 0.01);
    unsigned left = alarm(0);
    CHECK(left > 1000 - 60 && left <= 1000);
    end(&nothing);
}

TEST(an_interval_timer_goes_on_beside_waits)
{
    struct nothing nothing;
    begin(&nothing);
    handle(SIGALRM);
    struct itimerval timer = { { .tv_usec = 2000 }, { .tv_usec = 2000 } }, now;
    CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
    for (int i = 0; i < WAITS; i++) {
        int before = came;
        wait_out(&nothing, waits[i], 0.05);
        AWAIT(came > before);
    }
    CHECK_EQ(getitimer(ITIMER_REAL, &now), 0);
    CHECK_EQ(now.it_interval.tv_usec, 2000);
    CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_usec <= 2000);
    CHECK_EQ(setitimer(ITIMER_REAL, &(struct itimerval){ .it_value = { 0 } }, &now), 0);
    CHECK_EQ(now.it_interval.tv_usec, 2000);
    end(&nothing);
}

/* A thread that waits, in a way, until somebody says so. */
struct sleeper {
    struct nothing nothing;
    hkt_job *wait;
    hkt_scope scope;
    hkt_event entered;
    pthread_t self;
};

static int sleep_in(void *arg)
{
    struct sleeper *sleeper = arg;
    sleeper->self = pthread_self();
    hkt_scope_enter(&sleeper->scope, NULL);
    hkt_event_set(&sleeper->entered);
    int err = sleeper->wait(&sleeper->nothing);
    CHECK_EQ(hkt_scope_leave(&sleeper->scope), -ECANCELED);
    return err == -ECANCELED ? 0 : err;
}

static hkt_thread *start_sleeper(struct sleeper *sleeper, hkt_job *wait)
{
    *sleeper = (struct sleeper){ .wait = wait };
    begin(&sleeper->nothing);
    hkt_thread *thread = must_spawn(sleep_in, sleeper, NULL);
    CHECK_EQ(hkt_event_wait(&sleeper->entered), 0);
    await_asleep(thread);
    return thread;
}

/* It has not been cut short until now. */
static void end_sleeper(struct sleeper *sleeper, hkt_thread *thread)
{
    await_asleep(thread);
    CHECK(!hkt_scope_cancelled(&sleeper->scope));
    hkt_scope_cancel(&sleeper->scope);
    must_join(thread);
    end(&sleeper->nothing);
}

TEST(a_raised_signal_is_handled_at_once_and_others_wait_on)
{
    handle(SIGUSR1);
    for (int i = 0; i < WAITS; i++) {
        struct sleeper sleeper;
        hkt_thread *thread = start_sleeper(&sleeper, waits[i]);
        CHECK_EQ(raise(SIGUSR1), 0);
        CHECK_EQ(came, i + 1);
        end_sleeper(&sleeper, thread);
    }
}

/* The handler runs on the thread that waits, whether or not such calls are to be told -EINTR. TSan lets a
 * signal in when the thread makes a call: that is when its wait is over. */
static void hit_sleepers(int signo)
{
    for (int i = 0; i < WAITS; i++) {
        struct sleeper sleeper;
        int before = came;
        hkt_thread *thread = start_sleeper(&sleeper, waits[i]);
        CHECK_EQ(pthread_kill(sleeper.self, signo), 0);
        if (!UNDER_TSAN)
            AWAIT(came == before + 1);
        end_sleeper(&sleeper, thread);
        CHECK_EQ(came, before + 1);
    }
}

#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* that POSIX calls it old */

TEST(siginterrupt_changes_nothing_for_waits)
{
    CHECK(signal(SIGUSR1, take_note) == SIG_DFL);
    CHECK_EQ(siginterrupt(SIGUSR1, 1), 0);
    hit_sleepers(SIGUSR1);
    CHECK_EQ(siginterrupt(SIGUSR1, 0), 0);
    hit_sleepers(SIGUSR1);
}

TEST(a_blocked_signal_is_pending_over_waits_and_comes_when_it_is_let_in)
{
    struct nothing nothing;
    sigset_t blocked, old, pending;
    begin(&nothing);
    handle(SIGUSR1);
    CHECK_EQ(sigemptyset(&blocked), 0);
    CHECK_EQ(sigaddset(&blocked, SIGUSR1), 0);
    for (int i = 0; i < WAITS; i++) {
        CHECK_EQ(pthread_sigmask(SIG_BLOCK, &blocked, &old), 0);
        CHECK_EQ(sigismember(&old, SIGUSR1), 0);
        CHECK_EQ(raise(SIGUSR1), 0);
        wait_out(&nothing, waits[i], 0.01);
        CHECK_EQ(came, i);
        CHECK_EQ(sigpending(&pending), 0);
        CHECK_EQ(sigismember(&pending, SIGUSR1), 1);
        CHECK_EQ(pthread_sigmask(SIG_SETMASK, &old, &blocked), 0);
        CHECK_EQ(sigismember(&blocked, SIGUSR1), 1); /* as we have left it */
        CHECK_EQ(came, i + 1);
        CHECK_EQ(sigpending(&pending), 0);
        CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
    }
    end(&nothing);
}

TEST(sigfillset_has_all_that_can_be_waited_for)
{
    sigset_t all;
    int count = 0;
    CHECK_EQ(sigfillset(&all), 0);
    for (int signo = 1; signo <= SIGRTMAX; signo++) {
        hkt_signals *signals = NULL;
        int err = hkt_signals_create(&signals, 1, &signo);
        bool can = sigismember(&all, signo) == 1 && signo != SIGKILL && signo != SIGSTOP;
        CHECK_EQ(err, can ? 0 : -EINVAL);
        count += can;
        hkt_signals_destroy(signals);
    }
    CHECK(count > 50);
    check_finalized();
}

TEST(sigaction_tells_who_has_a_signal)
{
    const int signo = SIGUSR1;
    struct sigaction action;
    hkt_signals *signals, *others;
    handle(signo);
    CHECK_EQ(hkt_signals_create(&signals, 1, &signo), 0);
    CHECK_EQ(sigaction(signo, NULL, &action), 0);
    CHECK(action.sa_handler != take_note && action.sa_handler != SIG_DFL);
    CHECK_EQ(hkt_signals_create(&others, 1, &signo), -EALREADY);
    CHECK_EQ(raise(signo), 0);
    CHECK_EQ(hkt_signals_wait(signals), signo);
    hkt_signals_destroy(signals);
    CHECK_EQ(sigaction(signo, NULL, &action), 0);
    CHECK(action.sa_handler == take_note);
    CHECK_EQ(came, 0);
    CHECK_EQ(raise(signo), 0);
    CHECK_EQ(came, 1);
    check_finalized();
}
