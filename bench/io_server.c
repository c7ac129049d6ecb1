/* SPDX-License-Identifier: MIT */
/* hocket's ends: an echo server with a task a client, a reader, a writer. */
#include "io_server.h"

#include <hocket.h>
#include <hocket/server.h>
#include <hocket/stream.h>

#include <stdio.h>
#include <stdlib.h>

#include "common.h"
#include "common_server.h"

static int echo(hkt_stream *client, void *arg)
{
    char data[ECHO_BUFFER];
    int n;

    (void)arg;
    while ((n = hkt_stream_read(client, data, sizeof data)) > 0) {
        int err = hkt_stream_write(client, data, (size_t)n);

        if (err < 0)
            return err;
    }
    return n;
}

static int serve(hkt_stream_handler *handler)
{
    hkt_server *server;
    int err = hkt_server_start(&server, "127.0.0.1", 0, handler, NULL, NULL);

    if (err < 0)
        bench_fail("hkt_server_start: %s", hkt_sentence(err));
    printf("%d\n", hkt_server_port(server));
    fflush(stdout);
    err = hkt_server_wait(server);
    hkt_server_destroy(server);
    return err;
}

static int serve_echo(void *arg)
{
    (void)arg;
    return serve(echo);
}

int io_serve_hocket(void)
{
    return hkt_run(serve_echo, NULL) != 0;
}

/* Reads it to its end, and says so by one byte. */
static int read_all(hkt_stream *client, void *arg)
{
    static char data[READ_PIECE];
    int n;

    (void)arg;
    while ((n = hkt_stream_read(client, data, sizeof data)) > 0)
        continue;
    return n < 0 ? n : hkt_stream_write(client, "", 1);
}

static int serve_reader(void *arg)
{
    (void)arg;
    return serve(read_all);
}

int io_read_hocket(void)
{
    return hkt_run(serve_reader, NULL) != 0;
}

int io_read_threads(void)
{
    hkt_listener *listener;
    hkt_stream *client;
    hkt_address address;

    bench_check(hkt_listener_create(&listener, "127.0.0.1", 0, NULL), "hkt_listener_create");
    bench_check(hkt_listener_address(listener, &address), "hkt_listener_address");
    printf("%d\n", hkt_address_port(&address));
    fflush(stdout);
    for (;;) {
        bench_check(hkt_listener_accept(listener, &client), "hkt_listener_accept");
        bench_check(read_all(client, NULL), "read_all");
        hkt_stream_destroy(client);
    }
}

static struct {
    int port;
    long pieces;
} order;

static int write_all(void *arg)
{
    char *piece = bench_alone(PIECE), answer;
    hkt_stream *stream;

    (void)arg;
    bench_check(hkt_stream_connect(&stream, "127.0.0.1", order.port, NULL), "hkt_stream_connect");
    for (long i = 0; i < order.pieces; i++)
        bench_check(hkt_stream_write(stream, piece, PIECE), "hkt_stream_write");
    bench_check(hkt_stream_write_eof(stream), "hkt_stream_write_eof");
    bench_check(hkt_stream_read_exactly(stream, &answer, 1, NULL), "hkt_stream_read_exactly");
    if (hkt_stream_written(stream) != (uint64_t)order.pieces * PIECE)
        bench_fail("hkt_stream_written is wrong");
    hkt_stream_destroy(stream);
    free(piece);
    return 0;
}

void io_write_threads(int port, long pieces)
{
    order.port = port;
    order.pieces = pieces;
    write_all(NULL);
}

void io_write_hocket(int port, long pieces)
{
    order.port = port;
    order.pieces = pieces;
    bench_check(hkt_run(write_all, NULL), "hkt_run");
}
