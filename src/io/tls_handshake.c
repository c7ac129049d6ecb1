/* SPDX-License-Identifier: MIT */
/* How a stream begins to speak TLS. Who shakes hands is its one reader and writer until that is
 * done, so nothing is sent or read as plain bytes meanwhile; nor afterwards, for the layer stays
 * when the handshake fails. */
#ifdef HKT_HAVE_OPENSSL
#include "io/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/memory.h"

#define CALL(function) hkti_openssl.function

static bool is_address(const char *name)
{
    unsigned char address[16];
    return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

/* A client says whom it wants (names alone, not numbers: RFC 6066), and takes up their last
 * session. */
static int set_name(struct hkti_tls_link *link)
{
    bool number = is_address(link->name), good = true;
    X509_VERIFY_PARAM *param = CALL(SSL_get0_param)(link->ssl);
    if (!number)
        good = CALL(SSL_ctrl)(link->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                              link->name) == 1;
    CALL(X509_VERIFY_PARAM_set_hostflags)(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (good && link->tls->verifies)
        good = number ? CALL(X509_VERIFY_PARAM_set1_ip_asc)(param, link->name) == 1
                      : CALL(X509_VERIFY_PARAM_set1_host)(param, link->name, 0) == 1;
    if (!good)
        return -ENOMEM;
    SSL_SESSION *session = hkti_tls_session_find(link->tls, link->name);
    if (session) {
        CALL(SSL_set_session)(link->ssl, session);
        CALL(SSL_SESSION_free)(session);
    }
    return 0;
}

static int set_up(struct hkti_tls_link *link)
{
    link->ssl = CALL(SSL_new)(link->tls->context);
    BIO *bio = link->ssl ? hkti_tls_bio(link) : NULL;
    if (bio == NULL || CALL(SSL_set_ex_data)(link->ssl, 0, link) != 1) {
        CALL(BIO_free)(bio);
        return -ENOMEM;
    }
    CALL(SSL_set_bio)(link->ssl, bio, bio);
    CALL(SSL_set_read_ahead)(link->ssl, 1);
    if (link->tls->server) {
        CALL(SSL_set_accept_state)(link->ssl);
        return 0;
    }
    CALL(SSL_set_connect_state)(link->ssl);
    return link->name[0] ? set_name(link) : 0;
}

/* Whom the certificate must name; a name may be written with the dot of the root. */
static int copy_name(struct hkti_tls_link *link, const char *name)
{
    size_t length = name && !link->tls->server ? strlen(name) : 0;
    if (length > 1 && name[length - 1] == '.')
        length--;
    /* By OpenSSL's rule that would be any name below it. */
    if (length && *name == '.')
        return hkt_fail(-EINVAL, "TLS: the name of a server does not begin with a dot");
    if (length >= sizeof link->name)
        return hkt_fail(-EINVAL, "TLS: the name of the server is too long");
    if (length == 0 && !link->tls->server && link->tls->verifies)
        return hkt_fail(-EINVAL, "TLS: a client that verifies must say whom the certificate names");
    if (length)
        memcpy(link->name, name, length);
    return 0;
}

/* By the reader and writer: the stream has the layer from now on. */
static int make_link(hkt_stream *stream, hkt_tls *tls, const char *server_name)
{
    struct hkti_tls_link *link = hkti_allocate(sizeof *link);
    if (link == NULL)
        return -ENOMEM;
    link->tls = tls;
    link->stream = stream;
    int saved = errno;
    int err = copy_name(link, server_name);
    if (err == 0) {
        err = set_up(link);
        CALL(ERR_clear_error)();
    }
    if (err < 0) {
        CALL(SSL_free)(link->ssl);
        hkti_release(link, sizeof *link);
        errno = saved;
        return err;
    }
    errno = saved;
    hkti_tls_hold(tls);
    link->ahead = stream->in;
    stream->in = (struct hkti_bytes){ 0 };
    stream->tls = link;
    hkti_store_relaxed(&stream->layer, &hkti_tls_layer); /* a close may look at it */
    return 0;
}

/* Under the lock: 0, -EAGAIN, errors. Before a wait for an fd that is told of each change alone,
 * the last try must have found nothing: so once all is sent, OpenSSL is asked again. */
static int handshake_step(struct hkti_tls_link *link, short *wants)
{
    for (;;) {
        int result = CALL(SSL_do_handshake)(link->ssl), err = 0;
        if (result == 1)
            link->done = true;
        else
            err = hkti_tls_outcome(link, result == 0 ? -1 : result, wants);
        int sent = hkti_tls_flush(link); /* also when it fails: the other side is told */
        if (err != -EAGAIN)
            return err;
        if (sent != 0 && sent != -EAGAIN)
            return sent;
        if (sent == -EAGAIN)
            *wants |= POLLOUT;
        else if (*wants == POLLOUT)
            continue;
        return -EAGAIN;
    }
}

static int try_handshake(struct hkti_tls_link *link, short *wants)
{
    int saved = errno;
    hkt_lock_acquire(&link->lock);
    CALL(ERR_clear_error)();
    link->dry = false;
    int err = handshake_step(link, wants);
    hkt_lock_release(&link->lock);
    errno = saved;
    return err;
}

static int shake_hands(hkt_stream *stream)
{
    struct hkti_tls_link *link = stream->tls;
    int err;
    short wants;
    while ((err = try_handshake(link, &wants)) == -EAGAIN) {
        err = hkti_stream_await(stream, wants);
        if (err < 0)
            break;
    }
    if (err < 0 && link->broken)
        hkti_tls_session_forget(link->tls, link->name);
    if (err < 0 && link->broken == 0)
        link->broken = -EPROTO; /* it was given up */
    return err;
}

static int begin(hkt_stream *stream, hkt_tls *tls, const char *server_name)
{
    if (stream->layer != &hkti_stream_plain)
        return hkt_fail(-EBUSY, "the stream speaks TLS already");
    if (stream->eof_sent)
        return -EPIPE;
    int err = hkti_stream_send(stream, NULL, 0);
    if (err == 0)
        err = make_link(stream, tls, server_name);
    return err < 0 ? err : shake_hands(stream);
}

int hkt_stream_start_tls(hkt_stream *stream, hkt_tls *tls, const char *server_name)
{
    if (tls == NULL)
        return -EINVAL;
    int err = hkti_stream_begin_read(stream);
    if (err < 0)
        return err;
    err = hkti_stream_begin_write(stream);
    if (err == 0) {
        err = begin(stream, tls, server_name);
        hkti_stream_end_write(stream);
    }
    hkti_stream_end_read(stream);
    return err;
}

static void copy(char *to, size_t size, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    if (length >= size)
        length = size - 1;
    if (length)
        memcpy(to, text, length);
    to[length] = 0;
}

static void peer_name(SSL *ssl, char *text, size_t size)
{
    X509 *certificate = CALL(SSL_get0_peer_certificate)(ssl);
    BIO *memory = certificate ? CALL(BIO_new)(CALL(BIO_s_mem)()) : NULL;
    if (memory == NULL)
        return;
    CALL(X509_NAME_print_ex)
    (memory, CALL(X509_get_subject_name)(certificate), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    int length = CALL(BIO_read)(memory, text, (int)size - 1);
    text[length > 0 ? length : 0] = 0;
    CALL(BIO_free)(memory);
}

int hkt_stream_tls_info(const hkt_stream *stream, hkt_tls_info *info)
{
    struct hkti_tls_link *link = stream->tls;
    memset(info, 0, sizeof *info);
    if (link == NULL)
        return -EINVAL;
    int saved = errno;
    hkt_lock_acquire(&link->lock);
    bool done = link->done;
    if (done) {
        const unsigned char *protocol;
        unsigned length;
        SSL *ssl = link->ssl;
        CALL(ERR_clear_error)();
        copy(info->version, sizeof info->version, CALL(SSL_get_version)(ssl));
        copy(info->cipher, sizeof info->cipher,
             CALL(SSL_CIPHER_get_name)(CALL(SSL_get_current_cipher)(ssl)));
        CALL(SSL_get0_alpn_selected)(ssl, &protocol, &length);
        if (length < sizeof info->protocol && length > 0)
            memcpy(info->protocol, protocol, length);
        if (link->tls->server)
            copy(info->server_name, sizeof info->server_name,
                 CALL(SSL_get_servername)(ssl, TLSEXT_NAMETYPE_host_name));
        peer_name(ssl, info->peer, sizeof info->peer);
        info->resumed = CALL(SSL_session_reused)(ssl) == 1;
        CALL(ERR_clear_error)();
    }
    hkt_lock_release(&link->lock);
    errno = saved;
    return done ? 0 : -EINVAL;
}
#else
typedef int hkti_no_tls_handshake;
#endif
