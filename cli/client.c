/* SPDX-License-Identifier: MIT */
/* One client from beginning to end, in a task of its own: reads heads into `in`, has them answered
 * into `out`, and sends that when nothing more can be answered without waiting; so requests that
 * come together are answered together.
 *
 * A client is idle, and in the site's list, while no byte of its next request has come: then it may
 * be sent away without a word, when the server stops, or soon if others want its place. From the first byte
 * on the whole head has to come within the time limit, and so has a body. */
#include "site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LINGER_MAX = 256 * 1024 };

#define HURRY 1.0  /* seconds that an idle client has when others wait for its place */
#define LINGER 1.0 /* seconds in which a client may read why it is sent away */

/* How long a client may be idle now. */
static double patience(const struct site *site)
{
    return site_is_full(site) && site->timeout > HURRY ? HURRY : site->timeout;
}

static void be_idle(struct client *client)
{
    struct site *site = client->site;

    client->hurried = false;
    client->before = site->last_idle;
    client->behind = NULL;
    if (site->last_idle)
        site->last_idle->behind = client;
    else
        site->longest_idle = client;
    site->last_idle = client;
}

static void be_busy(struct client *client)
{
    struct site *site = client->site;

    if (client->before)
        client->before->behind = client->behind;
    else
        site->longest_idle = client->behind;
    if (client->behind)
        client->behind->before = client->before;
    else
        site->last_idle = client->before;
}

void site_dismiss_idle(struct site *site)
{
    for (struct client *client = site->longest_idle; client; client = client->behind)
        hkt_scope_cancel(&client->scope);
}

void site_hurry_idle(struct site *site)
{
    for (struct client *client = site->last_idle; client && !client->hurried;
         client = client->before) {
        client->hurried = true;
        hkt_scope_reschedule(&client->scope, hkt_after(patience(site)));
    }
}

/* Reads some more behind what is there: how many bytes; 0 at the end; errors of reading. */
static int read_more(struct client *client)
{
    if (client->begin > 0 && CLIENT_IN - client->end < 4096) {
        memmove(client->in, client->in + client->begin, client->end - client->begin);
        client->end -= client->begin;
        client->begin = 0;
        client->request.head = client->in;
    }
    int n = hkt_stream_read(client->stream, client->in + client->end, CLIENT_IN - client->end);

    if (n > 0)
        client->end += (size_t)n;
    return n;
}

static int parse(struct client *client)
{
    if (client->begin == client->end)
        return 0;
    return http_request_parse(&client->request, client->in + client->begin,
                              client->end - client->begin);
}

/* In the client's scope: as await_head; 0 also when the scope has ended. */
static int read_head(struct client *client)
{
    bool idle = client->begin == client->end;
    int n, head = 0;

    while (head == 0) {
        if (idle)
            be_idle(client);
        n = read_more(client);
        if (idle)
            be_busy(client);
        if (n <= 0)
            return 0;
        if (idle)
            hkt_scope_reschedule(&client->scope, hkt_after(client->site->timeout));
        idle = false;
        head = parse(client);
    }
    return head;
}

/* Waits for the head of the next request: how many bytes it has; 0: there will be none; minus the
 * status that refuses it. */
static int await_head(struct client *client)
{
    http_request_reset(&client->request);
    int head = parse(client);

    if (head != 0)
        return head;
    if (client_flush(client) < 0 || (client->site->stopping && client->begin == client->end))
        return 0;
    hkt_scope_enter(&client->scope,
                    &(hkt_scope_options){ .deadline = hkt_after(patience(client->site)) });
    head = read_head(client);
    if (hkt_scope_leave(&client->scope) == -ETIMEDOUT && head == 0 && client->end > client->begin)
        head = -408;
    return head;
}

