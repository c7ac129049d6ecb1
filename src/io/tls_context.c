/* SPDX-License-Identifier: MIT */
/* What TLS connections have in common: an SSL_CTX, made once and not changed afterwards, and a
 * client's table of sessions, the last one with each server, which is under the guard. OpenSSL's
 * objects are counted, and may be used by any threads. */
#include "io/tls.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "park/guard.h"

#ifdef HKT_HAVE_OPENSSL
#define CALL(function) hkti_openssl.function

/* "h2,http/1.1" as ALPN writes it: 0, -EINVAL. */
static int read_protocols(hkt_tls *tls, const char *text)
{
    while (text) {
        size_t length = strcspn(text, ",");
        if (length == 0 || length >= sizeof((hkt_tls_info *)0)->protocol)
            return hkt_fail(-EINVAL, "TLS: a protocol's name has 1 to 31 bytes");
        if (tls->protocols_length + 1 + length > sizeof tls->protocols)
            return hkt_fail(-EINVAL, "TLS: the names of the protocols are too many");
        tls->protocols[tls->protocols_length++] = (unsigned char)length;
        memcpy(tls->protocols + tls->protocols_length, text, length);
        tls->protocols_length += length;
        text = text[length] ? text + length + 1 : NULL;
    }
    return 0;
}

/* A server chooses: the first of ours that the client offers. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *length,
                           const unsigned char *offered, unsigned offered_length, void *arg)
{
    const hkt_tls *tls = arg;
    (void)ssl;
    for (size_t i = 0; i < tls->protocols_length; i += 1U + tls->protocols[i])
        for (size_t j = 0; j < offered_length; j += 1U + offered[j])
            if (offered[j] == tls->protocols[i] && j + 1 + offered[j] <= offered_length &&
                memcmp(offered + j + 1, tls->protocols + i + 1, offered[j]) == 0) {
                *chosen = offered + j + 1;
                *length = offered[j];
                return SSL_TLSEXT_ERR_OK;
            }
    return SSL_TLSEXT_ERR_NOACK;
}

/* A key that wants a passphrase is not asked for one at the terminal. */
static int no_passphrase(char *text, int size, int writing, void *arg)
{
    (void)text, (void)size, (void)writing, (void)arg;
    return -1;
}

/* OpenSSL has a new session for a client: a copy is kept in the place of the last one with this
 * server, of a free one, or of the one that was used the longest ago. For OpenSSL takes notes in a
 * connection's own one: that it was taken up (in TLS 1.3 it is good for once then), that the
 * connection was cut off. 0: the session stays OpenSSL's. */
static int session_keep(SSL *ssl, SSL_SESSION *given)
{
    struct hkti_tls_link *link = CALL(SSL_get_ex_data)(ssl, 0);
    SSL_SESSION *session = link && link->name[0] ? CALL(SSL_SESSION_dup)(given) : NULL;
    if (session == NULL)
        return 0;
    hkt_tls *tls = link->tls;
    struct hkti_tls_session *place = tls->sessions;
    hkti_guard_acquire(&tls->guard);
    for (int i = 0; i < HKTI_TLS_SESSIONS; i++) {
        struct hkti_tls_session *other = &tls->sessions[i];
        if (strcmp(other->name, link->name) == 0) {
            place = other;
            break;
        }
        if (other->used < place->used)
            place = other;
    }
    SSL_SESSION *old = place->session;
    place->session = session;
    place->used = ++tls->uses;
    memcpy(place->name, link->name, sizeof place->name);
    hkti_guard_release(&tls->guard);
    if (old)
        CALL(SSL_SESSION_free)(old);
    return 0;
}

/* Copied under the guard: who replaces the session frees it, and must not come between. */
SSL_SESSION *hkti_tls_session_find(hkt_tls *tls, const char *name)
{
    SSL_SESSION *copy = NULL;
    if (tls->sessions == NULL || name[0] == 0)
        return NULL;
    hkti_guard_acquire(&tls->guard);
    for (int i = 0; i < HKTI_TLS_SESSIONS && copy == NULL; i++)
        if (strcmp(tls->sessions[i].name, name) == 0) {
            tls->sessions[i].used = ++tls->uses;
            copy = CALL(SSL_SESSION_dup)(tls->sessions[i].session);
        }
    hkti_guard_release(&tls->guard);
    return copy;
}

