/* SPDX-License-Identifier: MIT */
/* hocket/signal.h: signals that are waited for. */
#include <hocket/signal.h>
#include <sys/resource.h>

#include "loops.h"

static hkt_signals *must_have(int count, const int signos[])
{
    hkt_signals *signals = NULL;
    CHECK_EQ(hkt_signals_create(&signals, count, signos), 0);
    CHECK(signals != NULL);
    return signals;
}

static hkt_signals *must_have_usr1(void)
{
    return must_have(1, (const int[]){ SIGUSR1 });
}

static hkt_signals *must_have_both(void)
{
    return must_have(2, (const int[]){ SIGUSR2, SIGUSR1 });
}

/* The last of a test. */
static void end(hkt_signals *signals)
{
    hkt_signals_destroy(signals);
    check_finalized();
}

static int wait_for_one(void *signals)
{
    return hkt_signals_wait(signals);
}

static bool is_default(int signo)
{
    struct sigaction action;
    CHECK_EQ(sigaction(signo, NULL, &action), 0);
    return action.sa_handler == SIG_DFL;
}

TEST(a_signal_that_came_is_told)
{
    hkt_signals *signals = must_have_usr1();
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(raise(SIGUSR1), 0);
        CHECK_EQ(hkt_signals_wait(signals), SIGUSR1);
        CHECK_EQ(hkt_signals_wait_nowait(signals), -EAGAIN);
    }
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(hkt_signals_wait_nowait(signals), SIGUSR1);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(hkt_signals_wait_until(signals, hkt_after(0)), SIGUSR1);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(hkt_signals_wait_until(signals, hkt_after(100)), SIGUSR1);
    end(signals);
}

TEST(who_waits_is_woken_by_a_signal)
{
    struct caller caller;
    hkt_signals *signals = must_have_both();
    const int signos[] = { SIGUSR1, SIGUSR2 };
    for (int i = 0; i < 6; i++) {
        caller_start_waiting(&caller, wait_for_one, signals, signals);
        CHECK_EQ(raise(signos[i % 2]), 0);
        CHECK_EQ(caller_end(&caller), signos[i % 2]);
    }
    end(signals);
}

/* To the process, as kill(1) does it; TSan holds it back from a thread that only waits. */
static int send_to_process(void *arg)
{
    (void)arg;
    CHECK_EQ(hkt_sleep(0.002), 0);
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    if (UNDER_TSAN)
        CHECK_EQ(raise(SIGUSR1), 0);
    return 0;
}

TEST(a_signal_of_the_process_wakes_who_waits)
{
    struct caller caller;
    hkt_signals *signals = must_have_usr1();
    caller_start(&caller, send_to_process, NULL);
    CHECK_EQ(hkt_signals_wait(signals), SIGUSR1);
    CHECK_EQ(caller_end(&caller), 0);
    end(signals);
}

TEST(those_of_one_kind_are_told_once_and_of_several_the_lowest_first)
{
    hkt_signals *signals = must_have(3, (const int[]){ SIGRTMAX, SIGUSR2, SIGUSR1 });
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(raise(SIGRTMAX), 0);
        CHECK_EQ(raise(SIGUSR2), 0);
        CHECK_EQ(raise(SIGUSR1), 0);
    }
    CHECK_EQ(hkt_signals_wait(signals), SIGUSR1);
    CHECK_EQ(hkt_signals_wait(signals), SIGUSR2);
    CHECK_EQ(hkt_signals_wait(signals), SIGRTMAX);
    CHECK_EQ(hkt_signals_wait_until(signals, hkt_after(0.001)), -ETIMEDOUT);
    end(signals);
}

TEST(a_wait_ends_with_its_deadline)
{
    hkt_signals *signals = must_have_usr1();
    CHECK_EQ(hkt_signals_wait_until(signals, hkt_after(0)), -ETIMEDOUT);
    CHECK_EQ(hkt_signals_wait_until(signals, hkt_after(-1)), -ETIMEDOUT);
    double began = hkt_monotonic();
    CHECK_EQ(hkt_signals_wait_until(signals, hkt_after(0.02)), -ETIMEDOUT);
    double took = hkt_monotonic() - began;
    CHECK(took >= 0.02 && took < SOON);
    end(signals);
}

