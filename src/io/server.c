/* SPDX-License-Identifier: MIT */
/* Servers: one job accepts, and starts a job for each client in a task group of its own; it ends
 * when the listener has been closed and the group has been left.
 *
 * The accepting job runs in the loop of who started the server, or in a pool of one loop that
 * the server has for itself; so it never takes a thread away from others. Closing is done by who
 * closes: he closes the listener, waits for the accepting job, and when his patience is over
 * cancels the group and resets the clients' connections, which are in a list for that.
 *
 * Who may touch what: clients, count under the guard; group by the accepting job, and cancelled
 * by anybody (it is there as long as the server); the rest does not change. A client is its own
 * job's from the spawn on, but its stream may be aborted by who holds the guard and finds it in
 * the list. */
#include <errno.h>
#include <hocket/coroutine_pool.h>
#include <hocket/event.h>
#include <hocket/loop.h>
#include <hocket/server.h>
#include <hocket/task_group.h>
#include <hocket/thread.h>
#include <hocket/tls.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "io/tls.h"
#include "park/guard.h"
#include "park/strand.h"

#define TLS_TIMEOUT 60.0
#define PATIENCE 5.0
#define PAUSE 1.0

struct hkt_server {
    hkt_listener *listener;
    hkt_stream_handler *handler;
    void *arg;
    hkt_executor *own;     /* NULL: it runs in the caller's loop */
    hkt_executor *workers; /* where handlers run */
    hkt_tls *tls;
    double tls_timeout;
    size_t max_clients; /* 0: no limit */
    hkt_future *accepting;
    hkt_task_group group;
    hkt_event changed; /* a client has gone, or the server is being closed */
    uint32_t guard;
    struct hkti_node clients;
    size_t count;
    uint32_t closing;
    hkt_address address;
    char name[HKT_NAME_MAX];
};

struct client {
    struct hkti_node node;
    hkt_server *server;
    hkt_stream *stream;
    struct hkti_strand *strand; /* of its handler, once it runs */
};

static void tell_failure(struct client *client, int err)
{
    hkt_address peer;
    char text[HKT_ADDRESS_MAX] = "a client that has gone";
    if (err >= 0 || err == -ECANCELED || err == -EPIPE || err == -ECONNRESET || err == -ESHUTDOWN)
        return;
    char sentence[HKT_SENTENCE_MAX];
    snprintf(sentence, sizeof sentence, "%s", hkt_sentence(err));
    if (hkt_stream_peer(client->stream, &peer) == 0)
        hkt_address_format(&peer, text);
    hkti_report_line("server \"%s\": serving %s failed: %s", client->server->name, text, sentence);
}

static void enter_patience(const hkt_server *server, hkt_scope *scope)
{
    hkt_scope_enter(scope, &(hkt_scope_options){ .deadline = hkt_after(server->tls_timeout) });
}

static int shake_hands(struct client *client)
{
    hkt_scope scope;
    enter_patience(client->server, &scope);
    int err = hkt_stream_start_tls(client->stream, client->server->tls, NULL);
    (void)hkt_scope_leave(&scope);
    return err;
}

/* Who was cut off must not look as if he had come to his end; and who does not read what is kept
 * for him, or TLS's leave, does not keep his place for that. */
static void say_goodbye(struct client *client)
{
    hkt_scope scope;
    if (hkt_task_group_cancelled(&client->server->group)) {
        hkt_stream_abort(client->stream);
        return;
    }
    enter_patience(client->server, &scope);
    (void)hkt_stream_close(client->stream);
    (void)hkt_scope_leave(&scope);
}

/* Out of the list first, so that nobody aborts a stream that is gone. */
static void dismiss(struct client *client)
{
    hkt_server *server = client->server;
    hkti_guard_acquire(&server->guard);
    hkti_list_remove(&client->node);
    hkti_guard_release(&server->guard);
    hkt_stream_destroy(client->stream);
    hkti_release(client, sizeof *client);
    hkti_guard_acquire(&server->guard);
    server->count--;
    hkti_guard_release(&server->guard);
    hkt_event_set(&server->changed);
}

/* A client's job. What shaking hands fails with is the client's affair. */
static int serve(void *arg)
{
    struct client *client = arg;
    hkt_server *server = client->server;
    hkti_guard_acquire(&server->guard);
    client->strand = hkti_self();
    hkti_guard_release(&server->guard);
    if (server->tls == NULL || shake_hands(client) == 0) {
        tell_failure(client, server->handler(client->stream, server->arg));
        say_goodbye(client);
    }
    dismiss(client);
    return 0;
}