void hkti_tls_session_forget(hkt_tls *tls, const char *name)
{
    SSL_SESSION *session = NULL;
    if (tls->sessions == NULL || name[0] == 0)
        return;
    hkti_guard_acquire(&tls->guard);
    for (int i = 0; i < HKTI_TLS_SESSIONS && session == NULL; i++)
        if (strcmp(tls->sessions[i].name, name) == 0) {
            session = tls->sessions[i].session;
            tls->sessions[i] = (struct hkti_tls_session){ 0 };
        }
    hkti_guard_release(&tls->guard);
    if (session)
        CALL(SSL_SESSION_free)(session);
}

/* The certificate, and its key. */
static int load_certificate(SSL_CTX *context, const hkt_tls_options *options)
{
    const char *key = options->key ? options->key : options->certificate;
    if (CALL(SSL_CTX_use_certificate_chain_file)(context, options->certificate) != 1)
        return hkti_tls_file_error("certificate", options->certificate);
    if (CALL(SSL_CTX_use_PrivateKey_file)(context, key, SSL_FILETYPE_PEM) != 1)
        return hkti_tls_file_error("key", key);
    return 0;
}

/* Whom we believe; a server also tells its clients. A certificate in the file is believed as it
 * is, whoever has signed it. */
static int load_authorities(hkt_tls *tls, const hkt_tls_options *options)
{
    const char *file = options->authorities;
    CALL(X509_VERIFY_PARAM_set_flags)
    (CALL(SSL_CTX_get0_param)(tls->context), X509_V_FLAG_PARTIAL_CHAIN);
    if (file == NULL) {
        if (CALL(SSL_CTX_set_default_verify_paths)(tls->context) != 1)
            return hkti_tls_file_error("authorities", "the system's");
        return 0;
    }
    if (CALL(SSL_CTX_load_verify_file)(tls->context, file) != 1)
        return hkti_tls_file_error("authorities", file);
    if (!tls->server)
        return 0;
    STACK_OF(X509_NAME) *names = CALL(SSL_load_client_CA_file)(file);
    if (names == NULL)
        return hkti_tls_file_error("authorities", file);
    CALL(SSL_CTX_set_client_CA_list)(tls->context, names);
    return 0;
}

static int set_sessions(hkt_tls *tls)
{
    SSL_CTX *context = tls->context;
    static const unsigned char id[] = "hocket";
    if (tls->no_tickets)
        CALL(SSL_CTX_set_options)(context, SSL_OP_NO_TICKET);
    CALL(SSL_CTX_set_num_tickets)(context, 0); /* in the handshake; tls.c sends one later */
    CALL(SSL_CTX_ctrl)(context, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, NULL);
    if (tls->server)
        return CALL(SSL_CTX_set_session_id_context)(context, id, sizeof id - 1) == 1 ? 0 : -ENOMEM;
    if (tls->no_tickets)
        return 0;
    tls->sessions = hkti_allocate(HKTI_TLS_SESSIONS * sizeof *tls->sessions);
    if (tls->sessions == NULL)
        return -ENOMEM;
    CALL(SSL_CTX_ctrl)
    (context, SSL_CTRL_SET_SESS_CACHE_MODE,
     SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE, NULL);
    CALL(SSL_CTX_sess_set_new_cb)(context, session_keep);
    return 0;
}

static int set_protocols(hkt_tls *tls, const char *protocols)
{
    int err = read_protocols(tls, protocols);
    if (err < 0 || tls->protocols_length == 0)
        return err;
    if (tls->server)
        CALL(SSL_CTX_set_alpn_select_cb)(tls->context, choose_protocol, tls);
    else if (CALL(SSL_CTX_set_alpn_protos)(tls->context, tls->protocols,
                                           (unsigned)tls->protocols_length) != 0)
        return -ENOMEM;
    return 0;
}

