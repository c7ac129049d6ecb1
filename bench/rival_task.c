/* SPDX-License-Identifier: MIT */
/* libuv for bench_loop, and the bare switch of ucontext for bench_task: rivals/uv-task. Prints what the
 * workload measures, nothing for the others.
 *
 *     uv-task uv ping|timers|fire N 0
 *     uv-task bare yield N TASKS */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "common.h"

#ifdef HAVE_UV
#include <uv.h>

enum { WARM = 100 };

static void check(int err, const char *call)
{
    if (err) {
        fprintf(stderr, "uv-task: %s: %s\n", call, uv_strerror(err));
        exit(1);
    }
}

/* A thread rings the loop by an async handle, and waits for the callback at a semaphore. */
static uv_sem_t answered;
static uv_async_t bell, enough;
static long ping_times;
static double ping_us;

static void answer(uv_async_t *handle)
{
    (void)handle;
    uv_sem_post(&answered);
}

static void end_ping(uv_async_t *handle)
{
    (void)handle;
    uv_close((uv_handle_t *)&bell, NULL);
    uv_close((uv_handle_t *)&enough, NULL);
}

static void *send_all(void *arg)
{
    uint64_t began = 0;

    for (long i = -WARM; i < ping_times; i++) {
        if (i == 0)
            began = bench_ns();
        check(uv_async_send(&bell), "uv_async_send");
        uv_sem_wait(&answered);
    }
    ping_us = (double)(bench_ns() - began) / 1e3 / (double)ping_times;
    check(uv_async_send(&enough), "uv_async_send");
    return arg;
}

static void do_ping(uv_loop_t *loop, long n)
{
    pthread_t thread;

    ping_times = n;
    check(uv_sem_init(&answered, 0), "uv_sem_init");
    check(uv_async_init(loop, &bell, answer), "uv_async_init");
    check(uv_async_init(loop, &enough, end_ping), "uv_async_init");
    if (pthread_create(&thread, NULL, send_all, NULL) != 0)
        exit(1);
    check(uv_run(loop, UV_RUN_DEFAULT), "uv_run");
    pthread_join(thread, NULL);
    printf("%f\n", ping_us);
}

static uv_timer_t *timers;
static long fired;

static void fire(uv_timer_t *timer)
{
    (void)timer;
    fired++;
}

/* Milliseconds: libuv has none shorter. The records are touched by their init. */
static uint64_t *make_timers(uv_loop_t *loop, long n)
{
    uint64_t random = 1, *delays = malloc((size_t)n * sizeof *delays);

    timers = calloc((size_t)n, sizeof *timers);
    for (long i = 0; i < n; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        delays[i] = (uint64_t)((double)(random >> 40) / (1 << 24) * 1000) + 1;
        check(uv_timer_init(loop, &timers[i]), "uv_timer_init");
    }
    return delays;
}

static double cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void do_timers(uv_loop_t *loop, long n)
{
    uint64_t *delays = make_timers(loop, n), began = bench_ns();

    for (long i = 0; i < n; i++)
        check(uv_timer_start(&timers[i], fire, 3600000 + delays[i], 0), "uv_timer_start");
    for (long i = 0; i < n; i++)
        check(uv_timer_stop(&timers[i]), "uv_timer_stop");
    printf("%f\n", (double)(bench_ns() - began) / (double)n);
}

static void do_fire(uv_loop_t *loop, long n)
{
    uint64_t *delays = make_timers(loop, n);
    double began = cpu_ns();

    uv_update_time(loop);
    for (long i = 0; i < n; i++)
        check(uv_timer_start(&timers[i], fire, delays[i], 0), "uv_timer_start");
    double set = cpu_ns();
    check(uv_run(loop, UV_RUN_DEFAULT), "uv_run");
    if (fired != n)
        exit(1);
    printf("%f %f\n", (cpu_ns() - began) / (double)n, (set - began) / (double)n);
}

static void do_uv(const char *what, long n)
{
    uv_loop_t *loop = uv_default_loop();

    if (strcmp(what, "ping") == 0)
        do_ping(loop, n);
    else if (strcmp(what, "timers") == 0)
        do_timers(loop, n);
    else if (strcmp(what, "fire") == 0)
        do_fire(loop, n);
}
#endif

/* A ring of contexts that switch to the next one, and no scheduler. */
enum { STACK = 65536 };
static ucontext_t *ring;
static long ring_size, ring_rounds;
static uint64_t ring_began, ring_ended;

static void go_round(int index)
{
    ucontext_t *next = &ring[(index + 1) % ring_size];

    for (long i = -3; i < ring_rounds; i++) {
        if (index == 0 && i == 0)
            ring_began = bench_ns();
        swapcontext(&ring[index], next);
    }
    ring_ended = bench_ns(); /* the first one comes here, and ends the process's part */
}

static void do_bare(long n, long tasks)
{
    ucontext_t home;

    ring_size = tasks;
    ring_rounds = n / tasks;
    ring = calloc((size_t)tasks, sizeof *ring);
    for (long i = 0; i < tasks; i++) {
        getcontext(&ring[i]);
        ring[i].uc_stack.ss_sp = malloc(STACK);
        ring[i].uc_stack.ss_size = STACK;
        ring[i].uc_link = &home;
        makecontext(&ring[i], (void (*)(void))go_round, 1, (int)i);
    }
    swapcontext(&home, &ring[0]);
    printf("%f\n", (double)(ring_ended - ring_began) / (double)(ring_rounds * tasks));
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    if (strcmp(argv[1], "bare") == 0 && strcmp(argv[2], "yield") == 0)
        do_bare(atol(argv[3]), atol(argv[4]));
#ifdef HAVE_UV
    if (strcmp(argv[1], "uv") == 0)
        do_uv(argv[2], atol(argv[3]));
#endif
    return 0;
}
