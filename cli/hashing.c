/* SPDX-License-Identifier: MIT */
/* One job reads one file in parts of 64 KiB and hashes them. Under the giant lock, reading and
 * hashing are both done with it held, and at each part it is offered to those who wait. A file
 * that cannot be read is an outcome like another; the rest is read all the same. */
#include "hashing.h"

#include "progress.h"
#include "sha256.h"

#include <errno.h>
#include <stdlib.h>

struct feeding {
    struct sha256 *sha256;
    struct job *job;
};

static void feed(void *context, const unsigned char *bytes, size_t n)
{
    struct feeding *feeding = context;

    sha256_feed(feeding->sha256, bytes, n);
    feeding->job->outcome.bytes += n;
    progress_add(n);
    if (feeding->job->giant)
        hkt_giant_lock_checkpoint(feeding->job->giant);
}

static int hash(void *arg)
{
    struct hashing *hashing = arg;
    struct outcome *outcome = &hashing->job.outcome;
    struct feeding feeding = { sha256_begin(), &hashing->job };

    if (!feeding.sha256)
        return -ENOMEM;
    outcome->err = file_read(hashing->file->path, feed, &feeding);
    return sha256_end(feeding.sha256, outcome->sum);
}

static bool has_changed(const void *job)
{
    return file_has_changed(((const struct hashing *)job)->file);
}

int hashing_create(struct work *work, const struct file_list *list, uint64_t bytes)
{
    struct hashing *jobs = calloc(list->count + 1, sizeof *jobs);

    if (!jobs)
        return -ENOMEM;
    for (size_t i = 0; i < list->count; i++)
        jobs[i].file = &list->files[i];
    *work = (struct work){
        .label = "hashing",
        .run = hash,
        .jobs = jobs,
        .count = list->count,
        .job_size = sizeof *jobs,
        .progress = bytes,
        .amount = (double)bytes,
        .changed = has_changed,
    };
    return 0;
}

void hashing_destroy(struct work *work)
{
    free(work->jobs);
    *work = (struct work){ .jobs = NULL };
}

const struct hashing *hashing_job(const struct work *work, size_t i)
{
    return (const struct hashing *)work_job(work, i);
}
