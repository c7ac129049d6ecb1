/* SPDX-License-Identifier: MIT */
/* Does one work in every way, times it, and compares the outcomes with those of the first way. */
#ifndef MEASURE_H
#define MEASURE_H

#include "ways.h"

struct measure {
    const struct way *way;
    double *times;    /* seconds, one each round */
    double seconds;   /* their median */
    double speed_up;  /* against the first way */
    double rate;      /* the work's amount a second */
    size_t different; /* outcomes that were not those of the first way, though nothing changed */
};

struct measures {
    struct measure *ways; /* ways_count of them */
    size_t count;         /* of which so many are done */
    size_t rounds;
    size_t different; /* in all ways together */
    size_t changed;   /* jobs whose input changed meanwhile, at most in any way */
};

/* Of `n` numbers: 0 or -ENOMEM. */
int measure_median(double *result, const double *numbers, size_t n);

/* Called when a way is done, with what is known so far. A negative value ends the measuring. */
typedef int measure_hook(void *context, const struct measures *measures);

/* When nobody says how often: work that is done within MEASURE_SHORT seconds one after another is
 * done in MEASURE_ROUNDS rounds, as short times are noisy; other work once. */
#define MEASURE_SHORT 1.0
#define MEASURE_ROUNDS 5

/* `repeat` 0 leaves that open. 0, or a negative errno: of a way that failed (with its sentence), of
 * the hook, -ENOMEM. What it gave is freed by measures_free, also after a failure. */
int measures_take(struct measures *measures, struct work *work, size_t repeat, measure_hook *hook,
                  void *context);
void measures_free(struct measures *measures);

#endif
