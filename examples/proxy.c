/* SPDX-License-Identifier: MIT */
/* A proxy between a client and an echo server. It carries both directions, each
 * by a task, and passes it on when one of them ends and the other does not yet. */
#include <hocket.h>
#include <stdio.h>

struct direction {
    hkt_stream *from, *to;
};

static int carry(void *arg)
{
    struct direction *direction = arg;
    int err = hkt_stream_copy(direction->from, direction->to, NULL);
    return err < 0 ? err : hkt_stream_write_eof(direction->to);
}

static int echo(hkt_stream *client, void *arg)
{
    (void)arg;
    return hkt_stream_copy(client, client, NULL);
}

static int pass_on(hkt_stream *client, void *target)
{
    hkt_stream *server;
    int err = hkt_stream_connect(&server, "127.0.0.1", hkt_server_port(target), NULL);
    if (err < 0)
        return err;
    struct direction both[] = { { client, server }, { server, client } };
    err = hkt_gather(carry, HKT_ARRAY(both));
    hkt_stream_destroy(server);
    return err;
}

int main(void)
{
    char line[100];
    hkt_server *server = NULL, *proxy = NULL;
    hkt_stream *stream = NULL;
    int err = hkt_server_start(&server, "127.0.0.1", 0, echo, NULL, NULL);
    if (err == 0)
        err = hkt_server_start(&proxy, "127.0.0.1", 0, pass_on, server, NULL);
    if (err == 0)
        err = hkt_stream_connect(&stream, "127.0.0.1", hkt_server_port(proxy), NULL);
    if (err == 0)
        err = hkt_stream_printf(stream, "I go\nthere and\nback again.\n");
    if (err == 0)
        err = hkt_stream_write_eof(stream); /* and goes on reading */
    while (err >= 0 && (err = hkt_stream_read_line(stream, line, sizeof line)) > 0)
        fputs(line, stdout);
    hkt_stream_destroy(stream);
    hkt_server_destroy(proxy);
    hkt_server_destroy(server);
    return hkt_report(err);
}
