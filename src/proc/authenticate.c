/* SPDX-License-Identifier: MIT */
/* How the two ends of a new connection show each other that they know the same key.
 *
 *     listener                               client
 *     HELLO algorithm, nonce        ->
 *                                   <-       ANSWER algorithm, nonce, MAC
 *     WELCOME MAC                   ->
 *                                   <-       WELCOME
 *
 * or REFUSED, in place of any of these but the first. A MAC is HMAC-SHA-256 with the key over this
 * protocol's name, the algorithm, the role of who makes it, and both nonces: so one that is sent
 * back, or was heard elsewhere, is good for nothing, and there is nothing to bargain about. Without
 * a key the same is said, with the algorithm "none"; so a side that has a key and one that has none
 * find out, and neither waits for what does not come. Each says four fixed messages at most. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>

#include "base/memory.h"
#include "proc/connection.h"

#ifdef HKT_HAVE_OPENSSL
#include "io/openssl.h"
#endif

#define WORD 16
#define BYTES 32

struct message {
    char kind[WORD];
    char algorithm[WORD];
    unsigned char nonce[BYTES];
    unsigned char mac[BYTES];
};

/* What is authenticated. */
struct transcript {
    char protocol[WORD];
    char algorithm[WORD];
    char role[WORD];
    unsigned char nonces[2][BYTES]; /* the listener's, the client's */
};

struct talk {
    hkt_connection *connection;
    const void *key; /* NULL: none */
    size_t key_size;
    unsigned char nonces[2][BYTES];
};

enum { LISTENER, CLIENT };

static const char hello[WORD] = "hocket hello 1", answer[WORD] = "hocket answer 1",
                  welcome[WORD] = "hocket welcome1", refused[WORD] = "hocket refused1",
                  none[WORD] = "none", hmac_sha256[WORD] = "hmac-sha256";

int hkti_authenticate_ready(const void *key, size_t size)
{
    if (key == NULL)
        return 0;
    if (size > INT_MAX)
        return hkt_fail(-EINVAL, "a key of %zu bytes is too long", size);
#ifdef HKT_HAVE_OPENSSL
    if (hkti_openssl_load() < 0)
        return hkt_fail(-ENOSYS, "a connection with a key needs OpenSSL 3 (libssl.so.3): install "
                                 "the package libssl3");
    return 0;
#else
    return hkt_fail(-ENOSYS, "this build has no keys for connections: build it with OpenSSL 3's "
                             "headers (libssl-dev)");
#endif
}

static const char *algorithm_of(const struct talk *talk)
{
    return talk->key ? hmac_sha256 : none;
}

/* 0, or -ENOMEM. */
static int make_mac(const struct talk *talk, int role, unsigned char mac[BYTES])
{
    memset(mac, 0, BYTES);
    if (talk->key == NULL)
        return 0;
#ifdef HKT_HAVE_OPENSSL
    struct transcript about = { .protocol = "hocket connect1" };
    memcpy(about.algorithm, hmac_sha256, WORD);
    memcpy(about.role, role == LISTENER ? "listener" : "client", role == LISTENER ? 8 : 6);
    memcpy(about.nonces, talk->nonces, sizeof about.nonces);
    const void *key = talk->key_size ? talk->key : "";
    unsigned length = 0;
    int saved = errno;
    bool made = hkti_openssl.HMAC(hkti_openssl.EVP_sha256(), key, (int)talk->key_size,
                                  (const unsigned char *)&about, sizeof about, mac, &length);
    if (!made)
        hkti_openssl.ERR_clear_error();
    errno = saved;
    return made && length == BYTES ? 0 : -ENOMEM;
#else
    (void)role;
    return -ENOSYS;
#endif
}

/* Takes as long whether they differ or not, and wherever. */
static bool same_mac(const unsigned char *mac, const unsigned char *other)
{
    volatile unsigned char difference = 0;
    for (int i = 0; i < BYTES; i++)
        difference = (unsigned char)(difference | (mac[i] ^ other[i]));
    return difference == 0;
}

