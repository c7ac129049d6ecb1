/* SPDX-License-Identifier: MIT */
/* Rivals of bench_queue in C: the ring that everybody writes once, with a mutex and two conditions,
 * and GLib's queue, which has no bound. */
#include "queue_loops.h"

#include <pthread.h>
#include <stdlib.h>
#ifdef HAVE_GLIB
#include <glib.h>
#endif

struct ring {
    pthread_mutex_t mutex;
    pthread_cond_t item, room;
    size_t first, count;
    uint64_t items[QUEUE_CAPACITY];
};

static void *ring_create(void)
{
    struct ring *ring = bench_alone(sizeof *ring);

    bench_check(pthread_mutex_init(&ring->mutex, NULL), "pthread_mutex_init");
    bench_check(pthread_cond_init(&ring->item, NULL), "pthread_cond_init");
    bench_check(pthread_cond_init(&ring->room, NULL), "pthread_cond_init");
    return ring;
}

static void ring_destroy(void *queue)
{
    struct ring *ring = queue;

    pthread_cond_destroy(&ring->room);
    pthread_cond_destroy(&ring->item);
    pthread_mutex_destroy(&ring->mutex);
    free(ring);
}

static void ring_put(void *queue, uint64_t item)
{
    struct ring *ring = queue;

    pthread_mutex_lock(&ring->mutex);
    while (ring->count == QUEUE_CAPACITY)
        pthread_cond_wait(&ring->room, &ring->mutex);
    ring->items[(ring->first + ring->count++) % QUEUE_CAPACITY] = item;
    pthread_cond_signal(&ring->item);
    pthread_mutex_unlock(&ring->mutex);
}

static uint64_t ring_get(void *queue)
{
    struct ring *ring = queue;
    uint64_t item;

    pthread_mutex_lock(&ring->mutex);
    while (ring->count == 0)
        pthread_cond_wait(&ring->item, &ring->mutex);
    item = ring->items[ring->first];
    ring->first = (ring->first + 1) % QUEUE_CAPACITY;
    ring->count--;
    pthread_cond_signal(&ring->room);
    pthread_mutex_unlock(&ring->mutex);
    return item;
}

QUEUE_SYSTEM(queue_ring, "mutex+2conds", ring_create, ring_destroy, ring_put, ring_get)

#ifdef HAVE_GLIB
static void *glib_create(void)
{
    return g_async_queue_new();
}

static void glib_destroy(void *queue)
{
    g_async_queue_unref(queue);
}

static void glib_put(void *queue, uint64_t item)
{
    g_async_queue_push(queue, (void *)(uintptr_t)item);
}

static uint64_t glib_get(void *queue)
{
    uintptr_t item = (uintptr_t)g_async_queue_pop(queue);

    return item == UINTPTR_MAX ? QUEUE_END : item;
}

QUEUE_SYSTEM(queue_glib, "GAsyncQueue(unbounded)", glib_create, glib_destroy, glib_put, glib_get)
#endif
