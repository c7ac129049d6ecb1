/* SPDX-License-Identifier: MIT */
/* The clients of a TLS server, by OpenSSL itself, the same for every server: TLS 1.3, certificates
 * are not verified. */
#ifndef BENCH_TLS_LOAD_H
#define BENCH_TLS_LOAD_H

#include <stdbool.h>
#include <stdint.h>

/* So many at a time; those for whom the server has no time yet wait for it. */
enum { TLS_CLIENTS = 8, TLS_PIECE = 16384 };

void tls_load_begin(void);
/* What was learned from an earlier server is forgotten. */
void tls_load_forget(void);

/* Clients who connect, shake hands, say a line, take leave when something comes back, and wait
 * for the server's leave, for so long: how many. The seconds that it took are in *took. With
 * `resume` each takes up an earlier session, which is checked. */
uint64_t tls_handshakes(int port, bool resume, double seconds, double *took);
/* One client who sends so many pieces of TLS_PIECE bytes, and returns when the server has
 * taken leave. */
void tls_send(int port, long pieces);
/* One who asks for a file, in the words of HTTP, and reads up to the server's leave: how many
 * bytes. */
uint64_t tls_fetch(int port, const char *name);

#endif
