/* SPDX-License-Identifier: MIT */
/* hocket's TLS server, which bench_tls starts as a process of its own: itself, with an
 * argument: `echo`; `reader`, whose clients are read to their ends; `files`, which sends files
 * of its folder. */
#ifndef BENCH_TLS_SERVER_H
#define BENCH_TLS_SERVER_H

#define TLS_PEM "server.pem" /* in the current folder: certificate and key */

/* Prints its port, serves for good. Status for main. */
int tls_serve(const char *what);

#endif
