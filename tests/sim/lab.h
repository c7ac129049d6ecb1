/* SPDX-License-Identifier: MIT */
/* What the simulator's own tests share: threads straight on os, and runs by strategy. */
#ifndef HOCKET_SIM_LAB_H
#define HOCKET_SIM_LAB_H

#include <hocket/error.h>
#include <hocket/simulate.h>

#include "base/atomic.h"
#include "os/os.h"
#include "test.h"

#define LAB_THREADS 4

/* Runs these functions, each in a thread of its own, to their ends. */
static inline void lab_run(void (*const functions[])(void *), int count)
{
    struct hkti_os_thread threads[LAB_THREADS] = { 0 };
    CHECK(count <= LAB_THREADS);
    for (int i = 0; i < count; i++)
        CHECK_EQ(hkti_os_thread_start(&threads[i], functions[i], NULL), 0);
    for (int i = 0; i < count; i++)
        hkti_os_thread_join(&threads[i]);
}

#define LAB_RUN(...)                                                                               \
    lab_run((void (*const[])(void *)){ __VA_ARGS__ },                                              \
            (int)(sizeof((void (*[])(void *)){ __VA_ARGS__ }) / sizeof(void *)))

/* Up to so many schedules; the result of hkt_simulate_many. */
static inline int lab_simulate(hkt_simulate_strategy strategy, uint64_t schedules,
                               int (*function)(void *), hkt_simulate_result *result)
{
    hkt_simulate_options options = { .strategy = strategy, .seed = 1, .schedules = schedules };
    return hkt_simulate_many(&options, function, NULL, result);
}

/* The report sink of a test: all lines, one after another. */
struct lab_report {
    char text[4096];
};

static inline void lab_keep_report(void *context, const char *line)
{
    struct lab_report *report = context;
    size_t length = strlen(report->text);
    if (length + strlen(line) + 2 < sizeof report->text) {
        strcpy(report->text + length, line);
        strcat(report->text, "\n");
    }
}

#endif
