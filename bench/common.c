/* SPDX-License-Identifier: MIT */
/* Options, repetitions, medians, lines. By the main thread. */
#include "common.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { DEFAULT_REPEATS = 5, QUICK_REPEATS = 1, PATIENCE = 60 };
#define QUICK_SECONDS 0.01  /* of a repetition, at most */
#define DISTURBED_PERCENT 3 /* of the machine used by others: then a round is disturbed */

/* What the machine and we have done until some moment. */
struct moment {
    double seconds;
    double busy; /* CPU seconds of everybody; negative if that cannot be known */
    double own;
};

static struct {
    const char *program;
    int repeats;
    bool quick, patient;
    const char *workload, *system; /* parts of the names that are wanted */
    struct moment began;
    int disturbed; /* rounds that count although others disturbed them */
} bench;

extern bool bench_pinned; /* common_team.c */

static const struct {
    const char *name;
    bool *value;
} flags[] = {
    { "--quick", &bench.quick },
    { "--patient", &bench.patient },
    { "--pin", &bench_pinned },
};

static void help(const char *about)
{
    printf("usage: %s [option]...\n\n%s\n\n"
           "  --quick            a moment for each: does it run? The figures mean little\n"
           "  --repeat N         repetitions of each (%d)\n"
           "  --workload PART    only workloads with PART in their name\n"
           "  --system PART      only systems with PART in their name\n"
           "  --pin              thread i stays on CPU i, modulo their number\n"
           "  --patient          rounds that others disturbed are done again, up to %d a workload\n"
           "  --help             this\n\n"
           "A line a figure: workload system metric value unit. bench/README.md has more.\n",
           bench.program, about, DEFAULT_REPEATS, PATIENCE);
    exit(0);
}

static _Noreturn void misunderstood(const char *argument)
{
    fprintf(stderr, "%s: cannot understand '%s'; try --help\n", bench.program, argument);
    exit(2);
}

static int read_repeats(const char *text)
{
    int repeats = atoi(text);

    if (repeats < 1 || repeats > BENCH_REPEATS_MAX)
        misunderstood(text);
    return repeats;
}

/* The option and its value, if it has one: how many arguments these are. */
static int read_option(char **argv)
{
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (strcmp(argv[0], flags[i].name) == 0) {
            *flags[i].value = true;
            return 1;
        }
    }
    if (!argv[1])
        misunderstood(argv[0]);
    if (strcmp(argv[0], "--repeat") == 0)
        bench.repeats = read_repeats(argv[1]);
    else if (strcmp(argv[0], "--workload") == 0)
        bench.workload = argv[1];
    else if (strcmp(argv[0], "--system") == 0)
        bench.system = argv[1];
    else
        misunderstood(argv[0]);
    return 2;
}

static double machine_busy(void)
{
    unsigned long long t[8] = { 0 };
    FILE *file = fopen("/proc/stat", "r");
    int n = !file ? 0
                  : fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2],
                           &t[3], &t[4], &t[5], &t[6], &t[7]);

    if (file)
        fclose(file);
    /* user nice system idle iowait irq softirq steal */
    return n < 8 ? -1
                 : (double)(t[0] + t[1] + t[2] + t[5] + t[6] + t[7]) / (double)sysconf(_SC_CLK_TCK);
}

static double cpu_seconds(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

static struct moment this_moment(void)
{
    struct rusage own, children; /* these are rivals that are programs of their own */

    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    return (struct moment){
        .seconds = (double)bench_ns() / 1e9,
        .busy = machine_busy(),
        .own = cpu_seconds(&own) + cpu_seconds(&children),
    };
}

/* The part of all CPUs that others have used since then, in percent; NaN if that cannot be known. */
static double used_by_others(const struct moment *since)
{
    struct moment now = this_moment();
    double all = (now.seconds - since->seconds) * (double)sysconf(_SC_NPROCESSORS_ONLN);
    double others = now.busy - since->busy - (now.own - since->own);

    return now.busy < 0 || since->busy < 0 ? (double)NAN : 100 * fmax(others, 0) / all;
}

static void print(const char *workload, const char *system, const char *metric, double value,
                  const char *unit)
{
    double size = fabs(value);
    bool whole = size >= 100 || value == 0 || strcmp(unit, "1") == 0;
    int digits = whole ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 4;

    if (!isnan(value))
        printf("%s %s %s %.*f %s\n", workload, system, metric, digits, value, unit);
}

void bench_begin(int argc, char **argv, const char *about)
{
    const char *slash = strrchr(argv[0], '/');

    bench.program = slash ? slash + 1 : argv[0];
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0)
            help(about);
    for (int i = 1; i < argc;)
        i += read_option(argv + i);
    if (bench.repeats == 0)
        bench.repeats = bench.quick ? QUICK_REPEATS : DEFAULT_REPEATS;
    setvbuf(stdout, NULL, _IOLBF, 0);
    bench.began = this_moment();
}

