/* SPDX-License-Identifier: MIT */
/* base/timers.h beside what is usually written, a binary heap of pointers: a million timers that are
 * all cancelled, as most are; a million that all run out, in several ways; few of them, again and
 * again. bench/README.md tells how to read it. What comes out is checked to be in order. */
#include <stdlib.h>
#include <string.h>

#include "base/timers.h"
#include "common.h"

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)

enum { MOST = 1000000, FEW = 10, STANDING = 10000, TURNS = 1000 };

#define BEGAN (1000 * SECOND) /* what the clock says */

/* A rival: it must know each one's place, to be able to take it out. */
struct entry {
    int64_t deadline;
    uint64_t order;
    size_t place; /* from 1 on */
};

static struct hkti_timers timers;
static struct hkti_timer *ours;
static struct entry *theirs, **heap;
static size_t heap_used;
static uint64_t heap_orders;
static int64_t *deadlines; /* made before it is measured */
static int *order;

static bool heap_earlier(const struct entry *a, const struct entry *b)
{
    return a->deadline != b->deadline ? a->deadline < b->deadline : a->order < b->order;
}

static void heap_put(struct entry *entry, size_t place)
{
    heap[place] = entry;
    entry->place = place;
}

static void heap_settle(struct entry *entry, size_t place)
{
    for (; place > 1 && heap_earlier(entry, heap[place / 2]); place /= 2)
        heap_put(heap[place / 2], place);
    for (size_t child; (child = place * 2) <= heap_used; place = child) {
        if (child < heap_used && heap_earlier(heap[child + 1], heap[child]))
            child++;
        if (!heap_earlier(heap[child], entry))
            break;
        heap_put(heap[child], place);
    }
    heap_put(entry, place);
}

/* The systems: by the number of a timer. */

BENCH_INLINE void add(int system, int i, int64_t deadline)
{
    if (system == 0) {
        hkti_timers_add(&timers, &ours[i], deadline);
        return;
    }
    theirs[i].deadline = deadline;
    theirs[i].order = ++heap_orders;
    heap_used++;
    heap_settle(&theirs[i], heap_used);
}

BENCH_INLINE void cancel(int system, int i)
{
    if (system == 0) {
        hkti_timers_remove(&timers, &ours[i]);
        return;
    }
    struct entry *last = heap[heap_used--];
    if (last != &theirs[i])
        heap_settle(last, theirs[i].place);
}

BENCH_INLINE int64_t first(int system)
{
    if (system == 0)
        return hkti_timers_first(&timers);
    return heap_used ? heap[1]->deadline : 0;
}

/* The number of the one that is due, -1 if none is; and its deadline. */
BENCH_INLINE int pop(int system, int64_t now, int64_t *deadline)
{
    if (system == 0) {
        struct hkti_timer *timer = hkti_timers_pop(&timers, now);
        if (!timer)
            return -1;
        *deadline = timer->deadline;
        return (int)(timer - ours);
    }
    if (heap_used == 0 || heap[1]->deadline > now)
        return -1;
    int i = (int)(heap[1] - theirs);
    *deadline = heap[1]->deadline;
    cancel(1, i);
    return i;
}

static uint64_t chance(void)
{
    static uint64_t state = 1;

    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 20;
}

static void begin(int n, int64_t within, bool rising)
{
    memset(&timers, 0, sizeof timers);
    heap_used = 0;
    for (int i = 0; i < n; i++) {
        uint64_t after = rising ? (uint64_t)within / (uint64_t)n * (uint64_t)i
                                : chance() % (uint64_t)within;
        deadlines[i] = BEGAN + 1 + (int64_t)after;
    }
    for (int i = 0; i < n; i++) {
        int other = (int)(chance() % (uint64_t)(i + 1));
        order[i] = order[other];
        order[other] = i;
    }
    memset(ours, 0, (size_t)n * sizeof *ours);
    memset(theirs, 0, (size_t)n * sizeof *theirs);
}

static int how_many(const struct bench_workload *workload)
{
    return workload->seconds < 0.1 ? MOST / 100 : MOST;
}

BENCH_INLINE double cancel_all(int system, int n)
{
    uint64_t start = bench_ns();

    for (int i = 0; i < n; i++)
        add(system, i, deadlines[i]);
    for (int i = 0; i < n; i++)
        cancel(system, order[i]);
    return (double)(bench_ns() - start) / n;
}

