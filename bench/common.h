/* SPDX-License-Identifier: MIT */
/* What all benchmarks share. A benchmark is a list of workloads, each measured on a list of systems
 * (hocket and its rivals):
 *
 *     static void measure(const struct bench_workload *workload, int system, double values[]);
 *
 *     int main(int argc, char **argv)
 *     {
 *         bench_begin(argc, argv, "what it measures");
 *         bench_measure(&workload, systems, HOW_MANY);
 *         return bench_end();
 *     }
 *
 * Systems take turns, repetition by repetition, so that all of them meet the machine in the same
 * moods. Printed is one line a figure, `workload system metric value unit`, the median of all
 * repetitions; and for metrics that ask for it `workload hocket/RIVAL ratio value x`: how many times
 * as good hocket is, the median of the ratios of neighbours in time. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As every measured loop: the functions it calls are known when it is compiled. */
#define BENCH_INLINE static inline __attribute__((always_inline))

enum { BENCH_METRICS_MAX = 4, BENCH_SYSTEMS_MAX = 9, BENCH_REPEATS_MAX = 99 };

enum bench_better { BENCH_NO_RATIO, BENCH_MORE, BENCH_LESS };

struct bench_metric {
    const char *name, *unit;
    enum bench_better better; /* for the ratio: what is good */
};

struct bench_workload {
    const char *name;
    /* One repetition of system number `system`: writes a value for each metric. A value that is not
     * written is not printed. */
    void (*measure)(const struct bench_workload *workload, int system, double values[]);
    double seconds; /* that a repetition takes; bench_measure shortens it for --quick */
    int threads;
    double work_ns; /* of private work between operations */
    struct bench_metric metrics[BENCH_METRICS_MAX];
};

/* Reads the options, which are the same everywhere; `about` is for --help. */
void bench_begin(int argc, char **argv, const char *about);

/* Measures and prints. `systems` are names; hocket is the first. */
void bench_measure(const struct bench_workload *workload, const char *const *systems, int n);

/* Prints what others did on this machine meanwhile; returns the exit status. */
int bench_end(void);

/* Says what is wrong and ends the program: a result is not what it must be, a thread cannot be
 * made. */
void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Ends the program unless a call of pthread's or hocket's gave 0. */
void bench_check(int err, const char *call);

/* Runs body(arg, 0) to body(arg, threads - 1), each in a thread of its own. All begin together;
 * bench_stopped becomes true after `seconds`; ends when all have returned. The calling thread sleeps
 * meanwhile. Returns the seconds from the beginning to the end. */
double bench_team(int threads, double seconds, void (*body)(void *arg, int index), void *arg);

extern int bench_stop_flag;

/* Is it time for the bodies to return? */
BENCH_INLINE bool bench_stopped(void)
{
    return __atomic_load_n(&bench_stop_flag, __ATOMIC_RELAXED);
}

/* Nanoseconds of the monotonic clock. */
BENCH_INLINE uint64_t bench_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Work that touches no memory: so many rounds of it. */
BENCH_INLINE void bench_work(unsigned rounds)
{
    uint64_t x = rounds;

    for (unsigned i = 0; i < rounds; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(x));
    }
}

/* How many rounds take so long here: found out once, so that all systems get the same work. By the
 * main thread. */
unsigned bench_work_for(double ns);

/* The calling thread sleeps, by the system's means. */
void bench_pause(double seconds);

/* Memory for `size` bytes of a shared thing, on cache lines of its own, zeroed; to be freed. */
void *bench_alone(size_t size);

/* Sorts, and returns the middle one. */
double bench_median(double *values, int n);

#ifdef __cplusplus
}
#endif
#endif
