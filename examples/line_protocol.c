/* SPDX-License-Identifier: MIT */
/* A server that is asked for squares, a line each. Who takes too long for a line,
 * or makes it too long, is told so. (StreamReader.readline, asyncio.timeout) */
#include <hocket.h>
#include <stdio.h>
#include <stdlib.h>

static int read_line_soon(hkt_stream *client, char *line, size_t size)
{
    hkt_scope patience;
    hkt_scope_enter(&patience, &(hkt_scope_options){ .deadline = hkt_after(1.0) });
    return hkt_scope_leave_with(&patience, hkt_stream_read_line(client, line, size));
}

static int serve(hkt_stream *client, void *arg)
{
    (void)arg;
    char line[10];
    int n, err = 0;
    while (err == 0 && (n = read_line_soon(client, line, sizeof line)) > 0) {
        long number = strtol(line, NULL, 10);
        err = hkt_stream_printf(client, "%ld\n", number * number);
    }
    if (err == 0 && n == -ETIMEDOUT)
        err = hkt_stream_printf(client, "too slow\n");
    else if (err == 0 && n == -EMSGSIZE)
        err = hkt_stream_printf(client, "too long\n");
    return err;
}

static int ask(hkt_server *server, const char *number, const char *end)
{
    hkt_stream *stream = NULL;
    char answer[100];
    int err = hkt_stream_connect(&stream, "127.0.0.1", hkt_server_port(server), NULL);
    if (err == 0)
        err = hkt_stream_printf(stream, "%s%s", number, end);
    if (err == 0 && (err = hkt_stream_read_line(stream, answer, sizeof answer)) > 0)
        printf("%s: %s", number, answer);
    hkt_stream_destroy(stream);
    return err;
}

int main(void)
{
    hkt_server *server;
    int err = hkt_server_start(&server, "127.0.0.1", 0, serve, NULL, NULL);
    if (err < 0)
        return hkt_report(err);
    err = ask(server, "12", "\n");
    if (err > 0)
        err = ask(server, "1234567890", "\n");
    if (err > 0)
        err = ask(server, "34", ""); /* and nothing more */
    hkt_server_destroy(server);
    return hkt_report(err);
}
