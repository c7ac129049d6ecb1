/* SPDX-License-Identifier: MIT */
/* Locks between processes: what a pair of acquire and release costs alone; how many pairs two
 * processes get through that want the same lock, with and without private work between; and how
 * evenly they share it. The rival is pthread's mutex, shared between processes and robust, which is
 * to say one that tells of its holder's death, too. A plain number is counted up under the lock,
 * which must be right in the end. */
#include <hocket/process.h>
#include <hocket/shared.h>
#include <hocket/shared_lock.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "common.h"

#define WORK_NS 117

enum { PROCESSES = 2 };
enum { HOCKET, PTHREAD }; /* of `names` */

static const char *const names[] = { "hocket", "pthread_robust" };
enum { SYSTEMS = sizeof names / sizeof names[0] };

/* One repetition, in shared memory. What the processes write is on cache lines of their own. */
struct run {
    hkt_shared_lock lock __attribute__((aligned(128)));
    pthread_mutex_t mutex __attribute__((aligned(128)));
    uint64_t guarded __attribute__((aligned(128)));
    int ready __attribute__((aligned(128)));
    int go, stop;
    unsigned work;
    struct {
        uint64_t operations __attribute__((aligned(128)));
    } processes[PROCESSES];
};

struct place {
    struct run *run;
    int index, system;
};

static void init(struct run *run)
{
    pthread_mutexattr_t attributes;

    bench_check(pthread_mutexattr_init(&attributes), "pthread_mutexattr_init");
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    bench_check(pthread_mutex_init(&run->mutex, &attributes), "pthread_mutex_init");
    pthread_mutexattr_destroy(&attributes);
}

BENCH_INLINE bool stopped(const struct run *run)
{
    return __atomic_load_n(&run->stop, __ATOMIC_RELAXED);
}

BENCH_INLINE int hocket_acquire(struct run *run)
{
    return hkt_shared_lock_acquire(&run->lock);
}

BENCH_INLINE void hocket_release(struct run *run)
{
    hkt_shared_lock_release(&run->lock);
}

BENCH_INLINE int pthread_acquire(struct run *run)
{
    return pthread_mutex_lock(&run->mutex);
}

BENCH_INLINE void pthread_release(struct run *run)
{
    pthread_mutex_unlock(&run->mutex);
}

BENCH_INLINE uint64_t contend(struct run *run, int (*acquire)(struct run *),
                              void (*release)(struct run *))
{
    uint64_t operations = 0;

    while (!stopped(run)) {
        bench_check(acquire(run), "acquire");
        ++run->guarded;
        release(run);
        bench_work(run->work);
        operations++;
    }
    return operations;
}

BENCH_INLINE uint64_t alone(struct run *run, uint64_t pairs, int (*acquire)(struct run *),
                            void (*release)(struct run *))
{
    for (uint64_t i = 0; i < pairs; i++) {
        bench_check(acquire(run), "acquire");
        release(run);
    }
    return pairs;
}

/* Of the process: begins with the others. */
static int take_part(void *arg)
{
    struct place *place = arg;
    struct run *run = place->run;

    __atomic_fetch_add(&run->ready, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&run->go, __ATOMIC_SEQ_CST))
        sched_yield();
    run->processes[place->index].operations = place->system == HOCKET
                                                  ? contend(run, hocket_acquire, hocket_release)
                                                  : contend(run, pthread_acquire, pthread_release);
    return 0;
}

static void run_processes(struct run *run, int system, double seconds)
{
    hkt_process *processes[PROCESSES];
    int code = -1;

    for (int i = 0; i < PROCESSES; i++) {
        struct place place = { run, i, system };

        bench_check(hkt_process_spawn(&processes[i], take_part, HKT_ITEM(place), NULL),
                    "hkt_process_spawn");
    }
    while (__atomic_load_n(&run->ready, __ATOMIC_SEQ_CST) < PROCESSES)
        bench_pause(0.0001);
    __atomic_store_n(&run->go, 1, __ATOMIC_SEQ_CST);
    bench_pause(seconds);
    __atomic_store_n(&run->stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < PROCESSES; i++) {
        bench_check(hkt_process_join(processes[i]), "hkt_process_join");
        hkt_process_exit_code(processes[i], &code);
        hkt_process_destroy(processes[i]);
        if (code != 0)
            bench_fail("a process ended with %d", code);
    }
}

static struct run *begin(const struct bench_workload *workload)
{
    struct run *run = hkt_shared_alloc(sizeof *run);

    if (!run)
        bench_fail("no shared memory");
    init(run);
    run->work = bench_work_for(workload->work_ns);
    return run;
}

static void measure_alone(const struct bench_workload *workload, int s, double values[])
{
    struct run *run = begin(workload);
    uint64_t began = bench_ns(), operations = 0, spent;

    do {
        operations += s == HOCKET ? alone(run, 10000, hocket_acquire, hocket_release)
                                  : alone(run, 10000, pthread_acquire, pthread_release);
        spent = bench_ns() - began;
    } while ((double)spent < workload->seconds * 1e9);
    values[0] = (double)spent / (double)operations;
    hkt_shared_free(run);
}

static void measure_contended(const struct bench_workload *workload, int s, double values[])
{
    struct run *run = begin(workload);
    uint64_t one, other;

    run_processes(run, s, workload->seconds);
    one = run->processes[0].operations;
    other = run->processes[1].operations;
    if (run->guarded != one + other)
        bench_fail("%s: %s let two processes in at a time", workload->name, names[s]);
    values[0] = (double)(one + other) / workload->seconds / 1e6;
    values[1] = one < other ? (double)one / (double)other : (double)other / (double)one;
    hkt_shared_free(run);
}

#define RATE                                                                                       \
    {                                                                                              \
        "rate", "M/s", BENCH_MORE                                                                  \
    }
#define FAIRNESS                                                                                   \
    {                                                                                              \
        "slower/faster", "x", BENCH_NO_RATIO                                                       \
    }

static const struct bench_workload workloads[] = {
    { "shared-lock-alone", measure_alone, 0.1, 1, 0, { { "pair", "ns", BENCH_LESS } } },
    { "shared-lock-tight-2", measure_contended, 0.2, 2, 0, { RATE, FAIRNESS } },
    { "shared-lock-work-2", measure_contended, 0.2, 2, WORK_NS, { RATE, FAIRNESS } },
};

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "Locks between processes: alone, and contended by two.");
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        bench_measure(&workloads[i], names, SYSTEMS);
    return bench_end();
}