TEST(a_wait_ends_with_its_scope_and_no_signal_is_lost)
{
    struct caller caller;
    hkt_signals *signals = must_have_usr1();
    caller_start_waiting(&caller, wait_for_one, signals, signals);
    caller_cancel(&caller);
    CHECK_EQ(caller_end(&caller), -ECANCELED);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(call_cancelled(wait_for_one, signals), -ECANCELED);
    CHECK_EQ(call_cancelled(wait_for_one, signals), -ECANCELED);
    CHECK_EQ(hkt_signals_wait(signals), SIGUSR1);
    end(signals);
}

/* A cancel and a signal at once: the one who waited has it, or it is there. */
TEST(a_cancel_at_the_same_time_loses_no_signal)
{
    hkt_signals *signals = must_have_usr1();
    for (long i = 0; i < test_scaled(500); i++) {
        struct caller caller;
        caller_start(&caller, wait_for_one, signals);
        if (i % 2)
            caller_cancel(&caller);
        CHECK_EQ(raise(SIGUSR1), 0);
        if (i % 2 == 0)
            caller_cancel(&caller);
        int told = caller_end(&caller);
        CHECK(told == SIGUSR1 || told == -ECANCELED);
        CHECK_EQ(hkt_signals_wait_nowait(signals), told == SIGUSR1 ? -EAGAIN : SIGUSR1);
    }
    end(signals);
}

/* Several who wait, in threads and in tasks. */
struct crowd {
    hkt_signals *signals;
    atomic_long told[65];
    atomic_long left; /* so many are to be told; then all end */
};

static int be_told(void *arg)
{
    struct crowd *crowd = *(struct crowd **)arg;
    int signo;
    while ((signo = hkt_signals_wait(crowd->signals)) != SIGRTMIN) {
        CHECK(signo == SIGUSR1 || signo == SIGUSR2);
        atomic_fetch_add(&crowd->told[signo], 1);
    }
    CHECK_EQ(raise(SIGRTMIN), 0); /* the next one ends too */
    return 0;
}

static int send_many(void *arg)
{
    struct crowd *crowd = arg;
    for (long i = 1; i <= atomic_load(&crowd->left); i++) {
        CHECK_EQ(raise(SIGUSR1), 0);
        CHECK_EQ(raise(SIGUSR2), 0);
        AWAIT(atomic_load(&crowd->told[SIGUSR1]) == i && atomic_load(&crowd->told[SIGUSR2]) == i);
    }
    CHECK_EQ(raise(SIGRTMIN), 0);
    return 0;
}

TEST_TIMEOUT(each_signal_is_told_to_one_of_those_who_wait, 60)
{
    struct crowd crowd = { .signals = must_have(3, (const int[]){ SIGUSR1, SIGUSR2, SIGRTMIN }) };
    struct crowd *args[6];
    struct caller sender;
    for (int i = 0; i < 6; i++)
        args[i] = &crowd;
    atomic_store(&crowd.left, test_scaled(1000));
    caller_start(&sender, send_many, &crowd);
    call_in_threads(6, be_told, args, sizeof *args);
    CHECK_EQ(caller_end(&sender), 0);
    CHECK_EQ(hkt_signals_wait(crowd.signals), SIGRTMIN);
    CHECK_EQ(hkt_signals_wait_nowait(crowd.signals), -EAGAIN);
    end(crowd.signals);
}

/* Each of them takes one and goes; who is first leaves word for the other. */
TEST(two_signals_at_once_are_told_to_two)
{
    hkt_signals *signals = must_have_both();
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    for (long i = 0; i < test_scaled(200); i++) {
        struct caller callers[2];
        CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, &before), 0);
        for (int j = 0; j < 2; j++)
            caller_start_waiting(&callers[j], wait_for_one, signals, signals);
        await_asleep(callers[0].thread);
        await_asleep(callers[1].thread);
        CHECK_EQ(raise(SIGUSR1), 0);
        CHECK_EQ(raise(SIGUSR2), 0);
        CHECK_EQ(pthread_sigmask(SIG_SETMASK, &before, NULL), 0); /* now both come */
        CHECK_EQ(caller_end(&callers[0]) + caller_end(&callers[1]), SIGUSR1 + SIGUSR2);
    }
    end(signals);
}

