/* SPDX-License-Identifier: MIT */
/* The options of `hocket bench`, by getopt_long, with sentences of our own. */
#include "options.h"

#include "cli.h"
#include "usage.h"

#include <string.h>

#define DIR_DEFAULT "/usr/include"
#define LATENCY_DEFAULT 0.2
#define REPEAT_MAX 1000

const char bench_help[] =
    "hocket bench [OPTION]... [DIR]\n"
    "  Does two jobs in each way, and compares times and results:\n"
    "    CPU-bound: the SHA-256 sum of every regular file below DIR\n"
    "               (default: " DIR_DEFAULT "; symbolic links are not followed)\n"
    "    I/O-bound: five downloads over HTTP, from a slow server on the loopback\n"
    "               that the command starts itself\n"
    "  and a loop of Python's textbooks in four threads and in four processes\n"
    "\n"
    "  --latency TIME   what that server waits before each answer: 0.2 (seconds, the\n"
    "                   default), 50ms, 2s\n"
    "  --repeat N       do everything in N rounds, and show the medians; the default\n"
    "                   is 5 for what takes less than a second one after another,\n"
    "                   and 1 for the rest\n"
    "  --start-method M how processes are made: forkserver (the default), spawn, fork\n"
    "  --json           write one JSON object in place of the table\n"
    "  --sums           only hash, on all processors, and write what sha256sum writes\n"
    "  --color WHEN     always, never, or auto (the default); NO_COLOR is respected\n"
    "  -h, --help       this\n";

enum {
    OPTION_LATENCY = 256,
    OPTION_REPEAT,
    OPTION_START_METHOD,
    OPTION_JSON,
    OPTION_SUMS,
    OPTION_COLOR
};

static const struct option long_options[] = {
    { "latency", required_argument, NULL, OPTION_LATENCY },
    { "repeat", required_argument, NULL, OPTION_REPEAT },
    { "start-method", required_argument, NULL, OPTION_START_METHOD },
    { "json", no_argument, NULL, OPTION_JSON },
    { "sums", no_argument, NULL, OPTION_SUMS },
    { "color", required_argument, NULL, OPTION_COLOR },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static int parse_repeat(size_t *repeat, const char *text)
{
    long value;
    int status = usage_number("bench", "--repeat", 1, REPEAT_MAX, &value, text);

    if (status == 0)
        *repeat = (size_t)value;
    return status;
}

static int parse_color(enum terminal_color *color, const char *text)
{
    if (strcmp(text, "auto") == 0)
        *color = TERMINAL_AUTO;
    else if (strcmp(text, "always") == 0)
        *color = TERMINAL_ALWAYS;
    else if (strcmp(text, "never") == 0)
        *color = TERMINAL_NEVER;
    else
        return usage_error("bench", "--color is auto, always or never, not '%s'", text);
    return 0;
}

static int parse_start_method(hkt_start_method *method, const char *text)
{
    static const hkt_start_method methods[] = { HKT_START_FORKSERVER, HKT_START_SPAWN,
                                                HKT_START_FORK };

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(text, hkt_start_method_name(methods[i])) != 0)
            continue;
        *method = methods[i];
        return 0;
    }
    return usage_error("bench", "--start-method is forkserver, spawn or fork, not '%s'", text);
}

static int choose_output(struct bench_options *options, enum bench_output output)
{
    if (options->output != BENCH_TABLE && options->output != output)
        return usage_error("bench", "%s", "--json and --sums exclude each other");
    options->output = output;
    return 0;
}

static int take(struct bench_options *options, int option, char **argv)
{
    switch (option) {
    case OPTION_LATENCY:
        return usage_seconds("bench", "a latency", &options->latency, optarg);
    case OPTION_REPEAT:
        return parse_repeat(&options->repeat, optarg);
    case OPTION_START_METHOD:
        return parse_start_method(&options->start_method, optarg);
    case OPTION_JSON:
        return choose_output(options, BENCH_JSON);
    case OPTION_SUMS:
        return choose_output(options, BENCH_SUMS);
    case OPTION_COLOR:
        return parse_color(&options->color, optarg);
    case 'h':
        options->help = true;
        return 0;
    default:
        return usage_option("bench", long_options, option, argv);
    }
}

int bench_options_parse(struct bench_options *options, int argc, char **argv)
{
    int option, status;

    *options = (struct bench_options){ .latency = LATENCY_DEFAULT };
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        status = take(options, option, argv);
        if (status != 0 || options->help)
            return status;
    }
    if (argc - optind > 1)
        return usage_error("bench", "one directory is enough; what is '%s'?", argv[optind + 1]);
    options->dir = optind < argc ? argv[optind] : DIR_DEFAULT;
    return 0;
}