static void measure_cancel(const struct bench_workload *workload, int system, double values[])
{
    int n = how_many(workload);

    begin(n, 60 * SECOND, false);
    values[0] = system == 0 ? cancel_all(0, n) : cancel_all(1, n);
    if (first(system) != 0)
        bench_fail("%s: something is left", workload->name);
}

/* The clock goes on by a millisecond at a time. */
BENCH_INLINE double run_out(int system, int n)
{
    int64_t now = BEGAN, deadline = 0, last = 0;
    int left = n;
    uint64_t start = bench_ns();

    for (int i = 0; i < n; i++)
        add(system, i, deadlines[i]);
    while (left > 0) {
        now += MS;
        while (pop(system, now, &deadline) >= 0) {
            if (deadline < last || deadline <= now - MS)
                bench_fail("out of order");
            last = deadline;
            left--;
        }
    }
    return (double)(bench_ns() - start) / n;
}

static void measure_run_out(const struct bench_workload *workload, int system, double values[])
{
    int n = how_many(workload);

    begin(n, strstr(workload->name, "slot") ? MS / 2 : SECOND, strstr(workload->name, "rising"));
    values[0] = system == 0 ? run_out(0, n) : run_out(1, n);
}

BENCH_INLINE uint64_t few(int system)
{
    static int64_t now = BEGAN, deadline;

    for (int turn = 0; turn < TURNS; turn++, now += 1000) {
        if (pop(system, now, &deadline) >= 0)
            bench_fail("one was forgotten");
        for (int i = 0; i < FEW; i++)
            add(system, i, now + deadlines[i] - BEGAN);
        for (int i = 0; i < FEW; i++)
            cancel(system, i);
    }
    return (uint64_t)TURNS * FEW;
}

/* As a loop of events has them: each that runs out is set again. */
BENCH_INLINE uint64_t stand(int system)
{
    static int at;

    for (int turn = 0; turn < TURNS; turn++) {
        int64_t now = first(system), deadline = 0;
        int i = pop(system, now, &deadline);
        if (i < 0 || deadline != now)
            bench_fail("the first was another one");
        add(system, i, now + deadlines[at] - BEGAN);
        at = at + 1 < STANDING ? at + 1 : 0;
    }
    return TURNS;
}

static void measure_turns(const struct bench_workload *workload, int system, double values[])
{
    bool standing = strstr(workload->name, "standing");
    uint64_t count = 0, now;

    begin(STANDING, 10 * SECOND, false);
    for (int i = 0; i < STANDING && standing; i++)
        add(system, i, deadlines[i]);
    uint64_t start = bench_ns(), end = start + (uint64_t)(workload->seconds * 1e9);
    do {
        if (standing)
            count += system == 0 ? stand(0) : stand(1);
        else
            count += system == 0 ? few(0) : few(1);
        now = bench_ns();
    } while (now < end);
    values[0] = (double)(now - start) / (double)count;
}

int main(int argc, char **argv)
{
    static const struct bench_workload workloads[] = {
        { "timers-cancel-1M", measure_cancel, 0.1, 1, 0, { { "set+cancel", "ns", BENCH_LESS } } },
        { "timers-second-1M", measure_run_out, 0.1, 1, 0, { { "set+pop", "ns", BENCH_LESS } } },
        { "timers-rising-1M", measure_run_out, 0.1, 1, 0, { { "set+pop", "ns", BENCH_LESS } } },
        { "timers-slot-1M", measure_run_out, 0.1, 1, 0, { { "set+pop", "ns", BENCH_LESS } } },
        { "timers-few", measure_turns, 0.1, 1, 0, { { "set+cancel", "ns", BENCH_LESS } } },
        { "timers-standing-10k", measure_turns, 0.1, 1, 0, { { "set+pop", "ns", BENCH_LESS } } },
    };
    static const char *const names[] = { "hocket", "binary_heap" };

    bench_begin(argc, argv, "Timers: set, cancelled, run out.");
    ours = calloc(MOST, sizeof *ours);
    theirs = calloc(MOST, sizeof *theirs);
    heap = calloc(MOST + 1, sizeof *heap);
    deadlines = calloc(MOST, sizeof *deadlines);
    order = calloc(MOST, sizeof *order);
    if (!ours || !theirs || !heap || !deadlines || !order)
        bench_fail("no memory");
    memset(heap, 1, (MOST + 1) * sizeof *heap);
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        bench_measure(&workloads[i], names, 2);
    free(order);
    free(deadlines);
    free(heap);
    free(theirs);
    free(ours);
    return bench_end();
}
