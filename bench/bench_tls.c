/* SPDX-License-Identifier: MIT */
/* TLS: handshakes, in full and resumed, and a stream in either direction. Servers are processes of
 * their own on one CPU; their clients, the same for both, are this program on another one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "common_server.h"
#include "tls_load.h"
#include "tls_server.h"

enum { HOCKET, OPENSSL, SYSTEMS };

#define WARM_SECONDS 0.1
#define FILE_NAME "large"
enum { FILE_BYTES = 64 << 20 };

static const char *const names[] = { [HOCKET] = "hocket", [OPENSSL] = "s_server" };

/* What the servers can be. The standard input of s_server is a pipe to which nothing is
 * written: so it sends nothing of its own, and does not see an end. */
static const struct {
    const char *ours, *theirs; /* NULL: it reads */
} roles[] = { { "echo", "-rev" }, { "reader", NULL }, { "files", "-WWW" } };
enum role { ECHO, READER, FILES };

static bool start(struct bench_server *server, int s, enum role role)
{
    char port[16];
    int number = s == OPENSSL ? bench_free_port() : 0;
    const char *const ours[] = { "self", roles[role].ours, NULL };
    const char *const theirs[] = { "openssl", "s_server", "-accept",
                                   port,      "-cert",    TLS_PEM,
                                   "-quiet",  "-4",       roles[role].theirs,
                                   NULL };

    snprintf(port, sizeof port, "%d", number);
    tls_load_forget();
    return bench_server_start(server, number, s == OPENSSL ? theirs : ours);
}

/* With `threads` 1 they are resumed. */
static void measure_handshakes(const struct bench_workload *workload, int s, double values[])
{
    bool resume = workload->threads == 1;
    struct bench_server server;
    double took;

    bench_apart();
    if (start(&server, s, ECHO)) {
        tls_handshakes(server.port, false, 0, &took);
        tls_handshakes(server.port, resume, fmin(WARM_SECONDS, workload->seconds), &took);
        double before = bench_server_cpu(&server);
        double count = (double)tls_handshakes(server.port, resume, workload->seconds, &took);
        values[0] = count / took;
        values[1] = (bench_server_cpu(&server) - before) / count / 1e3;
        bench_server_stop(&server);
    }
    bench_together();
}

static void measure_receive(const struct bench_workload *workload, int s, double values[])
{
    enum { WARM_PIECES = 1024 };
    struct bench_server server;

    bench_apart();
    if (start(&server, s, READER)) {
        uint64_t began = bench_ns();
        tls_send(server.port, WARM_PIECES);
        double each = (double)(bench_ns() - began) / 1e9 / WARM_PIECES;
        long pieces = lround(fmax(workload->seconds / each, WARM_PIECES));
        double before = bench_server_cpu(&server), bytes = (double)pieces * TLS_PIECE;
        began = bench_ns();
        tls_send(server.port, pieces);
        values[0] = bytes / 1e6 / ((double)(bench_ns() - began) / 1e9);
        values[1] = (bench_server_cpu(&server) - before) / 1e3 / (bytes / (1 << 20));
        bench_server_stop(&server);
    }
    bench_together();
}

/* A file, again and again. */
static void measure_send(const struct bench_workload *workload, int s, double values[])
{
    struct bench_server server;

    bench_apart();
    if (start(&server, s, FILES)) {
        tls_fetch(server.port, FILE_NAME);
        double before = bench_server_cpu(&server), bytes = 0;
        uint64_t began = bench_ns(), took;
        do {
            uint64_t n = tls_fetch(server.port, FILE_NAME);
            if (n < FILE_BYTES)
                bench_fail("only %lu bytes came", (unsigned long)n);
            bytes += (double)n;
            took = bench_ns() - began;
        } while ((double)took / 1e9 < workload->seconds);
        values[0] = bytes / 1e6 / ((double)took / 1e9);
        values[1] = (bench_server_cpu(&server) - before) / 1e3 / (bytes / (1 << 20));
        bench_server_stop(&server);
    }
    bench_together();
}

/* In a folder of its own, which is the current one from now on. False: there is no openssl. */
static bool make_files(char folder[])
{
    if (!mkdtemp(folder) || chdir(folder) < 0)
        bench_fail("mkdtemp: %s", folder);
    FILE *file = fopen(FILE_NAME, "w");
    if (!file || ftruncate(fileno(file), FILE_BYTES) < 0 || fclose(file) != 0)
        bench_fail("%s/" FILE_NAME, folder);
    return system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
                  " -subj /CN=localhost -keyout " TLS_PEM " -out certificate.pem 2>/dev/null"
                  " && cat certificate.pem >>" TLS_PEM) == 0;
}

static void remove_files(const char *folder)
{
    static const char *const files[] = { FILE_NAME, TLS_PEM, "certificate.pem" };

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        unlink(files[i]);
    rmdir(folder);
}

#define HANDSHAKES(name, resumed)                                                                  \
    {                                                                                              \
        name, measure_handshakes, 0.5, resumed, 0,                                                 \
        {                                                                                          \
            { "handshakes", "/s", BENCH_MORE },                                                    \
            {                                                                                      \
                "server_cpu", "us", BENCH_LESS                                                     \
            }                                                                                      \
        }                                                                                          \
    }
#define STREAM(name, measure)                                                                      \
    {                                                                                              \
        name, measure, 0.5, 0, 0,                                                                  \
        {                                                                                          \
            { "rate", "MB/s", BENCH_MORE },                                                        \
            {                                                                                      \
                "server_cpu", "us/MiB", BENCH_LESS                                                 \
            }                                                                                      \
        }                                                                                          \
    }

static const struct bench_workload workloads[] = {
    HANDSHAKES("tls-full", 0),
    HANDSHAKES("tls-resumed", 1),
    STREAM("tls-receive", measure_receive),
    STREAM("tls-send", measure_send),
};

int main(int argc, char **argv)
{
    char folder[] = "/tmp/bench_tls.XXXXXX";

    for (size_t i = 0; argc == 2 && i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(argv[1], roles[i].ours) == 0)
            return tls_serve(argv[1]);
    bench_begin(argc, argv, "TLS: handshakes, in full and resumed, streams.");
    tls_load_begin();
    if (make_files(folder))
        for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
            bench_measure(&workloads[i], names, SYSTEMS);
    else
        bench_left_out("TLS", "there is no openssl to make a certificate");
    remove_files(folder);
    return bench_end();
}
