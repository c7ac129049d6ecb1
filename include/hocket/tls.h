/* SPDX-License-Identifier: MIT */
/* TLS on streams, 1.2 and 1.3, by OpenSSL 3, which is loaded when it is first used: a program
 * that uses no TLS needs none. Certificates are verified unless that is switched off.
 *
 *     hkt_tls *tls;
 *     int err = hkt_tls_client(&tls, NULL);
 *     if (err == 0)
 *         err = hkt_stream_connect(&stream, "example.org", 443,
 *                                  &(hkt_connect_options){ .tls = tls });
 *
 * A handshake uses some 16 KiB of the caller's stack; that of a task, 64 KiB unless said
 * otherwise, does. (ssl.SSLContext, loop.start_tls) */
#ifndef HOCKET_TLS_H
#define HOCKET_TLS_H

#include <hocket/stream.h>

HKT_BEGIN_DECLS

/* What connections have in common: certificates and rules. Used by any number of them, in any
 * threads; it may be destroyed before these have ended. A client keeps the last session with
 * each of the sixteen servers that it spoke to last, by name (not by port), and takes it up
 * again, which makes a handshake cheaper. */
typedef struct hkt_tls_options {
    const char *certificate; /* PEM file of ours, with its chain; a server needs one */
    const char *key;         /* PEM file of its key, without passphrase; NULL: in the same file */
    const char *authorities; /* PEM file of those whom we believe; NULL: those of the system,
                               which with ask_client lets in whom anybody has certified */
    bool insecure;           /* a client believes everybody: for tests alone */
    bool ask_client;         /* a server wants a certificate of its clients, and verifies it */
    const char *protocols; /* ALPN: "h2,http/1.1", the best first, by the server's order; names of 1
                                to 31 bytes; NULL: nothing is said of it */
    bool no_tickets;       /* sessions are not taken up again */
    uint64_t reserved[4];  /* zero */
} hkt_tls_options;

/* 0; -ENOSYS: no TLS in this build, or no OpenSSL on this machine, and the sentence says which;
 * -ENOENT, -EACCES, ...: a file; -EBADMSG: what is in it; -EKEYREJECTED: the key is not that of
 * the certificate; with a sentence that names the file; -EINVAL; -ENOMEM. Reads files: may
 * block. */
HKT_API HKT_MUST_USE int hkt_tls_client(hkt_tls **tls, const hkt_tls_options *options);
HKT_API HKT_MUST_USE int hkt_tls_server(hkt_tls **tls, const hkt_tls_options *options);
/* NULL is fine. */
HKT_API void hkt_tls_destroy(hkt_tls *tls);

/* Is TLS there? */
HKT_API bool hkt_tls_available(void);

/* From now on the stream speaks TLS: shakes hands, as client or server as `tls` says.
 * `server_name`, of a client: the name or number that the certificate must have; a name is also
 * told to the server (SNI); -EINVAL: it is NULL or empty, and the client
 * verifies; it begins with a dot, or is longer than 255 bytes. What is kept for
 * writing is sent first; what was read ahead belongs to the handshake. 0; -EKEYREJECTED: the
 * certificate is not good (expired, of another name, signed by nobody we believe), or ours is
 * not for the other side; -EPROTO: the other side does not speak TLS, or not ours; -ENODATA: it
 * went away; with a sentence. -EBUSY: somebody reads, or it speaks TLS already. After an error
 * of the handshake the stream is of no use but to be closed. A cancellation point. (start_tls) */
HKT_API HKT_MUST_USE int hkt_stream_start_tls(hkt_stream *stream, hkt_tls *tls,
                                              const char *server_name);

/* Reading such a stream, 0 says that the other side has taken leave; when the connection ends
 * without that, it may have been cut: -ENODATA. -EPROTO: what came was changed on its way, or
 * the other side has found a fault. -EKEYREJECTED: a server tells a client that it does not like
 * the certificate after the client's handshake. What TLS has taken counts as written: when a
 * write is cancelled, up to one record of it, 16 KiB, goes out with the next call, or by close. */

typedef struct hkt_tls_info {
    char version[16];      /* "TLSv1.3" */
    char cipher[64];       /* "TLS_AES_256_GCM_SHA384" */
    char protocol[32];     /* by ALPN; "" */
    char server_name[256]; /* on a server: whom the client asked for; "" */
    char peer[256];        /* the subject of the other side's certificate, "CN=example.org"; "" */
    bool resumed;          /* an earlier session was taken up again */
    uint64_t reserved[4];
} hkt_tls_info;
/* 0; -EINVAL: it does not speak TLS (yet). */
HKT_API int hkt_stream_tls_info(const hkt_stream *stream, hkt_tls_info *info);

HKT_END_DECLS

#endif
