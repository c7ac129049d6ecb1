/* SPDX-License-Identifier: MIT */
/* The ways in which work can be done. The first one, one job after another, is what the others are
 * measured against. A new way is one more row in ways.c. */
#ifndef WAYS_H
#define WAYS_H

#include "work.h"

#include <hocket/process.h>

struct way {
    const char *name; /* for people */
    const char *id;   /* for programs: --json */
    int (*run)(struct work *work, const struct way *way);
    unsigned workers;
};

extern const struct way ways[];
extern size_t ways_count;

/* How processes are made, HKT_START_DEFAULT: as they are best. False: not in this system, or this
 * program; then there are no ways by processes. Once, before all else. */
bool ways_set_start_method(hkt_start_method method);
bool ways_have_processes(void);

/* Does all jobs of the work, in this way: 0, or a negative errno with a sentence (hkt_sentence). */
int way_run(const struct way *way, struct work *work);

/* A thread pool with as many workers as this process may use processors. */
struct way way_for_this_machine(void);

/* Processors that this process may use. */
unsigned ways_processors(void);

#endif
