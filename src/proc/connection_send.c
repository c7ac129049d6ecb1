/* SPDX-License-Identifier: MIT */
/* Sending messages: proc/connection.h. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "io/stream.h"
#include "proc/connection.h"

#define SHORT_MAX UINT32_C(0x7fffffff)

static size_t write_header(unsigned char header[12], uint64_t size)
{
    size_t length = size <= SHORT_MAX ? 4 : 12;
    uint32_t first = length == 4 ? (uint32_t)size : UINT32_MAX;
    for (int i = 0; i < 4; i++)
        header[i] = (unsigned char)(first >> (24 - 8 * i));
    for (int i = 0; i < 8 && length == 12; i++)
        header[4 + i] = (unsigned char)(size >> (56 - 8 * i));
    return length;
}

/* One try, and a wait if that is needed: how many bytes. */
static int put(hkt_connection *connection, const struct iovec *pieces, int count)
{
    struct hkti_channel *channel = &connection->channel;
    for (;;) {
        int n = hkti_load_relaxed(&channel->quiet[HKTI_OUT])
                    ? -EAGAIN
                    : hkti_channel_write(channel, pieces, count);
        if (n >= 0)
            hkti_stream_give_way();
        if (n != -EAGAIN)
            return n;
        int err = hkti_connection_await(connection, POLLOUT);
        if (err < 0)
            return err;
    }
}

/* All of it: 0. *went: something has gone. */
static int put_all(hkt_connection *connection, struct iovec *pieces, int count, bool *went)
{
    while (count > 0) {
        int n = put(connection, pieces, count);
        if (n < 0)
            return n;
        size_t rest = (size_t)n;
        *went = *went || n > 0;
        while (count > 0 && rest >= pieces->iov_len) {
            rest -= pieces->iov_len;
            pieces++, count--;
        }
        if (count > 0) {
            pieces->iov_base = (char *)pieces->iov_base + rest;
            pieces->iov_len -= rest;
        }
    }
    return 0;
}

/* The other end shall not wait for the rest. A pipe has no half to close: it sees the end later. */
static void tear(hkt_connection *connection)
{
    connection->torn = true;
    if (connection->channel.kind <= HKTI_CHANNEL_SOCKET)
        (void)hkti_channel_end_output(&connection->channel);
}

int hkt_connection_send(hkt_connection *connection, const void *message, size_t size)
{
    unsigned char header[12];
    struct iovec pieces[] = { { header, write_header(header, size) },
                              { (void *)(uintptr_t)message, size } };
    bool went = false;
    int err = hkti_connection_begin(connection, &connection->sending, (hkt_deadline){ 0 });
    if (err < 0)
        return err;
    err = connection->torn ? -EPIPE : put_all(connection, pieces, size > 0 ? 2 : 1, &went);
    if (err < 0 && went)
        tear(connection);
    hkti_connection_end(connection, &connection->sending);
    return err == -ECONNRESET ? -EPIPE : err;
}
