/* SPDX-License-Identifier: MIT */
/* A queue of jobs under its pool's guard: pointers in chunks, so that who takes many out reads them
 * side by side. All zero is empty. One chunk that was emptied is kept for the next. */
#ifndef HKTI_EXEC_JOBS_H
#define HKTI_EXEC_JOBS_H

#include "exec/future.h"

struct hkti_jobs_chunk;

struct hkti_jobs {
    struct hkti_jobs_chunk *first, *last, *kept;
    unsigned head, tail; /* in first, in last */
    size_t count;        /* atomic: written under the guard, looked at without */
};

/* 0, -ENOMEM. */
int hkti_jobs_put(struct hkti_jobs *jobs, hkt_future *future);
/* Up to n of them; how many. */
size_t hkti_jobs_take(struct hkti_jobs *jobs, hkt_future **futures, size_t n);
/* It is empty, and gives its memory back. */
void hkti_jobs_end(struct hkti_jobs *jobs);

#endif
