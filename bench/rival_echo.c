/* SPDX-License-Identifier: MIT */
/* libuv as an echo server for bench_io, where it is found: rivals/uv-echo. Prints its port. */
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

enum { BUFFER = 1024, BACKLOG = 511 };

/* A client, and the one answer that may be on its way. */
struct client {
    uv_tcp_t tcp;
    uv_write_t write;
    char data[BUFFER];
};

static void must(int err, const char *call)
{
    if (err >= 0)
        return;
    fprintf(stderr, "uv-echo: %s: %s\n", call, uv_strerror(err));
    exit(1);
}

static void closed(uv_handle_t *handle)
{
    free(handle);
}

static void room(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    struct client *client = (struct client *)handle;

    (void)wanted;
    *buffer = uv_buf_init(client->data, BUFFER);
}

static void written(uv_write_t *write, int err)
{
    (void)write;
    (void)err;
}

/* At once, as nearly always goes; the rest, if there is any, by a request. */
static void answer(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct client *client = (struct client *)stream;
    uv_buf_t data = uv_buf_init(buffer->base, n > 0 ? (unsigned)n : 0);

    if (n < 0) {
        uv_close((uv_handle_t *)stream, closed);
        return;
    }
    int sent = n > 0 ? uv_try_write(stream, &data, 1) : 0;
    if (sent == n)
        return;
    data.base += sent > 0 ? sent : 0;
    data.len -= sent > 0 ? (size_t)sent : 0;
    must(uv_write(&client->write, stream, &data, 1, written), "uv_write");
}

static void arrived(uv_stream_t *listener, int err)
{
    struct client *client = malloc(sizeof *client);

    must(err, "listen");
    must(client ? 0 : UV_ENOMEM, "malloc");
    must(uv_tcp_init(listener->loop, &client->tcp), "uv_tcp_init");
    must(uv_accept(listener, (uv_stream_t *)client), "uv_accept");
    must(uv_tcp_nodelay(&client->tcp, 1), "uv_tcp_nodelay");
    must(uv_read_start((uv_stream_t *)client, room, answer), "uv_read_start");
}

int main(void)
{
    struct sockaddr_in address;
    int length = sizeof address;
    uv_tcp_t listener;

    must(uv_ip4_addr("127.0.0.1", 0, &address), "uv_ip4_addr");
    must(uv_tcp_init(uv_default_loop(), &listener), "uv_tcp_init");
    must(uv_tcp_bind(&listener, (const struct sockaddr *)&address, 0), "uv_tcp_bind");
    must(uv_listen((uv_stream_t *)&listener, BACKLOG, arrived), "uv_listen");
    must(uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &length), "getsockname");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