static int set_up(hkt_tls *tls, const hkt_tls_options *options)
{
    tls->context = CALL(SSL_CTX_new)(tls->server ? CALL(TLS_server_method)()
                                                 : CALL(TLS_client_method)());
    tls->method = hkti_tls_bio_method();
    if (tls->context == NULL || tls->method == NULL)
        return -ENOMEM;
    CALL(SSL_CTX_ctrl)(tls->context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
    CALL(SSL_CTX_set_options)
    (tls->context,
     SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    CALL(SSL_CTX_ctrl)(tls->context, SSL_CTRL_MODE, SSL_MODE_RELEASE_BUFFERS, NULL);
    CALL(SSL_CTX_set_default_passwd_cb)(tls->context, no_passphrase);
    if (tls->verifies)
        CALL(SSL_CTX_set_verify)
    (tls->context, SSL_VERIFY_PEER | (tls->server ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    int err = set_sessions(tls);
    if (err == 0)
        err = set_protocols(tls, options->protocols);
    if (err == 0 && options->certificate)
        err = load_certificate(tls->context, options);
    if (err == 0 && tls->verifies)
        err = load_authorities(tls, options);
    return err;
}

static int create(hkt_tls **made, const hkt_tls_options *options, bool server)
{
    static const hkt_tls_options defaults;
    if (options == NULL)
        options = &defaults;
    *made = NULL;
    int err = hkti_openssl_load();
    if (err < 0)
        return err;
    if (server && options->certificate == NULL)
        return hkt_fail(-EINVAL, "a TLS server needs a certificate");
    if (options->key && options->certificate == NULL)
        return hkt_fail(-EINVAL, "TLS: a key without its certificate");
    hkt_tls *tls = hkti_allocate(sizeof *tls);
    if (tls == NULL)
        return -ENOMEM;
    tls->users = 1;
    tls->server = server;
    tls->verifies = server ? options->ask_client : !options->insecure;
    tls->no_tickets = options->no_tickets;
    int saved = errno;
    CALL(ERR_clear_error)();
    err = set_up(tls, options);
    CALL(ERR_clear_error)();
    if (err < 0)
        hkt_tls_destroy(tls);
    else
        *made = tls;
    errno = saved;
    return err;
}

int hkt_tls_client(hkt_tls **tls, const hkt_tls_options *options)
{
    return create(tls, options, false);
}

int hkt_tls_server(hkt_tls **tls, const hkt_tls_options *options)
{
    return create(tls, options, true);
}

void hkti_tls_hold(hkt_tls *tls)
{
    hkti_fetch_add_relaxed(&tls->users, 1U);
}

void hkt_tls_destroy(hkt_tls *tls)
{
    if (tls == NULL || hkti_fetch_add_acq_rel(&tls->users, UINT32_MAX) != 1) /* pairs: tls-users */
        return;
    for (int i = 0; tls->sessions && i < HKTI_TLS_SESSIONS; i++)
        if (tls->sessions[i].session)
            CALL(SSL_SESSION_free)(tls->sessions[i].session);
    hkti_release(tls->sessions, HKTI_TLS_SESSIONS * sizeof *tls->sessions);
    CALL(SSL_CTX_free)(tls->context);
    CALL(BIO_meth_free)(tls->method);
    hkti_release(tls, sizeof *tls);
}

bool hkt_tls_available(void)
{
    return hkti_openssl_load() == 0;
}

#else /* no headers of OpenSSL when this was built */

static int none(void)
{
    return hkt_fail(-ENOSYS, "this build has no TLS: it was made without the headers of OpenSSL 3");
}

int hkt_tls_client(hkt_tls **tls, const hkt_tls_options *options)
{
    (void)options;
    *tls = NULL;
    return none();
}

int hkt_tls_server(hkt_tls **tls, const hkt_tls_options *options)
{
    (void)options;
    *tls = NULL;
    return none();
}

void hkt_tls_destroy(hkt_tls *tls)
{
    (void)tls;
}

void hkti_tls_hold(hkt_tls *tls)
{
    (void)tls;
}

bool hkt_tls_available(void)
{
    return false;
}

int hkt_stream_start_tls(hkt_stream *stream, hkt_tls *tls, const char *server_name)
{
    (void)stream, (void)tls, (void)server_name;
    return none();
}

int hkt_stream_tls_info(const hkt_stream *stream, hkt_tls_info *info)
{
    (void)stream;
    memset(info, 0, sizeof *info);
    return -EINVAL;
}
#endif
