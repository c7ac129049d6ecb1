/* SPDX-License-Identifier: MIT */
/* Reads of a file by a bare io_uring, for bench_file: a request of each reader in flight, one call
 * of the system for all that are ready. */
#include "file_reads.h"

#ifdef HAVE_URING

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

/* So many ends are waited for: with one, a disk's ends wake it one by one, a fifth slower. */
enum { AT_ONCE = 8 };

struct flight {
    struct io_uring ring;
    struct file_reader *readers;
    char (*data)[PAGE];
    uint32_t pages[READERS]; /* that are on their way */
    int left;
};

static void start(struct flight *flight, unsigned i)
{
    if (!file_next(&flight->readers[i], &flight->pages[i]))
        return;
    struct io_uring_sqe *request = io_uring_get_sqe(&flight->ring);
    io_uring_prep_read(request, 0, flight->data[i], PAGE, (uint64_t)flight->pages[i] * PAGE);
    io_uring_sqe_set_flags(request, IOSQE_FIXED_FILE);
    io_uring_sqe_set_data64(request, i);
    flight->left++;
}

static void finish_those_ready(struct flight *flight)
{
    struct io_uring_cqe *cqe;
    unsigned head, n = 0;

    io_uring_for_each_cqe(&flight->ring, head, cqe)
    {
        unsigned i = (unsigned)cqe->user_data;

        file_read(&flight->readers[i], flight->pages[i], flight->data[i], cqe->res);
        flight->left--;
        start(flight, i);
        n++;
    }
    io_uring_cq_advance(&flight->ring, n);
}

bool file_by_uring(struct file_reader readers[READERS])
{
    struct flight flight = { .readers = readers };
    struct io_uring_params how = { .flags = IORING_SETUP_SINGLE_ISSUER |
                                            IORING_SETUP_DEFER_TASKRUN };

    if (io_uring_queue_init_params(READERS, &flight.ring, &how) < 0)
        return false;
    flight.data = bench_alone(sizeof(char[READERS][PAGE]));
    bench_check(io_uring_register_files(&flight.ring, &readers->order->fd, 1), "register_files");
    if (io_uring_register_ring_fd(&flight.ring) != 1)
        bench_fail("io_uring_register_ring_fd");
    for (unsigned i = 0; i < READERS; i++)
        start(&flight, i);
    while (flight.left > 0) {
        unsigned wanted = flight.left < AT_ONCE ? (unsigned)flight.left : AT_ONCE;
        int err = io_uring_submit_and_wait(&flight.ring, wanted);

        if (err < 0 && err != -EINTR)
            bench_check(err, "io_uring_submit_and_wait");
        finish_those_ready(&flight);
    }
    io_uring_queue_exit(&flight.ring);
    free(flight.data);
    return true;
}

#else

bool file_by_uring(struct file_reader readers[READERS])
{
    (void)readers;
    return false;
}

#endif