/* In the client's scope: feeds the parser until the body has ended: 0, -400, -413, -408. */
static int read_body(struct client *client, size_t head)
{
    size_t dropped = 0;

    for (;;) {
        const char *body = client->in + client->begin + head;
        size_t used = 0, length = client->end - client->begin - head;
        int end = length > 0 ? http_request_body(&client->request, body, length, &used) : 0;

        if (end < 0)
            return end;
        dropped += used;
        length -= used;
        memmove(client->in + client->begin + head, body + used, length);
        client->end = client->begin + head + length;
        if (end > 0)
            return 0;
        if (dropped > CLIENT_BODY_MAX)
            return -413;
        if (client_flush(client) < 0 || read_more(client) <= 0)
            return -408;
    }
}

/* Drops the body of the request, if it has one: 0, or minus the status that refuses it. */
static int drop_body(struct client *client, size_t head)
{
    const struct http_request *request = &client->request;
    int err;

    if (!http_request_has_body(request))
        return 0;
    if (request->verb == HTTP_VERB_OTHER || request->expects)
        return 0; /* it is answered without, and the connection closed */
    if (request->content_length > CLIENT_BODY_MAX)
        return -413;
    hkt_scope_enter(&client->scope,
                    &(hkt_scope_options){ .deadline = hkt_after(client->site->timeout) });
    err = read_body(client, head);
    (void)hkt_scope_leave(&client->scope);
    return err;
}

/* Requests until there is none, or one after which the connection is to be closed: true if what the
 * client sends then is not read any more. */
static bool serve_requests(struct client *client)
{
    int head, err = 0;

    while ((head = await_head(client)) > 0) {
        err = drop_body(client, (size_t)head);
        if (err < 0 || !answer_request(client))
            break;
        client->begin += (size_t)head;
        if (client->begin == client->end)
            client->begin = client->end = 0;
    }
    if (head < 0)
        err = head;
    if (err < 0)
        answer_refusal(client, -err);
    if (client_flush(client) < 0 || (err == 0 && head == 0))
        return false;
    return err < 0 || client->end > client->begin + (size_t)head ||
           http_request_has_body(&client->request);
}

/* Closed with bytes unread, the connection would be reset, and what we sent last perhaps lost. So the
 * client is told that this is all, and has a moment to take it. */
static void linger(struct client *client)
{
    size_t dropped = 0;
    int n;

    hkt_scope_enter(&client->scope, &(hkt_scope_options){ .deadline = hkt_after(LINGER) });
    n = hkt_stream_write_eof(client->stream); /* TLS has something to say, perhaps without room */
    if (n == 0)
        n = 1;
    while (n > 0 && dropped < LINGER_MAX && !client->site->stopping) {
        n = hkt_stream_read(client->stream, client->in, CLIENT_IN);
        if (n > 0)
            dropped += (size_t)n;
    }
    (void)hkt_scope_leave(&client->scope);
}

/* TLS takes leave, for which there may be no room if the client does not read. */
static void close_in_time(struct client *client)
{
    hkt_scope scope;

    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(client->site->timeout) });
    (void)hkt_stream_close(client->stream);
    (void)hkt_scope_leave(&scope);
}

static void look_at_peer(struct client *client)
{
    hkt_address address;
    char *colon;

    if (hkt_stream_peer(client->stream, &address) < 0) {
        memcpy(client->peer, "-", 2);
        return;
    }
    hkt_address_format(&address, client->peer);
    colon = strrchr(client->peer, ':');
    if (colon)
        *colon = 0;
}

int client_serve(hkt_stream *stream, void *arg)
{
    struct site *site = arg;
    struct client *client = malloc(sizeof *client);

    if (!client)
        return -ENOMEM;
    memset(client, 0, offsetof(struct client, request));
    client->stream = stream;
    client->site = site;
    client->begin = client->end = client->used = 0;
    client->broken = false;
    look_at_peer(client);
    if (site_is_full(site))
        site_hurry_idle(site);
    if (serve_requests(client))
        linger(client);
    if (client->broken)
        hkt_stream_abort(stream);
    else
        close_in_time(client);
    free(client);
    return 0;
}
