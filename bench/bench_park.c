/* SPDX-License-Identifier: MIT */
/* Waiting and waking: two threads that wake each other in turn; the wake of one that is fast asleep;
 * what a hundred waiting threads cost while nothing happens; and how late a sleep ends.
 *
 * The rival is what events are made of with pthreads: a flag, a mutex, a condition. */
#include "common.h"

#include <hocket/error.h>
#include <hocket/event.h>
#include <hocket/time.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { HOCKET, PTHREAD, SYSTEMS };
enum { IDLE_THREADS = 100, WAKES_MAX = 4096 };

static const char *const names[SYSTEMS] = { "hocket", "pthread_cond" };

struct flag {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool set;
};

/* One of the two, on cache lines of its own. */
union event {
    hkt_event hocket;
    struct flag pthread;
};

static union event *event_create(int system)
{
    union event *event = bench_alone(sizeof *event);

    if (system == PTHREAD) {
        bench_check(pthread_mutex_init(&event->pthread.mutex, NULL), "pthread_mutex_init");
        bench_check(pthread_cond_init(&event->pthread.changed, NULL), "pthread_cond_init");
    }
    return event;
}

static void event_destroy(int system, union event *event)
{
    if (system == PTHREAD) {
        pthread_cond_destroy(&event->pthread.changed);
        pthread_mutex_destroy(&event->pthread.mutex);
    }
    free(event);
}

BENCH_INLINE void event_set(int system, union event *event)
{
    if (system == HOCKET) {
        hkt_event_set(&event->hocket);
        return;
    }
    pthread_mutex_lock(&event->pthread.mutex);
    event->pthread.set = true;
    pthread_cond_signal(&event->pthread.changed);
    pthread_mutex_unlock(&event->pthread.mutex);
}

/* Waits until it is set, and clears it. */
BENCH_INLINE void event_take(int system, union event *event)
{
    if (system == HOCKET) {
        bench_check(hkt_event_wait(&event->hocket), "hkt_event_wait");
        hkt_event_clear(&event->hocket);
        return;
    }
    pthread_mutex_lock(&event->pthread.mutex);
    while (!event->pthread.set)
        pthread_cond_wait(&event->pthread.changed, &event->pthread.mutex);
    event->pthread.set = false;
    pthread_mutex_unlock(&event->pthread.mutex);
}

/* One repetition of what two threads do: thread 0 leads, thread 1 follows. */
struct pair {
    int system;
    union event *ping, *pong;
    bool ended;        /* written before a ping, read after it */
    uint64_t began_ns; /* the same, of bench_wake */
    uint64_t trips;
    double wake_us[WAKES_MAX], call_us[WAKES_MAX];
    int wakes;
};

static struct pair *pair_create(int system)
{
    struct pair *pair = bench_alone(sizeof *pair);

    *pair = (struct pair){ .system = system };
    pair->ping = event_create(system);
    pair->pong = event_create(system);
    return pair;
}

static void pair_destroy(struct pair *pair)
{
    event_destroy(pair->system, pair->ping);
    event_destroy(pair->system, pair->pong);
    free(pair);
}

BENCH_INLINE void play(struct pair *pair, int index, int system)
{
    bool ended = false;

    while (!ended) {
        if (index == 0) {
            ended = pair->ended = bench_stopped();
            event_set(system, pair->ping);
            event_take(system, pair->pong);
            pair->trips++;
        } else {
            event_take(system, pair->ping);
            ended = pair->ended;
            event_set(system, pair->pong);
        }
    }
}

static void play_body(void *arg, int index)
{
    struct pair *pair = arg;

    if (pair->system == HOCKET)
        play(pair, index, HOCKET);
    else
        play(pair, index, PTHREAD);
}

static void measure_ping_pong(const struct bench_workload *workload, int system, double values[])
{
    struct pair *pair = pair_create(system);
    double seconds = bench_team(2, workload->seconds, play_body, pair);

    values[0] = seconds * 1e6 / (double)pair->trips;
    pair_destroy(pair);
}

/* Thread 0 leaves thread 1 the time to fall asleep, then wakes it and waits for the answer. */
static void wake_body(void *arg, int index)
{
    struct pair *pair = arg;
    for (bool ended = false; !ended;) {
        if (index == 0) {
            bench_pause(0.0004);
            ended = pair->ended = bench_stopped() || pair->wakes == WAKES_MAX - 1;
            pair->began_ns = bench_ns();
            event_set(pair->system, pair->ping);
            pair->call_us[pair->wakes] = (double)(bench_ns() - pair->began_ns) / 1e3;
            event_take(pair->system, pair->pong);
            pair->wakes++;
        } else {
            event_take(pair->system, pair->ping);
            pair->wake_us[pair->wakes] = (double)(bench_ns() - pair->began_ns) / 1e3;
            ended = pair->ended;
            event_set(pair->system, pair->pong);
        }
    }
}

