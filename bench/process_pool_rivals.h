/* SPDX-License-Identifier: MIT */
/* The rivals of bench_process_pool that are in C: a pool of two children that take requests from a
 * SOCK_SEQPACKET socket and answer through another one, as many write it; and, as a floor, two processes
 * that spin on a word of shared memory. A job adds one to a number. */
#ifndef BENCH_PROCESS_POOL_RIVALS_H
#define BENCH_PROCESS_POOL_RIVALS_H

#include "common.h"

enum { POOL_WORKERS = 2 };

void sockets_begin(void);
void sockets_many(size_t n);
void sockets_one(void);
void sockets_end(void);

void spin_begin(void);
void spin_one(void);
void spin_end(void);

#endif
