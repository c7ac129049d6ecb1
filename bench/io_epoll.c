/* SPDX-License-Identifier: MIT */
/* The plainest ends, by system calls alone: what any server costs at the least. One epoll,
 * level-triggered, one recv and one send a request; and blocking sockets. */
#include "io_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"
#include "common_server.h"

enum { EVENTS = 256, BACKLOG = 511 };

/* Listens on a free port of the loopback, and prints it. */
static int listen_somewhere(int flags)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        bench_fail("listen: %s", strerror(errno));
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void watch(int poller, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0)
        bench_fail("epoll_ctl: %s", strerror(errno));
}

static void accept_all(int poller, int listener)
{
    int fd, on = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(poller, fd);
    }
}

static void echo_once(int fd)
{
    char data[ECHO_BUFFER];
    ssize_t n = recv(fd, data, sizeof data, 0);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || send(fd, data, (size_t)n, MSG_NOSIGNAL) != n)
        close(fd);
}

int io_serve_epoll(void)
{
    struct epoll_event events[EVENTS];
    int poller = epoll_create1(EPOLL_CLOEXEC);

    int listener = listen_somewhere(SOCK_NONBLOCK);
    watch(poller, listener);
    for (;;) {
        int n = epoll_wait(poller, events, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                accept_all(poller, listener);
            else
                echo_once(events[i].data.fd);
        }
    }
}

int io_read_blocking(void)
{
    static char data[READ_PIECE];
    int listener = listen_somewhere(0);

    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        ssize_t n;

        while ((n = recv(fd, data, sizeof data, 0)) > 0)
            continue;
        if (n < 0 || send(fd, "", 1, MSG_NOSIGNAL) != 1)
            bench_fail("recv: %s", strerror(errno));
        close(fd);
    }
}

void io_write_blocking(int port, long pieces)
{
    char *piece = bench_alone(PIECE), answer;
    int fd = bench_connect(port);

    for (long i = 0; i < pieces; i++)
        if (send(fd, piece, PIECE, MSG_NOSIGNAL) != PIECE)
            bench_fail("send: %s", strerror(errno));
    shutdown(fd, SHUT_WR);
    if (recv(fd, &answer, 1, 0) != 1)
        bench_fail("recv: %s", strerror(errno));
    close(fd);
    free(piece);
}
