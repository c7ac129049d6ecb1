/* SPDX-License-Identifier: MIT */
/* The options of `hocket serve`. */
#include "serve_options.h"

#include "cli.h"
#include "usage.h"

#include <stddef.h>

#define VERB "serve"

enum { CLIENTS_MAX = 1000000 };

const char serve_help[] =
    "hocket serve [OPTION]... [DIR]\n"
    "  Serves the files below DIR (default: the current directory) over HTTP/1.1, and\n"
    "  writes a line for each answer to standard output, in the Common Log Format.\n"
    "  Symbolic links are followed as long as they stay below DIR. Ctrl-C (or\n"
    "  SIGTERM) lets downloads end for 5 seconds; the second one ends at once.\n"
    "\n"
    "  --port N         where to listen: 8000 (the default); 0 takes a free one; the\n"
    "                   address is told on standard error\n"
    "  --bind ADDRESS   on which address: 127.0.0.1 (the default), a name, '' for all\n"
    "  --tls-cert FILE  speak HTTPS, with this certificate and its chain (PEM)\n"
    "  --tls-key FILE   its key (PEM), if that is not in the same file\n"
    "  --timeout TIME   how long a client may take for a request or between requests,\n"
    "                   or take nothing of an answer: 30 (seconds, the default), 2m\n"
    "  --max-clients N  how many are served at a time; others wait\n"
    "                   (default: as many as there are file descriptors for)\n"
    "  --hidden         serve and list names that begin with a dot, too\n"
    "  --quiet          no access log\n"
    "  -h, --help       this\n";

enum {
    OPTION_PORT = 256,
    OPTION_BIND,
    OPTION_CERT,
    OPTION_KEY,
    OPTION_TIMEOUT,
    OPTION_CLIENTS,
    OPTION_HIDDEN,
    OPTION_QUIET,
};

static const struct option long_options[] = {
    { "port", required_argument, NULL, OPTION_PORT },
    { "bind", required_argument, NULL, OPTION_BIND },
    { "tls-cert", required_argument, NULL, OPTION_CERT },
    { "tls-key", required_argument, NULL, OPTION_KEY },
    { "timeout", required_argument, NULL, OPTION_TIMEOUT },
    { "max-clients", required_argument, NULL, OPTION_CLIENTS },
    { "hidden", no_argument, NULL, OPTION_HIDDEN },
    { "quiet", no_argument, NULL, OPTION_QUIET },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static int take(struct serve_options *options, int option, char **argv)
{
    switch (option) {
    case OPTION_PORT:
        return usage_number(VERB, "--port", 0, 65535, &options->port, optarg);
    case OPTION_BIND:
        options->bind = optarg;
        return 0;
    case OPTION_CERT:
        options->certificate = optarg;
        return 0;
    case OPTION_KEY:
        options->key = optarg;
        return 0;
    case OPTION_TIMEOUT:
        return usage_seconds(VERB, "a timeout", &options->timeout, optarg);
    case OPTION_CLIENTS:
        return usage_number(VERB, "--max-clients", 1, CLIENTS_MAX, &options->max_clients, optarg);
    case OPTION_HIDDEN:
        options->hidden = true;
        return 0;
    case OPTION_QUIET:
        options->quiet = true;
        return 0;
    case 'h':
        options->help = true;
        return 0;
    default:
        return usage_option(VERB, long_options, option, argv);
    }
}

int serve_options_parse(struct serve_options *options, int argc, char **argv)
{
    int option, status;

    *options = (struct serve_options){ .bind = "127.0.0.1", .port = 8000, .timeout = 30 };
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        status = take(options, option, argv);
        if (status != 0 || options->help)
            return status;
    }
    if (argc - optind > 1)
        return usage_error(VERB, "one directory is enough; what is '%s'?", argv[optind + 1]);
    if (options->key && !options->certificate)
        return usage_error(VERB, "%s", "--tls-key needs --tls-cert");
    options->dir = optind < argc ? argv[optind] : ".";
    return 0;
}
