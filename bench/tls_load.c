/* SPDX-License-Identifier: MIT */
/* The clients of a TLS server. By the main thread. */
#include "tls_load.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "common_server.h"

/* It shakes hands; waits for an answer, with which sessions come; has taken leave, and waits
 * for the server's. */
enum stage { FREE, SHAKING, ASKING, LEAVING };

struct client {
    enum stage stage;
    int fd;
    SSL *ssl;
    short wants; /* events of poll */
};

static SSL_CTX *context;
static SSL_SESSION *newest; /* the session that a server last gave */

static _Noreturn void fail(const char *call)
{
    bench_fail("%s: %s", call, ERR_error_string(ERR_get_error(), NULL));
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(newest);
    newest = session;
    return 1;
}

/* A copy for each connection: OpenSSL takes notes in it. */
static void take_up(SSL *ssl)
{
    SSL_SESSION *session = SSL_SESSION_dup(newest);

    if (!session || !SSL_set_session(ssl, session))
        fail("SSL_set_session");
    SSL_SESSION_free(session);
}

void tls_load_begin(void)
{
    context = SSL_CTX_new(TLS_client_method());
    if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION))
        fail("SSL_CTX_new");
    SSL_CTX_set_session_cache_mode(context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context, keep_session);
}

void tls_load_forget(void)
{
    SSL_SESSION_free(newest);
    newest = NULL;
}

static SSL *make_ssl(int fd)
{
    SSL *ssl = SSL_new(context);

    if (!ssl || !SSL_set_fd(ssl, fd))
        fail("SSL_new");
    return ssl;
}

static void start(struct client *client, int port, bool resume)
{
    client->fd = bench_connect(port);
    if (client->fd < 0)
        bench_fail("connect: %s", strerror(errno));
    fcntl(client->fd, F_SETFL, O_NONBLOCK);
    client->ssl = make_ssl(client->fd);
    if (resume)
        take_up(client->ssl);
    client->stage = SHAKING;
}

static void finish(struct client *client)
{
    SSL_free(client->ssl);
    close(client->fd);
    client->stage = FREE;
}

/* One step: what OpenSSL returned. More than 0: it was done, and the next one can be tried. */
static int step(struct client *client, bool resume)
{
    char data[64];
    int n;

    if (client->stage == SHAKING) {
        n = SSL_connect(client->ssl);
        if (n <= 0)
            return n;
        if (resume != (SSL_session_reused(client->ssl) == 1))
            bench_fail("a session was%s taken up", resume ? " not" : "");
        client->stage = ASKING;
        return SSL_write(client->ssl, "hello\n", 6);
    }
    n = SSL_read(client->ssl, data, sizeof data);
    if (n > 0 && client->stage == ASKING) {
        SSL_shutdown(client->ssl);
        client->stage = LEAVING;
    }
    return n;
}

/* As far as it gets now. */
static void go_on(struct client *client, bool resume)
{
    int n;

    ERR_clear_error();
    do
        n = step(client, resume);
    while (n > 0);
    int error = SSL_get_error(client->ssl, n);
    client->wants = error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;
    if (error == SSL_ERROR_ZERO_RETURN && client->stage == LEAVING)
        finish(client);
    else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        fail(client->stage == SHAKING ? "SSL_connect" : "SSL_read");
}

/* Waits for one of them, and goes on with all that can. */
static void turn(struct client clients[], bool resume)
{
    struct pollfd fds[TLS_CLIENTS];

    for (int i = 0; i < TLS_CLIENTS; i++)
        fds[i] = (struct pollfd){ .fd = clients[i].stage == FREE ? -1 : clients[i].fd,
                                  .events = clients[i].wants };
    if (poll(fds, TLS_CLIENTS, 20000) <= 0)
        bench_fail("the server does not answer");
    for (int i = 0; i < TLS_CLIENTS; i++)
        if (fds[i].revents)
            go_on(&clients[i], resume);
}

uint64_t tls_handshakes(int port, bool resume, double seconds, double *took)
{
    struct client clients[TLS_CLIENTS] = { 0 };
    uint64_t began = bench_ns(), until = began + (uint64_t)(seconds * 1e9), count = 0;
    bool again = true, some = true;

    if (resume && !newest)
        bench_fail("the server gives no sessions");
    for (; some; again = bench_ns() < until) {
        some = false;
        for (int i = 0; i < TLS_CLIENTS; i++) {
            if (clients[i].stage == FREE && again) {
                start(&clients[i], port, resume);
                go_on(&clients[i], resume);
                count++;
            }
            some |= clients[i].stage != FREE;
        }
        if (some)
            turn(clients, resume);
    }
    *took = (double)(bench_ns() - began) / 1e9;
    return count;
}

/* A client that waits in its calls. */
static SSL *connect_blocking(int port)
{
    int fd = bench_connect(port);

    if (fd < 0)
        bench_fail("connect: %s", strerror(errno));
    SSL *ssl = make_ssl(fd);
    if (SSL_connect(ssl) != 1)
        fail("SSL_connect");
    return ssl;
}

/* How many bytes came until then. */
static uint64_t read_to_end(SSL *ssl)
{
    static char data[4 * TLS_PIECE];
    uint64_t sum = 0;
    int n;

    while ((n = SSL_read(ssl, data, sizeof data)) > 0)
        sum += (uint64_t)n;
    if (SSL_get_error(ssl, n) != SSL_ERROR_ZERO_RETURN)
        fail("SSL_read");
    return sum;
}

static void disconnect(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);

    SSL_free(ssl);
    close(fd);
}

void tls_send(int port, long pieces)
{
    static char data[TLS_PIECE];
    SSL *ssl = connect_blocking(port);

    for (long i = 0; i < pieces; i++)
        if (SSL_write(ssl, data, sizeof data) != sizeof data)
            fail("SSL_write");
    SSL_shutdown(ssl);
    read_to_end(ssl);
    disconnect(ssl);
}

uint64_t tls_fetch(int port, const char *name)
{
    SSL *ssl = connect_blocking(port);
    char request[256];
    int length = snprintf(request, sizeof request, "GET /%s HTTP/1.0\r\n\r\n", name);

    if (SSL_write(ssl, request, length) != length)
        fail("SSL_write");
    uint64_t bytes = read_to_end(ssl);
    SSL_shutdown(ssl);
    disconnect(ssl);
    return bytes;
}
