/* SPDX-License-Identifier: MIT */
/* What tests of TLS use: certificates, made by OpenSSL's own functions into a folder that goes
 * away again; and two sides, each a function with a stream, that run as two tasks of a loop and
 * then as two threads. */
#ifndef HOCKET_TESTS_TLS_PAIRS_H
#define HOCKET_TESTS_TLS_PAIRS_H

#include <dirent.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "loops.h"

/* A certificate and its key, in one file each. */
struct identity {
    X509 *certificate;
    EVP_PKEY *key;
    char file[256];     /* both, the certificate of `issuer` between them */
    char key_file[256]; /* the key alone */
};

struct identity_options {
    const char *subject, *names; /* "DNS:example.org,IP:127.0.0.1"; NULL: none */
    struct identity *issuer;     /* NULL: itself */
    bool authority, rsa;
    long begins, ends; /* days from now; 0, 0: yesterday to tomorrow */
};

static char tls_folder[64];

static inline void open_folder(void)
{
    snprintf(tls_folder, sizeof tls_folder, "/tmp/hocket-tls-XXXXXX");
    CHECK(mkdtemp(tls_folder) != NULL);
}

static inline void close_folder(void)
{
    char path[512];
    struct dirent *entry;
    DIR *folder = opendir(tls_folder);
    CHECK(folder != NULL);
    while ((entry = readdir(folder)) != NULL)
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", tls_folder, entry->d_name);
            CHECK_EQ(unlink(path), 0);
        }
    closedir(folder);
    CHECK_EQ(rmdir(tls_folder), 0);
}

