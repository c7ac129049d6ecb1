/* SPDX-License-Identifier: MIT */
/* The table of `hocket bench`, row by row as the figures come. With --json all of these do
 * nothing. */
#ifndef TABLE_H
#define TABLE_H

#include "bench.h"

struct table {
    bool silent;
    bool color;
    bool utf8;
    int bar;          /* letters that a bar may take; 0: no bars */
    bool small;       /* times in milliseconds */
    const char *unit; /* of the throughput */
    double scale;     /* from the work's amount to that unit */
};

void table_begin(struct table *table, const struct bench *bench);

/* A paragraph of its own. */
void table_note(const struct table *table, const char *text);

/* The head of each half. */
void table_title_hashing(struct table *table, const struct bench *bench);
void table_title_downloads(struct table *table, const struct bench *bench);

/* The row of the way that was measured last; `context` is the table (a measure_hook). */
int table_row(void *context, const struct measures *measures);

/* Whether the results are equal. `unreadable`: what had to be left out. */
void table_end(const struct table *table, const struct measures *measures, size_t unreadable);

/* Threads and processes by the loop of the textbooks. */
void table_textbook(const struct table *table, const struct textbook *textbook);

/* The best that each kind of way reached in both halves. */
void table_summary(const struct table *table, const struct bench *bench);

#endif
