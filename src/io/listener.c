/* SPDX-License-Identifier: MIT */
/* Listeners: a socket that is listened on, in a channel; and the file of a Unix socket, which is
 * removed with it if it still is the same one. */
#include <errno.h>
#include <fcntl.h>
#include <hocket/server.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/report.h"
#include "io/channel.h"
#include "io/socket.h"
#include "io/stream.h"
#include "park/scope.h"

#define BACKLOG 511

struct hkt_listener {
    struct hkti_channel channel;
    hkt_address address; /* with a path: of a file that is ours */
    dev_t device;
    ino_t inode; /* 0: no file */
};

static const char *path_of(const hkt_address *address)
{
    return ((const struct sockaddr_un *)hkt_address_sockaddr(address))->sun_path;
}

static int make(hkt_listener **listener, int fd, const hkt_address *address)
{
    hkt_listener *made = hkti_allocate(sizeof *made);
    if (made == NULL) {
        hkti_os_close(fd);
        return -ENOMEM;
    }
    hkti_channel_open(&made->channel, fd, HKTI_CHANNEL_SOCKET);
    if (address)
        made->address = *address;
    *listener = made;
    return 0;
}

static int listen_on(int fd, const hkt_address *address, const hkt_listen_options *options)
{
    int saved = errno, err = 0;
    if (bind(fd, hkt_address_sockaddr(address), address->length) < 0 ||
        listen(fd, options->backlog > 0 ? options->backlog : BACKLOG) < 0)
        err = -errno;
    errno = saved;
    return err;
}

static int open_ip(const hkt_address *address, const hkt_listen_options *options)
{
    int family = hkt_address_sockaddr(address)->sa_family;
    int fd = hkti_socket_open(family, SOCK_STREAM);
    if (fd < 0)
        return fd;
    int err = hkti_socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (err == 0 && options->reuse_port)
        err = hkti_socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (err == 0 && family == AF_INET6)
        err = hkti_socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, options->ipv6_only);
    if (err == 0)
        err = listen_on(fd, address, options);
    if (err < 0)
        hkti_os_close(fd);
    return err < 0 ? err : fd;
}

/* All interfaces: IPv6, which takes IPv4 too; IPv4 alone where there is no IPv6. */
static int open_all(int port, const hkt_listen_options *options)
{
    hkt_address address;
    int err = hkt_address_parse(&address, "::", port);
    int fd = err < 0 ? err : open_ip(&address, options);
    if (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL)
        return fd;
    err = hkt_address_parse(&address, "0.0.0.0", port);
    return err < 0 ? err : open_ip(&address, options);
}

static int open_by_name(const char *host, int port, const hkt_listen_options *options)
{
    hkt_address address;
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    int count = hkt_resolve(host, service, &address, 1, &(hkt_resolve_options){ .passive = true });
    return count > 0 ? open_ip(&address, options) : count ? count : -ENOENT;
}

int hkt_listener_create(hkt_listener **listener, const char *host, int port,
                        const hkt_listen_options *options)
{
    static const hkt_listen_options defaults;
    bool all = host == NULL || *host == 0;
    if (options == NULL)
        options = &defaults;
    if (port < 0 || port > 65535)
        return hkt_fail(-EINVAL, "%d is no port: it must be from 0 to 65535", port);
    int fd = all ? open_all(port, options) : open_by_name(host, port, options);
    int err = fd < 0 ? fd : make(listener, fd, NULL);
    if (err < 0 && err != -ECANCELED)
        return hkt_fail(err, "cannot listen on %.60s port %d: %s", all ? "all interfaces" : host,
                        port, hkt_strerror(err));
    return err;
}