static int welcome(hkt_server *server, hkt_stream *stream)
{
    struct client *client = hkti_allocate(sizeof *client);
    if (client == NULL) {
        hkt_stream_abort(stream);
        hkt_stream_destroy(stream);
        return -ENOMEM;
    }
    *client = (struct client){ .server = server, .stream = stream };
    hkti_guard_acquire(&server->guard);
    hkti_list_append(&server->clients, &client->node);
    server->count++;
    hkti_guard_release(&server->guard);
    int err = hkt_task_group_spawn(&server->group, NULL, serve, client);
    if (err < 0) {
        hkt_stream_abort(stream);
        dismiss(client);
    }
    return err;
}

/* Clients whose handlers have not begun, and will not any more. */
static void send_away(hkt_server *server)
{
    for (;;) {
        struct client *client = NULL;
        hkti_guard_acquire(&server->guard);
        if (!hkti_list_empty(&server->clients))
            client = HKTI_CONTAINER(server->clients.next, struct client, node);
        hkti_guard_release(&server->guard);
        if (client == NULL)
            return;
        hkt_stream_abort(client->stream);
        dismiss(client);
    }
}

/* Until there is room for one more, or it is over: 0; -ECANCELED. */
static int await_room(hkt_server *server)
{
    int err = 0;
    while (err == 0 && server->max_clients > 0 &&
           hkt_server_clients(server) >= server->max_clients &&
           !hkti_load_relaxed(&server->closing)) {
        hkt_event_clear(&server->changed);
        if (hkt_server_clients(server) >= server->max_clients &&
            !hkti_load_acquire(&server->closing)) /* pairs: server-closing */
            err = hkt_event_wait(&server->changed);
    }
    return err;
}

/* No fds, no memory: until a client has gone, or for a while. *told: that has been reported. */
static int pause_for(hkt_server *server, int err, bool *told)
{
    if (!*told)
        hkti_report_line("server \"%s\" accepts nobody for now: %s", server->name,
                         hkt_strerror(err));
    *told = true;
    hkt_event_clear(&server->changed);
    if (hkti_load_acquire(&server->closing)) /* pairs: server-closing */
        return 0;
    err = hkt_event_wait_until(&server->changed, hkt_after(PAUSE));
    return err == -ECANCELED ? err : 0;
}

static bool is_shortage(int err)
{
    return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -ENOBUFS || err == -EAGAIN;
}

/* The accepting job: 0 when it has been closed. */
static int run(void *arg)
{
    hkt_server *server = arg;
    hkt_task_group_options options = { .executor = server->workers, .patience = PATIENCE };
    bool told = false;
    int err = 0;
    hkt_task_group_enter(&server->group, &options);
    while (err == 0 && (err = await_room(server)) == 0) {
        hkt_stream *stream;
        err = hkt_listener_accept(server->listener, &stream);
        if (err == 0)
            err = welcome(server, stream);
        if (is_shortage(err))
            err = pause_for(server, err, &told);
        else
            told = false;
    }
    hkt_listener_close(server->listener);
    err = err == -ESHUTDOWN || hkti_load_relaxed(&server->closing) ? 0 : err;
    err = hkt_task_group_leave(&server->group, err);
    send_away(server);
    return err;
}

static void give_back(hkt_server *server)
{
    hkt_future_destroy(server->accepting);
    hkt_executor_destroy(server->own);
    hkt_listener_destroy(server->listener);
    if (server->tls)
        hkt_tls_destroy(server->tls);
    hkti_release(server, sizeof *server);
}

/* Where it runs. */
static int find_home(hkt_server *server, hkt_executor *workers)
{
    hkt_loop *loop = hkt_loop_running();
    hkt_coroutine_pool_options options = { .loops = 1,
                                           .max_tasks = UINT_MAX, /* that is for max_clients */
                                           .name = server->name };
    int err = loop ? 0 : hkt_coroutine_pool_create(&server->own, &options);
    if (err < 0)
        return err;
    hkt_executor *home = loop ? hkt_loop_executor(loop) : server->own;
    server->workers = workers ? workers : home;
    return hkt_submit_with(home, &server->accepting, run, server,
                           &(hkt_submit_options){ .name = server->name });
}

