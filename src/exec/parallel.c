/* SPDX-License-Identifier: MIT */
/* Parallel algorithms, all of them made of fork and join.
 *
 * A call has a record on its caller's stack, which all parts see: the first failure, and whether to
 * stop. Parts that have not begun look at it and return. A range is worked on from its beginning, a
 * part at a time; before each part, the rest is halved and forked if somebody is hungry, or if it is
 * still among the first halvings, so that there is something to be taken at the start.
 *
 * Who may touch what: err and sentence by who sets `stop` from 0, then read when all is joined. */
#include <errno.h>
#include <hocket/parallel.h>
#include <hocket/scope.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "exec/executor.h"
#include "exec/forks.h"

/* Leaves for each worker, at the most: so the last one to end has little to do. */
#define LEAVES 64
/* While nobody is hungry parts grow, up to this share of the rest: who becomes hungry meanwhile waits
 * no longer than for that. */
#define UNDISTURBED 8
/* Parts of a reduction whose grain is not given. */
#define PARTS 1024

struct run {
    uint32_t stop;
    int err;
    char sentence[HKT_SENTENCE_MAX];
};

/* A part failed: the first one counts. */
static int stop(struct run *run, int err)
{
    if (hkti_cas_acq_rel(&run->stop, 0, 1)) { /* pairs: parallel-stop */
        run->err = err;
        snprintf(run->sentence, sizeof run->sentence, "%s", hkt_sentence(err));
    }
    return err;
}

/* 0, or why not to begin another part. */
static int look(struct run *run)
{
    if (hkti_load_relaxed(&run->stop))
        return -ECANCELED;
    int err = hkti_self()->scope ? hkt_checkpoint() : 0;
    return err < 0 ? stop(run, err) : 0;
}

/* All parts have been joined, or (err) could not be begun. */
static int end(struct run *run, int err)
{
    if (!hkti_load_acquire(&run->stop)) /* pairs: parallel-stop */
        return err == -ENOMEM ? err : 0;
    return hkt_fail(run->err, "%s", run->sentence);
}

/* Ranges. */

struct range_run {
    struct run run; /* first */
    hkt_range_job *job;
    void *context;
    size_t leaf;
};

struct range {
    struct range_run *all;
    size_t begin, end;
    unsigned halvings; /* still to be made, hungry or not */
};

static int run_range(void *arg)
{
    struct range *range = arg;
    struct range_run *all = range->all;
    struct hkti_strand *self = hkti_self();
    size_t part = all->leaf;
    while (range->begin < range->end) {
        size_t rest = range->end - range->begin;
        int err = look(&all->run);
        if (err < 0)
            return err;
        if (rest > all->leaf && (range->halvings || hkti_forks_hungry(self))) {
            range->halvings -= range->halvings > 0;
            struct range right = *range;
            right.begin = range->end = range->begin + rest / 2;
            hkt_fork(run_range, &right);
            run_range(range);
            hkt_join();
            return 0;
        }
        size_t count = part < rest / UNDISTURBED ? part : rest / UNDISTURBED;
        count = count > all->leaf ? count : rest < all->leaf ? rest : all->leaf;
        err = all->job(all->context, range->begin, range->begin + count);
        if (err < 0)
            return stop(&all->run, err);
        range->begin += count;
        part *= 2;
    }
    return 0;
}

static unsigned halvings_for(unsigned workers)
{
    unsigned halvings = 0;
    while (workers > 1) {
        workers /= 2;
        halvings++;
    }
    return halvings;
}

int hkt_parallel_for_grain(hkt_executor *pool, size_t begin, size_t stop_at, size_t grain,
                           hkt_range_job *job, void *context)
{
    if (job == NULL)
        return -EINVAL;
    unsigned workers = hkti_forks_workers(pool);
    size_t count = stop_at > begin ? stop_at - begin : 0;
    size_t leaf = count / ((size_t)workers * LEAVES) + 1;
    struct range_run all = { .job = job, .context = context, .leaf = leaf > grain ? leaf : grain };
    struct range range = { &all, begin, begin + count, halvings_for(workers) };
    return end(&all.run, hkti_forks_within(pool, run_range, &range));
}

int hkt_parallel_for(hkt_executor *pool, size_t begin, size_t stop_at, hkt_range_job *job,
                     void *context)
{
    return hkt_parallel_for_grain(pool, begin, stop_at, 0, job, context);
}

/* Items of an array: a range of places. */

struct items {
    hkt_job *job;
    char *first;
    size_t size;
};

