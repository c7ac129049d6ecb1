/* SPDX-License-Identifier: MIT */
/* The clock runs from before the first thread is made until the last has ended: what a way costs to
 * set up belongs to it. Repetitions go round by round through all ways, so that a machine that is
 * slow for a while is slow for all of them. */
#include "measure.h"

#include "progress.h"

#include <hocket/time.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int measure_median(double *result, const double *times, size_t n)
{
    double *sorted = malloc(n * sizeof *sorted);

    if (!sorted)
        return -ENOMEM;
    memcpy(sorted, times, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, ascending);
    *result = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
    free(sorted);
    return 0;
}

static void announce(const struct work *work, const struct way *way, size_t round, size_t rounds)
{
    char turn[64] = "";

    if (rounds > 1)
        snprintf(turn, sizeof turn, ", turn %zu of %zu", round + 1, rounds);
    if (way->workers == 1)
        progress_phase(work->progress, "%s, %s%s", work->label, way->name, turn);
    else
        progress_phase(work->progress, "%s, %u %s%s", work->label, way->workers, way->name, turn);
}

static int time_once(double *seconds, struct work *work, const struct way *way)
{
    double start = hkt_monotonic();
    int err = way_run(way, work);

    *seconds = hkt_monotonic() - start;
    return err;
}

/* `*kept` are the outcomes of the very first run: made here if there are none yet. */
static int check(struct measures *measures, struct measure *measure, const struct work *work,
                 struct outcome **kept)
{
    if (!*kept) {
        *kept = work_keep(work);
        return *kept ? 0 : -ENOMEM;
    }
    struct difference difference = work_compare(work, *kept);

    if (difference.different > measure->different)
        measure->different = difference.different;
    if (difference.changed > measures->changed)
        measures->changed = difference.changed;
    return 0;
}

/* One way, once. */
static int take_one(struct measures *measures, struct work *work, size_t way, size_t round,
                    struct outcome **kept)
{
    struct measure *measure = &measures->ways[way];

    announce(work, measure->way, round, measures->rounds);
    int err = time_once(&measure->times[round], work, measure->way);

    if (err == 0)
        err = check(measures, measure, work, kept);
    progress_clear();
    return err;
}

/* After the last round of a way: what its times come to. */
static int conclude(struct measures *measures, struct measure *measure, double amount)
{
    int err = measure_median(&measure->seconds, measure->times, measures->rounds);

    if (err < 0)
        return err;
    measure->speed_up = measures->ways[0].seconds / measure->seconds;
    measure->rate = amount / measure->seconds;
    measures->different += measure->different;
    measures->count++;
    return 0;
}

static int prepare(struct measures *measures, size_t repeat)
{
    *measures = (struct measures){ .rounds = repeat ? repeat : 1 };
    measures->ways = calloc(ways_count, sizeof *measures->ways);
    if (!measures->ways)
        return -ENOMEM;
    for (size_t i = 0; i < ways_count; i++) {
        measures->ways[i].way = &ways[i];
        measures->ways[i].times = calloc(repeat ? repeat : MEASURE_ROUNDS, sizeof(double));
        if (!measures->ways[i].times)
            return -ENOMEM;
    }
    return 0;
}

int measures_take(struct measures *measures, struct work *work, size_t repeat, measure_hook *hook,
                  void *context)
{
    struct outcome *kept = NULL;
    int err = prepare(measures, repeat);

    for (size_t round = 0; err == 0 && round < measures->rounds; round++) {
        for (size_t i = 0; err == 0 && i < ways_count; i++) {
            err = take_one(measures, work, i, round, &kept);
            if (repeat == 0 && round == 0 && i == 0 && measures->ways[0].times[0] < MEASURE_SHORT)
                measures->rounds = MEASURE_ROUNDS;
            if (err == 0 && round + 1 == measures->rounds)
                err = conclude(measures, &measures->ways[i], work->amount);
            if (err == 0 && measures->count > 0)
                err = hook(context, measures);
        }
    }
    free(kept);
    return err;
}

void measures_free(struct measures *measures)
{
    for (size_t i = 0; measures->ways && i < ways_count; i++)
        free(measures->ways[i].times);
    free(measures->ways);
    *measures = (struct measures){ .ways = NULL };
}