/* A file of a socket that nobody listens on is removed; 0: the name is free now. */
static int clear_way(const hkt_address *address)
{
    struct stat about;
    if (lstat(path_of(address), &about) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(about.st_mode))
        return -EADDRINUSE;
    int fd = hkti_socket_open(AF_UNIX, SOCK_STREAM);
    if (fd < 0)
        return fd;
    int err = connect(fd, hkt_address_sockaddr(address), address->length) == 0 ? 0 : errno;
    hkti_os_close(fd);
    if (err != ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(path_of(address)) < 0 && errno != ENOENT ? -errno : 0;
}

/* The file gets its mode before anybody can connect: between bind and listen. */
static int open_unix(const hkt_address *address, const hkt_listen_options *options, bool file)
{
    int fd = hkti_socket_open(AF_UNIX, SOCK_STREAM);
    if (fd < 0)
        return fd;
    int err = 0;
    if (bind(fd, hkt_address_sockaddr(address), address->length) < 0)
        err = -errno;
    bool bound = err == 0;
    if (err == 0 && file && options->mode &&
        chmod(path_of(address), (mode_t)options->mode & 07777) < 0)
        err = -errno;
    if (err == 0 && listen(fd, options->backlog > 0 ? options->backlog : BACKLOG) < 0)
        err = -errno;
    if (err == 0)
        return fd;
    if (bound && file)
        (void)unlink(path_of(address));
    hkti_os_close(fd);
    return err;
}

static int create_unix(hkt_listener **listener, const char *path, const hkt_listen_options *options)
{
    hkt_address address;
    int err = hkt_address_parse(&address, path, -1);
    if (err < 0)
        return err;
    bool file = *path != '@';
    int fd = open_unix(&address, options, file);
    if (fd == -EADDRINUSE && file) {
        err = clear_way(&address);
        fd = err < 0 ? err : open_unix(&address, options, file);
    }
    if (fd < 0)
        return fd;
    struct stat about = { 0 };
    if (file)
        (void)lstat(path_of(&address), &about);
    err = make(listener, fd, &address);
    if (err == 0) {
        (*listener)->device = about.st_dev;
        (*listener)->inode = about.st_ino;
    } else if (file) {
        (void)unlink(path_of(&address));
    }
    return err;
}

int hkt_listener_create_unix(hkt_listener **listener, const char *path,
                             const hkt_listen_options *options)
{
    static const hkt_listen_options defaults;
    int saved = errno;
    int err = create_unix(listener, path, options ? options : &defaults);
    errno = saved;
    if (err < 0)
        return hkt_fail(err, "cannot listen on %.80s: %s", path, hkt_strerror(err));
    return 0;
}

int hkt_listener_adopt(hkt_listener **listener, int fd)
{
    int listens = 0, saved = errno;
    socklen_t length = sizeof listens;
    if (fd < 0)
        return -EBADF;
    int err = getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) < 0 ? -errno : 0;
    if (err == 0 && !listens)
        err = -EINVAL;
    /* accept has no flag against waiting, so this one cannot be left as it is. */
    if (err == 0 && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
        err = -errno;
    errno = saved;
    if (err < 0) {
        if (err != -EBADF)
            hkti_os_close(fd);
        return err;
    }
    return make(listener, fd, NULL);
}

/* Clients that went away before they were accepted, and errors of the network that are theirs. */
static bool is_theirs(int err)
{
    return err == ECONNABORTED || err == EINTR || err == EPERM || err == EPROTO ||
           err == ENETDOWN || err == ENOPROTOOPT || err == EHOSTDOWN || err == ENONET ||
           err == EHOSTUNREACH || err == EOPNOTSUPP || err == ENETUNREACH;
}

/* An fd, -EAGAIN, or another error. */
static int try_accept(struct hkti_channel *channel)
{
    int fd, saved = errno;
    do
        fd = accept4(channel->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    while (fd < 0 && is_theirs(errno));
    int err = errno;
    errno = saved;
    return fd < 0 ? -err : fd;
}

/* There may be several who accept: what one has not found says nothing to another one, who may
 * have had the news of a client since. So `quiet` is not for them, and each tries before he
 * waits. */
static int accept_one(struct hkti_channel *channel)
{
    for (;;) {
        int fd = try_accept(channel);
        if (fd >= 0)
            hkti_stream_give_way();
        if (fd != -EAGAIN)
            return fd;
        int err = hkti_channel_wait(channel, POLLIN, 0);
        if (err < 0)
            return err;
    }
}

int hkt_listener_accept(hkt_listener *listener, hkt_stream **stream)
{
    int fd = hkti_channel_enter(&listener->channel);
    if (fd < 0)
        return fd;
    hkt_stream *made = hkti_stream_allocate(); /* first: who has been accepted is not sent away */
    fd = made ? hkti_cancelled(0) : -ENOMEM;
    if (fd == 0)
        fd = accept_one(&listener->channel);
    hkti_channel_leave(&listener->channel);
    if (fd < 0) {
        hkti_release_lines(made, sizeof *made);
        return fd;
    }
    hkti_stream_open(made, fd, (enum hkti_channel_kind)hkti_socket_kind(fd));
    *stream = made;
    return 0;
}

int hkt_listener_address(const hkt_listener *listener, hkt_address *address)
{
    return hkti_socket_local(&listener->channel, address);
}

int hkt_listener_port(const hkt_listener *listener)
{
    hkt_address address;
    int err = hkti_socket_local(&listener->channel, &address);
    return err < 0 ? err : hkt_address_port(&address);
}

void hkt_listener_close(hkt_listener *listener)
{
    struct stat about;
    int saved = errno;
    if (hkti_channel_is_closed(&listener->channel))
        return;
    /* First the file: who connects to the name finds nobody, not one who is about to go. */
    if (listener->inode && lstat(path_of(&listener->address), &about) == 0 &&
        about.st_dev == listener->device && about.st_ino == listener->inode)
        (void)unlink(path_of(&listener->address));
    errno = saved;
    (void)hkti_channel_close(&listener->channel);
}

void hkt_listener_destroy(hkt_listener *listener)
{
    if (listener == NULL)
        return;
    hkt_listener_close(listener);
    if (hkti_channel_is_used(&listener->channel))
        hkti_misuse("hkt_listener_destroy: somebody still accepts from listener %p",
                    (void *)listener);
    hkti_release(listener, sizeof *listener);
}
