/* SPDX-License-Identifier: MIT */
/* What the system has to pass messages between processes, and ZeroMQ, for bench_shared_queue; and a
 * bare ring in shared memory, which is for one producer and one consumer, never sleeps, and knows
 * nothing of deaths: what the machine can do. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"
#include "shared_queue_systems.h"

enum { BUFFER = 1 << 20, SPINS = 200 };

/* The ring: two counters, each with the other's last seen value beside it. */
struct ring {
    size_t size, capacity;
    __attribute__((aligned(128))) uint64_t tail;
    uint64_t head_seen;
    __attribute__((aligned(128))) uint64_t head;
    uint64_t tail_seen;
    __attribute__((aligned(128))) char bytes[];
};

static size_t ring_memory(size_t size, size_t capacity)
{
    return sizeof(struct ring) + size * capacity;
}

static void *ring_create(size_t size, int capacity)
{
    struct ring *ring = mmap(NULL, ring_memory(size, (size_t)capacity), PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ring == MAP_FAILED)
        bench_fail("mmap");
    ring->size = size;
    ring->capacity = (size_t)capacity;
    return ring;
}

static void ring_destroy(void *passing)
{
    struct ring *ring = passing;
    munmap(ring, ring_memory(ring->size, ring->capacity));
}

/* Until the other side's counter is not this any more. */
static uint64_t ring_watch(const uint64_t *counter, uint64_t not_this)
{
    for (unsigned turns = 1;; turns++) {
        uint64_t seen = __atomic_load_n(counter, __ATOMIC_ACQUIRE);
        if (seen != not_this)
            return seen;
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
        if (turns % SPINS == 0)
            sched_yield();
    }
}

static void ring_put(void *passing, const void *message, size_t size)
{
    struct ring *ring = passing;
    uint64_t tail = ring->tail;

    if (tail - ring->head_seen == ring->capacity)
        ring->head_seen = ring_watch(&ring->head, ring->head_seen);
    memcpy(ring->bytes + tail % ring->capacity * size, message, size);
    __atomic_store_n(&ring->tail, tail + 1, __ATOMIC_RELEASE);
}

static void ring_get(void *passing, void *message, size_t size)
{
    struct ring *ring = passing;
    uint64_t head = ring->head;

    if (head == ring->tail_seen)
        ring->tail_seen = ring_watch(&ring->tail, ring->tail_seen);
    memcpy(message, ring->bytes + head % ring->capacity * size, size);
    __atomic_store_n(&ring->head, head + 1, __ATOMIC_RELEASE);
}

const struct passing_system passing_ring = { "bare-ring", ring_create, NULL,
                                             ring_put,    ring_get,    ring_destroy };

/* Pipe and socket pair: two fds. The pipe gets room for as many bytes as it may have. */
struct pair {
    int fds[2]; /* read, write */
};

static void *pair_create(bool socket)
{
    struct pair *pair = bench_alone(sizeof *pair);
    int err = socket ? socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair->fds) : pipe(pair->fds);
    if (err < 0)
        bench_fail("pipe: %s", strerror(errno));
    int room = BUFFER;
    if (socket)
        setsockopt(pair->fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    else
        (void)fcntl(pair->fds[1], F_SETPIPE_SZ, room);
    return pair;
}

static void *pipe_create(size_t size, int capacity)
{
    (void)size, (void)capacity;
    return pair_create(false);
}

static void *seqpacket_create(size_t size, int capacity)
{
    (void)size, (void)capacity;
    return pair_create(true);
}

static void pair_put(void *passing, const void *message, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(((struct pair *)passing)->fds[1], (const char *)message + done,
                          size - done);
        if (n < 0)
            bench_fail("write: %s", strerror(errno));
        done += (size_t)n;
    }
}

static void pair_get(void *passing, void *message, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = read(((struct pair *)passing)->fds[0], (char *)message + done, size - done);
        if (n <= 0)
            bench_fail("read: %s", strerror(errno));
        done += (size_t)n;
    }
}

static void pair_destroy(void *passing)
{
    close(((struct pair *)passing)->fds[0]);
    close(((struct pair *)passing)->fds[1]);
    free(passing);
}

const struct passing_system passing_pipe = { "pipe",   pipe_create, NULL,
                                             pair_put, pair_get,    pair_destroy };
