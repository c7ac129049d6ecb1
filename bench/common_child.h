/* SPDX-License-Identifier: MIT */
/* Rivals that are programs of their own, since their runtimes do not get on with each other in one
 * process, or are not C: rivals/NAME beside this program. Such a one is started for each
 * repetition, warms up, measures, and prints the seconds and the result. */
#ifndef BENCH_COMMON_CHILD_H
#define BENCH_COMMON_CHILD_H

#include <stdbool.h>
#include <stdint.h>

/* Runs rivals/NAME with these arguments (a printf format), and waits for its end: the seconds that
 * it measured, and what it has computed. NaN if there is no such program. */
double bench_child(int64_t *result, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same of this program itself, whose main must know the arguments. */
double bench_child_self(int64_t *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* While `one`, what this thread starts has one processor only. */
void bench_one_cpu(bool one);

#endif
