/* SPDX-License-Identifier: MIT */
/* What the jobs lead to, the files' names and sizes, is one block of memory that processes share.
 *
 * One job reads one file in parts of 64 KiB and hashes them. Under the giant lock, reading and
 * hashing are both done with it held, and at each part it is offered to those who wait. A file
 * that cannot be read is an outcome like another; the rest is read all the same. */
#include "hashing.h"

#include "progress.h"
#include "sha256.h"

#include <hocket/shared.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

static int setup(void *unused)
{
    (void)unused;
    return sha256_setup();
}

static uint64_t bytes_of(const struct job *job)
{
    return job->outcome.bytes;
}

static bool has_changed(const void *job)
{
    return file_has_changed(((const struct hashing *)job)->file);
}

/* A copy of the list's files and their names, to be freed in one; NULL without shared memory. */
static struct file *share(const struct file_list *list)
{
    size_t size = list->count * sizeof(struct file);

    for (size_t i = 0; i < list->count; i++)
        size += strlen(list->files[i].path) + 1;
    struct file *files = hkt_shared_alloc(size + 1);

    if (!files)
        return NULL;
    char *names = (char *)(files + list->count);

    for (size_t i = 0; i < list->count; i++) {
        size = strlen(list->files[i].path) + 1;
        files[i] = list->files[i];
        files[i].path = memcpy(names, list->files[i].path, size);
        names += size;
    }
    return files;
}

int hashing_create(struct work *work, const struct file_list *list, uint64_t bytes, bool shared)
{
    struct hashing *jobs = calloc(list->count + 1, sizeof *jobs);
    struct file *files = shared ? share(list) : list->files;

    if (!jobs || (!files && list->count > 0)) {
        free(jobs);
        return -ENOMEM;
    }
    for (size_t i = 0; i < list->count; i++)
        jobs[i].file = &files[i];
    *work = (struct work){
        .label = "hashing",
        .run = hash,
        .jobs = jobs,
        .count = list->count,
        .job_size = sizeof *jobs,
        .progress = bytes,
        .amount = (double)bytes,
        .setup = setup,
        .progress_of = bytes_of,
        .changed = has_changed,
        .shared = shared ? files : NULL,
    };
    return 0;
}

void hashing_destroy(struct work *work)
{
    hkt_shared_free(work->shared);
    free(work->jobs);
    *work = (struct work){ .jobs = NULL };
}

const struct hashing *hashing_job(const struct work *work, size_t i)
{
    return (const struct hashing *)work_job(work, i);
}
