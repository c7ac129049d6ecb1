/* SPDX-License-Identifier: MIT */
/* The layer of streams that speak TLS: records in and out. io/tls.h has a link's states, and why
 * writes of OpenSSL's always succeed. Beginning is in tls_handshake.c, what lies below in tls_bio.c. */
#ifdef HKT_HAVE_OPENSSL
#include "io/tls.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>

#include "base/memory.h"

#define CALL(function) hkti_openssl.function

/* So many records in one try, before others get the link's lock. */
enum { RECORDS = 8 };

/* Under the lock: as many records as there are and fit. */
static int read_records(struct hkti_tls_link *link, char *data, size_t size, short *wants)
{
    int total = 0, room = size < INT_MAX ? (int)size : INT_MAX;
    (void)hkti_tls_flush(link);
    if (link->broken)
        return link->broken;
    if (!link->done)
        return -EPROTO;
    for (int i = 0; i < RECORDS && total < room; i++) {
        int n = CALL(SSL_read)(link->ssl, data + total, room - total);
        if (n <= 0) {
            int err = hkti_tls_outcome(link, n, wants);
            link->settled = err == -EAGAIN;
            return total > 0 ? total : err;
        }
        total += n;
        if (!CALL(SSL_has_pending)(link->ssl))
            break;
    }
    link->settled = !CALL(SSL_has_pending)(link->ssl);
    return total;
}

/* A try begins, and ends: the lock, OpenSSL's error queue, and errno, which it changes. */
static int enter(struct hkti_tls_link *link)
{
    int saved = errno;
    hkt_lock_acquire(&link->lock);
    CALL(ERR_clear_error)();
    link->dry = false;
    return saved;
}

static void leave(struct hkti_tls_link *link, int saved)
{
    hkt_lock_release(&link->lock);
    errno = saved;
}

static int tls_read(hkt_stream *stream, void *data, size_t size, short *wants)
{
    struct hkti_tls_link *link = stream->tls;
    int saved = enter(link);
    *wants = POLLIN;
    int n = read_records(link, data, size, wants);
    if (hkti_tls_keeps(link) && link->out_error == 0)
        *wants |= POLLOUT;
    leave(link, saved);
    return n;
}

/* The next record: pieces that are small are put together. Where it begins, and how long it is. */
static const char *gather(struct hkti_tls_link *link, const struct iovec *pieces, int count,
                          size_t offset, size_t *size)
{
    const char *data = (const char *)pieces->iov_base + offset;
    size_t length = pieces->iov_len - offset;
    *size = length < HKTI_TLS_RECORD ? length : HKTI_TLS_RECORD;
    if (count == 1 || length >= HKTI_TLS_RECORD)
        return data;
    if (link->staged == NULL)
        link->staged = hkti_allocate(HKTI_TLS_RECORD);
    if (link->staged == NULL)
        return data; /* each piece in a record of its own */
    size_t n = 0;
    for (int i = 0; i < count && n < HKTI_TLS_RECORD; i++, offset = 0) {
        size_t step = pieces[i].iov_len - offset;
        if (step > HKTI_TLS_RECORD - n)
            step = HKTI_TLS_RECORD - n;
        if (step)
            memcpy(link->staged + n, (const char *)pieces[i].iov_base + offset, step);
        n += step;
    }
    *size = n;
    return link->staged;
}

static int write_error(const struct hkti_tls_link *link)
{
    if (link->broken)
        return link->broken == -ENODATA ? -EPIPE : link->broken;
    if (!link->done)
        return -EPROTO;
    return link->left ? -EPIPE : 0;
}

/* A server's ticket for a later connection goes out with the first thing that it says. Not in
 * the handshake, as OpenSSL would have it: a client that only writes would close its socket with
 * the ticket unread, and the system then resets the connection, and drops what is still to be
 * sent. */
static void write_ticket(struct hkti_tls_link *link)
{
    if (!link->ticketed && link->tls->server && !link->tls->no_tickets)
        (void)CALL(SSL_new_session_ticket)(link->ssl); /* of TLS 1.3 alone */
    link->ticketed = true;
}

