/* SPDX-License-Identifier: MIT */
/* SHA-256, by OpenSSL. Without OpenSSL at build time it is off, and says so. */
#ifndef SHA256_H
#define SHA256_H

#include <stdbool.h>
#include <stddef.h>

enum { SHA256_BYTES = 32 };

/* One sum in the making. */
struct sha256;

bool sha256_available(void);

/* Who computes it, as "OpenSSL 3.0.19 27 Jan 2026"; NULL when it is off. */
const char *sha256_library(void);

/* Once, by the main thread, before any sum: 0, or -ENOSYS when it is off or not allowed here. */
int sha256_setup(void);

/* A sum is begun (NULL without memory), fed, and ended, which frees it: 0, or -EIO if OpenSSL
 * failed. Any thread, each its own. */
struct sha256 *sha256_begin(void);
void sha256_feed(struct sha256 *sha256, const void *bytes, size_t n);
int sha256_end(struct sha256 *sha256, unsigned char sum[SHA256_BYTES]);

#endif
