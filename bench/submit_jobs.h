/* SPDX-License-Identifier: MIT */
/* The systems of bench_submit, in C and in C++: pools of two workers that are handed jobs by one
 * thread. A job counts itself, in a place of its thread's own, and does nothing else. */
#ifndef BENCH_SUBMIT_JOBS_H
#define BENCH_SUBMIT_JOBS_H

#include "common.h"

enum { SUBMIT_WORKERS = 2 };

struct submit_system {
    const char *name;
    void (*begin)(void), (*end)(void);
    /* Hands in n jobs, and returns when all have ended and all is given back. */
    void (*many)(size_t n);
    /* Hands in one and waits for it; NULL: cannot, or not by another thread. */
    void (*one)(void);
};

#ifdef __cplusplus
extern "C" {
#endif
void submit_count(void); /* what a job does */
extern const struct submit_system submit_libuv, submit_glib, submit_pthread, submit_tbb;
#ifdef __cplusplus
}
#endif
#endif
