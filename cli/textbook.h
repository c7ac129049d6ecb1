/* SPDX-License-Identifier: MIT */
/* The loop by which Python's textbooks compare threads with processes: total += i * n, for i below a
 * million, in four threads and in four processes. C is done with that before a
 * process has begun; so it is also done ten times as long. */
#ifndef TEXTBOOK_H
#define TEXTBOOK_H

#include <stdbool.h>
#include <stddef.h>

enum { TEXTBOOK_TASKS = 4, TEXTBOOK_RUNS = 2 };

struct textbook_run {
    long steps;
    double threads, processes; /* seconds: medians */
};

struct textbook {
    struct textbook_run runs[TEXTBOOK_RUNS];
    bool has_processes;
    bool equal; /* all totals are what they must be */
};

/* Each in so many rounds; 0: in MEASURE_ROUNDS. 0, or a negative errno with a sentence. */
int textbook_run(struct textbook *textbook, size_t rounds, bool has_processes);

#endif
