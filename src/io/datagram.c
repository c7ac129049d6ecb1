/* SPDX-License-Identifier: MIT */
/* Datagram sockets: a channel, and messages that are sent and received whole. Every call is a
 * user of the channel for as long as it lasts; it tries first, and waits when there was nothing.
 * There may be any number of them: who is woken and finds that another was quicker waits again.
 *
 * An error of the system that comes after messages of the same call have been received is kept
 * in `late`, and is what the next receiver gets. Who may touch what: late by anybody,
 * atomically; the rest does not change. */
#include <hocket/datagram.h>

#include <errno.h>
#include <hocket/error.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/report.h"
#include "base/seconds.h"
#include "io/channel.h"
#include "io/socket.h"
#include "park/scope.h"

#define BATCH 32     /* messages in one call of the system */
#define ADDRESSES 16 /* of a name, that are tried */
#define PORT_MAX 65535
/* Between two tries where the system does not tell when there is room. */
#define PAUSE_MIN (HKTI_MILLISECOND / 4)
#define PAUSE_MAX (16 * HKTI_MILLISECOND)

struct hkt_datagram {
    struct hkti_channel channel;
    bool sequenced; /* SOCK_SEQPACKET: it has an end */
    int late;
};

static int make(hkt_datagram **socket, int fd, bool sequenced)
{
    struct hkt_datagram *made = hkti_allocate(sizeof *made);
    if (made == NULL) {
        close(fd);
        return -ENOMEM;
    }
    hkti_channel_open(&made->channel, fd, HKTI_CHANNEL_SOCKET);
    made->sequenced = sequenced;
    *socket = made;
    return 0;
}

/* A socket for that address, set up: an fd. `only`: of an IPv6 one, is it without IPv4; -1: as the
 * system likes it. */
static int open_socket(const hkt_address *address, const hkt_datagram_options *options, int only)
{
    int family = hkt_address_sockaddr(address)->sa_family;
    int fd = hkti_socket_open(family, SOCK_DGRAM);
    if (fd < 0)
        return fd;
    int err = options->broadcast ? hkti_socket_set(fd, SOL_SOCKET, SO_BROADCAST, 1) : 0;
    if (err == 0 && options->reuse_port)
        err = hkti_socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (err == 0 && family == AF_INET6 && only >= 0)
        err = hkti_socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, only);
    if (err < 0)
        close(fd);
    return err < 0 ? err : fd;
}

typedef int take_address(int fd, const struct sockaddr *address, socklen_t length);

/* The first address that can be had: an fd; else the error of the first one. */
static int open_first(const hkt_address *addresses, int count, const hkt_datagram_options *options,
                      take_address *take, int only)
{
    int first_err = -ENOENT;
    for (int i = 0; i < count && i < ADDRESSES; i++) {
        int fd = open_socket(&addresses[i], options, only);
        int err = fd < 0 ? fd : 0;
        if (fd >= 0 && take(fd, hkt_address_sockaddr(&addresses[i]), addresses[i].length) < 0) {
            err = -errno;
            close(fd);
        }
        if (err == 0)
            return fd;
        if (i == 0)
            first_err = err;
    }
    return first_err;
}

/* All interfaces: of both families in one socket, if none is asked for. */
static int open_any(int port, const hkt_datagram_options *options)
{
    hkt_address addresses[2];
    int count = 0;
    if (options->family != AF_INET)
        hkt_address_parse(&addresses[count++], "::", port);
    if (options->family != AF_INET6)
        hkt_address_parse(&addresses[count++], "0.0.0.0", port);
    return open_first(addresses, count, options, bind, options->family == AF_INET6);
}

static int open_named(const char *host, int port, const hkt_datagram_options *options,
                      take_address *take)
{
    hkt_address addresses[ADDRESSES];
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    const hkt_resolve_options how = { .family = options->family, .type = SOCK_DGRAM };
    int count = hkt_resolve(host, service, addresses, ADDRESSES, &how);
    return count < 0 ? count : open_first(addresses, count, options, take, -1);
}

