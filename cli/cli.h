/* SPDX-License-Identifier: MIT */
/* The command `hocket` inside: its exit codes, its verbs, its output. A verb gets its own name as
 * argv[0], and what follows it. */
#ifndef CLI_H
#define CLI_H

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* bench.c: `hocket bench`, and the part of the help that is about it (options.c). */
int bench_main(int argc, char **argv);
extern const char bench_help[];

/* serve.c: `hocket serve` (serve_options.c). */
int serve_main(int argc, char **argv);
extern const char serve_help[];

/* main.c: writes out what was printed so far: 0, or the negative errno of the first failure. Nobody
 * need report it: main does, at the end. */
int cli_flush(void);

#endif