const struct passing_system passing_seqpacket = { "seqpacket", seqpacket_create, NULL,
                                                  pair_put,    pair_get,         pair_destroy };

/* POSIX: of as many messages as the system lets it have. */
static mqd_t mq;

static void *mq_create(size_t size, int capacity)
{
    static const char name[] = "/hocket-bench-queue";

    mq_unlink(name);
    for (struct mq_attr attr = { .mq_maxmsg = capacity, .mq_msgsize = (long)size };
         attr.mq_maxmsg >= 2; attr.mq_maxmsg /= 2) {
        mq = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
        if (mq != (mqd_t)-1)
            break;
    }
    mq_unlink(name);
    return mq != (mqd_t)-1 ? &mq : NULL;
}

static void mq_put(void *passing, const void *message, size_t size)
{
    if (mq_send(*(mqd_t *)passing, message, size, 0) < 0)
        bench_fail("mq_send: %s", strerror(errno));
}

static void mq_get(void *passing, void *message, size_t size)
{
    if (mq_receive(*(mqd_t *)passing, message, size, NULL) != (ssize_t)size)
        bench_fail("mq_receive: %s", strerror(errno));
}

static void mq_destroy(void *passing)
{
    mq_close(*(mqd_t *)passing);
}

const struct passing_system passing_mq = {
    "posix-mq", mq_create, NULL, mq_put, mq_get, mq_destroy
};

/* ZeroMQ's library is loaded, so that the tree needs no headers of it. Contexts come after the fork. */
enum { ZMQ_PULL = 7, ZMQ_PUSH = 8 };

static struct {
    void *library;
    void *(*ctx_new)(void), *(*socket)(void *, int);
    int (*bind)(void *, const char *), (*connect)(void *, const char *);
    int (*send)(void *, const void *, size_t, int), (*recv)(void *, void *, size_t, int);
    int (*close)(void *), (*ctx_term)(void *);
    void *context, *end;
    char address[64];
} zmq;

static void zmq_find(void *function, const char *name)
{
    void *found = dlsym(zmq.library, name);
    if (found == NULL)
        bench_fail("libzmq has no %s", name);
    memcpy(function, &found, sizeof found);
}

static void *zmq_create(size_t size, int capacity)
{
    (void)size, (void)capacity;
    zmq.library = zmq.library ? zmq.library : dlopen("libzmq.so.5", RTLD_NOW);
    if (zmq.library == NULL)
        return NULL;
    zmq_find(&zmq.ctx_new, "zmq_ctx_new");
    zmq_find(&zmq.ctx_term, "zmq_ctx_term");
    zmq_find(&zmq.socket, "zmq_socket");
    zmq_find(&zmq.bind, "zmq_bind");
    zmq_find(&zmq.connect, "zmq_connect");
    zmq_find(&zmq.send, "zmq_send");
    zmq_find(&zmq.recv, "zmq_recv");
    zmq_find(&zmq.close, "zmq_close");
    snprintf(zmq.address, sizeof zmq.address, "ipc:///tmp/hocket-bench-zmq-%d", (int)getpid());
    return &zmq;
}

static void zmq_begin(void *passing, int consumer)
{
    (void)passing;
    zmq.context = zmq.ctx_new();
    zmq.end = zmq.socket(zmq.context, consumer ? ZMQ_PULL : ZMQ_PUSH);
    int err = consumer ? zmq.bind(zmq.end, zmq.address) : zmq.connect(zmq.end, zmq.address);
    if (err < 0)
        bench_fail("zmq: %s", zmq.address);
}

static void zmq_put(void *passing, const void *message, size_t size)
{
    (void)passing;
    if (zmq.send(zmq.end, message, size, 0) != (int)size)
        bench_fail("zmq_send");
}

static void zmq_get(void *passing, void *message, size_t size)
{
    (void)passing;
    if (zmq.recv(zmq.end, message, size, 0) != (int)size)
        bench_fail("zmq_recv");
}

static void zmq_destroy(void *passing)
{
    (void)passing;
    zmq.close(zmq.end);
    zmq.ctx_term(zmq.context);
    unlink(zmq.address + strlen("ipc://"));
}

const struct passing_system passing_zmq = { "zmq-ipc", zmq_create, zmq_begin,
                                            zmq_put,   zmq_get,    zmq_destroy };
