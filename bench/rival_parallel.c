/* SPDX-License-Identifier: MIT */
/* The pool that everybody writes once, for bench_parallel: two threads sleep until there is a range,
 * each does half of it, who is the last one wakes the caller. */
#include "parallel_loops.h"

#include <pthread.h>

enum { WORKERS = 2 };

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t work, done;
    void (*body)(size_t begin, size_t end);
    size_t count;
    unsigned round; /* goes up with each range */
    int busy;
    bool stop;
    pthread_t threads[WORKERS];
} pool;
static const double *summands;
static double sum;

static void *run(void *arg)
{
    size_t index = (size_t)(uintptr_t)arg;
    unsigned seen = 0;

    pthread_mutex_lock(&pool.mutex);
    for (;;) {
        while (pool.round == seen && !pool.stop)
            pthread_cond_wait(&pool.work, &pool.mutex);
        if (pool.stop)
            break;
        seen = pool.round;
        pthread_mutex_unlock(&pool.mutex);
        pool.body(pool.count * index / WORKERS, pool.count * (index + 1) / WORKERS);
        pthread_mutex_lock(&pool.mutex);
        if (--pool.busy == 0)
            pthread_cond_signal(&pool.done);
    }
    pthread_mutex_unlock(&pool.mutex);
    return NULL;
}

static void share(void (*body)(size_t begin, size_t end), size_t count)
{
    pthread_mutex_lock(&pool.mutex);
    pool.body = body;
    pool.count = count;
    pool.busy = WORKERS;
    pool.round++;
    pthread_cond_broadcast(&pool.work);
    while (pool.busy > 0)
        pthread_cond_wait(&pool.done, &pool.mutex);
    pthread_mutex_unlock(&pool.mutex);
}

static void add(size_t begin, size_t end)
{
    double part = parallel_sum(summands, begin, end);

    pthread_mutex_lock(&pool.mutex);
    sum += part;
    pthread_mutex_unlock(&pool.mutex);
}

static void do_items(size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        parallel_item(i);
}

static void do_tiny_items(size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        parallel_tiny_item();
}

void parallel_pthread_begin(void)
{
    pthread_mutex_init(&pool.mutex, NULL);
    pthread_cond_init(&pool.work, NULL);
    pthread_cond_init(&pool.done, NULL);
    pool.round = 0;
    pool.stop = false;
    for (size_t i = 0; i < WORKERS; i++)
        bench_check(pthread_create(&pool.threads[i], NULL, run, (void *)i), "pthread_create");
}

double parallel_pthread_sum(const double *values, size_t count)
{
    summands = values;
    sum = 0;
    share(add, count);
    return sum;
}

void parallel_pthread_uneven(void)
{
    share(do_items, PARALLEL_UNEVEN);
}

void parallel_pthread_region(void)
{
    share(do_tiny_items, PARALLEL_REGION);
}

void parallel_pthread_end(void)
{
    pthread_mutex_lock(&pool.mutex);
    pool.stop = true;
    pthread_cond_broadcast(&pool.work);
    pthread_mutex_unlock(&pool.mutex);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(pool.threads[i], NULL);
    pthread_cond_destroy(&pool.done);
    pthread_cond_destroy(&pool.work);
    pthread_mutex_destroy(&pool.mutex);
}
