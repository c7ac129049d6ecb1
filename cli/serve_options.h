/* SPDX-License-Identifier: MIT */
/* What `hocket serve` was asked for. */
#ifndef SERVE_OPTIONS_H
#define SERVE_OPTIONS_H

#include <stdbool.h>

struct serve_options {
    const char *dir;
    const char *bind;
    long port;
    long max_clients;              /* 0: as many as there are fds for */
    double timeout;                /* seconds */
    const char *certificate, *key; /* NULL: no TLS */
    bool hidden, quiet, help;
};

/* 0; or CLI_USAGE, and what is wrong has been said. */
int serve_options_parse(struct serve_options *options, int argc, char **argv);

#endif
