/* SPDX-License-Identifier: MIT */
/* The bytes of a page come from a small generator, so both sides can make them without keeping them.
 * The sum is FNV-1a, which notices what a broken transfer does, and costs little. */
#include "pages.h"

#include "http_answer.h"

#include <hocket/shared.h>
#include <hocket/shared_event.h>
#include <hocket/time.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PART = 4096, REQUEST = 1024 };

#define PATIENCE 10.0 /* seconds for a process to begin */

/* What a server in another process and this one share. */
struct pages_desk {
    hkt_shared_event open, closing;
    double latency;
    int port; /* when it is open; or a negative errno */
};

size_t page_size(int id)
{
    return (size_t)id * PAGE_UNIT;
}

uint64_t page_sum(uint64_t sum, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum = (sum ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    return sum;
}

/* The next bytes of a page: *state is its number at the beginning. */
static void make_bytes(uint64_t *state, unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        bytes[i] = (unsigned char)(*state >> 56);
    }
}

uint64_t page_sum_of(int id)
{
    uint64_t sum = PAGE_SUM_OF_NONE, state = (uint64_t)id;
    unsigned char bytes[PART];

    for (size_t left = page_size(id), n; left > 0; left -= n) {
        n = left < PART ? left : PART;
        make_bytes(&state, bytes, n);
        sum = page_sum(sum, bytes, n);
    }
    return sum;
}

static int send_head(hkt_stream *client, int status, size_t size)
{
    char text[256];
    struct http_head head = { .text = text, .room = sizeof text };

    http_head_begin(&head, status, NULL);
    http_head_add(&head, "Content-Length: %zu", size);
    http_head_add(&head, "Connection: close");
    http_head_end(&head);
    return hkt_stream_write(client, text, head.length);
}

static int send_page(hkt_stream *client, int id)
{
    uint64_t state = (uint64_t)id;
    unsigned char bytes[PART];
    int err = send_head(client, 200, page_size(id));

    for (size_t left = page_size(id), n; err == 0 && left > 0; left -= n) {
        n = left < PART ? left : PART;
        make_bytes(&state, bytes, n);
        err = hkt_stream_write(client, bytes, n);
    }
    return err;
}

static int serve(hkt_stream *client, void *arg)
{
    char request[REQUEST + 1];
    int id = 0, end = 0;
    int n = hkt_stream_read_until(client, request, REQUEST, "\r\n\r\n", 4);

    if (n < 0)
        return 0; /* a client that went away, or is none of ours */
    request[n] = 0;
    int err = hkt_sleep(*(const double *)arg);

    if (err < 0)
        return err;
    if (sscanf(request, "GET /%2d HTTP/1.1\r\n%n", &id, &end) != 1 || end == 0 || id < 1)
        return send_head(client, 404, 0);
    return send_page(client, id);
}

static int open_server(hkt_server **server, double *latency)
{
    hkt_server_options options = { .name = "pages" };
    int err = hkt_server_start(server, "127.0.0.1", 0, serve, latency, &options);

    return err < 0 ? err : hkt_server_port(*server);
}

/* In the server's own process, until it is told to close. */
static int serve_apart(void *arg)
{
    struct pages_desk *desk = arg;
    hkt_server *server;
    int err = desk->port = open_server(&server, &desk->latency);

    hkt_shared_event_set(&desk->open);
    if (err < 0)
        return err;
    err = hkt_shared_event_wait(&desk->closing);
    hkt_server_destroy(server);
    return err;
}

/* The port, or a negative errno. */
static int open_apart(struct pages *pages)
{
    hkt_process_options options = { .name = "pages", .method = HKT_START_FORKSERVER };

    pages->desk = hkt_shared_alloc(sizeof *pages->desk);
    if (!pages->desk)
        return -ENOMEM;
    pages->desk->latency = pages->latency;
    int err = hkt_process_spawn(&pages->process, serve_apart, pages->desk, 0, &options);

    if (err == 0)
        err = hkt_shared_event_wait_until(&pages->desk->open, hkt_after(PATIENCE));
    return err < 0 ? err : pages->desk->port;
}

int pages_serve(struct pages *pages, double latency, bool apart)
{
    *pages = (struct pages){ .latency = latency };
    pages->port = apart ? open_apart(pages) : open_server(&pages->server, &pages->latency);
    if (pages->port >= 0)
        return 0;
    int err = pages->port;

    pages_close(pages);
    return err;
}

void pages_close(struct pages *pages)
{
    hkt_server_destroy(pages->server);
    if (pages->process) {
        hkt_shared_event_set(&pages->desk->closing);
        hkt_process_join(pages->process);
        hkt_process_destroy(pages->process);
    }
    hkt_shared_free(pages->desk);
    *pages = (struct pages){ .port = 0 };
}
