/* SPDX-License-Identifier: MIT */
/* The pages that `hocket bench` downloads, and the slow server that has them: on the loopback, in
 * this process, on a thread of its own. */
#ifndef PAGES_H
#define PAGES_H

#include <hocket/server.h>

#include <stddef.h>
#include <stdint.h>

enum { PAGE_ID_MAX = 99, PAGE_UNIT = 20000 };

/* Page N has N times that many bytes. */
size_t page_size(int id);

/* A sum of bytes, which goes on from a sum of those before; of none it is PAGE_SUM_OF_NONE. */
#define PAGE_SUM_OF_NONE UINT64_C(0xcbf29ce484222325)
uint64_t page_sum(uint64_t sum, const void *bytes, size_t n);

/* The sum of all bytes of a page. */
uint64_t page_sum_of(int id);

/* Serves "/1", "/2", ... on a free port, each after *latency seconds: 0, errors of hkt_server_start. The
 * number has to stay as long as the server. */
int pages_serve(hkt_server **server, double *latency);

#endif