static int run_items(void *context, size_t begin, size_t stop_at)
{
    struct items *items = context;
    for (size_t i = begin; i < stop_at; i++) {
        int err = items->job(items->first + i * items->size);
        if (err < 0)
            return err;
    }
    return 0;
}

int hkt_parallel_for_each(hkt_executor *pool, hkt_job *job, void *items, size_t count, size_t size)
{
    struct items all = { job, items, size };
    if (job == NULL)
        return -EINVAL;
    return hkt_parallel_for(pool, 0, count, run_items, &all);
}

static int invoke(void *context, size_t begin, size_t stop_at)
{
    const hkt_invocation *invocations = context;
    int err = 0;
    for (size_t i = begin; i < stop_at && err >= 0; i++)
        err = invocations[i].job(invocations[i].arg);
    return err;
}

/* Each is forked by itself, the last one is run here. */
static int run_invocations(void *arg)
{
    struct range *range = arg;
    struct range_run *all = range->all;
    if (range->end - range->begin == 1) {
        int err = look(&all->run);
        if (err == 0)
            err = invoke(all->context, range->begin, range->end);
        return err < 0 ? stop(&all->run, err) : 0;
    }
    struct range left = *range, right = *range;
    left.end = right.begin = range->begin + (range->end - range->begin) / 2;
    hkt_fork(run_invocations, &right);
    run_invocations(&left);
    hkt_join();
    return 0;
}

int hkt_parallel_invoke(hkt_executor *pool, const hkt_invocation *invocations, size_t count)
{
    if (count == 0)
        return 0;
    struct range_run all = { .context = (void *)(uintptr_t)invocations };
    struct range range = { &all, 0, count, 0 };
    return end(&all.run, hkti_forks_within(pool, run_invocations, &range));
}

/* Reductions: a tree over the parts, halved by their count alone; each node has a value of its own,
 * from one block, at the place of its first part. */

struct reduce_run {
    struct run run; /* first */
    const hkt_reduce_options *options;
    size_t begin, end, grain;
    char *values;
};

struct parts {
    struct reduce_run *all;
    size_t first, count;
};

static char *value_of(const struct reduce_run *all, size_t part)
{
    return all->values + part * all->options->value_size;
}

static int fold_part(struct reduce_run *all, size_t part)
{
    const hkt_reduce_options *options = all->options;
    size_t begin = all->begin + part * all->grain;
    size_t stop_at = all->end - begin < all->grain ? all->end : begin + all->grain;
    if (options->identity)
        memcpy(value_of(all, part), options->identity, options->value_size);
    int err = look(&all->run);
    if (err < 0)
        return err;
    err = options->fold(options->context, begin, stop_at, value_of(all, part));
    return err < 0 ? stop(&all->run, err) : 0;
}

static int run_parts(void *arg)
{
    struct parts *parts = arg;
    struct reduce_run *all = parts->all;
    if (parts->count == 1)
        return fold_part(all, parts->first);
    struct parts left = { all, parts->first, parts->count / 2 };
    struct parts right = { all, parts->first + left.count, parts->count - left.count };
    hkt_fork(run_parts, &right);
    run_parts(&left);
    hkt_join();
    if (!hkti_load_relaxed(&all->run.stop))
        all->options->combine(all->options->context, value_of(all, left.first),
                              value_of(all, right.first));
    return 0;
}

int hkt_reduce(hkt_executor *pool, size_t begin, size_t stop_at, void *value,
               const hkt_reduce_options *options)
{
    if (options == NULL || options->fold == NULL || options->combine == NULL)
        return -EINVAL;
    size_t count = stop_at > begin ? stop_at - begin : 0;
    size_t grain = options->grain ? options->grain : count ? (count - 1) / PARTS + 1 : 1;
    size_t parts = count ? (count - 1) / grain + 1 : 0;
    size_t size;
    if (__builtin_mul_overflow(parts ? parts : 1, options->value_size, &size))
        return -ENOMEM;
    struct reduce_run all = { .options = options, .begin = begin, .end = stop_at, .grain = grain };
    all.values = hkti_allocate(size);
    if (all.values == NULL)
        return -ENOMEM;
    struct parts root = { &all, 0, parts };
    int err = 0;
    if (parts)
        err = hkti_forks_within(pool, run_parts, &root);
    else if (options->identity)
        memcpy(all.values, options->identity, options->value_size);
    err = end(&all.run, err);
    if (err == 0)
        memcpy(value, all.values, options->value_size);
    hkti_release(all.values, size);
    return err;
}
