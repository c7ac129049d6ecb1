/* SPDX-License-Identifier: MIT */
/* Rivals of bench_submit in C: libuv's queue of work and GLib's pool, which have no futures (all are
 * counted down instead), and the pool with futures that everybody writes once. */
#include "submit_jobs.h"

#include <pthread.h>
#include <stdlib.h>
#ifdef HAVE_UV
#include <uv.h>
#endif
#ifdef HAVE_GLIB
#include <glib.h>
#endif

/* A job and its future, in a list that a mutex guards. */
struct future {
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool done;
    void (*run)(void);
    struct future *next;
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t work;
    struct future *first, **end;
    bool stop;
    pthread_t threads[SUBMIT_WORKERS];
} naive;

static void *naive_worker(void *arg)
{
    pthread_mutex_lock(&naive.mutex);
    for (;;) {
        struct future *future = naive.first;
        if (future == NULL && naive.stop)
            break;
        if (future == NULL) {
            pthread_cond_wait(&naive.work, &naive.mutex);
            continue;
        }
        naive.first = future->next;
        if (naive.first == NULL)
            naive.end = &naive.first;
        pthread_mutex_unlock(&naive.mutex);
        future->run();
        pthread_mutex_lock(&future->mutex);
        future->done = true;
        pthread_cond_signal(&future->ended);
        pthread_mutex_unlock(&future->mutex);
        pthread_mutex_lock(&naive.mutex);
    }
    pthread_mutex_unlock(&naive.mutex);
    return arg;
}

static void naive_begin(void)
{
    pthread_mutex_init(&naive.mutex, NULL);
    pthread_cond_init(&naive.work, NULL);
    naive.end = &naive.first;
    naive.stop = false;
    for (int i = 0; i < SUBMIT_WORKERS; i++)
        bench_check(pthread_create(&naive.threads[i], NULL, naive_worker, NULL), "pthread_create");
}

static void naive_end(void)
{
    pthread_mutex_lock(&naive.mutex);
    naive.stop = true;
    pthread_cond_broadcast(&naive.work);
    pthread_mutex_unlock(&naive.mutex);
    for (int i = 0; i < SUBMIT_WORKERS; i++)
        pthread_join(naive.threads[i], NULL);
    pthread_cond_destroy(&naive.work);
    pthread_mutex_destroy(&naive.mutex);
}

static struct future *naive_submit(void (*run)(void))
{
    struct future *future = malloc(sizeof *future);

    *future = (struct future){ .run = run };
    pthread_mutex_init(&future->mutex, NULL);
    pthread_cond_init(&future->ended, NULL);
    pthread_mutex_lock(&naive.mutex);
    *naive.end = future;
    naive.end = &future->next;
    pthread_cond_signal(&naive.work);
    pthread_mutex_unlock(&naive.mutex);
    return future;
}

static void naive_finish(struct future *future)
{
    pthread_mutex_lock(&future->mutex);
    while (!future->done)
        pthread_cond_wait(&future->ended, &future->mutex);
    pthread_mutex_unlock(&future->mutex);
    pthread_cond_destroy(&future->ended);
    pthread_mutex_destroy(&future->mutex);
    free(future);
}

static void naive_many(size_t n)
{
    struct future **futures = malloc(n * sizeof(struct future *));

    for (size_t i = 0; i < n; i++)
        futures[i] = naive_submit(submit_count);
    for (size_t i = 0; i < n; i++)
        naive_finish(futures[i]);
    free(futures);
}

static void naive_one(void)
{
    naive_finish(naive_submit(submit_count));
}

const struct submit_system submit_pthread = { "pthread-pool", naive_begin, naive_end, naive_many,
                                              naive_one };

#ifdef HAVE_UV
static uv_loop_t loop;

static void uv_begin(void)
{
    bench_check(uv_loop_init(&loop), "uv_loop_init");
}

static void uv_end(void)
{
    bench_check(uv_loop_close(&loop), "uv_loop_close");
}

static void uv_job(uv_work_t *work)
{
    (void)work;
    submit_count();
}

static void uv_many(size_t n)
{
    uv_work_t *works = malloc(n * sizeof *works);

    for (size_t i = 0; i < n; i++)
        bench_check(uv_queue_work(&loop, &works[i], uv_job, NULL), "uv_queue_work");
    uv_run(&loop, UV_RUN_DEFAULT);
    free(works);
}

static void uv_one(void)
{
    uv_work_t work;

    bench_check(uv_queue_work(&loop, &work, uv_job, NULL), "uv_queue_work");
    uv_run(&loop, UV_RUN_DEFAULT);
}

const struct submit_system submit_libuv = { "libuv(nofuture)", uv_begin, uv_end, uv_many, uv_one };
#endif

#ifdef HAVE_GLIB
static GThreadPool *glib_pool;
static GMutex glib_mutex;
static GCond glib_ended;
static gint glib_left;

static void glib_job(gpointer data, gpointer user_data)
{
    (void)data;
    (void)user_data;
    submit_count();
    if (g_atomic_int_dec_and_test(&glib_left)) {
        g_mutex_lock(&glib_mutex);
        g_cond_signal(&glib_ended);
        g_mutex_unlock(&glib_mutex);
    }
}

static void glib_begin(void)
{
    glib_pool = g_thread_pool_new(glib_job, NULL, SUBMIT_WORKERS, TRUE, NULL);
}

static void glib_end(void)
{
    g_thread_pool_free(glib_pool, FALSE, TRUE);
}

static void glib_many(size_t n)
{
    g_atomic_int_set(&glib_left, (gint)n);
    for (size_t i = 0; i < n; i++)
        g_thread_pool_push(glib_pool, &glib_left, NULL);
    g_mutex_lock(&glib_mutex);
    while (g_atomic_int_get(&glib_left) > 0)
        g_cond_wait(&glib_ended, &glib_mutex);
    g_mutex_unlock(&glib_mutex);
}

static void glib_one(void)
{
    glib_many(1);
}

const struct submit_system submit_glib = { "GThreadPool(nofuture)", glib_begin, glib_end, glib_many,
                                           glib_one };
#endif
