/* SPDX-License-Identifier: MIT */
/* Listening for connections, and connecting. Sockets and their names are io's: a listener of
 * streams is inside, and of a stream that it gives the fd is taken.
 *
 * Without an address a listener has an abstract Unix socket, of a random name: nothing of that is
 * left, whatever ends the process. Such a name has no mode that keeps others away, so at
 * "@hocket-..." both sides look whose process the other one is: this user's, or root's.
 *
 * Somebody who has come but has not yet shown his key is in the listener's `guests`; so to close it
 * ends these talks too. Who may touch what: guests and closed under the lock; all else is constant.
 * */
#include <errno.h>
#include <fcntl.h>
#include <hocket/error.h>
#include <hocket/scope.h>
#include <hocket/server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/memory.h"
#include "base/report.h"
#include "io/socket.h"
#include "io/stream.h"
#include "proc/connection.h"

#define BACKLOG 128
#define TIMEOUT 10.0
#define HOST_MAX 256
#define OWN_NAME "@hocket-"

struct hkt_connection_listener {
    hkt_listener *streams;
    char address[HKT_ADDRESS_MAX];
    unsigned char *key; /* NULL: none */
    size_t key_size, key_room;
    double timeout;
    bool closed;
    hkt_lock lock;
    struct hkti_node guests;
};

struct guest {
    struct hkti_node node;
    hkt_connection *connection;
};

static bool is_path(const char *address)
{
    return *address == '/' || *address == '.' || *address == '@';
}

/* "host:port", "[address]:port": the port, and the host. */
static int parse(const char *address, char host[HOST_MAX])
{
    const char *colon = strrchr(address, ':');
    size_t length = colon ? (size_t)(colon - address) : 0;
    if (length >= 2 && address[0] == '[' && address[length - 1] == ']') {
        address++;
        length -= 2;
    }
    int port = 0;
    const char *digit = colon ? colon + 1 : "";
    while (*digit >= '0' && *digit <= '9' && port <= 65535)
        port = 10 * port + (*digit++ - '0');
    if (colon == NULL || colon[1] == 0 || *digit || port > 65535 || length >= HOST_MAX)
        return hkt_fail(-EINVAL, "\"%.60s\" is no address: it is \"host:port\" or \"/path\"",
                        address);
    memcpy(host, address, length);
    host[length] = 0;
    return port;
}

static const hkt_connection_options *or_defaults(const hkt_connection_options *options)
{
    static const hkt_connection_options defaults;
    return options ? options : &defaults;
}

static double timeout_of(const hkt_connection_options *options)
{
    return options->timeout == 0 ? TIMEOUT : options->timeout; /* NaN is refused by hkt_after */
}

/* The fd of a stream that nobody else knows; the rest of it is given back. It blocks from now on,
 * as other programs expect one that they are passed. */
static int connection_of(hkt_stream *stream, hkt_connection **connection)
{
    int fd = stream->channel.fd, saved = errno;
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    errno = saved;
    enum hkti_channel_kind kind = (enum hkti_channel_kind)stream->channel.kind;
    stream->channel.borrowed = true;
    hkt_stream_destroy(stream);
    int err = hkti_connection_make(connection, fd, kind);
    if (err == 0)
        (*connection)->passes_fds = kind == HKTI_CHANNEL_SOCKET;
    return err;
}

