/* SPDX-License-Identifier: MIT */
/* What everybody reads in bench_file: pages of one file in an order by chance, each of up to 32
 * readers every 32nd of it. */
#ifndef BENCH_FILE_READS_H
#define BENCH_FILE_READS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common.h"

enum { PAGE = 4096, PAGES = 1 << 16, READERS = 32, LOOK_EACH = 16 };

struct file_order {
    int fd;
    uint16_t salt;  /* another one each time */
    uint64_t limit; /* so many reads at the most: PAGES, so that none is read twice */
    uint64_t until; /* nanoseconds: no longer than that */
};

struct file_reader {
    const struct file_order *order;
    uint64_t next; /* at first its number; how many have been read before it, by all */
    uint64_t done;
};

/* The number of the page that is read as the nth: each once in PAGES. */
BENCH_INLINE uint32_t file_page(const struct file_order *order, uint64_t n)
{
    uint32_t x = (uint32_t)(n + order->salt) & (PAGES - 1);

    x = ((x ^ x >> 7) * 0x9E37u) & (PAGES - 1);
    x = ((x ^ x >> 9) * 0x6D2Bu) & (PAGES - 1);
    return x ^ x >> 8;
}

/* The next page of a reader in *page, unless it is over. */
BENCH_INLINE bool file_next(struct file_reader *reader, uint32_t *page)
{
    const struct file_order *order = reader->order;

    if (reader->next >= order->limit ||
        (reader->done % LOOK_EACH == 0 && bench_ns() >= order->until))
        return false;
    *page = file_page(order, reader->next);
    reader->next += READERS;
    return true;
}

/* That it was read, and is the right one: it begins with its number. */
BENCH_INLINE void file_read(struct file_reader *reader, uint32_t page, const void *data, int64_t n)
{
    uint64_t number;

    memcpy(&number, data, sizeof number);
    if (n != PAGE || number != page)
        bench_fail("page %u: a wrong result (%lld)", page, (long long)n);
    reader->done++;
}

/* By io_uring, by one thread: false if there is none. */
bool file_by_uring(struct file_reader readers[READERS]);

#endif
