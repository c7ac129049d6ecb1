/* SPDX-License-Identifier: MIT */
/* TLS where OpenSSL is not: this program has a dlopen of its own, which finds no library. */
#include <dlfcn.h>
#include <hocket.h>

#include "pools.h"

static int asked;

void *dlopen(const char *file, int mode)
{
    (void)file, (void)mode;
    asked++;
    return NULL;
}

TEST(without_the_library_each_call_says_what_to_install)
{
    hkt_tls *tls = (hkt_tls *)1;
    for (int i = 0; i < 2; i++) {
        errno = 4711;
        CHECK_EQ(hkt_tls_client(&tls, NULL), -ENOSYS);
        CHECK(tls == NULL);
        CHECK_EQ(hkt_tls_server(&tls, &(hkt_tls_options){ .certificate = "x.pem" }), -ENOSYS);
        CHECK(tls == NULL);
        CHECK(!hkt_tls_available());
        CHECK_EQ(errno, 4711);
    }
    /* A build without the headers does not look for the library. */
    if (asked == 0)
        CHECK_EQ(strncmp(hkt_sentence(-ENOSYS), "this build has no TLS: ", 23), 0);
    else
        CHECK_STR(hkt_sentence(-ENOSYS),
                  "TLS needs OpenSSL 3 (libssl.so.3): install the package libssl3");
    check_finalized();
}
