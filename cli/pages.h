/* SPDX-License-Identifier: MIT */
/* The pages that `hocket bench` downloads, and the slow server that has them: on the loopback, on
 * a thread of its own, in this process or in one of its own. */
#ifndef PAGES_H
#define PAGES_H

#include <hocket/process.h>
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

struct pages {
    double latency; /* seconds before each answer */
    int port;
    hkt_server *server;   /* in this process; or */
    hkt_process *process; /* in that one, which shares */
    struct pages_desk *desk;
};

/* Serves "/1", "/2", ... on a free port: 0, errors of hkt_server_start and hkt_process_spawn. `apart`: in
 * a process of its own, so that this one has no other thread and can be copied by fork. *pages has
 * to stay where it is until pages_close, for which all zero is fine. */
int pages_serve(struct pages *pages, double latency, bool apart);
void pages_close(struct pages *pages);

#endif
