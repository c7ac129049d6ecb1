/* SPDX-License-Identifier: MIT */
/* A server that says everything back, and a client who tries it out. The server
 * has a thread of its own here, with a loop; the client is plain code in main,
 * which knows nothing of loops. (asyncio.start_server, open_connection) */
#include <hocket.h>
#include <stdio.h>

static int echo(hkt_stream *client, void *arg) /* a task for each client */
{
    (void)arg;
    char data[4096];
    int n;
    while ((n = hkt_stream_read(client, data, sizeof data)) > 0) {
        int err = hkt_stream_write(client, data, (size_t)n);
        if (err < 0)
            return err;
    }
    return n; /* 0: the client has said all */
}

static int shout(hkt_stream *stream, const char *word)
{
    char answer[100];
    printf("I call:    %s\n", word);
    int err = hkt_stream_printf(stream, "%s\n", word);
    if (err == 0)
        err = hkt_stream_read_line(stream, answer, sizeof answer);
    if (err > 0)
        printf("I hear:    %s", answer);
    return err;
}

int main(void)
{
    hkt_server *valley;
    hkt_stream *stream = NULL;
    int err = hkt_server_start(&valley, "127.0.0.1", 0, echo, NULL, NULL);
    if (err < 0)
        return hkt_report(err);
    err = hkt_stream_connect(&stream, "127.0.0.1", hkt_server_port(valley), NULL);
    if (err == 0)
        err = shout(stream, "Holla");
    if (err > 0)
        err = shout(stream, "Is anybody there?");
    hkt_stream_destroy(stream);
    hkt_server_destroy(valley);
    return hkt_report(err);
}