int bench_end(void)
{
    print(bench.program, "machine", "used_by_others", used_by_others(&bench.began), "%");
    print(bench.program, "machine", "disturbed_rounds", bench.disturbed, "1");
    return 0;
}

void bench_fail(const char *format, ...)
{
    va_list values;

    fprintf(stderr, "%s: ", bench.program);
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    exit(1);
}

void bench_check(int err, const char *call)
{
    if (err)
        bench_fail("%s: %s", call, strerror(abs(err)));
}

void *bench_alone(size_t size)
{
    enum { LINES = 128 }; /* processors fetch cache lines in pairs */
    size_t whole = (size + LINES - 1) / LINES * LINES;
    void *memory = aligned_alloc(LINES, whole);

    if (!memory)
        bench_fail("out of memory");
    return memset(memory, 0, whole);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, ascending);
    return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

/* All values of one workload. */
typedef double samples[BENCH_SYSTEMS_MAX][BENCH_METRICS_MAX][BENCH_REPEATS_MAX];

/* The median of those that were measured; NaN if none was. */
static double median_of(const double *values)
{
    double kept[BENCH_REPEATS_MAX];
    int n = 0;

    for (int i = 0; i < bench.repeats; i++)
        if (!isnan(values[i]))
            kept[n++] = values[i];
    return n ? bench_median(kept, n) : (double)NAN;
}

static double ratio_of(const double *ours, const double *theirs, enum bench_better better)
{
    double ratios[BENCH_REPEATS_MAX];

    for (int i = 0; i < bench.repeats; i++)
        ratios[i] = better == BENCH_MORE ? ours[i] / theirs[i] : theirs[i] / ours[i];
    return median_of(ratios);
}

static void print_metric(const struct bench_workload *workload, int m, const char *const *systems,
                         int n, samples values)
{
    const struct bench_metric *metric = &workload->metrics[m];

    for (int s = 0; s < n; s++)
        print(workload->name, systems[s], metric->name, median_of(values[s][m]), metric->unit);
    for (int s = 1; s < n && metric->better != BENCH_NO_RATIO; s++) {
        char pair[64];

        snprintf(pair, sizeof pair, "%s/%s", systems[0], systems[s]);
        print(workload->name, pair, "ratio", ratio_of(values[0][m], values[s][m], metric->better),
              "x");
    }
}

static bool wanted(const char *name, const char *part)
{
    return !part || strstr(name, part);
}

/* Repetition i of all systems. */
static void do_round(const struct bench_workload *workload, int i, const char *const *systems,
                     int n, samples values)
{
    for (int s = 0; s < n; s++) {
        double one[BENCH_METRICS_MAX] = { NAN, NAN, NAN, NAN };

        if (wanted(systems[s], bench.system))
            workload->measure(workload, s, one);
        for (int m = 0; m < BENCH_METRICS_MAX; m++)
            values[s][m][i] = one[m];
    }
}

void bench_measure(const struct bench_workload *workload, const char *const *systems, int n)
{
    static samples values;
    struct bench_workload turn = *workload;
    int patience = bench.patient ? PATIENCE : 0;

    if (!wanted(workload->name, bench.workload))
        return;
    if (bench.quick)
        turn.seconds = fmin(turn.seconds, QUICK_SECONDS);
    for (int i = 0; i < bench.repeats;) {
        struct moment before = this_moment();
        bool disturbed;

        do_round(&turn, i, systems, n, values);
        disturbed = used_by_others(&before) > DISTURBED_PERCENT;
        if (disturbed && patience-- > 0)
            continue;
        bench.disturbed += disturbed;
        i++;
    }
    for (int m = 0; m < BENCH_METRICS_MAX && workload->metrics[m].name; m++)
        print_metric(workload, m, systems, n, values);
}
