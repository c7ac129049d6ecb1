/* SPDX-License-Identifier: MIT */
/* Bad days: signals. A timer interrupts each thread every 200 us, without SA_RESTART, whatever it
 * does: results and durations are right all the same. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "waits.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static atomic_long interrupts;

static void on_signal(int signo)
{
    (void)signo;
    interrupts++;
}

static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigemptyset(&action.sa_mask);
    CHECK_EQ(sigaction(SIGRTMIN, &action, NULL), 0);
}

/* From now on the calling thread is interrupted all the time. */
static timer_t storm_begin(void)
{
    timer_t timer;
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN };
    event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
    long interval = SANITIZED ? 1000000 : 200000; /* ns; a handler takes longer there */
    struct itimerspec every = { { 0, interval }, { 0, interval } };
    CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    CHECK_EQ(timer_settime(timer, 0, &every, NULL), 0);
    return timer;
}

static void storm_end(timer_t timer)
{
    CHECK_EQ(timer_delete(timer), 0);
}

TEST(sleeps_are_never_too_short)
{
    catch_signals();
    timer_t timer = storm_begin();
    for (int i = 0; i < 20; i++) {
        double before = hkt_monotonic();
        CHECK_EQ(hkt_sleep(0.01), 0);
        double took = hkt_monotonic() - before;
        CHECK(took >= 0.01 - 1e-6 && took < SOON);
    }
    storm_end(timer);
    CHECK(interrupts > 20);
}

/* Each kind of wait, with its deadline. */
TEST_TIMEOUT(deadlines_are_exact, 60)
{
    struct place place;
    catch_signals();
    place_open(&place);
    timer_t timer = storm_begin();
    for (size_t i = 0; i < wait_kind_count; i++) {
        const struct wait_kind *kind = &wait_kinds[i];
        long before = interrupts;
        if (!kind->wait_until)
            continue;
        hkt_deadline deadline = hkt_after(0.03);
        CHECK_EQ(kind->wait_until(&place, deadline), kind->timed_out);
        CHECK(hkt_deadline_passed(deadline));
        CHECK(interrupts > before);
        hkt_barrier_reset(&place.barrier);
    }
    storm_end(timer);
    place_close(&place);
    CHECK_EQ(hkt_finalize(), 0);
}

struct stormy {
    struct place *place;
    const struct wait_kind *kind;
    hkt_scope scope;
    hkt_event entered;
};

static int wait_in_a_storm(void *arg)
{
    struct stormy *stormy = arg;
    timer_t timer = storm_begin();
    hkt_scope_enter(&stormy->scope, NULL);
    hkt_event_set(&stormy->entered);
    int err = stormy->kind->wait(stormy->place);
    int left = hkt_scope_leave(&stormy->scope);
    storm_end(timer);
    CHECK_EQ(left, err == -ECANCELED ? -ECANCELED : 0);
    return err;
}

static void ignore_failure(hkt_thread *thread, int err, const char *sentence)
{
    (void)thread;
    (void)sentence;
    CHECK(err == -ECANCELED || err == -ESHUTDOWN);
}

static hkt_thread *start_stormy(struct stormy *stormy)
{
    hkt_thread_options options = { .daemon = HKT_DAEMON_YES };
    printf("%s\n", stormy->kind->name);
    hkt_thread *thread = must_spawn(wait_in_a_storm, stormy, &options);
    CHECK_EQ(hkt_event_wait(&stormy->entered), 0);
    long before = interrupts;
    AWAIT(interrupts > before + 10); /* it has been interrupted in its wait */
    return thread;
}

TEST_TIMEOUT(cancels_arrive, 60)
{
    catch_signals();
    hkt_thread_set_excepthook(ignore_failure);
    for (size_t i = 0; i < wait_kind_count; i++) {
        struct place place;
        place_open(&place);
        struct stormy stormy = { .place = &place, .kind = &wait_kinds[i] };
        hkt_thread *thread = start_stormy(&stormy);
        CHECK(hkt_thread_is_alive(thread)); /* no signal ends a wait */
        hkt_scope_cancel(&stormy.scope);
        CHECK_EQ(join_result(thread), -ECANCELED);
        place_close(&place);
    }
}

