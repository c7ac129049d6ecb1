/* SPDX-License-Identifier: MIT */
/* The command `hocket`: finds the verb and hands over to it.
 *
 * Results go to standard output, everything else to standard error. Exit codes: 0, 1 when
 * something failed, 2 when the command line was not understood. Output that could not be written
 * is a failure too, and noticed here, for all verbs; a reader that went away (EPIPE) gets no
 * message. SIGINT and SIGPIPE do what they do by default; only
 * `serve` ends in good order by SIGINT. */
#include "cli.h"
#include "http_request.h"
#include "nearest.h"
#include "sha256.h"

#include <hocket/version.h>

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

static int help_main(int argc, char **argv);

struct verb {
    const char *name;
    int (*main)(int argc, char **argv);
};

static const struct verb verbs[] = {
    { "bench", bench_main },
    { "serve", serve_main },
    { "help", help_main },
};
enum { VERBS = sizeof verbs / sizeof verbs[0] };

static const char general_help[] =
    "hocket runs the same jobs in several ways (one after another, on threads, in\n"
    "processes, as coroutines, under a giant lock) and shows what each of them buys\n"
    "on this machine; and it serves files over HTTP.\n"
    "\n"
    "Usage:\n"
    "  hocket bench [OPTION]... [DIR]\n"
    "  hocket serve [OPTION]... [DIR]\n"
    "  hocket help | --help | --version\n"
    "\n";

static const char general_end[] =
    "\n"
    "Exit status: 0, 1 if something failed, 2 if the command line is wrong.\n"
    "\n"
    "Examples:\n"
    "  hocket bench                        the whole table, on /usr/include\n"
    "  hocket bench --repeat 5 ~/src       medians of five\n"
    "  hocket bench /usr/share/doc --sums > s && sha256sum -c --quiet s\n"
    "  hocket serve --port 8080 ~/public   then look at http://127.0.0.1:8080/\n";

static int print_help(void)
{
    fputs(general_help, stdout);
    fputs(bench_help, stdout);
    fputc('\n', stdout);
    fputs(serve_help, stdout);
    fputs(general_end, stdout);
    return CLI_OK;
}

static int help_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return print_help();
}

static int print_version(void)
{
    printf("hocket %s\n", hkt_version());
    if (sha256_available())
        printf("SHA-256: %s\n", sha256_library());
    else
        printf("SHA-256: off, built without OpenSSL\n");
    if (http_available())
        printf("HTTP: %s\n", http_library());
    else
        printf("HTTP: without a parser, built without llhttp\n");
    return CLI_OK;
}

/* Says that `word` is unknown, and what was probably meant. */
static int unknown(const char *what, const char *word, const char *const *known, size_t n)
{
    const char *near = nearest_word(word, known, n);

    if (near)
        fprintf(stderr, "hocket: there is no %s '%s'; did you mean '%s'?\n", what, word, near);
    else
        fprintf(stderr, "hocket: there is no %s '%s'; see hocket --help\n", what, word);
    return CLI_USAGE;
}

static int run_verb(int argc, char **argv)
{
    const char *names[VERBS];

    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(argv[0], verbs[i].name) == 0)
            return verbs[i].main(argc, argv);
        names[i] = verbs[i].name;
    }
    return unknown("verb", argv[0], names, VERBS);
}

static int run(int argc, char **argv)
{
    static const char *const options[] = { "--help", "--version" };

    if (argc < 2) {
        fputs("hocket: what shall it do? Try: hocket bench, or hocket --help\n", stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_help();
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
        return print_version();
    if (argv[1][0] == '-')
        return unknown("option", argv[1], options, sizeof options / sizeof options[0]);
    return run_verb(argc - 1, argv + 1);
}

int cli_flush(void)
{
    static int first;

    if (first == 0 && fflush(stdout) != 0)
        first = -errno;
    if (first == 0 && ferror(stdout))
        first = -EIO; /* it failed before, and what it was about is lost */
    return first;
}

/* Has everything been written? Says so if not, except to a reader who no longer wants it. */
static int finish_output(int status)
{
    int err = cli_flush();

    if (err == 0)
        return status;
    if (err != -EPIPE)
        fprintf(stderr, "hocket: cannot write to standard output: %s\n", strerror(-err));
    return CLI_FAILED;
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    return finish_output(run(argc, argv));
}
