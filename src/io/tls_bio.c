/* SPDX-License-Identifier: MIT */
/* What lies below OpenSSL: a BIO that reads and writes by tries of the stream's channel, and keeps what
 * the system does not take. */
#ifdef HKT_HAVE_OPENSSL
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "base/memory.h"
#include "io/tls.h"

#define CALL(function) hkti_openssl.function

int hkti_tls_flush(struct hkti_tls_link *link)
{
    while (hkti_tls_keeps(link) && link->out_error == 0) {
        struct iovec piece = { link->kept + link->kept_begin, link->kept_end - link->kept_begin };
        int n = hkti_channel_write(&link->stream->channel, &piece, 1);
        if (n == -EAGAIN)
            return n;
        if (n < 0) {
            link->out_error = n;
            link->lost = true;
        } else {
            link->kept_begin += (size_t)n;
        }
        if (link->out_error || link->kept_begin == link->kept_end)
            link->kept_begin = link->kept_end = 0;
    }
    return link->out_error;
}

/* Keeps what the system did not take: how much there was room for. */
static size_t keep(struct hkti_tls_link *link, const char *data, size_t size)
{
    if (link->kept_begin > 0) {
        memmove(link->kept, link->kept + link->kept_begin, link->kept_end - link->kept_begin);
        link->kept_end -= link->kept_begin;
        link->kept_begin = 0;
    }
    size_t room = sizeof link->kept - link->kept_end;
    size_t n = size < room ? size : room;
    memcpy(link->kept + link->kept_end, data, n);
    link->kept_end += n;
    return n;
}

/* What cannot be sent any more is dropped: the other side may have sent something before, which
 * OpenSSL is to read, with its answers. Who writes looks at out_error. */
static int bio_write(BIO *bio, const char *data, int size)
{
    struct hkti_tls_link *link = CALL(BIO_get_data)(bio);
    size_t gone = 0, all = size > 0 ? (size_t)size : 0;
    CALL(BIO_clear_flags)(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
    (void)hkti_tls_flush(link);
    while (gone < all && !hkti_tls_keeps(link) && link->out_error == 0) {
        struct iovec piece = { (char *)(uintptr_t)data + gone, all - gone };
        int n = hkti_channel_write(&link->stream->channel, &piece, 1);
        if (n == -EAGAIN)
            break;
        if (n < 0)
            link->out_error = n;
        else
            gone += (size_t)n;
    }
    if (link->out_error)
        return size;
    gone += keep(link, data + gone, all - gone);
    if (gone == 0 && size > 0) {
        CALL(BIO_set_flags)(bio, BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY);
        return -1;
    }
    return (int)gone;
}

/* What was read ahead comes first. */
static int read_ahead(struct hkti_tls_link *link, char *data, size_t size)
{
    struct hkti_bytes *ahead = &link->ahead;
    size_t n = ahead->end - ahead->begin < size ? ahead->end - ahead->begin : size;
    memcpy(data, ahead->data + ahead->begin, n);
    ahead->begin += n;
    if (ahead->begin == ahead->end) {
        hkti_release(ahead->data, ahead->room);
        *ahead = (struct hkti_bytes){ 0 };
    }
    return (int)n;
}

static int bio_read(BIO *bio, char *data, int size)
{
    struct hkti_tls_link *link = CALL(BIO_get_data)(bio);
    struct hkti_channel *channel = &link->stream->channel;
    CALL(BIO_clear_flags)(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
    if (size <= 0 || link->ended)
        return 0;
    if (link->in_error)
        return -1;
    if (link->ahead.data)
        return read_ahead(link, data, (size_t)size);
    int n = link->dry ? -EAGAIN : hkti_channel_read(channel, data, (size_t)size);
    if (n == -EAGAIN) {
        CALL(BIO_set_flags)(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY);
        return -1;
    }
    if (n == 0)
        link->ended = true;
    if (n < 0)
        link->in_error = n;
    link->dry = hkti_load_relaxed(&channel->quiet[HKTI_IN]);
    return n < 0 ? -1 : n;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    const struct hkti_tls_link *link = CALL(BIO_get_data)(bio);
    (void)number, (void)pointer;
    if (command == BIO_CTRL_EOF)
        return link->ended;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *hkti_tls_bio_method(void)
{
    BIO_METHOD *method = CALL(BIO_meth_new)(BIO_TYPE_SOURCE_SINK, "hocket stream");
    if (method)
        (void)(CALL(BIO_meth_set_write)(method, bio_write) &&
               CALL(BIO_meth_set_read)(method, bio_read) &&
               CALL(BIO_meth_set_ctrl)(method, bio_control));
    return method;
}

BIO *hkti_tls_bio(struct hkti_tls_link *link)
{
    BIO *bio = CALL(BIO_new)(link->tls->method);
    if (bio) {
        CALL(BIO_set_data)(bio, link);
        CALL(BIO_set_init)(bio, 1);
    }
    return bio;
}
#else
typedef int hkti_no_tls_bio; /* a file is not empty */
#endif