/* What each kind waits for comes. */
static void let_through(struct place *place, const struct wait_kind *kind)
{
    if (kind->waits_for[0] == 'l' || strncmp(kind->name, "rwlock", 6) == 0 ||
        strncmp(kind->name, "join", 4) == 0 || strcmp(kind->name, "once") == 0) {
        hkt_event_set(&place->open);
        hkt_lock_release(&place->lock);
        CHECK_EQ(hkt_thread_join(place->keeper), 0);
        hkt_lock_acquire(&place->lock);
    }
    hkt_event_set(&place->event);
    CHECK_EQ(hkt_semaphore_release(&place->semaphore, 1), 0);
    hkt_condition_notify_all(&place->condition);
    CHECK_EQ(hkt_queue_put(place->empty, &(int){ 9 }), 0);
    CHECK_EQ(write(place->pipe[1], "x", 1), 1);
    char bytes[4096];
    while (read(place->full_pipe[0], bytes, sizeof bytes) > 0)
        ;
    int item;
    if (strcmp(kind->name, "queue put") == 0 || strcmp(kind->name, "queue join") == 0) {
        CHECK_EQ(hkt_queue_get(place->full, &item), 0);
        CHECK_EQ(hkt_queue_task_done(place->full), 0);
    }
}

TEST_TIMEOUT(what_is_waited_for_arrives, 60)
{
    catch_signals();
    hkt_thread_set_excepthook(ignore_failure);
    for (size_t i = 1; i < wait_kind_count; i++) {
        struct place place;
        const struct wait_kind *kind = &wait_kinds[i];
        if (strcmp(kind->name, "barrier") == 0)
            continue; /* a thousand would have to come */
        place_open(&place);
        struct stormy stormy = { .place = &place, .kind = kind };
        hkt_thread *thread = start_stormy(&stormy);
        let_through(&place, kind);
        int result = join_result(thread);
        CHECK(strncmp(kind->name, "fd", 2) == 0 ? result > 0 : result == 0);
        place_close(&place);
    }
}

/* Traffic in a storm: nothing is lost, nothing comes twice. */
struct traffic {
    hkt_queue *queue;
    hkt_lock lock;
    hkt_event ping, pong;
    long count, sum;
};

static int produce(void *arg)
{
    struct traffic *traffic = arg;
    timer_t timer = storm_begin();
    for (long i = 1; i <= traffic->count; i++)
        CHECK_EQ(hkt_queue_put(traffic->queue, &i), 0);
    storm_end(timer);
    return 0;
}

static int consume(void *arg)
{
    struct traffic *traffic = arg;
    timer_t timer = storm_begin();
    long item;
    int err;
    while ((err = hkt_queue_get(traffic->queue, &item)) == 0) {
        hkt_lock_acquire(&traffic->lock);
        traffic->sum += item;
        hkt_lock_release(&traffic->lock);
    }
    storm_end(timer);
    return err == -ESHUTDOWN ? 0 : err;
}

TEST_TIMEOUT(a_queue_loses_nothing, 60)
{
    struct traffic traffic = { .count = test_scaled(20000) };
    hkt_queue_options small = { .maxsize = 4 };
    hkt_thread *producers[2], *consumers[2];
    catch_signals();
    CHECK_EQ(hkt_queue_create(&traffic.queue, sizeof(long), &small), 0);
    for (int i = 0; i < 2; i++) {
        producers[i] = must_spawn(produce, &traffic, NULL);
        consumers[i] = must_spawn(consume, &traffic, NULL);
    }
    for (int i = 0; i < 2; i++)
        must_join(producers[i]);
    hkt_queue_shutdown(traffic.queue, false);
    for (int i = 0; i < 2; i++)
        must_join(consumers[i]);
    CHECK_EQ(traffic.sum, traffic.count * (traffic.count + 1));
    hkt_queue_destroy(traffic.queue);
}

static int answer(void *arg)
{
    struct traffic *traffic = arg;
    timer_t timer = storm_begin();
    for (long i = 0; i < traffic->count; i++) {
        CHECK_EQ(hkt_event_wait(&traffic->ping), 0);
        hkt_event_clear(&traffic->ping);
        hkt_event_set(&traffic->pong);
    }
    storm_end(timer);
    return 0;
}

TEST_TIMEOUT(ping_pong_goes_on, 60)
{
    struct traffic traffic = { .count = test_scaled(5000) };
    catch_signals();
    hkt_thread *thread = must_spawn(answer, &traffic, NULL);
    timer_t timer = storm_begin();
    for (long i = 0; i < traffic.count; i++) {
        hkt_event_set(&traffic.ping);
        CHECK_EQ(hkt_event_wait_until(&traffic.pong, hkt_after(100)), 0);
        hkt_event_clear(&traffic.pong);
    }
    storm_end(timer);
    must_join(thread);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

TEST_TIMEOUT(threads_come_and_go, 60)
{
    catch_signals();
    timer_t timer = storm_begin();
    for (long i = 0; i < test_scaled(500); i++) {
        must_join(must_spawn(nothing, NULL, NULL));
        CHECK_EQ(hkt_thread_spawn(NULL, nothing, NULL, NULL), 0);
        CHECK_EQ(hkt_join_all(), 0);
    }
    storm_end(timer);
    CHECK_EQ(hkt_allocation_count(), 0);
}
