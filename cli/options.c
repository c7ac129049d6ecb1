/* SPDX-License-Identifier: MIT */
/* The options of `hocket bench`, by getopt_long, with sentences of our own. */
#include "options.h"

#include "cli.h"
#include "nearest.h"
#include "text.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIR_DEFAULT "/usr/include"
#define LATENCY_DEFAULT 0.2
#define LATENCY_MAX 3600.0
#define REPEAT_MAX 1000

const char bench_help[] =
    "hocket bench [OPTION]... [DIR]\n"
    "  Does two jobs in each way, and compares times and results:\n"
    "    CPU-bound: the SHA-256 sum of every regular file below DIR\n"
    "               (default: " DIR_DEFAULT "; symbolic links are not followed)\n"
    "    I/O-bound: five downloads, of which only the waiting is real\n"
    "\n"
    "  --latency TIME   what a download takes: 0.2 (seconds, the default), 50ms, 2s\n"
    "  --repeat N       do everything in N rounds, and show the medians; the default\n"
    "                   is 5 for what takes less than a second one after another,\n"
    "                   and 1 for the rest\n"
    "  --json           write one JSON object in place of the table\n"
    "  --sums           only hash, on all processors, and write what sha256sum writes\n"
    "  --color WHEN     always, never, or auto (the default); NO_COLOR is respected\n"
    "  -h, --help       this\n";

enum { OPTION_LATENCY = 256, OPTION_REPEAT, OPTION_JSON, OPTION_SUMS, OPTION_COLOR };

static const struct option long_options[] = {
    { "latency", required_argument, NULL, OPTION_LATENCY },
    { "repeat", required_argument, NULL, OPTION_REPEAT },
    { "json", no_argument, NULL, OPTION_JSON },
    { "sums", no_argument, NULL, OPTION_SUMS },
    { "color", required_argument, NULL, OPTION_COLOR },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};
enum { OPTIONS = sizeof long_options / sizeof long_options[0] - 1 };

static int usage(const char *format, const char *word)
{
    char name[TEXT_MAX];

    fputs("hocket bench: ", stderr);
    fprintf(stderr, format, text_name(name, word));
    fputc('\n', stderr);
    return CLI_USAGE;
}

static int unknown_option(char *word)
{
    static char dashed[OPTIONS][16];
    const char *known[OPTIONS];

    for (size_t i = 0; i < OPTIONS; i++) {
        snprintf(dashed[i], sizeof dashed[i], "--%s", long_options[i].name);
        known[i] = dashed[i];
    }
    word[strcspn(word, "=")] = 0;
    const char *near = nearest_word(word, known, OPTIONS);

    if (!near)
        return usage("there is no option '%s'; see hocket bench --help", word);
    char name[TEXT_MAX];

    fprintf(stderr, "hocket bench: there is no option '%s'; did you mean '%s'?\n",
            text_name(name, word), near);
    return CLI_USAGE;
}

/* getopt found nothing that it knows, or a value where there should be none. */
static int misused(char **argv)
{
    char letter[3] = { '-', (char)optopt, 0 };

    if (optopt == 0)
        return unknown_option(argv[optind - 1]);
    if (optopt < 256 && strncmp(argv[optind - 1], "--", 2) != 0)
        return usage("there is no option '%s'; see hocket bench --help", letter);
    return usage("'%s': this option takes no value", argv[optind - 1]);
}

/* Seconds, from "0.2", "200ms", "2s", "1m". */
static int parse_latency(double *latency, const char *text)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = { { "", 1 }, { "s", 1 }, { "ms", 1e-3 }, { "us", 1e-6 }, { "m", 60 } };
    char *end;
    double value = strtod(text, &end);

    for (size_t i = 0; end > text && i < sizeof units / sizeof units[0]; i++) {
        double seconds = value * units[i].seconds;

        if (strcmp(end, units[i].name) != 0)
            continue;
        if (!isfinite(seconds) || seconds <= 0 || seconds > LATENCY_MAX)
            return usage("a latency is above 0 and at most an hour, not '%s'", text);
        *latency = seconds;
        return 0;
    }
    return usage("'%s' is not a time; write 0.2, 200ms, 2s or 1m", text);
}

static int parse_repeat(size_t *repeat, const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (end == text || *end || value < 1 || value > REPEAT_MAX)
        return usage("--repeat takes a number from 1 to 1000, not '%s'", text);
    *repeat = (size_t)value;
    return 0;
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
        return usage("--color is auto, always or never, not '%s'", text);
    return 0;
}

static int choose_output(struct bench_options *options, enum bench_output output)
{
    if (options->output != BENCH_TABLE && options->output != output)
        return usage("%s", "--json and --sums exclude each other");
    options->output = output;
    return 0;
}

static int take(struct bench_options *options, int option, char **argv)
{
    switch (option) {
    case OPTION_LATENCY:
        return parse_latency(&options->latency, optarg);
    case OPTION_REPEAT:
        return parse_repeat(&options->repeat, optarg);
    case OPTION_JSON:
        return choose_output(options, BENCH_JSON);
    case OPTION_SUMS:
        return choose_output(options, BENCH_SUMS);
    case OPTION_COLOR:
        return parse_color(&options->color, optarg);
    case 'h':
        options->help = true;
        return 0;
    case ':':
        return usage("'%s' needs a value", argv[optind - 1]);
    default:
        return misused(argv);
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
        return usage("one directory is enough; what is '%s'?", argv[optind + 1]);
    options->dir = optind < argc ? argv[optind] : DIR_DEFAULT;
    return 0;
}
