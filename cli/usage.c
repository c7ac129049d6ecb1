/* SPDX-License-Identifier: MIT */
/* One sentence, one line, whatever the words are. */
#include "usage.h"

#include "cli.h"
#include "nearest.h"
#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 3600.0

enum { OPTIONS_MAX = 32 };

int usage_error(const char *verb, const char *format, const char *word)
{
    char name[TEXT_MAX];

    fprintf(stderr, "hocket %s: ", verb);
    fprintf(stderr, format, text_name(name, word));
    fputc('\n', stderr);
    return CLI_USAGE;
}

static int unknown_option(const char *verb, const struct option *known, char *word)
{
    static char dashed[OPTIONS_MAX][20];
    const char *words[OPTIONS_MAX];
    char name[TEXT_MAX];
    size_t n = 0;

    for (; known[n].name && n < OPTIONS_MAX; n++) {
        snprintf(dashed[n], sizeof dashed[n], "--%s", known[n].name);
        words[n] = dashed[n];
    }
    word[strcspn(word, "=")] = 0;
    const char *near = nearest_word(word, words, n);

    text_name(name, word);
    if (near)
        fprintf(stderr, "hocket %s: there is no option '%s'; did you mean '%s'?\n", verb, name,
                near);
    else
        fprintf(stderr, "hocket %s: there is no option '%s'; see hocket %s --help\n", verb, name,
                verb);
    return CLI_USAGE;
}

int usage_option(const char *verb, const struct option *known, int result, char **argv)
{
    char letter[3] = { '-', (char)optopt, 0 };

    if (result == ':')
        return usage_error(verb, "'%s' needs a value", argv[optind - 1]);
    if (optopt == 0)
        return unknown_option(verb, known, argv[optind - 1]);
    if (optopt < 256 && strncmp(argv[optind - 1], "--", 2) != 0)
        return unknown_option(verb, known, letter);
    return usage_error(verb, "'%s': this option takes no value", argv[optind - 1]);
}

int usage_seconds(const char *verb, const char *what, double *seconds, const char *text)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = { { "", 1 }, { "s", 1 }, { "ms", 1e-3 }, { "us", 1e-6 }, { "m", 60 } };
    char name[TEXT_MAX], *end;
    double value = strtod(text, &end);

    for (size_t i = 0; end > text && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        value *= units[i].seconds;
        if (isfinite(value) && value > 0 && value <= SECONDS_MAX) {
            *seconds = value;
            return 0;
        }
        fprintf(stderr, "hocket %s: %s is above 0 and at most an hour, not '%s'\n", verb, what,
                text_name(name, text));
        return CLI_USAGE;
    }
    return usage_error(verb, "'%s' is not a time; write 0.2, 200ms, 2s or 1m", text);
}

int usage_number(const char *verb, const char *option, long least, long most, long *number,
                 const char *text)
{
    char name[TEXT_MAX], *end;
    long value = strtol(text, &end, 10);

    if (end > text && *end == 0 && value >= least && value <= most) {
        *number = value;
        return 0;
    }
    fprintf(stderr, "hocket %s: %s takes a number from %ld to %ld, not '%s'\n", verb, option, least,
            most, text_name(name, text));
    return CLI_USAGE;
}
