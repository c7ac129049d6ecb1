/* SPDX-License-Identifier: MIT */
/* OpenSSL 3 as a table of functions, for a program that uses no TLS and no keys shall not need it:
 * the libraries are loaded when one of these is first used, and stay. The types are those of
 * OpenSSL's own headers, so the compiler checks each call as if the library were linked. What is a
 * macro there is SSL_ctrl or SSL_CTX_ctrl here. */
#ifndef HKTI_IO_OPENSSL_H
#define HKTI_IO_OPENSSL_H

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

/* Those of libssl. */
#define HKTI_OPENSSL_SSL(X)                                                                        \
    X(OPENSSL_init_ssl)                                                                            \
    X(TLS_client_method)                                                                           \
    X(TLS_server_method)                                                                           \
    X(SSL_CTX_new)                                                                                 \
    X(SSL_CTX_free)                                                                                \
    X(SSL_CTX_ctrl)                                                                                \
    X(SSL_CTX_set_options)                                                                         \
    X(SSL_CTX_set_verify)                                                                          \
    X(SSL_CTX_set_default_verify_paths)                                                            \
    X(SSL_CTX_load_verify_file)                                                                    \
    X(SSL_CTX_set_client_CA_list)                                                                  \
    X(SSL_load_client_CA_file)                                                                     \
    X(SSL_CTX_use_certificate_chain_file)                                                          \
    X(SSL_CTX_use_PrivateKey_file)                                                                 \
    X(SSL_CTX_set_default_passwd_cb)                                                               \
    X(SSL_CTX_set_alpn_protos)                                                                     \
    X(SSL_CTX_set_alpn_select_cb)                                                                  \
    X(SSL_CTX_set_session_id_context)                                                              \
    X(SSL_CTX_sess_set_new_cb)                                                                     \
    X(SSL_CTX_set_num_tickets)                                                                     \
    X(SSL_CTX_get0_param)                                                                          \
    X(SSL_new)                                                                                     \
    X(SSL_free)                                                                                    \
    X(SSL_ctrl)                                                                                    \
    X(SSL_set_bio)                                                                                 \
    X(SSL_set_read_ahead)                                                                          \
    X(SSL_set_ex_data)                                                                             \
    X(SSL_get_ex_data)                                                                             \
    X(SSL_set_connect_state)                                                                       \
    X(SSL_set_accept_state)                                                                        \
    X(SSL_new_session_ticket)                                                                      \
    X(SSL_set_session)                                                                             \
    X(SSL_get0_param)                                                                              \
    X(SSL_do_handshake)                                                                            \
    X(SSL_read)                                                                                    \
    X(SSL_write)                                                                                   \
    X(SSL_shutdown)                                                                                \
    X(SSL_get_error)                                                                               \
    X(SSL_has_pending)                                                                             \
    X(SSL_get_verify_result)                                                                       \
    X(SSL_session_reused)                                                                          \
    X(SSL_get_version)                                                                             \
    X(SSL_get_current_cipher)                                                                      \
    X(SSL_CIPHER_get_name)                                                                         \
    X(SSL_get0_alpn_selected)                                                                      \
    X(SSL_get_servername)                                                                          \
    X(SSL_get0_peer_certificate)                                                                   \
    X(SSL_SESSION_dup)                                                                             \
    X(SSL_SESSION_free)

/* Those of libcrypto. */
#define HKTI_OPENSSL_CRYPTO(X)                                                                     \
    X(ERR_clear_error)                                                                             \
    X(ERR_get_error)                                                                               \
    X(ERR_reason_error_string)                                                                     \
    X(X509_verify_cert_error_string)                                                               \
    X(X509_VERIFY_PARAM_set1_host)                                                                 \
    X(X509_VERIFY_PARAM_set1_ip_asc)                                                               \
    X(X509_VERIFY_PARAM_set_hostflags)                                                             \
    X(X509_VERIFY_PARAM_set_flags)                                                                 \
    X(X509_get_subject_name)                                                                       \
    X(X509_NAME_print_ex)                                                                          \
    X(BIO_meth_new)                                                                                \
    X(BIO_meth_free)                                                                               \
    X(BIO_meth_set_read)                                                                           \
    X(BIO_meth_set_write)                                                                          \
    X(BIO_meth_set_ctrl)                                                                           \
    X(BIO_new)                                                                                     \
    X(BIO_free)                                                                                    \
    X(BIO_s_mem)                                                                                   \
    X(BIO_read)                                                                                    \
    X(BIO_set_data)                                                                                \
    X(BIO_get_data)                                                                                \
    X(BIO_set_init)                                                                                \
    X(BIO_set_flags)                                                                               \
    X(BIO_clear_flags)                                                                             \
    X(EVP_sha256)                                                                                  \
    X(HMAC)

struct hkti_openssl {
#define HKTI_OPENSSL_MEMBER(name) __typeof__(name) *name;
    HKTI_OPENSSL_SSL(HKTI_OPENSSL_MEMBER)
    HKTI_OPENSSL_CRYPTO(HKTI_OPENSSL_MEMBER)
#undef HKTI_OPENSSL_MEMBER
};

/* Good after hkti_openssl_load() has returned 0. */
extern struct hkti_openssl hkti_openssl;

/* 0; -ENOSYS, with a sentence: it is not on this machine. May be called by anybody, at any time;
 * who comes while another one loads waits. Not a cancellation point. */
int hkti_openssl_load(void);

#endif