static void measure_wake(const struct bench_workload *workload, int system, double values[])
{
    struct pair *pair = pair_create(system);

    bench_team(2, workload->seconds, wake_body, pair);
    values[0] = bench_median(pair->wake_us, pair->wakes);
    values[1] = bench_median(pair->call_us, pair->wakes);
    pair_destroy(pair);
}

struct idlers {
    int system;
    union event *events[IDLE_THREADS];
    double seconds, cpu_us, switches;
};

/* CPU time in us, and context switches, of `who`. */
static void used(int who, double *cpu_us, double *switches)
{
    struct rusage usage;

    getrusage(who, &usage);
    *cpu_us = 1e6 * (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
              (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    *switches = (double)(usage.ru_nvcsw + usage.ru_nivcsw);
}

/* What the others have used: all threads less the calling one. */
static void used_by_waiters(double *cpu_us, double *switches)
{
    double own_us, own_switches;

    used(RUSAGE_SELF, cpu_us, switches);
    used(RUSAGE_THREAD, &own_us, &own_switches);
    *cpu_us -= own_us;
    *switches -= own_switches;
}

/* Half of hocket's waiters have a deadline, far away. The last thread looks on, and wakes them. */
static void idle_body(void *arg, int index)
{
    struct idlers *idlers = arg;
    double cpu_us, switches;

    if (index < IDLE_THREADS) {
        union event *event = idlers->events[index];

        if (idlers->system == HOCKET && index % 2)
            bench_check(hkt_event_wait_until(&event->hocket, hkt_after(3600)),
                        "hkt_event_wait_until");
        else
            event_take(idlers->system, event);
        return;
    }
    bench_pause(0.1); /* until all are asleep */
    used_by_waiters(&cpu_us, &switches);
    bench_pause(idlers->seconds);
    used_by_waiters(&idlers->cpu_us, &idlers->switches);
    idlers->cpu_us -= cpu_us;
    idlers->switches -= switches;
    for (int i = 0; i < IDLE_THREADS; i++)
        event_set(idlers->system, idlers->events[i]);
}

static void measure_idle(const struct bench_workload *workload, int system, double values[])
{
    struct idlers idlers = { .system = system, .seconds = workload->seconds };

    for (int i = 0; i < IDLE_THREADS; i++)
        idlers.events[i] = event_create(system);
    bench_team(IDLE_THREADS + 1, 0, idle_body, &idlers);
    for (int i = 0; i < IDLE_THREADS; i++)
        event_destroy(system, idlers.events[i]);
    values[0] = idlers.cpu_us;
    values[1] = idlers.switches;
}

/* Sleeps of a millisecond, one after another. */
static void measure_sleep(const struct bench_workload *workload, int system, double values[])
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    uint64_t end = bench_ns() + (uint64_t)(workload->seconds * 1e9);
    static double late_us[WAKES_MAX];
    int sleeps = 0;

    while (sleeps == 0 || (bench_ns() < end && sleeps < WAKES_MAX)) {
        uint64_t began = bench_ns(), took;

        if (system == HOCKET)
            bench_check(hkt_sleep(0.001), "hkt_sleep");
        else
            nanosleep(&pause, NULL);
        took = bench_ns() - began;
        if (took < 1000000)
            bench_fail("%s: slept %llu ns too little", workload->name,
                       (unsigned long long)(1000000 - took));
        late_us[sleeps++] = (double)(took - 1000000) / 1e3;
    }
    values[0] = bench_median(late_us, sleeps);
}

int main(int argc, char **argv)
{
    static const struct bench_workload ping_pong = {
        "park-ping-pong", measure_ping_pong, 0.2, 2, 0, { { "round_trip", "us", BENCH_LESS } }
    };
    static const struct bench_workload wake = { "park-wake-asleep",
                                                measure_wake,
                                                0.2,
                                                2,
                                                0,
                                                { { "until_awake", "us", BENCH_LESS },
                                                  { "call", "us", BENCH_NO_RATIO } } };
    static const struct bench_workload idle = { "park-idle-100",
                                                measure_idle,
                                                1,
                                                IDLE_THREADS,
                                                0,
                                                { { "cpu_time", "us", BENCH_NO_RATIO },
                                                  { "context_switches", "1", BENCH_NO_RATIO } } };
    static const struct bench_workload sleeping = {
        "park-sleep-1ms", measure_sleep, 0.1, 1, 0, { { "overshoot", "us", BENCH_NO_RATIO } }
    };
    static const char *const sleepers[] = { "hocket", "nanosleep" };

    bench_begin(argc, argv,
                "Waiting and waking: ping-pong, a sleeper's wake, idle waiters, sleep.");
    bench_measure(&ping_pong, names, SYSTEMS);
    bench_measure(&wake, names, SYSTEMS);
    bench_measure(&idle, names, SYSTEMS);
    bench_measure(&sleeping, sleepers, 2);
    return bench_end();
}
