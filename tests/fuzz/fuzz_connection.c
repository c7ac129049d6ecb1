/* SPDX-License-Identifier: MIT */
/* Feeds bytes to connections: as messages of the other end, in pieces, and as what a guest says to
 * a listener that asks for a key. What must hold is checked by abort:
 *
 *   - messages are those that a simple reading of the bytes finds, in whatever pieces they come
 *     and with whatever calls they are received;
 *   - no guest is let in by bytes, and none is waited for when he has said his last.
 *
 *     fuzz_connection [--seconds N] [--seed S] [FILE]...    the files, and mutations of seeds
 *
 * With clang's libFuzzer, from the folder of the tree (B is a build of it with clang):
 *
 *     clang -g -O1 -std=c11 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -DHKT_LIBFUZZER \
 *         -Iinclude tests/fuzz/fuzz_connection.c B/lib/libhocket.a -o fuzz_connection */
#include <hocket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "fuzz_connection: line %d: must be: %s\n", __LINE__, #condition);      \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define SIZE_MAX_FED 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t state = 1;

static uint32_t below(uint32_t n)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((state >> 33) % n);
}

/* What is expected: the next message, or how it ends. */
struct reading {
    const uint8_t *data;
    size_t size, at;
};

static uint64_t number(const uint8_t *bytes, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* 0: a message of *length bytes follows at `at`; or the error. */
static int read_head(struct reading *reading, uint64_t *length)
{
    size_t left = reading->size - reading->at;
    const uint8_t *head = reading->data + reading->at;
    if (left < 4)
        return left ? -EPIPE : -ENODATA;
    *length = number(head, 4);
    if (*length == UINT32_MAX) {
        if (left < 12)
            return -EPIPE;
        *length = number(head + 4, 8);
        reading->at += 8;
    } else if (*length > INT32_MAX) {
        return -EBADMSG;
    }
    reading->at += 4;
    return *length > (UINT64_C(1) << 40) ? -EBADMSG : 0;
}

/* The error of the call that receives a message, or its length. */
static int receive(hkt_connection *connection, const uint8_t *expected, uint64_t length)
{
    static uint8_t room[SIZE_MAX_FED];
    void *made = NULL;
    size_t size = 0;
    if (below(3) == 0) {
        int err = hkt_connection_recv_alloc(connection, &made, &size, sizeof room);
        if (err < 0)
            return err;
        MUST(size == length && (size == 0 || memcmp(made, expected, size) == 0));
        hkt_connection_free(made);
        return (int)size;
    }
    if (below(4) == 0 && length > 0)
        MUST(hkt_connection_recv(connection, room, below((uint32_t)(length < 99 ? length : 99))) ==
             -EMSGSIZE);
    int n = hkt_connection_recv(connection, room, sizeof room);
    MUST(n < 0 || n == 0 || memcmp(room, expected, (size_t)n) == 0);
    return n;
}

static void feed_messages(const uint8_t *data, size_t size)
{
    int fds[2], err;
    hkt_connection *connection;
    struct reading reading = { data, size, 0 };
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    MUST(hkt_connection_adopt(&connection, fds[0]) == 0);
    for (size_t at = 0; at < size;) {
        size_t piece = 1 + below((uint32_t)(size - at));
        MUST(send(fds[1], data + at, piece, MSG_NOSIGNAL) == (ssize_t)piece);
        at += piece;
    }
    MUST(close(fds[1]) == 0);
    for (;;) {
        uint64_t length = 0;
        err = read_head(&reading, &length);
        if (below(2)) {
            int next = hkt_connection_next_size(connection);
            MUST(next == (err < 0 ? err : length > INT32_MAX ? -EOVERFLOW : (int)length));
        }
        if (err < 0)
            break;
        if (length <= SIZE_MAX_FED && length > reading.size - reading.at)
            err = -EPIPE;
        else if (length > SIZE_MAX_FED)
            err = -EMSGSIZE;
        if (err < 0)
            break;
        MUST(receive(connection, data + reading.at, length) == (int)length);
        reading.at += (size_t)length;
    }
    MUST(receive(connection, data, 0) == err);
    MUST(hkt_connection_poll(connection, hkt_after(0)) == 1);
    hkt_connection_destroy(connection);
}

static hkt_connection_listener *listener;

static void give_back(void)
{
    hkt_connection_listener_destroy(listener);
}

static void feed_listener(const uint8_t *data, size_t size)
{
    static const hkt_connection_options key = { .authkey = "key", .authkey_size = 3 };
    hkt_connection *connection;
    hkt_address to;
    if (listener == NULL) {
        MUST(hkt_connection_listener_create(&listener, NULL, &key) == 0);
        atexit(give_back);
    }
    const char *address = hkt_connection_listener_address(listener);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(fd >= 0 && hkt_address_parse(&to, address, -1) == 0);
    MUST(connect(fd, hkt_address_sockaddr(&to), to.length) == 0);
    MUST(send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size);
    MUST(shutdown(fd, SHUT_WR) == 0);
    MUST(hkt_connection_listener_accept(listener, &connection) == -EKEYREJECTED);
    MUST(close(fd) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > SIZE_MAX_FED)
        size = SIZE_MAX_FED;
    feed_messages(data, size);
    if (size % 4 == 0)
        feed_listener(data, size);
    return 0;
}

#ifndef HKT_LIBFUZZER
static const struct {
    const char *bytes;
    size_t size;
} seeds[] = {
    { "\0\0\0\5hello\0\0\0\0\0\0\0\1x", 18 },
    { "\xff\xff\xff\xff\0\0\0\0\0\0\0\3abc\0\0\0\2de", 21 },
    { "\xff\xff\xff\xff\0\0\0\1\0\0\0\0", 12 },
    { "\0\0\0\x60hocket answer 1\0hmac-sha256\0\0\0\0\0"
      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
      100 },
    { "\0\0\0\x60hocket refused1\0hmac-sha256\0\0\0\0\0"
      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
      100 },
};

static size_t mutate(uint8_t *data)
{
    size_t size = 0;
    for (uint32_t parts = 1 + below(4); parts > 0; parts--) {
        size_t seed = below(sizeof seeds / sizeof *seeds);
        memcpy(data + size, seeds[seed].bytes, seeds[seed].size);
        size += seeds[seed].size;
    }
    for (uint32_t changes = below(6); changes > 0; changes--) {
        size_t at = below((uint32_t)size);
        if (below(3))
            data[at] = (uint8_t)below(256);
        else if (below(2))
            size = at + 1;
        else
            data[at] = (uint8_t)(data[at] ^ 1u << below(8));
    }
    return size;
}

static void feed_file(const char *name)
{
    static uint8_t data[SIZE_MAX_FED];
    FILE *file = fopen(name, "rb");
    MUST(file != NULL);
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    (void)LLVMFuzzerTestOneInput(data, size);
}

int main(int argc, char **argv)
{
    static uint8_t data[SIZE_MAX_FED];
    double seconds = 3;
    long count = 0;
    state = (uint64_t)time(NULL);
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            seconds = atof(argv[++i]);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            state = strtoull(argv[++i], NULL, 10);
        else
            feed_file(argv[i]);
    printf("fuzz_connection: seed %llu\n", (unsigned long long)state);
    for (hkt_deadline end = hkt_after(seconds); !hkt_deadline_passed(end); count++)
        (void)LLVMFuzzerTestOneInput(data, mutate(data));
    printf("fuzz_connection: %ld inputs\n", count);
    return 0;
}
#endif