/* Under the lock: records, until the system takes no more. How many bytes of the pieces. */
static int write_records(struct hkti_tls_link *link, const struct iovec *pieces, int count,
                         short *wants)
{
    size_t total = 0, offset = 0;
    for (int i = 0; i < RECORDS; i++) {
        while (count > 0 && pieces->iov_len == offset)
            pieces++, count--, offset = 0;
        if (count == 0)
            break;
        size_t size;
        int err = i == 0 ? hkti_tls_flush(link) : link->out_error;
        if (err == 0 && hkti_tls_keeps(link))
            err = -EAGAIN;
        if (err == 0)
            err = write_error(link);
        if (err < 0)
            return total > 0 ? (int)total : err;
        write_ticket(link);
        const char *data = gather(link, pieces, count, offset, &size);
        int n = CALL(SSL_write)(link->ssl, data, (int)size);
        if (n <= 0) {
            err = hkti_tls_outcome(link, n, wants);
            return total > 0 ? (int)total : err == 0 ? -EPIPE : err;
        }
        link->lost = link->lost || link->out_error;
        total += (size_t)n;
        for (size_t left = (size_t)n; left > 0;) {
            size_t step = pieces->iov_len - offset < left ? pieces->iov_len - offset : left;
            offset += step;
            left -= step;
            if (left > 0)
                pieces++, count--, offset = 0;
        }
    }
    return (int)total;
}

static int tls_write(hkt_stream *stream, const struct iovec *pieces, int count, short *wants)
{
    struct hkti_tls_link *link = stream->tls;
    int saved = enter(link);
    *wants = POLLOUT;
    int n = write_records(link, pieces, count, wants);
    leave(link, saved);
    return n;
}

/* What was taken and could not be sent is told once; those who write more are told each time. */
static int tls_flush(hkt_stream *stream, short *wants)
{
    struct hkti_tls_link *link = stream->tls;
    int saved = enter(link);
    *wants = POLLOUT;
    int err = hkti_tls_flush(link);
    if (err != -EAGAIN && !link->lost)
        err = 0;
    link->lost = false;
    leave(link, saved);
    return err;
}

/* Under the lock. What else OpenSSL has begun to say (a new key) comes before that. */
static int say_goodbye(struct hkti_tls_link *link, short *wants)
{
    int err = hkti_tls_flush(link);
    if (err < 0)
        return err;
    int result = CALL(SSL_do_handshake)(link->ssl);
    if (result == 1)
        result = CALL(SSL_shutdown)(link->ssl);
    return result < 0 ? hkti_tls_outcome(link, result, wants) : 0;
}

/* To say goodbye needs no answer. A connection that is broken, or that the other side has
 * closed, has nobody to say it to. */
static int tls_finish(hkt_stream *stream, short *wants)
{
    struct hkti_tls_link *link = stream->tls;
    int saved = enter(link), err = 0;
    *wants = POLLOUT;
    if (link->done && !link->broken && !link->left) {
        err = say_goodbye(link, wants);
        link->left = err != -EAGAIN;
    }
    if (err == 0)
        err = hkti_tls_flush(link);
    if (err == -EPIPE || err == -ECONNRESET || link->broken)
        err = 0;
    leave(link, saved);
    return err;
}

/* What came unasked (tickets) is thrown away: a socket that is closed with bytes unread resets
 * the connection. */
static void tls_discard(hkt_stream *stream)
{
    char data[1024];
    for (int i = 0; i < 64 && hkti_channel_read(&stream->channel, data, sizeof data) > 0; i++)
        ;
}

static void tls_release(hkt_stream *stream)
{
    struct hkti_tls_link *link = stream->tls;
    int saved = errno;
    CALL(SSL_free)(link->ssl);
    CALL(ERR_clear_error)();
    hkt_tls_destroy(link->tls);
    hkti_release(link->ahead.data, link->ahead.room);
    hkti_release(link->staged, HKTI_TLS_RECORD);
    hkti_release(link, sizeof *link);
    errno = saved;
}

/* A read makes sense without news of the fd: something is there, or waits to be sent. */
static bool tls_pending(hkt_stream *stream)
{
    struct hkti_tls_link *link = stream->tls;
    hkt_lock_acquire(&link->lock);
    bool pending = !link->settled || link->ahead.data || hkti_tls_keeps(link);
    hkt_lock_release(&link->lock);
    return pending;
}

const struct hkti_stream_layer hkti_tls_layer = {
    .read = tls_read,
    .write = tls_write,
    .flush = tls_flush,
    .finish = tls_finish,
    .discard = tls_discard,
    .release = tls_release,
    .pending = tls_pending,
};
#else
typedef int hkti_no_tls_layer;
#endif
