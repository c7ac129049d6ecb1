/* SPDX-License-Identifier: MIT */
/* The algorithm is fetched once: OpenSSL 3 would otherwise look it up under a lock of its own for
 * each sum, and threads would wait for that instead of for what we measure. */
#include "sha256.h"

#include <errno.h>

#ifdef HOCKET_HAVE_OPENSSL

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct sha256 {
    EVP_MD_CTX *context;
    bool failed;
};

static const EVP_MD *algorithm;

bool sha256_available(void)
{
    return true;
}

const char *sha256_library(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}

int sha256_setup(void)
{
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    if (!algorithm)
        algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
#else
    algorithm = EVP_sha256();
#endif
    return algorithm ? 0 : -ENOSYS;
}

struct sha256 *sha256_begin(void)
{
    struct sha256 *sha256 = malloc(sizeof *sha256);

    if (!sha256)
        return NULL;
    sha256->context = EVP_MD_CTX_new();
    if (!sha256->context) {
        free(sha256);
        return NULL;
    }
    sha256->failed = EVP_DigestInit_ex(sha256->context, algorithm, NULL) != 1;
    return sha256;
}

void sha256_feed(struct sha256 *sha256, const void *bytes, size_t n)
{
    if (EVP_DigestUpdate(sha256->context, bytes, n) != 1)
        sha256->failed = true;
}

int sha256_end(struct sha256 *sha256, unsigned char sum[SHA256_BYTES])
{
    bool failed = EVP_DigestFinal_ex(sha256->context, sum, NULL) != 1 || sha256->failed;

    EVP_MD_CTX_free(sha256->context);
    free(sha256);
    return failed ? -EIO : 0;
}

#else

bool sha256_available(void)
{
    return false;
}

const char *sha256_library(void)
{
    return NULL;
}

int sha256_setup(void)
{
    return -ENOSYS;
}

struct sha256 *sha256_begin(void)
{
    return NULL;
}

void sha256_feed(struct sha256 *sha256, const void *bytes, size_t n)
{
    (void)sha256;
    (void)bytes;
    (void)n;
}

int sha256_end(struct sha256 *sha256, unsigned char sum[SHA256_BYTES])
{
    (void)sha256;
    (void)sum;
    return -ENOSYS;
}

#endif