static int create(hkt_datagram **socket, const char *host, int port,
                  const hkt_datagram_options *options, take_address *take)
{
    static const hkt_datagram_options defaults;
    const char *what = take == bind ? "bind to" : "connect to";
    int err = hkti_cancelled(0);
    if (err < 0)
        return err;
    if (options == NULL)
        options = &defaults;
    if (host && *host == 0)
        host = NULL;
    if (port < 0 || port > PORT_MAX)
        return hkt_fail(-EINVAL, "cannot %s port %d: it is at the most %d", what, port, PORT_MAX);
    if (options->family && options->family != AF_INET && options->family != AF_INET6)
        return hkt_fail(-EINVAL, "cannot %s port %d: no such family", what, port);
    int saved = errno;
    int fd = host || take != bind ? open_named(host, port, options, take) : open_any(port, options);
    err = fd < 0 ? fd : make(socket, fd, false);
    errno = saved;
    if (err < 0 && err != -ECANCELED && err != -ENOENT)
        return hkt_fail(err, "cannot %s %s port %d: %s", what,
                        host           ? host
                        : take == bind ? "all interfaces,"
                                       : "this machine,",
                        port, hkt_strerror(err));
    return err;
}

int hkt_datagram_bind(hkt_datagram **socket, const char *host, int port,
                      const hkt_datagram_options *options)
{
    return create(socket, host, port, options, bind);
}

int hkt_datagram_connect(hkt_datagram **socket, const char *host, int port,
                         const hkt_datagram_options *options)
{
    return create(socket, host, port, options, connect);
}

int hkt_datagram_connect_address(hkt_datagram **socket, const hkt_address *address,
                                 const hkt_datagram_options *options)
{
    static const hkt_datagram_options defaults;
    int err = hkti_cancelled(0), saved = errno;
    if (err == 0 && address->length == 0)
        err = -EINVAL;
    if (err < 0)
        return err;
    int fd = open_first(address, 1, options ? options : &defaults, connect, -1);
    err = fd < 0 ? fd : make(socket, fd, false);
    errno = saved;
    return err;
}

