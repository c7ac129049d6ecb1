/* SPDX-License-Identifier: MIT */
/* What goes out to a client: as long as it takes some now and then. One that does not is broken. */
#include "site.h"

#include <errno.h>

bool site_is_full(const struct site *site)
{
    return site->server && site->max_clients > 0 &&
           hkt_server_clients(site->server) >= site->max_clients;
}

/* `more`: a file follows. */
static int flush(struct client *client, bool more)
{
    hkt_scope scope;
    int err = 0;

    if (client->broken)
        return -EPIPE;
    if (client->used == 0)
        return 0;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(client->site->timeout) });
    err = more ? hkt_stream_write_more(client->stream, client->out, client->used)
               : hkt_stream_write(client->stream, client->out, client->used);
    (void)hkt_scope_leave(&scope);
    client->used = 0;
    client->broken = err < 0;
    return err;
}

int client_flush(struct client *client)
{
    return flush(client, false);
}

int client_send(struct client *client, const char *data, size_t size)
{
    int err = client_flush(client);

    while (err == 0 && size > 0) {
        size_t n = size < CLIENT_OUT ? size : CLIENT_OUT;
        hkt_scope scope;

        hkt_scope_enter(&scope,
                        &(hkt_scope_options){ .deadline = hkt_after(client->site->timeout) });
        err = hkt_stream_write(client->stream, data, n);
        (void)hkt_scope_leave(&scope);
        data += n;
        size -= n;
    }
    client->broken = client->broken || err < 0;
    return err;
}

uint64_t client_send_file(struct client *client, int fd, uint64_t offset, uint64_t count)
{
    uint64_t all = 0, sent = 1;
    int err = flush(client, true);

    while (err == 0 && all < count) {
        hkt_scope scope;

        hkt_scope_enter(&scope,
                        &(hkt_scope_options){ .deadline = hkt_after(client->site->timeout) });
        err = hkt_stream_send_file(client->stream, fd, offset + all, count - all, &sent);
        if (hkt_scope_leave(&scope) == -ETIMEDOUT && err == -ECANCELED && sent > 0)
            err = 0; /* it is slow, and takes some */
        all += sent;
    }
    client->broken = client->broken || err < 0;
    return all;
}
