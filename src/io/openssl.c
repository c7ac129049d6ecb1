/* SPDX-License-Identifier: MIT */
/* Loads OpenSSL: io/openssl.h. States: not loaded; being loaded, under `loading`; loaded, which
 * lasts as long as the process. A failure is not kept: the next one to come looks again. */
#ifdef HKT_HAVE_OPENSSL
#include "io/openssl.h"

#include <dlfcn.h>
#include <errno.h>
#include <hocket/error.h>
#include <hocket/lock.h>

#include "base/atomic.h"

struct hkti_openssl hkti_openssl;

static hkt_lock loading;
static uint32_t loaded;

static const struct place {
    const char *name;
    size_t offset;
} of_ssl[] = {
#define PLACE(function) { #function, offsetof(struct hkti_openssl, function) },
    HKTI_OPENSSL_SSL(PLACE)
}, of_crypto[] = {
    HKTI_OPENSSL_CRYPTO(PLACE)
#undef PLACE
};

/* The functions are written as bytes, since C knows no way from an object's pointer to a
 * function's. */
static int fill(void *library, const char *file, const struct place *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *function = dlsym(library, places[i].name);
        if (function == NULL)
            return hkt_fail(-ENOSYS, "TLS needs OpenSSL 3: this %s has no %s", file,
                            places[i].name);
        __builtin_memcpy((char *)&hkti_openssl + places[i].offset, &function, sizeof function);
    }
    return 0;
}

/* The libraries are not closed again: OpenSSL leaves functions with pthread keys that it wants
 * called. Nor does it clean up at exit, when daemon threads may still be in it. */
static int load(void)
{
    void *ssl = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);
    void *crypto = ssl ? dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL) : NULL;
    if (crypto == NULL)
        return hkt_fail(-ENOSYS, "TLS needs OpenSSL 3 (libssl.so.3): install the package libssl3");
    int err = fill(ssl, "libssl.so.3", of_ssl, sizeof of_ssl / sizeof *of_ssl);
    if (err == 0)
        err = fill(crypto, "libcrypto.so.3", of_crypto, sizeof of_crypto / sizeof *of_crypto);
    if (err < 0)
        return err;
    if (!hkti_openssl.OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS |
                                           OPENSSL_INIT_LOAD_CRYPTO_STRINGS |
                                           OPENSSL_INIT_NO_ATEXIT,
                                       NULL)) {
        hkti_openssl.ERR_clear_error();
        return hkt_fail(-ENOSYS, "OpenSSL cannot be set up: look at its openssl.cnf");
    }
    hkti_store_release(&loaded, 1U); /* pairs: openssl-loaded */
    return 0;
}

int hkti_openssl_load(void)
{
    if (hkti_load_acquire(&loaded)) /* pairs: openssl-loaded */
        return 0;
    int saved = errno;
    hkt_lock_acquire(&loading);
    int err = hkti_load_relaxed(&loaded) ? 0 : load();
    hkt_lock_release(&loading);
    errno = saved;
    return err;
}
#else
typedef int hkti_no_openssl;
#endif