/* At a name that anybody can reach: is it a process of this user's? */
static int check_user(const hkt_connection *connection, const char *address)
{
    struct ucred peer = { .uid = (uid_t)-1 };
    socklen_t length = sizeof peer;
    int saved = errno;
    if (strncmp(address, OWN_NAME, strlen(OWN_NAME)) != 0)
        return 0;
    bool good = getsockopt(connection->channel.fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
                (peer.uid == 0 || peer.uid == geteuid());
    errno = saved;
    if (good)
        return 0;
    return hkt_fail(-EKEYREJECTED, "the other side at %.60s is another user's", address);
}

/* Keys are copied with one byte more: an empty one is there, too. */
static int copy_key(hkt_connection_listener *listener, const hkt_connection_options *options)
{
    if (options->authkey == NULL)
        return 0;
    listener->key_room = options->authkey_size + 1;
    listener->key = hkti_allocate(listener->key_room);
    if (listener->key == NULL)
        return -ENOMEM;
    if (options->authkey_size)
        memcpy(listener->key, options->authkey, options->authkey_size);
    listener->key_size = options->authkey_size;
    return 0;
}

static void release(hkt_connection_listener *listener)
{
    if (listener->key)
        explicit_bzero(listener->key, listener->key_room);
    hkti_release(listener->key, listener->key_room);
    hkti_release(listener, sizeof *listener);
}

static int choose_name(char name[HKT_ADDRESS_MAX])
{
    uint64_t random[2];
    int saved = errno;
    ssize_t n = getrandom(random, sizeof random, 0); /* so few bytes are not interrupted */
    int err = n == (ssize_t)sizeof random ? 0 : -EIO;
    errno = saved;
    snprintf(name, HKT_ADDRESS_MAX, OWN_NAME "%016llx%016llx", (unsigned long long)random[0],
             (unsigned long long)random[1]);
    return err;
}

/* Begins to listen: 0, and where that is. */
static int open_streams(hkt_connection_listener *listener, const char *address,
                        const hkt_connection_options *options)
{
    hkt_listen_options how = { .backlog = options->backlog > 0 ? options->backlog : BACKLOG };
    if (address == NULL || is_path(address)) {
        int err = address ? 0 : choose_name(listener->address);
        if (address && strlen(address) >= sizeof listener->address)
            return hkt_fail(-ENAMETOOLONG, "%.60s... is too long for a Unix socket", address);
        if (address)
            memcpy(listener->address, address, strlen(address) + 1);
        return err < 0 ? err
                       : hkt_listener_create_unix(&listener->streams, listener->address, &how);
    }
    char host[HOST_MAX];
    hkt_address where;
    int port = parse(address, host);
    int err = port < 0 ? port : hkt_listener_create(&listener->streams, host, port, &how);
    if (err < 0)
        return err;
    err = hkt_listener_address(listener->streams, &where);
    if (err < 0)
        hkt_listener_destroy(listener->streams);
    else
        hkt_address_format(&where, listener->address);
    return err;
}

int hkt_connection_listener_create(hkt_connection_listener **listener, const char *address,
                                   const hkt_connection_options *options)
{
    options = or_defaults(options);
    int err = hkti_authenticate_ready(options->authkey, options->authkey_size);
    if (err < 0)
        return err;
    hkt_connection_listener *made = hkti_allocate(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->timeout = timeout_of(options);
    err = copy_key(made, options);
    if (err == 0)
        err = open_streams(made, address, options);
    if (err < 0) {
        release(made);
        return err;
    }
    *listener = made;
    return 0;
}

const char *hkt_connection_listener_address(const hkt_connection_listener *listener)
{
    return listener->address;
}

/* From now on the listener's close reaches him: 0, -ESHUTDOWN. */
static int welcome_guest(hkt_connection_listener *listener, struct guest *guest)
{
    hkt_lock_acquire(&listener->lock);
    int err = listener->closed ? -ESHUTDOWN : 0;
    if (err == 0)
        hkti_list_append(&listener->guests, &guest->node);
    hkt_lock_release(&listener->lock);
    return err;
}

static void part_with_guest(hkt_connection_listener *listener, struct guest *guest)
{
    hkt_lock_acquire(&listener->lock);
    hkti_list_remove(&guest->node);
    hkt_lock_release(&listener->lock);
}

static int admit(hkt_connection_listener *listener, hkt_connection *connection)
{
    struct guest guest = { .connection = connection };
    hkt_scope scope;
    int err = check_user(connection, listener->address);
    if (err == 0)
        err = welcome_guest(listener, &guest);
    if (err < 0)
        return err;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(listener->timeout) });
    err = hkti_authenticate(connection, listener->key, listener->key_size, true);
    err = hkt_scope_leave_with(&scope, err);
    part_with_guest(listener, &guest);
    if (err == 0 && hkt_connection_closed(connection))
        err = -ESHUTDOWN; /* in the last moment */
    return err == -ETIMEDOUT
               ? hkt_fail(err, "who came to %.60s did not show a key in time", listener->address)
               : err;
}

int hkt_connection_listener_accept(hkt_connection_listener *listener, hkt_connection **connection)
{
    hkt_stream *stream;
    hkt_connection *made;
    int err = hkt_listener_accept(listener->streams, &stream);
    if (err == 0)
        err = connection_of(stream, &made);
    if (err < 0)
        return err;
    err = admit(listener, made);
    if (err < 0)
        hkt_connection_destroy(made);
    else
        *connection = made;
    return err;
}

void hkt_connection_listener_close(hkt_connection_listener *listener)
{
    hkt_listener_close(listener->streams);
    hkt_lock_acquire(&listener->lock);
    listener->closed = true;
    struct hkti_node *head = &listener->guests;
    for (struct hkti_node *at = head->next; at && at != head; at = at->next)
        hkt_connection_close(HKTI_CONTAINER(at, struct guest, node)->connection);
    hkt_lock_release(&listener->lock);
}

void hkt_connection_listener_destroy(hkt_connection_listener *listener)
{
    if (listener == NULL)
        return;
    hkt_connection_listener_close(listener);
    if (!hkti_list_empty(&listener->guests))
        hkti_misuse("hkt_connection_listener_destroy: somebody still accepts from listener %p",
                    (void *)listener);
    hkt_listener_destroy(listener->streams);
    release(listener);
}

static int connect_stream(hkt_stream **stream, const char *address)
{
    if (is_path(address))
        return hkt_stream_connect_unix(stream, address, NULL);
    char host[HOST_MAX];
    int port = parse(address, host);
    return port < 0 ? port : hkt_stream_connect(stream, *host ? host : NULL, port, NULL);
}

static int connect_in_scope(hkt_connection **connection, const char *address,
                            const hkt_connection_options *options)
{
    hkt_stream *stream;
    hkt_connection *made;
    int err = connect_stream(&stream, address);
    if (err == 0)
        err = connection_of(stream, &made);
    if (err < 0)
        return err;
    err = check_user(made, address);
    if (err == 0)
        err = hkti_authenticate(made, options->authkey, options->authkey_size, false);
    if (err < 0)
        hkt_connection_destroy(made);
    else
        *connection = made;
    return err;
}

int hkt_connection_connect(hkt_connection **connection, const char *address,
                           const hkt_connection_options *options)
{
    options = or_defaults(options);
    int err = hkti_authenticate_ready(options->authkey, options->authkey_size);
    if (err < 0)
        return err;
    hkt_connection *made = NULL;
    hkt_scope scope;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = hkt_after(timeout_of(options)) });
    err = connect_in_scope(&made, address, options);
    /* What is there when the time is over is there. */
    int end = hkt_scope_leave_with(&scope, err);
    if (end == -ETIMEDOUT)
        return hkt_fail(end, "cannot connect to %.60s in time", address);
    if (end < 0)
        return end;
    *connection = made;
    return 0;
}
