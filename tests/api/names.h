/* SPDX-License-Identifier: MIT */
/* A name server of the test's own, and a view of /etc in which it is the one that is asked. The server
 * is a thread with a socket at an address of the loopback that only this process uses; the view is a
 * mount namespace. Where that is not to be had (who is not root, and may not be it in a user namespace),
 * the test is skipped.
 *
 *     one.test     192.0.2.1
 *     twice.test   192.0.2.1, 192.0.2.2, 192.0.2.1
 *     both.test    192.0.2.1 and 2001:db8::1
 *     later.test   the server fails, for now
 *     hangs.test   no answer until names_let_go; then as one.test
 *     others       no such name
 *
 * and backwards: 192.0.2.1 is one.test, 192.0.2.66 hangs, others have no name. */
#ifndef HOCKET_TESTS_NAMES_H
#define HOCKET_TESTS_NAMES_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <hocket/address.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "groups.h"
#include "random.h"

struct held {
    unsigned char packet[512];
    size_t size;
    struct sockaddr_in from;
};

static struct {
    int fd, wake[2];
    pthread_t thread;
    atomic_int held_count;
    atomic_bool open;
    struct held held[64];
} names;

static inline void put(unsigned char **at, const void *bytes, size_t size)
{
    memcpy(*at, bytes, size);
    *at += size;
}

/* An answer's record: of the name that was asked for, which stands at byte 12. */
static inline void put_record(unsigned char **at, unsigned type, const void *data, size_t size)
{
    const unsigned char head[] = { 0xc0, 12, 0, (unsigned char)type, 0, 1, 0, 0,
                                   0,    60, 0, (unsigned char)size };
    put(at, head, sizeof head);
    put(at, data, size);
}

/* The name in words: "one.test"; where the question ends. */
static inline size_t read_name(const unsigned char *packet, char *name)
{
    size_t at = 12, out = 0;
    while (packet[at]) {
        if (out > 0)
            name[out++] = '.';
        memcpy(name + out, packet + at + 1, packet[at]);
        out += packet[at];
        at += 1u + packet[at];
    }
    name[out] = 0;
    return at + 1 + 4;
}

static inline void answer(const struct held *asked)
{
    static const unsigned char four[2][4] = { { 192, 0, 2, 1 }, { 192, 0, 2, 2 } };
    static const unsigned char six[16] = { 0x20, 1, 0x0d, 0xb8, [15] = 1 };
    unsigned char packet[1024];
    char name[256];
    memcpy(packet, asked->packet, asked->size);
    size_t end = read_name(packet, name);
    unsigned type = packet[end - 3], count = 0, code = 0;
    unsigned char *at = packet + end;
    bool one = strcmp(name, "one.test") == 0 || strcmp(name, "hangs.test") == 0;
    bool twice = strcmp(name, "twice.test") == 0, both = strcmp(name, "both.test") == 0;
    bool back = strcmp(name, "1.2.0.192.in-addr.arpa") == 0;
    if (strcmp(name, "later.test") == 0)
        code = 2;
    else if (!one && !twice && !both && !back)
        code = 3;
    for (int i = 0; type == 1 && (one || both || twice) && i < (twice ? 3 : 1); i++, count++)
        put_record(&at, 1, four[i & 1], 4);
    if (type == 28 && both && ++count)
        put_record(&at, 28, six, 16);
    if (type == 12 && back && ++count)
        put_record(&at, 12, "\3one\4test", 10);
    const unsigned char flags[] = {
        0x81, (unsigned char)(0x80 | code), 0, 1, 0, (unsigned char)count, 0, 0, 0, 0
    };
    memcpy(packet + 2, flags, sizeof flags);
    sendto(names.fd, packet, (size_t)(at - packet), 0, (const struct sockaddr *)&asked->from,
           sizeof asked->from);
}

