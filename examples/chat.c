/* SPDX-License-Identifier: MIT */
/* A chat server: what one guest says goes to all. Each is a task of the same
 * loop, so their list needs no lock; who does not listen is thrown out. */
#include <hocket.h>
#include <stdio.h>
#include <string.h>

static hkt_stream *guests[10];

static void tell_all(const char *line)
{
    int length = (int)strlen(line);
    for (int i = 0; i < 10; i++)
        if (guests[i] && hkt_stream_write_nowait(guests[i], line, (size_t)length) != length)
            hkt_stream_abort(guests[i]);
}

static int chat(hkt_stream *guest, void *arg)
{
    (void)arg;
    char line[200] = "Somebody comes.\n";
    int seat = 0, n;
    while (guests[seat])
        seat++;
    guests[seat] = guest;
    do
        tell_all(line);
    while ((n = hkt_stream_read_line(guest, line, sizeof line)) > 0);
    guests[seat] = NULL;
    tell_all("Somebody leaves.\n");
    return n == -ESHUTDOWN ? 0 : n;
}

static void hear(hkt_stream *ears[3])
{
    char line[200];
    for (int i = 0; i < 3; i++)
        if (ears[i] && hkt_stream_read_line(ears[i], line, sizeof line) > 0)
            printf("guest %d hears: %s", i + 1, line);
}

int main(void)
{
    hkt_stream *ears[3] = { NULL };
    hkt_server *server = NULL;
    hkt_server_options options = { .max_clients = 10 };
    int err = hkt_server_start(&server, "127.0.0.1", 0, chat, NULL, &options);
    for (int i = 0; i < 3 && err == 0; i++)
        if ((err = hkt_stream_connect(&ears[i], "127.0.0.1", hkt_server_port(server), NULL)) == 0)
            hear(ears);
    if (err == 0 && (err = hkt_stream_printf(ears[1], "Ben: Hello, you two!\n")) == 0) {
        hear(ears);
        hkt_stream_close(ears[1]);
        hear(ears);
    }
    for (int i = 0; i < 3; i++)
        hkt_stream_destroy(ears[i]);
    hkt_server_destroy(server);
    return hkt_report(err);
}
