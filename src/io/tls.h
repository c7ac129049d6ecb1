/* SPDX-License-Identifier: MIT */
/* TLS inside. hkt_tls (tls_context.c) is what connections have in common, counted; a link
 * (tls.c) is the TLS of one stream, between its plain layer and its user.
 *
 * A link's SSL object is touched under `lock` alone, for one try, in which nothing waits: reader
 * and writer may be on different threads. OpenSSL reads and writes through a BIO whose data is
 * the link; its reads are tries of the channel. Its writes always succeed: what the system does
 * not take is `kept`, and goes out before anything else. For SSL_write, once it has begun a
 * record, wants the same bytes again until the record is out, and a writer that is cancelled
 * will not bring them again. So a record that has been begun is TLS's, and counts as written.
 *
 * States: shaking hands (`done` false); open; `left`: we have taken leave; `broken`: an error
 * that all calls return from then on. `in_error` and `out_error` are those of one direction:
 * what the other side sent before it reset the connection can still be read. */
#ifndef HKTI_IO_TLS_H
#define HKTI_IO_TLS_H

#include <hocket/tls.h>

#include "io/stream.h"

/* One more uses it; hkt_tls_destroy takes one away. */
void hkti_tls_hold(hkt_tls *tls);

#ifdef HKT_HAVE_OPENSSL
#include "io/openssl.h"

enum {
    HKTI_TLS_RECORD = 16384, /* bytes of the user in a record, at the most */
    HKTI_TLS_KEPT = HKTI_TLS_RECORD + 2048,
    HKTI_TLS_SESSIONS = 16,
    HKTI_TLS_NAME = 256, /* a server's name, with its zero */
    HKTI_TLS_PROTOCOLS = 256,
};

/* The last session with a server; under the guard. */
struct hkti_tls_session {
    char name[HKTI_TLS_NAME]; /* "": free */
    SSL_SESSION *session;
    uint64_t used; /* the larger, the later */
};

struct hkt_tls {
    uint32_t users;
    bool server, verifies, no_tickets;
    SSL_CTX *context;
    BIO_METHOD *method; /* of its links' BIOs */
    size_t protocols_length;
    unsigned char
        protocols[HKTI_TLS_PROTOCOLS]; /* as ALPN writes them: length, name, length, name */
    uint32_t guard;
    uint64_t uses;
    struct hkti_tls_session *sessions; /* of a client; NULL: none are kept */
};

struct hkti_tls_link {
    hkt_lock lock;
    SSL *ssl;
    hkt_tls *tls;
    hkt_stream *stream;
    struct hkti_bytes ahead; /* what the stream had read before it spoke TLS */
    int broken, in_error, out_error;
    bool done, left;
    bool ticketed; /* a server has sent its ticket */
    bool lost;     /* something that was taken could not be sent, and nobody has been told */
    bool ended;    /* the fd has come to its end */
    bool dry;      /* in this try, the fd has no more */
    bool settled; /* the last read found nothing, so OpenSSL holds at the most a part of a record */
    char *staged; /* HKTI_TLS_RECORD bytes, where small pieces become one record; NULL: not yet */
    char name[HKTI_TLS_NAME]; /* of the server, as a client; "" */
    size_t kept_begin, kept_end;
    char kept[HKTI_TLS_KEPT];
};

extern const struct hkti_stream_layer hkti_tls_layer;

/* How links are read and written, and the BIO of one; NULL: no memory. */
BIO_METHOD *hkti_tls_bio_method(void);
BIO *hkti_tls_bio(struct hkti_tls_link *link);
/* Is there something that the system has not taken? */
static inline bool hkti_tls_keeps(const struct hkti_tls_link *link)
{
    return link->kept_end > 0;
}

/* Under the lock: sends what is kept: 0, -EAGAIN, errors. */
int hkti_tls_flush(struct hkti_tls_link *link);

/* Under the lock: what a call of OpenSSL that returned `result` (not above 0) means: 0: the
 * other side has taken leave; -EAGAIN with *wants; an error, with its sentence, which is kept in
 * the link. Empties OpenSSL's error queue. */
int hkti_tls_outcome(struct hkti_tls_link *link, int result, short *wants);

/* Empties OpenSSL's queue after a failed call for a file: the error, with a sentence that names
 * it. */
int hkti_tls_file_error(const char *what, const char *path);

/* A copy of the session to take up again, the caller's own; NULL. */
SSL_SESSION *hkti_tls_session_find(hkt_tls *tls, const char *name);
/* A handshake that took it up failed: the next one begins anew. */
void hkti_tls_session_forget(hkt_tls *tls, const char *name);
#endif

#endif
