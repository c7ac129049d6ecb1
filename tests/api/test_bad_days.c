/* SPDX-License-Identifier: MIT */
/* Bad days of other kinds: objects destroyed in use, a stopped process, a stopped thread. Memory,
 * threads, fds, signals, forks and the clock have files of their own (test_bad_*.c). */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "waits.h"

static void destroy_with_waiter(size_t kind, bool full)
{
    static struct place place;
    static struct waiter waiter;
    place_open(&place);
    waiter = (struct waiter){ .place = &place, .kind = &wait_kinds[kind] };
    waiter_start(&waiter);
    await_asleep(waiter.thread);
    hkt_queue_destroy(full ? place.full : place.empty);
}

TEST_ABORTS(destroying_a_queue_with_a_getter_is_misuse, "hkt_queue_destroy: threads wait in queue")
{
    destroy_with_waiter(10, false);
}

TEST_ABORTS(destroying_a_queue_with_a_putter_is_misuse, "shut it down and join them first")
{
    destroy_with_waiter(9, true);
}

TEST_ABORTS(destroying_a_queue_with_a_joiner_is_misuse, "hkt_queue_destroy: threads wait in queue")
{
    destroy_with_waiter(11, true);
}

/* A child of the test that is to be stopped as a whole; forked before any thread runs. */
struct stopped {
    pid_t pid;
    int ready; /* gets a byte when its threads wait */
};

static struct stopped start_child(void (*body)(int ready))
{
    int fds[2];
    struct stopped child;
    CHECK_EQ(pipe(fds), 0);
    child.pid = fork();
    if (child.pid == 0) {
        close(fds[0]);
        body(fds[1]);
        _exit(0);
    }
    close(fds[1]);
    child.ready = fds[0];
    char byte;
    CHECK_EQ(read(child.ready, &byte, 1), 1);
    return child;
}

static void stop_for(const struct stopped *child, double seconds)
{
    int status = 0;
    double before = hkt_monotonic();
    CHECK_EQ(kill(child->pid, SIGSTOP), 0);
    CHECK_EQ(waitpid(child->pid, &status, WUNTRACED), child->pid);
    CHECK(WIFSTOPPED(status));
    await_time(before + seconds);
    CHECK_EQ(kill(child->pid, SIGCONT), 0);
}

static void end_child(const struct stopped *child)
{
    int status = 0;
    CHECK_EQ(waitpid(child->pid, &status, 0), child->pid);
    close(child->ready);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
}

/* A timed wait of each kind, at the same time; all of them are right afterwards. */
static void wait_in_all_ways(int ready, double seconds)
{
    static struct place places[32];
    static struct waiter waiters[32];
    CHECK(wait_kind_count <= 32);
    double before = hkt_monotonic();
    for (size_t i = 0; i < wait_kind_count; i++) {
        place_open(&places[i]);
        waiters[i] = (struct waiter){ .place = &places[i], .kind = &wait_kinds[i] };
        if (wait_kinds[i].wait_until)
            waiters[i].deadline = hkt_after(seconds);
        else
            waiters[i].options.deadline = hkt_after(seconds);
        waiter_start(&waiters[i]);
    }
    CHECK_EQ(write(ready, "x", 1), 1);
    for (size_t i = 0; i < wait_kind_count; i++) {
        waiter_join(&waiters[i]);
        bool own = waiters[i].deadline.ns != 0;
        CHECK_EQ(waiters[i].result, own ? wait_kinds[i].timed_out : -ECANCELED);
        CHECK_EQ(waiters[i].left, own ? 0 : -ETIMEDOUT);
        CHECK(hkt_monotonic() - before >= seconds - 1e-6);
    }
    for (size_t i = 0; i < wait_kind_count; i++)
        place_close(&places[i]);
    CHECK_EQ(hkt_allocation_count(), 0);
}

static void wait_a_quarter(int ready)
{
    wait_in_all_ways(ready, 0.25);
}

TEST(a_process_stopped_beyond_its_deadlines)
{
    struct stopped child = start_child(wait_a_quarter);
    stop_for(&child, 0.4);
    end_child(&child);
}

TEST(a_process_stopped_again_and_again)
{
    struct stopped child = start_child(wait_a_quarter);
    for (int i = 0; i < 10; i++)
        stop_for(&child, 0.01);
    end_child(&child);
}

/* Traffic between threads survives a stop in the middle. */
static atomic_long rounds;

static int pass_on(void *arg)
{
    hkt_queue **queues = arg;
    long item;
    int err;
    while ((err = hkt_queue_get(queues[0], &item)) == 0) {
        rounds++;
        if ((err = hkt_queue_put(queues[1], &item)) < 0)
            break;
    }
    return err == -ESHUTDOWN ? 0 : err;
}

static void circulate(int ready)
{
    hkt_queue *queues[2], *back[2];
    long item = 1;
    for (int i = 0; i < 2; i++)
        CHECK_EQ(hkt_queue_create(&queues[i], sizeof(long), NULL), 0);
    back[0] = queues[1];
    back[1] = queues[0];
    hkt_thread *there = must_spawn(pass_on, queues, NULL);
    hkt_thread *again = must_spawn(pass_on, back, NULL);
    CHECK_EQ(hkt_queue_put(queues[0], &item), 0);
    CHECK_EQ(write(ready, "x", 1), 1);
    AWAIT(rounds >= test_scaled(20000));
    for (int i = 0; i < 2; i++)
        hkt_queue_shutdown(queues[i], true);
    must_join(there);
    must_join(again);
    for (int i = 0; i < 2; i++)
        hkt_queue_destroy(queues[i]);
}