static int make_nonce(unsigned char nonce[BYTES])
{
    int saved = errno;
    ssize_t n;
    do
        n = getrandom(nonce, BYTES, 0);
    while (n < 0 && errno == EINTR);
    int err = n == BYTES ? 0 : n < 0 ? -errno : -EIO;
    errno = saved;
    return err;
}

static int gone(void)
{
    return hkt_fail(-EKEYREJECTED, "the other side went away before it had shown its key");
}

static int say(const struct talk *talk, const char *kind, const unsigned char *nonce,
               const unsigned char *mac)
{
    struct message message = { .kind = { 0 } };
    memcpy(message.kind, kind, WORD);
    memcpy(message.algorithm, algorithm_of(talk), WORD);
    if (nonce)
        memcpy(message.nonce, nonce, BYTES);
    if (mac)
        memcpy(message.mac, mac, BYTES);
    int err = hkt_connection_send(talk->connection, &message, sizeof message);
    return err == -EPIPE ? gone() : err;
}

/* Tells the other one, if that can be done. */
static int refuse(const struct talk *talk, const char *why)
{
    int err = say(talk, refused, NULL, NULL);
    if (err == -ECANCELED || err == -ESHUTDOWN)
        return err;
    return hkt_fail(-EKEYREJECTED, "%s", why);
}

/* A message of this kind: 0. */
static int hear(const struct talk *talk, const char *kind, struct message *message)
{
    int n = hkt_connection_recv(talk->connection, message, sizeof *message);
    if (n == -ENODATA || n == -EPIPE)
        return gone();
    if (n < 0 && n != -EBADMSG && n != -EMSGSIZE && n != -EMFILE)
        return n;
    if (n == (int)sizeof *message && memcmp(message->kind, refused, WORD) == 0)
        return hkt_fail(-EKEYREJECTED, talk->key ? "the other side does not take this key"
                                                 : "the other side has a key, and this one none");
    if (n != (int)sizeof *message || memcmp(message->kind, kind, WORD) != 0)
        return refuse(talk, "the other side is no connection of hocket's");
    if (memcmp(message->algorithm, algorithm_of(talk), WORD) != 0)
        return refuse(talk, talk->key ? "the other side shows no key"
                                      : "the other side has a key, and this one none");
    return 0;
}

/* Is the MAC in the message that of `role`? 0. */
static int check(const struct talk *talk, int role, const struct message *message)
{
    unsigned char expected[BYTES];
    int err = make_mac(talk, role, expected);
    if (err < 0)
        return err;
    return same_mac(message->mac, expected) ? 0 : refuse(talk, "the other side has another key");
}

static int listen_to(struct talk *talk)
{
    struct message message;
    unsigned char mac[BYTES];
    int err = make_nonce(talk->nonces[LISTENER]);
    if (err == 0)
        err = say(talk, hello, talk->nonces[LISTENER], NULL);
    if (err == 0)
        err = hear(talk, answer, &message);
    if (err < 0)
        return err;
    memcpy(talk->nonces[CLIENT], message.nonce, BYTES);
    err = check(talk, CLIENT, &message);
    if (err == 0)
        err = make_mac(talk, LISTENER, mac);
    if (err == 0)
        err = say(talk, welcome, NULL, mac);
    return err < 0 ? err : hear(talk, welcome, &message);
}

static int speak_to(struct talk *talk)
{
    struct message message;
    unsigned char mac[BYTES];
    int err = hear(talk, hello, &message);
    if (err < 0)
        return err;
    memcpy(talk->nonces[LISTENER], message.nonce, BYTES);
    err = make_nonce(talk->nonces[CLIENT]);
    if (err == 0)
        err = make_mac(talk, CLIENT, mac);
    if (err == 0)
        err = say(talk, answer, talk->nonces[CLIENT], mac);
    if (err == 0)
        err = hear(talk, welcome, &message);
    if (err == 0)
        err = check(talk, LISTENER, &message);
    return err < 0 ? err : say(talk, welcome, NULL, NULL);
}

int hkti_authenticate(hkt_connection *connection, const void *key, size_t size, bool listener)
{
    struct talk talk = { .connection = connection, .key = key, .key_size = size };
    return listener ? listen_to(&talk) : speak_to(&talk);
}
