/* SPDX-License-Identifier: MIT */
/* What `hocket bench` was asked for. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "terminal.h"

#include <hocket/process.h>

#include <stddef.h>

enum bench_output { BENCH_TABLE, BENCH_JSON, BENCH_SUMS };

struct bench_options {
    const char *dir;
    double latency; /* seconds */
    size_t repeat;  /* 0: as measure.h says */
    hkt_start_method start_method;
    enum bench_output output;
    enum terminal_color color;
    bool help;
};

/* 0; or CLI_USAGE, and what is wrong has been said. */
int bench_options_parse(struct bench_options *options, int argc, char **argv);

#endif
