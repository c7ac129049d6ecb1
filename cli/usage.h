/* SPDX-License-Identifier: MIT */
/* What is wrong with a command line, in one sentence to standard error. Each function returns
 * CLI_USAGE when it has said something. `verb`: "bench". */
#ifndef USAGE_H
#define USAGE_H

#include <getopt.h>

/* `format` has one %s, for `word`. */
int usage_error(const char *verb, const char *format, const char *word);

/* getopt_long, called with opterr 0 and a list that begins with ':', has returned '?' or ':': says
 * why. `known` are the verb's options. */
int usage_option(const char *verb, const struct option *known, int result, char **argv);

/* "0.2", "200ms", "2s", "1m": seconds, above 0 and at the most an hour. `what`: "a latency". */
int usage_seconds(const char *verb, const char *what, double *seconds, const char *text);

/* A number from `least` to `most`. `option`: "--repeat". */
int usage_number(const char *verb, const char *option, long least, long most, long *number,
                 const char *text);

#endif
