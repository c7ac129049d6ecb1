/* SPDX-License-Identifier: MIT */
/* Sockets: an echo server with 1, 64 and 1000 clients, 10 000 clients who do nothing, a stream of
 * large pieces. Servers are processes of their own on one CPU, their clients, the same for all of
 * them, are this program on another one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "common_server.h"
#include "io_load.h"
#include "io_server.h"

#define WARM_SECONDS 0.1
#define QUIET_SECONDS 0.2 /* after which idle clients are idle, and as long as they are watched */

static const struct {
    const char *name;
    const char *arguments[4];
} servers[] = {
    { "hocket", { "self", "server", "hocket" } },
    { "epoll", { "self", "server", "epoll" } },
    { "io_uring", { "rivals/uring-echo" } },
    { "libuv", { "rivals/uv-echo" } },
    { "boost.asio", { "rivals/asio-echo", "coroutine" } },
    { "boost.asio-callback", { "rivals/asio-echo", "callback" } },
    { "go", { "rivals/go-echo" } },
    { "asyncio", { "rivals/asyncio-echo", "streams" } },
    { "asyncio-protocol", { "rivals/asyncio-echo", "protocol" } },
};
enum { SERVERS = sizeof servers / sizeof servers[0] };
_Static_assert((int)SERVERS <= BENCH_SYSTEMS_MAX, "there is room for all of them");

static const struct {
    const char *name;
    const char *arguments[4]; /* of the reader */
    void (*write)(int port, long pieces);
} pairs[] = {
    { "hocket", { "self", "reader", "hocket" }, io_write_hocket },
    { "hocket-thread", { "self", "reader", "thread" }, io_write_threads },
    { "blocking", { "self", "reader", "blocking" }, io_write_blocking },
};
enum { PAIRS = sizeof pairs / sizeof pairs[0] };

static struct load load;

/* `threads` of the workload is how many clients there are. */
static void measure_echo(const struct bench_workload *workload, int s, double values[])
{
    struct bench_server server;

    bench_apart();
    if (bench_server_start(&server, 0, servers[s].arguments)) {
        load_connect(&load, server.port, workload->threads);
        load_run(&load, fmin(WARM_SECONDS, workload->seconds));
        double before = bench_server_cpu(&server);
        double seconds = load_run(&load, workload->seconds);
        double cpu = bench_server_cpu(&server) - before;
        values[0] = (double)load.answers / seconds / 1e3;
        values[1] = load_latency(&load, 0.5) / 1e3;
        values[2] = load_latency(&load, 0.99) / 1e3;
        values[3] = cpu / (double)load.answers / 1e3;
        load_close(&load);
        bench_server_stop(&server);
    }
    bench_together();
}

/* Each client gets one answer, so that its task has run; then all is quiet. */
static void measure_idle(const struct bench_workload *workload, int s, double values[])
{
    struct bench_server server;

    bench_apart();
    if (bench_server_start(&server, 0, servers[s].arguments)) {
        double before = bench_server_cpu(&server);
        load_connect(&load, server.port, workload->threads);
        load_run(&load, 0);
        values[2] = (bench_server_cpu(&server) - before) / workload->threads / 1e3;
        bench_pause(fmin(QUIET_SECONDS, workload->seconds));
        values[0] = bench_server_memory(&server, "VmRSS") / 1e6;
        values[1] = bench_server_memory(&server, "VmPTE") / 1e6;
        before = bench_server_cpu(&server);
        bench_pause(fmin(QUIET_SECONDS, workload->seconds));
        values[3] = (bench_server_cpu(&server) - before) / 1e6;
        load_close(&load);
        bench_server_stop(&server);
    }
    bench_together();
}

static double cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Warm first; then as many pieces as fill the time. */
static void measure_throughput(const struct bench_workload *workload, int s, double values[])
{
    enum { WARM_PIECES = 64 };
    struct bench_server server;

    bench_apart();
    if (bench_server_start(&server, 0, pairs[s].arguments)) {
        uint64_t began = bench_ns();
        pairs[s].write(server.port, WARM_PIECES);
        double each = (double)(bench_ns() - began) / 1e9 / WARM_PIECES;
        long pieces = lround(fmax(workload->seconds / each, WARM_PIECES));
        double before = bench_server_cpu(&server) + cpu_ns();
        began = bench_ns();
        pairs[s].write(server.port, pieces);
        uint64_t took = bench_ns() - began;
        values[0] = (double)pieces * PIECE / 1e6 / ((double)took / 1e9);
        values[1] = (bench_server_cpu(&server) + cpu_ns() - before) / (double)pieces / 1e3;
        bench_server_stop(&server);
    }
    bench_together();
}

static int be_server(const char *role, const char *name)
{
    if (strcmp(role, "server") == 0)
        return strcmp(name, "hocket") == 0 ? io_serve_hocket() : io_serve_epoll();
    if (strcmp(name, "hocket") == 0)
        return io_read_hocket();
    return strcmp(name, "thread") == 0 ? io_read_threads() : io_read_blocking();
}

static void measure_all(const struct bench_workload *workload, const char *const *names, int n)
{
    struct bench_workload fewer = *workload;
    long most = bench_raise_files() - 100;

    if (fewer.threads > most) {
        fprintf(stderr, "%s: only %ld, this process may have no more\n", workload->name, most);
        fewer.threads = (int)most;
    }
    bench_measure(&fewer, names, n);
}

#define ECHO(clients)                                                                              \
    {                                                                                              \
        "echo-" #clients, measure_echo, 0.5, clients, 0,                                           \
        {                                                                                          \
            { "requests", "k/s", BENCH_MORE }, { "p50", "us", BENCH_LESS },                        \
                { "p99", "us", BENCH_LESS },                                                       \
            {                                                                                      \
                "server_cpu", "us", BENCH_LESS                                                     \
            }                                                                                      \
        }                                                                                          \
    }

static const struct bench_workload workloads[] = {
    ECHO(1),
    ECHO(64),
    ECHO(1000),
    { "echo-idle-10000",
      measure_idle,
      1,
      10000,
      0,
      { { "resident", "MB", BENCH_LESS },
        { "page_tables", "MB", BENCH_NO_RATIO },
        { "accept+echo_cpu", "us", BENCH_LESS },
        { "cpu_in_200ms", "ms", BENCH_NO_RATIO } } },
};

static const struct bench_workload throughput = {
    "stream-1M", measure_throughput,
    0.5,         1,
    0,           { { "rate", "MB/s", BENCH_MORE }, { "cpu_both", "us/MiB", BENCH_LESS } },
};

int main(int argc, char **argv)
{
    const char *names[SERVERS], *pair_names[PAIRS];

    if (argc == 3 && (strcmp(argv[1], "server") == 0 || strcmp(argv[1], "reader") == 0))
        return be_server(argv[1], argv[2]);
    bench_begin(argc, argv, "Sockets: echo servers, idle clients, a stream of large pieces.");
    for (int i = 0; i < SERVERS; i++)
        names[i] = servers[i].name;
    for (int i = 0; i < PAIRS; i++)
        pair_names[i] = pairs[i].name;
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        measure_all(&workloads[i], names, SERVERS);
    bench_measure(&throughput, pair_names, PAIRS);
    return bench_end();
}
