/* SPDX-License-Identifier: MIT */
/* The I/O-bound work: a few downloads, of which only the waiting is real. */
#ifndef DOWNLOADS_H
#define DOWNLOADS_H

#include "work.h"

enum { DOWNLOADS = 5 };

struct download {
    struct job job;
    int id;
    double latency;
};

/* Makes the work in the caller's array: each download takes `latency` seconds. */
void downloads_make(struct work *work, struct download downloads[DOWNLOADS], double latency);

#endif
