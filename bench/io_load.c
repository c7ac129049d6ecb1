/* SPDX-License-Identifier: MIT */
/* The clients of an echo server. By the main thread. */
#include "io_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"
#include "common_server.h"

enum { EVENTS = 256, LONGEST_MS = 20000 };

/* The whole request is made of its number, so that a wrong answer is found out. */
static void make_request(uint64_t words[LOAD_BYTES / 8], const struct load_connection *connection)
{
    for (int i = 0; i < LOAD_BYTES / 8; i++)
        words[i] = (connection->number + (uint64_t)connection->fd) * (uint64_t)(2 * i + 1);
}

static void send_request(struct load_connection *connection, uint64_t now)
{
    uint64_t request[LOAD_BYTES / 8];

    connection->number++;
    connection->got = 0;
    connection->sent_at = now;
    make_request(request, connection);
    if (send(connection->fd, request, LOAD_BYTES, MSG_NOSIGNAL) != LOAD_BYTES)
        bench_fail("send: %s", strerror(errno));
}

/* Is the answer whole? */
static bool read_answer(struct load_connection *connection)
{
    uint64_t answer[LOAD_BYTES / 8], request[LOAD_BYTES / 8];
    ssize_t n = recv(connection->fd, answer, sizeof answer, MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0)
        bench_fail("recv: %s", n == 0 ? "the server has closed" : strerror(errno));
    make_request(request, connection);
    if (connection->got + n > LOAD_BYTES ||
        memcmp((char *)request + connection->got, answer, (size_t)n) != 0)
        bench_fail("the answer is not the request");
    connection->got += (uint32_t)n;
    return connection->got == LOAD_BYTES;
}

static unsigned step_of(uint64_t ns)
{
    if (ns < 1u << LOAD_STEP_BITS)
        return (unsigned)ns;
    unsigned power = 63u - (unsigned)__builtin_clzll(ns);
    unsigned fine = (unsigned)(ns >> (power - LOAD_STEP_BITS)) & ((1u << LOAD_STEP_BITS) - 1);
    return ((power - LOAD_STEP_BITS + 1) << LOAD_STEP_BITS) + fine;
}

/* Where a step begins. */
static double step_ns(unsigned step)
{
    unsigned power = step >> LOAD_STEP_BITS, fine = step & ((1u << LOAD_STEP_BITS) - 1);

    if (power == 0)
        return fine;
    return (double)(((uint64_t)fine + (1u << LOAD_STEP_BITS)) << (power - 1));
}

void load_connect(struct load *load, int port, int n)
{
    memset(load, 0, sizeof *load);
    load->n = n;
    load->connections = calloc((size_t)n, sizeof *load->connections);
    load->poller = epoll_create1(EPOLL_CLOEXEC);
    if (!load->connections || load->poller < 0)
        bench_fail("epoll_create1: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        struct load_connection *connection = &load->connections[i];
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };

        connection->fd = bench_connect(port);
        if (connection->fd < 0 ||
            epoll_ctl(load->poller, EPOLL_CTL_ADD, connection->fd, &event) < 0)
            bench_fail("connection %d: %s", i, strerror(errno));
    }
}

/* The events that are there, at least one. On a CPU of its own it looks again and again: so no
 * server pays for waking it, and a slow one no more than a quick one. */
static int await_events(const struct load *load, struct epoll_event events[EVENTS])
{
    uint64_t began = 0;
    int n;

    if (!bench_is_apart())
        n = epoll_wait(load->poller, events, EVENTS, LONGEST_MS);
    else
        while ((n = epoll_wait(load->poller, events, EVENTS, 0)) == 0) {
            uint64_t now = bench_ns();
            if (began == 0)
                began = now;
            if (now - began > LONGEST_MS * UINT64_C(1000000))
                break;
        }
    if (n <= 0)
        bench_fail("no answer came");
    return n;
}

double load_run(struct load *load, double seconds)
{
    struct epoll_event events[EVENTS];
    uint64_t began = bench_ns(), now = began, until = began + (uint64_t)(seconds * 1e9);
    int on_the_way = load->n;

    load->answers = 0;
    memset(load->counts, 0, sizeof load->counts);
    for (int i = 0; i < load->n; i++)
        send_request(&load->connections[i], bench_ns());
    while (on_the_way > 0) {
        int n = await_events(load, events);

        for (int i = 0; i < n; i++) {
            struct load_connection *connection = events[i].data.ptr;

            if (!read_answer(connection))
                continue;
            now = bench_ns();
            load->counts[step_of(now - connection->sent_at)]++;
            load->answers++;
            if (now < until)
                send_request(connection, now);
            else
                on_the_way--;
        }
    }
    return (double)(now - began) / 1e9;
}

double load_latency(const struct load *load, double part)
{
    uint64_t wanted = (uint64_t)(part * (double)load->answers), sum = 0;
    unsigned step = 0;

    while (step < LOAD_STEPS - 1 && (sum += load->counts[step]) <= wanted)
        step++;
    return step_ns(step);
}

void load_close(struct load *load)
{
    struct linger reset = { .l_onoff = 1 };

    for (int i = 0; i < load->n; i++) {
        setsockopt(load->connections[i].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(load->connections[i].fd);
    }
    close(load->poller);
    free(load->connections);
}
