/* SPDX-License-Identifier: MIT */
/* Rivals in programs of their own. By the main thread. */
#include "common_child.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

/* Where this program is; its folder too, ended with a slash, if `folder`. */
static void find_self(char path[PATH_MAX], bool folder)
{
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);

    if (length < 0)
        bench_fail("readlink: /proc/self/exe");
    path[length] = '\0';
    if (folder)
        strrchr(path, '/')[1] = '\0';
}

static double run(int64_t *result, const char *path, const char *format, va_list values)
{
    char command[PATH_MAX + 256];
    double seconds;
    int length = snprintf(command, sizeof command, "'%s' ", path);

    vsnprintf(command + length, sizeof command - (size_t)length, format, values);
    FILE *output = popen(command, "r");
    if (!output)
        bench_fail("popen: %s", command);
    int count = fscanf(output, "%lf %" SCNd64, &seconds, result);
    if (pclose(output) != 0 || count != 2)
        bench_fail("failed: %s", command);
    return seconds;
}

double bench_child(int64_t *result, const char *name, const char *format, ...)
{
    char path[PATH_MAX + 64];
    va_list values;

    find_self(path, true);
    strcat(path, "rivals/");
    strncat(path, name, 32);
    if (access(path, X_OK) < 0)
        return (double)NAN;
    va_start(values, format);
    double seconds = run(result, path, format, values);
    va_end(values);
    return seconds;
}

double bench_child_self(int64_t *result, const char *format, ...)
{
    char path[PATH_MAX];
    va_list values;

    find_self(path, false);
    va_start(values, format);
    double seconds = run(result, path, format, values);
    va_end(values);
    return seconds;
}

void bench_one_cpu(bool one)
{
    static cpu_set_t before;
    cpu_set_t first;
    int cpu = 0;

    if (!one) {
        sched_setaffinity(0, sizeof before, &before);
        return;
    }
    if (sched_getaffinity(0, sizeof before, &before) < 0)
        bench_fail("sched_getaffinity");
    while (!CPU_ISSET(cpu, &before))
        cpu++;
    CPU_ZERO(&first);
    CPU_SET(cpu, &first);
    sched_setaffinity(0, sizeof first, &first);
}
