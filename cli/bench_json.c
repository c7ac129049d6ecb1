/* SPDX-License-Identifier: MIT */
/* `hocket bench --json`. The number "hocket_bench" is the version of this format: it rises when a
 * field changes its meaning or goes away; new fields may come at any time. */
#include "bench.h"

#include "json.h"
#include "sha256.h"

#include <hocket/version.h>

#include <math.h>

static void print_way(struct json *json, const struct measures *measures, size_t i,
                      const char *rate)
{
    const struct measure *measure = &measures->ways[i];

    json_open(json, NULL, '{');
    json_string(json, "way", measure->way->id);
    json_string(json, "name", measure->way->name);
    json_count(json, "workers", measure->way->workers);
    json_number(json, "seconds", measure->seconds);
    json_open(json, "times", '[');
    for (size_t turn = 0; turn < measures->rounds; turn++)
        json_number(json, NULL, measure->times[turn]);
    json_close(json, ']');
    json_number(json, "speed_up", measure->speed_up);
    json_number(json, rate, measure->rate);
    json_bool(json, "equal", measure->different == 0);
    json_close(json, '}');
}

static void print_ways(struct json *json, const struct measures *measures, const char *rate)
{
    json_count(json, "rounds", measures->rounds);
    json_bool(json, "equal", measures->different == 0);
    json_open(json, "ways", '[');
    for (size_t i = 0; i < measures->count; i++)
        print_way(json, measures, i, rate);
    json_close(json, ']');
}

static void print_textbook(struct json *json, const struct textbook *textbook)
{
    json_open(json, "textbook", '{');
    json_count(json, "tasks", TEXTBOOK_TASKS);
    json_bool(json, "equal", textbook->equal);
    json_open(json, "runs", '[');
    for (size_t i = 0; i < TEXTBOOK_RUNS; i++) {
        const struct textbook_run *run = &textbook->runs[i];

        json_open(json, NULL, '{');
        json_count(json, "steps", (uint64_t)run->steps);
        json_number(json, "threading_seconds", run->threads);
        json_number(json, "multiprocessing_seconds",
                    textbook->has_processes ? run->processes : NAN);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}

void bench_print_json(const struct bench *bench)
{
    struct json json = { 0, false };

    json_open(&json, NULL, '{');
    json_count(&json, "hocket_bench", 1);
    json_string(&json, "hocket", hkt_version());
    json_count(&json, "processors", ways_processors());
    json_number(&json, "load", bench->load);
    json_string(&json, "start_method",
                ways_have_processes() ? hkt_start_method_name(hkt_process_start_method()) : NULL);

    json_open(&json, "cpu_bound", '{');
    json_string(&json, "job", "sha256");
    json_bool(&json, "available", sha256_available());
    json_string(&json, "library", sha256_library());
    json_string(&json, "directory", bench->options.dir);
    json_count(&json, "files", bench->files.count);
    json_count(&json, "bytes", bench->bytes);
    json_count(&json, "unreadable", bench->files.unreadable);
    json_count(&json, "changed", bench->hashed.changed);
    print_ways(&json, &bench->hashed, "bytes_per_second");
    json_close(&json, '}');

    json_open(&json, "io_bound", '{');
    json_string(&json, "job", "download");
    json_count(&json, "downloads", DOWNLOADS);
    json_number(&json, "latency", bench->options.latency);
    print_ways(&json, &bench->downloaded, "downloads_per_second");
    json_close(&json, '}');

    print_textbook(&json, &bench->textbook);
    json_close(&json, '}');
}