TEST(traffic_goes_on_after_a_stop)
{
    struct stopped child = start_child(circulate);
    stop_for(&child, 0.05);
    end_child(&child);
}

/* One thread is stopped, as by a debugger: it sits in a signal handler until it is told. */
static int gate[2];
static atomic_int stopped_threads;

static void stop_here(int signo)
{
    char byte;
    (void)signo;
    stopped_threads++;
    while (read(gate[0], &byte, 1) < 0)
        ;
    stopped_threads--;
}

static void can_stop(void)
{
    if (UNDER_TSAN)
        TEST_SKIP("TSan keeps signals back until the thread calls it");
    struct sigaction action = { .sa_handler = stop_here, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    CHECK_EQ(sigaction(SIGUSR2, &action, NULL), 0);
    CHECK_EQ(pipe(gate), 0);
}

static void stop_thread(const hkt_thread *thread)
{
    int before = stopped_threads;
    CHECK_EQ(syscall(SYS_tgkill, getpid(), hkt_thread_native_id(thread), SIGUSR2), 0);
    AWAIT(stopped_threads > before);
}

static void let_thread_go(void)
{
    CHECK_EQ(write(gate[1], "x", 1), 1);
}

static void end_stops(void)
{
    AWAIT(stopped_threads == 0);
    close(gate[0]);
    close(gate[1]);
}

TEST(a_stopped_waiter_holds_nobody_up)
{
    struct place place;
    can_stop();
    place_open(&place);
    struct waiter first = { .place = &place, .kind = &wait_kinds[10] };
    struct waiter second = { .place = &place, .kind = &wait_kinds[10] };
    waiter_start(&first);
    await_waiting_for(first.thread, place.empty);
    waiter_start(&second);
    await_waiting_for(second.thread, place.empty);
    stop_thread(first.thread);
    CHECK_EQ(hkt_queue_put(place.empty, &(int){ 1 }),
             0); /* for the first, which has waited longest */
    CHECK_EQ(hkt_queue_put(place.empty, &(int){ 2 }), 0);
    waiter_join(&second);
    CHECK_EQ(second.result, 0);
    CHECK(hkt_thread_is_alive(first.thread));
    let_thread_go();
    waiter_join(&first);
    CHECK_EQ(first.result, 0);
    place_close(&place);
    end_stops();
}

TEST(a_stopped_thread_can_be_cancelled_without_waiting_for_it)
{
    const size_t kinds[] = { 0, 1, 10, 14 }; /* a futex, and ppoll */
    struct place place;
    can_stop();
    place_open(&place);
    for (size_t i = 0; i < 4; i++) {
        struct waiter waiter = { .place = &place, .kind = &wait_kinds[kinds[i]] };
        waiter_start(&waiter);
        await_asleep(waiter.thread);
        stop_thread(waiter.thread);
        hkt_scope_cancel(&waiter.scope);
        hkt_scope_reschedule(&waiter.scope, hkt_after(1));
        CHECK(hkt_thread_is_alive(waiter.thread));
        let_thread_go();
        waiter_join(&waiter);
        CHECK_EQ(waiter.result, -ECANCELED);
        CHECK_EQ(waiter.left, -ECANCELED);
    }
    place_close(&place);
    end_stops();
}

struct holder {
    hkt_lock lock;
    hkt_event held, release;
};

static int hold(void *arg)
{
    struct holder *holder = arg;
    hkt_lock_acquire(&holder->lock);
    hkt_event_set(&holder->held);
    CHECK_EQ(hkt_event_wait(&holder->release), 0);
    hkt_lock_release(&holder->lock);
    return 0;
}

TEST(a_stopped_holder_holds_only_its_lock)
{
    struct holder holder = { 0 };
    can_stop();
    hkt_thread *thread = must_spawn(hold, &holder, NULL);
    CHECK_EQ(hkt_event_wait(&holder.held), 0);
    await_asleep(thread);
    stop_thread(thread);
    hkt_event_set(&holder.release); /* it would let go, could it run */
    CHECK_EQ(hkt_lock_acquire_until(&holder.lock, hkt_after(0.02)), -ETIMEDOUT);
    CHECK_EQ(hkt_lock_acquire_nowait(&holder.lock), -EAGAIN);
    hkt_thread_info infos[4];
    CHECK_EQ(hkt_thread_enumerate(infos, 4), 2);
    let_thread_go();
    hkt_lock_acquire(&holder.lock);
    hkt_lock_release(&holder.lock);
    must_join(thread);
    end_stops();
}

/* Its deadline passes while it is stopped; but it was chosen before it could look, so it
 * succeeds. */
TEST(a_stopped_waiter_that_was_chosen_succeeds)
{
    struct place place;
    can_stop();
    place_open(&place);
    struct waiter waiter = { .place = &place, .kind = &wait_kinds[10], .deadline = hkt_after(1) };
    waiter_start(&waiter);
    await_waiting_for(waiter.thread, place.empty);
    stop_thread(waiter.thread);
    CHECK(!hkt_deadline_passed(waiter.deadline));
    CHECK_EQ(hkt_queue_put(place.empty, &(int){ 1 }), 0);
    AWAIT(hkt_deadline_passed(waiter.deadline));
    let_thread_go();
    waiter_join(&waiter);
    CHECK_EQ(waiter.result, 0);
    CHECK_EQ(hkt_queue_qsize(place.empty), 0);
    place_close(&place);
    end_stops();
}