static inline void add_extension(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    CHECK(extension != NULL);
    CHECK_EQ(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static inline void write_identity(struct identity *made, const struct identity *issuer)
{
    static int number;
    snprintf(made->file, sizeof made->file, "%s/%d.pem", tls_folder, ++number);
    snprintf(made->key_file, sizeof made->key_file, "%s/%d-key.pem", tls_folder, number);
    FILE *file = fopen(made->file, "w"), *key = fopen(made->key_file, "w");
    CHECK(file != NULL && key != NULL);
    CHECK_EQ(PEM_write_X509(file, made->certificate), 1);
    if (issuer)
        CHECK_EQ(PEM_write_X509(file, issuer->certificate), 1);
    CHECK_EQ(PEM_write_PrivateKey(file, made->key, NULL, NULL, 0, NULL, NULL), 1);
    CHECK_EQ(PEM_write_PrivateKey(key, made->key, NULL, NULL, 0, NULL, NULL), 1);
    CHECK(fclose(file) == 0 && fclose(key) == 0);
}

static inline struct identity make_identity(struct identity_options options)
{
    static long serial;
    struct identity made = { .certificate = X509_new() };
    made.key = options.rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    const struct identity *issuer = options.issuer ? options.issuer : &made;
    CHECK(made.certificate != NULL && made.key != NULL);
    long begins = options.begins ? options.begins : -1, ends = options.ends ? options.ends : 1;
    X509_set_version(made.certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(made.certificate), begins * 86400);
    X509_gmtime_adj(X509_getm_notAfter(made.certificate), ends * 86400);
    X509_set_pubkey(made.certificate, made.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.certificate), "CN", MBSTRING_UTF8,
                               (const unsigned char *)options.subject, -1, -1, 0);
    X509_set_issuer_name(made.certificate, X509_get_subject_name(issuer->certificate));
    if (options.authority)
        add_extension(made.certificate, issuer->certificate, NID_basic_constraints,
                      "critical,CA:TRUE");
    if (options.names)
        add_extension(made.certificate, issuer->certificate, NID_subject_alt_name, options.names);
    CHECK(X509_sign(made.certificate, issuer->key, EVP_sha256()) > 0);
    write_identity(&made, options.issuer);
    return made;
}

static inline void free_identity(struct identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
}

/* An authority, and example.org by it: what most tests need. */
struct world {
    struct identity authority, server;
};

static inline void world_open(struct world *world)
{
    open_folder();
    world->authority = make_identity(
        (struct identity_options){ .subject = "Authority", .authority = true });
    world->server = make_identity(
        (struct identity_options){ .subject = "example.org",
                                   .names = "DNS:example.org,DNS:*.example.net,IP:127.0.0.1,IP:::1",
                                   .issuer = &world->authority });
}

static inline void world_close(struct world *world)
{
    free_identity(&world->authority);
    free_identity(&world->server);
    close_folder();
    check_finalized();
}

static inline hkt_tls *must_client(const hkt_tls_options *options)
{
    hkt_tls *tls = NULL;
    CHECK_EQ(hkt_tls_client(&tls, options), 0);
    return tls;
}

static inline hkt_tls *must_server(const hkt_tls_options *options)
{
    hkt_tls *tls = NULL;
    CHECK_EQ(hkt_tls_server(&tls, options), 0);
    return tls;
}

/* The client of a world; its server. */
static inline hkt_tls *world_client(const struct world *world)
{
    return must_client(&(hkt_tls_options){ .authorities = world->authority.file });
}

static inline hkt_tls *world_server(const struct world *world)
{
    return must_server(&(hkt_tls_options){ .certificate = world->server.file });
}

/* One side of a connection. */
struct side {
    int (*body)(struct side *side);
    hkt_tls *tls;
    const char *name;   /* whom the client wants */
    hkt_stream *stream; /* closed and given back after the body */
    int result;
    char sentence[HKT_SENTENCE_MAX]; /* of that result */
    void *arg;
    hkt_tls_info info; /* for bodies */
};

static inline int side_run(void *arg)
{
    struct side *side = arg;
    errno = 4711;
    side->result = side->body(side);
    CHECK_EQ(ERR_peek_error(), 0); /* nothing is left for others who use OpenSSL in this thread */
    snprintf(side->sentence, sizeof side->sentence, "%s", hkt_sentence(side->result));
    hkt_stream_destroy(side->stream);
    side->stream = NULL;
    return 0;
}

static inline int sides_in_loop(void *arg)
{
    struct side **sides = arg;
    hkt_task *other = must_start(side_run, sides[1]);
    CHECK_EQ(side_run(sides[0]), 0);
    CHECK_EQ(hkt_future_finish(other), 0);
    return 0;
}

/* Two streams, by TCP. */
static inline void tcp_pair(hkt_stream *streams[2])
{
    hkt_listener *listener;
    hkt_address address;
    CHECK_EQ(hkt_listener_create(&listener, "127.0.0.1", 0, NULL), 0);
    CHECK_EQ(hkt_listener_address(listener, &address), 0);
    CHECK_EQ(hkt_stream_connect_address(&streams[0], &address, NULL), 0);
    CHECK_EQ(hkt_listener_accept(listener, &streams[1]), 0);
    hkt_listener_destroy(listener);
}

static inline void make_streams(struct side *a, struct side *b)
{
    hkt_stream *streams[2];
    tcp_pair(streams);
    a->stream = streams[0];
    b->stream = streams[1];
}

static inline void run_in_tasks(struct side *a, struct side *b)
{
    struct side *sides[2] = { a, b };
    make_streams(a, b);
    CHECK_EQ(hkt_run(sides_in_loop, sides), 0);
}

static inline void run_in_threads(struct side *a, struct side *b)
{
    make_streams(a, b);
    hkt_thread *threads[2] = { must_spawn(side_run, a, NULL), must_spawn(side_run, b, NULL) };
    must_join(threads[0]);
    must_join(threads[1]);
}

/* A body that only shakes hands, and looks at what came of it. */
static inline int shake_hands(struct side *side)
{
    int err = hkt_stream_start_tls(side->stream, side->tls, side->name);
    if (err == 0)
        CHECK_EQ(hkt_stream_tls_info(side->stream, &side->info), 0);
    return err;
}

/* The same, and each says a word and hears one, and then takes leave. */
static inline int greet(struct side *side)
{
    char word[8] = "", byte;
    int err = shake_hands(side);
    if (err == 0)
        err = hkt_stream_write(side->stream, "hello", 5);
    if (err == 0)
        err = hkt_stream_read_exactly(side->stream, word, 5, NULL);
    if (err < 0)
        return err;
    CHECK_STR(word, "hello");
    CHECK_EQ(hkt_stream_write_eof(side->stream), 0);
    return hkt_stream_read(side->stream, &byte, 1);
}

/* The other side is OpenSSL itself, in a thread, on a blocking socket. */
struct raw {
    void (*body)(struct raw *raw, SSL *ssl);
    const struct identity
        *identity; /* of a server; NULL: it is a client, which believes everybody */
    int version;   /* the highest; 0: any */
    int fd;
    hkt_stream *stream; /* hocket's side */
    pthread_t thread;
    void *arg;
};

static inline void *raw_run(void *arg)
{
    struct raw *raw = arg;
    SSL_CTX *context = SSL_CTX_new(raw->identity ? TLS_server_method() : TLS_client_method());
    CHECK(context != NULL);
    if (raw->version)
        SSL_CTX_set_max_proto_version(context, raw->version);
    if (raw->identity) {
        CHECK_EQ(SSL_CTX_use_certificate(context, raw->identity->certificate), 1);
        CHECK_EQ(SSL_CTX_use_PrivateKey(context, raw->identity->key), 1);
    }
    SSL *ssl = SSL_new(context);
    CHECK_EQ(SSL_set_fd(ssl, raw->fd), 1);
    if (raw->identity)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    raw->body(raw, ssl);
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(raw->fd);
    return NULL;
}

static inline void raw_start(struct raw *raw)
{
    int fds[2];
    signal(SIGPIPE, SIG_IGN); /* OpenSSL's own sockets raise it */
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    CHECK_EQ(hkt_stream_adopt(&raw->stream, fds[0], false), 0);
    raw->fd = fds[1];
    CHECK_EQ(pthread_create(&raw->thread, NULL, raw_run, raw), 0);
}

static inline void raw_end(struct raw *raw)
{
    hkt_stream_destroy(raw->stream);
    CHECK_EQ(pthread_join(raw->thread, NULL), 0);
}

#endif