int hkt_datagram_adopt(hkt_datagram **socket, int fd)
{
    int type = 0, saved = errno;
    socklen_t size = sizeof type;
    int err = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ? -errno : 0;
    if (err == 0 && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
        err = -EINVAL;
    if (err == 0)
        err = make(socket, fd, type == SOCK_SEQPACKET);
    else if (err != -EBADF)
        close(fd);
    errno = saved;
    return err;
}

static int error_of_call(void)
{
    return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

/* An empty message of a SOCK_SEQPACKET looks like its end, but for the other side's leave. */
static bool is_end(const struct hkt_datagram *socket, ssize_t length)
{
    struct pollfd look = { .fd = socket->channel.fd, .events = POLLRDHUP };
    return socket->sequenced && length == 0 && poll(&look, 1, 0) > 0 &&
           look.revents & (POLLRDHUP | POLLHUP);
}

static int take_late(struct hkt_datagram *socket)
{
    int late = hkti_load_relaxed(&socket->late);
    return late < 0 && hkti_cas_relaxed(&socket->late, late, 0) ? late : 0;
}

/* A message's head, for the system; its sender goes straight into `address`. */
static void prepare(struct msghdr *head, struct iovec *piece, void *data, size_t size,
                    hkt_address *address)
{
    *piece = (struct iovec){ data, size < INT_MAX ? size : INT_MAX };
    *head = (struct msghdr){ .msg_iov = piece, .msg_iovlen = 1 };
    if (address) {
        head->msg_name = address->hkt_storage;
        head->msg_namelen = sizeof address->hkt_storage;
    }
}

/* One try: its length; -EMSGSIZE, -EAGAIN, others. */
static int receive_one(struct hkt_datagram *socket, hkt_message *message, hkt_address *from)
{
    struct msghdr head;
    struct iovec piece;
    ssize_t n;
    int late = take_late(socket);
    if (late < 0)
        return late;
    if (from)
        *from = (hkt_address){ 0 };
    do {
        prepare(&head, &piece, message->data, message->size, from);
        n = recvmsg(socket->channel.fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_of_call();
    if (from)
        from->length = head.msg_namelen;
    if (is_end(socket, n))
        return -EPIPE;
    message->length = (size_t)n;
    message->truncated = head.msg_flags & MSG_TRUNC;
    return message->truncated ? -EMSGSIZE : (int)n;
}

/* A try of what may have to be waited for, of several messages or one; 0 or more: done. */
struct attempt {
    struct hkt_datagram *socket;
    hkt_message *messages;
    const hkt_address *to;
    hkt_address *from;
    int count, done;
};

static int receive_attempt(struct attempt *attempt)
{
    return receive_one(attempt->socket, attempt->messages, attempt->from);
}

/* One at a time, where the end must be seen. */
static int receive_sequenced(struct hkt_datagram *socket, hkt_message *messages, int count)
{
    for (int i = 0; i < count; i++) {
        int n = receive_one(socket, &messages[i], &messages[i].address);
        if (n == -EPIPE && i > 0)
            return i;
        if (n == -EAGAIN || (n < 0 && n != -EMSGSIZE)) {
            if (i > 0 && n != -EAGAIN)
                hkti_store_relaxed(&socket->late, n);
            return i > 0 ? i : n;
        }
    }
    return count;
}

static int receive_batch(struct hkt_datagram *socket, hkt_message *messages, int count)
{
    struct mmsghdr heads[BATCH];
    struct iovec pieces[BATCH];
    for (int i = 0; i < count; i++) {
        heads[i].msg_len = 0;
        messages[i].address = (hkt_address){ 0 };
        prepare(&heads[i].msg_hdr, &pieces[i], messages[i].data, messages[i].size,
                &messages[i].address);
    }
    int n;
    do
        n = recvmmsg(socket->channel.fd, heads, (unsigned)count, MSG_DONTWAIT | MSG_CMSG_CLOEXEC,
                     NULL);
    while (n < 0 && errno == EINTR);
    for (int i = 0; i < n; i++) {
        messages[i].address.length = heads[i].msg_hdr.msg_namelen;
        messages[i].length = heads[i].msg_len;
        messages[i].truncated = heads[i].msg_hdr.msg_flags & MSG_TRUNC;
    }
    return n < 0 ? error_of_call() : n;
}

static int receive_many_attempt(struct attempt *attempt)
{
    struct hkt_datagram *socket = attempt->socket;
    if (socket->sequenced)
        return receive_sequenced(socket, attempt->messages, attempt->count);
    int err = take_late(socket), done = 0;
    while (err == 0 && done < attempt->count) {
        int count = attempt->count - done < BATCH ? attempt->count - done : BATCH;
        int n = receive_batch(socket, attempt->messages + done, count);
        err = n < 0 ? n : 0;
        done += n > 0 ? n : 0;
        if (n < count)
            break;
    }
    if (done > 0 && err < 0 && err != -EAGAIN)
        hkti_store_relaxed(&socket->late, err);
    return done > 0 ? done : err;
}

static void address_head(struct msghdr *head, struct iovec *piece, const hkt_message *message,
                         const hkt_address *to)
{
    prepare(head, piece, message->data, message->size, NULL);
    if (to && to->length > 0) {
        head->msg_name = (void *)(uintptr_t)to->hkt_storage;
        head->msg_namelen = to->length;
    }
}

static int send_attempt(struct attempt *attempt)
{
    struct msghdr head;
    struct iovec piece;
    ssize_t n;
    address_head(&head, &piece, attempt->messages, attempt->to);
    do
        n = sendmsg(attempt->socket->channel.fd, &head, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? error_of_call() : 0;
}

/* Goes on with those that have not been sent; `done` counts. */
static int send_many_attempt(struct attempt *attempt)
{
    struct mmsghdr heads[BATCH];
    struct iovec pieces[BATCH];
    while (attempt->done < attempt->count) {
        int left = attempt->count - attempt->done, n;
        int count = left < BATCH ? left : BATCH;
        const hkt_message *messages = attempt->messages + attempt->done;
        for (int i = 0; i < count; i++) {
            heads[i].msg_len = 0;
            address_head(&heads[i].msg_hdr, &pieces[i], &messages[i], &messages[i].address);
        }
        attempt->to = &messages->address;
        do
            n = sendmmsg(attempt->socket->channel.fd, heads, (unsigned)count,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        if (n < 0)
            return error_of_call();
        attempt->done += n;
        if (attempt->done < attempt->count)
            attempt->to = &attempt->messages[attempt->done].address;
    }
    return 0;
}

/* To a Unix socket that it is not connected with a socket seems to have room always; so who finds
 * that it has none looks again after a pause. */
static int await_room(struct attempt *attempt, int64_t *pause)
{
    const hkt_address *to = attempt->to;
    bool told = to == NULL || to->length == 0 || hkt_address_sockaddr(to)->sa_family != AF_UNIX;
    if (told)
        return hkti_channel_wait(&attempt->socket->channel, POLLOUT, 0);
    int err = hkt_sleep((double)*pause / 1e9);
    *pause = *pause * 2 < PAUSE_MAX ? *pause * 2 : PAUSE_MAX;
    if (err < 0)
        return err;
    return hkti_channel_is_closed(&attempt->socket->channel) ? -ESHUTDOWN : 0;
}

/* Tries until it is done; waits for `events` between two tries, or (0) tries once. As a user. */
static int perform(struct attempt *attempt, int (*try)(struct attempt *), short events)
{
    int err = events ? hkti_cancelled(0) : 0, saved = errno;
    int64_t pause = PAUSE_MIN;
    if (err == 0)
        err = hkti_channel_enter(&attempt->socket->channel);
    if (err < 0)
        return err;
    int result = try(attempt);
    while (result == -EAGAIN && events) {
        err = events == POLLOUT ? await_room(attempt, &pause)
                                : hkti_channel_wait(&attempt->socket->channel, events, 0);
        result = err < 0 ? err : try(attempt);
    }
    hkti_channel_leave(&attempt->socket->channel);
    errno = saved;
    return result;
}

static int receive(hkt_datagram *socket, void *data, size_t size, hkt_address *from, short events)
{
    hkt_message message = { .data = data, .size = size };
    struct attempt attempt = { .socket = socket, .messages = &message, .from = from };
    return perform(&attempt, receive_attempt, events);
}

int hkt_datagram_receive(hkt_datagram *socket, void *data, size_t size, hkt_address *from)
{
    return receive(socket, data, size, from, POLLIN);
}

int hkt_datagram_receive_nowait(hkt_datagram *socket, void *data, size_t size, hkt_address *from)
{
    return receive(socket, data, size, from, 0);
}

int hkt_datagram_receive_many(hkt_datagram *socket, hkt_message *messages, int count)
{
    struct attempt attempt = { .socket = socket, .messages = messages, .count = count };
    return count <= 0 ? -EINVAL : perform(&attempt, receive_many_attempt, POLLIN);
}

static int send_one(hkt_datagram *socket, const void *data, size_t size, const hkt_address *to,
                    short events)
{
    hkt_message message = { .data = (void *)(uintptr_t)data, .size = size };
    struct attempt attempt = { .socket = socket, .messages = &message, .to = to };
    return size > INT_MAX ? -EMSGSIZE : perform(&attempt, send_attempt, events);
}

int hkt_datagram_send(hkt_datagram *socket, const void *data, size_t size, const hkt_address *to)
{
    return send_one(socket, data, size, to, POLLOUT);
}

int hkt_datagram_send_nowait(hkt_datagram *socket, const void *data, size_t size,
                             const hkt_address *to)
{
    return send_one(socket, data, size, to, 0);
}

int hkt_datagram_send_many(hkt_datagram *socket, const hkt_message *messages, int count, int *sent)
{
    struct attempt attempt = { .socket = socket,
                               .messages = (hkt_message *)(uintptr_t)messages,
                               .count = count };
    int err = count < 0 ? -EINVAL : perform(&attempt, send_many_attempt, POLLOUT);
    if (sent)
        *sent = attempt.done;
    return err;
}

int hkt_datagram_local(const hkt_datagram *socket, hkt_address *address)
{
    return hkti_socket_local(&socket->channel, address);
}

int hkt_datagram_port(const hkt_datagram *socket)
{
    hkt_address address;
    int err = hkti_socket_local(&socket->channel, &address);
    return err < 0 ? err : hkt_address_port(&address);
}

int hkt_datagram_fd(const hkt_datagram *socket)
{
    return hkti_channel_is_closed(&socket->channel) ? -ESHUTDOWN : socket->channel.fd;
}

void hkt_datagram_close(hkt_datagram *socket)
{
    hkti_channel_close(&socket->channel);
}

void hkt_datagram_destroy(hkt_datagram *socket)
{
    if (socket == NULL)
        return;
    hkti_channel_close(&socket->channel);
    if (hkti_channel_is_used(&socket->channel))
        hkti_misuse("hkt_datagram_destroy: somebody still uses datagram socket %p", (void *)socket);
    hkti_release(socket, sizeof *socket);
}
