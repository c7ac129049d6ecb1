/* SPDX-License-Identifier: MIT */
/* Map: a job for each item of an array, each with a future of its own, on any engine.
 *
 * The call ends by itself, by the first failure in time, or by the caller's cancel: who brings that
 * about sets `stop`, once, and then cancels all futures that are there. Who submits looks at `stop`
 * after it has written a future down; who cancels sets `stop`, then reads the futures; sequentially
 * consistent, so each future is cancelled by one of the two. Items that begin later look at `stop`
 * themselves. The caller awaits all of them in any case; the last failing job's own future ends after
 * its cancelling, so the futures are there as long as somebody cancels.
 *
 * Who may touch what: err, failed by who set `stop`, read when all have ended; future of an item by
 * the caller, read by who cancels. */
#include <errno.h>

#include "base/memory.h"
#include "exec/executor.h"

struct map;

struct item {
    struct map *map;
    hkt_future *future; /* atomic */
};

struct map {
    hkt_job *job;
    char *first;
    size_t size, count;
    bool keep_going;
    uint32_t stop;
    int err;
    size_t failed;
    struct item items[];
};

/* The map ends with this, unless something else was before. */
static void stop(struct map *map, int err, size_t failed)
{
    if (!hkti_cas_seq_cst(&map->stop, 0, 1)) /* pairs: map-stop */
        return;
    map->err = err;
    map->failed = failed;
    for (size_t i = 0; i < map->count; i++) {
        hkt_future *future = hkti_load_seq_cst(&map->items[i].future); /* pairs: map-stop */
        if (future && i != failed)
            hkt_future_request_cancel(future);
    }
}

static int run_item(void *arg)
{
    struct item *item = arg;
    struct map *map = item->map;
    size_t index = (size_t)(item - map->items);
    if (hkti_load_relaxed(&map->stop))
        return -ECANCELED;
    int code = map->job(map->first + index * map->size);
    if (code < 0 && !map->keep_going)
        stop(map, code, index);
    return code;
}

/* Hands in all, or as many as can be. */
static void submit(struct map *map, hkt_executor *executor, const hkt_submit_options *options)
{
    for (size_t i = 0; i < map->count && !hkti_load_relaxed(&map->stop); i++) {
        struct item *item = &map->items[i];
        hkt_future *future;
        item->map = map;
        int err = hkt_submit_with(executor, &future, run_item, item, options);
        if (err < 0) {
            stop(map, err, i);
            return;
        }
        hkti_store_seq_cst(&item->future, future); /* pairs: map-stop */
        if (hkti_load_seq_cst(&map->stop))         /* pairs: map-stop */
            hkt_future_request_cancel(future);
    }
}

static int code_of(hkt_future *future)
{
    return future ? hkti_future_code(future) : -ECANCELED;
}

static void tell(const struct map *map, size_t index, const hkt_map_options *options)
{
    hkt_future *future = map->items[index].future;
    int code = code_of(future);
    if (code < 0 && future)
        hkti_future_adopt_sentence(future);
    options->done(options->context, index, code);
}

static void await_item(struct map *map, size_t index)
{
    hkt_future *future = hkti_load_relaxed(&map->items[index].future);
    if (future == NULL || hkt_future_done(future))
        return;
    int err = hkti_future_await(future, 0, true);
    if (err < 0 && !hkt_future_done(future)) {
        stop(map, err, map->count);
        hkti_future_await_end(future);
    }
}

/* Who is in no job himself begins with the last one: when that has ended, so have most, and he is woken
 * once for all of them. A job has them begun in order. */
static void await(struct map *map, const hkt_map_options *options)
{
    bool backwards = hkti_self()->run == NULL && !(options && options->done);
    for (size_t i = 0; i < map->count; i++) {
        await_item(map, backwards ? map->count - 1 - i : i);
        if (options && options->done)
            tell(map, i, options);
    }
}

/* All have ended: writes down what became of each, and finds the failure to return. */
static int collect(struct map *map, const hkt_map_options *options)
{
    bool stopped = hkti_load_acquire(&map->stop); /* pairs: map-stop */
    int result = stopped ? map->err : 0;
    size_t failed = map->failed;
    for (size_t i = 0; i < map->count; i++) {
        hkt_future *future = map->items[i].future;
        int code = code_of(future);
        if (code < 0 && result == 0) {
            result = code;
            failed = i;
        }
        if (options && options->codes)
            options->codes[i] = code;
    }
    if (result < 0 && failed < map->count) {
        if (map->items[failed].future)
            hkti_future_adopt_sentence(map->items[failed].future);
        if (options && options->failed)
            *options->failed = failed;
    }
    return result;
}

int hkt_map_with(hkt_executor *executor, hkt_job *job, void *items, size_t count, size_t size,
                 const hkt_map_options *options)
{
    int err = hkti_cancelled(0);
    size_t bytes;
    for (size_t i = 0; options && options->codes && i < count; i++)
        options->codes[i] = -ECANCELED;
    if (options && options->failed)
        *options->failed = count;
    if (err < 0)
        return err;
    if (job == NULL)
        return -EINVAL;
    if (__builtin_mul_overflow(count, sizeof(struct item), &bytes) ||
        __builtin_add_overflow(bytes, sizeof(struct map), &bytes))
        return -ENOMEM;
    if (executor == NULL && (executor = hkt_default_executor()) == NULL)
        return -ENOMEM;
    if (executor->ops->remote)
        return executor->ops->remote->map(executor, job, items, count, size, options);
    struct map *map = hkti_allocate(bytes);
    if (map == NULL)
        return -ENOMEM;
    hkt_submit_options submit_options = {
        .priority = options ? options->priority : 0,
        .no_foreign_work = options && options->no_foreign_work,
    };
    map->job = job;
    map->first = items;
    map->size = size;
    map->count = count;
    map->keep_going = options && options->keep_going;
    submit(map, executor, &submit_options);
    await(map, options);
    err = collect(map, options);
    for (size_t i = 0; i < count; i++)
        hkt_future_destroy(map->items[i].future);
    hkti_release(map, bytes);
    return err;
}

int hkt_map(hkt_executor *executor, hkt_job *job, void *items, size_t count, size_t size)
{
    return hkt_map_with(executor, job, items, count, size, NULL);
}
