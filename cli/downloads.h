/* SPDX-License-Identifier: MIT */
/* The I/O-bound work: a few downloads over HTTP, from a slow server on the loopback. */
#ifndef DOWNLOADS_H
#define DOWNLOADS_H

#include "pages.h"
#include "work.h"

enum { DOWNLOADS = 5 };

struct download {
    struct job job;
    int id;
    int port;
    uint64_t sum; /* what its bytes must come to */
};

struct downloads {
    struct download each[DOWNLOADS];
    struct pages pages;
};

/* Starts the server (as pages_serve), which waits so many seconds before each answer, and makes the
 * work: 0, or a negative errno. downloads_end stops it; all zero is fine. */
int downloads_begin(struct downloads *downloads, struct work *work, double latency, bool apart);
void downloads_end(struct downloads *downloads);

#endif
