/* SPDX-License-Identifier: MIT */
/* The queue of jobs in chunks: jobs.h. A chunk is freed under the guard, which is rare: one in 255
 * jobs, and not while the kept one serves. */
#include "exec/jobs.h"

#include <errno.h>

#include "base/memory.h"

#define CHUNK 255

struct hkti_jobs_chunk {
    struct hkti_jobs_chunk *next;
    hkt_future *futures[CHUNK];
};

static int add_chunk(struct hkti_jobs *jobs)
{
    struct hkti_jobs_chunk *chunk = jobs->kept ? jobs->kept : hkti_allocate(sizeof *chunk);
    if (chunk == NULL)
        return -ENOMEM;
    jobs->kept = NULL;
    chunk->next = NULL;
    if (jobs->last)
        jobs->last->next = chunk;
    else
        jobs->first = chunk;
    jobs->last = chunk;
    jobs->tail = 0;
    return 0;
}

int hkti_jobs_put(struct hkti_jobs *jobs, hkt_future *future)
{
    if (jobs->last == NULL || jobs->tail == CHUNK) {
        int err = add_chunk(jobs);
        if (err < 0)
            return err;
    }
    jobs->last->futures[jobs->tail++] = future;
    hkti_store_relaxed(&jobs->count, hkti_load_relaxed(&jobs->count) + 1);
    return 0;
}

static void drop_first(struct hkti_jobs *jobs)
{
    struct hkti_jobs_chunk *chunk = jobs->first;
    jobs->first = chunk->next;
    if (jobs->first == NULL)
        jobs->last = NULL;
    jobs->head = 0;
    if (jobs->kept)
        hkti_release(chunk, sizeof *chunk);
    else
        jobs->kept = chunk;
}

size_t hkti_jobs_take(struct hkti_jobs *jobs, hkt_future **futures, size_t n)
{
    size_t taken = 0, count = hkti_load_relaxed(&jobs->count);
    while (taken < n && taken < count) {
        futures[taken++] = jobs->first->futures[jobs->head++];
        if (jobs->head == CHUNK || (jobs->first == jobs->last && jobs->head == jobs->tail))
            drop_first(jobs);
    }
    hkti_store_relaxed(&jobs->count, count - taken);
    return taken;
}

void hkti_jobs_end(struct hkti_jobs *jobs)
{
    while (jobs->first)
        drop_first(jobs);
    if (jobs->kept)
        hkti_release(jobs->kept, sizeof *jobs->kept);
    jobs->kept = NULL;
}
