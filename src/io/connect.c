/* SPDX-License-Identifier: MIT */
/* Connecting: one address, or the addresses of a name, by RFC 8305 ("happy eyeballs"): each is
 * begun when those before it have failed, or have not answered within the delay; the first
 * answer wins.
 *
 * All attempts are one caller's: he waits for several fds at once, in a poller of his own, which
 * is itself an fd to wait for. So there are no tasks and no threads here, and it is the same in
 * a loop and out of it. Attempts that did not win are closed before the call returns, whatever
 * comes. */
#include <errno.h>
#include <hocket/fd.h>
#include <hocket/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/seconds.h"
#include "io/socket.h"
#include "io/stream.h"
#include "park/scope.h"

#define MOST 16
#define DELAY 0.25

/* An attempt for each address that has been tried. */
struct attempts {
    const hkt_address *addresses;
    int count, begun, running;
    int fds[MOST]; /* -1: over */
    int poller;
    int first, first_err; /* the first address that failed, and how */
    const hkt_connect_options *options;
};

static void forget(struct attempts *all, int i)
{
    hkti_os_close(all->fds[i]);
    all->fds[i] = -1;
    all->running--;
}

static void failed(struct attempts *all, int i, int err)
{
    if (all->first_err == 0 || i < all->first) {
        all->first_err = err;
        all->first = i;
    }
}

/* A socket on its way to the address: its fd; a negative errno. *done: it is there already. */
static int set_out(const hkt_address *address, const hkt_connect_options *options, bool *done)
{
    const struct sockaddr *to = hkt_address_sockaddr(address);
    int fd = hkti_socket_open(to->sa_family, SOCK_STREAM);
    if (fd < 0)
        return fd;
    const hkt_address *local = options->local;
    int err = 0;
    if (local && bind(fd, hkt_address_sockaddr(local), local->length) < 0)
        err = -errno;
    *done = false;
    if (err == 0) {
        if (connect(fd, to, address->length) == 0)
            *done = true;
        else if (errno != EINPROGRESS && errno != EINTR)
            err = -errno;
    }
    if (err == 0)
        return fd;
    hkti_os_close(fd);
    return err;
}

/* A Unix socket whose queue is full takes nobody on his way: he would be refused where a connect
 * that blocks waits. No fd tells when there is room, so it is tried again now and then. */
static int set_out_patiently(const hkt_address *address, const hkt_connect_options *options,
                             bool *done)
{
    double pause = 0.001;
    for (;;) {
        int fd = set_out(address, options, done);
        if (fd != -EAGAIN || hkt_address_sockaddr(address)->sa_family != AF_UNIX)
            return fd;
        int err = hkt_sleep(pause);
        if (err < 0)
            return err;
        pause = pause < 0.03 ? 2 * pause : pause;
    }
}

/* Begins with the next address: the fd if it is connected already, 0 if it is not, an error of
 * the caller. */
static int begin_next(struct attempts *all)
{
    bool done;
    int i = all->begun++, saved = errno;
    int fd = set_out_patiently(&all->addresses[i], all->options, &done);
    errno = saved;
    all->fds[i] = -1;
    if (fd >= 0 && done)
        return fd;
    if (fd >= 0) {
        int err = hkti_os_poller_watch(all->poller, fd, POLLOUT, (uint64_t)i, HKTI_OS_ONCE);
        all->fds[i] = fd;
        all->running++;
        if (err == 0)
            return 0;
        forget(all, i);
        fd = err;
    }
    failed(all, i, fd);
    return 0;
}

/* What has been heard of an attempt: its fd if that is connected; 0. */
static int hear(struct attempts *all, int i)
{
    int fd = all->fds[i], err = 0, saved = errno;
    socklen_t length = sizeof err;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &length) < 0)
        err = errno;
    errno = saved;
    if (err != 0) {
        failed(all, i, -err);
        forget(all, i);
        return 0;
    }
    all->fds[i] = -1;
    all->running--;
    return fd;
}

static int look(struct attempts *all)
{
    struct hkti_os_event events[MOST];
    int n = hkti_os_poller_wait(all->poller, -1, events, MOST, HKTI_PASSED), fd = 0;
    for (int i = 0; i < n && fd == 0; i++)
        fd = hear(all, (int)events[i].token);
    return fd;
}

/* The fd that is connected, or an error. */
static int race(struct attempts *all)
{
    double delay = all->options->delay > 0 ? all->options->delay : DELAY;
    for (;;) {
        int fd = 0;
        while (fd == 0 && all->running == 0 && all->begun < all->count)
            fd = begin_next(all);
        if (fd != 0)
            return fd;
        if (all->running == 0)
            return all->first_err;
        hkt_deadline next = { 0 };
        if (all->begun < all->count)
            next = hkt_after(delay);
        int err = hkt_fd_wait_until(all->poller, HKT_READABLE, next);
        if (err < 0 && err != -ETIMEDOUT)
            return err;
        fd = err == -ETIMEDOUT ? begin_next(all) : look(all);
        if (fd != 0)
            return fd;
    }
}

