/* SPDX-License-Identifier: MIT */
/* A bare io_uring as an echo server for bench_io, where liburing is found: rivals/uring-echo. Prints
 * its port. Ends with status 3 where the system has no io_uring that can do all of this (Linux 6.1),
 * or forbids it.
 *
 * The best that is known. One call of the system a turn, which submits the answers and waits for the
 * next requests; one accept and one recv for each client, for good; buffers that the system picks
 * itself; clients in the ring's own table of files. An answer that went out whole is not told: after
 * the call all answers are gone, since none of them may wait, and their buffers are given back. A
 * client who does not fetch his answers is cut off.
 *
 * user_data: what it was in the lower half, and whose in the upper one. */
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { BUFFER = 1024, BUFFERS = 4096, BACKLOG = 511, SUBMISSIONS = 4096, COMPLETIONS = 16384 };
enum { CLIENTS_MAX = 1 << 16, NOT_THERE = 3 };
enum { ACCEPT, RECEIVE, SEND, CLOSE };

static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static char (*memory)[BUFFER];
static int listener;

/* Buffers of this turn, which are given back after the next call. */
static uint16_t used[COMPLETIONS];
static unsigned used_count;

static void must(int err, const char *call)
{
    if (err >= 0)
        return;
    fprintf(stderr, "uring-echo: %s: %s\n", call, strerror(-err));
    exit(1);
}

/* The same of what an older system does not know, or a careful one forbids. */
static void must_be_there(int err)
{
    if (err < 0)
        exit(NOT_THERE);
}

static struct io_uring_sqe *new_request(void)
{
    struct io_uring_sqe *request = io_uring_get_sqe(&ring);

    if (!request) {
        must(io_uring_submit(&ring), "io_uring_submit");
        request = io_uring_get_sqe(&ring);
    }
    return request;
}

static void name_request(struct io_uring_sqe *request, unsigned what, unsigned client)
{
    io_uring_sqe_set_data64(request, (uint64_t)client << 32 | what);
}

static void start_accept(void)
{
    struct io_uring_sqe *request = new_request();

    io_uring_prep_multishot_accept_direct(request, listener, NULL, NULL, 0);
    name_request(request, ACCEPT, 0);
}

static void start_receive(unsigned client)
{
    struct io_uring_sqe *request = new_request();

    io_uring_prep_recv_multishot(request, (int)client, NULL, 0, 0);
    io_uring_sqe_set_flags(request, IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT);
    request->buf_group = 0;
    name_request(request, RECEIVE, client);
}

static void start_close(unsigned client)
{
    struct io_uring_sqe *request = new_request();

    io_uring_prep_close_direct(request, client);
    io_uring_sqe_set_flags(request, IOSQE_CQE_SKIP_SUCCESS);
    name_request(request, CLOSE, client);
}

/* Its recv ends with 0, and then the client is closed. */
static void cut_off(unsigned client)
{
    struct io_uring_sqe *request = new_request();

    io_uring_prep_shutdown(request, (int)client, SHUT_RDWR);
    io_uring_sqe_set_flags(request, IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS);
    name_request(request, CLOSE, client);
}

static void answer(unsigned client, unsigned buffer, size_t size)
{
    struct io_uring_sqe *request = new_request();

    io_uring_prep_send(request, (int)client, memory[buffer], size,
                       MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
    io_uring_sqe_set_flags(request, IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS);
    name_request(request, SEND, client);
    used[used_count++] = (uint16_t)buffer;
}

static void received(const struct io_uring_cqe *cqe, unsigned client)
{
    if (cqe->res > 0)
        answer(client, cqe->flags >> IORING_CQE_BUFFER_SHIFT, (size_t)cqe->res);
    if (cqe->flags & IORING_CQE_F_MORE)
        return;
    if (cqe->res > 0 || cqe->res == -ENOBUFS)
        start_receive(client);
    else
        start_close(client);
}

static void handle(const struct io_uring_cqe *cqe)
{
    unsigned client = (unsigned)(cqe->user_data >> 32);

    switch ((unsigned)cqe->user_data) {
    case RECEIVE:
        received(cqe, client);
        break;
    case ACCEPT:
        if (cqe->res >= 0)
            start_receive((unsigned)cqe->res);
        if (!(cqe->flags & IORING_CQE_F_MORE))
            start_accept();
        break;
    case SEND: /* in part, or not at all */
        cut_off(client);
        break;
    default: /* he had left already */
        break;
    }
}

static void give_back(void)
{
    for (unsigned i = 0; i < used_count; i++)
        io_uring_buf_ring_add(buffers, memory[used[i]], BUFFER, used[i],
                              io_uring_buf_ring_mask(BUFFERS), (int)i);
    io_uring_buf_ring_advance(buffers, (int)used_count);
    used_count = 0;
}

static void make_buffers(void)
{
    struct io_uring_buf_reg about = { .ring_entries = BUFFERS };

    buffers = aligned_alloc(4096, BUFFERS * sizeof(struct io_uring_buf));
    memory = aligned_alloc(4096, (size_t)BUFFERS * BUFFER);
    must(buffers && memory ? 0 : -ENOMEM, "aligned_alloc");
    about.ring_addr = (uintptr_t)buffers;
    must_be_there(io_uring_register_buf_ring(&ring, &about, 0));
    io_uring_buf_ring_init(buffers);
    for (int i = 0; i < BUFFERS; i++)
        used[used_count++] = (uint16_t)i;
    give_back();
}

static void make_ring(void)
{
    struct rlimit limit;
    struct io_uring_params how = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
                 IORING_SETUP_SUBMIT_ALL,
        .cq_entries = COMPLETIONS,
    };

    must_be_there(io_uring_queue_init_params(SUBMISSIONS, &ring, &how));
    must(io_uring_register_ring_fd(&ring), "io_uring_register_ring_fd");
    must(getrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0, "getrlimit");
    unsigned most = limit.rlim_cur < CLIENTS_MAX ? (unsigned)limit.rlim_cur : CLIENTS_MAX;
    must(io_uring_register_files_sparse(&ring, most), "io_uring_register_files_sparse");
}

/* Clients inherit TCP_NODELAY. */
static void listen_somewhere(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    int on = 1;

    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, BACKLOG) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0)
        must(-errno, "listen");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
}

int main(void)
{
    make_ring();
    make_buffers();
    listen_somewhere();
    start_accept();
    for (;;) {
        struct io_uring_cqe *cqe;
        unsigned head, n = 0;
        int err = io_uring_submit_and_wait(&ring, 1);

        must(err == -EINTR ? 0 : err, "io_uring_submit_and_wait");
        give_back();
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            handle(cqe);
            n++;
        }
        io_uring_cq_advance(&ring, n);
    }
}
