/* SPDX-License-Identifier: MIT */
/* What is served, and to whom: `hocket serve` while it runs, and each of its clients. All of it
 * belongs to the one thread of its loop. */
#ifndef SITE_H
#define SITE_H

#include "access_log.h"
#include "files.h"
#include "http_answer.h"
#include "http_request.h"
#include "target_path.h"

#include <hocket/scope.h>
#include <hocket/server.h>

enum {
    CLIENT_IN = HTTP_HEAD_MAX + 4096,
    CLIENT_SMALL = 16 * 1024, /* files up to this size are sent with their heads */
    CLIENT_HEAD = 24 * 1024,  /* room for a head of ours */
    CLIENT_OUT = 2 * (CLIENT_HEAD + CLIENT_SMALL),
    CLIENT_BODY_MAX = 1024 * 1024, /* bytes of a request's body, which are read and dropped */
};

struct client {
    hkt_stream *stream;
    struct site *site;
    struct client *before, *behind; /* in the site's list, while it is idle */
    hkt_scope scope;                /* of the wait for a request */
    struct http_request request;
    struct target_path path;
    char peer[HKT_ADDRESS_MAX]; /* its address without the port */
    size_t begin, end;          /* of what has been read: from the current request on */
    size_t used;                /* of what is to be sent */
    bool hurried;               /* while idle: it has a second left */
    bool broken;                /* nothing more can be sent */
    char in[CLIENT_IN];
    char out[CLIENT_OUT];
};

struct site {
    struct files files;
    bool hidden;    /* names that begin with a dot are served too */
    double timeout; /* seconds: between requests, for a request, for a client to take some bytes */
    size_t max_clients;
    struct access_log *log; /* NULL: none */
    hkt_server *server;
    bool stopping;
    struct client *longest_idle, *last_idle;
    time_t now; /* and as HTTP writes it: */
    char date[HTTP_DATE_MAX];
};

/* client.c: serves one client, whose site is `arg` (hkt_stream_handler). */
int client_serve(hkt_stream *stream, void *arg);

/* sending.c: sends what is kept: 0, or a negative errno, and the client is broken. */
int client_flush(struct client *client);

/* Sends what is kept, and that, as client_flush. */
int client_send(struct client *client, const char *data, size_t size);

/* Sends so many bytes of a file, after what is kept, as long as the client takes some now and then:
 * how many were sent. If that is less, the client is broken. */
uint64_t client_send_file(struct client *client, int fd, uint64_t offset, uint64_t count);

/* The clients that wait for nothing but their next request are sent away. */
void site_dismiss_idle(struct site *site);

/* They have a second left, as others want their places. */
void site_hurry_idle(struct site *site);

/* Does it serve as many clients as it may? */
bool site_is_full(const struct site *site);

/* The time, looked up anew. */
void site_look_at_clock(struct site *site);

/* answer.c: answers the client's request, of which the head has been read. true: another one may
 * follow. */
bool answer_request(struct client *client);

/* Refuses it with that status. */
void answer_refusal(struct client *client, int status);

#endif
