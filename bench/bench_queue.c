/* SPDX-License-Identifier: MIT */
/* Queues with room for 1024 items of 8 bytes: what it costs to put an item and take it out in one
 * thread, and how many items a second go from producers to consumers. All items must arrive: their
 * number and sum are compared. */
#include "queue_loops.h"

#include <hocket/queue.h>

static void *hocket_create(void)
{
    hkt_queue *queue = NULL;

    bench_check(hkt_queue_create(&queue, sizeof(uint64_t),
                                 &(hkt_queue_options){ .maxsize = QUEUE_CAPACITY }),
                "hkt_queue_create");
    return queue;
}

static void hocket_destroy(void *queue)
{
    hkt_queue_destroy(queue);
}

static void hocket_put(void *queue, uint64_t item)
{
    int err = hkt_queue_put(queue, &item);

    if (err < 0)
        bench_check(err, "hkt_queue_put");
}

static uint64_t hocket_get(void *queue)
{
    uint64_t item = 0;
    int err = hkt_queue_get(queue, &item);

    if (err < 0)
        bench_check(err, "hkt_queue_get");
    return item;
}

QUEUE_SYSTEM(queue_hocket, "hocket", hocket_create, hocket_destroy, hocket_put, hocket_get)

static const struct queue_system *const systems[] = {
    &queue_hocket,
    &queue_ring,
#ifdef HAVE_TBB
    &queue_tbb,
#endif
#ifdef HAVE_GLIB
    &queue_glib,
#endif
};
enum { SYSTEMS = sizeof systems / sizeof systems[0] };

static void measure_alone(const struct bench_workload *workload, int s, double values[])
{
    struct queue_run run = { .queue = systems[s]->create() };
    double seconds = bench_team(1, workload->seconds, systems[s]->alone, &run);
    uint64_t items = run.threads[0].items;

    if (run.threads[0].sum != items * (items + 1) / 2)
        bench_fail("%s: %s changed items", workload->name, systems[s]->name);
    systems[s]->destroy(run.queue);
    values[0] = seconds * 1e9 / (double)items;
}

static void measure_passing(const struct bench_workload *workload, int s, double values[])
{
    int half = workload->threads / 2;
    struct queue_run run = { .queue = systems[s]->create(), .producers = half, .consumers = half };
    double seconds = bench_team(workload->threads, workload->seconds, systems[s]->pass, &run);
    uint64_t items = 0, missing = 0, difference = 0;

    for (int i = 0; i < half; i++) {
        items += run.threads[half + i].items;
        missing += run.threads[i].items - run.threads[half + i].items;
        difference += run.threads[i].sum - run.threads[half + i].sum;
    }
    if (missing != 0 || difference != 0)
        bench_fail("%s: %s lost or changed items", workload->name, systems[s]->name);
    systems[s]->destroy(run.queue);
    values[0] = (double)items / seconds / 1e6;
}

static const struct bench_workload workloads[] = {
    { "queue-alone", measure_alone, 0.1, 1, 0, { { "put+get", "ns", BENCH_LESS } } },
    { "queue-1-to-1", measure_passing, 0.2, 2, 0, { { "items", "M/s", BENCH_MORE } } },
    { "queue-2-to-2", measure_passing, 0.2, 4, 0, { { "items", "M/s", BENCH_MORE } } },
};

int main(int argc, char **argv)
{
    const char *names[SYSTEMS];

    bench_begin(argc, argv,
                "Queues of 8-byte items with room for 1024: in one thread, 1 to 1, 2 to 2.");
    for (int i = 0; i < SYSTEMS; i++)
        names[i] = systems[i]->name;
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        bench_measure(&workloads[i], names, SYSTEMS);
    return bench_end();
}
