/* SPDX-License-Identifier: MIT */
/* The work that is done in several ways: an array of jobs of one kind, and a function that does
 * one of them. The shape is that of hkt_map's arguments, on purpose: a way that runs jobs on an
 * engine passes it on as it is. */
#ifndef WORK_H
#define WORK_H

#include <hocket/giant_lock.h>

/* What a job found out: this must be the same in all ways. */
struct outcome {
    uint64_t bytes;
    int err; /* 0, or a negative errno */
    unsigned char sum[32];
};

/* How the struct of each kind of job begins. */
struct job {
    struct outcome outcome;
    hkt_giant_lock *giant; /* held while the job runs; NULL: none is */
};

/* `run` gets a job, which may have been copied into another process: what it points to is in shared
 * memory. */
struct work {
    const char *label;     /* for the line of progress */
    int (*run)(void *job); /* 0; negative only if going on makes no sense */
    void *jobs;
    size_t count;
    size_t job_size;
    uint64_t progress; /* what the jobs add up to in progress_add */
    double amount;     /* of what throughput counts: bytes, downloads */

    /* What a process that has not run main needs before its first job; NULL: nothing. */
    int (*setup)(void *unused);
    /* What a job that has ended has added by progress_add, for who could not hear it. */
    uint64_t (*progress_of)(const struct job *job);

    void *shared; /* memory that the jobs lead to; NULL: none */

    /* Is there a reason beyond us for another outcome? NULL: never. */
    bool (*changed)(const void *job);
};

static inline struct job *work_job(const struct work *work, size_t i)
{
    return (struct job *)((char *)work->jobs + i * work->job_size);
}

/* Before each run: outcomes blank, and the giant lock for those who run under it (or NULL). */
void work_reset(struct work *work, hkt_giant_lock *giant);

/* A copy of all outcomes, to be freed; NULL without memory. */
struct outcome *work_keep(const struct work *work);

/* Compares with outcomes kept: counts those that differ, and apart those that have a reason. */
struct difference {
    size_t different;
    size_t changed;
};
struct difference work_compare(const struct work *work, const struct outcome *kept);

#endif