static inline bool hangs(const struct held *asked)
{
    char name[256];
    read_name(asked->packet, name);
    return !atomic_load(&names.open) &&
           (strcmp(name, "hangs.test") == 0 || strcmp(name, "66.2.0.192.in-addr.arpa") == 0);
}

/* Until the pipe is closed; a byte in it lets go those that are held. */
static void *serve(void *arg)
{
    (void)arg;
    for (;;) {
        struct pollfd fds[2] = { { names.fd, POLLIN, 0 }, { names.wake[0], POLLIN, 0 } };
        struct held asked;
        socklen_t size = sizeof asked.from;
        char byte;
        CHECK(poll(fds, 2, -1) > 0);
        if (fds[1].revents && read(names.wake[0], &byte, 1) == 0)
            return NULL;
        for (int i = 0; fds[1].revents && i < atomic_load(&names.held_count); i++)
            answer(&names.held[i]);
        if (!fds[0].revents)
            continue;
        ssize_t n = recvfrom(names.fd, asked.packet, sizeof asked.packet, MSG_DONTWAIT,
                             (struct sockaddr *)&asked.from, &size);
        if (n < 17)
            continue;
        asked.size = (size_t)n;
        if (!hangs(&asked)) {
            answer(&asked);
        } else {
            CHECK(atomic_load(&names.held_count) < 64);
            names.held[atomic_load(&names.held_count)] = asked;
            atomic_fetch_add(&names.held_count, 1);
        }
    }
}

/* Who is not root becomes it in a namespace, where the loopback is down at first. */
static inline bool enter_namespace(void)
{
    if (geteuid() == 0)
        return unshare(CLONE_NEWNS) == 0;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) < 0)
        return false;
    struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool up = ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
    close(fd);
    return up;
}

/* In this process a file of /etc has this text. */
static inline bool cover(const char *path, const char *text)
{
    char name[] = "/tmp/hocket-names-XXXXXX";
    int fd = mkstemp(name);
    CHECK(fd >= 0);
    fchmod(fd, 0644);
    CHECK_EQ(write(fd, text, strlen(text)), (long)strlen(text));
    close(fd);
    bool covered = mount(name, path, NULL, MS_BIND, NULL) == 0;
    unlink(name);
    return covered;
}

static inline void names_view(const struct sockaddr_in *server, int timeout)
{
    char text[256], address[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &server->sin_addr, address, sizeof address);
    snprintf(text, sizeof text, "nameserver %s\noptions timeout:%d attempts:1\n", address, timeout);
    if (!enter_namespace() || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        !cover("/etc/resolv.conf", text) ||
        !cover("/etc/nsswitch.conf", "hosts: files dns\nservices: files\n"))
        TEST_SKIP("no namespace in which the test has a name server of its own");
}

/* A question that is not answered fails after so many seconds. */
static inline void names_open_for(int timeout)
{
    static bool viewed;
    struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons(53) };
    server.sin_addr.s_addr = htonl(0x7f400000u + ((uint32_t)getpid() & 0x3fffff));
    if (!viewed)
        names_view(&server, timeout);
    viewed = true;
    names.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(names.fd, (struct sockaddr *)&server, sizeof server) < 0)
        TEST_SKIP("the port of name servers is taken");
    CHECK_EQ(pipe2(names.wake, O_CLOEXEC), 0);
    atomic_store(&names.held_count, 0);
    atomic_store(&names.open, false);
    CHECK_EQ(pthread_create(&names.thread, NULL, serve, NULL), 0);
}

static inline void names_open(void)
{
    names_open_for(20);
}

/* How many questions hang. */
static inline int names_held(void)
{
    return atomic_load(&names.held_count);
}

/* From now on nothing hangs. */
static inline void names_let_go(void)
{
    atomic_store(&names.open, true);
    CHECK_EQ(write(names.wake[1], "x", 1), 1);
}

static inline void names_close(void)
{
    close(names.wake[1]);
    CHECK_EQ(pthread_join(names.thread, NULL), 0);
    close(names.wake[0]);
    close(names.fd);
}

#endif