static void old_handler(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)info;
    (void)context;
}

TEST(the_actions_from_before_come_back)
{
    struct sigaction mine = { .sa_flags = SA_SIGINFO | SA_NODEFER }, now;
    mine.sa_sigaction = old_handler;
    sigaddset(&mine.sa_mask, SIGHUP);
    CHECK_EQ(sigaction(SIGUSR1, &mine, NULL), 0);
    CHECK(signal(SIGUSR2, SIG_IGN) == SIG_DFL);
    hkt_signals *signals = must_have(4, (const int[]){ SIGUSR1, SIGUSR2, SIGTERM, SIGUSR1 });
    CHECK_EQ(raise(SIGTERM), 0);
    CHECK_EQ(raise(SIGUSR2), 0);
    CHECK_EQ(hkt_signals_wait(signals), SIGUSR2);
    CHECK_EQ(hkt_signals_wait(signals), SIGTERM);
    hkt_signals_destroy(signals);
    CHECK(is_default(SIGTERM));
    CHECK_EQ(sigaction(SIGUSR1, NULL, &now), 0);
    CHECK(now.sa_sigaction == old_handler);
    CHECK(now.sa_flags & SA_SIGINFO && now.sa_flags & SA_NODEFER && !(now.sa_flags & SA_RESTART));
    CHECK_EQ(sigismember(&now.sa_mask, SIGHUP), 1);
    CHECK(signal(SIGUSR2, SIG_DFL) == SIG_IGN);
    CHECK(signal(SIGUSR1, SIG_DFL) != SIG_ERR);
    hkt_signals_destroy(NULL);
    check_finalized();
}

TEST(a_signal_has_one_who_waits_for_it)
{
    hkt_signals *signals = must_have_usr1(), *other = NULL;
    CHECK_EQ(hkt_signals_create(&other, 2, (const int[]){ SIGUSR2, SIGUSR1 }), -EALREADY);
    CHECK(strstr(hkt_sentence(-EALREADY), "signal 10") != NULL);
    CHECK(other == NULL);
    CHECK(is_default(SIGUSR2)); /* given back */
    CHECK(!is_default(SIGUSR1));
    other = must_have(1, (const int[]){ SIGUSR2 });
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(raise(SIGUSR2), 0);
    CHECK_EQ(hkt_signals_wait(other), SIGUSR2);
    CHECK_EQ(hkt_signals_wait(signals), SIGUSR1);
    hkt_signals_destroy(signals);
    hkt_signals_destroy(other);
    end(must_have_both());
}

/* In a thread, since a test may be in a loop itself. */
static int share_with_a_loop(void *arg)
{
    (void)arg;
    hkt_loop *loop = must_loop();
    hkt_signals *signals = NULL;
    CHECK_EQ(hkt_loop_add_signal_handler(loop, SIGUSR1, do_nothing, NULL), 0);
    CHECK_EQ(hkt_signals_create(&signals, 1, (const int[]){ SIGUSR1 }), -EALREADY);
    CHECK(hkt_loop_remove_signal_handler(loop, SIGUSR1));
    signals = must_have_usr1();
    CHECK_EQ(hkt_loop_add_signal_handler(loop, SIGUSR1, do_nothing, NULL), -EALREADY);
    CHECK(!hkt_loop_remove_signal_handler(loop, SIGUSR1));
    CHECK(!is_default(SIGUSR1));
    hkt_loop_destroy(loop); /* takes nothing away */
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(hkt_signals_wait(signals), SIGUSR1);
    hkt_signals_destroy(signals);
    return 0;
}

TEST(a_signal_belongs_to_a_loop_or_to_those_who_wait)
{
    CHECK_EQ(call_elsewhere(share_with_a_loop, NULL), 0);
    check_finalized();
}

TEST(what_cannot_be_caught_is_told)
{
    const int wrong[] = { 0, -1, 65, 1000, SIGKILL, SIGSTOP, 32, INT32_MIN };
    hkt_signals *signals = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const int signos[] = { SIGUSR1, wrong[i] };
        CHECK_EQ(hkt_signals_create(&signals, 2, signos), -EINVAL);
        CHECK(signals == NULL);
        CHECK(is_default(SIGUSR1));
    }
    CHECK_EQ(hkt_signals_create(&signals, 0, NULL), -EINVAL);
    CHECK_EQ(hkt_signals_create(&signals, -1, NULL), -EINVAL);
    end(must_have_usr1());
}

