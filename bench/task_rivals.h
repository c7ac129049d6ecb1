/* SPDX-License-Identifier: MIT */
/* The rivals of tasks and loops are programs of their own, rivals/NAME beside this one, each in a
 * language of its own: a fresh process for each repetition, which warms up, measures, and prints its
 * values, as many as the workload has. So does this program itself for what must begin cold. */
#ifndef BENCH_TASK_RIVALS_H
#define BENCH_TASK_RIVALS_H

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

/* Where the rival is; NULL: this program. */
static inline void task_rival_path(char path[PATH_MAX + 64], const char *name)
{
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);

    if (length < 0)
        bench_fail("readlink: /proc/self/exe");
    path[length] = '\0';
    if (name)
        snprintf(strrchr(path, '/') + 1, 64, "rivals/%s", name);
}

/* Runs `rivals/PROGRAM WHAT` and reads its values; those that it does not print stay as they are.
 * Does nothing if there is no such rival. `program` may have an argument of its own. */
static inline void task_rival(double values[], const char *program, const char *what)
{
    char path[PATH_MAX + 64], name[64] = "", own[64] = "", command[2 * PATH_MAX];

    if (program)
        sscanf(program, "%63s %63s", name, own);
    task_rival_path(path, program ? name : NULL);
    if (access(path, X_OK) < 0)
        return;
    snprintf(command, sizeof command, "'%s' %s %s", path, own, what);
    FILE *output = popen(command, "r");
    if (!output)
        bench_fail("popen: %s", command);
    for (int i = 0; i < BENCH_METRICS_MAX && fscanf(output, "%lf", &values[i]) == 1; i++)
        continue;
    if (pclose(output) != 0)
        bench_fail("failed: %s", command);
}

#endif
