/* SPDX-License-Identifier: MIT */
/* Connections where OpenSSL is not: this program has a dlopen of its own, which finds no library.
 * */
#include <dlfcn.h>
#include <hocket.h>

#include "connections.h"

void *dlopen(const char *file, int mode)
{
    (void)file, (void)mode;
    return NULL;
}

TEST(without_openssl_a_key_is_refused_and_the_rest_works)
{
    const hkt_connection_options key = { .authkey = "k", .authkey_size = 1 };
    hkt_connection_listener *listener = NULL;
    hkt_connection *connection = NULL, *c[2];
    errno = 4711;
    CHECK_EQ(hkt_connection_listener_create(&listener, NULL, &key), -ENOSYS);
    CHECK(strstr(hkt_sentence(-ENOSYS), "OpenSSL") != NULL);
    CHECK_EQ(hkt_connection_connect(&connection, "localhost:1", &key), -ENOSYS);
    CHECK(strstr(hkt_sentence(-ENOSYS), "OpenSSL") != NULL);
    CHECK_EQ(errno, 4711);
    CHECK(listener == NULL && connection == NULL);
    must_link(OVER_TCP, c);
    say(c[1], "hello");
    hear(c[0], "hello");
    unlink_both(c);
    check_finalized();
}