TEST(without_fds_there_are_none)
{
    struct rlimit usual, none = { .rlim_cur = 0 };
    hkt_signals *signals = NULL;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &usual), 0);
    none.rlim_max = usual.rlim_max;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK_EQ(hkt_signals_create(&signals, 1, (const int[]){ SIGUSR1 }), -EMFILE);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &usual), 0);
    CHECK(signals == NULL && is_default(SIGUSR1));
    end(must_have_usr1());
}

static void *refuse(void *context, size_t size)
{
    (void)context;
    (void)size;
    return NULL;
}

static void never(void *context, void *memory, size_t size)
{
    (void)context;
    (void)memory;
    (void)size;
    CHECK(false);
}

TEST(without_memory_there_are_none)
{
    const hkt_allocator none = { refuse, never, NULL, { 0 } };
    hkt_signals *signals = NULL;
    CHECK_EQ(hkt_set_allocator(&none), 0);
    CHECK_EQ(hkt_signals_create(&signals, 1, (const int[]){ SIGUSR1 }), -ENOMEM);
    CHECK(signals == NULL && is_default(SIGUSR1));
    CHECK_EQ(hkt_set_allocator(NULL), 0);
    end(must_have_usr1());
}

TEST(errno_stays)
{
    hkt_signals *signals = must_have_usr1();
    errno = 77;
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(errno, 77);
    CHECK_EQ(hkt_signals_wait(signals), SIGUSR1);
    CHECK_EQ(hkt_signals_wait_until(signals, hkt_after(0.001)), -ETIMEDOUT);
    CHECK_EQ(hkt_signals_create(&(hkt_signals *){ NULL }, 1, (const int[]){ SIGKILL }), -EINVAL);
    hkt_signals_destroy(signals);
    CHECK_EQ(errno, 77);
    check_finalized();
}

static int shower(void *stop)
{
    while (!atomic_load((atomic_bool *)stop)) {
        CHECK_EQ(raise(SIGUSR1), 0);
        CHECK_EQ(kill(getpid(), SIGUSR2), 0);
    }
    return 0;
}

/* Made and given back while they come, each time with something else before. */
TEST_TIMEOUT(objects_come_and_go_in_a_shower_of_signals, 60)
{
    atomic_bool stop = false;
    struct caller callers[2];
    CHECK(signal(SIGUSR1, SIG_IGN) == SIG_DFL);
    CHECK(signal(SIGUSR2, SIG_IGN) == SIG_DFL);
    caller_start(&callers[0], shower, &stop);
    caller_start(&callers[1], shower, &stop);
    for (long i = 0; i < test_scaled(400); i++) {
        hkt_signals *signals = must_have_both();
        int signo = hkt_signals_wait(signals);
        CHECK(signo == SIGUSR1 || signo == SIGUSR2);
        hkt_signals_destroy(signals);
    }
    atomic_store(&stop, true);
    CHECK_EQ(caller_end(&callers[0]), 0);
    CHECK_EQ(caller_end(&callers[1]), 0);
    CHECK(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
    CHECK(signal(SIGUSR2, SIG_DFL) == SIG_IGN);
    check_finalized();
}

/* None of the last ones is lost, whoever takes them. */
TEST_TIMEOUT(the_last_signal_of_a_shower_is_told, 60)
{
    hkt_signals *signals = must_have_both();
    for (long round = 0; round < test_scaled(300); round++) {
        struct caller caller;
        caller_start(&caller, wait_for_one, signals);
        for (int i = 0; i < 20; i++)
            CHECK_EQ(raise(i % 3 ? SIGUSR1 : SIGUSR2), 0);
        int first = caller_end(&caller), next;
        CHECK(first == SIGUSR1 || first == SIGUSR2);
        CHECK_EQ(raise(SIGUSR1), 0);
        CHECK_EQ(hkt_signals_wait(signals), SIGUSR1);
        next = hkt_signals_wait_nowait(signals);
        CHECK(next == SIGUSR2 || next == -EAGAIN);
        CHECK_EQ(hkt_signals_wait_nowait(signals), -EAGAIN);
    }
    end(signals);
}
