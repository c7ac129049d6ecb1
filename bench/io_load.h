/* SPDX-License-Identifier: MIT */
/* The clients of an echo server: any number of connections, one thread, one epoll. Each sends a
 * request, waits for all of the answer, and at once sends the next one. That each answer is its
 * request is checked. */
#ifndef BENCH_IO_LOAD_H
#define BENCH_IO_LOAD_H

#include <stdint.h>

enum { LOAD_BYTES = 64 };

struct load_connection {
    int fd;
    uint32_t got;     /* bytes of the answer */
    uint64_t sent_at; /* nanoseconds */
    uint64_t number;  /* of the request: what it is made from */
};

/* Latencies in nanoseconds, from 0 on, 128 steps between one power of two and the next. */
enum { LOAD_STEP_BITS = 7, LOAD_STEPS = (64 - LOAD_STEP_BITS) << LOAD_STEP_BITS };

struct load {
    int poller, n;
    struct load_connection *connections;
    uint64_t answers;
    uint64_t counts[LOAD_STEPS]; /* how many answers took so long */
};

/* Connects n times to that port of the loopback. */
void load_connect(struct load *load, int port, int n);
/* All of them for so long: the seconds that it took. answers and counts are of this time alone.
 * The connections have no request on the way at the end. */
double load_run(struct load *load, double seconds);
/* The nanoseconds within which a part (0.5, 0.99) of the answers came. */
double load_latency(const struct load *load, double part);
/* Resets all connections, so that their ports are free at once. */
void load_close(struct load *load);

#endif
