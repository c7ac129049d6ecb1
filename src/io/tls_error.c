/* SPDX-License-Identifier: MIT */
/* What OpenSSL says, as errors of ours. Its queue of errors belongs to the thread, which other
 * tasks use too: it is empty before each call, and emptied here. */
#ifdef HKT_HAVE_OPENSSL
#include "io/tls.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define CALL(function) hkti_openssl.function

/* The errors of one call: the first that says something, and what is worth more than any reason. */
struct reasons {
    unsigned long first;
    bool no_memory;
    int of_system; /* the first errno; 0 */
};

static struct reasons empty_queue(void)
{
    struct reasons reasons = { 0 };
    unsigned long code;
    while ((code = CALL(ERR_get_error)()) != 0) {
        if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
            reasons.no_memory = true;
        if (ERR_SYSTEM_ERROR(code) && reasons.of_system == 0)
            reasons.of_system = ERR_GET_REASON(code);
        if (reasons.first == 0)
            reasons.first = code;
    }
    if (reasons.of_system == ENOMEM)
        reasons.no_memory = true;
    return reasons;
}

static const char *words(unsigned long code)
{
    const char *text = code ? CALL(ERR_reason_error_string)(code) : NULL;
    return text ? text : "OpenSSL gives no reason";
}

static const char *other_side(const struct hkti_tls_link *link)
{
    if (link->tls->server)
        return "the client";
    return link->name[0] ? link->name : "the server";
}

/* Why their certificate is not good. */
static int certificate_error(const struct hkti_tls_link *link)
{
    long result = CALL(SSL_get_verify_result)(link->ssl);
    const char *who = other_side(link), *what;
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        what = "has expired";
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        what = "is not valid yet";
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return hkt_fail(-EKEYREJECTED, "the certificate that %s showed is for another name", who);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        what = "is signed by itself";
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        what = "is signed by nobody we believe";
        break;
    default:
        return hkt_fail(-EKEYREJECTED, "the certificate of %s is not good: %s", who,
                        CALL(X509_verify_cert_error_string)(result));
    }
    return hkt_fail(-EKEYREJECTED, "the certificate of %s %s", who, what);
}

/* What went wrong in TLS itself. */
static int reason_error(const struct hkti_tls_link *link, unsigned long code)
{
    const char *who = other_side(link);
    if (ERR_GET_LIB(code) != ERR_LIB_SSL)
        return hkt_fail(-EPROTO, "TLS with %s failed: %s", who, words(code));
    switch (ERR_GET_REASON(code)) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        return certificate_error(link);
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return hkt_fail(-EKEYREJECTED, "%s showed no certificate", who);
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return hkt_fail(-EKEYREJECTED, "%s wants a certificate of ours", who);
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        return hkt_fail(-EKEYREJECTED, "%s does not accept our certificate: %s", who, words(code));
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_RECORD_LENGTH_MISMATCH:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_UNKNOWN_PROTOCOL:
        if (!link->done)
            return hkt_fail(-EPROTO, "%s does not speak TLS: %s", who, words(code));
        break;
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return link->done ? hkt_fail(-ENODATA, "%s went away without taking leave (TLS)", who)
                          : hkt_fail(-ENODATA, "%s went away before TLS was there", who);
    }
    return hkt_fail(-EPROTO, "TLS with %s failed: %s", who, words(code));
}

int hkti_tls_outcome(struct hkti_tls_link *link, int result, short *wants)
{
    int kind = CALL(SSL_get_error)(link->ssl, result), err;
    struct reasons reasons = empty_queue();
    switch (kind) {
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_WANT_READ:
        *wants = POLLIN;
        return -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        *wants = POLLOUT;
        return -EAGAIN;
    }
    if (reasons.no_memory)
        err = -ENOMEM;
    else if (kind == SSL_ERROR_SSL)
        err = reason_error(link, reasons.first);
    else if (link->in_error)
        return link->in_error; /* of this direction; OpenSSL could go on */
    else
        err = link->ended ? -ENODATA : -EPROTO;
    link->broken = err;
    return err;
}

int hkti_tls_file_error(const char *what, const char *path)
{
    struct reasons reasons = empty_queue();
    if (reasons.no_memory)
        return -ENOMEM;
    if (reasons.of_system)
        return hkt_fail(-reasons.of_system, "TLS: cannot read the %s %s: %s", what, path,
                        strerrordesc_np(reasons.of_system));
    if (ERR_GET_LIB(reasons.first) == ERR_LIB_X509 &&
        ERR_GET_REASON(reasons.first) == X509_R_KEY_VALUES_MISMATCH)
        return hkt_fail(-EKEYREJECTED, "TLS: the %s in %s is not that of the certificate", what,
                        path);
    return hkt_fail(-EBADMSG, "TLS: there is no good %s in %s: %s", what, path,
                    words(reasons.first));
}
#else
typedef int hkti_no_tls_errors;
#endif
