/* SPDX-License-Identifier: MIT */
/* A loop's other half: messages between a thread and a loop, and a million timers. That all messages
 * came back and all timers were fired is checked. */
#include <hocket.h>

#include <stdlib.h>

#include "task_rivals.h"

enum { MILLION = 1000000, WARM = 100 };
#define FAR 3600.0 /* seconds: a timer that is cancelled long before */

struct system {
    const char *name, *program;
    int less; /* timers than we */
};

static const struct system systems[] = {
    { "hocket", NULL, 1 },
    { "hocket-event", NULL, 0 },
    { "libuv", "uv-task uv", 1 },
    { "boost.asio", "boost-task asio", 4 },
    { "go", "go-task go", 4 },
    { "asyncio", "asyncio-task asyncio", 20 },
    { "uvloop", "asyncio-task uvloop", 20 },
};
enum { SYSTEMS = sizeof systems / sizeof systems[0] };

/* Ping: a thread sends a number to the loop's task, which sends it back. */

static struct {
    hkt_queue *to, *fro;
    hkt_event rang, answered;
    long times;
    uint64_t began, ended;
} ping;

static int send_numbers(void *arg)
{
    (void)arg;
    for (long i = -WARM; i < ping.times; i++) {
        long item = 0;
        if (i == 0)
            ping.began = bench_ns();
        bench_check(hkt_queue_put(ping.to, &i), "hkt_queue_put");
        bench_check(hkt_queue_get(ping.fro, &item), "hkt_queue_get");
        if (item != i)
            bench_fail("loop-ping: wrong answer");
    }
    ping.ended = bench_ns();
    return 0;
}

static int answer_numbers(void *arg)
{
    (void)arg;
    for (long i = -WARM; i < ping.times; i++) {
        long item = 0;
        bench_check(hkt_queue_get(ping.to, &item), "hkt_queue_get");
        bench_check(hkt_queue_put(ping.fro, &item), "hkt_queue_put");
    }
    return 0;
}

static int ring_events(void *arg)
{
    (void)arg;
    for (long i = -WARM; i < ping.times; i++) {
        if (i == 0)
            ping.began = bench_ns();
        hkt_event_set(&ping.rang);
        bench_check(hkt_event_wait(&ping.answered), "hkt_event_wait");
        hkt_event_clear(&ping.answered);
    }
    ping.ended = bench_ns();
    return 0;
}

static int answer_events(void *arg)
{
    (void)arg;
    for (long i = -WARM; i < ping.times; i++) {
        bench_check(hkt_event_wait(&ping.rang), "hkt_event_wait");
        hkt_event_clear(&ping.rang);
        hkt_event_set(&ping.answered);
    }
    return 0;
}

static void measure_hocket_ping(hkt_job *send, hkt_job *answer)
{
    hkt_thread *thread;

    bench_check(hkt_queue_create(&ping.to, sizeof(long), NULL), "hkt_queue_create");
    bench_check(hkt_queue_create(&ping.fro, sizeof(long), NULL), "hkt_queue_create");
    bench_check(hkt_thread_spawn(&thread, send, NULL, NULL), "hkt_thread_spawn");
    bench_check(hkt_run(answer, NULL), "hkt_run");
    bench_check(hkt_thread_join(thread), "hkt_thread_join");
    hkt_thread_destroy(thread);
    hkt_queue_destroy(ping.to);
    hkt_queue_destroy(ping.fro);
}

static bool quick(const struct bench_workload *workload)
{
    return workload->seconds < 0.1;
}

static void measure_ping(const struct bench_workload *workload, int s, double values[])
{
    char what[64];
    long times = quick(workload) ? 200 : 20000;

    if (systems[s].program) {
        snprintf(what, sizeof what, "ping %ld 0", times / (systems[s].less > 4 ? 4 : 1));
        task_rival(values, systems[s].program, what);
        return;
    }
    ping.times = times * 5;
    if (s == 0)
        measure_hocket_ping(send_numbers, answer_numbers);
    else
        measure_hocket_ping(ring_events, answer_events);
    values[0] = (double)(ping.ended - ping.began) / (double)ping.times / 1e3;
}

/* Timers. */

static struct {
    hkt_handle *handles;
    double *delays;
    int n, fired;
    hkt_event over;
    double values[2];
} timers;

static double cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int fire(void *arg)
{
    (void)arg;
    if (++timers.fired == timers.n)
        hkt_event_set(&timers.over);
    return 0;
}

static void set_timers(double least)
{
    hkt_loop *loop = hkt_loop_running();

    for (int i = 0; i < timers.n; i++)
        bench_check(
            hkt_loop_call_later(loop, &timers.handles[i], least + timers.delays[i], fire, NULL),
            "hkt_loop_call_later");
}

static int set_and_cancel(void *arg)
{
    (void)arg;
    uint64_t began = bench_ns();

    set_timers(FAR);
    for (int i = 0; i < timers.n; i++)
        if (!hkt_handle_cancel(&timers.handles[i]))
            bench_fail("timers-cancel: there was nothing to cancel");
    timers.values[0] = (double)(bench_ns() - began) / timers.n;
    return 0;
}

static int set_and_fire(void *arg)
{
    double began = cpu_ns();

    (void)arg;
    timers.fired = 0;
    hkt_event_clear(&timers.over);
    set_timers(0);
    timers.values[1] = (cpu_ns() - began) / timers.n;
    bench_check(hkt_event_wait(&timers.over), "hkt_event_wait");
    timers.values[0] = (cpu_ns() - began) / timers.n;
    return 0;
}

/* By chance, within a second. */
static void make_timers(int n)
{
    uint64_t random = 1;

    timers.n = n;
    timers.handles = bench_alone((size_t)n * sizeof *timers.handles);
    timers.delays = malloc((size_t)n * sizeof *timers.delays);
    for (int i = 0; i < n; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        timers.delays[i] = (double)(random >> 40) / (1 << 24);
    }
}

static void measure_timers(const struct bench_workload *workload, int s, double values[])
{
    bool cancel = strcmp(workload->name, "timers-cancel") == 0;
    int n = quick(workload) ? MILLION / 50 : MILLION;
    char what[64];

    if (systems[s].less == 0)
        return;
    if (systems[s].program) {
        snprintf(what, sizeof what, "%s %d 0", cancel ? "timers" : "fire", n / systems[s].less);
        task_rival(values, systems[s].program, what);
        return;
    }
    make_timers(n);
    bench_check(hkt_run(cancel ? set_and_cancel : set_and_fire, NULL), "hkt_run");
    for (int i = 0; i < 2 && workload->metrics[i].name; i++)
        values[i] = timers.values[i];
    free(timers.handles);
    free(timers.delays);
}

int main(int argc, char **argv)
{
    static const struct bench_workload workloads[] = {
        { "loop-ping", measure_ping, 1, 2, 0, { { "round_trip", "us", BENCH_LESS } } },
        { "timers-cancel", measure_timers, 1, 1, 0, { { "set+cancel", "ns", BENCH_LESS } } },
        { "timers-second",
          measure_timers,
          1,
          1,
          0,
          { { "set+fire_cpu", "ns", BENCH_LESS }, { "set_cpu", "ns", BENCH_NO_RATIO } } },
    };
    const char *names[SYSTEMS];

    bench_begin(argc, argv, "Loops: messages to and from a thread, a million timers.");
    for (int i = 0; i < SYSTEMS; i++)
        names[i] = systems[i].name;
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        bench_measure(&workloads[i], names, SYSTEMS);
    return bench_end();
}