int hkt_server_start_on(hkt_server **server, hkt_listener *listener, hkt_stream_handler *handler,
                        void *arg, const hkt_server_options *options)
{
    static const hkt_server_options defaults;
    if (options == NULL)
        options = &defaults;
    hkt_server *made = handler ? hkti_allocate(sizeof *made) : NULL;
    if (made == NULL) {
        hkt_listener_destroy(listener);
        return handler ? -ENOMEM : -EINVAL;
    }
    *made = (hkt_server){ .listener = listener,
                          .handler = handler,
                          .arg = arg,
                          .tls = options->tls,
                          .tls_timeout = options->tls_timeout > 0 ? options->tls_timeout
                                                                  : TLS_TIMEOUT,
                          .max_clients = options->max_clients };
    snprintf(made->name, sizeof made->name, "%s", options->name ? options->name : "server");
    if (made->tls)
        hkti_tls_hold(made->tls);
    int err = hkt_listener_address(listener, &made->address);
    if (err == 0)
        err = find_home(made, options->executor);
    if (err < 0)
        give_back(made);
    else
        *server = made;
    return err;
}

static const hkt_listen_options *listen_options(const hkt_server_options *options)
{
    return options ? &options->listen : NULL;
}

int hkt_server_start(hkt_server **server, const char *host, int port, hkt_stream_handler *handler,
                     void *arg, const hkt_server_options *options)
{
    hkt_listener *listener;
    int err = hkt_listener_create(&listener, host, port, listen_options(options));
    return err < 0 ? err : hkt_server_start_on(server, listener, handler, arg, options);
}

int hkt_server_start_unix(hkt_server **server, const char *path, hkt_stream_handler *handler,
                          void *arg, const hkt_server_options *options)
{
    hkt_listener *listener;
    int err = hkt_listener_create_unix(&listener, path, listen_options(options));
    return err < 0 ? err : hkt_server_start_on(server, listener, handler, arg, options);
}

int hkt_server_port(const hkt_server *server)
{
    return hkt_address_port(&server->address);
}

int hkt_server_address(const hkt_server *server, hkt_address *address)
{
    *address = server->address;
    return 0;
}

size_t hkt_server_clients(const hkt_server *server)
{
    uint32_t *guard = (uint32_t *)(uintptr_t)&server->guard;
    hkti_guard_acquire(guard);
    size_t count = server->count;
    hkti_guard_release(guard);
    return count;
}

static struct client *client_of(struct hkti_node *node)
{
    return HKTI_CONTAINER(node, struct client, node);
}

/* Is the caller one of its handlers? */
static bool is_handler(hkt_server *server)
{
    struct hkti_strand *self = hkti_self();
    struct hkti_node *head = &server->clients;
    bool found = false;
    hkti_guard_acquire(&server->guard);
    for (struct hkti_node *node = head->next; node && node != head && !found; node = node->next)
        found = client_of(node)->strand == self;
    hkti_guard_release(&server->guard);
    return found;
}

int hkt_server_wait(hkt_server *server)
{
    int result = 0;
    int err = is_handler(server) ? -EDEADLK : hkt_future_wait(server->accepting);
    if (err == 0)
        err = hkt_future_result(server->accepting, &result);
    return err < 0 ? err : result;
}

/* The handlers' time is over: how many there were. */
static size_t cut_off(hkt_server *server)
{
    struct hkti_node *head = &server->clients;
    size_t count = 0;
    hkti_guard_acquire(&server->guard);
    for (struct hkti_node *node = head->next; node && node != head; node = node->next)
        count++; /* before the first one goes */
    hkti_guard_release(&server->guard);
    hkt_task_group_cancel(&server->group);
    hkti_guard_acquire(&server->guard);
    for (struct hkti_node *node = head->next; node && node != head; node = node->next)
        hkt_stream_abort(client_of(node)->stream);
    hkti_guard_release(&server->guard);
    return count;
}

static void await_end(hkt_server *server)
{
    hkt_scope scope;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .shield = true });
    while (hkt_future_wait(server->accepting) == -ENOMEM)
        (void)hkt_sleep(0.001); /* a worker that has no memory to go on beside it */
    (void)hkt_scope_leave(&scope);
}

int hkt_server_close(hkt_server *server, double grace)
{
    if (is_handler(server))
        return -EDEADLK;
    hkti_store_release(&server->closing, UINT32_C(1)); /* pairs: server-closing */
    hkt_listener_close(server->listener);
    hkt_event_set(&server->changed);
    int err = hkt_future_wait_until(server->accepting, hkt_after(grace));
    if (err == 0)
        return 0;
    size_t left = cut_off(server);
    await_end(server);
    return err == -ETIMEDOUT && left == 0 ? 0 : err;
}

void hkt_server_destroy(hkt_server *server)
{
    if (server == NULL)
        return;
    if (hkt_server_close(server, 0) == -EDEADLK)
        hkti_misuse("hkt_server_destroy: called by a handler of server \"%s\", which it would wait "
                    "for",
                    server->name);
    give_back(server);
}
