/* SPDX-License-Identifier: MIT */
/* Threads: to start one that does nothing and to join it, one after another. */
#include "common.h"

#include <hocket/thread.h>

#include <pthread.h>
#ifdef HAVE_GLIB
#include <glib.h>
#endif

static int hocket_body(void *arg)
{
    (void)arg;
    return 0;
}

static void hocket_round(void)
{
    hkt_thread *thread;

    bench_check(hkt_thread_spawn(&thread, hocket_body, NULL, NULL), "hkt_thread_spawn");
    bench_check(hkt_thread_join(thread), "hkt_thread_join");
    hkt_thread_destroy(thread);
}

static void *pthread_body(void *arg)
{
    return arg;
}

static void pthread_round(void)
{
    pthread_t thread;

    bench_check(pthread_create(&thread, NULL, pthread_body, NULL), "pthread_create");
    bench_check(pthread_join(thread, NULL), "pthread_join");
}

#ifdef HAVE_GLIB
static void glib_round(void)
{
    g_thread_join(g_thread_new("bench", pthread_body, NULL));
}
#endif

static const struct {
    const char *name;
    void (*round)(void);
} systems[] = {
    { "hocket", hocket_round },
    { "pthread", pthread_round },
#ifdef HAVE_GLIB
    { "GThread", glib_round },
#endif
};
enum { SYSTEMS = sizeof systems / sizeof systems[0] };

static void measure(const struct bench_workload *workload, int s, double values[])
{
    uint64_t began = bench_ns(), now;
    uint64_t end = began + (uint64_t)(workload->seconds * 1e9);
    int rounds = 0;

    do {
        systems[s].round();
        rounds++;
        now = bench_ns();
    } while (now < end);
    values[0] = (double)(now - began) / rounds / 1e3;
}

int main(int argc, char **argv)
{
    static const struct bench_workload workload = {
        "thread-start-join", measure, 0.2, 1, 0, { { "pair", "us", BENCH_LESS } }
    };
    const char *names[SYSTEMS];

    bench_begin(argc, argv, "Threads: start and join.");
    for (int i = 0; i < SYSTEMS; i++)
        names[i] = systems[i].name;
    bench_measure(&workload, names, SYSTEMS);
    return bench_end();
}