static int connect_any(hkt_stream **stream, const hkt_address *addresses, int count,
                       const hkt_connect_options *options)
{
    struct attempts all = { .addresses = addresses, .count = count, .options = options };
    int err = hkti_cancelled(0);
    if (err < 0)
        return err;
    all.poller = hkti_os_poller_open();
    if (all.poller < 0)
        return all.poller;
    int fd = race(&all);
    for (int i = 0; i < all.begun; i++)
        if (all.fds[i] >= 0)
            forget(&all, i);
    hkti_os_close(all.poller);
    if (fd < 0)
        return fd;
    hkti_stream_give_way(); /* this machine answers at once */
    return hkti_stream_of_socket(stream, fd);
}

/* The families in turn, each in its own order. */
static void alternate(hkt_address *addresses, int count)
{
    for (int i = 1; i < count; i++) {
        int j = i, before = hkt_address_sockaddr(&addresses[i - 1])->sa_family;
        while (j < count && hkt_address_sockaddr(&addresses[j])->sa_family == before)
            j++;
        if (j == count)
            return;
        hkt_address other = addresses[j];
        for (; j > i; j--)
            addresses[j] = addresses[j - 1];
        addresses[i] = other;
    }
}

static int connect_by_name(hkt_stream **stream, const char *host, int port,
                           const hkt_connect_options *options)
{
    hkt_address *addresses = hkti_allocate(MOST * sizeof *addresses);
    char service[16];
    if (addresses == NULL)
        return -ENOMEM;
    snprintf(service, sizeof service, "%d", port);
    int count = hkt_resolve(host, service, addresses, MOST,
                            &(hkt_resolve_options){ .family = options->family });
    if (count > MOST)
        count = MOST;
    if (count > 0)
        alternate(addresses, count);
    int err = count > 0 ? connect_any(stream, addresses, count, options) : count ? count : -ENOENT;
    hkti_release(addresses, MOST * sizeof *addresses);
    if (err < 0 && count > 0 && err != -ECANCELED)
        return hkt_fail(err, "cannot connect to %.60s port %d: %s", host ? host : "this machine",
                        port, hkt_strerror(err));
    return err;
}

/* TLS, if it is wanted. A stream that fails in this is closed. */
static int begin_tls(hkt_stream **stream, const char *host, const hkt_connect_options *options)
{
    const char *name = options->server_name ? options->server_name : host;
    int err = 0;
    if (options->tls)
        err = hkt_stream_start_tls(*stream, options->tls, name);
    if (err == 0 && options->write_buffer)
        err = hkt_stream_set_write_buffer(*stream, options->write_buffer);
    if (err < 0) {
        hkt_stream_abort(*stream);
        hkt_stream_destroy(*stream);
    }
    return err;
}

struct target {
    const char *host;
    int port;
    const hkt_address *address;
};

static int connect_in_scope(hkt_stream **stream, const struct target *to,
                            const hkt_connect_options *options)
{
    hkt_stream *made;
    int err = to->address ? connect_any(&made, to->address, 1, options)
                          : connect_by_name(&made, to->host, to->port, options);
    if (err == 0)
        err = begin_tls(&made, to->host, options);
    if (err == 0)
        *stream = made;
    return err;
}

static int connect_to(hkt_stream **stream, const struct target *to,
                      const hkt_connect_options *options)
{
    static const hkt_connect_options defaults;
    if (options == NULL)
        options = &defaults;
    if (options->deadline.ns == 0)
        return connect_in_scope(stream, to, options);
    hkt_scope scope;
    hkt_scope_enter(&scope, &(hkt_scope_options){ .deadline = options->deadline });
    int err = connect_in_scope(stream, to, options);
    int end = hkt_scope_leave(&scope);
    if (err != -ECANCELED || end == 0)
        return err;
    if (end == -ETIMEDOUT && to->address == NULL)
        return hkt_fail(end, "cannot connect to %.60s port %d: %s",
                        to->host ? to->host : "this machine", to->port, hkt_strerror(end));
    return end;
}

int hkt_stream_connect(hkt_stream **stream, const char *host, int port,
                       const hkt_connect_options *options)
{
    if (port < 0 || port > 65535)
        return hkt_fail(-EINVAL, "%d is no port: it must be from 0 to 65535", port);
    return connect_to(stream, &(struct target){ .host = host, .port = port }, options);
}

int hkt_stream_connect_address(hkt_stream **stream, const hkt_address *address,
                               const hkt_connect_options *options)
{
    if (address->length == 0)
        return -EINVAL;
    return connect_to(stream, &(struct target){ .address = address }, options);
}

int hkt_stream_connect_unix(hkt_stream **stream, const char *path,
                            const hkt_connect_options *options)
{
    hkt_address address;
    int err = hkt_address_parse(&address, path, -1);
    if (err == 0)
        err = connect_to(stream, &(struct target){ .address = &address }, options);
    if (err < 0 && err != -ECANCELED)
        return hkt_fail(err, "cannot connect to %.80s: %s", path, hkt_strerror(err));
    return err;
}
